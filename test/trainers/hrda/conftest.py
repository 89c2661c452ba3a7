"""Two small domains, a training to compare with, and trainers that are never left behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
for folder in ("examples", "hrda"):
    sys.path.insert(0, str(Path(__file__).parents[3] / "trainers" / folder))

# Before torch is imported: sums in the same order as the trainer's processes, and one thread for each of us.
os.environ["OMP_NUM_THREADS"] = "1"

from heavy_trainers import Start, TrainerProcess, starter, trainer_file  # noqa: E402
from make_domains import make  # noqa: E402
from one_epoch import pytest_addoption, pytest_collection_modifyitems, pytest_configure  # noqa: E402, F401

HRDA = trainer_file("hrda")

#: Every batch is short, and everything that has a state is on: drop path, dropout, jitter, rare classes, a teacher.
SMALL: dict[str, Any] = {
    "encoder": "mit_tiny",
    "decoder_channels": 16,
    "decoder_dilations": [1, 2],
    "crop_size": 64,
    "detail_size": 32,
    "rare_class_pixels": 10,
    "rare_class_crop_pixels": 10,
    "iterations_per_epoch": 6,
    "warmup_iterations": 4,
    "batch_size": 2,
    "learning_rate": 0.001,
    "teacher_decay": 0.9,
    "pseudo_threshold": 0.2,
    "sample_images": 1,
    "device": "cpu",
}


@pytest.fixture(scope="session")
def domains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 images of the source, 8 of the target, 5 to validate with."""
    return make(tmp_path_factory.mktemp("data") / "domains", source=12, target=8, validation=5, size=72)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class statistics of made data sets have no place in the machine's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["EPOCHAL_CACHE_DIR"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def reference(domains: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainerProcess]:
    """Three epochs, never interrupted."""
    for start in starter(tmp_path_factory.mktemp("reference")):
        trainer = start(HRDA, data=str(domains), parameters=SMALL, epochs=3)
        assert trainer.end() == 0, trainer.account()
        yield trainer


@pytest.fixture
def start(tmp_path: Path, domains: Path) -> Iterator[Start]:
    """Start the trainer on the small domains."""
    for start_any in starter(tmp_path):
        yield partial(_start, start_any, domains)


def _start(
    start_any: Start, domains: Path, *, parameters: dict[str, Any] | None = None, **session: Any
) -> TrainerProcess:
    return start_any(HRDA, **{"data": str(domains), "parameters": {**SMALL, **(parameters or {})}, **session})
