"""The same image under several names is found, whatever its split; and what was read once is not read again."""

from __future__ import annotations

import random
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
from conftest import Make
from epochal.datasets import duplicates, reading
from epochal.datasets.model import DataSet, DatasetImage
from epochal.datasets.splits import split


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _files(folder: Path, numbers: random.Random) -> DataSet:
    """Files of a few sizes, whose middles are often alike, and whose contents are sometimes."""
    folder.mkdir(exist_ok=True)
    images = []
    for index in range(numbers.randint(0, 60)):
        middle = bytes([numbers.randint(0, 1)]) * 9000
        path = folder / f"{index}.jpg"
        path.write_bytes(
            bytes([numbers.randint(0, 2)]) + middle + bytes([numbers.randint(0, 2)]) * numbers.randint(1, 2)
        )
        images.append(DatasetImage(path, str(index), 8, 8, split=numbers.choice(["train", "val", "test", None])))
    return DataSet("yolo", folder, ["a"], images)


@pytest.mark.parametrize("seed", range(20))
def test_those_of_equal_content(tmp_path: Path, seed: int) -> None:
    data_set = _files(tmp_path / "data", random.Random(seed))
    groups = defaultdict(list)
    for image in data_set.images:
        groups[image.path.read_bytes()].append(image)
    steps: list[tuple[int, int]] = []
    found = duplicates.find(data_set.images, lambda done, of: steps.append((done, of)))
    assert sum(one.count for one in found) == sum(len(group) - 1 for group in groups.values())
    across = 0
    for group in groups.values():
        first, *others = sorted(group, key=lambda image: str(image.path))
        across += sum(bool(first.split and one.split and first.split != one.split) for one in others)
    assert next((one.count for one in found if one.kind == "duplicate across splits"), 0) == across
    assert all(done <= of for done, of in steps)
    assert steps == sorted(steps)
    assert not steps or steps[-1][0] == steps[-1][1]


def test_a_leak_is_named(shapes: Make) -> None:
    folder = shapes("yolo")
    train, val = folder / "images" / "train", folder / "images" / "val"
    leaked = sorted(train.iterdir())[0]
    shutil.copy(leaked, val / "again.png")
    data_set = reading.read(folder)
    (finding,) = duplicates.find(data_set.images)
    assert finding.kind == "duplicate across splits"
    assert finding.first == f"{leaked} in train is the same image as {val / 'again.png'} in val"


def test_a_draw_can_leak(tmp_path: Path) -> None:
    """Two copies in one folder are a leak where the draw parts them."""
    for index in range(10):
        (tmp_path / f"{index}.jpg").write_bytes(b"the same")
    images = [DatasetImage(path, path.stem, 8, 8) for path in sorted(tmp_path.glob("*.jpg"))]
    data_set = DataSet("yolo", tmp_path, ["a"], images)
    assert [one.kind for one in duplicates.find(data_set.images)] == ["duplicate image"]
    found = duplicates.find(data_set.images, chosen=split(data_set, "random"))
    assert {"duplicate across splits"} <= {one.kind for one in found}


def test_what_has_not_changed_is_not_read_again(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_set = _files(tmp_path / "data", random.Random(0))
    assert duplicates.find(data_set.images).sentences()
    changed = data_set.images[0].path
    changed.write_bytes(b"another")
    read: list[Path] = []
    digest = duplicates._digest
    monkeypatch.setattr(duplicates, "_digest", lambda path, whole: read.append(path) or digest(path, whole))
    again = duplicates.find(data_set.images).sentences()
    assert set(read) <= {changed}
    shutil.rmtree(cache)
    cache.write_text("no folder")  # a cache that cannot be made
    assert duplicates.find(data_set.images).sentences() == again
    cache.unlink()
    (cache / "data-sets").mkdir(parents=True)
    (cache / "data-sets" / "digests.sqlite").write_bytes(b"not a database" * 100)
    assert duplicates.find(data_set.images).sentences() == again
