"""COCO files and their entries, and images as cameras and scanners store them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from epochal.datasets import coco, yolo_writing
from epochal.datasets.checking import checked
from epochal.datasets.model import DataSet
from epochal.datasets.parameters import SplitParameters
from epochal.datasets.splits import split
from PIL import Image

from cases import Case, refused_by

Json = dict[str, Any]
SIZE = (96, 64)
THING = {"id": 1, "name": "thing"}


def image(path: Path, size: tuple[int, int] = SIZE, **save: Any) -> None:
    """An image file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (40, 90, 40)).save(path, **save)


def listed(number: Any, name: str, size: tuple[int, int] = SIZE) -> Json:
    """An entry of `images`."""
    return {"id": number, "file_name": name, "width": size[0], "height": size[1]}


def mark(number: int, on: Any, **more: Any) -> Json:
    """An entry of `annotations`."""
    return {"id": number, "image_id": on, "category_id": 1, "bbox": [10, 10, 40, 30], "area": 1200, **more}


def write(file: Path, images: list[Any], annotations: list[Any], categories: Any = (THING,), **how: Any) -> None:
    """An annotation file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"images": images, "annotations": annotations, "categories": list(categories)}
    file.write_text(json.dumps(content, **how), encoding="utf-8")


def six(folder: Path, change: Callable[[Json], object] = lambda content: None) -> None:
    """Six images with a mark each, after `change` of what is written."""
    content: Json = {"images": [], "annotations": [], "categories": [dict(THING)]}
    for index in range(6):
        image(folder / "images" / f"p{index}.jpg")
        content["images"].append(listed(index + 1, f"p{index}.jpg"))
        content["annotations"].append(mark(index + 1, index + 1))
    change(content)
    (folder / "annotations").mkdir()
    (folder / "annotations" / "instances.json").write_text(json.dumps(content))


def kinds(data_set: DataSet) -> dict[str, int]:
    """How often what was found."""
    return {one.kind: one.count for one in data_set.findings}


def labels(data_set: DataSet, folder: Path, task: str = "detect") -> list[str]:
    """The lines of all labels that are written for ultralytics."""
    yolo_writing.write(data_set, split(data_set), folder, task)
    return [line for file in sorted(folder.rglob("*.txt")) for line in file.read_text().splitlines()]


def refused(words: str, task: str = "detect") -> Callable[[Path], None]:
    return refused_by(lambda folder: checked(str(folder), task, SplitParameters()), words)


def _turned(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    images = []
    for index in range(6):
        image(folder / "images" / f"p{index}.jpg", exif=exif)
        images.append(listed(index + 1, f"p{index}.jpg", SIZE[::-1]))
    marks = [mark(index, index, bbox=[24, 10, 30, 40]) for index in range(1, 7)]
    write(folder / "annotations" / "instances.json", images, marks)


def _turned_is_read(folder: Path) -> None:
    data_set, _ = checked(str(folder), "detect", SplitParameters())
    assert kinds(data_set) == {}
    assert {(image.width, image.height) for image in data_set.images} == {(64, 96)}
    for line in labels(data_set, folder.parent / "yolo"):
        assert [float(one) for one in line.split()] == pytest.approx([0, 0.609375, 0.3125, 0.46875, 0.416667], abs=1e-5)


def _crowds(content: Json) -> None:
    crowd = {"size": [64, 96], "counts": [60 * 64, 30 * 64, 6 * 64]}
    content["annotations"] += [
        mark(7 + index, 1 + index, bbox=[60, 0, 30, 64], segmentation=crowd, iscrowd=1) for index in range(6)
    ]


def _crowds_are_left_out(folder: Path) -> None:
    data_set, chosen = checked(str(folder), "detect", SplitParameters())
    assert kinds(data_set) == {"crowd": 6}
    assert len(labels(data_set, folder.parent / "yolo")) == 6
    files = coco.write(data_set, chosen, folder.parent / "coco")
    written = [one for file in files.values() for one in json.loads(file.read_text())["annotations"]]
    assert sorted(one["iscrowd"] for one in written) == [0] * 6 + [1] * 6


def _sorted_keys(folder: Path) -> None:
    for part, count in (("train", 40), ("val", 10)):
        for index in range(count):
            image(folder / "images" / part / f"{part}{index}.jpg")
        ring = [10 + (value * 7) % 30 + 0.125 for value in range(400)]
        images = [listed(index + 1, f"{part}{index}.jpg") for index in range(count)]
        marks = [mark(index, index % count + 1, segmentation=[ring]) for index in range(600 if part == "train" else 10)]
        write(folder / "annotations" / f"{part}.json", images, marks, sort_keys=True)
    assert (folder / "annotations" / "train.json").stat().st_size > 1 << 20


def _all_are_read(folder: Path) -> None:
    _, chosen = checked(str(folder), "detect", SplitParameters())
    assert {part: len(images) for part, images in chosen.parts.items()} == {"train": 40, "val": 10}
    assert sum(len(image.objects) for image in chosen.parts["train"]) == 600


def _keypoints_per_category(content: Json) -> None:
    content["categories"] = [
        {"id": 1, "name": "person", "keypoints": ["a", "b", "c"]},
        {"id": 2, "name": "dog", "keypoints": ["nose", "tail"]},
    ]
    for one in content["annotations"]:
        one["keypoints"] = [40, 15, 2, 20, 15, 2, 30, 30, 2]
    content["annotations"].append(mark(7, 1, category_id=2, keypoints=[40, 15, 2, 20, 15, 2]))


def _fine(folder: Path) -> None:
    categories = [{"id": number, "name": name} for number, name in ((90, "ninety"), (0, "zero"), (7, "seven"))]
    for part, count in (("train", 4), ("val", 2)):
        images, marks = [], []
        for index in range(count):
            image(folder / "images" / part / "sub dir" / f"p{index}.jpg")
            images.append(listed(float(index), f"sub dir/p{index}.jpg"))
            if index:
                marks += [mark(len(marks), float(index), category_id=one) for one in (0, 7, 90)]
        write(folder / "annotations" / f"instances_{part}.json", images, marks, categories)


def _fine_is_read(folder: Path) -> None:
    data_set, chosen = checked(str(folder), "detect", SplitParameters())
    assert data_set.classes == ["zero", "seven", "ninety"]
    assert kinds(data_set) == {}
    assert [[len(one.objects) for one in part] for part in chosen.parts.values()] == [[0, 3, 3, 3], [0, 3]]


def _made_smaller(folder: Path) -> None:
    images = []
    for index in range(6):
        image(folder / "images" / f"p{index}.jpg")
        images.append(listed(index + 1, f"p{index}.jpg", (192, 128)))
    write(
        folder / "annotations" / "instances.json",
        images,
        [mark(index, index, bbox=[20, 20, 60, 40]) for index in range(1, 7)],
    )


def _boxes_are_scaled(folder: Path) -> None:
    data_set, _ = checked(str(folder), "detect", SplitParameters())
    assert kinds(data_set) == {"scaled marks": 6}
    assert {tuple(one.box) for image in data_set.images for one in image.objects} == {(10, 10, 30, 20)}


def _other_modes(folder: Path) -> None:
    six(folder)
    content = json.loads((folder / "annotations" / "instances.json").read_text())
    modes = [("L", ".png"), ("RGBA", ".png"), ("P", ".png"), ("1", ".png"), ("LA", ".png"), ("CMYK", ".jpg")]
    modes += [("L", ".jpg"), ("RGB", ".webp"), ("RGB", ".bmp"), ("RGB", ".tif"), ("L", ".tif"), ("RGBA", ".webp")]
    for index, (mode, suffix) in enumerate(modes):
        path = folder / "images" / f"m{index}{suffix}"
        Image.new("RGB", SIZE, (40, 90, 40)).convert(mode).save(path)
        content["images"].append(listed(10 + index, path.name))
    for suffix in (".png", ".tif"):
        Image.fromarray((np.arange(64 * 96).reshape(64, 96) * 10).astype(np.uint16)).save(
            folder / "images" / f"deep{suffix}"
        )
        content["images"].append(listed(f"deep{suffix}", f"deep{suffix}"))
    (folder / "annotations" / "instances.json").write_text(json.dumps(content))


def are_read(count: int, **found: int) -> Callable[[Path], None]:
    def expect(folder: Path) -> None:
        data_set, _ = checked(str(folder), "detect", SplitParameters())
        assert len(data_set.images) == count
        assert kinds(data_set) == {kind.replace("_", " "): times for kind, times in found.items()}

    return expect


def _replaced(change: Callable[[Path], object]) -> Callable[[Path], None]:
    """Six images, of which the first is another file."""

    def make(folder: Path) -> None:
        six(folder)
        change(folder / "images" / "p0.jpg")

    return make


def _cut(path: Path) -> None:
    Image.effect_noise(SIZE, 90).convert("RGB").save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])


def _with_pages(path: Path) -> None:
    pages = [Image.new("RGB", SIZE, (60 * page, 90, 40)) for page in range(4)]
    pages[0].save(path, "TIFF", save_all=True, append_images=pages[1:])


def _without(name: str, field: str) -> Callable[[Path], None]:
    return lambda folder: six(folder, lambda content: content[name][0].pop(field))


def _without_size(content: Json) -> None:
    for field in ("width", "height"):
        del content["images"][0][field]


def _set(name: str, field: str, value: Any) -> Callable[[Path], None]:
    return lambda folder: six(folder, lambda content: content[name][0].update({field: value}))


def _appended(name: str, *values: Any) -> Callable[[Path], None]:
    return lambda folder: six(folder, lambda content: content[name].extend(values))


def _long(folder: Path) -> None:
    place = Path("Разметка дорожных знаков, первая очередь, по заданию от 3 марта", "Камера на въезде, дневная съёмка")
    names = [f"Фотография с камеры наблюдения номер {index} от 17 июля.jpg" for index in range(6)]
    for name in names:
        image(folder / "images" / place / name)
    entries = [listed(index, (place / name).as_posix()) for index, name in enumerate(names)]
    write(folder / "annotations" / "instances.json", entries, [mark(index, index) for index in range(6)])


def _long_names_are_written(folder: Path) -> None:
    data_set, chosen = checked(str(folder), "detect", SplitParameters())
    assert len(labels(data_set, folder.parent / "yolo")) == 6
    for file in coco.write(data_set, chosen, folder.parent / "coco").values():
        for one in json.loads(file.read_text())["images"]:
            assert (folder.parent / "coco" / "images" / file.stem / one["file_name"]).is_file()


CASES = [
    Case("coco: images turned by EXIF", _turned, _turned_is_read),
    Case("coco: crowds", lambda folder: six(folder, _crowds), _crowds_are_left_out),
    Case("coco: a box of NaN", _set("annotations", "bbox", [float("nan")] * 4), refused("box outside: .* nan, nan")),
    Case("coco: a large file with sorted keys", _sorted_keys, _all_are_read),
    Case(
        "coco: keypoints differ by category",
        lambda folder: six(folder, _keypoints_per_category),
        refused(r"person has 3 \(on 6 objects\); dog has 2 \(on 1 object\)", "pose"),
    ),
    Case("coco: ids 0, 7, 90, of floats", _fine, _fine_is_read),
    Case("coco: images made smaller after they were marked", _made_smaller, _boxes_are_scaled),
    Case(
        "coco: boxes beyond their images",
        lambda folder: six(
            folder,
            lambda content: [
                content["annotations"][0].update(bbox=[80, 40, 18.5, 20]),
                content["annotations"][1].update(bbox=[20, 20, 1.03, 0]),
            ],
        ),
        refused(r"box outside: annotations\[0\] \(id 1\) of .* has the box 80, 40, 18.5, 20 .* \(and 1 more\)"),
    ),
    Case("coco: image modes", _other_modes, are_read(20)),
    Case(
        "coco: a JPEG with bytes behind its end",
        _replaced(lambda path: path.write_bytes(path.read_bytes() + b"\0" * 64)),
        are_read(6),
    ),
    Case("coco: a truncated JPEG", _replaced(_cut), refused("unreadable image: .*p0.jpg: .*truncated")),
    Case("coco: a TIFF with pages", _replaced(_with_pages), are_read(6, several_pages=1)),
    Case("coco: long names", _long, _long_names_are_written),
    Case(
        "coco: no size",
        lambda folder: six(folder, lambda c: [c["images"][0].pop(k) for k in ("width", "height")]),
        are_read(6),
    ),
    *(
        Case(f"coco: malformed, {name}", make, refused(words))
        for name, make, words in (
            ("no height", _without("images", "height"), r"images\[0\] \(id 1\) of .*instances.json has no height"),
            ("no file_name", _without("images", "file_name"), r"images\[0\] \(id 1\) .* has no file_name"),
            ("no image id", _without("images", "id"), r"images\[0\] of .* has no id: it must be a whole number"),
            ("no category id", _without("categories", "id"), r"categories\[0\] of .* has no id"),
            ("no name", _appended("categories", {"id": 2}), r"categories\[1\] \(id 2\) of .* has no name"),
            (
                "mixed ids",
                _appended("categories", {"id": "2", "name": "other"}),
                r'categories\[1\] \(id "2"\) of .* has another kind of id',
            ),
            ("a path of another type", _set("images", "file_name", 7), r"images\[0\] .* something of the type int"),
            ("an image of null", _appended("images", None), r"images\[6\] of .* is null: it must be an object"),
            ("a mark of null", _appended("annotations", None), r"annotations\[6\] of .* is null: it must be an object"),
            ("one id twice", _appended("images", listed(1, "p1.jpg")), r"duplicate image id: images\[6\] \(id 1\)"),
            ("a box of text", _set("annotations", "bbox", "10,10,40,30"), r'has the bbox "10,10,40,30": it must be'),
            ("a crowd of text", _set("annotations", "iscrowd", "no"), r'has the iscrowd "no": it must be 0 or 1'),
            (
                "a size of another image",
                _set("images", "width", 64),
                r"other size: .*p0.jpg has 96 × 64 pixels, images\[0\] \(id 1\) of .* says 64 × 64",
            ),
            (
                "run lengths of another image",
                _set("annotations", "segmentation", {"size": [64, 64], "counts": [64 * 64]}),
                r"annotations\[0\] .* has a mask of 64 × 64 pixels on an image of 96 × 64",
            ),
            (
                "an outline beyond its image",
                _set("annotations", "segmentation", [[10, 10, 150, 10, 50, 40]]),
                r"has the segmentation\[0\] from 10, 10 to 150, 40",
            ),
        )
    ),
]
