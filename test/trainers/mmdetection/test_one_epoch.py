"""One epoch on data sets as people have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conftest import MMDET, SMALL
from heavy_trainers import Start
from one_epoch import Trained, each, trains_or_refuses

#: Of Mask R-CNN, which is made for eighty classes and large images.
SEGMENT: dict[str, Any] = {
    "task": "segment",
    "config": "mask-rcnn_r50_fpn_1x_coco",
    "overrides": {"model.backbone.depth": 18, "model.neck.in_channels": [64, 128, 256, 512]},
}

CASES = [
    Trained(
        "supervisely", "train", "41-mmdet-mixed-masks", notes=("box as outline", "(and 5 more)"), parameters=SEGMENT
    ),
    Trained("marks", "coco", "coco: images turned by EXIF"),
    Trained("left out", "coco", "coco: a large file with sorted keys"),
    Trained("left out", "coco", "coco: a truncated JPEG", refused="unreadable image"),
    Trained("leaks", "yolo", "yolo: test is beside train, without val"),
    Trained("check", "coco", "coco: long names"),
    Trained("malformed", "coco", "coco: malformed, no height", refused="height"),
    Trained("exports", "coco_exports", "coco: Roboflow"),
    Trained("exports", "coco_exports", "coco: FiftyOne"),
    Trained("told", "coco", "coco: crowds", notes=("crowd",)),
]


@each(CASES)
def test_one_epoch(one: Trained, start: Start, tmp_path: Path) -> None:
    trains_or_refuses(one, start, MMDET, SMALL, tmp_path / "data")
