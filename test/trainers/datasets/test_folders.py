"""Links are followed and end, and what tools leave behind is not part of a data set, wherever it lies."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pytest
from conftest import Make
from epochal import DataReport
from epochal.datasets import image_folder, reading
from epochal.datasets.checking import checked
from epochal.datasets.images import images_in
from epochal.datasets.junk import is_junk
from epochal.datasets.model import DataSet, Findings
from epochal.datasets.parameters import SplitParameters
from make_shapes import FORMATS

JUNK_FOLDERS = ("__MACOSX", ".ipynb_checkpoints", "@eaDir", ".git", "$RECYCLE.BIN")
JUNK_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")


def _content(data_set: DataSet) -> list[tuple[object, ...]]:
    return [
        (one.path, one.split, one.labels, one.tags, [(marked.class_name, marked.box) for marked in one.objects])
        for one in data_set.images
    ]


@pytest.mark.parametrize("kind", FORMATS)
def test_junk_anywhere_changes_nothing(shapes: Make, kind: str) -> None:
    folder = shapes(kind)
    before = reading.read(folder)
    numbers = random.Random(kind)
    places = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    files = [path for path in folder.rglob("*") if path.is_file()]
    for place in places:
        (place / numbers.choice(JUNK_FILES)).write_bytes(b"junk")
        (place / f"._{numbers.choice(files).name}").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X")
        copy = place / numbers.choice(JUNK_FOLDERS) / numbers.choice(("cat", "img", "train"))
        copy.mkdir(parents=True)
        shutil.copy(numbers.choice(files), copy)
    after = reading.read(folder)
    assert (after.kind, after.classes) == (before.kind, before.classes)
    assert _content(after) == _content(before)
    assert {one.kind for one in after.findings} <= {"junk"}
    if kind == "images":
        assert [one.count for one in after.findings] == [3 * len(places)]


@pytest.mark.parametrize(
    ("name", "junk"), [("._a.jpg", True), ("THUMBS.DB", True), ("__macosx", True), ("a.jpg", False), ("_a", False)]
)
def test_junk(name: str, junk: bool) -> None:
    assert is_junk(name) is junk


def _tree(folder: Path, numbers: random.Random) -> tuple[set[Path], list[Path]]:
    """Images in nested folders; answers them and the folders."""
    folders, images = [folder], set()
    folder.mkdir()
    for index in range(numbers.randint(1, 12)):
        here = numbers.choice(folders) / f"d{index}"
        here.mkdir()
        folders.append(here)
    for index in range(numbers.randint(0, 20)):
        path = numbers.choice(folders) / f"{index}.jpg"
        path.write_bytes(b"")
        images.add(path)
    return images, folders


@pytest.mark.parametrize("seed", range(30))
def test_links_are_followed_once(tmp_path: Path, seed: int) -> None:
    """However folders are linked to each other, each image of theirs is found, once, and the search ends."""
    numbers = random.Random(seed)
    images, folders = _tree(tmp_path / "data", numbers)
    beyond, outside = _tree(tmp_path / "beyond", numbers)
    reached = numbers.random() < 0.5
    broken = []
    for index in range(8):
        place = numbers.choice(folders + (outside if reached else []))
        target = numbers.choice([*folders, tmp_path, tmp_path / f"gone{index}"])
        name = place / f"l{index}"
        name.symlink_to(os.path.relpath(target, place) if numbers.random() < 0.5 else target)
        if target.name.startswith("gone"):
            broken.append(name)
    if reached:
        (folders[-1] / "beyond").symlink_to(tmp_path / "beyond")
    findings = Findings()
    found = images_in(tmp_path / "data", findings)
    wanted = images | (beyond if reached else set())
    assert sorted(map(os.path.realpath, found)) == sorted(map(str, wanted))
    count = sum(one.count for one in findings if one.kind == "broken link")
    assert count == len(broken)


def test_a_broken_link_is_named(tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").symlink_to("/nowhere/cat.jpg")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    (tmp_path / "notes.txt").symlink_to("/nowhere/notes.txt")
    findings = Findings()
    assert images_in(tmp_path, findings) == []
    assert findings.sentences() == [
        f"broken link: {tmp_path}/cat.jpg is a link to /nowhere/cat.jpg, which is not there (and 1 more)"
    ]


def test_images_that_are_not_read_are_told(tmp_path: Path) -> None:
    for name in ("a.heic", "b.GIF", "c.txt"):
        (tmp_path / name).write_bytes(b"")
    findings = Findings()
    assert images_in(tmp_path, findings) == []
    assert [(one.kind, one.count) for one in findings] == [("image format not read", 2)]


def test_names_that_are_not_text_are_names_all_the_same(shapes: Make, tmp_path: Path) -> None:
    folder = shapes("images")
    first, *_ = sorted(path for path in folder.rglob("*") if path.is_dir() and not any(path.glob("*/")))
    strange = first.rename(first.with_name(os.fsdecode(b"\xff\xfe")))
    image = next(strange.iterdir())
    image.rename(image.with_name(os.fsdecode(b"\xfd.png")))
    (strange / os.fsdecode(b"\xfc.gif")).touch()
    told: list[DataReport] = []
    data_set, chosen = checked(str(folder), "classify", SplitParameters(split="random"), tell=told.append)
    assert strange.name in data_set.classes
    image_folder.write(data_set, chosen, tmp_path / "written")
    assert json.dumps(told[0].as_json(), ensure_ascii=False).encode()
