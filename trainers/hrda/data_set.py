"""The three domains of a data set, checked against each other and the parameters."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import NamedTuple

from class_statistics import ClassStatistics
from domains import Domain, Role, is_domain, read_domain, same_classes
from epochal import DataError, DataReport
from epochal.datasets import archive, duplicates
from epochal.datasets.checking import Look
from epochal.datasets.images import inside_of
from epochal.datasets.model import Findings
from epochal.datasets.splits import Split
from inspection import counted, decoded, inspected, look_at_classes, require
from parameters import Parameters
from report import Known

#: A check has to answer soon.
_SECONDS_FOR_VALUES = 2.0


class DataSet(NamedTuple):
    """Labelled source, unlabelled target (None without self-training), labelled validation."""

    source: Domain
    target: Domain | None
    validation: Domain
    #: Of the source; None where a check could not read all masks.
    statistics: ClassStatistics | None
    #: Images that cannot be decoded, and are in no domain.
    damaged: frozenset[Path]
    #: Images that are there twice; empty where nobody looked.
    twice: Findings

    def __str__(self) -> str:
        target = "" if self.target is None else f", {len(self.target)} of the target"
        return (
            f"{len(self.source.classes)} classes; {len(self.source)} images of the source ({self.source.layout})"
            f"{target}, {len(self.validation)} to validate with"
        )

    @property
    def sentences(self) -> list[str]:
        """What was found in the domains, for a person to know."""
        domains = {"source": self.source, "target": self.target, "validation": self.validation}
        return [
            f"the {role} has {sentence}"
            for role, domain in domains.items()
            if domain is not None
            for sentence in domain.findings.sentences()
        ] + [f"the data set has {sentence}" for sentence in self.twice.sentences()]


def read_data_set(
    data: str | None,
    parameters: Parameters,
    *,
    for_check: bool = False,
    look: Look | None = None,
    tell: Callable[[DataReport], object] | None = None,
    damaged: Collection[Path] = (),
) -> DataSet:
    """`DataError` names the first thing of each kind that is wrong. A check reads a part of the masks' values only.

    With `look` every image is decoded and compared with the others. `tell` gets the data report, also of a data set
    that is refused once one of its domains was read. `damaged` are images that another process could not decode.
    """
    root = _unpacked(Path(data or "").expanduser(), parameters)
    known = Known(root)
    try:
        return _read(root, parameters, known, for_check=for_check, look=look, damaged=damaged)
    finally:
        if tell and known.domains:
            tell(known.report())


def _read(
    root: Path, parameters: Parameters, known: Known, *, for_check: bool, look: Look | None, damaged: Collection[Path]
) -> DataSet:
    source = known.add("source", read_domain(_folder(root, parameters.source), "source", parameters.unmarked))
    if len(source.classes) < 2 or len(source.classes) > 254:
        raise DataError(f"the source has {len(source.classes)} classes: there must be 2 to 254")
    target = None
    if parameters.self_training:
        target = known.add("target", read_domain(_folder(root, parameters.target), "target"))
    validation = read_domain(_folder(root, parameters.validation), "validation", parameters.unmarked)
    validation = known.add("validation", same_classes(source, validation))
    skip = parameters.skip_bad_images
    end = time.monotonic() + look.seconds if look and look.seconds is not None else None

    def whole(domain: Domain, role: Role) -> Domain:
        domain = known.add(role, inspected(domain, role))
        require(domain, role, skip=skip)
        if look:
            left = None if end is None else max(end - time.monotonic(), 0)
            domain, outcome = decoded(domain, role, look._replace(seconds=left))
            known.add(role, domain, outcome)
            require(domain, role, skip=skip)
        return domain.with_entries([one for one in domain.entries if one.image not in damaged])

    def labelled(domain: Domain, role: Role) -> tuple[Domain, ClassStatistics | None]:
        seconds = _SECONDS_FOR_VALUES / 2 if for_check and not look else None
        domain, statistics = counted(whole(domain, role), role, seconds, look)
        known.add(role, domain, statistics=statistics)
        require(domain, role, skip=skip)
        if statistics:
            look_at_classes(domain, role, statistics)
        return domain, statistics

    if target is not None:
        target = whole(target, "target")
    source, statistics = labelled(source, "source")
    validation, _ = labelled(validation, "validation")
    known.is_whole = True
    if look:
        known.twice = _twice(known, look)
    return DataSet(source, target, validation, statistics, known.damaged, known.twice or Findings())


def _twice(known: Known, look: Look) -> Findings:
    """Images of any domain that are there more than once; across splits is what is learned from and measured with."""
    images = {role: [one.as_image(role) for one in domain.entries] for role, domain in known.domains.items()}
    validation = images.pop("validation")
    training = [one for some in images.values() for one in some]
    chosen = Split("domain", {"training": training, "validation": validation})
    return duplicates.find([*training, *validation], partial(look.progress, "Comparing images"), chosen=chosen)


def _unpacked(root: Path, parameters: Parameters) -> Path:
    """The folder with the domains; that of an archive, which is unpacked once."""
    if archive.is_archive(root):
        return archive.in_one_folder(archive.unpacked(root), lambda place: (place / parameters.source).is_dir())
    if root.is_file():
        raise DataError(archive.advice_for(root))
    if not root.is_dir():
        raise DataError(f"there is no data set at {root}: it must be a folder with the domains, or an archive of one")
    return root


def _folder(root: Path, name: str) -> Path:
    """A relative `name` must not lead out of the data set; absolute paths are allowed or refused by the worker."""
    if not Path(name).is_absolute() and inside_of(root, root / name) is None:
        raise DataError(f"{name} leads out of the data set {root}")
    place = root / name
    if archive.is_archive(place):
        return archive.in_one_folder(archive.unpacked(place), is_domain)
    return place
