"""Whatever stands in a COCO file, it is read or refused in a sentence, in little time and memory.

`EPOCHAL_FUZZ_INPUTS` says how many inputs are tried, and `EPOCHAL_FUZZ_SEED` which.
"""

from __future__ import annotations

import copy
import json
import os
import random
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import assert_one_can_act_upon
from epochal.datasets.checking import checked
from epochal.datasets.headers import header_of
from epochal.datasets.model import Findings
from epochal.datasets.parameters import SplitParameters
from epochal.errors import DataError
from PIL import Image
from pycocotools import mask as coco_mask

INPUTS = int(os.environ.get("EPOCHAL_FUZZ_INPUTS", "100"))
SEED = os.environ.get("EPOCHAL_FUZZ_SEED", "0")
_mask = np.zeros((32, 48), np.uint8, order="F")
_mask[8:16, 4:20] = 1
_compressed = coco_mask.encode(_mask)["counts"].decode()
_VALUES: list[Any] = [
    *(None, True, -1, 0, 1.5, 10**30, 1e300, float("nan"), float("inf"), "", "7", "x" * 5000, "../../etc/passwd", "\0"),
    *([], {}, [[]], [None], {"id": 1}, [1, "2", None], ["a"] * 50, [[1, 2], [3]], {"size": [9, 9], "counts": "oooo"}),
]


def _content() -> dict[str, Any]:
    images = [{"id": index, "file_name": f"p{index}.png", "width": 48, "height": 32} for index in range(4)]
    marks: list[dict[str, Any]] = [
        {"segmentation": [[4, 4, 20, 4, 20, 20, 4, 20]]},
        {"segmentation": {"size": [32, 48], "counts": [40, 8, 24, 8, 1456]}},
        {"segmentation": {"size": [32, 48], "counts": _compressed}, "iscrowd": 1},
        {"keypoints": [5, 5, 2, 0, 0, 0, 9, 9, 1], "num_keypoints": 2},
    ]
    annotations = [
        {"id": index, "image_id": index % 4, "category_id": 1, "bbox": [4, 4, 16, 16], "area": 256, **mark}
        for index, mark in enumerate(marks * 2)
    ]
    categories = [{"id": 1, "name": "thing", "keypoints": ["a", "b", "c"], "skeleton": [[1, 2]]}]
    return {"info": {"year": 2026}, "images": images, "annotations": annotations, "categories": categories}


def _nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a tree: what holds it, and under which name or index."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _nodes(value[key])


def _damaged(number: random.Random) -> bytes:
    """One to three changes to what is right: a node deleted, replaced, doubled, exchanged, or the text cut."""
    content: Any = copy.deepcopy(_content())
    for _ in range(number.choice([1, 1, 2, 3])):
        places = list(_nodes(content))
        if not places:
            break
        holder, key = number.choice(places)
        other, its_key = number.choice(places)
        way = number.choice(["delete", "replace", "replace", "double", "exchange", "cut"])
        if way == "delete":
            del holder[key]
        elif way == "replace":
            holder[key] = copy.deepcopy(number.choice(_VALUES))
        elif way == "double" and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        elif way == "exchange":
            holder[key] = copy.deepcopy(other[its_key])
        elif way == "cut" and isinstance(holder[key], (list, str)):
            holder[key] = holder[key][: number.randrange(len(holder[key]) + 1)]
    text = json.dumps(content, sort_keys=number.random() < 0.3, indent=number.choice([None, 1]))
    if number.random() < 0.15:
        text = text[: number.randrange(len(text))]
    if number.random() < 0.05:
        text = text.replace("[", "[" * 100_000, 1)
    encoded = text.encode(number.choice(["utf-8"] * 8 + ["utf-8-sig", "utf-16"]))
    if number.random() < 0.05:
        at = number.randrange(len(encoded) + 1)
        encoded = encoded[:at] + bytes(number.randrange(256) for _ in range(3)) + encoded[at:]
    return encoded


def _memory() -> int:
    """The most that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def test_no_annotation_file_is_a_traceback(tmp_path: Path) -> None:
    for index in range(4):
        Image.new("RGB", (48, 32)).save(tmp_path / f"p{index}.png")
    (tmp_path / "labels.json").write_text(json.dumps(_content()))
    checked(str(tmp_path), "segment", SplitParameters())
    before = _memory()
    refused = 0
    for index in range(INPUTS):
        number = random.Random(f"{SEED}:{index}")
        (tmp_path / "labels.json").write_bytes(_damaged(number))
        task, skip = number.choice(["detect", "segment", "pose"]), number.random() < 0.3
        began = time.monotonic()
        try:
            checked(str(tmp_path), task, SplitParameters(skip_bad_images=skip))
        except DataError as error:
            refused += 1
            assert_one_can_act_upon(error, f"input {SEED}:{index}", 5000)
        except Exception as error:
            pytest.fail(f"input {SEED}:{index}: {error!r}")
        assert time.monotonic() - began < 5, f"input {SEED}:{index}"
    assert _memory() - before < 500
    assert 0.3 * INPUTS < refused < INPUTS


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp"])
def test_no_image_file_is_a_traceback(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.effect_noise((48, 32), 90).convert("RGB").save(path, exif=exif)
    content = path.read_bytes()
    before = _memory()
    for index in range(INPUTS):
        number = random.Random(f"{SEED}:{index}")
        damaged = bytearray(content[: number.randrange(len(content) + 1)] if number.random() < 0.3 else content)
        for _ in range(min(number.choice([1, 4, 40]), len(damaged))):
            damaged[number.randrange(min(len(damaged), number.choice([64, 10**6])))] = number.randrange(256)
        path.write_bytes(damaged)
        findings = Findings()
        began = time.monotonic()
        header = header_of(path, findings)
        assert time.monotonic() - began < 5, f"input {SEED}:{index}"
        assert header is not None or len(findings) == 1, f"input {SEED}:{index}"
    assert _memory() - before < 500
