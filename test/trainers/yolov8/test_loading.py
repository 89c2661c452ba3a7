"""What ultralytics loads of what was written for it: marks on the pixels they were made on, and a word on the rest."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import YOLO
from epochal.datasets import image_folder, yolo, yolo_writing
from epochal.datasets.checking import checked
from epochal.datasets.model import Bitmap, Box, DataSet, DatasetImage, Object
from epochal.datasets.parameters import SplitParameters
from epochal.datasets.splits import Split
from images import marked_with_orientation, marks_hold
from PIL import Image

sys.path.insert(0, str(YOLO.parent))

import comparison
import settings


@pytest.fixture(scope="module", autouse=True)
def ultralytics(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Offline, with its settings in a folder of ours."""
    settings.prepare(tmp_path_factory.mktemp("settings"), 0)
    import ultralytics

    return ultralytics


def test_trackers_whose_package_is_installed_are_told_nothing() -> None:
    from ultralytics.utils import SETTINGS

    SETTINGS.update({"mlflow": True})
    settings.without_integrations()
    assert [name for name in settings.INTEGRATIONS if SETTINGS.get(name, False)] == []
    assert "mlflow" in SETTINGS


def loaded(data: Path, part: str, task: str, **options: Any) -> Any:
    """ultralytics' own data set, without augmentation."""
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import ClassificationDataset, YOLODataset
    from ultralytics.data.utils import check_det_dataset

    if task == "classify":
        return ClassificationDataset(str(data / part), get_cfg(overrides={"imgsz": 64}), prefix=part)
    return YOLODataset(
        img_path=str(data.parent / "images" / part),
        data=check_det_dataset(str(data), autodownload=False),
        task=task,
        imgsz=96,
        augment=False,
        hyp=get_cfg(),
        **options,
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_marks_are_on_the_pixels_they_were_made_on(suffix: str, tmp_path: Path) -> None:
    marked_with_orientation(tmp_path / "data", suffix)
    data_set, split = checked(str(tmp_path / "data"), "detect", SplitParameters(split="random"))
    file = yolo_writing.write(data_set, split, tmp_path / "run", "detect")
    shown = 0
    for part in ("train", "val"):
        dataset = loaded(file, part, "detect")
        for item in (dataset[index] for index in range(len(dataset))):
            height, width = item["img"].shape[1:]
            x, y, w, h = (item["bboxes"][0] * torch.tensor([width, height, width, height])).tolist()
            assert marks_hold(item["img"].permute(1, 2, 0).numpy(), (x - w / 2, y - h / 2, w, h)), item["im_file"]
            shown += 1
    assert shown == 16


def test_an_object_of_parts_with_a_hole_is_one_instance(tmp_path: Path) -> None:
    """What is joined by seams is filled as it was marked, and the box is around all of it but the speck."""
    mask = np.zeros((96, 96), bool)
    mask[8:72, 8:72] = mask[80:92, 40:88] = mask[2, 90] = True
    mask[24:56, 24:56] = False
    Image.new("RGB", (96, 96)).save(tmp_path / "ring.png")
    one = Object("ring", Box(8, 2, 83, 90), bitmap=Bitmap(0, 0, mask))
    image = DatasetImage(tmp_path / "ring.png", "ring", 96, 96, objects=[one])
    data_set = DataSet("supervisely", tmp_path, ["ring"], [image])
    split = Split("random", {"train": [image], "val": [image]})
    item = loaded(yolo_writing.write(data_set, split, tmp_path / "run", "segment"), "train", "segment")[0]
    assert len(item["cls"]) == 1
    x, y, w, h = (item["bboxes"][0] * 96).tolist()
    assert (x - w / 2, y - h / 2, x + w / 2, y + h / 2) == pytest.approx((8, 8, 88, 92), abs=0.1)
    found, wanted = item["masks"][0].numpy().astype(bool), mask[2::4, 2::4]  # a mask has a quarter of the pixels
    assert found.shape == wanted.shape
    assert not found[8:13, 8:13].any()
    assert (found ^ wanted).sum() <= 12


@pytest.mark.parametrize("task", ["detect", "segment", "classify"])
@pytest.mark.parametrize("seed", range(4))
def test_every_image_and_object_is_loaded_or_named(task: str, seed: int, tmp_path: Path) -> None:
    """Images are damaged in ways that no header shows; the counts of what is told add up to what was promised."""
    chance = random.Random(f"{task}{seed}")
    source = tmp_path / "data"
    for index in range(12):
        noise = Image.effect_noise((40, 32), 80).convert("RGB")
        path = source / "images" / "train" / f"{index}{chance.choice(['.png', '.jpg'])}"
        path.parent.mkdir(parents=True, exist_ok=True)
        damage = chance.choice(["none", "none", "damaged", "tiny", "appended"]) if index else "none"
        (noise.resize((8, 8)) if damage == "tiny" else noise).save(path)
        content = bytearray(path.read_bytes())
        if damage == "damaged" and path.suffix == ".png":
            content[len(content) // 2] ^= 255
        elif damage == "appended":
            content += b"appended by a camera"
        path.write_bytes(content)
    names = sorted(path.name for path in (source / "images" / "train").iterdir())
    labels = source / "labels" / "train"
    labels.mkdir(parents=True)
    for name in names:
        row = "0 0.2 0.2 0.8 0.2 0.8 0.8 0.2 0.8\n" if task == "segment" else "0 0.5 0.5 0.4 0.4\n"
        (labels / name).with_suffix(".txt").write_text(row * chance.choice([1, 1, 2]) if name[0] != "3" else "")
    (source / "data.yaml").write_text("train: images/train\nval: images/train\nnames: [thing]\n")
    data_set = yolo.read(source)
    if task == "classify":
        for image in data_set.images:
            image.labels = ["thing"]
    split = Split("made", {"train": data_set.images[:12], "val": data_set.images[:1]})
    run = tmp_path / "run"
    if task == "classify":
        image_folder.write(data_set, split, run)
        file = run
    else:
        file = yolo_writing.write(data_set, split, run, task)
    wanted = comparison.promised(split, run, task)["train"]
    assert len(wanted) == 12
    dataset = loaded(file, "train", task)
    sentences = comparison.compare("train", wanted, dataset).sentences()
    there = (
        {Path(sample[0]).name for sample in dataset.samples}
        if task == "classify"
        else {Path(one).name for one in dataset.im_files}
    )
    gone = set(wanted) - there
    told = next((one for one in sentences if "images" in one and " discards " in one and "objects on" not in one), "")
    assert bool(told) == bool(gone)
    if gone:
        assert f"discards {len(gone)} of 12 train images" in told
        assert [name for name in gone if f"{name} (" not in told] == [], told  # each with its reason
    if task != "classify":
        rows = sum(len(label["cls"]) for label in dataset.labels)
        lost = sum(wanted[name] for name in there) - rows
        assert bool(lost) == any(f"discards {lost} of {sum(wanted.values())} objects" in one for one in sentences)
    for image in data_set.images:  # ultralytics repairs a JPEG in place: in the run's folder, not a person's
        assert not image.path.is_symlink()
        assert b"appended" in image.path.read_bytes() or image.path.read_bytes()[-2:] != b"ra"


def test_a_pose_without_a_flip_is_not_flipped(tmp_path: Path) -> None:
    """Mirrored, a left eye is a right eye: ultralytics must not mirror where nobody says which point becomes which."""
    source = tmp_path / "data"
    images, marks = [], []
    for index in range(6):
        path = source / "images" / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64)).save(path)
        images.append({"id": index + 1, "file_name": path.name, "width": 64, "height": 64})
        points = [16, 16, 2, 48, 16, 2, 32, 48, 2]
        marks.append(
            {"id": index + 1, "image_id": index + 1, "category_id": 1, "bbox": [8, 8, 48, 48], "keypoints": points}
        )
    categories = [{"id": 1, "name": "face", "keypoints": ["a", "b", "c"]}]
    (source / "annotations").mkdir()
    content = {"images": images, "annotations": marks, "categories": categories}
    (source / "annotations" / "person_keypoints.json").write_text(json.dumps(content))
    data_set, split = checked(str(source), "pose", SplitParameters())
    file = yolo_writing.write(data_set, split, tmp_path / "run", "pose")
    from ultralytics.cfg import get_cfg
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    hyp = get_cfg(overrides={"fliplr": 1.0, "mosaic": 0.0, "translate": 0.0, "scale": 0.0})
    data = check_det_dataset(str(file), autodownload=False)
    dataset = YOLODataset(
        img_path=str(tmp_path / "run" / "images" / "train"), data=data, task="pose", imgsz=64, augment=True, hyp=hyp
    )
    xs = dataset[0]["keypoints"][0, :, 0].tolist()
    assert xs == pytest.approx([0.25, 0.75, 0.5], abs=0.02), xs
