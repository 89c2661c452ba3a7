"""Folders of images, named for their classes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from epochal.datasets import reading
from epochal.errors import DataError

from cases import Case
from cases.yolo import image, kinds, trained, write


def _images(folder: Path, count: int) -> None:
    for index in range(count):
        image(folder / f"{folder.name}{index}.jpg")


def _class_called_train(folder: Path) -> None:
    for name in ("bus", "car", "train"):
        _images(folder / name, 5)


def _train_is_a_class(folder: Path) -> None:
    data_set, chosen, counts = trained(folder, "classify")
    assert data_set.classes == ["bus", "car", "train"]
    assert chosen.by == "random"
    assert sum(counts) == 15


def _class_called_train_in_splits(folder: Path) -> None:
    for split in ("train", "val"):
        for name in ("bus", "train"):
            _images(folder / split / name, 3)


def _train_is_split_and_class(folder: Path) -> None:
    data_set, chosen, counts = trained(folder, "classify")
    assert data_set.classes == ["bus", "train"]
    assert (chosen.by, counts) == ("folder", [6, 6])


def _zip_of_a_mac(folder: Path) -> None:
    for name in ("cat", "dog"):
        _images(folder / name, 5)
        write(folder / "__MACOSX" / name / f"._{name}0.jpg", "\0\5\26\7\0\2\0\0Mac OS X")
    for path in (".DS_Store", "cat/.DS_Store", "cat/Thumbs.db"):
        write(folder / path, "x")


def _no_class_of_a_mac(folder: Path) -> None:
    data_set, _, counts = trained(folder, "classify")
    assert data_set.classes == ["cat", "dog"]
    assert sum(counts) == 10
    assert kinds(folder) == {"junk": 4}


def _one_class(folder: Path) -> None:
    _images(folder / "train" / "cat", 6)
    _images(folder / "val" / "cat", 2)


def _one_class_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="only images of cat to train with"):
        trained(folder, "classify")


def _strays(folder: Path) -> None:
    for split in ("train", "val"):
        for name in ("cat", "dog"):
            _images(folder / split / name, 3)
    _images(folder / "extra", 4)
    image(folder / "train" / "stray.jpg")


def _strays_are_told(folder: Path) -> None:
    assert trained(folder, "classify")[2] == [6, 6]
    told = {one.kind: one.first for one in reading.read(folder).findings}
    assert told["folder not read"].endswith("extra is beside folders of splits, and has 4 images")
    assert "stray.jpg" in told["image without a class"]


def _with_marks(images: str, file: str) -> Callable[[Path], None]:
    """Images, and marks in a file of a format that is not read."""

    def make(folder: Path) -> None:
        _images(folder / images, 4)
        write(folder / file, "{}" if file.endswith("json") else "<annotation/>")

    return make


def _names(file: str) -> Callable[[Path], None]:
    def expect(folder: Path) -> None:
        with pytest.raises(DataError, match=rf"COCO.* \({re.escape(str(folder / file))} is not read\)$"):
            trained(folder)

    return expect


#: Tool, the folder of its images, and one of its files.
_OTHER_TOOLS = [
    ("Pascal VOC", "JPEGImages", "Annotations/0.xml"),
    ("CVAT for images", "images", "annotations.xml"),
    ("Label Studio's JSON", "images", "project-1.json"),
    ("CreateML", "train", "train/_annotations.createml.json"),
    ("FiftyOne, YOLOv4", "data", "obj.names"),
    ("LabelMe", "", "0.json"),
    ("labelImg's XML", "", "0.xml"),
]

CASES = [
    *(Case(f"images: marks of {tool}", _with_marks(images, file), _names(file)) for tool, images, file in _OTHER_TOOLS),
    Case("images: a class called train", _class_called_train, _train_is_a_class),
    Case("images: a class called train within splits", _class_called_train_in_splits, _train_is_split_and_class),
    Case("images: a zip made on a Mac", _zip_of_a_mac, _no_class_of_a_mac),
    Case("images: one class", _one_class, _one_class_is_refused),
    Case("images: images and folders that are in no class", _strays, _strays_are_told),
]
