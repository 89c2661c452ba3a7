"""Two processes train one model, on a CPU by gloo: they stop at the same batch, continue exactly, and end together."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from heavy_trainers import (
    REPOSITORY,
    Start,
    TrainerProcess,
    all_metrics,
    digest,
    ended_well,
    metrics,
    nobody_left,
    others,
    starter,
    stopped_in,
    trainer_file,
)

TRAINER = trainer_file("pytorch")
SETTINGS = {"processes": 2, "ema_decay": 0.9, "dropout": 0.2}
SLOW = {**SETTINGS, "batch_delay_seconds": 0.12}
EPOCHS = 3


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Never interrupted."""
    for start in starter(tmp_path_factory.mktemp("reference")):
        yield ended_well(start(TRAINER, epochs=EPOCHS, parameters=SETTINGS), EPOCHS)


@pytest.mark.parametrize(("phase", "batch"), [("train", 5), ("validate", 1)])
def test_a_stop_is_agreed_on(start: Start, reference: TrainerProcess, phase: str, batch: int) -> None:
    first = stopped_in(partial(start, TRAINER, epochs=EPOCHS, parameters=SLOW), phase, 2, batch, batches=23)
    assert nobody_left(first)
    assert len(first.of("hello")) == 1
    settings = {"epochs": EPOCHS, "parameters": SETTINGS, "run": first.folder.name}
    again = ended_well(start(TRAINER, resumeFrom=first.last_checkpoint, **settings), EPOCHS)
    for file in ("weights.safetensors", "ema.safetensors", "training.pt"):
        assert digest(again, "epoch-0003", file) == digest(reference, "epoch-0003", file), file
    assert all_metrics(again) == all_metrics(reference)
    assert nobody_left(again)


def test_sigterm_to_all_and_on_with_one(start: Start) -> None:
    first = start(TRAINER, epochs=2, parameters=SLOW)
    first.wait_for("batch", phase="train", epoch=1)
    os.killpg(first.process.pid, signal.SIGTERM)
    assert first.end() == 0, first.account()
    epoch, batch = first.stopped
    assert (epoch, batch) > (0, 0)
    assert nobody_left(first)
    alone = start(TRAINER, epochs=2, parameters={**SETTINGS, "processes": 1}, resumeFrom=first.last_checkpoint)
    ended_well(alone, 2)
    assert alone.rows()[0]["batches"] == 23
    assert metrics(alone, "val_accuracy")[-1] > 0.5


def test_one_of_them_is_killed(start: Start) -> None:
    trainer = start(TRAINER, epochs=2, parameters=SLOW)
    trainer.wait_for("batch", phase="train", epoch=1)
    os.kill(max(others(trainer)), signal.SIGKILL)
    assert trainer.end() == 1
    assert trainer.failed["kind"] == "trainerError"
    assert nobody_left(trainer)


def test_rank_0_is_killed(start: Start) -> None:
    trainer = start(TRAINER, epochs=2, parameters=SLOW)
    trainer.wait_for("batch", phase="train", epoch=1)
    os.kill(trainer.process.pid, signal.SIGKILL)
    assert trainer.end() == -9
    assert nobody_left(trainer)


def test_the_error_of_another_is_the_error_of_the_run(start: Start) -> None:
    script = """
import epochal
class Parameters(epochal.Parameters):
    processes: int = epochal.parameter(2, description="n")
trainer = epochal.Trainer(name="two", title="", description="", metrics=[epochal.Metric("m", "")], best=("m", "min"),
                          parameters=Parameters, processes=lambda parameters: parameters.processes)

@trainer.train
def train(app):
    import torch
    from epochal.pytorch import Torch
    torch_ = Torch(app)
    model = torch_.model(torch.nn.Linear(1, 1))
    torch_.state(model)
    for _ in app.epochs():
        for number in app.batches(range(10)):
            if number == 2 and app.ranks.rank == 1:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory on the other")

epochal.main(trainer)
"""
    trainer = start(script)
    assert trainer.end() == 1
    assert trainer.failed["kind"] == "outOfMemory", trainer.account()
    assert "on the other" in trainer.failed["message"]
    assert "Traceback" in trainer.log_path.read_text()
    assert nobody_left(trainer)


def test_by_torchrun(tmp_path: Path) -> None:
    """Started by hand with PyTorch's own launcher, which hands SIGTERM on to each of them: they end at one batch."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1"]
    trainer = ["--master-port=29517", str(TRAINER), "train", "--epochs", "50", "--folder", str(tmp_path / "run")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "trainers" / "epochal"), "OMP_NUM_THREADS": "1"}
    command = [*launch, *trainer, "--set", "batch_delay_seconds=0.05"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as run:
        rows = tmp_path / "run" / "metrics.jsonl"
        while not (rows.exists() and rows.read_text().count("\n")):
            assert run.poll() is None, run.stderr and run.stderr.read()
            time.sleep(0.05)
        run.terminate()
        _, errors = run.communicate(timeout=300)
    ((epoch, batch),) = re.findall(r"ended after (\d+) epochs and (\d+) batches", errors)  # rank 0 tells, and saves
    assert 0 < int(epoch) < 50
    assert len(rows.read_text().splitlines()) == int(epoch)
    name = f"epoch-{int(epoch):04d}" + (f"-batch-{int(batch):06d}" if int(batch) else "")
    saved = json.loads((tmp_path / "run" / "checkpoints" / name / "epochal.json").read_text())
    assert len(saved["ranks"]) == 2
