"""Hugging Face's Trainer under Epochal: learns, stops at any batch, and continues exactly."""

from __future__ import annotations

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

TRAINER = trainer_file("transformers")
SETTINGS = {"dropout": 0.1, "layers": 2}
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
    assert digest(again, last, "model.safetensors") == digest(reference, last, "model.safetensors")


def test_learns_the_digits(start: Start) -> None:
    trainer = ended_well(start(TRAINER, epochs=20, parameters={"export_onnx": True}), 20)
    assert metrics(trainer, "eval_accuracy")[-1] >= 0.95
    assert metrics(trainer, "train_loss")[-1] < metrics(trainer, "train_loss")[0] / 10
    assert progress(trainer, "epoch-0020")["best"]["value"] == max(metrics(trainer, "eval_accuracy"))
    assert {row["batches"] for row in trainer.rows()} == {23}
    assert set(trainer.rows()[0]["metrics"]) == {"train_loss", "learning_rate", "eval_loss", "eval_accuracy"}
    assert list((trainer.folder / "artifacts" / "tensorboard").glob("*tfevents*"))
    check_onnx(trainer, "pixel_values", lambda images: images / 8 - 1)


def test_its_checkpoint_is_hugging_faces(reference: TrainerProcess) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import ViTForImageClassification

    folder = checkpoint_path(reference, "epoch-0004")
    model = ViTForImageClassification.from_pretrained(folder)
    assert model.config.num_hidden_layers == 2
    weights = load_file(Path(folder, "model.safetensors"))
    assert weights.keys() == model.state_dict().keys()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


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
    again = start(TRAINER, epochs=EPOCHS, parameters=SETTINGS, resumeFrom=first.last_checkpoint)
    assert again.wait_for("phase", phase="train")["epoch"] == 3
    ended_well(again, EPOCHS)
    assert_equal(again, reference)
    assert progress(again, "epoch-0004")["best"] == progress(reference, "epoch-0004")["best"]


def test_half_of_the_batch_at_a_time(start: Start, reference: TrainerProcess) -> None:
    first = stopped_in(partial(start, TRAINER, epochs=EPOCHS, parameters=SLOW), "train", 1, 6, batches=23)
    settings = {"epochs": EPOCHS, "parameters": SETTINGS, "run": first.folder.name, "batchDivisor": 2}
    again = ended_well(start(TRAINER, resumeFrom=first.last_checkpoint, **settings), EPOCHS)
    assert again.rows()[0]["batches"] == 23  # a batch stays one step of the optimizer
    assert metrics(again, "train_loss") == pytest.approx(metrics(reference, "train_loss"), rel=0.2)


def test_more_epochs_after_the_end_and_weights_alone(start: Start, reference: TrainerProcess) -> None:
    resume_from = checkpoint_path(reference, "epoch-0004")
    again = start(TRAINER, run="more", epochs=6, parameters=SETTINGS, resumeFrom=resume_from)
    assert again.end() == 0, again.account()
    assert [row["epoch"] for row in again.rows()] == [5, 6]
    # Of the last batch of each: a warm-up of 14 steps, and a cosine over the other 124 of six epochs.
    wanted = [0.002 * (1 + cos(pi * (23 * epoch - 1 - 14) / 124)) / 2 for epoch in (5, 6)]
    assert metrics(again, "learning_rate") == pytest.approx(wanted)
    assert [event for event in again.of("note") if "planned for 4 epochs and has 6 now" in event["message"]]
    # Good weights that get no better: it ends early, and a run that continues it waits as long again.
    done = {**SETTINGS, "learning_rate": 1e-9, "patience": 2}
    fresh = start(TRAINER, run="fresh", epochs=60, parameters=done, resumeFrom=resume_from, keepProgress=False)
    epochs = ended_early(fresh, 60)
    more = start(TRAINER, run="further", epochs=epochs + 2, parameters=done, resumeFrom=fresh.last_checkpoint)
    assert more.end() == 0, more.account()
    assert more.stopped == (epochs + 2, 0)
    assert metrics(fresh, "train_loss")[0] < metrics(reference, "train_loss")[0]


def test_no_more_epochs(start: Start) -> None:
    enough = start(TRAINER, epochs=50, parameters=SETTINGS, grant=1)
    enough.send({"type": "shutdown"})
    assert enough.end() == 0, enough.account()
    assert enough.stopped[0] <= 1


@pytest.mark.parametrize(
    ("parameters", "field", "sentence"),
    [
        ({"learning_rate": 0}, "parameters.learning_rate", "must be more than 0"),
        ({"schedule": "step"}, "parameters.schedule", 'must be "linear", "cosine" or "constant"'),
        ({"model": "bert-base"}, "parameters.model", "unknown field"),
        ({"hidden": 40, "heads": 16}, "parameters.hidden", "must divide by the 16 heads"),
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
