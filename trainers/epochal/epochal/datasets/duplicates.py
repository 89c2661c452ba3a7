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
from epochal.datasets.model import DatasetImage, Findings
from epochal.datasets.splits import Split, split_name

#: Called with how many of how many steps are done; a step is a file of which a part or all is read.
Progress = Callable[[int, int], None]

_PART = 4096


def find(
    images: Sequence[DatasetImage], progress: Progress = lambda _done, _all: None, *, chosen: Split | None = None
) -> Findings:
    """Images that are there more than once, byte for byte; what is only alike is not found.

    Kinds of findings: `duplicate across splits`, by the split that was `chosen` or else by the data set's own, and
    `duplicate image`.
    """
    findings = Findings()
    splits = _splits(images, chosen)
    for group in _groups(images, progress):
        first, *others = sorted(group, key=lambda image: str(image.path))
        for other in others:
            here, there = splits.get(id(first)), splits.get(id(other))
            if here != there and here and there:
                what = f"{first.path} in {here} is the same image as {other.path} in {there}"
                findings.add("duplicate across splits", what, other.path)
            else:
                findings.add("duplicate image", f"{first.path} is the same image as {other.path}", other.path)
    return findings


def _splits(images: Sequence[DatasetImage], chosen: Split | None) -> dict[int, str]:
    own = {id(image): split_name(image.split) or image.split for image in images if image.split}
    if chosen is None:
        return own
    drawn = {id(image): part for part, images in chosen.parts.items() for image in images}
    return {**{key: name for key, name in own.items() if name not in chosen.parts}, **drawn}


def _groups(images: Sequence[DatasetImage], progress: Progress) -> list[list[DatasetImage]]:
    """Images of equal content."""
    # One that is not there is among the reader's findings.
    stamps = {id(image): found for image in images if (found := stamp(image.path))}
    there = [image for image in images if id(image) in stamps]
    alike = _several(there, lambda image: stamps[id(image)].size)
    steps = sum(map(len, alike))
    done = 0
    for whole in (False, True):
        wanted = [image for group in alike for image in group]
        found = {}
        for image, digest in _digests(wanted, stamps, whole):
            found[id(image)] = digest
            done += 1
            progress(done, max(steps, done))
        alike = [
            equal
            for group in alike
            for equal in _several([one for one in group if found[id(one)]], lambda one, by=found: by[id(one)])
        ]
        steps = done + sum(map(len, alike))
    return alike


def _several(images: Iterable[DatasetImage], key: Callable[[DatasetImage], object]) -> list[list[DatasetImage]]:
    groups: dict[object, list[DatasetImage]] = defaultdict(list)
    for image in images:
        groups[key(image)].append(image)
    return [group for group in groups.values() if len(group) > 1]


def _digests(
    images: list[DatasetImage], stamps: dict[int, Stamp], whole: bool
) -> Iterator[tuple[DatasetImage, bytes | str | None]]:
    """The digest of each image's file, or of a part of it; None for one that cannot be read."""
    with closing(FileFacts("digests" if whole else "digests-of-parts")) as facts:
        for start in range(0, len(images), AT_A_TIME):
            some = images[start : start + AT_A_TIME]
            known = facts.known((image.path, stamps[id(image)]) for image in some)
            fresh = []
            for image in some:
                digest = known.get(image.path)
                if digest is None and (digest := _digest(image.path, whole)):
                    fresh.append((image.path, stamps[id(image)], digest))
                yield image, digest
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
