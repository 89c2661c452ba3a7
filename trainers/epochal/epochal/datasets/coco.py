"""COCO: json files with images, categories and annotations."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from epochal.datasets.coco_entries import (
    Id,
    Malformed,
    Outside,
    as_object,
    described,
    identifier,
    keypoint_names_of,
    marks_of,
    name_of,
    shown,
    size_of_image,
)
from epochal.datasets.coco_files import files_to_read, places_of, split_of
from epochal.datasets.frames import Frame, frame_of
from epochal.datasets.images import link_name, relocated, unique_name
from epochal.datasets.json_lists import JsonLists
from epochal.datasets.listings import Listings
from epochal.datasets.masks import full_mask, rle_of_mask
from epochal.datasets.model import DataSet, DatasetImage, Findings, Object
from epochal.datasets.outlines import outline_of
from epochal.datasets.painting import area_of
from epochal.datasets.splits import Split
from epochal.errors import DataError


class _Category(NamedTuple):
    name: str
    keypoints: list[str] | None


class _Listed(NamedTuple):
    """An image of a file, and how its marks lie on it."""

    image: DatasetImage
    frame: Frame


@dataclass
class _File:
    """An annotation file; images that cannot be used are None, so that their annotations are not said to be lost."""

    path: Path
    split: str | None
    images: dict[Id, _Listed | None]


def read(folder: Path, task: str | None = None) -> DataSet:
    """Read a data set; several files are its splits, or parts of one. The task decides between files where it must."""
    return _Reader(folder, task).read()


class _Reader:
    def __init__(self, folder: Path, task: str | None) -> None:
        self._folder = folder
        self._task = task
        self._findings = Findings()
        self._categories: dict[Id, _Category] = {}
        self._by_path: dict[Path, tuple[DatasetImage, Path]] = {}
        self._names: set[str] = set()
        self._listings = Listings(folder)

    def read(self) -> DataSet:
        files = [self._file(path) for path in files_to_read(self._folder, self._task, self._findings)]
        # Only now all categories are known, which may be at the end of a file.
        for file in files:
            self._read_annotations(file)
        numbers = [one for one in self._categories if isinstance(one, int)]
        ids = sorted(numbers) if len(numbers) == len(self._categories) else self._categories
        classes = list(dict.fromkeys(self._categories[one].name for one in ids))
        images = [image for image, _ in self._by_path.values()]
        return DataSet("coco", self._folder, classes, images, self._findings, self._keypoint_names(images))

    def _file(self, path: Path) -> _File:
        """Its categories and images, without their annotations."""
        file = _File(path, split_of(path, self._folder), {})
        places = places_of(path, self._folder)
        own: dict[Id, str] = {}
        kinds: set[bool] = set()
        for name, index, entry in JsonLists(path).entries(("images", "categories"), elsewhere=("annotations",)):
            where = f"{described(name, index, entry)} of {path}"
            try:
                if name == "categories":
                    number = identifier(as_object(entry), "id")
                    kinds.add(isinstance(entry["id"], str))
                    if len(kinds) > 1:
                        raise Malformed("has another kind of id than those before: all must be numbers, or all text")
                    self._add_category(number, entry, own)
                else:
                    self._add_image(as_object(entry), file, places, where)
            except Malformed as error:
                if name == "categories":
                    raise DataError(f"{where} {error}") from error
                self._findings.add("malformed entry", f"{where} {error}")
        if not file.images:
            self._findings.add("empty split", f"{path} has no images")
        return file

    def _add_category(self, number: Id, entry: dict[str, Any], own: dict[Id, str]) -> None:
        category = _Category(name_of(entry), keypoint_names_of(entry))
        if number in own:
            raise Malformed(f"has the id of another category, {own[number]}")
        own[number] = category.name
        known = self._categories.setdefault(number, category)
        if known.name != category.name:
            raise Malformed(f"is called {category.name}, and in another file {known.name}")
        same = [one for one, other in self._categories.items() if other.name == category.name and one != number]
        if same and known is category:
            self._findings.add(
                "same class name",
                f"categories {shown(same[0])} and {shown(number)} are both called {category.name}: they are one class",
            )

    def _add_image(self, entry: dict[str, Any], file: _File, places: list[Path], where: str) -> None:
        number = identifier(entry, "id")
        declared = size_of_image(entry)
        if "file_name" not in entry:
            raise Malformed("has no file_name: it must be the path of the image")
        name = entry["file_name"]
        path = self._listings.find(name, places) or relocated(name, self._folder, places, self._findings, where)
        if number in file.images:
            # Nobody knows to which of both images their annotations belong.
            self._findings.add("duplicate image id", f"{where} has the id of another image")
            if (listed := file.images[number]) and listed.image.path != path:
                self._by_path.pop(listed.image.path, None)
                file.images[number] = None
            return
        file.images[number] = None
        frame = path and frame_of(path, declared, self._findings, where)
        if path is None or frame is None:
            return
        if before := self._by_path.get(path):
            image, other = before
            if other == file.path:
                self._findings.add("image listed twice", f"{where} is {path}, as another entry is")
                return
            if image.split != file.split:
                self._findings.add("image in two splits", f"{path} is in {other} and in {file.path}")
                return
            self._findings.add(
                "image in several files", f"{path} is in {other} and in {file.path}: it has the marks of both"
            )
        else:
            image = DatasetImage(
                path, unique_name(path, self._folder, self._names), frame.width, frame.height, split=file.split
            )
            self._by_path[path] = image, file.path
        file.images[number] = _Listed(image, frame)

    def _read_annotations(self, file: _File) -> None:
        for name, index, entry in JsonLists(file.path).entries(("annotations",), elsewhere=("images", "categories")):
            try:
                self._add_annotation(as_object(entry), file, name, index)
            except Outside as error:
                where = f"{described(name, index, entry)} of {file.path}"
                self._findings.add("box outside", f"{where} {error}", _image_of(entry, file))
            except Malformed as error:
                where = f"{described(name, index, entry)} of {file.path}"
                self._findings.add("malformed entry", f"{where} {error}", _image_of(entry, file))

    def _add_annotation(self, entry: dict[str, Any], file: _File, name: str, index: int) -> None:
        image, number = identifier(entry, "image_id"), identifier(entry, "category_id")

        def tell(kind: str, words: str) -> None:
            where = f"{described(name, index, entry)} of {file.path}"
            self._findings.add(kind, f"{where} {words}", _image_of(entry, file))

        if image not in file.images:
            tell("unknown image", f"is on image {shown(image)}, which is not listed")
            return
        category = self._categories.get(number)
        if category is None:
            tell("unknown class", f"has category {shown(number)}, which is not listed")
            return
        listed = file.images[image]
        if listed is None:
            return
        marks = marks_of(entry, category.name, len(category.keypoints) if category.keypoints else None, listed.frame)
        for kind, words in marks.notes:
            tell(kind, words)
        if marks.one.crowd:
            tell("crowd", "is a crowd: mmdetection does not count what it finds there, YOLO's formats leave it out")
        listed.image.objects.append(marks.one)

    def _keypoint_names(self, images: list[DatasetImage]) -> list[str]:
        """Those of the categories, where they agree; else as many names as there are keypoints."""
        named = [category.keypoints for category in self._categories.values() if category.keypoints]
        if named and all(one == named[0] for one in named):
            return named[0]
        count = len(named[0]) if named else 0
        count = count or next((len(one.keypoints) for p in images for one in p.objects if one.keypoints), 0)
        return [f"point {index + 1}" for index in range(count)]


def write(data_set: DataSet, split: Split, folder: Path, task: str = "detect") -> dict[str, Path]:
    """Write `annotations/<split>.json` and links in `images/<split>/`; answers the json files.

    For `segment` an object without a mask gets its box as outline: loaders expect one of each object.
    """
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    keypoints = {"keypoints": data_set.keypoint_names, "skeleton": []} if data_set.keypoint_names else {}
    categories = [{"id": index + 1, "name": name, **keypoints} for index, name in enumerate(data_set.classes)]
    numbers = {name: index + 1 for index, name in enumerate(data_set.classes)}
    files = {}
    for part, images in split.parts.items():
        entries, annotations = [], []
        (folder / "images" / part).mkdir(parents=True, exist_ok=True)
        for number, image in enumerate(images, 1):
            name = link_name(image)
            os.symlink(image.path.resolve(), folder / "images" / part / name)
            entries.append({"id": number, "file_name": name, "width": image.width, "height": image.height})
            for one in image.objects:
                marks = _annotation(one, image, task)
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": number, "category_id": numbers[one.class_name], **marks}
                )
        content = {"images": entries, "annotations": annotations, "categories": categories}
        files[part] = folder / "annotations" / f"{part}.json"
        files[part].write_text(json.dumps(content))
    return files


def _annotation(one: Object, image: DatasetImage, task: str) -> dict[str, Any]:
    marks: dict[str, Any] = {"bbox": [float(v) for v in one.box], "iscrowd": int(one.crowd)}
    # An outline thinner than a pixel fills none; mmdet discards what has no area.
    box_area = float(one.box.width * one.box.height)
    holed = any(polygon.interiors for polygon in one.polygons)
    if one.bitmap is not None or holed:
        mask = full_mask(one, image.width, image.height)
        marks["segmentation"] = rle_of_mask(mask)
        marks["area"] = float(mask.sum()) or box_area
    elif one.polygons:
        marks["segmentation"] = [[float(v) for point in polygon.exterior for v in point] for polygon in one.polygons]
        marks["area"] = sum(map(area_of, one.polygons)) or box_area
    else:
        outlines = [outline_of(one, image.width, image.height).ring] if task == "segment" else []
        marks["segmentation"] = [[float(v) for point in ring for v in point] for ring in outlines]
        marks["area"] = box_area
    if one.keypoints:
        marks["keypoints"] = [value for point in one.keypoints for value in point]
        marks["num_keypoints"] = sum(point.visible > 0 for point in one.keypoints)
    return marks


def _image_of(entry: Any, file: _File) -> Path | None:
    """The image that an annotation is on, for whoever wants to see it; None where it names none that is listed."""
    try:
        listed = file.images.get(identifier(as_object(entry), "image_id"))
    except Malformed:
        return None
    return listed.image.path if listed else None
