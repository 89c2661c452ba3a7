"""Which keypoint becomes which in a mirrored image, by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence

_OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}


def mirrored(names: Sequence[str]) -> list[int]:
    """For `left_eye` the index of `right_eye`, and so on; empty where the names do not say it of each of them.

    A keypoint without a side stays what it is, if others have one. Of names that have none at all nothing is known:
    they may be numbers.
    """
    words = [tuple(re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_a-zA-Z]+", name)) for name in names]
    words = [tuple(word.lower() for word in one) for one in words]
    others = [tuple(_OTHER_SIDE.get(word, word) for word in one) for one in words]
    found = {one: index for index, one in enumerate(words)}
    if len(found) < len(words) or others == words or any(one not in found for one in others):
        return []
    return [found[one] for one in others]
