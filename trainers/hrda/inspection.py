"""What is wrong with a domain, found before anything is trained: the header of every file, the values of every mask.

Headers are read in a check. Of the values a check reads as many as its time allows, in an order that is spread over the
domain; a training reads all of them before its first epoch, once for the same files, and decodes the images.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import class_statistics
import numpy as np
from class_statistics import ClassStatistics
from domains import Domain, Entry, Role
from epochal import DataError
from epochal.datasets.checking import Look
from epochal.datasets.decoding import Outcome, decode_all
from epochal.datasets.headers import header_of
from epochal.datasets.model import Findings
from epochal.datasets.reading import serious
from masks import channels_problem

#: Masks that are read between two looks at the clock.
_AT_A_TIME = 32


def require(domain: Domain, role: Role, *, skip: bool) -> None:
    """`DataError` for what was found to be wrong, unless that is to be left out (`skip`) and images remain."""
    wrong = serious(domain)
    if wrong and not skip:
        raise DataError(f"the {role} {domain.folder} has {'; '.join(wrong)} (skip_bad_images: true trains on the rest)")
    if not domain.entries:
        raise DataError(f"the {role} {domain.folder} has no image that can be used: {'; '.join(wrong)}")


def inspected(domain: Domain, role: Role) -> Domain:
    """The domain without what its headers say is wrong."""
    if domain.layout == "supervisely" and role != "target":
        # The reader of the project has looked at its images.
        entries = [entry for entry in domain.entries if _is_annotated(entry, domain.findings)]
    else:
        entries = [entry for entry in domain.entries if _is_whole(entry, role, domain.findings)]
    return domain.with_entries(entries)


def decoded(domain: Domain, role: Role, look: Look) -> tuple[Domain, Outcome]:
    """The domain without the images that cannot be decoded, and what came of decoding them."""
    progress = partial(look.progress, f"Looking at images of the {role}")
    outcome = decode_all([entry.as_image(role) for entry in domain.entries], domain.findings, progress, look.seconds)
    damaged = {one.path for one in outcome.failed}
    return domain.with_entries([one for one in domain.entries if one.image not in damaged]), outcome


def counted(
    domain: Domain, role: Role, seconds: float | None = None, look: Look | None = None
) -> tuple[Domain, ClassStatistics | None]:
    """The domain without masks whose values are wrong, and its statistics; None where `seconds` did not do for them.

    `look` hears how far it is.
    """
    statistics = class_statistics.known(domain)
    if statistics is None:
        counts: dict[int, np.ndarray] = {}
        wrong: set[int] = set()
        for index, found in _values(domain, role, seconds, look):
            if isinstance(found, str):
                wrong.add(index)
                domain.findings.add("wrong mask", found, domain.entries[index].image)
            else:
                counts[index] = found
        is_whole = len(counts) + len(wrong) == len(domain)
        domain = domain.with_entries([one for index, one in enumerate(domain.entries) if index not in wrong])
        if not is_whole or not counts:
            return domain, None
        statistics = ClassStatistics(np.stack([counts[index] for index in sorted(counts)]))
        class_statistics.keep(domain, statistics)
    return domain, statistics


def _is_annotated(entry: Entry, findings: Findings) -> bool:
    """An annotation without objects says that all is background; without one, nobody has said so."""
    if entry.annotation is None:
        findings.add("missing mask", f"{entry.image} has no annotation", entry.image)
    return entry.annotation is not None


def _is_whole(entry: Entry, role: Role, findings: Findings) -> bool:
    header = header_of(entry.image, findings)
    if header is None:
        return False
    if header.orientation > 1:
        what = "the image is turned so, and its mask is taken to be on the image as it is shown"
        findings.add("turned image", f"{entry.image} has the EXIF orientation {header.orientation}: {what}")
    if role == "target":
        return True
    if entry.annotation is None:
        findings.add("missing mask", f"{entry.image} has none{entry.instead}", entry.image)
        return False
    if problem := channels_problem(entry.annotation):
        findings.add("wrong mask", f"{entry.annotation} {problem}", entry.image)
        return False
    of_mask = header_of(entry.annotation, findings)
    if of_mask is None:
        return False
    if of_mask[:2] != header[:2]:
        shown = " as it is shown (EXIF orientation)" if header.orientation > 1 else ""
        detail = (
            f"{entry.annotation} has {of_mask.width} × {of_mask.height} pixels, its image {entry.image} has "
            f"{header.width} × {header.height}{shown}: they must be equal"
        )
        findings.add("mask of another size", detail, entry.image)
        return False
    return True


def _values(
    domain: Domain, role: Role, seconds: float | None, look: Look | None
) -> Iterator[tuple[int, np.ndarray | str]]:
    """For each image the pixels of each class, or what is wrong with its mask."""

    def one(index: int) -> tuple[int, np.ndarray | str]:
        try:
            labels = domain.labels(index)
        except DataError as error:
            return index, str(error).removeprefix("the mask ")
        return index, np.bincount(labels.reshape(-1), minlength=256)[: len(domain.classes)]

    order = list(range(len(domain)))
    if seconds is not None:
        random.Random(0).shuffle(order)
    began = time.monotonic()
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(order), _AT_A_TIME):
            if seconds is not None and time.monotonic() - began > seconds:
                return
            if look:
                look.progress(f"Reading masks of the {role}", start, len(order))
            yield from pool.map(one, order[start : start + _AT_A_TIME])


def look_at_classes(domain: Domain, role: Role, statistics: ClassStatistics) -> None:
    """Classes that no mask has; too few of them leave nothing to learn."""
    pixels = statistics.counts.sum(axis=0)
    there = [name for name, count in zip(domain.classes, pixels, strict=True) if count]
    gone = [name for name, count in zip(domain.classes, pixels, strict=True) if not count]
    if not there:
        raise DataError(f"no pixel of the {role} {domain.folder} has one of its classes ({', '.join(domain.classes)})")
    if role == "source" and len(there) == 1:
        raise DataError(
            f"every pixel of the {role} {domain.folder} that has a class is {there[0]}, and none is "
            f"{' or '.join(gone[:20])}: there is nothing to tell apart. Values of masks must be 0 … "
            f"{len(domain.classes) - 1}; 255 means that a pixel has no class"
        )
    for name in gone:
        domain.findings.add("class without pixels", f"no pixel of the {role} {domain.folder} is {name}")
    blank = int((statistics.counts.sum(axis=1) == 0).sum())
    if blank:
        detail = f"{blank} of {len(domain)} images of the {role} {domain.folder} have no pixel with a class"
        domain.findings.add("image without classes", detail)
