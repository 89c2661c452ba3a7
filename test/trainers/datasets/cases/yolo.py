"""YOLO data sets as labelling tools, exporters and people write them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from epochal.datasets import reading, yolo_writing
from epochal.datasets.checking import checked
from epochal.datasets.model import DataSet
from epochal.datasets.parameters import SplitParameters
from epochal.datasets.splits import Split
from PIL import Image

from cases import Case, refused_by

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
    assert all(image.objects for image in data_set.images)
    assert kinds(folder) == {}


def _jfif(folder: Path) -> None:
    splits(folder, train=2, val=2)
    labelled(folder / "images" / "train" / "web", 6, suffix=".jfif")
    write(folder / "data.yaml", f"{FOLDERS}names: [thing]\n")


def _jfif_is_read(folder: Path) -> None:
    assert trained(folder)[2] == [8, 2]


def with_config(text: str, line: str = LINE) -> Callable[[Path], None]:
    """Four images to train with and two to validate with, and this `data.yaml`."""

    def make(folder: Path) -> None:
        splits(folder, line)
        write(folder / "data.yaml", text)

    return make


def valid(counts: tuple[int, int] = (4, 2), classes: tuple[str, ...] = ("thing",), **found: int) -> Callable[..., None]:
    """Trains on so many images of these classes, in the data set's own split, with these findings."""

    def expect(folder: Path) -> None:
        data_set, chosen, trained_on = trained(folder)
        assert (chosen.by, trained_on) == ("folder", list(counts))
        assert data_set.classes == list(classes)
        assert kinds(folder) == {kind.replace("_", " "): count for kind, count in found.items()}

    return expect


def refused(words: str) -> Callable[[Path], None]:
    return refused_by(trained, words)


def _roboflow(folder: Path) -> None:
    for part, count in (("train", 4), ("valid", 2)):
        labelled(folder / part / "images", count)
    write(
        folder / "data.yaml",
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 1\nnames: ['thing']\n",
    )


def _split_folders_with_classes(folder: Path) -> None:
    splits(folder, train=8, val=4)
    write(folder / "classes.txt", "thing\n")


def _labelimg(folder: Path) -> None:
    """All in one folder, as labelImg leaves it."""
    for index in range(10):
        image(folder / f"{index}.jpg")
        write(folder / f"{index}.txt", LINE)
    write(folder / "classes.txt", "thing\n")


def _labelimg_is_read(folder: Path) -> None:
    data_set, chosen, counts = trained(folder)
    assert (chosen.by, counts) == ("random", [8, 2])
    assert all(image.objects for image in data_set.images)
    assert kinds(folder) == {}


def _mixed(folder: Path) -> None:
    outline = "1 0.6 0.1 0.9 0.1 0.9 0.4 0.6 0.4\n"
    splits(folder, LINE + LINE + outline)
    for index in range(3):
        image(folder / f"images/train/empty{index}.jpg")
        write(folder / f"labels/train/empty{index}.txt", "")
    write(folder / "data.yaml", f"path: ../datasets/none\n{FOLDERS}names:\n  0: thing\n  1: other\n")


def _mixed_is_read(folder: Path) -> None:
    valid((7, 2), ("thing", "other"), same_line_twice=6)(folder)
    for image in reading.read(folder).images:
        if not image.name.startswith("images__train__empty"):
            assert [(one.class_name, one.has_mask) for one in image.objects] == [("thing", False), ("other", True)]


def _names_with_spaces(folder: Path) -> None:
    for part in ("train", "val"):
        for name in ("мой файл 1", "a b  c", "日本 (1)", "x.y.z", "100% #1 [a]"):
            image(folder / f"набор 1/images/{part}/{name}.JPG")
            write(folder / f"набор 1/labels/{part}/{name}.txt", LINE)
    write(folder / "data.yaml", f"path: набор 1\n{FOLDERS}names: [кот]\n")


def _names_with_spaces_are_written(folder: Path) -> None:
    valid((5, 5), ("кот",))(folder)
    data_set, chosen, _ = trained(folder)
    again = reading.read(yolo_writing.write(data_set, chosen, folder.parent / "written").parent)
    assert len(again.images) == 10
    assert all(image.objects for image in again.images)


def _same_file_names(folder: Path) -> None:
    for part, colours in (("train", ("red", "blue")), ("val", ("red",))):
        for colour in colours:
            image(folder / "images" / part / colour / "1.jpg")
            write(folder / "labels" / part / colour / "1.txt", LINE)
    write(folder / "data.yaml", f"{FOLDERS}names: [thing]\n")


def _lists(folder: Path) -> None:
    splits(folder)
    for part, count in (("train", 4), ("val", 2)):
        lines = [f"./../images/{part}/{part}{index}.jpg\n" for index in range(count)]
        lines[1:2] = [f"images/{part}/{part}1.jpg\n", "\n"]
        write(folder / f"splits/{part}.txt", "".join(lines), "utf-8-sig")
    write(folder / "data.yaml", "train: splits/train.txt\nval: splits/val.txt\nnames: [thing]\n")


def _several_folders(folder: Path) -> None:
    labelled(folder / "images" / "a", 2)
    labelled(folder / "images" / "b", 2)
    labelled(folder / "images" / "val", 2)
    write(folder / "list.txt", "images/a/a0.jpg\nimages/b/b0.jpg\nimages/b/b0.jpg\n")
    write(folder / "data.yaml", "train: [images/a, list.txt, images/b/b1.jpg]\nval: images/val\nnames: [thing]\n")


def _train_is_val(folder: Path) -> None:
    splits(folder)
    write(folder / "data.yaml", "train: images/train\nval: images/train\nnames: [thing]\n")


def _test_is_train(folder: Path) -> None:
    splits(folder)
    write(folder / "data.yaml", "train: images\nval: images/val\ntest: images/val\nnames: [thing]\n")


def _broken_links(folder: Path) -> None:
    splits(folder)
    (folder / "images/train/gone.jpg").symlink_to("/nowhere/gone.jpg")
    (folder / "images/train/batch").symlink_to("/nowhere/batch")
    write(folder / "data.yaml", f"{FOLDERS}names: [thing]\n")


CASES = [
    Case("yolo: test is beside train, without val", _test_beside_train, _test_is_not_trained_on),
    Case("yolo: files of macOS beside the images", _apple_double, _apple_double_is_no_image),
    Case("yolo: a link to a folder on another disk", _linked_folder, _linked_folder_is_read),
    Case("yolo: JPEG files called .jfif", _jfif, _jfif_is_read),
    Case("yolo: an export of Roboflow", _roboflow, valid(relocated_path=2, missing_test_split=1)),
    Case(
        "yolo: a test folder that is not there",
        with_config(f"{FOLDERS}test: images/test\nnames: [thing]\n"),
        valid(missing_test_split=1),
    ),
    Case(
        "yolo: train is a number",
        with_config("train: 5\nnames: [thing]\n"),
        refused("train of .* is 5: .*/5 is not there"),
    ),
    Case("yolo: classes.txt beside split folders", _split_folders_with_classes, valid((8, 4))),
    Case("yolo: images, labels and classes.txt in one folder", _labelimg, _labelimg_is_read),
    Case("yolo: boxes and outlines, lines twice, empty files", _mixed, _mixed_is_read),
    Case("yolo: names with spaces and of any language", _names_with_spaces, _names_with_spaces_are_written),
    Case("yolo: the same file name in several folders", _same_file_names, valid((2, 1))),
    Case(
        "yolo: outlines that are a point",
        with_config(f"{FOLDERS}names: [thing]\n", "0 0.2 0.2 0.2 0.2 0.2 0.2\n0 0.1 0.1 0.6 0.1 0.6 0.6\n"),
        refused(r"train0\.txt:1 has an outline without an area \(and 5 more\)"),
    ),
    *(
        Case(
            f"yolo: {value} as a number",
            with_config(f"{FOLDERS}names: [thing]\n", f"0 0.5 {value} 0.1 0.1\n"),
            refused(words),
        )
        for value, words in (
            ("nan", "has nan, which is not"),
            ("1e999", "has 1e999, which"),
            ("7", "has 7, which is not between"),
        )
    ),
    Case("yolo: lists whose lines are relative to them", _lists, valid()),
    Case("yolo: several folders, a list and a file", _several_folders, valid((4, 2), image_listed_twice=2)),
    Case("yolo: validation is training", _train_is_val, valid((4, 4), image_in_two_splits=4)),
    Case("yolo: test is a part of training", _test_is_train, refused("the val split of .* set aside are 6 test")),
    Case(
        "yolo: links that lead nowhere",
        _broken_links,
        refused(r"broken link: .*batch is a link to /nowhere/batch.*\(and 1 more\)"),
    ),
]
