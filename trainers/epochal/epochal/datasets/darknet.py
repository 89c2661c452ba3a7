"""Darknet's YOLO (CVAT's export YOLO 1.1): `obj.data` names the classes' file and a list of images for each split."""

from __future__ import annotations

import os
import re
from pathlib import Path

from epochal.datasets.images import last_parts, named
from epochal.datasets.junk import is_junk
from epochal.datasets.model import Findings
from epochal.datasets.splits import SPLIT_NAMES
from epochal.datasets.text_files import text_of
from epochal.datasets.yolo_config import Config, numbered
from epochal.errors import DataError

_USUAL_NAME = "obj.data"
_LARGEST = 100_000


def config_of(folder: Path) -> Path | None:
    """`obj.data`, or the only file of its kind that names classes and a training split."""
    usual = folder / _USUAL_NAME
    if usual.is_file():
        return usual
    others = [file for file in sorted(folder.glob("*.data")) if not is_junk(file.name) and _looks_like_config(file)]
    return others[0] if len(others) == 1 else None


def config(file: Path, findings: Findings) -> Config:
    """What it says; `DataError` for what is not as it has to be."""
    values = {}
    for number, line in enumerate(text_of(file).splitlines(), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        key, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not key:
            raise DataError(f"{file}:{number} is {text[:80]!r}: each line must be a key, =, and its value")
        if key in values:
            raise DataError(f"{file}:{number} has {key[:80]} again: each key must be there once")
        values[key] = value
    for key in ("names", "train"):
        if not values.get(key):
            raise DataError(f"{file} has no {key} =, which names a file in the data set")
    names = names_in(_beside(file, "names", values["names"]), findings)
    if values.get("classes") and values["classes"] != str(len(names)):
        findings.add("class count", f"classes of {file} is {values['classes'][:80]}, but its names have {len(names)}")
    splits = {}
    for key, value in values.items():
        split = SPLIT_NAMES.get(key.lower())
        if split and value and split not in splits:
            splits[split] = (key, [os.path.relpath(_beside(file, key, value), file.parent)])
    return Config(file, "", names, splits, None, [], [])


def names_in(file: Path, findings: Findings) -> dict[int, str]:
    """Classes of a file with a name on each line: its number is that of the line, from 0."""
    lines = text_of(file).rstrip().split("\n")
    found = numbered({index: line.strip() for index, line in enumerate(lines) if line.strip()}, str(file), findings)
    if not found:
        raise DataError(f"{file} names no class: it must have a name on each line")
    return found


def _beside(file: Path, key: str, value: str) -> Path:
    """Darknet is started in a folder above the data set: `data/train.txt` is `train.txt` here."""
    for name in last_parts(value):
        path = named(name, file.parent, [file.parent], Findings(), "")
        if path and path.is_file():
            return path
    raise DataError(f"{key} of {file} is {value[:80]}, and there is no such file in {file.parent}")


def _looks_like_config(file: Path) -> bool:
    try:
        begin = file.read_bytes()[:_LARGEST]
    except OSError:
        return False
    return all(re.search(rb"^\s*" + key + rb"\s*=", begin, re.MULTILINE) for key in (b"train", b"names"))
