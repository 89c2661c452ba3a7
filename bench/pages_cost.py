"""What `show` of 16 images of 640 × 640 costs a training, as JSON: `pages_cost.py <folder>`.

The training is numpy in small steps on one thread, as one that launches kernels on a GPU: it notices whoever holds
Python's interpreter, too.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1] / "trainers" / "epochal"))

import numpy as np
from epochal import ui
from epochal.checkpoints import Position
from epochal.ui.background import Background
from epochal.ui.encoded_images import EncodedImages
from epochal.ui.pages import begin_pages

COUNT, SIDE = 16, 640
PAIRS = 15
#: Of the training in which one value is shown, about.
SECONDS = 1.0


def photo(random: np.random.Generator) -> np.ndarray:
    """Smooth, with some noise: a JPEG of about 100 KB."""
    coarse = random.random((21, 21, 3))
    smooth = np.kron(coarse, np.ones((31, 31, 1)))[:SIDE, :SIDE]
    return (255 * (0.8 * smooth + 0.2 * random.random((SIDE, SIDE, 3)))).astype(np.uint8)


def steps(count: int, weights: np.ndarray) -> None:
    """Of a training."""
    for _ in range(count):
        weights += 1e-6 * (weights @ weights).clip(-1, 1)


def main(folder: Path) -> None:
    """Measure each way to give the images, in pairs with the same training that shows nothing."""
    random = np.random.default_rng(0)
    grid = ui.ImageGrid("Images", id="grid")
    number = 0
    background = Background()
    layout = ui.Container([grid])
    pages = begin_pages(folder, layout, lambda: (number, Position(number, 0)), print, 0, background)
    assert pages
    same, files = [photo(random) for _ in range(COUNT)], EncodedImages()
    ways: dict[str, Callable[[], list[Any]]] = {
        "new, as bytes": lambda: [photo(random) for _ in range(COUNT)],
        "new, as float32": lambda: [photo(random).astype(np.float32) / 255 for _ in range(COUNT)],
        "the same again": lambda: [files.of(str(index), image) for index, image in enumerate(same)],
    }
    weights = random.random((96, 96)) / 96
    began = time.perf_counter()
    steps(2_000, weights)
    count = round(2_000 * SECONDS / (time.perf_counter() - began))
    measured = []
    for name, make in ways.items():
        calls, added, alone = [], [], []
        for _ in range(PAIRS):
            images = make()
            number += 1
            began = time.perf_counter()
            grid.show(images)
            called = time.perf_counter()
            steps(count, weights)
            ended = time.perf_counter()
            pages.finish()
            bare = time.perf_counter()
            steps(count, weights)
            alone.append(time.perf_counter() - bare)
            calls.append(called - began)
            added.append(ended - began - alone[-1])
        calls_, added_ = (1000 * statistics.median(one) for one in (calls, added))
        measured.append({"name": name, "call": calls_, "added": added_, "spread": 1000 * statistics.pstdev(alone)})
    print(json.dumps(measured))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
