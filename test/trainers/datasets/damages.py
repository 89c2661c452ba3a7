"""Data sets that are damaged at random, by an exchange of text, of files and of folders, and read all the same.

`EPOCHAL_FUZZ_INPUTS` says how many inputs are tried, and `EPOCHAL_FUZZ_SEED` which.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import assert_one_can_act_upon
from epochal.errors import DataError

SEED = os.environ.get("EPOCHAL_FUZZ_SEED", "0")

Damage = Callable[[Path, random.Random], None]

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


def nodes(value: Any) -> list[tuple[Any, Any]]:
    """Each node of what JSON or YAML holds, as its parent and its key or index there."""
    found = []
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], (dict, list)):
            found += nodes(value[key])
    return found


def damage_config(folder: Path, number: random.Random) -> None:
    """A node of `data.yaml` deleted, replaced, renamed or doubled."""
    file = folder / "data.yaml"
    try:
        content = yaml.safe_load(file.read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        return
    if not isinstance(content, dict) or not (places := nodes(content)):
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


def damage_text(folder: Path, number: random.Random) -> None:
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


def damage_tree(folder: Path, number: random.Random) -> None:
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


def assert_nothing_is_a_traceback(
    folder: Path,
    make: Callable[[Path], None],
    damages: list[Damage],
    use: Callable[[Path, random.Random], object],
    inputs: int,
) -> None:
    """`use` reads copies of what `make` makes, damaged, or refuses them in a sentence, in little time."""
    inputs = int(os.environ.get("EPOCHAL_FUZZ_INPUTS", inputs))
    (folder / "right").mkdir()
    make(folder / "right")
    use(folder / "right", random.Random(SEED))
    refused = 0
    for index in range(inputs):
        number = random.Random(f"{SEED}:{index}")
        damaged = folder / f"{index}"
        shutil.copytree(folder / "right", damaged)
        for _ in range(number.choice([1, 1, 2, 3])):
            number.choice(damages)(damaged, number)
        began = time.monotonic()
        try:
            use(damaged, number)
        except DataError as error:
            refused += 1
            assert_one_can_act_upon(error, f"input {SEED}:{index}", 10_000)
        except Exception as error:
            pytest.fail(f"input {SEED}:{index}: {error!r}")
        assert time.monotonic() - began < 5, f"input {SEED}:{index}"
        shutil.rmtree(damaged, ignore_errors=True)
    assert 0 < refused < inputs
