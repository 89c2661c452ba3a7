"""The same image file under several names: within a split it counts twice, in two splits it makes validation lie.

Only files that are alike so far are read on: those of one size, of which a part is the same, are read whole. What was
read is kept, so that a data set that has not changed is not read again.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from epochal.datasets.file_facts import AT_A_TIME, FileFacts, Stamp, stamp
from epochal.datasets.model import Findings, Picture
from epochal.datasets.splits import Split, split_name

#: Called with how many of how many steps are done; a step is a file of which a part or all is read.
Progress = Callable[[int, int], None]

_PART = 4096


def find(
    pictures: Sequence[Picture], progress: Progress = lambda _done, _all: None, *, chosen: Split | None = None
) -> Findings:
    """Images that are there more than once, byte for byte; what is only alike is not found.

    Kinds of findings: `duplicate across splits`, by the split that was `chosen` or else by the data set's own, and
    `duplicate image`.
    """
    findings = Findings()
    splits = _splits(pictures, chosen)
    for group in _groups(pictures, progress):
        first, *others = sorted(group, key=lambda picture: str(picture.path))
        for other in others:
            here, there = splits.get(id(first)), splits.get(id(other))
            if here != there and here and there:
                what = f"{first.path} in {here} is the same image as {other.path} in {there}"
                findings.add("duplicate across splits", what, other.path)
            else:
                findings.add("duplicate image", f"{first.path} is the same image as {other.path}", other.path)
    return findings


def _splits(pictures: Sequence[Picture], chosen: Split | None) -> dict[int, str]:
    own = {id(picture): split_name(picture.split) or picture.split for picture in pictures if picture.split}
    if chosen is None:
        return own
    drawn = {id(picture): part for part, pictures in chosen.parts.items() for picture in pictures}
    return {**{key: name for key, name in own.items() if name not in chosen.parts}, **drawn}


def _groups(pictures: Sequence[Picture], progress: Progress) -> list[list[Picture]]:
    """Images of equal content."""
    # One that is not there is among the reader's findings.
    stamps = {id(picture): found for picture in pictures if (found := stamp(picture.path))}
    there = [picture for picture in pictures if id(picture) in stamps]
    alike = _several(there, lambda picture: stamps[id(picture)].size)
    steps = sum(map(len, alike))
    done = 0
    for whole in (False, True):
        wanted = [picture for group in alike for picture in group]
        found = {}
        for picture, digest in _digests(wanted, stamps, whole):
            found[id(picture)] = digest
            done += 1
            progress(done, max(steps, done))
        alike = [
            equal
            for group in alike
            for equal in _several([one for one in group if found[id(one)]], lambda one, by=found: by[id(one)])
        ]
        steps = done + sum(map(len, alike))
    return alike


def _several(pictures: Iterable[Picture], key: Callable[[Picture], object]) -> list[list[Picture]]:
    groups: dict[object, list[Picture]] = defaultdict(list)
    for picture in pictures:
        groups[key(picture)].append(picture)
    return [group for group in groups.values() if len(group) > 1]


def _digests(
    pictures: list[Picture], stamps: dict[int, Stamp], whole: bool
) -> Iterator[tuple[Picture, bytes | str | None]]:
    """The digest of each image's file, or of a part of it; None for one that cannot be read."""
    with closing(FileFacts("digests" if whole else "digests-of-parts")) as facts:
        for start in range(0, len(pictures), AT_A_TIME):
            some = pictures[start : start + AT_A_TIME]
            known = facts.known((picture.path, stamps[id(picture)]) for picture in some)
            fresh = []
            for picture in some:
                digest = known.get(picture.path)
                if digest is None and (digest := _digest(picture.path, whole)):
                    fresh.append((picture.path, stamps[id(picture)], digest))
                yield picture, digest
            facts.keep(fresh)


def _digest(path: Path, whole: bool) -> bytes | None:
    """Of all its bytes, or of some in its middle: their beginnings are alike in images of one camera."""
    try:
        with open(path, "rb") as file:
            if not whole:
                file.seek(max(os.fstat(file.fileno()).st_size - _PART, 0) // 2)
                return hashlib.sha256(file.read(_PART)).digest()
            digest = hashlib.sha256()
            while part := file.read(1 << 20):
                digest.update(part)
            return digest.digest()
    except OSError:
        return None
