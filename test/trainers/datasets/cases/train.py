"""What trainers do with a data set: HRDA's domains, and what a framework would refuse or discard."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from epochal import DataError
from epochal.datasets import coco
from epochal.datasets.checking import Look, checked
from epochal.datasets.parameters import SplitParameters
from images import save_turned
from PIL import Image

from cases import Case

if TYPE_CHECKING:
    from data_set import DataSet

_HRDA = Path(__file__).parents[4] / "trainers" / "hrda"
_SIZE = (160, 128)

Save = Callable[[Path, np.ndarray], object]


def _scene(index: int) -> np.ndarray:
    """Three classes in upright stripes."""
    x = np.mgrid[0 : _SIZE[1], 0 : _SIZE[0]][1]
    return ((x + 7 * index) // 40 % 3).astype(np.uint8)


def _domains(
    save: Save, *, classes: str = "road\nsky\ncar\n", mask_name: str = "{}.png", save_image: Save | None = None
) -> Callable[[Path], None]:
    """Three domains of four images whose colours are their classes, each mask written by `save`."""

    def make(folder: Path) -> None:
        (folder / "classes.txt").write_text(classes)
        for role in ("source", "target", "validation"):
            for kind in ("images", "labels"):
                (folder / role / kind).mkdir(parents=True)
            for index in range(4):
                labels = _scene(index)
                image = (labels[..., None] * 80 + np.array([20, 40, 60])).astype(np.uint8)
                (save_image or _save)(folder / role / "images" / f"{index}.png", image)
                if role != "target":
                    save(folder / role / "labels" / mask_name.format(index), labels)

    return make


def _save(path: Path, values: np.ndarray) -> None:
    Image.fromarray(values).save(path)


def _colours(path: Path, labels: np.ndarray) -> None:
    Image.fromarray(np.array([[128, 64, 128], [70, 130, 180], [0, 0, 142]], np.uint8)[labels]).save(path)


def _palette(path: Path, labels: np.ndarray) -> None:
    mask = Image.fromarray(labels)
    mask.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    mask.save(path)


def _with_ignored(path: Path, labels: np.ndarray) -> None:
    ignored = labels.copy()
    ignored[:10] = 255
    _save(path, ignored)


def _turned(path: Path, image: np.ndarray) -> None:
    save_turned(path, Image.fromarray(image), 6)


def _without_cars(path: Path, labels: np.ndarray) -> None:
    _save(path, np.where(labels == 2, 255, labels).astype(np.uint8))


def _boxes_are_outlines(folder: Path) -> None:
    data_set, split = checked(str(folder), "segment", SplitParameters())
    (finding,) = data_set.findings
    assert (finding.kind, finding.count) == ("box as outline", 6)
    with tempfile.TemporaryDirectory() as beside:
        files = coco.write(data_set, split, Path(beside), "segment")
        written = [one for file in files.values() for one in json.loads(file.read_text())["annotations"]]
    assert len(written) == 12
    assert all(one["segmentation"] for one in written)


_SHAPES = {
    "ring": (
        "polygon",
        {
            "points": {
                "exterior": [[10, 10], [50, 10], [50, 40], [10, 40]],
                "interior": [[[20, 20], [30, 20], [30, 30], [20, 30]]],
            }
        },
    ),
    "box": ("rectangle", {"points": {"exterior": [[65, 5], [90, 30]], "interior": []}}),
    "pose": ("graph", {"nodes": {"a": {"loc": [2, 50]}, "b": {"loc": [60, 60]}}}),
}
_NODES = {"nodes": {"a": {"label": "top", "loc": [0, 0]}, "b": {"label": "foot", "loc": [0, 9]}}}


def _project(folder: Path, images: int, shapes: tuple[str, ...]) -> None:
    """A Supervisely project with an object of each of these shapes on each image."""
    classes = [
        {"title": name, "shape": kind, "color": "#FF0000", "geometry_config": _NODES if kind == "graph" else {}}
        for name, (kind, _) in _SHAPES.items()
        if name in shapes
    ]
    objects = [
        {"classTitle": name, "geometryType": kind, "tags": [], **marks}
        for name, (kind, marks) in _SHAPES.items()
        if name in shapes
    ]
    for index in range(images):
        image, marks = (folder / "ds" / kind / f"{index}.png" for kind in ("img", "ann"))
        for path in (image, marks):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (96, 64), (40, 90, 40 + index)).save(image)
        content = {"description": "", "tags": [], "size": {"width": 96, "height": 64}, "objects": objects}
        marks.with_name(f"{index}.png.json").write_text(json.dumps(content))
    meta = {"classes": classes, "tags": [], "projectType": "images"}
    (folder / "meta.json").write_text(json.dumps(meta))


def _projects(folder: Path) -> None:
    for role in ("source", "target", "validation"):
        _project(folder / role, 4, ("ring", "box", "pose"))


def _shapes_are_painted(folder: Path) -> None:
    data = read_hrda(folder)
    box, ring = (data.source.classes.index(name) for name in ("box", "ring"))
    labels = data.source.labels(0)
    assert (labels == box).sum() == 26 * 26  # Supervisely counts the last pixel
    assert labels[5, 65] == labels[30, 90] == box
    assert labels[15, 15] == ring
    assert labels[25, 25] == labels[55, 30] == 255  # in the hole, and within the skeleton's box


def _is_turned(folder: Path) -> None:
    data = read_hrda(folder)
    for index in range(4):
        labels = _scene(index)
        assert (data.source.labels(index) == labels).all()
        assert (np.asarray(data.source.image(index))[..., 0] == labels * 80 + 20).all()
    assert "EXIF orientation 6" in data.sentences[0]


def _junk(folder: Path) -> None:
    _domains(_save)(folder)
    for role in ("source", "target"):
        (folder / role / "images" / "._1.png").write_bytes(b"\0\5\26\7")
        (folder / role / "images" / ".ipynb_checkpoints").mkdir()
        (folder / role / "images" / ".ipynb_checkpoints" / "0-checkpoint.png").write_bytes(b"")


def read_hrda(folder: Path, look: Look | None = None, **parameters: object) -> DataSet:
    """What HRDA trains on."""
    if str(_HRDA) not in sys.path:
        sys.path.insert(0, str(_HRDA))
    from data_set import read_data_set
    from parameters import Parameters

    return read_data_set(str(folder), Parameters(**parameters), look=look)


def _trained(expected: Callable[[int], np.ndarray]) -> Callable[[Path], None]:
    """Every mask is read as it was meant."""

    def expect(folder: Path) -> None:
        data = read_hrda(folder)
        for domain in (data.source, data.validation):
            assert len(domain) == 4
            for index in range(4):
                assert (domain.labels(index) == expected(index)).all()

    return expect


def _refused(*words: str) -> Callable[[Path], None]:
    """One sentence names the first file and what is wrong with it."""

    def expect(folder: Path) -> None:
        with pytest.raises(DataError) as refused:
            read_hrda(folder)
        message = str(refused.value)
        assert [word for word in (str(folder / "source"), *words) if word not in message] == [], message
        assert "\n" not in message

    return expect


def _told(folder: Path, *words: str) -> None:
    told = read_hrda(folder).sentences
    assert any(all(word in sentence for word in words) for sentence in told), told


def _ignored_above(index: int) -> np.ndarray:
    labels = _scene(index)
    labels[:10] = 255
    return labels


CASES = [
    Case("03-hrda-turned-by-exif", _domains(_save, save_image=_turned), _is_turned),
    Case("41-mmdet-mixed-masks", lambda folder: _project(folder, 6, ("ring", "box")), _boxes_are_outlines),
    Case("80-hrda-rgb-masks", _domains(_colours), _refused("0.png has 3 channels (RGB): it must have one")),
    Case("81-hrda-palette-masks", _domains(_palette), _trained(_scene)),
    Case("82-hrda-255-ignored", _domains(_with_ignored), _trained(_ignored_above)),
    Case(
        "82-hrda-class-without-pixels",
        _domains(_without_cars),
        lambda folder: _told(folder, "no pixel of the source", "is car"),
    ),
    Case(
        "83-hrda-0-255-masks",
        _domains(
            lambda path, labels: _save(path, ((labels > 0) * 255).astype(np.uint8)), classes="background\nobject\n"
        ),
        _refused("every pixel of the source", "is background, and none is object", "255 means that a pixel has no"),
    ),
    Case(
        "84-hrda-1bit-masks",
        _domains(lambda path, labels: Image.fromarray(labels > 0).save(path), classes="background\nobject\n"),
        _trained(lambda index: _scene(index) > 0),
    ),
    Case(
        "85-hrda-16bit-instance-ids",
        _domains(lambda path, labels: _save(path, labels.astype(np.uint16) * 1000 + 24000)),
        _refused("0.png has the value 24000", "0 … 253, or 255"),
    ),
    Case(
        "85-hrda-16bit-classes",
        _domains(lambda path, labels: _save(path, labels.astype(np.uint16))),
        _trained(_scene),
    ),
    Case(
        "86-hrda-mask-half-size",
        _domains(lambda path, labels: _save(path, labels[::2, ::2].copy())),
        _refused("0.png has 80 × 64 pixels, its image", "has 160 × 128: they must be equal"),
    ),
    Case(
        "89-hrda-mask-suffix",
        _domains(_save, mask_name="{}_mask.png"),
        _refused("0_mask.png, but a mask must have the name of its image"),
    ),
    Case(
        "89-hrda-mask-in-jpeg",
        _domains(_save, mask_name="{}.jpg"),
        _refused("0.jpg, but a mask must be .png", "other formats change its values"),
    ),
    Case(
        "90-hrda-mask-one-value-off",
        _domains(lambda path, labels: _save(path, labels + 1)),
        _refused("0.png has the value 3, but there are 3 classes: 0 … 2, and 255"),
    ),
    Case("hrda-supervisely-shapes", _projects, _shapes_are_painted),
    Case("92-hrda-apple-double", _junk, _trained(_scene)),
]
