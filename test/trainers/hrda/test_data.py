"""The layouts that are known, class statistics, and what samples are made of."""

from __future__ import annotations

import random
from pathlib import Path

import inspection
import numpy as np
import pytest
import torch
from cityscapes import CLASSES as CITYSCAPES
from cityscapes import class_of_id
from class_statistics import ClassStatistics
from conftest import SMALL
from data_set import read_data_set
from domains import Domain, read_domain
from epochal import DataError
from epochal.datasets import supervisely
from epochal.datasets.masks import cropped
from epochal.datasets.model import Box, DataSet, DatasetImage, Object, Polygon
from epochal.datasets.splits import Split
from make_domains import CLASSES, make
from parameters import Parameters
from PIL import Image
from rare_classes import RareClassSampler
from samples import TrainingSamples, ValidationSamples


def image(path: Path, values: np.ndarray | int, size: tuple[int, int] = (40, 32)) -> None:
    """An image or a mask, with the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.full(size[::-1], values, np.uint8) if isinstance(values, int) else values
    Image.fromarray(array).save(path)


def statistics_of(domain: Domain) -> ClassStatistics:
    """Of all its masks, or as they were kept."""
    _, statistics = inspection.counted(domain, "source")
    assert statistics is not None
    return statistics


def test_domains_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    one, same, other = (
        make(tmp_path / name, source=2, target=2, validation=2, size=48, seed=seed)
        for name, seed in (("one", 3), ("same", 3), ("other", 4))
    )
    for file in sorted(path.relative_to(one) for path in one.rglob("*.png")):
        assert (one / file).read_bytes() == (same / file).read_bytes()
        assert (one / file).read_bytes() != (other / file).read_bytes()
    assert not (one / "target" / "labels").exists()


def test_folders(domains: Path) -> None:
    data = read_data_set(str(domains), Parameters(**SMALL))
    assert data.source.layout == "folders"
    assert data.source.classes == CLASSES
    assert (len(data.source), len(data.target), len(data.validation)) == (12, 8, 5)
    assert str(data).startswith("8 classes; 12 images of the source (folders), 8 of the target, 5")


def test_cityscapes_and_gta(tmp_path: Path) -> None:
    ids = np.zeros((32, 40), np.uint8)
    ids[:, 10:20], ids[:, 20:30], ids[:, 30:] = 7, 33, 34
    for split, town in (("train", "aachen"), ("val", "munster")):
        image(
            tmp_path / "cs" / "leftImg8bit" / split / town / f"{town}_1_leftImg8bit.png",
            np.zeros((32, 40, 3), np.uint8),
        )
        image(tmp_path / "cs" / "gtFine" / split / town / f"{town}_1_gtFine_labelIds.png", ids)
    image(tmp_path / "gta" / "images" / "00001.png", np.zeros((32, 40, 3), np.uint8))
    image(tmp_path / "gta" / "labels" / "00001.png", ids)
    image(tmp_path / "gta" / "images" / "00002.png", np.zeros((32, 40, 3), np.uint8))
    image(tmp_path / "gta" / "labels" / "00002_labelTrainIds.png", 5)
    data = read_data_set(str(tmp_path), Parameters(**{**SMALL, "source": "gta", "target": "cs", "validation": "cs"}))
    assert (data.source.layout, data.target.layout) == ("gta", "cityscapes")
    assert data.source.classes == data.validation.classes == CITYSCAPES
    assert data.target.entries[0].name == "aachen_1"
    assert data.validation.entries[0].name == "munster_1"
    for labels in (data.source.labels(0), data.validation.labels(0)):
        assert [int(labels[0, column]) for column in (0, 10, 20, 30)] == [255, 0, 18, 255]
    assert set(data.source.labels(1).flat) == {5}
    image(tmp_path / "cs" / "gtFine" / "val" / "munster" / "munster_1_gtFine_labelTrainIds.png", 3)
    again = read_domain(tmp_path / "cs", "validation")
    assert set(again.labels(0).flat) == {3}  # what has been converted goes first
    assert sorted(set(class_of_id().tolist())) == [*range(19), 255]


def test_supervisely_bitmaps_and_polygons(tmp_path: Path) -> None:
    mask = np.zeros((32, 40), bool)
    mask[4:20, 6:30] = True
    file = tmp_path / "raw.png"
    image(file, np.zeros((32, 40, 3), np.uint8))
    ring = [(10.0, 10.0), (20.0, 10.0), (20.0, 15.0), (10.0, 15.0)]
    hole = [(12.0, 12.0), (16.0, 12.0), (16.0, 13.0), (12.0, 13.0)]
    objects = [
        Object("wall", Box(6, 4, 24, 16), bitmap=cropped(mask)),
        Object("door", Box(10, 10, 10, 5), polygons=[Polygon(ring, [hole])]),
    ]
    one = DatasetImage(file, "raw", 40, 32, objects=objects)
    data_set = DataSet("coco", tmp_path, ["door", "wall"], [one])
    for role in ("source", "target", "validation"):
        supervisely.write(data_set, Split("made", {"ds": [one]}), tmp_path / "data" / role)
    data = read_data_set(str(tmp_path / "data"), Parameters(**SMALL))
    assert data.source.classes == ["door", "wall"]
    labels = data.source.labels(0)
    assert labels[5, 7] == 1
    assert labels[11, 11] == 0  # what comes later covers what was before
    assert labels[12, 13] == 1  # through the hole
    assert labels[0, 0] == 255
    whole = read_data_set(str(tmp_path / "data"), Parameters(**SMALL, unmarked="background"))
    assert whole.source.classes == ["background", "door", "wall"]
    assert whole.validation.labels(0)[0, 0] == 0
    assert whole.validation.labels(0)[5, 7] == 2
    assert len(whole.target) == 1


def test_validation_with_classes_in_another_order(tmp_path: Path) -> None:
    data = make(tmp_path / "domains", source=2, target=1, validation=1, size=48)
    before = read_data_set(str(data), Parameters(**SMALL)).validation.labels(0)
    turned = list(reversed(CLASSES))
    (data / "validation" / "classes.txt").write_text("\n".join(turned))
    path = data / "validation" / "labels" / "0000.png"
    image(path, (len(CLASSES) - 1 - before).astype(np.uint8))
    assert (read_data_set(str(data), Parameters(**SMALL)).validation.labels(0) == before).all()


def test_class_statistics_are_counted_once(domains: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = read_domain(domains / "source", "source")
    counted = statistics_of(domain)
    for index in range(len(domain)):
        labels = domain.labels(index)
        assert counted.counts[index].tolist() == [int((labels == one).sum()) for one in range(len(CLASSES))]
    assert counted.frequencies.sum() == pytest.approx(1)
    monkeypatch.setattr(domain, "labels", lambda index: pytest.fail("counted again"))
    assert (statistics_of(domain).counts == counted.counts).all()
    monkeypatch.undo()
    edited = domain.entries[0].annotation
    before = edited.read_bytes()
    try:
        image(edited, 0, (72, 72))
        assert statistics_of(domain).counts[0].tolist() == [72 * 72, *[0] * 7]
    finally:
        edited.write_bytes(before)


def test_statistics_of_another_data_set_are_refused(tmp_path: Path) -> None:
    ClassStatistics(np.ones((3, 2))).save(tmp_path)
    with pytest.raises(DataError, match="had 3 × 2 images and classes when this run began, and has 4 × 2 now"):
        ClassStatistics(np.ones((4, 2))).load(tmp_path)


def test_rare_classes_are_in_the_crops(domains: Path) -> None:
    domain = read_domain(domains / "source", "source")
    statistics = statistics_of(domain)

    def seen(**options: object) -> float:
        random.seed(0)
        samples = TrainingSamples(1, domain, None, crop=32, largest_part=1, **options)  # type: ignore[arg-type]
        crops = [samples[0]["labels"] for _ in range(60)]
        return sum(float((crop == rarest).float().mean()) for crop in crops)

    occurring = np.flatnonzero(statistics.frequencies)
    rarest = int(occurring[statistics.frequencies[occurring].argmin()])
    sampler = RareClassSampler(statistics, 0.001, 5)
    assert seen(rare_classes=sampler, rare_pixels=5) > 1.5 * seen()


def test_samples(domains: Path) -> None:
    data = read_data_set(str(domains), Parameters(**SMALL))
    random.seed(1)
    plain = TrainingSamples(4, data.source, data.target, crop=40, flip=False, margins=(10, 0, 0, 20))
    assert len(plain) == 4
    one = plain[0]
    assert {name: tuple(value.shape) for name, value in one.items()} == {
        "images": (3, 40, 40),
        "labels": (40, 40),
        "target": (3, 40, 40),
        "trusted": (40, 40),
    }
    assert one["images"].dtype == one["labels"].dtype == torch.uint8
    trusted = [plain[0]["trusted"] for _ in range(20)]
    assert any(not crop[0].any() and crop[-1].any() for crop in trusted)
    assert any(not crop[:, -1].any() and crop.any() for crop in trusted)
    larger = TrainingSamples(1, data.source, data.target, crop=96, margins=(0, 0, 0, 0))[0]
    assert (larger["labels"] == 255).sum() == 96 * 96 - 72 * 72  # beside the image
    assert larger["trusted"].sum() == 72 * 72
    scaled = TrainingSamples(1, data.source, data.target, crop=96, source_width=128, target_width=100)[0]
    assert (scaled["labels"] != 255).all()
    without = TrainingSamples(1, data.source, None, crop=40)[0]
    assert set(without) == {"images", "labels"}


def test_flips_turn_both(domains: Path) -> None:
    domain = read_domain(domains / "source", "source")
    random.seed(0)
    samples = TrainingSamples(1, domain, None, crop=72, flip=True, largest_part=1)
    whole = {domain.labels(index).tobytes(): index for index in range(len(domain))}
    turned = {domain.labels(index)[:, ::-1].tobytes(): index for index in range(len(domain))}
    kinds = set()
    for _ in range(30):
        one = samples[0]
        key = one["labels"].numpy().tobytes()
        is_turned = key not in whole
        image_of = np.asarray(domain.image((turned if is_turned else whole)[key]))
        expected = image_of[:, ::-1] if is_turned else image_of
        assert (one["images"].permute(1, 2, 0).numpy() == expected).all()
        kinds.add(is_turned)
    assert kinds == {True, False}


def test_validation_samples_are_whole(domains: Path) -> None:
    domain = read_domain(domains / "validation", "validation")
    one = ValidationSamples(domain, 32)[2]
    assert tuple(one["images"].shape) == (3, 32, 32)
    assert tuple(one["labels"].shape) == (72, 72)
    assert one["names"] == "0002"
