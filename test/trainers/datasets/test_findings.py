"""What is wrong with a data set is found: the first of each kind, and how many there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Make
from epochal.datasets import reading
from epochal.datasets.checking import checked
from epochal.datasets.parameters import SplitParameters
from epochal.errors import DataError


def _kinds(folder: Path) -> dict[str, int]:
    return {one.kind: one.count for one in reading.read(folder).findings}


def _edit(file: Path, change: Any) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_coco(shapes: Make) -> None:
    folder = shapes("coco")
    gone = sorted((folder / "images" / "train").iterdir())[:2]
    for path in gone:
        path.unlink()

    def change(content: Any) -> None:
        kept = {image["id"] for image in content["images"] if image["file_name"] not in {path.name for path in gone}}
        first, second, third = [one for one in content["annotations"] if one["image_id"] in kept][:3]
        first["bbox"][0] = 1000
        second["category_id"] = 99
        third["image_id"] = 12345

    _edit(folder / "annotations" / "train.json", change)
    _edit(folder / "annotations" / "val.json", lambda content: content.update(images=[], annotations=[]))
    assert _kinds(folder) == {
        "missing picture": 2,
        "box outside": 1,
        "unknown class": 1,
        "unknown picture": 1,
        "empty split": 1,
    }
    first = next(iter(reading.read(folder).findings))
    assert gone[0].name in first.first
    with pytest.raises(DataError, match=r"missing picture: .* is not there \(and 1 more\)"):
        checked(str(folder), "detect", SplitParameters())


def test_yolo(shapes: Make) -> None:
    folder = shapes("yolo")
    labels = sorted((folder / "labels" / "train").iterdir())
    labels[0].write_text("7 0.5 0.5 0.1 0.1\n0 0.95 0.5 0.3 0.1\n")
    labels[1].write_text("0 0.5 0.5\nhello\n")
    labels[2].unlink()
    sorted((folder / "images" / "train").iterdir())[3].write_bytes(b"not a picture")
    assert _kinds(folder) == {
        "unknown class": 1,
        "box outside": 1,
        "unreadable label": 2,
        "picture without labels": 1,
        "unreadable picture": 1,
    }
    sentence = next(one for one in reading.read(folder).findings.sentences() if one.startswith("unknown class"))
    assert sentence == f"unknown class: {labels[0]}:1 has class 7, but there are 3 classes"


def test_supervisely(shapes: Make) -> None:
    folder = shapes("supervisely-boxes")
    files = sorted((folder / "train" / "ann").iterdir())
    _edit(files[0], lambda content: content["objects"][0].update(classTitle="hexagon"))
    _edit(files[1], lambda content: content["objects"][0]["points"].update(exterior=[[0, 0], [500, 20]]))
    files[2].write_text("{")
    files[3].unlink()
    (folder / "train" / "img" / files[4].name.removesuffix(".json")).unlink()
    assert _kinds(folder) == {
        "unknown class": 1,
        "box outside": 1,
        "unreadable annotation": 1,
        "picture without annotation": 1,
        "missing picture": 1,
    }


def test_image_folder(shapes: Make) -> None:
    folder = shapes("images")
    (folder / "train" / "square" / "broken.png").write_bytes(b"")
    for path in (folder / "val" / "circle").iterdir():
        path.unlink()
    assert _kinds(folder) == {"unreadable picture": 1, "class without pictures": 1}


def test_what_a_task_needs(shapes: Make) -> None:
    parameters = SplitParameters()
    for kind, task, words in (
        ("images", "detect", "no boxes"),
        ("yolo", "segment", "no masks"),
        ("supervisely", "pose", "no keypoints"),
        ("coco", "classify", "no classes of whole pictures"),
    ):
        with pytest.raises(DataError, match=words):
            checked(str(shapes(kind)), task, parameters)


def test_findings_can_be_passed_over(shapes: Make) -> None:
    folder = shapes("coco")
    next((folder / "images" / "train").iterdir()).unlink()
    data_set, _ = checked(str(folder), "detect", SplitParameters(skip_bad_pictures=True))
    assert len(data_set.pictures) == 11
