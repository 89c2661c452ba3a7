"""Detection and instance segmentation learn from scratch, and leave what people look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import SMALL_NETWORK
from heavy_trainers import Start, ended_well, metrics
from make_shapes import make

ADAM = {
    **SMALL_NETWORK,
    "optim_wrapper.optimizer": {"type": "AdamW", "lr": 0.0005, "weight_decay": 0.01, "_delete_": True},
    "optim_wrapper.clip_grad": {"max_norm": 10.0},
    "param_scheduler.0.end": 10,
}

SMALL_RESNET = {"model.backbone.depth": 18, "model.neck.in_channels": [64, 128, 256, 512]}


def test_the_loss_falls_and_the_metric_rises(start: Start, tmp_path: Path) -> None:
    data = make(tmp_path / "shapes", kind="yolo", count=64, size=96)
    trainer = start(data=str(data), epochs=12, parameters={"image_size": 96, "batch_size": 4, "overrides": ADAM})
    ended_well(trainer, 12)
    losses, map50 = metrics(trainer, "train_loss"), metrics(trainer, "mAP50")
    assert losses[-1] < losses[0] * 0.8, losses
    assert map50[0] < 0.1, map50
    assert map50[-1] > 0.15, map50
    artifacts = trainer.folder / "artifacts"
    assert "EpochalTrainLoop" in (artifacts / "config.py").read_text()
    assert list((artifacts / "tensorboard").glob("events.out.tfevents.*"))
    notes = " ".join(event["message"] for event in trainer.of("note"))
    assert "48 train, 16 val images, sha256" in notes
    assert "nothing is downloaded" in notes


def test_instance_segmentation(start: Start, tmp_path: Path) -> None:
    data = make(tmp_path / "shapes", kind="supervisely", count=10, size=64)
    parameters = {"task": "segment", "config": "mask-rcnn_r50_fpn_1x_coco", "overrides": SMALL_RESNET}
    trainer = ended_well(start(data=str(data), epochs=1, parameters=parameters), 1)
    assert len(metrics(trainer, "mask_mAP50")) == 1
    assert metrics(trainer, "train_loss_mask")[0] > 0


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (
            {"config": "faster-rcnn_r50-dconv-c3-c5_fpn_1x_coco", "overrides": {}},
            "DCN, which needs mmcv with compiled operators",
        ),
        ({"overrides": {"model.backbone.nonsense": 3}}, "with its overrides cannot be built"),
        ({"config": "yolov3_d53_8xb8-320-273e_coco", "overrides": {}, "task": "segment"}, "has no mask head"),
    ],
)
def test_what_cannot_run_says_so_before_training(start: Start, parameters: dict[str, object], words: str) -> None:
    trainer = start(epochs=1, parameters=parameters)
    assert trainer.end() == 1
    assert trainer.failed["kind"] == "setUp", trainer.failed
    assert words in trainer.failed["message"]
    assert not trainer.of("ready")


def test_boxes_alone_train_no_masks(start: Start, tmp_path: Path) -> None:
    """A mask head learns from masks; where there are boxes alone, their outlines are taken only by who asks for it."""
    data = make(tmp_path / "boxes", kind="yolo", count=8, size=64)
    parameters = {"config": "mask-rcnn_r50_fpn_1x_coco", "overrides": SMALL_RESNET}
    trainer = start(data=str(data), epochs=1, parameters=parameters)
    assert trainer.end() == 1
    assert trainer.failed["kind"] == "data", trainer.failed
    assert "has a mask head, but" in trainer.failed["message"]
