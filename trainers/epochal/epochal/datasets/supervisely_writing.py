"""A data set as a Supervisely project."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from epochal.datasets.images import link_name
from epochal.datasets.masks import packed
from epochal.datasets.model import DataSet, Object, Point
from epochal.datasets.splits import Split

_COLORS = ["#E6194B", "#3CB44B", "#4363D8", "#F58231", "#911EB4", "#42D4F4", "#F032E6", "#BFEF45"]


def write(data_set: DataSet, split: Split, folder: Path) -> None:
    """Write a project with a data set for each split; images are linked, and tagged with their split.

    A class is written as the shape that its objects have: bitmap, polygon, graph (keypoints) or rectangle; as `any`
    where they differ.
    """
    shapes = _shapes(data_set)
    (folder).mkdir(parents=True, exist_ok=True)
    classes = []
    for index, name in enumerate(data_set.classes):
        one = {"title": name, "shape": shapes[name], "color": _COLORS[index % len(_COLORS)], "geometry_config": {}}
        if shapes[name] in ("graph", "any") and data_set.keypoint_names:
            one["geometry_config"] = _graph(data_set.keypoint_names)
        classes.append(one)
    tags = [{"name": part, "value_type": "none", "color": "#808080"} for part in split.parts]
    meta = {"classes": classes, "tags": tags, "projectType": "images"}
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))
    for part, images in split.parts.items():
        for kind in ("img", "ann"):
            (folder / part / kind).mkdir(parents=True, exist_ok=True)
        for image in images:
            name = link_name(image)
            os.symlink(image.path.resolve(), folder / part / "img" / name)
            content = {
                "description": "",
                "tags": [{"name": part, "value": None}],
                "size": {"height": image.height, "width": image.width},
                "objects": [
                    label
                    for index, one in enumerate(image.objects, 1)
                    for label in _labels(one, f"{image.name}-{index}", data_set.keypoint_names)
                ],
            }
            (folder / part / "ann" / f"{name}.json").write_text(json.dumps(content))


def _shape(one: Object) -> str:
    if one.bitmap is not None:
        return "bitmap"
    if one.polygons:
        return "polygon"
    return "graph" if one.keypoints else "rectangle"


def _shapes(data_set: DataSet) -> dict[str, str]:
    found: dict[str, set[str]] = {name: set() for name in data_set.classes}
    for image in data_set.images:
        for one in image.objects:
            found[one.class_name].add(_shape(one))
    return {name: next(iter(shapes or {"rectangle"})) if len(shapes) < 2 else "any" for name, shapes in found.items()}


def _labels(one: Object, instance: str, names: list[str]) -> list[dict[str, Any]]:
    """One label, or several of one instance where the object has several outlines."""
    shape = _shape(one)
    base = {"classTitle": one.class_name, "tags": [], "description": "", "geometryType": shape}
    if one.bitmap is not None:
        return [{**base, "bitmap": {"data": packed(one.bitmap.mask), "origin": [one.bitmap.x, one.bitmap.y]}}]
    if one.polygons:
        together = {"instance": instance} if len(one.polygons) > 1 else {}
        return [
            {
                **base,
                **together,
                "points": {"exterior": _pixels(polygon.exterior), "interior": list(map(_pixels, polygon.interiors))},
            }
            for polygon in one.polygons
        ]
    if shape == "graph":
        nodes = {
            name: {"loc": [point.x, point.y], "disabled": point.visible == 1}
            for name, point in zip(names, one.keypoints, strict=False)  # none: not labelled
            if point.visible
        }
        return [{**base, "nodes": nodes}]
    x, y, w, h = one.box
    corners = [[round(x), round(y)], [round(x + w) - 1, round(y + h) - 1]]
    return [{**base, "points": {"exterior": corners, "interior": []}}]


def _pixels(ring: list[Point]) -> list[Point]:
    """Corners as they are written there: the middle of a pixel by its number."""
    return [(_pixel(x), _pixel(y)) for x, y in ring]


def _pixel(value: float) -> float:
    return value - 0.5 if (value - 0.5).is_integer() else value


def _graph(names: list[str]) -> dict[str, Any]:
    nodes = {name: {"label": name, "loc": [index * 10, 0], "color": "#FF0000"} for index, name in enumerate(names)}
    return {"nodes": nodes, "edges": []}
