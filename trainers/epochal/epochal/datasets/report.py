"""The data report of a data set of images: counted from what was read, and from how it is split."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from epochal.contracts import (
    ClassCounts,
    Decoded,
    Duplicates,
    FindingExample,
    ImageSize,
    ImageSizes,
    LoadedCounts,
    SizeCount,
    SplitCounts,
)
from epochal.data_report import DataReport, Effect, Role
from epochal.datasets.decoding import Outcome
from epochal.datasets.images import link_name
from epochal.datasets.loaded import Comparison
from epochal.datasets.model import MOST_EXAMPLES, DataSet, DatasetImage, Findings
from epochal.datasets.reading import leaves_out
from epochal.datasets.splits import Split, split_name

_MOST_SIZES = 8
#: What a part is for, by the name that the data set gives it.
_roles: dict[str, Role] = {"train": "train", "val": "validate", "all": "train"}


def report_of(
    data_set: DataSet,
    split: Split | None = None,
    decoded: Outcome | None = None,
    *,
    compared: bool = False,
) -> DataReport:
    """What is in `data_set`, by the parts of `split`; without one, by the data set's own.

    `decoded` is what came of decoding every image, `compared` whether duplicates were looked for.
    """
    parts = [_Part(name, role, images) for (name, role), images in _parts(data_set, split).items()]
    report = DataReport(
        kind=data_set.kind,
        folder=str(data_set.folder),
        images=len(data_set.images),
        objects=sum(part.objects.total() for part in parts),
        split_by=split.by if split else None,
        split_sha256=split.sha256 if split else None,
        splits=[part.counts() for part in parts],
        class_count=len(data_set.classes),
        classes=[
            ClassCounts(
                name=name, images=[part.images[name] for part in parts], objects=[part.objects[name] for part in parts]
            )
            for name in data_set.classes
        ],
        sizes=_sizes(data_set.images),
    )
    if decoded:
        report.decoded = Decoded(images=decoded.images, failed=len(decoded.failed))
    if compared:
        counts = {one.kind: one.count for one in data_set.findings}
        across = counts.get("duplicate across splits", 0)
        report.duplicates = Duplicates(images=across + counts.get("duplicate image", 0), across_splits=across)
    add_findings(report, data_set.findings, data_set.folder)
    if split:
        _add_balance(report)
    return report


def add_findings(report: DataReport, findings: Findings, folder: Path, where: str = "") -> None:
    """Findings of the data set in `folder`, `where` being what follows their kinds."""
    for finding in findings:
        examples = [FindingExample(detail=one.detail, image=_inside(one.image, folder)) for one in finding.examples]
        effect = "leftOut" if leaves_out(finding.kind) else "noted"
        report.add(f"{finding.kind}{where}", effect, examples, finding.count)


def add_loaded(report: DataReport, split: Split, comparisons: Iterable[Comparison], folder: Path) -> None:
    """What a framework loads of each part of the split, beside what was promised, and where that is not the same."""
    for comparison in comparisons:
        _add_loaded(report, split, comparison, folder)


def _add_loaded(report: DataReport, split: Split, comparison: Comparison, folder: Path) -> None:
    part, framework = comparison.part, comparison.framework
    counts = next(one for one in report.splits if one.name == part and one.role != "unused")
    counts.loaded = LoadedCounts(images=len(comparison.loaded), objects=comparison.objects)
    gone, fewer, changed = comparison.gone, comparison.fewer, comparison.changed
    if not (gone or fewer or changed):
        return
    paths = {link_name(one): one.path for one in split.parts[part]}

    def add(kind: str, effect: Effect, images: Mapping[str, str], count: int) -> None:
        examples = [
            FindingExample(
                detail=f"{paths[name]}: {why}" if why else str(paths[name]), image=_inside(paths[name], folder)
            )
            for name, why in list(images.items())[:MOST_EXAMPLES]
        ]
        report.add(f"{kind} by {framework} ({part})", effect, examples, count)

    without = {name: f"{count} of {comparison.promised[name]} objects" for name, count in fewer.items()}
    add("image discarded", "leftOut", gone, len(gone))
    add("object discarded", "leftOut", without, sum(fewer.values()))
    add("image changed", "noted", changed, len(changed))


class _Part:
    """A split and how often each class is in it, counted in one pass."""

    def __init__(self, name: str, role: Role, images: list[DatasetImage]) -> None:
        self.name = name
        self.role = role
        self.size = len(images)
        self.unmarked = 0
        self.images: Counter[str] = Counter()
        self.objects: Counter[str] = Counter()
        for image in images:
            marks = [*image.labels, *(one.class_name for one in image.objects)]
            if marks:
                self.objects.update(marks)
                self.images.update(set(marks))
            else:
                self.unmarked += 1

    def counts(self) -> SplitCounts:
        """For the report."""
        objects = self.objects.total()
        return SplitCounts(name=self.name, role=self.role, images=self.size, objects=objects, unmarked=self.unmarked)


def _parts(data_set: DataSet, split: Split | None) -> Mapping[tuple[str, Role], list[DatasetImage]]:
    """The images of each part by its name and role; what a split does not use is in parts of its own."""
    if split is None:
        parts: dict[tuple[str, Role], list[DatasetImage]] = {}
        for image in data_set.images:
            name = _own_split(image)
            parts.setdefault((name, _roles.get(name, "unused")), []).append(image)
        return parts
    parts = {(name, _roles[name]): images for name, images in split.parts.items()}
    used = {id(image) for images in split.parts.values() for image in images}
    for image in data_set.images:
        if id(image) not in used:
            name = _own_split(image)
            # A part that the data set calls train, and that this split does not take, is not the training split.
            name = f"{name} (unused)" if name in split.parts else name
            parts.setdefault((name, "unused"), []).append(image)
    return parts


def _own_split(image: DatasetImage) -> str:
    return (split_name(image.split) or image.split) if image.split else "all"


def _sizes(images: list[DatasetImage]) -> ImageSizes | None:
    if not images:
        return None
    sizes = Counter((image.width, image.height) for image in images)
    by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    middle, passed = sizes.total() / 2, 0
    median = by_area[-1]
    for size in by_area:
        passed += sizes[size]
        if passed >= middle:
            median = size
            break
    smallest, half, largest = (ImageSize(width=w, height=h) for w, h in (by_area[0], median, by_area[-1]))
    return ImageSizes(
        smallest=smallest,
        median=half,
        largest=largest,
        distinct=len(sizes),
        common=[SizeCount(width=w, height=h, images=count) for (w, h), count in sizes.most_common(_MOST_SIZES)],
    )


def _add_balance(report: DataReport) -> None:
    """Classes that a part has none of: no file is wrong, but such a class is not learned, or not measured."""
    for role, kind in (("train", "class without training objects"), ("validate", "class without validation objects")):
        index = next(index for index, split in enumerate(report.splits) if split.role == role)
        missing = [one for one in report.classes if not one.objects[index]]
        where = report.splits[index].name
        examples = [
            FindingExample(detail=f"{one.name}: {sum(one.objects)} objects, none of them in {where}", image=None)
            for one in missing[:MOST_EXAMPLES]
        ]
        report.add(kind, "noted", examples, len(missing))


def _inside(image: Path | None, folder: Path) -> str | None:
    """The image's path as the server is asked for it; None for one that is not in the data set's folder."""
    if image is None:
        return None
    path = os.path.relpath(image, folder)
    return None if path.startswith("..") else Path(path).as_posix()
