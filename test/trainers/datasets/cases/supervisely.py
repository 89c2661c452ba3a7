"""Supervisely projects as people have them."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import supervisely as sly
from epochal.datasets import coco, yolo_writing
from epochal.datasets.checking import checked
from epochal.datasets.masks import full_mask
from epochal.datasets.model import DataSet, Findings
from epochal.datasets.parameters import SplitParameters
from epochal.datasets.splits import Split
from PIL import Image, ImageDraw
from pycocotools.coco import COCO
from supervisely.geometry.graph import KeypointsTemplate, Node
from supervisely.geometry.oriented_bbox import OrientedBBox

from cases import Case, refused_by

WIDTH, HEIGHT = 96, 64


def image(path: Path, **save: Any) -> None:
    """A picture of a rectangle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (WIDTH, HEIGHT), (40, 90, 40))
    ImageDraw.Draw(picture).rectangle((10, 10, 50, 40), fill=(200, 60, 60))
    picture.save(path, **save)


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
    picture = Image.fromarray(mask.astype(np.uint8), "P")
    picture.putpalette([0, 0, 0, 255, 255, 255])
    content = io.BytesIO()
    picture.save(content, "PNG", transparency=0)
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


def refused(sentence: str, task: str = "detect") -> Callable[[Path], None]:
    return refused_by(lambda folder: read(folder, task), sentence)


def _turned(folder: Path) -> None:
    meta(folder, ("thing", "rectangle"))
    exif = Image.Exif()
    exif[0x0112] = 6
    for index in range(6):
        image(folder / "ds" / "img" / f"p{index}.jpg", exif=exif)
        annotation(folder / "ds", f"p{index}.jpg", [rectangle("thing", 24, 10, 53, 49)], (HEIGHT, WIDTH))


def _is_turned(folder: Path) -> None:
    data_set, _ = read(folder)
    for picture in data_set.pictures:
        assert (picture.width, picture.height) == (HEIGHT, WIDTH)  # as every framework loads it
        assert [tuple(one.box) for one in picture.objects] == [(24, 10, 30, 40)]


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
    for picture in data_set.pictures:
        box, outline, mask, dot = picture.objects
        x, y, width, height = (int(value) for value in box.box)
        wanted = np.zeros((picture.height, picture.width), bool)
        wanted[y : y + height, x : x + width] = True
        assert tuple(outline.box) == tuple(mask.box) == tuple(box.box)
        for one in (outline, mask):
            assert (full_mask(one, picture.width, picture.height) == wanted).all()
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
    assert [len(picture.objects) for picture in data_set.pictures] == [2] * 6
    assert data_set.keypoint_names == ["nose", "tail"]


def _two_graphs_alike(folder: Path) -> None:
    meta(folder, ("person", "graph"), ("cat", "graph"), person=nodes("nose", "tail"), cat=nodes("tail", "nose"))
    items(folder / "ds", 6, [graph("person", "id-nose", "id-tail"), graph("cat", "id-nose")])


def _alike_graphs_are_one_kind(folder: Path) -> None:
    data_set, _ = read(folder, "pose")
    assert data_set.keypoint_names == ["nose", "tail"]
    assert kinds(data_set) == {"no mirrored images": 1}
    for picture in data_set.pictures:
        person, cat = picture.objects
        assert person.keypoints == [(20, 20, 2), (40, 30, 2)]
        assert cat.keypoints == [(20, 20, 2), (0, 0, 0)]
        assert cat.box == (20, 20, 1, 1)


def _without_annotations(folder: Path) -> None:
    meta(folder, ("thing", "rectangle"))
    items(folder / "ds", 4, [rectangle()])
    for index in range(4, 8):
        image(folder / "ds" / "img" / f"p{index}.png")


def _are_negatives(folder: Path) -> None:
    data_set, _ = read(folder)
    assert [len(picture.objects) for picture in data_set.pictures] == [1] * 4 + [0] * 4
    assert kinds(data_set) == {"picture without annotation": 4}


def _parent_without_images(folder: Path) -> None:
    meta(folder, ("thing", "rectangle"))
    for kind in ("img", "ann"):
        (folder / "parent" / kind).mkdir(parents=True)
    items(folder / "parent" / "datasets" / "child", 6, [rectangle()])


def _six_images(folder: Path) -> None:
    data_set, _ = read(folder)
    assert len(data_set.pictures) == 6
    assert kinds(data_set) == {}


def _nested_in_splits(folder: Path) -> None:
    meta(folder, ("thing", "rectangle"))
    items(folder / "train" / "datasets" / "camera 1", 4, [rectangle()])
    items(folder / "val" / "datasets" / "camera 1", 2, [rectangle()])


def _are_in_their_splits(folder: Path) -> None:
    _, split = read(folder)
    assert split.by == "folder"
    assert {part: len(pictures) for part, pictures in split.parts.items()} == {"train": 4, "val": 2}


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
    wanted = full_mask(data_set.pictures[0].objects[0], WIDTH, HEIGHT)
    assert not mask[20:40, 20:50].any()
    assert (mask ^ wanted).sum() <= 2 * (40 + 30) + 4  # the hole's own line
    assert kinds(data_set) == {"holes cut": 6}


def _parts(folder: Path) -> None:
    meta(folder, ("thing", "polygon"))
    parts = [[[5, 5], [25, 5], [25, 25], [5, 25]], [[40, 30], [70, 30], [70, 60]]]
    items(folder / "ds", 6, [polygon("thing", part, instance="one") for part in parts])


def _parts_are_one_object(folder: Path) -> None:
    data_set, outlines = segments(folder)
    assert [len(picture.objects) for picture in data_set.pictures] == [1] * 6
    assert [len(rings) for rings in outlines] == [1] * 6
    wanted = full_mask(data_set.pictures[0].objects[0], WIDTH, HEIGHT)
    assert (filled(outlines[0][0]) ^ wanted).sum() <= 20  # the seam
    assert kinds(data_set) == {"joined labels": 6, "parts joined": 6}


def _mixed(folder: Path) -> None:
    meta(folder, ("ring", "polygon"), ("box", "rectangle"))
    ring = polygon("ring", [[10, 10], [60, 10], [60, 50], [10, 50]])
    items(folder / "ds", 6, [ring, rectangle("box", 65, 5, 90, 30)])


def _boxes_become_outlines(folder: Path) -> None:
    data_set, outlines = segments(folder)
    assert [[one.has_mask for one in picture.objects] for picture in data_set.pictures] == [[True, False]] * 6
    assert [len(rings) for rings in outlines] == [2] * 6
    assert kinds(data_set) == {"box as outline": 6}


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
    assert len(data_set.pictures) == 6
    assert kinds(data_set) == {"junk": 3}


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
    assert {part: len(pictures) for part, pictures in split.parts.items()} == {"train": 7, "val": 3}
    assert sorted(len(picture.objects) for picture in data_set.pictures) == [0] + [8] * 9
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
    x, y, width, height = data_set.pictures[0].objects[0].box
    assert (x, y, x + width, y + height) == pytest.approx((0.42, 0, 40.95, 19.98), abs=0.02)


def _linked_twice(folder: Path) -> None:
    meta(folder, ("thing", "rectangle"))
    outside = folder.parent / "outside"
    items(outside, 6, [rectangle()])
    for name in ("a", "b"):
        (folder / name).symlink_to(outside)
    (folder / "c").symlink_to(folder)


def _is_read_once(folder: Path) -> None:
    data_set, _ = read(folder)
    assert {picture.path.parent.parent.name for picture in data_set.pictures} == {"a"}
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
    assert [picture.labels[0] for picture in data_set.pictures] == ["cat"] * 4 + ["dog"] * 4
    assert kinds(data_set) == {"several classes": 1}
    refused("no boxes")(folder)


CASES = [
    Case("supervisely-classified-by-tags", _classified_by_tags, _tags_are_classes),
    Case("supervisely-linked-twice", _linked_twice, _is_read_once),
    Case("supervisely-by-the-sdk", _by_the_sdk, _all_of_it_arrives),
    Case("supervisely-tilted-at-an-edge", _tilted_at_an_edge, _it_is_cut),
    Case("supervisely-exif", _turned, _is_turned),
    Case("supervisely-turned-since", _turned_since, _shapes_stay_together),
    Case("supervisely-two-graphs", _two_graphs, _two_graphs_are_told_apart),
    Case("supervisely-two-graphs-alike", _two_graphs_alike, _alike_graphs_are_one_kind),
    Case("supervisely-without-annotations", _without_annotations, _are_negatives),
    Case("supervisely-parent-without-images", _parent_without_images, _six_images),
    Case("supervisely-nested-in-splits", _nested_in_splits, _are_in_their_splits),
    Case("supervisely-specks", _specks, _specks_are_no_objects),
    Case("supervisely-hole", _hole, _the_hole_is_kept),
    Case("supervisely-parts", _parts, _parts_are_one_object),
    Case("supervisely-mixed-masks", _mixed, _boxes_become_outlines),
    Case("supervisely-no-classes", _without_classes, refused(r"meta\.json has no list of classes")),
    Case("supervisely-multispectral", _multispectral, refused("describes a multispectral project")),
    Case("supervisely-cuboids", _cuboid, refused(r"unsupported shape: object 1 of .* is a cuboid.* \(and 5 more\)")),
    Case("supervisely-blobs", _blobs, refused("download the project with download_blob_files=False")),
    Case("supervisely-no-images", _annotations_alone, refused(r"no picture .*missing picture: .* \(and 5 more\)")),
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
