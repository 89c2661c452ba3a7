"""What cannot be trained is refused before it starts, with a sentence that says why; and quickly."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from conftest import MMDET, SMALL
from heavy_trainers import check, check_form_and_page, refuses_the_checkpoint_of_another_trainer, starter
from make_shapes import make

_check = partial(check, MMDET)


def test_a_good_configuration(shapes: Path, tmp_path: Path) -> None:
    assert _check(str(shapes)) == []
    (tmp_path / "mine.py").write_text("_base_ = []")
    assert _check(str(shapes), config=str(tmp_path / "mine.py")) == []


def test_a_config_that_is_not_there(shapes: Path) -> None:
    (problem,) = _check(str(shapes), config="retinanet_r18_fpn_1x_cocoa")
    assert problem["field"] == "parameters.config"
    assert "did you mean retinanet_r18_fpn_1x_coco" in problem["message"]


def test_bad_parameters(shapes: Path) -> None:
    (problem,) = _check(str(shapes), batch_size=0)
    assert problem == {"field": "parameters.batch_size", "value": "0", "message": "must be at least 1"}


def test_bad_data_sets(tmp_path: Path) -> None:
    (problem,) = _check(str(tmp_path / "nowhere"))
    assert "there is no data set at" in problem["message"]
    boxes = make(tmp_path / "boxes", kind="yolo", count=8, size=64)
    (problem,) = _check(str(boxes), task="segment")
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
