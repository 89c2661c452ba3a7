"""For the tests of trainers on big frameworks: patience, and what every trainer has to keep to."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "sdk"))

import trainer_process
from trainer_process import REPOSITORY, TrainerProcess

#: Importing a framework takes half a minute on a busy machine, minutes on an overloaded one.
trainer_process.LIMIT = 900.0

Start = Callable[..., TrainerProcess]
Event = dict[str, Any]


def trainer_file(name: str) -> Path:
    """The file of a trainer that comes with Epochal."""
    return REPOSITORY / "trainers" / name / "trainer.py"


def alone() -> None:
    """One thread for a process, so that sums are in the same order, and nothing from the net."""
    os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", YOLO_OFFLINE="1")


def starter(folder: Path) -> Iterator[Start]:
    """A function that starts a trainer as a worker does; whatever is left of it is killed at the end."""
    alone()
    started: list[TrainerProcess] = []

    def start_one(script: Path | str, *, run: str = "run", **session: Any) -> TrainerProcess:
        if isinstance(script, str):
            path = folder / "scripted_trainer.py"
            path.write_text(script)
            script = path
        trainer = TrainerProcess(script, folder / run, **session)
        started.append(trainer)
        return trainer

    yield start_one
    for trainer in started:
        trainer.kill()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """See `starter`."""
    yield from starter(tmp_path)


def at_batch(phase: str, epoch: int, batch: int) -> Callable[[Event], bool]:
    """The first `batch` event there or after; events are told ten times a second at most."""
    return lambda event: (
        event["type"] == "batch" and (event["phase"], event["epoch"]) == (phase, epoch) and event["batch"] >= batch
    )


def stop_at(trainer: TrainerProcess, phase: str, epoch: int, batch: int) -> tuple[int, int]:
    """Stop there; the position it stopped at, after checking that it obeyed at the batch boundary."""
    trainer.wait_for(at_batch(phase, epoch, batch))
    trainer.stop()
    assert trainer.end() == 0, trainer.account()
    assert trainer.events[-1]["batchesAfterStop"] <= 1
    return trainer.stopped


def ended_well(trainer: TrainerProcess, epochs: int) -> TrainerProcess:
    """It trained this many epochs, reported each once, and its log has no traceback."""
    assert trainer.end() == 0, trainer.account()
    assert trainer.stopped == (epochs, 0), trainer.account()
    assert [row["epoch"] for row in trainer.rows()] == list(range(1, epochs + 1))
    return trainer


def metrics(trainer: TrainerProcess, name: str) -> list[float]:
    """A metric of each epoch."""
    return [row["metrics"][name] for row in trainer.rows()]


def all_metrics(trainer: TrainerProcess) -> list[Any]:
    """What must be equal between an uninterrupted run and one that was interrupted."""
    return [(row["epoch"], row["batches"], row["metrics"]) for row in trainer.rows()]


def digest(trainer: TrainerProcess, checkpoint: str, file: str) -> str:
    """sha256 of a file of a checkpoint."""
    return hashlib.sha256((trainer.folder / "checkpoints" / checkpoint / file).read_bytes()).hexdigest()


def progress(trainer: TrainerProcess, checkpoint: str) -> dict[str, Any]:
    """The SDK's own part of a checkpoint."""
    return json.loads((trainer.folder / "checkpoints" / checkpoint / "epochal.json").read_text())


def checkpoint_path(trainer: TrainerProcess, name: str) -> str:
    """To resume from."""
    return str(trainer.folder / "checkpoints" / name)
