"""`data.yaml` and `classes.txt` as labelling tools, exporters and people write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from epochal.datasets import reading, yolo_writing
from epochal.errors import DataError

from cases import Case
from cases.yolo import FOLDERS, LINE, kinds, refused, splits, trained, valid, with_config, write


def _one_based(folder: Path) -> None:
    data_set, _, counts = trained(folder)
    assert counts == [4, 2]
    assert {one.class_name for image in data_set.images for one in image.objects} == {"cat"}
    assert kinds(folder) == {"class numbers": 1}
    written = yolo_writing.write(*trained(folder)[:2], folder.parent / "written")
    again = reading.read(written.parent)
    assert again.classes == ["cat", "dog"]
    assert {one.class_name for image in again.images for one in image.objects} == {"cat"}


def _quoted(folder: Path) -> None:
    data_set, _, _ = trained(folder)
    assert data_set.classes == [f"c{number}" for number in range(12)]
    assert {one.class_name for image in data_set.images for one in image.objects} == {"c10"}


def _gap_is_told(folder: Path) -> None:
    data_set, _, _ = trained(folder)
    assert data_set.classes == ["cat", "dog"]
    assert [one.class_name for image in data_set.images for one in image.objects] == ["dog"] * 6
    (told,) = data_set.findings.sentences()
    assert "data.yaml has no 1 (it has 0, 2)" in told


def _beyond_a_gap(folder: Path) -> None:
    with pytest.raises(DataError, match=r"has class 1, but the classes of .*data\.yaml are 0, 2"):
        trained(folder)


def _encoded(encoding: str, name: str = "classes.txt") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        splits(folder)
        text = "машина\n" if name == "classes.txt" else f"{FOLDERS}names: [машина]\n"
        write(folder / name, text, encoding)

    return make


def _pose(names: str, flip: str = "") -> Callable[[Path], None]:
    """Three keypoints on each image."""

    def make(folder: Path) -> None:
        splits(folder, "0 0.5 0.5 0.5 0.5 0.3 0.3 2 0.7 0.3 2 0.5 0.6 1\n")
        keypoints = f"kpt_shape: [3, 3]\n{f'kpt_names: {names}' if names else ''}\n{flip}\n"
        write(folder / "data.yaml", f"{FOLDERS}names: [thing]\n{keypoints}")

    return make


def _flipped(flip: list[int]) -> Callable[[Path], None]:
    """What is written has these keypoints in a mirrored image; nothing where they are not known."""

    def expect(folder: Path) -> None:
        data_set, chosen, _ = trained(folder, "pose")
        written = yaml.safe_load(yolo_writing.write(data_set, chosen, folder.parent / "written", "pose").read_text())
        assert written.get("flip_idx", []) == flip
        assert ("no mirrored images" in {one.kind for one in data_set.findings}) == (not flip)

    return expect


CASES = [
    Case(
        "yolo: class names by number, from 1",
        with_config(f"{FOLDERS}names:\n  1: cat\n  2: dog\n", LINE.replace("0 ", "1 ", 1)),
        _one_based,
    ),
    Case(
        "yolo: class names from 1, labels from 0",
        with_config(f"{FOLDERS}names:\n  1: cat\n  2: dog\n"),
        refused("labels/train/train0.txt:1 has class 0, but the classes of .* begin with 1"),
    ),
    Case(
        "yolo: class names with a gap",
        with_config(f"{FOLDERS}names:\n  0: cat\n  2: dog\n", LINE.replace("0 ", "2 ", 1)),
        _gap_is_told,
    ),
    Case(
        "yolo: a class that is in the gap",
        with_config(f"{FOLDERS}names:\n  0: cat\n  2: dog\n", LINE.replace("0 ", "1 ", 1)),
        _beyond_a_gap,
    ),
    Case(
        "yolo: class numbers in quotes, of two digits",
        with_config(
            FOLDERS + "names:\n" + "".join(f"  '{n}': c{n}\n" for n in range(12)), LINE.replace("0 ", "10 ", 1)
        ),
        _quoted,
    ),
    Case(
        "yolo: a class without a number",
        with_config(f"{FOLDERS}names:\n  0: a\n  x: b\n"),
        refused("has a class numbered 'x': it must be a whole number"),
    ),
    Case(
        "yolo: names that YAML takes for something else",
        with_config(f"{FOLDERS}names: [no, 007, 1.50, null]\n"),
        valid(classes=("no", "007", "1.50", "null")),
    ),
    Case(
        "yolo: two classes with one name",
        with_config(f"{FOLDERS}names: [car, car]\n"),
        valid(classes=("car",), same_class_name=1),
    ),
    Case("yolo: a class called train", with_config(f"{FOLDERS}names: [train]\n"), valid(classes=("train",))),
    Case(
        "yolo: names with one key twice",
        with_config(f"{FOLDERS}names:\n  0: a\n  0: b\n"),
        refused("the key 0 twice"),
    ),
    Case(
        "yolo: no names, but their number",
        with_config(f"{FOLDERS}nc: 2\n"),
        valid(classes=("class_0", "class_1"), class_names=1),
    ),
    Case("yolo: another number of classes", with_config(f"{FOLDERS}nc: 3\nnames: [thing]\n"), valid(class_count=1)),
    Case(
        "yolo: validation: for val:",
        with_config("train: images/train\nvalidation: images/val\nnames: [thing]\n"),
        valid(renamed_key=1),
    ),
    Case(
        "yolo: an unknown key for a folder",
        with_config(f"{FOLDERS}extra: images/val\nnames: [thing]\n"),
        valid(unread_key=1),
    ),
    Case(
        "yolo: no train",
        with_config("val: images/val\nnames: [thing]\n"),
        refused("has no train:, which names the images"),
    ),
    Case(
        "yolo: kpt_shape is a number",
        with_config(f"{FOLDERS}names: [thing]\nkpt_shape: 1\n"),
        refused("kpt_shape of .* it is 1"),
    ),
    Case(
        "yolo: classes.txt in cp1251",
        _encoded("cp1251"),
        refused("classes.txt is not UTF-8: line 1 has the byte 0xec"),
    ),
    Case(
        "yolo: data.yaml in cp1251",
        _encoded("cp1251", "data.yaml"),
        refused("data.yaml is not UTF-8: line 3 has the byte"),
    ),
    *(
        Case(f"yolo: {name} in {encoding}", _encoded(encoding, name), valid(classes=("машина",)))
        for name in ("classes.txt", "data.yaml")
        for encoding in ("utf-8-sig", "utf-16", "utf-32")
    ),
    Case("yolo: keypoints without names or flip_idx", _pose(""), _flipped([])),
    Case("yolo: keypoints by left and right", _pose("{0: [left_eye, right_eye, nose]}"), _flipped([1, 0, 2])),
    Case("yolo: keypoints with a left without its right", _pose("{0: [left_eye, right_ear, nose]}"), _flipped([])),
    Case("yolo: flip_idx", _pose("", "flip_idx: [0, 2, 1]"), _flipped([0, 2, 1])),
    Case("yolo: flip_idx of another length", _pose("", "flip_idx: [1, 0]"), refused("flip_idx of .* numbers 0 to 2")),
    *(
        Case(
            f"yolo: train is {what}",
            with_config(f"train: {value}\nval: images/val\nnames: [thing]\n"),
            refused("train of .* names .{1,90}, which is not a path"),
        )
        for what, value in (("too long", "x" * 5000), ("a name too long", "images/" + "x" * 256), ("no text", '"\\0"'))
    ),
    Case(
        "yolo: a yaml file of another name",
        lambda folder: (
            with_config(f"{FOLDERS}names: [thing]\n")(folder),
            (folder / "data.yaml").rename(folder / "mine.yaml"),
        ),
        valid(),
    ),
]
