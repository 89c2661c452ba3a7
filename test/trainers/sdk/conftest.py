"""What the tests share: a folder for a run, and trainers that are never left behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from trainer_process import REPOSITORY, TrainerProcess

COUNTER = REPOSITORY / "test" / "trainers" / "counter.py"

Start = Callable[..., TrainerProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a trainer as a worker does; whatever is left of it is killed after the test."""
    started: list[TrainerProcess] = []

    def start_one(script: Path | str = COUNTER, *, folder: Path | None = None, **session: Any) -> TrainerProcess:
        if isinstance(script, str):
            path = tmp_path / "scripted_trainer.py"
            path.write_text(script)
            script = path
        trainer = TrainerProcess(script, folder or tmp_path / "run", **session)
        started.append(trainer)
        return trainer

    yield start_one
    for trainer in started:
        trainer.kill()


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
