"""What mmdet's data sets loaded of the images and annotations that were written for them, and why not the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from epochal.datasets.images import link_name
from epochal.datasets.loaded import Comparison, compared
from epochal.datasets.model import DatasetImage
from epochal.datasets.splits import Split


class Filter(NamedTuple):
    """What a data set of a config discards: its `filter_cfg`, which mmdet applies to what it does not test with."""

    min_size: int = 0
    filter_empty_gt: bool = False

    @classmethod
    def of(cls, dataset: Any) -> Filter:
        """Of a data set that mmdet has made, or of its part of a config."""
        rules = {} if getattr(dataset, "test_mode", False) else getattr(dataset, "filter_cfg", None) or {}
        return cls(int(rules.get("min_size", 0)), bool(rules.get("filter_empty_gt", False)))

    def takes(self, image: DatasetImage) -> bool:
        """Whether it leaves an image in."""
        is_empty = self.filter_empty_gt and not image.objects
        return not is_empty and min(image.width, image.height) >= self.min_size


#: For train and val: the objects of each image, by the name of its file.
Promised = dict[str, dict[str, int]]


def promised(split: Split) -> Promised:
    """What was written: an annotation for each object."""
    return {part: {link_name(one): len(one.objects) for one in images} for part, images in split.parts.items()}


def foreseen(split: Split, filters: dict[str, list[Filter]]) -> list[Comparison]:
    """What mmdet will load of what will be written, by the rules of its `CocoDataset` and the filters of the config."""
    comparisons = []
    for part, images in split.parts.items():
        wanted: dict[str, int] = {}
        found: dict[str, int] = {}
        for image in images:
            name = link_name(image)
            wanted[name] = len(image.objects)
            if any(one.takes(image) for one in filters[part]):
                found[name] = sum(one.box.width >= 1 and one.box.height >= 1 for one in image.objects)
        reasons: dict[str, str] = {}
        for one in filters[part]:
            reasons |= _reasons(one, wanted)
        comparisons.append(compared("mmdet", part, wanted, found.items(), _of_gone(reasons, found)))
    return comparisons


def compare(part: str, wanted: dict[str, int], dataset: Any) -> Comparison:
    """What is in the `dataset` of a loader."""
    found: dict[str, int] = {}
    reasons: dict[str, str] = {}
    for one in _innermost(dataset):
        infos = [one.get_data_info(index) for index in range(len(one))]
        found |= {Path(info["img_path"]).name: len(info["instances"]) for info in infos}
        reasons |= _reasons(Filter.of(one), wanted)
    return compared("mmdet", part, wanted, found.items(), _of_gone(reasons, found))


def _innermost(dataset: Any) -> Iterator[Any]:
    """Configs wrap data sets (`RepeatDataset`, `MultiImageMixDataset`, `ConcatDataset`, …)."""
    inner = getattr(dataset, "datasets", None) or [getattr(dataset, "dataset", None)]
    if inner == [None]:
        yield dataset
        return
    for one in inner:
        yield from _innermost(one)


def _of_gone(reasons: dict[str, str], found: dict[str, int]) -> dict[str, str]:
    return {name: why for name, why in reasons.items() if name not in found}


def _reasons(by: Filter, wanted: dict[str, int]) -> dict[str, str]:
    found = {}
    if by.min_size:
        found = dict.fromkeys(
            wanted, f"a side is shorter than {by.min_size} pixels: min_size in the config's filter_cfg"
        )
    if by.filter_empty_gt:
        without = "it has no objects: filter_empty_gt in the config's filter_cfg"
        found |= {name: without for name, objects in wanted.items() if not objects}
    return found
