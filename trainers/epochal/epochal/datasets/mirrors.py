"""Which keypoint becomes which in a mirrored image: a left eye is a right one there."""

from __future__ import annotations

import re

#: Whole words first: in `left L1` the second word is not a side.
_SIDES = ({"left": "right", "right": "left"}, {"l": "r", "r": "l"})
#: `left_eye`, `eye-left`, `LeftEye`, `L.eye`, `l eye`.
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def mirrored(names: list[str]) -> list[int]:
    """For each keypoint the one that it becomes, by names that say left and right; empty where they do not."""
    words = [tuple(word.lower() for word in _WORDS.findall(name)) for name in names]
    if len(set(words)) < len(words):
        return []
    found = []
    for index, own in enumerate(words):
        sides = next((one for one in _SIDES if not one.keys().isdisjoint(own)), {})
        other = tuple(sides.get(word, word) for word in own)
        if other not in words:
            return []  # a left one without a right one: what the names mean is anybody's guess
        found.append(words.index(other) if other != own else index)
    return found if found != list(range(len(names))) else []
