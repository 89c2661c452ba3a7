"""A large data set is read once, and again where anything about it is different."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Make
from epochal.datasets import checking, headers, memory, reading
from epochal.datasets.checking import examine
from epochal.datasets.parameters import SplitParameters
from epochal.errors import DataError
from epochal.trainer import Check


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_LARGE", 2)
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was read of a data set: `all` for each time, and the names of images that were opened."""
    told: list[str] = []
    read, read_header = reading.read, headers._read_header

    def counted(*args: Any) -> Any:
        told.append("all")
        return read(*args)

    def counted_header(path: Path, *rest: Any) -> Any:
        told.append(path.name)
        return read_header(path, *rest)

    monkeypatch.setattr(checking.reading, "read", counted)
    monkeypatch.setattr(headers, "_read_header", counted_header)
    return told


def _said(folder: Path, **how: Any) -> Any:
    check = Check(seed=how.pop("seed", 0))
    try:
        examine(check, str(folder), how.pop("task", "detect"), SplitParameters(**how))
    except DataError as error:
        return str(error)
    assert check.data_report is not None
    return check.data_report.as_json()


def test_a_check_is_remembered(shapes: Make, reads: list[str]) -> None:
    folder = shapes("coco")
    first = _said(folder)
    assert reads.count("all") == 1
    assert _said(folder) == first
    assert reads.count("all") == 1


def test_what_was_refused_is_refused_again(shapes: Make, reads: list[str]) -> None:
    folder = shapes("coco")
    next((folder / "images" / "train").iterdir()).unlink()
    first = _said(folder)
    assert "missing image" in first
    assert _said(folder) == first
    assert reads.count("all") == 1


@pytest.mark.parametrize("other", [{"seed": 1}, {"task": "segment"}, {"validation_fraction": 0.5}])
def test_another_question_is_another_check(shapes: Make, reads: list[str], other: dict[str, Any]) -> None:
    folder = shapes("coco")
    _said(folder)
    _said(folder, **other)
    assert reads.count("all") == 2
    # The images are the same ones.
    assert len(reads) == 2 + 12


def _one(folder: Path) -> Path:
    return sorted((folder / "images" / "train").iterdir())[0]


def _edited(folder: Path) -> None:
    file = folder / "annotations" / "train.json"
    content = json.loads(file.read_text())
    del content["annotations"][0]
    file.write_text(json.dumps(content))


def _as_large_as_before(folder: Path) -> None:
    file = _one(folder)
    file.write_bytes(file.read_bytes()[:-8] + b"\0" * 8)
    os.utime(file, ns=(1, 1))


def _linked(folder: Path) -> None:
    file = _one(folder)
    file.rename(folder.parent / file.name)
    file.symlink_to(folder.parent / file.name)
    _said(folder)
    os.utime(folder.parent / file.name, ns=(1, 1))


@pytest.mark.parametrize(
    "change",
    [
        _edited,
        _as_large_as_before,
        _linked,
        lambda folder: _one(folder).unlink(),
        lambda folder: (folder / "images" / "train" / "new.png").write_bytes(_one(folder).read_bytes()),
    ],
    ids=["an annotation", "an image", "behind a link", "one less", "one more"],
)
def test_another_file_is_another_data_set(shapes: Make, reads: list[str], change: Callable[[Path], object]) -> None:
    folder = shapes("coco")
    _said(folder)
    change(folder)
    before = reads.count("all")
    again = _said(folder)
    assert reads.count("all") == before + 1
    memory_of_it, reads[:] = again, []
    assert _said(folder) == memory_of_it
    assert reads == []


def test_only_images_that_changed_are_opened_again(shapes: Make, reads: list[str]) -> None:
    folder = shapes("coco")
    _said(folder)
    reads.clear()
    _as_large_as_before(folder)
    assert "unreadable image" in _said(folder)
    assert reads == ["all", _one(folder).name]


def test_a_cache_that_cannot_be_used_is_none(shapes: Make, reads: list[str], tmp_path: Path) -> None:
    folder = shapes("coco")
    first = _said(folder)
    for content in (b"{", b"[1]", b'{"stamp": 1}', b"\xff"):
        for file in (tmp_path / "cache").rglob("*.json"):
            file.write_bytes(content)
        assert _said(folder) == first
    assert reads.count("all") == 5
    for file in (tmp_path / "cache").rglob("*.json"):
        file.unlink()
        file.mkdir()
    assert _said(folder) == first


def test_a_data_set_that_changes_while_it_is_read_is_not_remembered(
    shapes: Make, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shapes("coco")
    report_of = checking.report_of

    def late(*args: Any, **more: Any) -> Any:
        _one(folder).touch()
        return report_of(*args, **more)

    monkeypatch.setattr(checking, "report_of", late)
    _said(folder)
    _said(folder)
    assert reads.count("all") == 2
