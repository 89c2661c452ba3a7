"""YOLO data sets as labelling tools, exporters and people write them."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

from epochal.datasets import reading
from epochal.datasets.checking import checked
from epochal.datasets.model import DataSet
from epochal.datasets.parameters import SplitParameters
from epochal.datasets.splits import Split
from PIL import Image

from cases import Case

LINE = "0 0.3125 0.390625 0.416667 0.46875\n"
FOLDERS = "train: images/train\nval: images/val\n"


def image(path: Path, size: tuple[int, int] = (96, 64)) -> None:
    """An image whose bytes only one of its name has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Image.new("RGB", size, tuple(zlib.crc32(bytes(path)) >> shift & 255 for shift in (0, 8, 16)))
    made.save(path, "JPEG" if path.suffix.lower() in (".jfif", ".jpe") else None)


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    """A text file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)


def labelled(out: Path, count: int = 4, line: str = LINE, suffix: str = ".jpg") -> None:
    """Images in a folder of `images/`, and the same line for each beneath `labels/`."""
    for index in range(count):
        name = f"{out.name}{index}"
        image(out / f"{name}{suffix}")
        write(Path(str(out).replace("images", "labels")) / f"{name}.txt", line)


def splits(folder: Path, line: str = LINE, **counts: int) -> None:
    """`images/<split>` and `labels/<split>`; four to train with and two to validate with."""
    for part, count in (counts or {"train": 4, "val": 2}).items():
        labelled(folder / "images" / part, count, line)


def kinds(folder: Path) -> dict[str, int]:
    """Findings and how many there are of each."""
    return {one.kind: one.count for one in reading.read(folder).findings}


def trained(folder: Path, task: str = "detect", **parameters: Any) -> tuple[DataSet, Split, list[int]]:
    """What a trainer would train on: the data set, its split, and how many images it trains and validates with."""
    data_set, chosen = checked(str(folder), task, SplitParameters(**parameters))
    return data_set, chosen, [len(part) for part in chosen.parts.values()]


def _test_beside_train(folder: Path) -> None:
    splits(folder, train=8, test=8)
    write(folder / "data.yaml", "train: images/train\ntest: images/test\nnames: [thing]\n")


def _test_is_not_trained_on(folder: Path) -> None:
    for rule in ("auto", "random"):
        _, chosen, counts = trained(folder, split=rule)
        assert sum(counts) == 8
        assert {one.path.parent.name for part in chosen.parts.values() for one in part} == {"train"}
        assert chosen.set_aside == {"test": 8}
        assert "(set aside: 8 test)" in str(chosen)


def _apple_double(folder: Path) -> None:
    splits(folder)
    (folder / "images/train/._train0.jpg").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X        ")
    write(folder / "data.yaml", f"{FOLDERS}names: [thing]\n")


def _apple_double_is_no_image(folder: Path) -> None:
    assert trained(folder)[2] == [4, 2]
    assert kinds(folder) == {"junk": 1}


def _linked_folder(folder: Path) -> None:
    splits(folder, train=1, val=2)
    elsewhere = folder.parent / "elsewhere"
    labelled(elsewhere / "images", 9)
    for kind in ("images", "labels"):
        os.symlink((elsewhere / kind).resolve(), folder / kind / "train" / "batch2")
    write(folder / "data.yaml", f"{FOLDERS}names: [thing]\n")


def _linked_folder_is_read(folder: Path) -> None:
    data_set, _, counts = trained(folder)
    assert counts == [10, 2]
    assert all(picture.objects for picture in data_set.pictures)
    assert kinds(folder) == {}


def _jfif(folder: Path) -> None:
    splits(folder, train=2, val=2)
    labelled(folder / "images" / "train" / "web", 6, suffix=".jfif")
    write(folder / "data.yaml", f"{FOLDERS}names: [thing]\n")


def _jfif_is_read(folder: Path) -> None:
    assert trained(folder)[2] == [8, 2]


CASES = [
    Case("yolo: test is beside train, without val", _test_beside_train, _test_is_not_trained_on),
    Case("yolo: files of macOS beside the images", _apple_double, _apple_double_is_no_image),
    Case("yolo: a link to a folder on another disk", _linked_folder, _linked_folder_is_read),
    Case("yolo: JPEG files called .jfif", _jfif, _jfif_is_read),
]
