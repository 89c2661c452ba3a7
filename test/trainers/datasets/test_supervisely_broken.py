"""Whatever is wrong with a project's files: one sentence, within seconds, and never a traceback."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.supervisely import annotation, bitmap, graph, image, meta, nodes, polygon, rectangle
from epochal.datasets.checking import checked
from epochal.datasets.parameters import SplitParameters
from epochal.errors import DataError

INPUTS = int(os.environ.get("EPOCHAL_SLY_INPUTS", "100"))
_LONGEST_SECONDS = 5
#: What takes the place of a part.
_OTHERS: list[Any] = [
    None, True, -1, 0, 3.7, 10**30, float("nan"), float("inf"), "", "x", "../../etc/passwd", "\0", "\ud800", [], {},
    [[]], [None], {"a": 1}, [1, 2], "eJzT0yMAAGTvBe8=", ["a"] * 300,
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a label of every shape."""
    folder = tmp_path_factory.mktemp("broken") / "whole"
    folder.mkdir()
    shapes = [("box", "rectangle"), ("ring", "polygon"), ("mask", "bitmap"), ("cat", "graph"), ("any", "any")]
    meta(folder, *shapes, cat=nodes("nose", "tail"))
    parts = [{"exterior": [[3, 3], [9, 3], [9, 9]], "interior": []}]
    labels = [
        rectangle("box"),
        polygon("ring", [[10, 10], [60, 10], [60, 50]], [[20, 15], [40, 15], [40, 30]]),
        bitmap("mask", np.ones((8, 8), bool), 4, 4),
        graph("cat", "id-nose", "id-tail"),
        {"classTitle": "any", "geometryType": "oriented_bbox", "points": [[20, 20], [40, 30]], "angle": 0.4},
        {"classTitle": "any", "geometryType": "multipolygon", "parts": parts, "instance": "a"},
        {"classTitle": "any", "geometryType": "point", "points": {"exterior": [[3, 3]], "interior": []}},
    ]
    for index in range(4):
        image(folder / "ds" / "img" / f"p{index}.png")
        annotation(folder / "ds", f"p{index}.png", labels)
    return folder


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from _places(child, (*path, key))


def _damaged(content: Any, draw: random.Random) -> str:
    """A json file with one part deleted, of another type, doubled or cut off."""
    content = copy.deepcopy(content)
    *path, key = draw.choice([path for path in _places(content) if path])
    parent = content
    for step in path:
        parent = parent[step]
    way = draw.choice(["delete", "retype", "retype", "double", "cut", "deepen"])
    if way == "delete":
        del parent[key]
    elif way == "double" and isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[key]))
    elif way == "deepen":
        parent[key] = [parent[key]]
    elif way != "cut":
        parent[key] = draw.choice(_OTHERS)
    text = json.dumps(content)
    if way == "cut":
        text = text[: draw.randrange(len(text))]
    return text if draw.random() > 0.02 else "[" * 100_000


@pytest.mark.parametrize("seed", range(0, INPUTS, 50))
def test_a_damaged_file_is_named(whole: Path, tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "data"
    shutil.copytree(whole, folder)
    for number in range(seed, min(seed + 50, INPUTS)):
        draw = random.Random(number)
        file = draw.choice([Path("meta.json"), Path("ds/ann/p0.png.json")])
        (folder / file).write_text(_damaged(json.loads((whole / file).read_text()), draw), errors="surrogatepass")
        for task in ("detect", "pose"):
            start = time.monotonic()
            try:
                checked(str(folder), task, SplitParameters())
            except DataError as error:
                sentence = str(error)
                assert "Error(" not in sentence, (number, sentence)
                assert "cannot be read as" not in sentence, (number, sentence)
                sentence.encode()
                assert len(sentence) < 2000, (number, sentence)
            assert time.monotonic() - start < _LONGEST_SECONDS, number
        shutil.copy(whole / file, folder / file)
