"""Projects that we write are read by Supervisely's own package, and those that it writes by us."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import supervisely as sly
from conftest import Make
from epochal.datasets import reading, supervisely
from epochal.datasets.masks import full_mask
from epochal.datasets.model import DataSet
from epochal.datasets.splits import split
from PIL import Image


@pytest.mark.parametrize("kind", ["supervisely", "supervisely-boxes", "supervisely-polygons"])
def test_supervisely_reads_what_we_write(shapes: Make, kind: str) -> None:
    folder = shapes(kind)
    ours = {image.path.name: image for image in reading.read(folder).images}
    project = sly.Project(str(folder), sly.OpenMode.READ)
    assert [one.name for one in project.meta.obj_classes] == ["circle", "square", "triangle"]
    assert {data_set.name for data_set in project.datasets} == {"train", "val"}
    seen = 0
    for data_set in project.datasets:
        for name in data_set.get_items_names():
            annotation, image = data_set.get_ann(name, project.meta), ours[name]
            assert annotation.img_size == (image.height, image.width)
            assert [tag.name for tag in annotation.img_tags] == [data_set.name] == [image.split]
            assert len(annotation.labels) == len(image.objects)
            for label, one in zip(annotation.labels, image.objects, strict=True):
                assert label.obj_class.name == one.class_name
                theirs = np.zeros(annotation.img_size, np.uint8)
                label.geometry.draw(theirs, 1)
                mask = full_mask(one, image.width, image.height) if one.has_mask else _box_mask(one.box, theirs.shape)
                # Of outlines single pixels of slanted borders differ; bitmaps and boxes are the same pixel for pixel.
                assert (theirs.astype(bool) ^ mask).sum() <= (
                    0.06 * mask.sum() if kind == "supervisely-polygons" else 0
                )
                seen += 1
    assert seen > 12


def _box_mask(box: tuple[float, ...], shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    x, y, width, height = (round(value) for value in box)
    mask[y : y + height, x : x + width] = True
    return mask


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project made by Supervisely's own classes."""
    thing, outline, area = (
        sly.ObjClass(name, geometry)
        for name, geometry in (("thing", sly.Rectangle), ("outline", sly.Polygon), ("area", sly.Bitmap))
    )
    tag = sly.TagMeta("val", sly.TagValueType.NONE)
    folder = tmp_path / "project"
    made = sly.Project(str(folder), sly.OpenMode.CREATE)
    made.set_meta(sly.ProjectMeta([thing, outline, area], [tag]))
    data_set = made.create_dataset("ds")
    mask = np.zeros((40, 60), bool)
    mask[10:20, 30:50] = True
    mask[13:16, 35:40] = False
    for index in range(3):
        labels = [
            sly.Label(sly.Rectangle(top=2, left=3, bottom=11, right=22), thing),
            sly.Label(
                sly.Polygon([sly.PointLocation(5, 5), sly.PointLocation(5, 25), sly.PointLocation(30, 15)]), outline
            ),
            sly.Label(sly.Bitmap(mask), area),
        ]
        tags = [sly.Tag(tag)] if index == 0 else []
        annotation = sly.Annotation((40, 60), labels, tags)
        data_set.add_item_np(f"{index}.png", np.full((40, 60, 3), 90, np.uint8), annotation)
    return folder


def test_we_read_what_supervisely_writes(project: Path) -> None:
    data_set = reading.read(project)
    assert data_set.kind == "supervisely"
    assert data_set.findings.sentences() == []
    assert data_set.classes == ["thing", "outline", "area"]
    box, outline, area = data_set.images[0].objects
    assert box.box == (3, 2, 20, 10)
    assert outline.polygons[0].exterior == [(5.5, 5.5), (25.5, 5.5), (15.5, 30.5)]
    mask = full_mask(area, 60, 40)
    assert mask.sum() == 200 - 15
    assert mask[10, 30]
    assert not mask[14, 36]
    assert area.box == (30, 10, 20, 10)
    assert [image.tags for image in data_set.images] == [["val"], [], []]


def test_there_and_back(project: Path, tmp_path: Path) -> None:
    data_set = reading.read(project)
    supervisely.write(data_set, split(data_set, "random", fraction=0.34), tmp_path / "again")
    again = reading.read(tmp_path / "again")
    assert _described(again) == _described(data_set)
    theirs = sly.Project(str(tmp_path / "again"), sly.OpenMode.READ)
    assert theirs.total_items == 3


def _described(data_set: DataSet) -> list[list[tuple[object, ...]]]:
    return sorted(
        [(one.class_name, tuple(one.box), full_mask(one, image.width, image.height).tobytes()) for one in image.objects]
        for image in data_set.images
    )


def test_keypoints_are_a_graph(shapes: Make, tmp_path: Path) -> None:
    data_set = reading.read(shapes("yolo-pose"))
    supervisely.write(data_set, split(data_set), tmp_path / "graph")
    theirs = sly.Project(str(tmp_path / "graph"), sly.OpenMode.READ)
    assert {one.geometry_type for one in theirs.meta.obj_classes} == {sly.GraphNodes}
    again = reading.read(tmp_path / "graph")
    ours = {image.name.split("__")[-1]: image for image in again.images}
    for image in data_set.images:
        found = ours[image.name.split("__")[-1]]
        for one, other in zip(image.objects, found.objects, strict=True):
            assert np.allclose(one.keypoints, other.keypoints, atol=0.01)
    annotation = theirs.datasets.get("val")
    assert annotation.get_ann(annotation.get_items_names()[0], theirs.meta).labels


def test_a_image_is_an_image(project: Path) -> None:
    with Image.open(project / "ds" / "img" / "0.png") as image:
        assert image.size == (60, 40)
