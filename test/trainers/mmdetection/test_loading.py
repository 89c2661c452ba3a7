"""What mmdet loads of what was written for it: marks on the pixels they were made on, and a word on the rest."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MMDET
from epochal.datasets import coco
from epochal.datasets.checking import checked
from epochal.datasets.model import Box, DataSet, DatasetImage, Object, Polygon
from epochal.datasets.parameters import SplitParameters
from epochal.datasets.splits import Split
from images import marked_with_orientation, marks_hold
from PIL import Image

sys.path.insert(0, str(MMDET.parent))

import comparison


def loaded(folder: Path, part: str, classes: list[str], **options: Any) -> Any:
    """mmdet's own data set, without augmentation."""
    from mmdet.registry import DATASETS
    from mmdet.utils import register_all_modules

    register_all_modules(init_default_scope=True)
    return DATASETS.build(
        {
            "type": "CocoDataset",
            "metainfo": {"classes": tuple(classes)},
            "data_root": str(folder),
            "ann_file": f"annotations/{part}.json",
            "data_prefix": {"img": f"images/{part}/"},
            "pipeline": [
                {"type": "LoadImageFromFile"},
                {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True},
                {"type": "Resize", "scale": (96, 96), "keep_ratio": True},
                {"type": "PackDetInputs"},
            ],
            **options,
        }
    )


@pytest.fixture(scope="module", autouse=True)
def operators() -> None:
    """mmcv-lite has none; importing mmdet asks for them."""
    import compiled_operators

    if not compiled_operators.are_compiled():
        import operators_stand_in

        operators_stand_in.install()


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_marks_are_on_the_pixels_they_were_made_on(suffix: str, tmp_path: Path) -> None:
    marked_with_orientation(tmp_path / "data", suffix)
    data_set, split = checked(str(tmp_path / "data"), "segment", SplitParameters(split="random"))
    coco.write(data_set, split, tmp_path / "run", "segment")
    shown = 0
    for part in ("train", "val"):
        dataset = loaded(tmp_path / "run", part, data_set.classes)
        for item in (dataset[index] for index in range(len(dataset))):
            image = item["inputs"].permute(1, 2, 0).numpy()[..., ::-1]
            instances = item["data_samples"].gt_instances
            x0, y0, x1, y1 = instances.bboxes.tensor[0].tolist()
            assert marks_hold(image, (x0, y0, x1 - x0, y1 - y0)), item["data_samples"].img_path
            mask = instances.masks.to_ndarray()[0].astype(bool)
            red = (image[..., 0].astype(int) - image[..., 1].astype(int)) > 70
            assert (mask & red).sum() / (mask | red).sum() > 0.85
            shown += 1
    assert shown == 16


@pytest.mark.parametrize("seed", range(6))
def test_every_image_and_object_is_loaded_or_named(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    images = []
    for index in range(12):
        size = chance.choice([(40, 48), (40, 48), (20, 48), (31, 31), (32, 32)]) if index else (40, 48)
        path = tmp_path / "data" / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", size).save(path)
        image = DatasetImage(path, str(index), *size)
        for _ in range(chance.choice([0, 1, 2]) if index else 1):
            box = chance.choice([Box(2, 2, 10, 10), Box(2, 2, 10, 10), Box(3, 3, 0.6, 9)]) if index else Box(2, 2, 9, 9)
            x, y, width, height = box
            ring = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
            image.objects.append(Object("thing", box, polygons=chance.choice([[], [Polygon(ring)]])))
        images.append(image)
    data_set = DataSet("coco", tmp_path, ["thing"], images)
    split = Split("made", {"train": images, "val": images[:1]})
    coco.write(data_set, split, tmp_path / "run", "segment")
    wanted = comparison.promised(split)["train"]
    rules = {"filter_empty_gt": True, "min_size": 32}
    inner = {"type": "CocoDataset", **_paths(tmp_path / "run"), "filter_cfg": rules, "pipeline": []}
    dataset = _wrapped(inner) if seed % 2 else loaded(tmp_path / "run", "train", ["thing"], filter_cfg=rules)
    sentences = comparison.compare("train", wanted, dataset).sentences()
    innermost = dataset.dataset if seed % 2 else dataset
    infos = [innermost.get_data_info(index) for index in range(len(innermost))]
    there = {Path(info["img_path"]).name: len(info["instances"]) for info in infos}
    gone = [name for name in wanted if name not in there]
    lost = sum(wanted[name] - count for name, count in there.items())
    assert bool(gone) == any(f"mmdet discards {len(gone)} of 12 train images" in one for one in sentences)
    assert [name for name in gone if f"{name} (" not in sentences[0]] == []
    assert bool(lost) == any(f"discards {lost} of {sum(wanted.values())} objects" in one for one in sentences)
    if seed % 2 == 0:
        assert all(
            np.isfinite(item["inputs"].numpy()).all() for item in (dataset[index] for index in range(len(dataset)))
        )


def _paths(folder: Path) -> dict[str, Any]:
    return {
        "metainfo": {"classes": ("thing",)},
        "data_root": str(folder),
        "ann_file": "annotations/train.json",
        "data_prefix": {"img": "images/train/"},
    }


def _wrapped(inner: dict[str, Any]) -> Any:
    from mmdet.registry import DATASETS
    from mmdet.utils import register_all_modules

    register_all_modules(init_default_scope=True)
    return DATASETS.build({"type": "RepeatDataset", "times": 2, "dataset": inner})
