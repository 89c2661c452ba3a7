"""What cannot be trained is refused before it starts, with a sentence that says why; and quickly."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy
import torch
from conftest import SMALL, YOLO
from heavy_trainers import check, check_form_and_page, refuses_the_checkpoint_of_another_trainer, starter
from make_shapes import make
from PIL import Image

_check = partial(check, YOLO)


def test_a_good_configuration(shapes: Path) -> None:
    assert _check(str(shapes), image_size=64) == []


def test_bad_parameters(shapes: Path) -> None:
    (size,) = _check(str(shapes), image_size=100)
    assert size == {"field": "parameters.image_size", "value": "100", "message": "must be a multiple of 32"}
    (task,) = _check(str(shapes), task="detection")
    assert task["message"] == 'must be "detect", "segment", "pose" or "classify"'


def test_a_data_set_that_is_not_there(tmp_path: Path) -> None:
    (problem,) = _check(str(tmp_path / "nowhere"))
    assert problem["field"] == "data"
    assert "there is no data set at" in problem["message"]


def test_a_folder_that_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("hello")
    (problem,) = _check(str(tmp_path))
    assert "not a data set in a known format" in problem["message"]


def test_a_data_set_without_what_the_task_needs(tmp_path: Path) -> None:
    data = make(tmp_path / "boxes", kind="yolo", count=8, size=64)
    (problem,) = _check(str(data), task="segment")
    assert "no masks or polygons" in problem["message"]


def test_a_data_set_with_a_missing_image(tmp_path: Path) -> None:
    data = make(tmp_path / "shapes", kind="coco", count=8, size=64)
    gone = next((data / "images" / "train").iterdir())
    gone.unlink()
    (problem,) = _check(str(data))
    assert "missing image: " in problem["message"]
    assert gone.name in problem["message"]
    assert _check(str(data), skip_bad_images=True) == []


def test_images_that_ultralytics_would_discard(tmp_path: Path) -> None:
    """Before anything starts, and without ultralytics."""
    data = make(tmp_path / "tiny", kind="coco", count=8, size=40)
    for path in (data / "images" / "train").iterdir():
        Image.new("RGB", (8, 8)).save(path)
    (problem,) = _check(str(data))
    assert "no train image is left: ultralytics discards 6 of 6 train images: " in problem["message"]
    assert "(image size (8, 8) <10 pixels)" in problem["message"]


def test_weights_of_others(shapes: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": torch.nn.Linear(2, 2).state_dict()}, tmp_path / "other.pt")
    (problem,) = _check(str(shapes), weights=str(tmp_path / "other.pt"))
    assert problem["message"] == "is a PyTorch file of another framework: it holds no ultralytics model"
    numpy.save(tmp_path / "array.npy", numpy.zeros(3))
    (problem,) = _check(str(shapes), weights=str(tmp_path / "array.npy"))
    assert "is not a PyTorch checkpoint" in problem["message"]
    (problem,) = _check(str(shapes), weights="/nowhere.pt")
    assert problem["message"] == "is not a file on this worker"


def test_weights_of_another_task(shapes: Path, tmp_path: Path) -> None:
    from ultralytics.nn.tasks import SegmentationModel

    torch.save({"model": SegmentationModel("yolov8n-seg.yaml", verbose=False)}, tmp_path / "seg.pt")
    (problem,) = _check(str(shapes), weights=str(tmp_path / "seg.pt"))
    assert problem["message"] == "holds a SegmentationModel (task segment), but the task is detect"


def test_the_checkpoint_of_another_trainer_is_refused(shapes: Path, tmp_path: Path) -> None:
    for start in starter(tmp_path):
        refuses_the_checkpoint_of_another_trainer(start, YOLO, data=str(shapes), parameters=SMALL)


def test_its_form_and_its_page() -> None:
    check_form_and_page(YOLO)
