"""What a framework loaded of a data set that was written for it, compared with what the split promised.

Frameworks discard what they do not like, and say so in a log at most. Who trains on less than was promised is told how
much that is, and the first names of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from epochal.datasets.model import MOST_EXAMPLES


def differences(
    framework: str,
    part: str,
    promised: Mapping[str, int],
    loaded: Iterable[tuple[str, int]],
    reasons: Mapping[str, str] | None = None,
    because: str = "",
) -> list[str]:
    """Sentences on the images and objects of `part` (train, val) that were promised and are not loaded.

    `promised` has the objects of each image, by the name of its file; `loaded` has them as the framework has. `reasons`
    are clauses for single images, `because` is one for all of what is discarded.
    """
    there = dict(loaded)
    said = reasons or {}
    sentences = []
    gone = [name for name in promised if name not in there]
    if gone:
        marked = sum(promised[name] > 0 for name in gone)
        with_objects = f", {marked} of them with objects" if marked and marked < len(gone) else ""
        sentences.append(
            f"{framework} discards {len(gone)} of {len(promised)} {part} images{with_objects}{because}: "
            f"{_names(gone, said)}"
        )
    fewer = {
        name: promised[name] - there[name] for name in promised if there.get(name, promised[name]) < promised[name]
    }
    if fewer:
        named = _names([*fewer], {name: f"{count} of {promised[name]}" for name, count in fewer.items()})
        sentences.append(
            f"{framework} discards {sum(fewer.values())} of {sum(promised.values())} objects on {part} images that it "
            f"loads{because}: {named}"
        )
    changed = [name for name in promised if name in there and name not in fewer and name in said]
    if changed:
        sentences.append(
            f"{framework} changes {len(changed)} of {len(promised)} {part} images: {_names(changed, said)}"
        )
    return sentences


def _names(names: list[str], said: Mapping[str, str]) -> str:
    shown = [f"{name} ({said[name]})" if name in said else name for name in names[:MOST_EXAMPLES]]
    return ", ".join(shown) + (f" and {len(names) - MOST_EXAMPLES} more" if len(names) > MOST_EXAMPLES else "")
