"""The same data, seed and rule give the same split everywhere."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from conftest import Make
from epochal.datasets import reading
from epochal.datasets.model import DataSet, Picture
from epochal.datasets.splits import split, split_name
from epochal.errors import DataError


def _data_set(pictures: list[Picture]) -> DataSet:
    return DataSet("images", Path("somewhere"), ["a", "b"], pictures)


def _pictures(count: int, **fields: object) -> list[Picture]:
    return [Picture(Path(f"{index}.png"), f"p{index}", 8, 8, **fields) for index in range(count)]  # type: ignore[arg-type]


def test_random_by_seed() -> None:
    pictures = _pictures(50)
    one = split(_data_set(pictures), "random", seed=3)
    assert [len(part) for part in one.parts.values()] == [40, 10]
    shuffled = random.Random(0).sample(pictures, 50)
    assert split(_data_set(shuffled), "random", seed=3).sha256 == one.sha256  # the order of the files is of no account
    assert split(_data_set(pictures), "random", seed=4).sha256 != one.sha256
    assert one.sha256 in str(one)


def test_random_takes_of_each_class() -> None:
    pictures = [Picture(Path(), f"p{index}", 8, 8, labels=["a" if index < 90 else "b"]) for index in range(100)]
    chosen = split(_data_set(pictures), "random", fraction=0.2)
    assert [picture.labels[0] for picture in chosen.parts["val"]].count("b") == 2


def test_by_folder(shapes: Make) -> None:
    data_set = reading.read(shapes("yolo"))
    chosen = split(data_set)
    assert chosen.by == "folder"
    assert {picture.path.parent.name for picture in chosen.parts["val"]} == {"val"}


def test_by_tag() -> None:
    pictures = _pictures(4)
    for picture, tag in zip(pictures, ["train", "subset:val", "other", "train"], strict=True):
        picture.tags = [tag]
    chosen = split(_data_set(pictures))
    assert chosen.by == "tag"
    assert [picture.name for picture in chosen.parts["val"]] == ["p1"]
    assert [picture.name for picture in chosen.parts["train"]] == ["p0", "p3"]


def test_an_empty_split() -> None:
    with pytest.raises(DataError, match="the train split of somewhere is empty"):
        split(_data_set(_pictures(4)), "folder")
    with pytest.raises(DataError, match="the val split of somewhere is empty"):
        split(_data_set(_pictures(1)), "random")


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
