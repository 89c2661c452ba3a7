"""Every format is recognised, and what is read from one and written as another stays what it is."""

from __future__ import annotations

import base64
import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import Make
from epochal.datasets import coco, image_folder, reading, yolo_writing
from epochal.datasets.masks import full_mask, mask_of_rle, outlines, packed, rle_of_mask, unpacked
from epochal.datasets.model import Object
from epochal.datasets.splits import split
from epochal.errors import DataError
from make_shapes import FORMATS
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

KINDS = {kind: kind.split("-")[0] for kind in FORMATS}


@pytest.mark.parametrize("kind", FORMATS)
def test_it_is_recognised(shapes: Make, kind: str) -> None:
    data_set = reading.read(shapes(kind))
    assert data_set.kind == KINDS[kind]
    assert data_set.classes == ["circle", "square", "triangle"]
    assert len(data_set.images) == 12
    assert data_set.findings.sentences() == []
    assert len({image.name for image in data_set.images}) == 12


@pytest.mark.parametrize("kind", ["coco", "yolo", "yolo-segment", "supervisely", "supervisely-boxes"])
@pytest.mark.parametrize("target", ["coco", "yolo"])
def test_boxes_survive_a_conversion(shapes: Make, tmp_path: Path, kind: str, target: str) -> None:
    data_set = reading.read(shapes(kind))
    chosen = split(data_set)
    if target == "coco":
        coco.write(data_set, chosen, tmp_path / "converted")
    else:
        yolo_writing.write(data_set, chosen, tmp_path / "converted")
    again = reading.read(tmp_path / "converted")
    assert again.findings.sentences() == []
    ours = {image.name.split("__")[-1]: image for image in again.images}
    for image in data_set.images:
        found = ours[image.name.split("__")[-1]]
        assert found.split == image.split
        assert [one.class_name for one in found.objects] == [one.class_name for one in image.objects]
        assert np.allclose([one.box for one in found.objects], [one.box for one in image.objects], atol=0.01)


@pytest.mark.parametrize("kind", ["supervisely", "coco"])
def test_masks_survive_a_conversion(shapes: Make, tmp_path: Path, kind: str) -> None:
    data_set = reading.read(shapes(kind))
    coco.write(data_set, split(data_set), tmp_path / "coco")
    yolo_writing.write(data_set, split(data_set), tmp_path / "yolo", "segment")
    for folder, tolerance in ((tmp_path / "coco", 0), (tmp_path / "yolo", 0.2)):
        again = {image.name.split("__")[-1]: image for image in reading.read(folder).images}
        for image in data_set.images:
            for one, other in zip(image.objects, again[image.name.split("__")[-1]].objects, strict=True):
                mask, found = (full_mask(some, image.width, image.height) for some in (one, other))
                # YOLO's outlines run along the pixels' edges, and pillow draws the last pixel as well.
                assert (mask ^ found).sum() <= tolerance * mask.sum() + (8 if tolerance else 0)


def test_pycocotools_reads_what_we_write(shapes: Make, tmp_path: Path) -> None:
    data_set = reading.read(shapes("supervisely"))
    files = coco.write(data_set, split(data_set), tmp_path / "coco")
    theirs = COCO(str(files["train"]))
    ours = {image.name: image for image in data_set.images}
    for annotation in theirs.loadAnns(theirs.getAnnIds()):
        listed = theirs.loadImgs(annotation["image_id"])[0]
        image = ours[Path(listed["file_name"]).stem]
        found = theirs.annToMask(annotation).astype(bool)
        assert any(
            (found == full_mask(one, image.width, image.height)).all() and annotation["area"] == found.sum()
            for one in image.objects
        )


def test_masks_in_every_form() -> None:
    numbers = np.random.default_rng(0)
    for density in (0.0, 0.2, 0.5, 0.9, 1.0):
        mask = numbers.random((17, 23)) < density
        assert (mask_of_rle(rle_of_mask(mask), *mask.shape[::-1]) == mask).all()
        compressed = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        plain = {"size": compressed["size"], "counts": compressed["counts"].decode()}
        assert (mask_of_rle(plain, *mask.shape[::-1]) == mask).all()
        assert (unpacked(packed(mask), *mask.shape[::-1]) == mask).all()
        again = base64.b64encode(zlib.decompress(base64.b64decode(packed(mask)))).decode()
        assert (unpacked(again, *mask.shape[::-1]) == mask).all()


def test_outlines_fill_what_they_enclose() -> None:
    mask = np.zeros((12, 14), bool)
    mask[2:6, 3:9] = True
    mask[8:11, 1:4] = True
    mask[6, 9] = True  # touches the first part by a corner alone
    found = outlines(mask)
    assert len(found) == 3
    assert [(3.0, 2.0), (9.0, 2.0), (9.0, 6.0), (3.0, 6.0)] in [sorted(ring, key=ring.index) for ring in found]


def test_image_folders_without_splits(shapes: Make, tmp_path: Path) -> None:
    made = reading.read(shapes("images"))
    for image in made.images:
        target = tmp_path / "plain" / image.labels[0] / image.path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(image.path.read_bytes())
    plain = reading.read(tmp_path / "plain")
    assert plain.classes == made.classes
    assert {image.split for image in plain.images} == {None}
    image_folder.write(plain, split(plain, seed=1), tmp_path / "split")
    assert sorted(path.name for path in (tmp_path / "split").iterdir()) == ["train", "val"]
    assert len(reading.read(tmp_path / "split").images) == 12


def test_what_is_no_data_set(shapes: Make, tmp_path: Path) -> None:
    for path, words in ((tmp_path / "gone", "there is no data set"), (tmp_path, "not a data set in a known format")):
        with pytest.raises(DataError, match=words):
            reading.recognise(path)
    (tmp_path / "one deeper").mkdir()
    shutil.copytree(shapes("yolo"), tmp_path / "one deeper" / "data", symlinks=True)
    with pytest.raises(DataError, match=r"not a data set in a known format: .* \(.*/one deeper/data is one: yolo\)"):
        reading.recognise(tmp_path / "one deeper")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file"):
        reading.recognise(tmp_path / "file")
    (tmp_path / "data.json").write_text(json.dumps({"images": []}))
    with pytest.raises(DataError, match="not a data set in a known format"):
        reading.recognise(tmp_path)


def test_an_object_without_a_mask_has_its_box_as_outline(shapes: Make) -> None:
    data_set = reading.read(shapes("yolo"))
    one: Object = data_set.images[0].objects[0]
    assert not one.has_mask
