"""The data set of the comparison, converted as the trainers convert it. Its folder is in `EPOCHAL_BENCH_DATA`."""

from __future__ import annotations

import os
from pathlib import Path

from epochal.datasets import coco, reading, yolo
from epochal.datasets.splits import split


def as_yolo(folder: Path) -> Path:
    """Its yaml file."""
    data_set = reading.read(Path(os.environ["EPOCHAL_BENCH_DATA"]))
    return yolo.write(data_set, split(data_set), folder)


def as_coco(folder: Path) -> tuple[list[str], Path]:
    """Its classes and folder."""
    data_set = reading.read(Path(os.environ["EPOCHAL_BENCH_DATA"]))
    coco.write(data_set, split(data_set), folder)
    return data_set.classes, folder
