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

import heavy_trainers
from heavy_trainers import Start, starter, trainer_file
from make_shapes import make
from one_epoch import pytest_addoption, pytest_collection_modifyitems, pytest_configure  # noqa: F401
from trainer_process import TrainerProcess

heavy_trainers.trainer_process.LIMIT = 900.0  # mmdet's evaluation takes long on a busy machine

MMDET = trainer_file("mmdetection")

#: Of RetinaNet, which is made for eighty classes. Its schedule warms up over 500 batches, more than there are here.
SMALL_NETWORK = {
    "model.backbone.stem_channels": 32,
    "model.backbone.base_channels": 32,
    "model.neck.in_channels": [32, 64, 128, 256],
    "model.neck.out_channels": 64,
    "model.bbox_head.in_channels": 64,
    "model.bbox_head.feat_channels": 64,
    "model.bbox_head.stacked_convs": 1,
    "param_scheduler.0.end": 8,
}

#: Every batch is short, there are several of them in training and in validation, and the loader has no processes.
SMALL = {
    "config": "retinanet_r18_fpn_1x_coco",
    "image_size": 64,
    "batch_size": 4,
    "workers": 0,
    "device": "cpu",
    "overrides": SMALL_NETWORK,
}


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 images to train with, 4 to validate with: 5 batches, and 4 of one image."""
    return make(tmp_path_factory.mktemp("data") / "shapes", kind="coco", count=24, val=0.17, size=64)


@pytest.fixture(scope="session")
def reference(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainerProcess]:
    """Three epochs, never interrupted."""
    for start in starter(tmp_path_factory.mktemp("reference")):
        trainer = start(MMDET, data=str(shapes), parameters=SMALL, epochs=3)
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
    return start_any(MMDET, **{"data": str(shapes), "parameters": {**SMALL, **(parameters or {})}, **session})
