"""An index of a data set for people who look at it: `python -m epochal.datasets.index_file <folder> <index file>`.

The first line of the index says what the data set is, each other line what one image is and what is marked on it.
With `--kinds <folder>...` it prints the kind of each folder instead, as one JSON object.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from epochal.datasets.model import Bitmap, DataSet, DatasetImage, Object
from epochal.datasets.reading import read, recognise
from epochal.datasets.splits import split_name
from epochal.errors import DataError

#: What is drawn on one image at most; an image with more says so.
MOST_MARKS = 300
#: Points of all outlines of an image at most.
MOST_POINTS = 20_000


def kinds(folders: list[Path]) -> dict[str, str]:
    """The kind of each folder that is a data set."""
    found = {}
    for folder in folders:
        try:
            found[str(folder)] = recognise(folder)
        except (DataError, OSError):
            continue
    return found


def write_index(folder: Path, index: Path) -> None:
    """Read the data set in `folder` and write its index; under its name there is only ever a whole one."""
    data_set = read(folder)
    beside = index.with_name(f"{index.name}.{os.getpid()}.tmp")
    with open(beside, "w", encoding="utf-8") as file:
        file.write(json.dumps(_details(data_set)) + "\n")
        for image in data_set.images:
            file.write(json.dumps(_item(image, folder)) + "\n")
    os.replace(beside, index)


def _details(data_set: DataSet) -> dict[str, Any]:
    items: Counter[str] = Counter()
    marks: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    for image in data_set.images:
        names = image.labels + [one.class_name for one in image.objects]
        marks.update(names)
        items.update(set(names))
        splits[_split(image)] += 1
    return {
        "kind": data_set.kind,
        "images": len(data_set.images),
        "classes": [
            {"name": name, "items": items[name], "marks": marks[name], "color": None} for name in data_set.classes
        ],
        "splits": [{"name": name, "items": count} for name, count in splits.items()],
        "problems": data_set.findings.sentences()[:100],
    }


def _split(image: DatasetImage) -> str:
    return (split_name(image.split) or image.split) if image.split else "all"


def _item(image: DatasetImage, folder: Path) -> dict[str, Any]:
    marks: list[dict[str, Any]] = [{"kind": "label", "class": label} for label in image.labels]
    points = 0
    for one in image.objects:
        if len(marks) >= MOST_MARKS or points > MOST_POINTS:
            break
        for mark in _marks(one):
            points += sum(map(len, mark.get("rings", []))) + len(mark.get("png", "")) // 16
            marks.append(mark)
    try:
        path = image.path.relative_to(folder).as_posix()
    except ValueError:
        path = os.path.relpath(image.path, folder)
    return {
        "item": path,
        "split": _split(image),
        "width": image.width,
        "height": image.height,
        "marks": marks,
        "allMarks": len(marks) >= len(image.labels) + len(image.objects),
        "classes": sorted({*image.labels, *(one.class_name for one in image.objects)}),
    }


def _marks(one: Object) -> list[dict[str, Any]]:
    name = one.class_name
    marks: list[dict[str, Any]] = []
    if one.polygons:
        rings = [ring for polygon in one.polygons for ring in (polygon.exterior, *polygon.interiors)]
        marks.append(
            {"kind": "polygon", "class": name, "rings": [[_rounded(point) for point in ring] for ring in rings]}
        )
    elif one.bitmap is not None:
        marks.append({"kind": "bitmap", "class": name, "x": one.bitmap.x, "y": one.bitmap.y, "png": _png(one.bitmap)})
    else:
        x, y, width, height = (round(float(value), 2) for value in one.box)
        marks.append({"kind": "box", "class": name, "x": x, "y": y, "width": width, "height": height})
    seen = [point for point in one.keypoints if point.visible]
    if seen:
        marks.append({"kind": "points", "class": name, "points": [_rounded((point.x, point.y)) for point in seen]})
    return marks


def _rounded(point: tuple[float, float]) -> list[float]:
    return [round(float(point[0]), 2), round(float(point[1]), 2)]


def _png(bitmap: Bitmap) -> str:
    """White where the mask is set, nothing elsewhere."""
    mask = bitmap.mask.astype(np.uint8)
    image = Image.fromarray(np.dstack([np.full_like(mask, 255), mask * 255]), "LA")
    content = io.BytesIO()
    image.save(content, format="PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode()


def main(args: list[str]) -> int:
    """Do what the arguments say; answer the exit code."""
    if args[:1] == ["--kinds"]:
        print(json.dumps(kinds([Path(folder) for folder in args[1:]])))
        return 0
    try:
        write_index(Path(args[0]), Path(args[1]))
    except DataError as error:
        print(json.dumps({"problem": str(error)}))
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
