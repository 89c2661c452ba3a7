"""The same data, seed and rule give the same split everywhere."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Make
from epochal.datasets import reading
from epochal.datasets.model import DataSet, DatasetImage
from epochal.datasets.splits import SplitBy, split, split_name
from epochal.errors import DataError
from make_shapes import FORMATS


def _data_set(images: list[DatasetImage]) -> DataSet:
    return DataSet("images", Path("somewhere"), ["a", "b"], images)


def _images(count: int, **fields: object) -> list[DatasetImage]:
    return [DatasetImage(Path(f"{index}.png"), f"p{index}", 8, 8, **fields) for index in range(count)]  # type: ignore[arg-type]


def test_random_by_seed() -> None:
    images = _images(50)
    one = split(_data_set(images), "random", seed=3)
    assert [len(part) for part in one.parts.values()] == [40, 10]
    shuffled = random.Random(0).sample(images, 50)
    assert split(_data_set(shuffled), "random", seed=3).sha256 == one.sha256  # the order of the files is of no account
    assert split(_data_set(images), "random", seed=4).sha256 != one.sha256
    assert one.sha256 in str(one)


def test_random_takes_of_each_class() -> None:
    images = [
        DatasetImage(Path(f"{index}"), f"p{index}", 8, 8, labels=["a" if index < 90 else "b"]) for index in range(100)
    ]
    chosen = split(_data_set(images), "random", fraction=0.2)
    assert [image.labels[0] for image in chosen.parts["val"]].count("b") == 2


def test_by_folder(shapes: Make) -> None:
    data_set = reading.read(shapes("yolo"))
    chosen = split(data_set)
    assert chosen.by == "folder"
    assert {image.path.parent.name for image in chosen.parts["val"]} == {"val"}


def test_by_tag() -> None:
    images = _images(4)
    for image, tag in zip(images, ["train", "subset:val", "other", "train"], strict=True):
        image.tags = [tag]
    chosen = split(_data_set(images))
    assert chosen.by == "tag"
    assert [image.name for image in chosen.parts["val"]] == ["p1"]
    assert [image.name for image in chosen.parts["train"]] == ["p0", "p3"]


@pytest.mark.parametrize("rule", ["auto", "folder", "tag", "random"])
@pytest.mark.parametrize("seed", range(10))
def test_what_is_in_test_is_neither_trained_on_nor_validated_with(rule: SplitBy, seed: int) -> None:
    """Whatever folders and tags say of the others; and what is in no part is counted."""
    numbers = random.Random(seed)
    names = ["train", "train2017", "val", "valid", "test", "Test_1", "other", None]
    images = _images(60)
    for image in images:
        image.split = numbers.choice(names)
        image.tags = [name for name in numbers.choices(names, k=2) if name]
    images += [replace(image, name=f"{image.name} again", split="train") for image in images[:9]]
    chosen = split(_data_set(images), rule, seed=seed)
    used = [image for part in chosen.parts.values() for image in part]
    by_folder = {image.path for image in images if split_name(image.split or "") == "test"}
    by_tag = {image.path for image in images if "test" in map(split_name, image.tags)}
    tests = {"folder": by_folder, "tag": by_tag, "random": by_folder | by_tag}[chosen.by]
    assert not tests & {image.path for image in used}
    assert len(used) + sum(chosen.set_aside.values()) == len(images)
    if chosen.by == "random":
        train, val = ({image.path for image in part} for part in chosen.parts.values())
        assert not train & val


@pytest.mark.parametrize("kind", FORMATS)
def test_a_test_split_of_any_format(shapes: Make, kind: str) -> None:
    """Where there is a test split and none to validate with, validation is drawn of the rest."""
    folder = shapes(kind)
    for path in sorted(folder.rglob("val*"), reverse=True):
        path.rename(path.with_name(path.name.replace("val", "test")))
    for file in (*folder.rglob("*.json"), *folder.glob("data.yaml")):
        file.write_text(file.read_text().replace('"val"', '"test"').replace("val: images/val", "test: images/test"))
    data_set = reading.read(folder)
    tests = {image.name for image in data_set.images if image.split == "test"}
    chosen = split(data_set)
    assert chosen.by == "random"
    assert chosen.set_aside == {"test": len(tests)}
    assert tests
    assert not tests & {image.name for part in chosen.parts.values() for image in part}


def test_an_empty_split() -> None:
    with pytest.raises(DataError, match="the train split of somewhere is empty"):
        split(_data_set(_images(4)), "folder")
    with pytest.raises(DataError, match="the val split of somewhere is empty"):
        split(_data_set(_images(1)), "random")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("train2017", "train"),
        ("instances_val2017", "val"),
        ("valid", "val"),
        ("TEST", "test"),
        ("trains", None),
        ("data", None),
    ],
)
def test_names(text: str, name: str | None) -> None:
    assert split_name(text) == name
