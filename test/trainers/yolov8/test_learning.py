"""Detection learns from scratch, and leaves what people look at. For the other tasks see `test_devices.py`."""

from __future__ import annotations

from pathlib import Path

from conftest import LEARNS
from heavy_trainers import Start, ended_early, ended_well, metrics


def test_the_loss_falls_and_the_metric_rises(start: Start, many_shapes: Path) -> None:
    parameters = {**LEARNS, "plots": True, "export_onnx": True}
    trainer = ended_well(start(data=str(many_shapes), epochs=10, parameters=parameters), 10)
    losses, map50 = metrics(trainer, "train_loss"), metrics(trainer, "mAP50")
    # In the first epoch next to nothing is assigned to an object, and so next to nothing is lost.
    assert losses[-1] < max(losses) * 0.6, losses
    assert map50[0] < 0.1, map50
    assert map50[-1] > 0.3, map50
    plots = {path.name for path in (trainer.folder / "artifacts" / "yolo").iterdir()}
    assert {"results.csv", "results.png", "labels.jpg", "confusion_matrix.png", "train_batch0.jpg"} <= plots
    assert list((trainer.folder / "artifacts" / "tensorboard").glob("events.out.tfevents.*"))
    notes = " ".join(event["message"] for event in trainer.of("note"))
    assert "72 train, 24 val images, sha256" in notes
    assert "model.onnx is written; on an image it differs from torch by" in notes
    _ends_early(start, many_shapes, Path(trainer.last_checkpoint, "weights.pt"))


def _ends_early(start: Start, data: Path, weights: Path) -> None:
    """Goes on from weights that are good already, with a rate at which they do not get better."""
    rates = {"patience": 2, "lr0": 1e-9, "optimizer": "SGD", "warmup_epochs": 0.0}
    session = {"data": str(data), "parameters": {"weights": str(weights), "batch_size": 16, **rates}}
    trainer = start(run="patience", epochs=30, **session)
    epochs = ended_early(trainer, 30)
    # Who continues it waits as long again.
    more = start(run="further", epochs=epochs + 2, resumeFrom=trainer.last_checkpoint, **session)
    assert more.end() == 0, more.account()
    assert more.stopped == (epochs + 2, 0)
