"""The convolutional network on digits: it learns, stops at any batch, and continues as if nothing had happened."""

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
    ended_well,
    metrics,
    progress,
    refuses_the_checkpoint_of_another_trainer,
    starter,
    stopped_in,
    trainer_file,
)

TRAINER = trainer_file("pytorch")
#: Everything that has a state: dropout, augmentation, momentum, a schedule, averaged weights.
SETTINGS = {"ema_decay": 0.9, "dropout": 0.2, "shift": 1}
SLOW = {**SETTINGS, "batch_delay_seconds": 0.12}
EPOCHS = 4


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Four epochs, never interrupted."""
    for start in starter(tmp_path_factory.mktemp("reference")):
        yield ended_well(start(TRAINER, epochs=EPOCHS, parameters=SETTINGS), EPOCHS)


def assert_equal(again: TrainerProcess, reference: TrainerProcess, checkpoint: str = "epoch-0004") -> None:
    """Weights and averaged weights bit for bit, and every metric of every epoch."""
    for file in ("weights.safetensors", "ema.safetensors", "training.pt"):
        assert digest(again, checkpoint, file) == digest(reference, checkpoint, file), file
    assert all_metrics(again) == all_metrics(reference)


def test_learns_the_digits(start: Start) -> None:
    trainer = ended_well(start(TRAINER, epochs=15, parameters={"export_onnx": True}), 15)
    assert max(metrics(trainer, "val_accuracy")) >= 0.97
    assert metrics(trainer, "val_accuracy")[-1] >= 0.97
    assert metrics(trainer, "train_loss")[-1] < metrics(trainer, "train_loss")[0] / 4
    assert progress(trainer, "epoch-0015")["best"]["value"] == max(metrics(trainer, "val_accuracy"))
    assert "torch" in trainer.wait_for("hello")["versions"]
    assert trainer.wait_for("hello")["devices"][0]["name"]
    check_tensorboard(trainer)
    check_onnx(trainer)


def check_tensorboard(trainer: TrainerProcess) -> None:
    """TensorBoard's own reader finds every epoch once."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(trainer.folder / "artifacts" / "tensorboard"))
    events.Reload()
    accuracy = events.Scalars("val_accuracy")
    assert [one.step for one in accuracy] == list(range(1, 16))
    assert [one.value for one in accuracy] == pytest.approx(metrics(trainer, "val_accuracy"))


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
    assert metrics(again, "learning_rate") == metrics(reference, "learning_rate")
    assert progress(again, "epoch-0004")["best"] == progress(reference, "epoch-0004")["best"]


def test_kill_9_after_a_save_within_the_epoch(start: Start, reference: TrainerProcess) -> None:
    first = start(TRAINER, epochs=EPOCHS, parameters=SLOW, everyBatches=5)
    first.wait_for(lambda event: event["type"] == "checkpoint" and event["checkpoint"]["batch"] == 10)
    first.kill()
    resume_from = checkpoint_path(first, "epoch-0000-batch-000010")
    again = start(TRAINER, epochs=EPOCHS, parameters={**SETTINGS, "workers": 2}, resumeFrom=resume_from)
    ended_well(again, EPOCHS)
    assert_equal(again, reference)  # also with processes that load, which the reference did without


def test_more_epochs_after_the_end(start: Start, reference: TrainerProcess) -> None:
    resume_from = checkpoint_path(reference, "epoch-0004")
    again = start(TRAINER, epochs=6, parameters=SETTINGS, resumeFrom=resume_from)
    assert again.end() == 0
    assert again.wait_for("ready")["resumedFrom"] == {"epoch": 4, "batch": 0}
    assert [row["epoch"] for row in again.rows()] == [5, 6]  # a host that never saw the first four
    assert progress(again, "epoch-0006")["best"]["value"] >= progress(reference, "epoch-0004")["best"]["value"]
    # Where a cosine over six epochs is, not where one over four ended.
    wanted = [0.003 * (0.02 + 0.98 * (1 + cos(pi * epoch / 6)) / 2) for epoch in (4, 5)]
    assert metrics(again, "learning_rate") == pytest.approx(wanted)
    assert [event for event in again.of("note") if "planned for 4 epochs and has 6 now" in event["message"]]


def test_from_the_weights_of_another_training(start: Start, reference: TrainerProcess) -> None:
    weights = checkpoint_path(reference, "epoch-0004")
    by_session = start(TRAINER, run="session", epochs=1, parameters=SETTINGS, resumeFrom=weights, keepProgress=False)
    ended_well(by_session, 1)
    assert by_session.wait_for("ready")["resumedFrom"] is None
    own_weights = {**SETTINGS, "weights": f"{weights}/weights.safetensors"}
    by_parameter = start(TRAINER, run="parameter", epochs=1, parameters=own_weights)
    ended_well(by_parameter, 1)
    scratch = metrics(reference, "train_loss")[0]
    assert max(metrics(by_session, "train_loss") + metrics(by_parameter, "train_loss")) < scratch / 2
    other = start(TRAINER, run="other", epochs=1, parameters={**own_weights, "channels": 8})
    assert other.end() == 1
    assert other.failed["kind"] == "setUp"
    assert "another model: features.0.weight has the shape [16, 1, 3, 3]" in other.failed["message"]


def test_half_of_the_batch_at_a_time(start: Start) -> None:
    trainer = ended_well(start(TRAINER, epochs=3, batchDivisor=2, parameters={"precision": "bfloat16"}), 3)
    assert trainer.rows()[0]["batches"] == 23  # a batch stays one step of the optimizer
    assert metrics(trainer, "val_accuracy")[-1] > 0.8


def test_out_of_memory_has_its_kind(start: Start) -> None:
    script = """
import epochal
trainer = epochal.Trainer(name="oom", title="", description="", metrics=[epochal.Metric("m", "")], best=("m", "min"))

@trainer.train
def train(app):
    import torch
    from epochal.pytorch import Torch
    model = Torch(app, precision="float16").model(torch.nn.Linear(1, 1))
    app.state(save=lambda folder: None, load=lambda folder: None)
    for _ in app.epochs():
        for _ in app.batches(range(3)):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

epochal.main(trainer)
"""
    trainer = start(script)
    assert trainer.end() == 1
    assert trainer.failed["kind"] == "outOfMemory"
    assert "float16 needs a GPU" in trainer.of("note")[0]["message"]


def test_a_gpu_that_is_not_there(start: Start) -> None:
    trainer = start(TRAINER, parameters={"device": "cuda:7"})
    assert trainer.end() == 1
    assert trainer.failed["kind"] == "gpuMissing"


@pytest.mark.parametrize(
    ("parameters", "field", "sentence"),
    [
        ({"learning_rate": -1}, "parameters.learning_rate", "must be more than 0"),
        ({"schedule": "step"}, "parameters.schedule", 'must be "constant" or "cosine"'),
        ({"momentum": 0.9}, "parameters.momentum", "unknown field"),
        ({"device": "gpu"}, "parameters.device", "must match"),
        ({"batch_size": 4, "processes": 4}, "parameters.batch_size", "two images for each of the processes"),
        ({"weights": "/nowhere/weights.safetensors"}, "parameters.weights", "must be a file that is there"),
    ],
)
def test_a_bad_parameter_is_refused(parameters: dict[str, Any], field: str, sentence: str) -> None:
    (problem,) = check(TRAINER, **parameters)
    assert problem["field"] == field
    assert sentence in problem["message"]


def test_weights_of_another_framework_are_refused(tmp_path: Path) -> None:
    import torch

    torch.save({"model": {}}, tmp_path / "best.pt")
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04}.")
    (tmp_path / "damaged.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{'")
    for name, sentence in {
        "best.pt": "a checkpoint of torch.save",
        "model.pkl": "a Python pickle",
        "damaged.safetensors": "another format, or it is damaged",
    }.items():
        (problem,) = check(TRAINER, weights=str(tmp_path / name))
        assert sentence in problem["message"], name


def test_a_data_set_is_refused() -> None:
    (problem,) = check(TRAINER, "coco")
    assert "has built-in data" in problem["message"]


def test_the_checkpoint_of_another_trainer_is_refused(start: Start) -> None:
    refuses_the_checkpoint_of_another_trainer(start, TRAINER)


def test_its_form_and_its_page() -> None:
    check_form_and_page(TRAINER)
