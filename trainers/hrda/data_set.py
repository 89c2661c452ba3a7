"""The three domains of a data set, checked against each other and the parameters."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from class_statistics import ClassStatistics
from domains import Domain, Role, read_domain, same_classes
from epochal import DataError
from epochal.datasets.pictures import inside_of
from inspection import counted, inspected
from parameters import Parameters

#: A check has to answer soon.
_SECONDS_FOR_VALUES = 2.0


class DataSet(NamedTuple):
    """Labelled source, unlabelled target (None without self-training), labelled validation."""

    source: Domain
    target: Domain | None
    validation: Domain
    #: Of the source; None where a check could not read all masks.
    statistics: ClassStatistics | None

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
        ]


def read_data_set(data: str | None, parameters: Parameters, *, for_check: bool = False) -> DataSet:
    """`DataError` names the first thing of each kind that is wrong. A check reads a part of the masks' values only."""
    root = Path(data or "").expanduser()
    if not root.is_dir():
        raise DataError(f"there is no data set at {root}: it must be a folder with the domains")
    source = read_domain(_folder(root, parameters.source), "source", parameters.unmarked)
    if len(source.classes) < 2 or len(source.classes) > 254:
        raise DataError(f"the source has {len(source.classes)} classes: there must be 2 to 254")
    target = read_domain(_folder(root, parameters.target), "target") if parameters.self_training else None
    validation = read_domain(_folder(root, parameters.validation), "validation", parameters.unmarked)
    validation = same_classes(source, validation)
    skip = parameters.skip_bad_pictures
    if target is not None:
        target = inspected(target, "target", skip=skip)
    seconds = _SECONDS_FOR_VALUES / 2 if for_check else None

    def labelled(domain: Domain, role: Role) -> tuple[Domain, ClassStatistics | None]:
        return counted(inspected(domain, role, skip=skip), role, skip=skip, seconds=seconds)

    source, statistics = labelled(source, "source")
    validation, _ = labelled(validation, "validation")
    return DataSet(source, target, validation, statistics)


def _folder(root: Path, name: str) -> Path:
    """A relative `name` must not lead out of the data set; absolute paths are allowed or refused by the worker."""
    if not Path(name).is_absolute() and inside_of(root, root / name) is None:
        raise DataError(f"{name} leads out of the data set {root}")
    return root / name
