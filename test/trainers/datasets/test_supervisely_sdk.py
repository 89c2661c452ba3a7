"""Projects with anything that Supervisely's own package can write: what it says of them is what we read."""

from __future__ import annotations

import math
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import supervisely as sly
from epochal.datasets import reading
from epochal.datasets.masks import full_mask
from epochal.datasets.model import Box, Object
from supervisely.geometry.cuboid import Cuboid, CuboidFace
from supervisely.geometry.graph import KeypointsTemplate, Node
from supervisely.geometry.multipolygon import Multipolygon
from supervisely.geometry.oriented_bbox import OrientedBBox

PROJECTS = int(os.environ.get("EPOCHAL_SLY_PROJECTS", "12"))
ARRIVE = {"rectangle", "polygon", "multipolygon", "bitmap", "alpha_mask", "oriented_bbox", "graph"}
TOLD = {"point": "unused point", "line": "unused line", "cuboid": "unsupported shape"}
#: How many pixels of an outline's border may differ: slanted lines are drawn by other rules.
LINE = 0.5


class Generator:
    """A project drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.template = KeypointsTemplate()
        for index, name in enumerate(self.draw.sample(["нос", "tail", "left ear", "0", "x.y"], 3)):
            self.template.add_point(label=name, row=index, col=index)
        shapes = {
            "box": sly.Rectangle,
            "кольцо": sly.Polygon,
            "many": Multipolygon,
            "mask": sly.Bitmap,
            "alpha": sly.AlphaMask,
            "tilted": OrientedBBox,
            "dot": sly.Point,
            "line": sly.Polyline,
            "any": sly.AnyGeometry,
        }
        names = self.draw.sample(sorted(shapes), self.draw.randint(3, len(shapes)))
        self.classes = [sly.ObjClass(name, shapes[name]) for name in names]
        if self.draw.random() < 0.6:
            self.classes.append(sly.ObjClass("cat", sly.GraphNodes, geometry_config=self.template))
        self.tags = [
            sly.TagMeta("plain", sly.TagValueType.NONE),
            sly.TagMeta("погода", sly.TagValueType.ONEOF_STRING, possible_values=["дождь", "солнце"]),
            sly.TagMeta("count", sly.TagValueType.ANY_NUMBER),
        ]

    def write(self, folder: Path) -> sly.Project:
        """Write the project, with data sets in data sets."""
        project = sly.Project(str(folder), sly.OpenMode.CREATE)
        project.set_meta(sly.ProjectMeta(self.classes, self.tags, sly.ProjectType.IMAGES.value))
        for least, path in zip(
            (1, 0, 0),
            self.draw.sample(["a", "город", "a/datasets/b b", "a/datasets/b b/datasets/c", "empty"], 3),
            strict=True,
        ):
            data_set = project.create_dataset(path.split("/")[-1], ds_path=path)
            for index in range(self.draw.randint(least, 4)):
                size = (self.draw.randint(20, 90), self.draw.randint(20, 90))
                image = np.full((*size, 3), 60, np.uint8)
                name = f"снимок {index} ({self.draw.choice('ab')}){self.draw.choice(['.png', '.jpg', '.jpeg'])}"
                data_set.add_item_np(name, image, self._annotation(size))
        return sly.Project(str(folder), sly.OpenMode.READ)

    def _annotation(self, size: tuple[int, int]) -> sly.Annotation:
        labels = []
        for _ in range(self.draw.randint(0, 5)):
            one = self.draw.choice(self.classes)
            geometry = self._geometry(one.geometry_type, size)
            tags = [sly.Tag(self.tags[2], self.draw.randint(0, 9))] if self.draw.random() < 0.2 else []
            labels.append(sly.Label(geometry, one, tags=tags))
        tags = self.draw.choice(
            [[], [sly.Tag(self.tags[0])], [sly.Tag(self.tags[1], "дождь"), sly.Tag(self.tags[2], 3)]]
        )
        return sly.Annotation(size, labels, img_tags=tags)

    def _geometry(self, kind: type, size: tuple[int, int]) -> sly.geometry.geometry.Geometry:
        draw, (height, width) = self.draw, size
        if kind is sly.AnyGeometry:
            kind = draw.choice([sly.Rectangle, sly.Polygon, sly.Bitmap, sly.Point, sly.Polyline, Cuboid])
        # Not at the edge: the package cuts off what lies outside when it reads, and says no more of it.
        top, left = draw.randint(0, height - 12), draw.randint(0, width - 12)
        bottom, right = draw.randint(top + 9, height - 1), draw.randint(left + 9, width - 1)
        if kind is sly.Rectangle:
            return sly.Rectangle(top, left, bottom, right)
        if kind is OrientedBBox:
            middle, half = ((top + bottom) // 2, (left + right) // 2), draw.randint(1, 3)
            angle = draw.choice([0, 0.3, -1.2, math.pi / 2])
            return OrientedBBox(middle[0] - half, middle[1] - 1, middle[0] + half, middle[1] + 1, angle=angle)
        if kind is sly.Polygon:
            return self._polygon(top, left, bottom, right)
        if kind is Multipolygon:
            middle = (left + right) // 2
            return Multipolygon([self._polygon(top, left, bottom, middle), self._polygon(top, middle, bottom, right)])
        if kind in (sly.Bitmap, sly.AlphaMask):
            numbers = np.random.default_rng(draw.randrange(10**6))
            mask = numbers.random((bottom - top + 1, right - left + 1)) < draw.choice([0.02, 0.5, 1])
            mask[0, 0] = True
            origin = sly.PointLocation(top, left)
            return (
                sly.Bitmap(mask, origin) if kind is sly.Bitmap else sly.AlphaMask(mask.astype(np.uint8) * 100, origin)
            )
        if kind is sly.GraphNodes:
            names = draw.sample(list(self.template.config["nodes"]), draw.randint(1, 3))
            return sly.GraphNodes(
                [
                    Node(
                        sly.PointLocation(draw.randint(top, bottom), draw.randint(left, right)),
                        draw.random() < 0.3,
                        name,
                    )
                    for name in names
                ]
            )
        if kind is Cuboid:
            corners = [sly.PointLocation(draw.randint(top, bottom), draw.randint(left, right)) for _ in range(7)]
            return Cuboid(corners, [CuboidFace(*face) for face in ((0, 1, 2, 3), (0, 4, 5, 1), (1, 5, 6, 2))])
        if kind is sly.Point:
            return sly.Point(top, left)
        return sly.Polyline([sly.PointLocation(top, left), sly.PointLocation(bottom, right)])

    def _polygon(self, top: int, left: int, bottom: int, right: int) -> sly.Polygon:
        corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
        dropped = self.draw.randrange(8)
        exterior = [sly.PointLocation(*one) for index, one in enumerate(corners) if index != dropped]
        hole = []
        if len(exterior) == 4 and bottom - top > 8 and right - left > 8:
            inner = [(top + 3, left + 3), (top + 3, right - 3), (bottom - 3, right - 3), (bottom - 3, left + 3)]
            hole = [[sly.PointLocation(*one) for one in inner]]
        return sly.Polygon(exterior, hole)


@pytest.mark.parametrize("seed", range(PROJECTS))
def test_what_it_says_is_what_we_read(tmp_path: Path, seed: int) -> None:
    theirs = Generator(seed).write(tmp_path / "project")
    data_set = reading.read(tmp_path / "project")
    assert data_set.classes == [one.name for one in theirs.meta.obj_classes]
    ours = {str(image.path): image for image in data_set.images}
    expected: Counter[str] = Counter()
    assert len(ours) == theirs.total_items
    for folder in theirs.datasets:
        for name in folder.get_items_names():
            annotation = folder.get_ann(name, theirs.meta)
            image = ours[folder.get_img_path(name)]
            assert (image.height, image.width) == annotation.img_size
            assert image.tags == [
                tag.name if tag.value is None else f"{tag.name}:{tag.value}" for tag in annotation.img_tags
            ]
            labels = annotation.labels
            for label in labels:
                kind = label.geometry.geometry_name()
                if kind in TOLD:
                    expected[TOLD[kind]] += 1
                else:
                    expected["unused object tag"] += bool(len(label.tags))
                    expected["alpha mask"] += kind == "alpha_mask"
            arrived = [label for label in labels if label.geometry.geometry_name() in ARRIVE]
            assert len(image.objects) == len(arrived)
            for label, one in zip(arrived, image.objects, strict=True):
                assert one.class_name == label.obj_class.name
                _same(one, label.geometry, annotation.img_size)
    found = {one.kind: one.count for one in data_set.findings}
    found.pop("empty data set", None)
    assert found == +expected


def _same(one: Object, geometry: sly.geometry.geometry.Geometry, size: tuple[int, int]) -> None:
    kind, box = geometry.geometry_name(), geometry.to_bbox()
    said = Box(box.left, box.top, box.width, box.height)
    # A tilted box has its middle at a whole pixel there, and where it is here.
    assert np.allclose(one.box, said, atol=2 if kind == "oriented_bbox" else 0), kind
    if kind == "graph":
        seen = [point for point in one.keypoints if point.visible]
        assert sorted((point.x, point.y, point.visible) for point in seen) == sorted(
            (node.location.col, node.location.row, 1 if node.disabled else 2) for node in geometry.nodes.values()
        )
    elif kind != "rectangle" and one.has_mask:
        theirs = np.zeros(size, np.uint8)
        geometry.draw(theirs, 255)
        mask = full_mask(one, *size[::-1])
        differing = (theirs > 0) ^ mask
        exact = kind in ("bitmap", "alpha_mask")
        around = 0 if exact else LINE * 2 * (box.width + box.height)
        assert differing.sum() <= around, kind
