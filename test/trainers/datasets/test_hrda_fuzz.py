"""Whatever happened to HRDA's domains, they are read or refused in a sentence, in little time."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cases import supervisely
from cases.train import read_hrda
from damages import VALUES, Damage, assert_nothing_is_a_traceback, damage_text, damage_tree, nodes
from epochal.datasets.checking import Look
from PIL import Image

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
    if not isinstance(content, (dict, list)) or not (places := nodes(content)):
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], damages: list[Damage]
) -> None:
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(tmp_path / "cache"))

    def use(folder: Path, number: random.Random) -> None:
        data = read_hrda(folder, look=Look(lambda *_: None), skip_bad_images=number.random() < 0.4)
        for domain in (data.source, data.validation):
            assert len(domain) > 0 or folder.name != "right"
            for place in range(len(domain)):
                domain.image(place)
                domain.labels(place)

    assert_nothing_is_a_traceback(tmp_path, make, damages, use, inputs=60)
