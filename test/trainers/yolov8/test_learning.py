"""Every task learns from scratch, and leaves what people look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from heavy_trainers import Start, ended_early, ended_well, metrics
from make_shapes import make


def test_the_loss_falls_and_the_metric_rises(start: Start, tmp_path: Path) -> None:
    data = make(tmp_path / "shapes", kind="yolo", count=64, size=96)
    parameters = {
        "image_size": 96,
        "batch_size": 8,
        "optimizer": "AdamW",
        "lr0": 0.003,
        "warmup_epochs": 1.0,
        "mosaic": 0.0,
        "scale": 0.1,
        "close_mosaic": 0,
        "plots": True,
        "export_onnx": True,
    }
    trainer = ended_well(start(data=str(data), epochs=15, parameters=parameters), 15)
    losses, map50 = metrics(trainer, "train_loss"), metrics(trainer, "mAP50")
    assert losses[-1] < losses[0] / 2, losses
    assert map50[0] < 0.1, map50
    assert map50[-1] > 0.3, map50
    plots = {path.name for path in (trainer.folder / "artifacts" / "yolo").iterdir()}
    assert {"results.csv", "results.png", "labels.jpg", "confusion_matrix.png", "train_batch0.jpg"} <= plots
    assert list((trainer.folder / "artifacts" / "tensorboard").glob("events.out.tfevents.*"))
    notes = " ".join(event["message"] for event in trainer.of("note"))
    assert "48 train, 16 val pictures, sha256" in notes
    assert "model.onnx is written; on a picture it differs from torch by" in notes
    _ends_early(start, data, Path(trainer.last_checkpoint, "weights.pt"))


def _ends_early(start: Start, data: Path, weights: Path) -> None:
    """Goes on from weights that are good already, with a rate at which they do not get better."""
    rates = {"patience": 2, "lr0": 1e-9, "optimizer": "SGD", "warmup_epochs": 0.0}
    session = {"data": str(data), "parameters": {"weights": str(weights), "image_size": 96, "batch_size": 16, **rates}}
    trainer = start(run="patience", epochs=30, **session)
    epochs = ended_early(trainer, 30)
    # Who continues it waits as long again.
    more = start(run="further", epochs=epochs + 2, resumeFrom=trainer.last_checkpoint, **session)
    assert more.end() == 0, more.account()
    assert more.stopped == (epochs + 2, 0)


@pytest.mark.parametrize(
    ("task", "kind", "metric"),
    [
        ("segment", "supervisely", "mask_mAP50"),
        ("pose", "yolo-pose", "pose_mAP50"),
        ("classify", "images", "accuracy_top1"),
    ],
)
def test_the_other_tasks(start: Start, tmp_path: Path, task: str, kind: str, metric: str) -> None:
    data = make(tmp_path / "shapes", kind=kind, count=24, size=64)
    trainer = start(data=str(data), epochs=2, parameters={"task": task, "export_onnx": True})
    ended_well(trainer, 2)
    assert len(metrics(trainer, metric)) == 2
    assert metrics(trainer, "train_loss")[1] > 0
    assert (trainer.folder / "artifacts" / "model.onnx").is_file()
    assert any("model.onnx" in event["message"] for event in trainer.of("note"))
