"""Two processes train one network, on a CPU or two GPUs: every batch is shared, and they stop and continue as one."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest
import torch
from conftest import LEARNS, SMALL, YOLO
from heavy_trainers import (
    Start,
    all_metrics,
    check,
    ended_early,
    ended_well,
    metrics,
    nobody_left,
    others,
    starter,
    stopped_in,
)
from make_shapes import make
from trainer_process import TrainerProcess

#: A mosaic takes its other images from what its own process has loaded last, of which a checkpoint has rank 0's.
TWO = {"device": "cpu,cpu", "mosaic": 0.0}


@pytest.fixture(scope="module")
def together(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainerProcess:
    """Three epochs of two processes, never interrupted."""
    for start in starter(tmp_path_factory.mktemp("together")):
        trainer = ended_well(start(YOLO, data=str(shapes), parameters={**SMALL, **TWO}, epochs=3), 3)
        assert nobody_left(trainer)
        yield trainer


def _weights(trainer: TrainerProcess) -> dict[str, torch.Tensor]:
    saved = torch.load(trainer.folder / "checkpoints" / "epoch-0003" / "training.pt", weights_only=True)
    return {f"{part} {name}": value for part in ("model", "ema") for name, value in saved[part].items()}


def test_every_image_is_trained_and_validated_once(together: TrainerProcess) -> None:
    assert [row["batches"] for row in together.rows()] == [6, 6, 6]
    assert len(together.of("hello")) == 1
    validated = {event["batch"] for event in together.of("batch") if event["phase"] == "validate"}
    assert max(validated) == 4  # 8 batches of 4 images, four for each


def test_two_learn_as_one_does(start: Start, many_shapes: Path) -> None:
    parameters = {**LEARNS, "device": "cpu,cpu"}
    trainer = ended_well(start(data=str(many_shapes), epochs=10, parameters=parameters), 10)
    map50 = metrics(trainer, "mAP50")
    assert map50[0] < 0.1, map50
    assert map50[-1] > 0.3, map50  # one alone has 0.50, two have 0.49
    _ends_early(start, many_shapes, Path(trainer.last_checkpoint, "weights.pt"))


def _ends_early(start: Start, data: Path, weights: Path) -> None:
    """Rank 0 alone knows that it is near; the validation before it draws its plots on all of them."""
    rates = {"lr0": 1e-9, "optimizer": "SGD", "warmup_epochs": 0.0, "patience": 1, "plots": True}
    parameters = {"device": "cpu,cpu", "batch_size": 16, "weights": str(weights), **rates}
    trainer = start(run="patience", data=str(data), epochs=30, parameters=parameters)
    ended_early(trainer, 30)
    assert (trainer.folder / "artifacts" / "yolo" / "confusion_matrix.png").is_file()
    assert nobody_left(trainer)


@pytest.mark.parametrize(
    ("task", "kind", "metric"),
    [
        ("segment", "supervisely", "mask_mAP50"),
        ("pose", "yolo-pose", "pose_mAP50"),
        ("classify", "images", "accuracy_top1"),
    ],
)
def test_the_other_tasks(start: Start, tmp_path: Path, task: str, kind: str, metric: str) -> None:
    """Rank 0 does here all that one process does alone, the export among it."""
    data = make(tmp_path / "shapes", kind=kind, count=15, size=64)
    parameters = {**TWO, "task": task, "export_onnx": True}
    trainer = ended_well(start(data=str(data), epochs=1, parameters=parameters), 1)
    assert len(metrics(trainer, metric)) == 1
    assert metrics(trainer, "train_loss")[0] > 0
    assert (trainer.folder / "artifacts" / "model.onnx").is_file()
    assert any("model.onnx" in event["message"] for event in trainer.of("note"))


def test_after_out_of_memory_steps_are_the_same(start: Start) -> None:
    """6 images on 2 devices in 2 parts at least: 3 parts of one image for each device."""
    trainer = ended_well(start(epochs=1, batchDivisor=2, parameters={**TWO, "batch_size": 6}), 1)
    assert trainer.rows()[0]["batches"] == 4  # of 24 images
    training = torch.load(trainer.folder / "checkpoints" / "epoch-0001" / "training.pt", weights_only=True)
    assert {int(state["step"]) for state in training["optimizer"]["state"].values()} == {4}


def test_stops_are_agreed_on(start: Start, together: TrainerProcess) -> None:
    """One in training and one in validation: the processes end together, and what follows ends as if none had been."""
    two = partial(start, epochs=3, parameters=TWO)
    first = stopped_in(two, "train", 2, 2, batches=6)
    second = stopped_in(two, "validate", 2, 1, batches=6, after=first)
    last = ended_well(two(run=second.folder.name, resumeFrom=second.last_checkpoint), 3)
    wanted, got = _weights(together), _weights(last)
    assert wanted.keys() == got.keys()
    assert [name for name in wanted if not torch.equal(wanted[name], got[name])] == []
    assert all_metrics(last) == all_metrics(together)
    assert [run for run in (first, second, last) if not nobody_left(run)] == []


def test_on_with_one(start: Start, together: TrainerProcess) -> None:
    newest = str(together.folder / "checkpoints" / "epoch-0003")
    alone = start(epochs=4, resumeFrom=newest, run="alone")
    assert alone.end() == 0, alone.account()
    assert [(row["epoch"], row["batches"]) for row in alone.rows()] == [(4, 6)]
    steps = torch.load(alone.folder / "checkpoints" / "epoch-0004" / "training.pt", weights_only=True)["optimizer"]
    assert {int(state["step"]) for state in steps["state"].values()} == {24}


def test_one_of_them_is_killed(start: Start) -> None:
    trainer = start(epochs=3, parameters=TWO)
    trainer.wait_for("batch", phase="train", epoch=1)
    os.kill(max(others(trainer)), signal.SIGKILL)
    assert trainer.end() == 1
    assert trainer.failed["kind"] == "trainerError"
    assert nobody_left(trainer)


@pytest.mark.parametrize(
    ("parameters", "field", "allowed"),
    [
        ({"device": "0,0"}, "device", "each GPU once"),
        ({"device": "0,1,2", "batch_size": 4}, "batch_size", "must divide by the 3 devices"),
        ({"device": "0,cpu"}, "device", ""),
    ],
)
def test_devices_that_cannot_be(shapes: Path, parameters: dict[str, object], field: str, allowed: str) -> None:
    problems = check(YOLO, shapes, **parameters)
    assert [problem["field"] for problem in problems] == [f"parameters.{field}"]
    assert allowed in problems[0]["message"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there are GPUs here")
def test_gpus_that_are_missing(start: Start) -> None:
    trainer = start(epochs=1, parameters={"device": "0,1"})
    assert trainer.end() == 1
    assert trainer.failed["kind"] == "gpuMissing", trainer.account()
    assert nobody_left(trainer)
