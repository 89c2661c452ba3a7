"""A small data set, a training to compare with, and trainers that are never left behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[3] / "trainers" / "examples"))

from heavy_trainers import Start, starter, trainer_file
from make_shapes import make
from one_epoch import pytest_addoption, pytest_collection_modifyitems, pytest_configure  # noqa: F401
from trainer_process import TrainerProcess

YOLO = trainer_file("yolov8")

#: Every batch is short, and there are several of them in training and in validation.
SMALL = {"image_size": 64, "batch_size": 4, "close_mosaic": 1, "plots": False, "device": "cpu"}

#: With these a network learns circles from squares in ten epochs of 72 small images.
LEARNS = {
    "image_size": 64,
    "batch_size": 8,
    "optimizer": "AdamW",
    "lr0": 0.003,
    "warmup_epochs": 1.0,
    "mosaic": 0.0,
    "scale": 0.1,
    "close_mosaic": 0,
}


@pytest.fixture(scope="session")
def many_shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """72 images to learn from, 24 to validate with."""
    return make(tmp_path_factory.mktemp("data") / "many", kind="yolo", count=96, val=0.25, size=64)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 images to train with, 32 to validate with: 6 and 4 batches, so that a stop comes in time for either."""
    return make(tmp_path_factory.mktemp("data") / "shapes", kind="coco", count=56, val=4 / 7, size=64)


@pytest.fixture(scope="session")
def reference(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainerProcess]:
    """Three epochs, never interrupted."""
    for start in starter(tmp_path_factory.mktemp("reference")):
        trainer = start(YOLO, data=str(shapes), parameters=SMALL, epochs=3)
        assert trainer.end() == 0, trainer.account()
        yield trainer


@pytest.fixture
def start(tmp_path: Path, shapes: Path) -> Iterator[Start]:
    """Start the trainer on the small data set."""
    for start_any in starter(tmp_path):
        yield partial(_start, start_any, shapes)


def _start(
    start_any: Start, shapes: Path, *, parameters: dict[str, Any] | None = None, **session: Any
) -> TrainerProcess:
    return start_any(YOLO, **{"data": str(shapes), "parameters": {**SMALL, **(parameters or {})}, **session})
