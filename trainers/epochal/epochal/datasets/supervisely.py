"""Supervisely project: `meta.json`, and in each data set's folder `img/` and `ann/<picture>.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from epochal.datasets.junk import is_junk
from epochal.datasets.masks import box_of_bitmap, box_of_points, packed, unpacked
from epochal.datasets.model import Bitmap, Box, DataSet, Findings, Keypoint, Object, Picture, Point, Polygon
from epochal.datasets.pictures import link_name, named, size_of, unique_name
from epochal.datasets.splits import Split, split_name
from epochal.errors import DataError

_COLORS = ["#E6194B", "#3CB44B", "#4363D8", "#F58231", "#911EB4", "#42D4F4", "#F032E6", "#BFEF45"]


def read(folder: Path) -> DataSet:
    """Read a project. Tags of a picture, or the folder of its data set, may say which split it is in."""
    meta = _json(folder / "meta.json")
    try:
        classes = [one["title"] for one in meta["classes"]]
        nodes = [list(one["geometry_config"]["nodes"]) for one in meta["classes"] if one.get("shape") == "graph"]
    except (KeyError, TypeError) as error:
        raise DataError(f"{folder / 'meta.json'} is not a Supervisely project's: {error!r} is missing") from error
    findings = Findings()
    pictures: list[Picture] = []
    taken: set[str] = set()
    for data_set in _data_sets(folder):
        found = list(_pictures(data_set, folder, set(classes), nodes[0] if nodes else [], taken, findings))
        if not found:
            findings.add("empty split", f"{data_set} has no annotated pictures")
        pictures += found
    names = [str(name) for name in nodes[0]] if nodes else []
    return DataSet("supervisely", folder, classes, pictures, findings, names)


def write(data_set: DataSet, split: Split, folder: Path) -> None:
    """Write a project with a data set for each split; pictures are linked, and tagged with their split.

    A class is written as the shape that its objects have: bitmap, polygon, graph (keypoints) or rectangle.
    """
    shapes = _shapes(data_set)
    (folder).mkdir(parents=True, exist_ok=True)
    classes = []
    for index, name in enumerate(data_set.classes):
        one = {"title": name, "shape": shapes[name], "color": _COLORS[index % len(_COLORS)], "geometry_config": {}}
        if shapes[name] == "graph":
            one["geometry_config"] = _graph(data_set.keypoint_names)
        classes.append(one)
    tags = [{"name": part, "value_type": "none", "color": "#808080"} for part in split.parts]
    meta = {"classes": classes, "tags": tags, "projectType": "images"}
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))
    for part, pictures in split.parts.items():
        for kind in ("img", "ann"):
            (folder / part / kind).mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            name = link_name(picture)
            os.symlink(picture.path.resolve(), folder / part / "img" / name)
            content = {
                "description": "",
                "tags": [{"name": part, "value": None}],
                "size": {"height": picture.height, "width": picture.width},
                "objects": [
                    mark
                    for one in picture.objects
                    for mark in _marks(one, shapes[one.class_name], data_set.keypoint_names)
                ],
            }
            (folder / part / "ann" / f"{name}.json").write_text(json.dumps(content))


def _data_sets(folder: Path) -> list[Path]:
    """Folders with `ann/`, also nested ones, which lie in `datasets/` of their parent."""
    found = sorted(path.parent for path in folder.rglob("ann") if path.is_dir())
    return [path for path in found if not any(map(is_junk, path.relative_to(folder).parts))]


def _pictures(
    data_set: Path, folder: Path, classes: set[str], nodes: list[str], taken: set[str], findings: Findings
) -> Iterator[Picture]:
    split = split_name(data_set.name)
    for file in sorted((data_set / "ann").glob("*.json")):
        if is_junk(file.name):
            findings.add("junk", f"{file} is not a part of the data set")
            continue
        path = named(file.name.removesuffix(".json"), folder, [data_set / "img"], findings, str(file))
        size = size_of(path, findings) if path else None
        if path is None or size is None:
            continue
        try:
            content = json.loads(file.read_bytes())
            marks, declared = content["objects"], (content["size"]["width"], content["size"]["height"])
            tags = [_tag(tag) for tag in content.get("tags", [])]
        except (OSError, ValueError, KeyError, TypeError) as error:
            findings.add("unreadable annotation", f"{file}: {error!r}")
            continue
        if declared != size:
            findings.add("other size", f"{path} has {size[0]} × {size[1]} pixels, {file.name} says otherwise")
        picture = Picture(path, unique_name(path, folder, taken), *size, split=split, tags=tags)
        picture.labels = [tag for tag in tags if tag in classes]
        for index, mark in enumerate(marks):
            _add(picture, mark, f"object {index + 1} of {file}", classes, nodes, findings)
        yield picture
    for path in sorted((data_set / "img").glob("*")):
        if is_junk(path.name):
            findings.add("junk", f"{path} is not a part of the data set")
        elif not (data_set / "ann" / f"{path.name}.json").is_file():
            findings.add("picture without annotation", f"{path} has none")


def _add(
    picture: Picture, mark: dict[str, Any], where: str, classes: set[str], nodes: list[str], findings: Findings
) -> None:
    title = mark.get("classTitle")
    if title not in classes:
        findings.add("unknown class", f"{where} has the class {title}, which meta.json has not")
        return
    try:
        one = _object(mark, title, nodes, picture)
    except (KeyError, TypeError, ValueError, IndexError, OSError) as error:
        findings.add("unreadable annotation", f"{where}: {error!r}")
        return
    if one is None:
        findings.add("unused shape", f"{where} is a {mark.get('geometryType')}, which no trainer here learns from")
        return
    x, y, w, h = one.box
    if min(x, y) < -1 or x + w > picture.width + 1 or y + h > picture.height + 1 or w <= 0 or h <= 0:
        findings.add("box outside", f"{where} has the box {x:g}, {y:g}, {w:g}, {h:g}")
        return
    picture.objects.append(one)


def _object(mark: dict[str, Any], title: str, nodes: list[str], picture: Picture) -> Object | None:
    kind = mark.get("geometryType")
    if kind == "rectangle":
        (x0, y0), (x1, y1) = mark["points"]["exterior"]
        left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
        return Object(title, Box(left, top, right - left + 1, bottom - top + 1))  # the last pixel counts
    if kind == "polygon":
        exterior = _points(mark["points"]["exterior"])
        polygon = Polygon(exterior, [_points(ring) for ring in mark["points"].get("interior", [])])
        return Object(title, box_of_points(exterior), polygons=[polygon])
    if kind == "bitmap":
        x, y = mark["bitmap"]["origin"]
        bitmap = Bitmap(x, y, unpacked(mark["bitmap"]["data"], picture.width, picture.height))
        return Object(title, box_of_bitmap(bitmap), bitmap=bitmap)
    if kind == "graph":
        found = mark["nodes"]
        points = [
            Keypoint(*map(float, found[name]["loc"]), 1 if found[name].get("disabled") else 2)
            if name in found
            else Keypoint(0, 0, 0)
            for name in nodes
        ]
        box = box_of_points([(point.x, point.y) for point in points if point.visible])
        return Object(title, box, keypoints=points)
    return None


def _points(ring: list[list[float]]) -> list[Point]:
    if len(ring) < 3:
        raise ValueError(f"an outline of {len(ring)} points")
    return [(float(x), float(y)) for x, y in ring]


def _tag(tag: dict[str, Any]) -> str:
    value = tag.get("value")
    return tag["name"] if value is None else f"{tag['name']}:{value}"


def _shapes(data_set: DataSet) -> dict[str, str]:
    shapes = dict.fromkeys(data_set.classes, "rectangle")
    for picture in data_set.pictures:
        for one in picture.objects:
            if one.bitmap is not None:
                shapes[one.class_name] = "bitmap"
            elif one.polygons and shapes[one.class_name] != "bitmap":
                shapes[one.class_name] = "polygon"
            elif one.keypoints and shapes[one.class_name] == "rectangle":
                shapes[one.class_name] = "graph"
    return shapes


def _marks(one: Object, shape: str, names: list[str]) -> list[dict[str, Any]]:
    base = {"classTitle": one.class_name, "tags": [], "description": ""}
    if shape == "bitmap" and one.bitmap is not None:
        data = {"data": packed(one.bitmap.mask), "origin": [one.bitmap.x, one.bitmap.y]}
        return [{**base, "geometryType": "bitmap", "bitmap": data}]
    if shape == "polygon" and one.polygons:
        return [
            {**base, "geometryType": "polygon", "points": {"exterior": p.exterior, "interior": p.interiors}}
            for p in one.polygons
        ]
    if shape == "graph":
        nodes = {
            name: {"loc": [point.x, point.y], "disabled": point.visible == 1}
            for name, point in zip(names, one.keypoints, strict=False)  # none: not labelled
            if point.visible
        }
        return [{**base, "geometryType": "graph", "nodes": nodes}]
    x, y, w, h = one.box
    corners = [[round(x), round(y)], [round(x + w) - 1, round(y + h) - 1]]
    return [{**base, "geometryType": "rectangle", "points": {"exterior": corners, "interior": []}}]


def _graph(names: list[str]) -> dict[str, Any]:
    nodes = {name: {"label": name, "loc": [index * 10, 0], "color": "#FF0000"} for index, name in enumerate(names)}
    return {"nodes": nodes, "edges": []}


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{file} is not an object")
    return content
