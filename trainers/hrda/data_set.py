"""The three domains of a data set, checked against each other and the parameters."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from domains import Domain, read_domain, same_classes
from epochal import DataError
from epochal.datasets.pictures import inside_of
from parameters import Parameters


class DataSet(NamedTuple):
    """Labelled source, unlabelled target (None without self-training), labelled validation."""

    source: Domain
    target: Domain | None
    validation: Domain

    def __str__(self) -> str:
        target = "" if self.target is None else f", {len(self.target)} of the target"
        return (
            f"{len(self.source.classes)} classes; {len(self.source)} pictures of the source ({self.source.layout})"
            f"{target}, {len(self.validation)} to validate with"
        )


def read_data_set(data: str | None, parameters: Parameters) -> DataSet:
    """`DataError` names the first thing that is wrong."""
    root = Path(data or "").expanduser()
    if not root.is_dir():
        raise DataError(f"there is no data set at {root}: it must be a folder with the domains")
    source = read_domain(_folder(root, parameters.source), "source", parameters.unmarked)
    if len(source.classes) < 2 or len(source.classes) > 254:
        raise DataError(f"the source has {len(source.classes)} classes: there must be 2 to 254")
    target = read_domain(_folder(root, parameters.target), "target") if parameters.self_training else None
    validation = read_domain(_folder(root, parameters.validation), "validation", parameters.unmarked)
    return DataSet(source, target, same_classes(source, validation))


def _folder(root: Path, name: str) -> Path:
    """A relative `name` must not lead out of the data set; absolute paths are allowed or refused by the worker."""
    if not Path(name).is_absolute() and inside_of(root, root / name) is None:
        raise DataError(f"{name} leads out of the data set {root}")
    return root / name
