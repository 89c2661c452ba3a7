"""A LightningModule under Epochal: learns, stops at any batch, and resumes exactly where Lightning itself does not."""

from __future__ import annotations

import sys
from functools import partial
from math import cos, pi
from pathlib import Path
from typing import Any

import pytest
from heavy_trainers import (
    Start,
    TrainerProcess,
    all_metrics,
    check,
    check_form_and_page,
    check_onnx,
    checkpoint_path,
    digest,
    does_again_what_follows,
    ended_early,
    ended_well,
    metrics,
    progress,
    refuses_the_checkpoint_of_another_trainer,
    starter,
    stopped_in,
    trainer_file,
)

TRAINER = trainer_file("lightning")
SETTINGS = {"dropout": 0.2, "batch_size": 64}
SLOW = {**SETTINGS, "batch_delay_seconds": 0.12}
EPOCHS = 4


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Never interrupted."""
    for start in starter(tmp_path_factory.mktemp("reference")):
        yield ended_well(start(TRAINER, epochs=EPOCHS, parameters=SETTINGS), EPOCHS)


def assert_equal(again: TrainerProcess, reference: TrainerProcess) -> None:
    """Weights bit for bit, and every metric of every epoch."""
    last = f"epoch-{EPOCHS:04d}"
    assert all_metrics(again) == all_metrics(reference)
    assert digest(again, last, "weights.safetensors") == digest(reference, last, "weights.safetensors")


def test_learns_the_digits(start: Start) -> None:
    trainer = ended_well(start(TRAINER, epochs=10, parameters={"export_onnx": True}), 10)
    assert metrics(trainer, "val_accuracy")[-1] >= 0.97
    assert metrics(trainer, "train_loss")[-1] < metrics(trainer, "train_loss")[0] / 10
    assert progress(trainer, "epoch-0010")["best"]["value"] == max(metrics(trainer, "val_accuracy"))
    assert {row["batches"] for row in trainer.rows()} == {23}
    assert list((trainer.folder / "artifacts" / "tensorboard").glob("*tfevents*"))
    check_onnx(trainer)


def test_its_checkpoint_is_lightnings(reference: TrainerProcess) -> None:
    import torch

    sys.path.insert(0, str(TRAINER.parent))
    from digits import DigitsModule
    from safetensors.torch import load_file

    folder = reference.folder / "checkpoints" / "epoch-0004"
    module = DigitsModule.load_from_checkpoint(folder / "lightning.ckpt", map_location="cpu", weights_only=True)
    weights = load_file(folder / "weights.safetensors")
    assert all(torch.equal(tensor, weights[name]) for name, tensor in module.state_dict().items())


class Opens:
    """Runs code when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    """Of a run to continue from, when it is read; of one's own module, when the first one is written."""
    import lightning.pytorch as pl
    import torch
    from epochal import SetUpError, lightning_state

    path, marker = tmp_path / "lightning.ckpt", tmp_path / "marker"
    torch.save({"hyper_parameters": {"loss": Opens(str(marker))}}, path)
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    for read in (
        lambda: lightning_state.check_readable(path),
        lambda: lightning_state.load(trainer, path, 0, weights_only=True),
    ):
        with pytest.raises(SetUpError, match=r"holds objects beside tensors and plain values \(\S*open\)"):
            read()
    assert not marker.exists()


def test_the_end_is_done_again(start: Start, reference: TrainerProcess) -> None:
    parameters = {**SETTINGS, "export_onnx": True}
    does_again_what_follows(partial(start, TRAINER), reference, EPOCHS, "model.onnx", parameters=parameters)


@pytest.mark.parametrize(("phase", "batch"), [("train", 5), ("validate", 1)])
def test_a_stop(start: Start, reference: TrainerProcess, phase: str, batch: int) -> None:
    first = stopped_in(partial(start, TRAINER, epochs=EPOCHS, parameters=SLOW), phase, 2, batch, batches=23)
    settings = {"epochs": EPOCHS, "parameters": SETTINGS, "run": first.folder.name}
    again = ended_well(start(TRAINER, resumeFrom=first.last_checkpoint, **settings), EPOCHS)
    assert again.wait_for("ready")["resumedFrom"] == {"epoch": 1, "batch": first.stopped[1]}
    assert_equal(again, reference)


def test_kill_9_in_epoch_3(start: Start, reference: TrainerProcess) -> None:
    first = start(TRAINER, epochs=EPOCHS, parameters=SLOW, grant=2)
    first.wait_for("epoch", epoch=2)
    first.grant(3)
    first.wait_for("batch", epoch=3, phase="train")
    first.kill()
    assert first.checkpoints == ["epoch-0001", "epoch-0002"]
    again = start(TRAINER, epochs=EPOCHS, parameters={**SETTINGS, "workers": 2}, resumeFrom=first.last_checkpoint)
    assert again.wait_for("phase", phase="train")["epoch"] == 3
    ended_well(again, EPOCHS)
    assert_equal(again, reference)
    assert progress(again, "epoch-0004")["best"] == progress(reference, "epoch-0004")["best"]


def test_validation_within_the_epoch(start: Start) -> None:
    settings = {**SETTINGS, "validations": 2}
    straight = ended_well(start(TRAINER, run="straight", epochs=2, parameters=settings), 2)
    slow = partial(start, TRAINER, epochs=2, parameters={**settings, "batch_delay_seconds": 0.12})
    first = stopped_in(slow, "validate", 2, 1, batches=11)  # in the middle of its 23 batches
    run = first.folder.name
    again = start(TRAINER, run=run, epochs=2, parameters=settings, resumeFrom=first.last_checkpoint)
    ended_well(again, 2)
    assert all_metrics(again) == all_metrics(straight)
    assert digest(again, "epoch-0002", "weights.safetensors") == digest(straight, "epoch-0002", "weights.safetensors")


def test_more_epochs_after_the_end_and_weights_alone(start: Start, reference: TrainerProcess) -> None:
    resume_from = checkpoint_path(reference, "epoch-0004")
    again = start(TRAINER, run="more", epochs=6, parameters=SETTINGS, resumeFrom=resume_from)
    assert again.end() == 0, again.account()
    assert [row["epoch"] for row in again.rows()] == [5, 6]
    # Of the last batch of each: a warm-up of 13 steps, and a cosine over the other 125 of six epochs.
    wanted = [0.01 * (0.505 + 0.495 * cos(pi * (23 * epoch - 1 - 13) / 125)) for epoch in (5, 6)]
    assert metrics(again, "learning_rate") == pytest.approx(wanted)
    assert [event for event in again.of("note") if "planned for 4 epochs and has 6 now" in event["message"]]
    # Good weights that get no better: it ends early, and a run that continues it waits as long again.
    done = {**SETTINGS, "learning_rate": 1e-9, "patience": 2}
    fresh = start(TRAINER, run="fresh", epochs=60, parameters=done, resumeFrom=resume_from, keepProgress=False)
    epochs = ended_early(fresh, 60)
    more = start(TRAINER, run="further", epochs=epochs + 2, parameters=done, resumeFrom=fresh.last_checkpoint)
    assert more.end() == 0, more.account()
    assert more.stopped == (epochs + 2, 0)
    assert metrics(fresh, "train_loss")[0] < metrics(reference, "train_loss")[0] / 2


def test_no_more_epochs_and_sigterm(start: Start) -> None:
    enough = start(TRAINER, run="enough", epochs=50, parameters=SETTINGS, grant=1)
    enough.send({"type": "shutdown"})
    assert enough.end() == 0, enough.account()
    assert enough.stopped[0] <= 1
    ended = start(TRAINER, run="ended", epochs=2, parameters=SLOW)
    ended.wait_for("batch", phase="train", epoch=1)
    ended.process.terminate()
    assert ended.end() == 0, ended.account()
    assert ended.stopped > (0, 0)


@pytest.mark.parametrize(
    ("parameters", "field", "sentence"),
    [
        ({"learning_rate": 0}, "parameters.learning_rate", "must be more than 0"),
        ({"precision": "8"}, "parameters.precision", 'must be "32-true"'),
        ({"epochs": 3}, "parameters.epochs", "unknown field"),
        ({"batch_size": 1024, "validations": 3}, "parameters.validations", "must be at most 1"),
    ],
)
def test_a_bad_parameter_is_refused(parameters: dict[str, Any], field: str, sentence: str) -> None:
    (problem,) = check(TRAINER, **parameters)
    assert problem["field"] == field
    assert sentence in problem["message"]


def test_a_data_set_is_refused() -> None:
    (problem,) = check(TRAINER, "/data/shapes")
    assert problem["field"] == "data"
    assert "has built-in data" in problem["message"]


def test_the_checkpoint_of_another_trainer_is_refused(start: Start) -> None:
    refuses_the_checkpoint_of_another_trainer(start, TRAINER)


def test_its_form_and_its_page() -> None:
    check_form_and_page(TRAINER)
