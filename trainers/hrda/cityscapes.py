"""Cityscapes' classes, which GTA's labels share, and the file names of both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from epochal.datasets.junk import is_junk

#: Name, label id in the files, colour, and whether it is a thing (DAFormer's classes of the feature distance).
_classes: tuple[tuple[str, int, tuple[int, int, int], bool], ...] = (
    ("road", 7, (128, 64, 128), False),
    ("sidewalk", 8, (244, 35, 232), False),
    ("building", 11, (70, 70, 70), False),
    ("wall", 12, (102, 102, 156), False),
    ("fence", 13, (190, 153, 153), False),
    ("pole", 17, (153, 153, 153), False),
    ("traffic light", 19, (250, 170, 30), True),
    ("traffic sign", 20, (220, 220, 0), True),
    ("vegetation", 21, (107, 142, 35), False),
    ("terrain", 22, (152, 251, 152), False),
    ("sky", 23, (70, 130, 180), False),
    ("person", 24, (220, 20, 60), True),
    ("rider", 25, (255, 0, 0), True),
    ("car", 26, (0, 0, 142), True),
    ("truck", 27, (0, 0, 70), True),
    ("bus", 28, (0, 60, 100), True),
    ("train", 31, (0, 80, 100), True),
    ("motorcycle", 32, (0, 0, 230), True),
    ("bicycle", 33, (119, 11, 32), True),
)

CLASSES = [name for name, *_ in _classes]
COLOURS = {name: colour for name, _, colour, _ in _classes}
THINGS = [name for name, _, _, is_thing in _classes if is_thing]

_IMAGE = "_leftImg8bit.png"
#: GTA's images are numbered with five digits.
_NUMBER = re.compile(r"\d{5}")


class Files(NamedTuple):
    """An image and its labels; `has_ids` where they are Cityscapes' ids and not yet classes 0 … 18."""

    name: str
    image: Path
    labels: Path | None
    has_ids: bool


def class_of_id() -> np.ndarray:
    """Table of 256: the class of each label id, 255 where it is none of the nineteen."""
    table = np.full(256, 255, np.uint8)
    for index, (_, label_id, *_rest) in enumerate(_classes):
        table[label_id] = index
    return table


def is_cityscapes(folder: Path) -> bool:
    """Whether `folder` has Cityscapes' layout."""
    return (folder / "leftImg8bit").is_dir()


def cityscapes_files(folder: Path, split: str) -> list[Files]:
    """`leftImg8bit/<split>/<city>/…_leftImg8bit.png` with their `gtFine`, where it is there."""
    found = []
    for image in sorted((folder / "leftImg8bit" / split).rglob(f"*{_IMAGE}")):
        if is_junk(image.name):
            continue
        stem = image.name.removesuffix(_IMAGE)
        labels = folder / "gtFine" / split / image.parent.name
        found.append(
            _files(stem, image, labels / f"{stem}_gtFine_labelTrainIds.png", labels / f"{stem}_gtFine_labelIds.png")
        )
    return found


def is_gta(folder: Path) -> bool:
    """Whether `folder` has GTA's layout: `images` and `labels` of numbered images, and no list of classes."""
    images = (path for path in sorted((folder / "images").glob("*.png")) if not is_junk(path.name))
    first = next(images, None)
    return (folder / "labels").is_dir() and first is not None and _NUMBER.fullmatch(first.stem) is not None


def gta_files(folder: Path) -> list[Files]:
    """`images/00001.png` with `labels/00001.png`, or `labels/00001_labelTrainIds.png` where that is there."""
    return [
        _files(image.stem, image, labels / f"{image.stem}_labelTrainIds.png", labels / image.name)
        for labels in [folder / "labels"]
        for image in sorted((folder / "images").glob("*.png"))
        if not is_junk(image.name)
    ]


def _files(name: str, image: Path, train_ids: Path, ids: Path) -> Files:
    if train_ids.is_file():
        return Files(name, image, train_ids, False)
    return Files(name, image, ids if ids.is_file() else None, True)
