"""Which images train and which validate: the same for the same data, seed and rule, on every machine."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from epochal.datasets.model import DataSet, DatasetImage
from epochal.errors import DataError

SplitBy = Literal["auto", "random", "folder", "tag"]

#: What splits are called, and which they are.
SPLIT_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def split_name(text: str) -> str | None:
    """`train`, `val` or `test`, if a folder, file or tag is named so; `train2017` and `instances_val` are, too."""
    for word in text.lower().replace("-", "_").replace(".", "_").replace(":", "_").split("_"):
        if name := SPLIT_NAMES.get(word.rstrip("0123456789")):
            return name
    return None


@dataclass
class Split:
    """Images to train and to validate with."""

    by: str
    parts: dict[str, list[DatasetImage]]
    #: How many images are in neither part, by what they are in instead.
    set_aside: dict[str, int] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Of the images' names in each part: equal for equal splits, wherever the data lie."""
        names = {part: sorted(image.name for image in images) for part, images in self.parts.items()}
        return hashlib.sha256(json.dumps(names, sort_keys=True).encode()).hexdigest()

    def __str__(self) -> str:
        counts = ", ".join(f"{len(images)} {part}" for part, images in self.parts.items())
        aside = ", ".join(f"{count} {part}" for part, count in self.set_aside.items())
        return f"split by {self.by}: {counts} images{f' (set aside: {aside})' if aside else ''}, sha256 {self.sha256}"


def split(
    data_set: DataSet, by: SplitBy = "auto", *, seed: int = 0, fraction: float = 0.2, stratify: bool = True
) -> Split:
    """Split a data set.

    `folder` takes the splits that the data set has (folders or files named train and val); `tag` takes those that its
    images are tagged with; `random` draws `fraction` of the images, of each class where an image has one;
    `auto` is `folder` where there are such, else `tag` where there are such, else `random`.
    What is in `test`, by its folder or a tag, is never drawn: it is set aside, for whoever tests what was trained.
    Raises `DataError` where a part is empty.
    """
    images = data_set.images
    by_folder = [image.split and (split_name(image.split) or image.split) for image in images]
    by_tag = [_tagged(image.tags) for image in images]
    if by == "auto":
        by = next(
            (name for name, found in (("folder", by_folder), ("tag", by_tag)) if {"train", "val"} <= set(found)),
            "random",
        )
    said = {"folder": [by_folder], "tag": [by_tag]}.get(by, [by_folder, by_tag])
    tests = {one.path for one, *names in zip(images, *said, strict=True) if "test" in names}
    if by == "random":
        drawn = _drawn([one for one in images if one.path not in tests], seed, fraction, stratify)
        chosen = [drawn.get(one.path) for one in images]
    else:
        chosen = said[0]
    # A file that is in test and elsewhere as well is in test.
    chosen = ["test" if one.path in tests else name for one, name in zip(images, chosen, strict=True)]
    parts = {part: [one for one, name in zip(images, chosen, strict=True) if name == part] for part in ("train", "val")}
    aside = Counter(name or "in no split" for name in chosen if name not in parts)
    for part, found in parts.items():
        if not found:
            where = {"folder": "folders", "tag": "tags", "random": "a random draw"}[by]
            told = f"; set aside are {', '.join(f'{count} {name}' for name, count in aside.items())}" if aside else ""
            raise DataError(f"the {part} split of {data_set.folder} is empty (split by {where}{told})")
    return Split(by, parts, dict(sorted(aside.items())))


def _tagged(tags: list[str]) -> str | None:
    names = [name for name in map(split_name, tags) if name]
    return "test" if "test" in names else next(iter(names), None)


def _drawn(images: list[DatasetImage], seed: int, fraction: float, stratify: bool) -> dict[Path, str]:
    """`train` or `val` for each image; only names and the seed decide, not the order of the files.

    A file that the data set names twice is drawn once.
    """
    images = list({image.path: image for image in images}.values())
    groups: dict[str, list[str]] = {}
    for image in images:
        groups.setdefault(image.labels[0] if stratify and image.labels else "", []).append(image.name)
    validate: set[str] = set()
    for group, names in sorted(groups.items()):
        shuffled = sorted(names)
        # As bytes: a class may be the name of a folder, which need not be text. For text it is the same order.
        random.Random(f"{seed}:{group}".encode(errors="surrogateescape")).shuffle(shuffled)
        count = round(len(shuffled) * fraction)
        validate.update(shuffled[: max(count, 1) if len(shuffled) > 1 else count])
    return {image.path: "val" if image.name in validate else "train" for image in images}
