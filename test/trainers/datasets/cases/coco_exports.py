"""COCO as tools export it: the folders and names of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from epochal.datasets.checking import checked
from epochal.datasets.parameters import SplitParameters

from cases import Case
from cases.coco import are_read, image, kinds, listed, mark, six, write


def _standard(folder: Path) -> None:
    """COCO's own folder: the same images in files for boxes, poses and captions."""
    person = {"id": 1, "name": "person", "keypoints": ["nose", "left_eye", "right_eye"], "skeleton": []}
    for part in ("train2017", "val2017"):
        images = []
        for index in range(3):
            image(folder / part / f"{part}{index}.jpg")
            images.append(listed(index, f"{part}{index}.jpg"))
        boxes = [mark(index, index, category_id=index % 2 + 1) for index in range(3)]
        write(
            folder / "annotations" / f"instances_{part}.json",
            images,
            boxes,
            [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}],
        )
        poses = [mark(0, 0, keypoints=[20, 20, 2, 22, 18, 2, 0, 0, 0], num_keypoints=2)]
        write(folder / "annotations" / f"person_keypoints_{part}.json", images, poses, [person])
        captions = {"images": images, "annotations": [{"id": 1, "image_id": 1, "caption": "a dog"}]}
        (folder / "annotations" / f"captions_{part}.json").write_text(json.dumps(captions))


def _standard_is_read(folder: Path) -> None:
    data_set, chosen = checked(str(folder), "detect", SplitParameters())
    assert data_set.classes == ["person", "dog"]
    assert kinds(data_set) == {"unused annotation file": 4}
    assert {part: len(images) for part, images in chosen.parts.items()} == {"train": 3, "val": 3}
    data_set, _ = checked(str(folder), "pose", SplitParameters())
    assert data_set.classes == ["person"]
    assert data_set.keypoint_names == ["nose", "left_eye", "right_eye"]


def _layout(images: str, file: str, name: str = "{}") -> Callable[[Path], None]:
    """Six images somewhere, an annotation file somewhere, and how the file calls them."""

    def make(folder: Path) -> None:
        for index in range(6):
            image(folder / images / f"p{index}.jpg")
        entries = [listed(index, name.format(f"p{index}.jpg")) for index in range(6)]
        write(folder / file, entries, [mark(index, index) for index in range(6)])

    return make


def _named_for_a_split(folder: Path) -> None:
    """The data set's own folder has a name that says nothing about its images."""
    six(folder)
    (folder / "annotations" / "instances.json").rename(folder / "labels.json")
    (folder / "annotations").rmdir()
    folder.rename(folder.parent / "train2017")


def _is_drawn(folder: Path) -> None:
    data_set, chosen = checked(str(folder.parent / "train2017"), "detect", SplitParameters())
    assert chosen.by == "random"
    assert {image.split for image in data_set.images} == {None}


def _roboflow(folder: Path) -> None:
    for part in ("train", "valid", "test"):
        images = []
        for index in range(3):
            image(folder / part / f"{part}{index}_jpg.rf.0a1b2c.jpg")
            images.append(listed(index, f"{part}{index}_jpg.rf.0a1b2c.jpg"))
        write(folder / part / "_annotations.coco.json", images, [mark(index, index) for index in range(3)])


def _roboflow_is_read(folder: Path) -> None:
    data_set, chosen = checked(str(folder), "detect", SplitParameters())
    assert {part: len(images) for part, images in chosen.parts.items()} == {"train": 3, "val": 3}
    assert [image.split for image in data_set.images].count("test") == 3


CASES = [
    Case("coco: its standard folder", _standard, _standard_is_read),
    Case("coco: a folder that is called train2017", _named_for_a_split, _is_drawn),
    Case("coco: Roboflow", _roboflow, _roboflow_is_read),
    Case("coco: FiftyOne", _layout("data", "labels.json"), are_read(6)),
    *(
        Case(f"coco: CVAT, {name}", _layout(images, f"annotations/{name}.json"), are_read(6))
        for name, images in (
            ("instances_default", "images/default"),
            ("instances_Validation", "images/Validation"),
            ("person_keypoints_mine", "images/mine"),
            ("instances_default", "images"),
        )
    ),
    Case("coco: Label Studio", _layout("images", "result.json", "images/{}"), are_read(6)),
    Case(
        "coco: Label Studio on Windows",
        _layout("images", "result.json", "images\\{}"),
        are_read(6, relocated_path=6),
    ),
    Case(
        "coco: absolute paths of another machine",
        _layout("images", "result.json", "C:\\Users\\A\\images\\{}"),
        are_read(6, relocated_path=6),
    ),
]
