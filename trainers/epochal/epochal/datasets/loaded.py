"""What a framework loaded of a data set that was written for it, compared with what the split promised.

Frameworks discard what they do not like, and say so in a log at most. Who trains on less than was promised is told how
much that is, and the first names of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from epochal.datasets.model import MOST_EXAMPLES


@dataclass(frozen=True)
class Comparison:
    """What was promised of a part (train, val), and what is loaded of it. Images go by the names of their files."""

    framework: str
    part: str
    #: The objects of each image.
    promised: Mapping[str, int]
    loaded: Mapping[str, int]
    #: Clauses for single images.
    reasons: Mapping[str, str]

    @property
    def objects(self) -> int:
        """That are loaded."""
        return sum(self.loaded.values())

    @property
    def gone(self) -> dict[str, str]:
        """Images that are not loaded, with the reason or an empty text."""
        return {name: self.reasons.get(name, "") for name in self.promised if name not in self.loaded}

    @property
    def fewer(self) -> dict[str, int]:
        """How many objects are missing on images that are loaded."""
        missing = {name: count - self.loaded.get(name, count) for name, count in self.promised.items()}
        return {name: count for name, count in missing.items() if count > 0}

    @property
    def changed(self) -> dict[str, str]:
        """Images that are loaded with all their objects, and of which the framework said something."""
        fewer = self.fewer
        return {
            name: self.reasons[name]
            for name in self.promised
            if name in self.loaded and name not in fewer and name in self.reasons
        }

    def sentences(self) -> list[str]:
        """One for each kind of difference."""
        sentences = []
        gone, fewer, changed = self.gone, self.fewer, self.changed
        if gone:
            marked = sum(self.promised[name] > 0 for name in gone)
            with_objects = f", {marked} of them with objects" if marked and marked < len(gone) else ""
            sentences.append(
                f"{self.framework} discards {len(gone)} of {len(self.promised)} {self.part} images{with_objects}: "
                f"{_names(gone)}"
            )
        if fewer:
            named = _names({name: f"{count} of {self.promised[name]}" for name, count in fewer.items()})
            sentences.append(
                f"{self.framework} discards {sum(fewer.values())} of {sum(self.promised.values())} objects on "
                f"{self.part} images that it loads: {named}"
            )
        if changed:
            sentences.append(
                f"{self.framework} changes {len(changed)} of {len(self.promised)} {self.part} images: {_names(changed)}"
            )
        return sentences


def compared(
    framework: str,
    part: str,
    promised: Mapping[str, int],
    loaded: Iterable[tuple[str, int]],
    reasons: Mapping[str, str] | None = None,
) -> Comparison:
    """Of a part of the split. `loaded` is as the framework has it, each image with the number of its objects."""
    return Comparison(framework, part, promised, dict(loaded), reasons or {})


def _names(said: Mapping[str, str]) -> str:
    shown = [f"{name} ({why})" if why else name for name, why in list(said.items())[:MOST_EXAMPLES]]
    return ", ".join(shown) + (f" and {len(said) - MOST_EXAMPLES} more" if len(said) > MOST_EXAMPLES else "")
