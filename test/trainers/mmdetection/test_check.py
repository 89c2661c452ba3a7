"""What cannot be trained is refused before it starts, with a sentence that says why; and quickly."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import MMDET, SMALL
from heavy_trainers import check, check_form_and_page, refuses_the_checkpoint_of_another_trainer, starter
from make_shapes import make

sys.path.insert(0, str(MMDET.parent))

from config_file import package_configs

_check = partial(check, MMDET)


def test_a_good_configuration(shapes: Path, tmp_path: Path) -> None:
    assert _check(str(shapes)) == []
    base = package_configs() / "retinanet" / "retinanet_r18_fpn_1x_coco.py"
    (tmp_path / "mine.py").write_text(f"_base_ = [{str(base)!r}]")
    assert _check(str(shapes), config=str(tmp_path / "mine.py")) == []


def test_a_config_that_is_not_there(shapes: Path) -> None:
    (problem,) = _check(str(shapes), config="retinanet_r18_fpn_1x_cocoa")
    assert problem["field"] == "parameters.config"
    assert "did you mean retinanet_r18_fpn_1x_coco" in problem["message"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"config": "{mine}"}, "trains by iterations, not by epochs"),
        ({"config": "{broken}"}, "cannot be read: "),
        ({"overrides": {"param_scheduler.7.end": 8}}, "the overrides do not fit the config"),
        ({"task": "segment"}, "has no mask head"),
        ({"config": "dcn/faster-rcnn_r50-dconv-c3-c5_fpn_1x_coco"}, "needs mmcv with compiled operators"),
    ],
)
def test_a_config_that_would_not_train(parameters: dict[str, Any], words: str, shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("_base_ = []")
    (tmp_path / "broken.py").write_text("model = dict(")
    names = {"{mine}": "mine.py", "{broken}": "broken.py"}
    if parameters.get("config") in names:
        parameters = {"config": str(tmp_path / names[parameters["config"]])}
    (problem,) = _check(str(shapes), **parameters)
    assert problem["field"] == "parameters.config"
    assert words in problem["message"]


def test_images_that_mmdet_would_discard(tmp_path: Path) -> None:
    """By the filter of the config, as it is with its overrides: before anything starts, and without mmdet."""
    small = str(make(tmp_path / "small", kind="coco", count=8, size=24))
    (problem,) = _check(small)
    assert "no train image is left: mmdet discards 6 of 6 train images: " in problem["message"]
    assert "a side is shorter than 32 pixels: min_size in the config's filter_cfg" in problem["message"]
    assert _check(small, overrides={"train_dataloader.dataset.filter_cfg.min_size": 8}) == []


def test_a_mask_head_without_masks(tmp_path: Path) -> None:
    boxes = str(make(tmp_path / "boxes", kind="yolo", count=8, size=64))
    (problem,) = _check(boxes, config="mask-rcnn_r50_fpn_1x_coco")
    assert "has a mask head, but" in problem["message"]


def test_bad_parameters(shapes: Path) -> None:
    (problem,) = _check(str(shapes), batch_size=0)
    assert problem == {"field": "parameters.batch_size", "value": "0", "message": "must be at least 1"}


def test_bad_data_sets(tmp_path: Path) -> None:
    (problem,) = _check(str(tmp_path / "nowhere"))
    assert "there is no data set at" in problem["message"]
    boxes = make(tmp_path / "boxes", kind="yolo", count=8, size=64)
    (problem,) = _check(str(boxes), task="segment", config="mask-rcnn_r50_fpn_1x_coco")
    assert "no masks or polygons" in problem["message"]


def test_weights_of_others(shapes: Path, tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "other.pth")
    (problem,) = _check(str(shapes), weights=str(tmp_path / "other.pth"))
    assert "is a PyTorch file of another framework" in problem["message"]
    torch.save({"state_dict": {"backbone.conv1.weight": torch.zeros(1)}}, tmp_path / "mmdet.pth")
    assert _check(str(shapes), weights=str(tmp_path / "mmdet.pth")) == []


def test_the_checkpoint_of_another_trainer_is_refused(shapes: Path, tmp_path: Path) -> None:
    for start in starter(tmp_path):
        refuses_the_checkpoint_of_another_trainer(start, MMDET, data=str(shapes), parameters=SMALL)


def test_its_form_and_its_page() -> None:
    check_form_and_page(MMDET)
