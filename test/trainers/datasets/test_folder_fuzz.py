"""Whatever happened to a YOLO data set or to folders of images, it is read or refused in a sentence, in little time.

`EPOCHAL_FUZZ_INPUTS` says how many inputs are tried, and `EPOCHAL_FUZZ_SEED` which.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import assert_one_can_act_upon
from epochal import DataReport
from epochal.datasets import image_folder, yolo_writing
from epochal.datasets.checking import checked
from epochal.datasets.parameters import SplitParameters
from epochal.errors import DataError
from PIL import Image

INPUTS = int(os.environ.get("EPOCHAL_FUZZ_INPUTS", "100"))
SEED = os.environ.get("EPOCHAL_FUZZ_SEED", "0")
OBJECTS = ["0 0.5 0.5 0.2 0.2", "1 0.1 0.1 0.6 0.1 0.6 0.6", "2 0.2 0.2 0.1 0.1"]
POSES = ["0 0.5 0.5 0.4 0.4 0.4 0.4 2 0.6 0.4 1 0 0 0", "2 0.4 0.4 0.2 0.2 0.4 0.4 2 0.6 0.4 1 0.1 0.1 0"]
CONFIG: dict[str, Any] = {
    "path": ".",
    "train": "images/train",
    "val": ["images/val"],
    "test": "lists/test.txt",
    "nc": 3,
    "names": {0: "a", 1: "b", 2: "c"},
}
KEYPOINTS: dict[str, Any] = {"kpt_shape": [3, 3], "flip_idx": [1, 0, 2], "kpt_names": {0: ["left", "right", "top"]}}
VALUES: list[Any] = [
    *(
        None,
        True,
        -1,
        0,
        1,
        5,
        1.5,
        10**30,
        float("nan"),
        float("inf"),
        "",
        "no",
        "x" * 5000,
        "../../../etc",
        "\0",
        "/",
    ),
    *(
        [],
        {},
        [[]],
        [None],
        {"id": 1},
        {1: "a"},
        {"1": "a", 1: "b"},
        [1, "2", None],
        ["a"] * 50,
        "images",
        "images/train",
    ),
    *("lists/test.txt", "data.yaml", "labels", ["images/train", "images/val"], "images/train/0.png", "кот", "\ud800"),
]
WORDS = ["nan", "inf", "1e999", "-1", "2", "0.5", "1_0", "x", "", "0x1", "٣", "1,5", "9" * 400, "\0", "\ufeff0"]


def _yolo(folder: Path, lines: list[str] = OBJECTS, **more: Any) -> None:
    for part in ("train", "val", "test"):
        for kind in ("images", "labels"):
            (folder / kind / part).mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (48, 32), (index, 80, 0)).save(folder / "images" / part / f"{index}.png")
            (folder / "labels" / part / f"{index}.txt").write_text("\n".join(lines) + "\n")
    (folder / "lists").mkdir()
    (folder / "lists" / "test.txt").write_text("".join(f"images/test/{index}.png\n" for index in range(3)))
    (folder / "data.yaml").write_text(yaml.safe_dump({**CONFIG, **more}, sort_keys=False))


def _darknet(folder: Path) -> None:
    _yolo(folder)
    (folder / "data.yaml").unlink()
    (folder / "obj.names").write_text("a\nb\nc\n")
    (folder / "obj.data").write_text(
        "classes = 3\ntrain = data/train.txt\nvalid = data/val.txt\nnames = data/obj.names\n"
    )
    for part in ("train", "val"):
        (folder / f"{part}.txt").write_text("".join(f"data/images/{part}/{index}.png\n" for index in range(3)))


def _classes(folder: Path) -> None:
    for part in ("train", "val"):
        for name in ("a", "b", "train"):
            (folder / part / name).mkdir(parents=True)
            for index in range(2):
                Image.new("RGB", (48, 32), (index, 80, 0)).save(folder / part / name / f"{index}.png")


def _nodes(value: Any) -> list[tuple[Any, Any]]:
    found = []
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], (dict, list)):
            found += _nodes(value[key])
    return found


def _damage_config(folder: Path, number: random.Random) -> None:
    file = folder / "data.yaml"
    try:
        content = yaml.safe_load(file.read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        return
    if not isinstance(content, dict) or not (places := _nodes(content)):
        return
    holder, key = number.choice(places)
    way = number.choice(["delete", "replace", "replace", "replace", "rename", "double"])
    if way == "delete":
        del holder[key]
    elif way == "replace":
        holder[key] = number.choice(VALUES)
    elif way == "rename" and isinstance(holder, dict):
        holder[number.choice([7, "1", "x", -1, None, 1.5, "validation", "Train", True])] = holder.pop(key)
    elif isinstance(holder, list):
        holder.insert(key, holder[key])
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    if way == "double" and isinstance(holder, dict):
        text += number.choice(text.splitlines(keepends=True) or [""])
    file.write_bytes(text.encode(number.choice(["utf-8"] * 8 + ["utf-8-sig", "utf-16", "utf-32-le"]), "replace"))


def _damage_text(folder: Path, number: random.Random) -> None:
    """A word, a line, or any bytes of a text file."""
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".txt", ".yaml", ".data", ".names") and path.is_file()
    ]
    if not files:
        return
    file = number.choice(files)
    content = file.read_bytes()
    way = number.choice(["word", "word", "word", "line", "bytes", "cut"])
    if way == "word":
        words = re.split(rb"([ \n])", content)
        words[number.randrange(len(words))] = number.choice(WORDS).encode()
        content = b"".join(words)
    elif way == "line":
        lines = content.splitlines(keepends=True) or [b""]
        lines.insert(number.randrange(len(lines)), number.choice([*lines, b"\n", b"../x.png\n", b"images\n"]))
        content = b"".join(lines)
    elif way == "bytes":
        at = number.randrange(len(content) + 1)
        content = content[:at] + bytes(number.randrange(256) for _ in range(3)) + content[at:]
    else:
        content = content[: number.randrange(len(content) + 1)]
    file.write_bytes(content)


def _damage_tree(folder: Path, number: random.Random) -> None:
    """A file or folder deleted, cut, doubled, linked, renamed, or exchanged for one of the other kind."""
    places = sorted(path for path in folder.rglob("*") if path != folder)
    if not places:
        return
    path = number.choice(places)
    other = number.choice([*places, folder, folder.parent, Path("/nowhere"), path])
    way = number.choice(["delete", "cut", "double", "link", "rename", "kind"])
    if way == "cut" and path.is_file():
        content = path.read_bytes()
        path.write_bytes(content[: number.randrange(len(content) + 1)])
    elif way == "double" and path.is_file():
        shutil.copy(path, path.with_name(f"again-{len(places)}{path.suffix}"))
    elif way == "rename":
        names = [
            "train",
            "valid",
            "test",
            "images",
            "labels",
            "classes.txt",
            "._x.png",
            "__MACOSX",
            "a.jfif",
            "x" * 255,
        ]
        new = path.with_name(number.choice([*names, "кот.png", "a b.png", os.fsdecode(b"\xff\xfe.png")]))
        if not new.exists():
            path.rename(new)
    elif way != "cut" and way != "double":
        was_folder = path.is_dir()
        shutil.rmtree(path) if was_folder and not path.is_symlink() else path.unlink()
        if way == "link":
            path.symlink_to(other)
        elif way == "kind":
            path.touch() if was_folder else path.mkdir()


def _can_be_sent(report: DataReport) -> None:
    json.dumps(report.as_json(), ensure_ascii=False).encode()


_EVERYTHING = [_damage_config, _damage_config, _damage_text, _damage_text, _damage_tree]


@pytest.mark.parametrize(
    ("make", "damages", "tasks"),
    [
        (_yolo, _EVERYTHING, ["detect", "segment"]),
        (partial(_yolo, lines=POSES, **KEYPOINTS), _EVERYTHING, ["detect", "pose"]),
        (_darknet, [_damage_text, _damage_text, _damage_tree], ["detect"]),
        (_classes, [_damage_tree], ["classify"]),
    ],
    ids=["yolo", "yolo-pose", "darknet", "images"],
)
def test_nothing_is_a_traceback(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], None],
    damages: list[Callable[[Path, random.Random], None]],
    tasks: list[str],
) -> None:
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "right").mkdir()
    make(tmp_path / "right")
    checked(str(tmp_path / "right"), tasks[-1], SplitParameters())
    refused = 0
    for index in range(INPUTS):
        number = random.Random(f"{SEED}:{index}")
        folder = tmp_path / f"{index}"
        shutil.copytree(tmp_path / "right", folder)
        for _ in range(number.choice([1, 1, 2, 3])):
            number.choice(damages)(folder, number)
        task, skip = number.choice(tasks), number.random() < 0.4
        began = time.monotonic()
        try:
            parameters = SplitParameters(skip_bad_pictures=skip)
            data_set, chosen = checked(str(folder), task, parameters, tell=_can_be_sent)
            if task == "classify":
                image_folder.write(data_set, chosen, tmp_path / "written")
            else:
                yolo_writing.write(data_set, chosen, tmp_path / "written", task)
        except DataError as error:
            refused += 1
            assert_one_can_act_upon(error, f"input {SEED}:{index}", 10_000)
        except Exception as error:
            pytest.fail(f"input {SEED}:{index}: {error!r}")
        assert time.monotonic() - began < 5, f"input {SEED}:{index}"
        shutil.rmtree(tmp_path / "written", ignore_errors=True)
        shutil.rmtree(folder)
    assert 0 < refused < INPUTS
