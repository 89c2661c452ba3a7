"""Supervisely projects: their folders, what is beside them, and those that are none of images."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from epochal.datasets.checking import checked
from epochal.datasets.model import DataSet
from epochal.datasets.parameters import SplitParameters
from epochal.datasets.splits import Split
from PIL import Image, ImageDraw

from cases import Case, refused_by

WIDTH, HEIGHT = 96, 64


def image(path: Path, **save: Any) -> None:
    """An image of a rectangle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (WIDTH, HEIGHT), (40, 90, 40))
    ImageDraw.Draw(image).rectangle((10, 10, 50, 40), fill=(200, 60, 60))
    image.save(path, **save)


def meta(folder: Path, *classes: tuple[str, str], **graphs: dict[str, Any]) -> None:
    """`meta.json` with these classes and their shapes."""
    listed = [
        {"title": title, "shape": shape, "color": "#FF0000", "geometry_config": graphs.get(title, {})}
        for title, shape in classes
    ]
    (folder / "meta.json").write_text(json.dumps({"classes": listed, "tags": [], "projectType": "images"}))


def annotation(
    data_set: Path, name: str, labels: list[dict[str, Any]], size: tuple[int, int] = (WIDTH, HEIGHT)
) -> None:
    """The annotation of an image."""
    (data_set / "ann").mkdir(parents=True, exist_ok=True)
    content = {"tags": [], "size": {"width": size[0], "height": size[1]}, "objects": labels}
    (data_set / "ann" / f"{name}.json").write_text(json.dumps(content))


def items(data_set: Path, count: int, labels: list[dict[str, Any]], suffix: str = "png") -> None:
    """Images with these labels."""
    for index in range(count):
        image(data_set / "img" / f"p{index}.{suffix}")
        annotation(data_set, f"p{index}.{suffix}", labels)


def rectangle(title: str = "thing", *corners: int) -> dict[str, Any]:
    """A rectangle from left, top, right and bottom pixel."""
    x0, y0, x1, y1 = corners or (10, 10, 50, 40)
    return {
        "classTitle": title,
        "geometryType": "rectangle",
        "tags": [],
        "points": {"exterior": [[x0, y0], [x1, y1]], "interior": []},
    }


def polygon(title: str, exterior: list[list[int]], *interior: list[list[int]], **more: Any) -> dict[str, Any]:
    """A polygon with holes."""
    points = {"exterior": exterior, "interior": list(interior)}
    return {"classTitle": title, "geometryType": "polygon", "tags": [], "points": points, **more}


def bitmap(title: str, mask: np.ndarray, x: int, y: int) -> dict[str, Any]:
    """A mask, packed as Supervisely packs it."""
    image = Image.fromarray(mask.astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 255, 255, 255])
    content = io.BytesIO()
    image.save(content, "PNG", transparency=0)
    data = base64.b64encode(zlib.compress(content.getvalue())).decode()
    return {"classTitle": title, "geometryType": "bitmap", "tags": [], "bitmap": {"data": data, "origin": [x, y]}}


def graph(title: str, *names: str) -> dict[str, Any]:
    """A graph with these points."""
    nodes = {name: {"loc": [20 + 20 * index, 20 + 10 * index]} for index, name in enumerate(names)}
    return {"classTitle": title, "geometryType": "graph", "tags": [], "nodes": nodes}


def nodes(*names: str) -> dict[str, Any]:
    """The points of a class whose shape is a graph, by ids of their own."""
    return {"nodes": {f"id-{name}": {"label": name, "loc": [0, 0], "color": "#FF0000"} for name in names}, "edges": []}


def read(folder: Path, task: str = "detect") -> tuple[DataSet, Split]:
    """What a trainer gets."""
    return checked(str(folder), task, SplitParameters())


def kinds(data_set: DataSet) -> dict[str, int]:
    """Findings and how many there are of each."""
    return {one.kind: one.count for one in data_set.findings}


def refused(sentence: str, task: str = "detect") -> Callable[[Path], None]:
    return refused_by(lambda folder: read(folder, task), sentence)


def _without_annotations(folder: Path) -> None:
    meta(folder, ("thing", "rectangle"))
    items(folder / "ds", 4, [rectangle()])
    for index in range(4, 8):
        image(folder / "ds" / "img" / f"p{index}.png")


def _are_negatives(folder: Path) -> None:
    data_set, _ = read(folder)
    assert [len(image.objects) for image in data_set.images] == [1] * 4 + [0] * 4
    assert kinds(data_set) == {"image without annotation": 4}


def _parent_without_images(folder: Path) -> None:
    meta(folder, ("thing", "rectangle"))
    for kind in ("img", "ann"):
        (folder / "parent" / kind).mkdir(parents=True)
    items(folder / "parent" / "datasets" / "child", 6, [rectangle()])


def _six_images(folder: Path) -> None:
    data_set, _ = read(folder)
    assert len(data_set.images) == 6
    assert kinds(data_set) == {}


def _nested_in_splits(folder: Path) -> None:
    meta(folder, ("thing", "rectangle"))
    items(folder / "train" / "datasets" / "camera 1", 4, [rectangle()])
    items(folder / "val" / "datasets" / "camera 1", 2, [rectangle()])


def _are_in_their_splits(folder: Path) -> None:
    _, split = read(folder)
    assert split.by == "folder"
    assert {part: len(images) for part, images in split.parts.items()} == {"train": 4, "val": 2}


def _without_classes(folder: Path) -> None:
    (folder / "meta.json").write_text(json.dumps({"tags": [], "projectType": "images"}))
    items(folder / "ds", 6, [])


def _other_type(kind: str, content: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        meta(folder, ("thing", "rectangle"))
        file = folder / "meta.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "projectType": kind}))
        (folder / "ds" / content).mkdir(parents=True)

    return make


def _multispectral(folder: Path) -> None:
    meta(folder, ("thing", "rectangle"))
    file = folder / "meta.json"
    settings = {"multiView": {"enabled": True}, "labelingInterface": "multispectral"}
    file.write_text(json.dumps({**json.loads(file.read_text()), "projectSettings": settings}))
    items(folder / "ds", 6, [rectangle()])


def _cuboid(folder: Path) -> None:
    meta(folder, ("thing", "cuboid"))
    label = {"classTitle": "thing", "geometryType": "cuboid", "points": [[1, 1]] * 7, "faces": [[0, 1, 2, 3]] * 3}
    items(folder / "ds", 6, [label])


def _blobs(folder: Path) -> None:
    meta(folder, ("thing", "rectangle"))
    for index in range(6):
        annotation(folder / "ds", f"p{index}.png", [rectangle()])
    (folder / "ds" / "7_offsets.pkl").write_bytes(b"")
    (folder / "blob").mkdir()


def _annotations_alone(folder: Path) -> None:
    meta(folder, ("thing", "rectangle"))
    for index in range(6):
        annotation(folder / "ds", f"p{index}.png", [rectangle()])


def _old_names(folder: Path) -> None:
    meta(folder, ("thing", "rectangle"))
    items(folder / "ds", 6, [rectangle()])
    for file in (folder / "ds" / "ann").iterdir():
        file.rename(file.with_name(file.name.replace(".png", "")))


def _left_by_systems(folder: Path) -> None:
    _old_names(folder)
    (folder / "__MACOSX" / "ds" / "ann").mkdir(parents=True)
    (folder / "ds" / "img" / "._p0.png").write_bytes(b"\0\5\26\7")
    (folder / "ds" / "ann" / "._p0.png.json").write_bytes(b"\0\5\26\7")
    (folder / "ds" / "img" / "Thumbs.db").write_bytes(b"")


def _junk_is_left_out(folder: Path) -> None:
    data_set, _ = read(folder)
    assert len(data_set.images) == 6
    assert kinds(data_set) == {"junk": 3}


def _linked_twice(folder: Path) -> None:
    meta(folder, ("thing", "rectangle"))
    outside = folder.parent / "outside"
    items(outside, 6, [rectangle()])
    for name in ("a", "b"):
        (folder / name).symlink_to(outside)
    (folder / "c").symlink_to(folder)


def _is_read_once(folder: Path) -> None:
    data_set, _ = read(folder)
    assert {image.path.parent.parent.name for image in data_set.images} == {"a"}
    assert kinds(data_set) == {"folder linked twice": 2}


def _classified_by_tags(folder: Path) -> None:
    tags = [{"name": name, "value_type": "none", "color": "#FF0000"} for name in ("cat", "dog", "train")]
    (folder / "meta.json").write_text(json.dumps({"classes": [], "tags": tags, "projectType": "images"}))
    for index in range(8):
        name = f"p{index}.png"
        image(folder / "ds" / "img" / name)
        given = ["train", "cat" if index < 4 else "dog", *(["cat"] if index == 7 else [])]
        annotation(folder / "ds", name, [])
        file = folder / "ds" / "ann" / f"{name}.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "tags": [{"name": one} for one in given]}))


def _tags_are_classes(folder: Path) -> None:
    data_set, _ = read(folder, "classify")
    assert data_set.classes == ["cat", "dog"]
    assert [image.labels[0] for image in data_set.images] == ["cat"] * 4 + ["dog"] * 4
    assert kinds(data_set) == {"several classes": 1}
    refused("no boxes")(folder)


CASES = [
    Case("supervisely-classified-by-tags", _classified_by_tags, _tags_are_classes),
    Case("supervisely-linked-twice", _linked_twice, _is_read_once),
    Case("supervisely-without-annotations", _without_annotations, _are_negatives),
    Case("supervisely-parent-without-images", _parent_without_images, _six_images),
    Case("supervisely-nested-in-splits", _nested_in_splits, _are_in_their_splits),
    Case("supervisely-no-classes", _without_classes, refused(r"meta\.json has no list of classes")),
    Case("supervisely-multispectral", _multispectral, refused("describes a multispectral project")),
    Case("supervisely-cuboids", _cuboid, refused(r"unsupported shape: object 1 of .* is a cuboid.* \(and 5 more\)")),
    Case("supervisely-blobs", _blobs, refused("download the project with download_blob_files=False")),
    Case("supervisely-no-images", _annotations_alone, refused(r"no readable .*missing image: .* \(and 5 more\)")),
    Case("supervisely-old-names", _old_names, _six_images),
    Case("supervisely-left-by-systems", _left_by_systems, _junk_is_left_out),
    *(
        Case(f"supervisely-{kind}", _other_type(kind, content), refused(f"describes a project of {words}"))
        for kind, content, words in (
            ("videos", "video", "videos"),
            ("volumes", "volume", "volumes"),
            ("point_clouds", "pointcloud", "point clouds"),
        )
    ),
]
