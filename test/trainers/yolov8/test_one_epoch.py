"""One epoch on data sets as people have them."""

from __future__ import annotations

from pathlib import Path

from conftest import SMALL, YOLO
from heavy_trainers import Start
from one_epoch import Trained, each, trains_or_refuses

CASES = [
    Trained("marks", "coco", "coco: images turned by EXIF"),
    Trained("marks", "coco", "coco: images made smaller after they were marked", notes=("were scaled",)),
    Trained("left out", "coco", "coco: a large file with sorted keys"),
    Trained("left out", "yolo", "yolo: a link to a folder on another disk"),
    Trained("left out", "yolo", "yolo: JPEG files called .jfif"),
    Trained("left out", "coco", "coco: a truncated JPEG", refused="unreadable image"),
    Trained("leaks", "yolo", "yolo: test is beside train, without val"),
    Trained("leaks", "yolo", "yolo: files of macOS beside the images"),
    Trained(
        "check",
        "coco",
        "coco: keypoints differ by category",
        refused="person has 3 (on 6 objects); dog has 2",
        parameters={"task": "pose"},
    ),
    Trained("check", "coco", "coco: long names"),
    Trained("malformed", "coco", "coco: malformed, no height", refused="height"),
    Trained("malformed", "coco", "coco: malformed, mixed ids", refused="id"),
    Trained("exports", "coco_exports", "coco: Roboflow"),
    Trained("exports", "coco_exports", "coco: FiftyOne"),
    Trained("exports", "image_folders", "images: a class called train", parameters={"task": "classify"}),
    Trained("supervisely", "train", "41-mmdet-mixed-masks", notes=("box as outline",), parameters={"task": "segment"}),
    Trained("told", "coco", "coco: crowds", notes=("crowd",)),
    Trained("told", "coco", "coco: a JPEG with bytes behind its end"),
]


@each(CASES)
def test_one_epoch(one: Trained, start: Start, tmp_path: Path) -> None:
    trains_or_refuses(one, start, YOLO, SMALL, tmp_path / "data")
