"""What cannot be trained is refused before it starts, with a sentence that says why; and quickly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from conftest import MMDET
from make_shapes import make
from trainer_process import REPOSITORY


def _check(data: str | None, **parameters: Any) -> list[dict[str, str]]:
    asked = json.dumps({"epochs": 1, "parameters": parameters, "data": data})
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", str(MMDET), "check"],
        input=asked.encode(),
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "trainers" / "epochal")},
    )
    assert b"| torch\n" not in answer.stderr  # it takes half a minute on a busy machine
    return json.loads(answer.stdout)["problems"]


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
