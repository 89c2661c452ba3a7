"""Whatever happened to HRDA's domains, they are read or refused in a sentence, in little time.

`EPOCHAL_FUZZ_INPUTS` says how many inputs are tried, and `EPOCHAL_FUZZ_SEED` which.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import supervisely
from cases.train import read_hrda
from conftest import assert_one_can_act_upon
from damages import VALUES, damage_text, damage_tree
from epochal import DataError
from epochal.datasets.checking import Look
from PIL import Image

INPUTS = int(os.environ.get("EPOCHAL_FUZZ_INPUTS", "60"))
SEED = os.environ.get("EPOCHAL_FUZZ_SEED", "0")
ROLES = ("source", "target", "validation")


def _folders(folder: Path) -> None:
    (folder / "classes.txt").write_text("road\nsky\nthing\n")
    for role in ROLES:
        for kind in ("images", "masks") if role != "target" else ("images",):
            (folder / role / kind).mkdir(parents=True)
        for index in range(3):
            colours = np.full((24, 32, 3), index * 20 + ROLES.index(role), np.uint8)
            Image.fromarray(colours).save(folder / role / "images" / f"{index}.png")
            if role != "target":
                Image.fromarray(np.full((24, 32), index, np.uint8)).save(folder / role / "masks" / f"{index}.png")


def _cityscapes(folder: Path) -> None:
    for role in ROLES:
        split = "val" if role == "validation" else "train"
        images, masks = (folder / role / kind / split / "town" for kind in ("leftImg8bit", "gtFine"))
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        for index in range(3):
            name = f"town_{index:06}_000019"
            colours = np.full((24, 32, 3), index * 20 + ROLES.index(role), np.uint8)
            Image.fromarray(colours).save(images / f"{name}_leftImg8bit.png")
            labels = np.full((24, 32), (7, 11, 26)[index], np.uint8)
            Image.fromarray(labels).save(masks / f"{name}_gtFine_labelIds.png")


def _supervisely(folder: Path) -> None:
    for role in ROLES:
        (folder / role).mkdir()
        supervisely.meta(folder / role, ("thing", "polygon"), ("other", "rectangle"))
        outline = supervisely.polygon("thing", [[2, 2], [20, 2], [20, 20]])
        supervisely.items(folder / role / "ds", 3, [outline, supervisely.rectangle("other", 20, 10, 30, 30)])


def _damage_json(folder: Path, number: random.Random) -> None:
    """A node of one of the JSON files."""
    files = sorted(folder.rglob("*.json"))
    if not files:
        return
    file = number.choice(files)
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return
    places: list[tuple[Any, Any]] = []

    def collect(value: Any) -> None:
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            places.append((value, key))
            if isinstance(value[key], (dict, list)):
                collect(value[key])

    if isinstance(content, (dict, list)):
        collect(content)
    if not places:
        return
    holder, key = number.choice(places)
    if number.random() < 0.4:
        del holder[key]
    else:
        holder[key] = number.choice([value for value in VALUES if not isinstance(value, dict)])
    file.write_bytes(json.dumps(content).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("make", "damages"),
    [
        (_folders, [damage_text, damage_tree, damage_tree]),
        (_cityscapes, [damage_tree]),
        (_supervisely, [_damage_json, _damage_json, damage_tree]),
    ],
    ids=["folders", "cityscapes", "supervisely"],
)
def test_nothing_is_a_traceback(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], None],
    damages: list[Callable[[Path, random.Random], None]],
) -> None:
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "right").mkdir()
    make(tmp_path / "right")
    assert len(read_hrda(tmp_path / "right").source) > 0
    refused = 0
    for index in range(INPUTS):
        number = random.Random(f"{SEED}:{index}")
        folder = tmp_path / f"{index}"
        shutil.copytree(tmp_path / "right", folder)
        for _ in range(number.choice([1, 1, 2, 3])):
            number.choice(damages)(folder, number)
        began = time.monotonic()
        try:
            data = read_hrda(folder, look=Look(lambda *_: None), skip_bad_pictures=number.random() < 0.4)
            for domain in (data.source, data.validation):
                for place in range(len(domain)):
                    domain.picture(place)
                    domain.labels(place)
        except DataError as error:
            refused += 1
            assert_one_can_act_upon(error, f"input {SEED}:{index}", 10_000)
        except Exception as error:
            pytest.fail(f"input {SEED}:{index}: {error!r}")
        assert time.monotonic() - began < 5, f"input {SEED}:{index}"
        shutil.rmtree(folder, ignore_errors=True)
    assert 0 < refused < INPUTS
