"""Shapes of Supervisely projects: turned, with holes and specks, of parts, tilted, graphs; and what its SDK writes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import supervisely as sly
from epochal.datasets import coco, yolo_writing
from epochal.datasets.masks import full_mask
from epochal.datasets.model import DataSet, Findings
from PIL import Image
from pycocotools.coco import COCO
from supervisely.geometry.graph import KeypointsTemplate, Node
from supervisely.geometry.oriented_bbox import OrientedBBox

from cases import Case
from cases.supervisely import (
    HEIGHT,
    WIDTH,
    annotation,
    bitmap,
    graph,
    image,
    items,
    kinds,
    meta,
    nodes,
    polygon,
    read,
    rectangle,
    refused,
)


def segments(folder: Path) -> tuple[DataSet, list[list[np.ndarray]]]:
    """The outlines that ultralytics gets: for each image its objects', in pixels."""
    data_set, split = read(folder, "segment")
    written = folder.parent / "yolo"
    yolo_writing.write(data_set, split, written, "segment", data_set.findings)
    files = sorted((written / "labels").rglob("*.txt"))
    return data_set, [
        [np.array(line.split()[1:], float).reshape(-1, 2) * (WIDTH, HEIGHT) for line in file.read_text().splitlines()]
        for file in files
    ]


def filled(ring: np.ndarray) -> np.ndarray:
    """The pixels of an outline as ultralytics fills it."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(mask, [np.asarray(ring + 0.001, np.int32)], 1)
    return mask.astype(bool)


def _turned(folder: Path) -> None:
    meta(folder, ("thing", "rectangle"))
    exif = Image.Exif()
    exif[0x0112] = 6
    for index in range(6):
        image(folder / "ds" / "img" / f"p{index}.jpg", exif=exif)
        annotation(folder / "ds", f"p{index}.jpg", [rectangle("thing", 24, 10, 53, 49)], (HEIGHT, WIDTH))


def _is_turned(folder: Path) -> None:
    data_set, _ = read(folder)
    for shown in data_set.images:
        assert (shown.width, shown.height) == (HEIGHT, WIDTH)  # as every framework loads it
        assert [tuple(one.box) for one in shown.objects] == [(24, 10, 30, 40)]


def _turned_since(folder: Path) -> None:
    """Marked on the stored rows: the same rectangle in every shape, and a point in its upper left pixel."""
    shapes = [("box", "rectangle"), ("outline", "polygon"), ("mask", "bitmap"), ("dot", "graph")]
    meta(folder, *shapes, dot=nodes("nose"))
    labels = [
        rectangle("box"),
        polygon("outline", [[10, 10], [50, 10], [50, 40], [10, 40]]),
        bitmap("mask", np.ones((31, 41), bool), 10, 10),
        {**graph("dot"), "nodes": {"id-nose": {"loc": [10, 10]}}},
    ]
    for orientation in range(5, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image(folder / "ds" / "img" / f"p{orientation}.jpg", exif=exif)
        annotation(folder / "ds", f"p{orientation}.jpg", labels)


def _shapes_stay_together(folder: Path) -> None:
    data_set, _ = read(folder)
    assert kinds(data_set) == {"turned marks": 4}
    for shown in data_set.images:
        box, outline, mask, dot = shown.objects
        x, y, width, height = (int(value) for value in box.box)
        wanted = np.zeros((shown.height, shown.width), bool)
        wanted[y : y + height, x : x + width] = True
        assert tuple(outline.box) == tuple(mask.box) == tuple(box.box)
        for one in (outline, mask):
            assert (full_mask(one, shown.width, shown.height) == wanted).all()
        corners = {(x, y), (x + width - 1, y), (x, y + height - 1), (x + width - 1, y + height - 1)}
        assert dot.keypoints[0][:2] in corners
        assert dot.box == (*dot.keypoints[0][:2], 1, 1)


def _two_graphs(folder: Path) -> None:
    meta(
        folder,
        ("person", "graph"),
        ("car", "graph"),
        person={"nodes": {name: {"label": name, "loc": [0, 0]} for name in ("nose", "tail")}},
        car={"nodes": {name: {"label": name, "loc": [0, 0]} for name in ("front", "back")}},
    )
    items(folder / "ds", 6, [graph("person", "nose", "tail"), graph("car", "front", "back")])


def _two_graphs_are_told_apart(folder: Path) -> None:
    refused("car is a graph with other points than person .*: one kind of keypoints can be trained", "pose")(folder)
    data_set, _ = read(folder)  # their boxes can be learned
    assert [len(image.objects) for image in data_set.images] == [2] * 6
    assert data_set.keypoint_names == ["nose", "tail"]


def _two_graphs_alike(folder: Path) -> None:
    meta(folder, ("person", "graph"), ("cat", "graph"), person=nodes("nose", "tail"), cat=nodes("tail", "nose"))
    items(folder / "ds", 6, [graph("person", "id-nose", "id-tail"), graph("cat", "id-nose")])


def _alike_graphs_are_one_kind(folder: Path) -> None:
    data_set, _ = read(folder, "pose")
    assert data_set.keypoint_names == ["nose", "tail"]
    assert kinds(data_set) == {"no mirrored images": 1}
    for shown in data_set.images:
        person, cat = shown.objects
        assert person.keypoints == [(20, 20, 2), (40, 30, 2)]
        assert cat.keypoints == [(20, 20, 2), (0, 0, 0)]
        assert cat.box == (20, 20, 1, 1)


SPECKED = np.zeros((40, 60), bool)
SPECKED[:21, :21] = True
SPECKED[30, 30:51:5] = True


def _specks(folder: Path) -> None:
    meta(folder, ("thing", "bitmap"))
    items(folder / "ds", 6, [bitmap("thing", SPECKED, 10, 10)])


def _specks_are_no_objects(folder: Path) -> None:
    data_set, outlines = segments(folder)
    assert [len(rings) for rings in outlines] == [1] * 6
    assert sorted(map(tuple, outlines[0][0].round(3))) == [(10, 10), (10, 31), (31, 10), (31, 31)]
    assert kinds(data_set) == {"specks left out": 6}
    files = coco.write(data_set, read(folder)[1], folder.parent / "coco")
    theirs = COCO(str(files["val"]))
    annotations = theirs.loadAnns(theirs.getAnnIds())
    assert [int(theirs.annToMask(one).sum()) for one in annotations] == [SPECKED.sum()] * len(theirs.imgs)


RING = polygon("ring", [[10, 10], [60, 10], [60, 50], [10, 50]], [[15, 15], [55, 15], [55, 45], [15, 45]])


def _hole(folder: Path) -> None:
    meta(folder, ("ring", "polygon"))
    items(folder / "ds", 6, [RING])


def _the_hole_is_kept(folder: Path) -> None:
    data_set, outlines = segments(folder)
    assert [len(rings) for rings in outlines] == [1] * 6
    mask = filled(outlines[0][0])
    wanted = full_mask(data_set.images[0].objects[0], WIDTH, HEIGHT)
    assert not mask[20:40, 20:50].any()
    assert (mask ^ wanted).sum() <= 2 * (40 + 30) + 4  # the hole's own line
    assert kinds(data_set) == {"holes cut": 6}


def _parts(folder: Path) -> None:
    meta(folder, ("thing", "polygon"))
    parts = [[[5, 5], [25, 5], [25, 25], [5, 25]], [[40, 30], [70, 30], [70, 60]]]
    items(folder / "ds", 6, [polygon("thing", part, instance="one") for part in parts])


def _parts_are_one_object(folder: Path) -> None:
    data_set, outlines = segments(folder)
    assert [len(image.objects) for image in data_set.images] == [1] * 6
    assert [len(rings) for rings in outlines] == [1] * 6
    wanted = full_mask(data_set.images[0].objects[0], WIDTH, HEIGHT)
    assert (filled(outlines[0][0]) ^ wanted).sum() <= 20  # the seam
    assert kinds(data_set) == {"joined labels": 6, "parts joined": 6}


def _mixed(folder: Path) -> None:
    meta(folder, ("ring", "polygon"), ("box", "rectangle"))
    ring = polygon("ring", [[10, 10], [60, 10], [60, 50], [10, 50]])
    items(folder / "ds", 6, [ring, rectangle("box", 65, 5, 90, 30)])


def _boxes_become_outlines(folder: Path) -> None:
    data_set, outlines = segments(folder)
    assert [[one.has_mask for one in image.objects] for image in data_set.images] == [[True, False]] * 6
    assert [len(rings) for rings in outlines] == [2] * 6
    assert kinds(data_set) == {"box as outline": 6}


def _by_the_sdk(folder: Path) -> None:
    """All shapes, holes, specks, tags, Unicode, an empty image, data sets in data sets, and a parent without images."""
    template = KeypointsTemplate()
    for row, label in enumerate(("нос", "хвост", "лапа")):
        template.add_point(label=label, row=row, col=row)
    shapes = {
        "кольцо": sly.Polygon,
        "mask": sly.Bitmap,
        "box": sly.Rectangle,
        "dot": sly.Point,
        "line": sly.Polyline,
        "any": sly.AnyGeometry,
        "alpha": sly.AlphaMask,
        "tilted": OrientedBBox,
    }
    by = {name: sly.ObjClass(name, shape) for name, shape in shapes.items()}
    by["cat"] = sly.ObjClass("cat", sly.GraphNodes, geometry_config=template)
    splits = {name: sly.TagMeta(name, sly.TagValueType.NONE) for name in ("train", "val")}
    count = sly.TagMeta("count", sly.TagValueType.ANY_NUMBER)
    project = sly.Project(str(folder), sly.OpenMode.CREATE)
    project.set_meta(sly.ProjectMeta(list(by.values()), [*splits.values(), count]))
    at = sly.PointLocation
    mask = np.zeros((40, 50), bool)
    mask[5:35, 5:45] = mask[0, 0] = True
    mask[15:25, 15:30] = False
    hole = [at(20, 20), at(20, 50), at(40, 50), at(40, 20)]
    nodes = [Node(at(20, 160), label="нос"), Node(at(50, 170), True, "хвост"), Node(at(40, 180), label="лапа")]
    ring = sly.Polygon([at(10, 10), at(10, 60), at(50, 60), at(50, 10)], [hole])
    labels = [
        sly.Label(ring, by["кольцо"], tags=[sly.Tag(count, 3)]),
        sly.Label(sly.Bitmap(mask, origin=at(60, 20)), by["mask"]),
        sly.Label(sly.Rectangle(20, 110, 50, 150), by["box"]),
        sly.Label(sly.Point(100, 120), by["dot"]),
        sly.Label(sly.Polyline([at(90, 100), at(110, 140)]), by["line"]),
        sly.Label(sly.Polygon([at(80, 90), at(80, 120), at(110, 120)]), by["any"]),
        sly.Label(sly.Rectangle(60, 150, 90, 180), by["any"]),
        sly.Label(sly.GraphNodes(nodes), by["cat"]),
        sly.Label(sly.AlphaMask((mask * 200).astype(np.uint8), origin=at(60, 100)), by["alpha"]),
        sly.Label(OrientedBBox(100, 20, 120, 60, angle=0.3), by["tilted"]),
    ]
    for path, number, split in (
        ("город", 4, "train"),
        ("город/datasets/улица 1", 3, "val"),
        ("пустой родитель", 0, "train"),
        ("пустой родитель/datasets/глубина", 2, "train"),
    ):
        data_set = project.create_dataset(path.split("/")[-1], ds_path=path)
        for index in range(number):
            annotated = sly.Annotation((128, 192), labels, img_tags=[sly.Tag(splits[split])])
            data_set.add_item_np(f"снимок {index} (копия).png", np.full((128, 192, 3), 60, np.uint8), annotated)
    empty = sly.Annotation((128, 192), img_tags=[sly.Tag(splits["train"])])
    project.datasets.get("город").add_item_np("пусто.jpg", np.full((128, 192, 3), 60, np.uint8), empty)


def _all_of_it_arrives(folder: Path) -> None:
    data_set, split = read(folder, "segment")
    assert split.by == "tag"
    assert {part: len(images) for part, images in split.parts.items()} == {"train": 7, "val": 3}
    assert sorted(len(image.objects) for image in data_set.images) == [0] + [8] * 9
    written = folder.parent / "yolo"
    changed = Findings()
    lines = yolo_writing.write(data_set, split, written, "segment", changed).parent / "labels"
    assert sum(len(file.read_text().splitlines()) for file in lines.rglob("*.txt")) == 9 * 8
    # Polygon, bitmap and alpha mask have a hole each; the two masks have a speck.
    assert {one.kind: one.count for one in changed} == {"holes cut": 27, "specks left out": 18}
    told = {"unused object tag": 9, "unused point": 9, "unused line": 9, "alpha mask": 9}
    assert kinds(data_set) == {**told, "box as outline": 27}


def _tilted_at_an_edge(folder: Path) -> None:
    meta(folder, ("thing", "oriented_bbox"))
    label = {"classTitle": "thing", "geometryType": "oriented_bbox", "points": [[0, 0], [40, 10]], "angle": 0.5}
    items(folder / "ds", 6, [label])


def _it_is_cut(folder: Path) -> None:
    data_set, _ = read(folder)
    assert kinds(data_set) == {"cut oriented box": 6}
    x, y, width, height = data_set.images[0].objects[0].box
    assert (x, y, x + width, y + height) == pytest.approx((0.42, 0, 40.95, 19.98), abs=0.02)


CASES = [
    Case("supervisely-by-the-sdk", _by_the_sdk, _all_of_it_arrives),
    Case("supervisely-tilted-at-an-edge", _tilted_at_an_edge, _it_is_cut),
    Case("supervisely-exif", _turned, _is_turned),
    Case("supervisely-turned-since", _turned_since, _shapes_stay_together),
    Case("supervisely-two-graphs", _two_graphs, _two_graphs_are_told_apart),
    Case("supervisely-two-graphs-alike", _two_graphs_alike, _alike_graphs_are_one_kind),
    Case("supervisely-specks", _specks, _specks_are_no_objects),
    Case("supervisely-hole", _hole, _the_hole_is_kept),
    Case("supervisely-parts", _parts, _parts_are_one_object),
    Case("supervisely-mixed-masks", _mixed, _boxes_become_outlines),
]
