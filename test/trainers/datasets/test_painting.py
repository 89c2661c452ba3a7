"""Outlines are neither moved nor made larger or smaller on their way to a framework, by less than a pixel either."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import supervisely as sly
from cases import supervisely
from cases.supervisely import HEIGHT, WIDTH
from epochal.datasets import coco, reading, yolo_writing
from epochal.datasets.masks import full_mask
from epochal.datasets.model import DataSet, DatasetImage
from epochal.datasets.splits import Split
from pycocotools.coco import COCO

IMAGES = 60
#: ultralytics scales an outline with its image before it paints it.
SCALE = 4


def outline(seed: int) -> tuple[list[list[int]], list[list[int]]]:
    """Some corners at whole pixels, and a hole."""
    chance = random.Random(seed)
    middle, count = (chance.randint(36, 60), chance.randint(30, 34)), chance.randint(5, 9)
    angles = [(step + chance.uniform(0, 0.8)) * 2 * np.pi / count for step in range(count)]
    corners = [
        [int(middle[0] + far * np.cos(angle)), int(middle[1] + far * np.sin(angle))]
        for angle, far in ((angle, chance.uniform(18, 28)) for angle in angles)
    ]
    x, y = middle
    return corners, [[x - 4, y - 3], [x + 5, y - 2], [x + 3, y + 4], [x - 3, y + 3]]


def drawn(corners: list[list[int]], *holes: list[list[int]]) -> np.ndarray:
    """As Supervisely's package draws it."""
    exterior, *interiors = ([sly.PointLocation(y, x) for x, y in points] for points in (corners, *holes))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    sly.Polygon(exterior, interiors).draw(mask, 1)
    return mask.astype(bool)


class Bias:
    """How masks differ from those that they should be. Over many, a shift stays, and what is rounded does not."""

    def __init__(self) -> None:
        self._found: list[tuple[float, float, float]] = []
        self._alike: list[float] = []

    def add(self, wanted: np.ndarray, found: np.ndarray) -> None:
        """Both have the same size, which may be a multiple of the image's."""
        scale = len(wanted) / HEIGHT
        (y0, x0), (y1, x1) = (np.argwhere(mask).mean(0) / scale for mask in (wanted, found))
        self._found.append((x1 - x0, y1 - y0, found.sum() / wanted.sum() - 1))
        self._alike.append((wanted & found).sum() / (wanted | found).sum())

    def within(self, pixels: float, growth: float, alike: float) -> None:
        """A shift in pixels of the image, a growth and the least likeness (IoU) as parts of the area."""
        x, y, grown = np.mean(self._found, axis=0)
        assert max(abs(x), abs(y)) <= pixels, (x, y)
        assert abs(grown) <= growth, grown
        assert min(self._alike) >= alike, min(self._alike)


@pytest.fixture(params=[False, True], ids=["whole", "with a hole"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[DataSet, dict[str, np.ndarray]]:
    """A Supervisely project of outlines, and their masks by the names of their images."""
    folder, masks = tmp_path / "project", {}
    folder.mkdir()
    supervisely.meta(folder, ("thing", "polygon"))
    for seed in range(IMAGES):
        corners, hole = outline(seed)
        holes = [hole] if request.param else []
        supervisely.image(folder / "ds" / "img" / f"{seed}.png")
        supervisely.annotation(folder / "ds", f"{seed}.png", [supervisely.polygon("thing", corners, *holes)])
        masks[f"{seed}.png"] = drawn(corners, *holes)
    return reading.read(folder), masks


def wanted(data_set: DataSet, masks: dict[str, np.ndarray]) -> Iterator[tuple[DatasetImage, np.ndarray]]:
    """Each image with the mask of its object, whose box is around it."""
    assert len(data_set.images) == IMAGES
    for image in data_set.images:
        mask = masks[image.path.name]
        (y0, x0), (y1, x1) = np.argwhere(mask).min(0), np.argwhere(mask).max(0)
        assert image.objects[0].box == (x0, y0, x1 - x0 + 1, y1 - y0 + 1)
        yield image, mask


def test_supervisely_s_outlines_are_painted_as_its_package_does(project: tuple[DataSet, dict[str, np.ndarray]]) -> None:
    """What hrda learns from, and what mmdetection gets of an outline with holes."""
    bias = Bias()
    for image, mask in wanted(*project):
        bias.add(mask, full_mask(image.objects[0], WIDTH, HEIGHT))
    bias.within(0.05, 0.005, alike=0.97)


def test_supervisely_s_outlines_in_coco(project: tuple[DataSet, dict[str, np.ndarray]], tmp_path: Path) -> None:
    """Half a pixel inside on every side, where they have no holes, and not moved to any."""
    data_set, masks = project
    file = coco.write(data_set, Split("made", {"train": data_set.images}), tmp_path / "coco", "segment")["train"]
    theirs, bias = COCO(str(file)), Bias()
    for (_, mask), annotation in zip(wanted(data_set, masks), theirs.loadAnns(theirs.getAnnIds()), strict=True):
        bias.add(mask, theirs.annToMask(annotation).astype(bool))
    bias.within(0.3, 0.1, alike=0.8)


def test_supervisely_s_outlines_in_yolo(project: tuple[DataSet, dict[str, np.ndarray]], tmp_path: Path) -> None:
    """The same, of an image that is scaled."""
    data_set, masks = project
    run, bias = tmp_path / "yolo", Bias()
    yolo_writing.write(data_set, Split("made", {"train": data_set.images}), run, "segment")
    for image, mask in wanted(data_set, masks):
        values = np.array((run / "labels" / "train" / f"{image.name}.txt").read_text().split()[1:], float)
        corners = values.reshape(-1, 2) * (WIDTH * SCALE, HEIGHT * SCALE)
        found = np.zeros((HEIGHT * SCALE, WIDTH * SCALE), np.uint8)
        cv2.fillPoly(found, [corners.astype(np.int32)], 1)
        bias.add(np.kron(mask, np.ones((SCALE, SCALE), bool)), found.astype(bool))
    bias.within(0.2, 0.1, alike=0.8)


def test_coco_s_outlines_are_painted_as_its_package_does(tmp_path: Path) -> None:
    chance = random.Random(0)
    rings = [[[x + chance.random(), y + chance.random()] for x, y in outline(seed)[0]] for seed in range(IMAGES)]
    (tmp_path / "annotations").mkdir()
    images, marks = [], []
    for number, ring in enumerate(rings):
        supervisely.image(tmp_path / "images" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": WIDTH, "height": HEIGHT})
        segmentation = [[value for point in ring for value in point]]
        marks.append(
            {"id": number, "image_id": number, "category_id": 1, "segmentation": segmentation, "area": 1, "iscrowd": 0}
        )
    content = {"images": images, "annotations": marks, "categories": [{"id": 1, "name": "thing"}]}
    (tmp_path / "annotations" / "instances.json").write_text(json.dumps(content))
    theirs, bias = COCO(str(tmp_path / "annotations" / "instances.json")), Bias()
    for image in reading.read(tmp_path).images:
        bias.add(theirs.annToMask(marks[int(image.path.stem)]).astype(bool), full_mask(image.objects[0], WIDTH, HEIGHT))
    bias.within(0.1, 0.02, alike=0.9)
