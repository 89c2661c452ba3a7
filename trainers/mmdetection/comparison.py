"""What mmdet's data sets loaded of the images and annotations that were written for them, and why not the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from epochal.datasets.loaded import Comparison, compared
from epochal.datasets.pictures import link_name
from epochal.datasets.splits import Split

#: For train and val: the objects of each image, by the name of its file.
Promised = dict[str, dict[str, int]]


def promised(split: Split) -> Promised:
    """What was written: an annotation for each object."""
    return {part: {link_name(one): len(one.objects) for one in images} for part, images in split.parts.items()}


def compare(part: str, wanted: dict[str, int], dataset: Any) -> Comparison:
    """What is in the `dataset` of a loader."""
    found: dict[str, int] = {}
    reasons: dict[str, str] = {}
    for one in _innermost(dataset):
        infos = [one.get_data_info(index) for index in range(len(one))]
        found |= {Path(info["img_path"]).name: len(info["instances"]) for info in infos}
        reasons |= _reasons(one, wanted)
    why_gone = {name: why for name, why in reasons.items() if name not in found}
    return compared("mmdet", part, wanted, found.items(), why_gone)


def _innermost(dataset: Any) -> Iterator[Any]:
    """Configs wrap data sets (`RepeatDataset`, `MultiImageMixDataset`, `ConcatDataset`, …)."""
    inner = getattr(dataset, "datasets", None) or [getattr(dataset, "dataset", None)]
    if inner == [None]:
        yield dataset
        return
    for one in inner:
        yield from _innermost(one)


def _reasons(dataset: Any, wanted: dict[str, int]) -> dict[str, str]:
    """By the config's `filter_cfg`, which mmdet applies to what it trains with."""
    rules = dataset.filter_cfg or {}
    found = {}
    if least := rules.get("min_size", 0):
        found = dict.fromkeys(wanted, f"a side is shorter than {least} pixels: min_size in the config's filter_cfg")
    if rules.get("filter_empty_gt"):
        without = "it has no objects: filter_empty_gt in the config's filter_cfg"
        found |= {name: without for name, objects in wanted.items() if not objects}
    return found
