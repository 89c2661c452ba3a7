"""COCO: json files with pictures, categories and annotations."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from epochal.datasets.frames import Frame, frame_of
from epochal.datasets.masks import cropped, full_mask, mask_of_rle, polygons_of, rle_of_mask
from epochal.datasets.model import Box, DataSet, Findings, Keypoint, Object, Picture, Polygon
from epochal.datasets.pictures import link_name, named, unique_name
from epochal.datasets.splits import Split, split_name
from epochal.errors import DataError

_BEYOND = 1.0  # pixel: some writers count the last pixel, some do not


def annotation_files(folder: Path) -> list[Path]:
    """Json files that may be COCO's: in the folder, in `annotations/`, or in a folder for each split."""
    places = [folder, folder / "annotations", *(child for child in sorted(folder.iterdir()) if split_name(child.name))]
    files = [file for place in places if place.is_dir() for file in sorted(place.glob("*.json"))]
    files = [file for file in dict.fromkeys(files) if _looks_like_coco(file)]
    # The same pictures with other marks: captions are of no use here, and keypoint files hold the boxes, too.
    instances = [file for file in files if file.name.startswith("instances")]
    return instances or [file for file in files if not file.name.startswith("captions")]


def read(folder: Path) -> DataSet:
    """Read a data set; several files are its splits, or parts of one."""
    findings = Findings()
    contents = [(file, _load(file)) for file in annotation_files(folder)]
    categories: dict[int, dict[str, Any]] = {}
    for file, content in contents:
        for category in content["categories"]:
            known = categories.setdefault(category["id"], category)
            if known["name"] != category["name"]:
                raise DataError(
                    f"{file} calls category {category['id']} {category['name']}, another file {known['name']}"
                )
    ordered = [categories[number] for number in sorted(categories)]
    classes = [category["name"] for category in ordered]
    pictures: list[Picture] = []
    taken: set[str] = set()
    for file, content in contents:
        split = split_name(file.stem) or split_name(file.parent.name)
        found = _pictures(file, content, folder, split, categories, taken, findings)
        if not found:
            findings.add("empty split", f"{file} has no pictures")
        pictures += found
    names = next((category["keypoints"] for category in ordered if category.get("keypoints")), [])
    return DataSet("coco", folder, classes, pictures, findings, names)


def write(data_set: DataSet, split: Split, folder: Path, task: str = "detect") -> dict[str, Path]:
    """Write `annotations/<split>.json` and links in `images/<split>/`; answers the json files.

    For `segment` an object without a mask gets its box as outline: loaders expect one of each object.
    """
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    keypoints = {"keypoints": data_set.keypoint_names, "skeleton": []} if data_set.keypoint_names else {}
    categories = [{"id": index + 1, "name": name, **keypoints} for index, name in enumerate(data_set.classes)]
    numbers = {name: index + 1 for index, name in enumerate(data_set.classes)}
    files = {}
    for part, pictures in split.parts.items():
        images, annotations = [], []
        (folder / "images" / part).mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(pictures, 1):
            name = link_name(picture)
            os.symlink(picture.path.resolve(), folder / "images" / part / name)
            images.append({"id": number, "file_name": name, "width": picture.width, "height": picture.height})
            for one in picture.objects:
                marks = _annotation(one, picture, task)
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": number, "category_id": numbers[one.class_name], **marks}
                )
        content = {"images": images, "annotations": annotations, "categories": categories}
        files[part] = folder / "annotations" / f"{part}.json"
        files[part].write_text(json.dumps(content))
    return files


def _looks_like_coco(file: Path) -> bool:
    """Whether it is one, without parsing the hundreds of megabytes it may have."""
    size = file.stat().st_size
    if size < 50_000_000:
        try:
            content = json.loads(file.read_bytes())
        except ValueError:
            return False
        return isinstance(content, dict) and {"images", "annotations", "categories"} <= set(content)
    with open(file, "rb") as handle:
        return b'"images"' in handle.read(10_000) or b'"categories"' in handle.read(10_000)


def _load(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
        lists = [content[name] for name in ("images", "annotations", "categories")]
        if not all(isinstance(one, list) for one in lists):
            raise DataError(f"images, annotations and categories of {file} must be lists")
        return content
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file} cannot be read as COCO: {error}") from error


def _pictures(
    file: Path,
    content: dict[str, Any],
    folder: Path,
    split: str | None,
    categories: dict[int, dict[str, Any]],
    taken: set[str],
    findings: Findings,
) -> list[Picture]:
    by_id: dict[Any, Picture] = {}
    frames: dict[Any, Frame] = {}
    gone = set()
    for image in content["images"]:
        path = named(image.get("file_name"), folder, _places(file, folder, split), findings, str(file))
        declared = (image["width"], image["height"]) if "width" in image else None
        frame = frame_of(path, declared, findings, str(file)) if path else None
        if path is None or frame is None:
            gone.add(image["id"])
            continue
        frames[image["id"]] = frame
        by_id[image["id"]] = Picture(path, unique_name(path, folder, taken), frame.width, frame.height, split=split)
    for annotation in content["annotations"]:
        where = f"annotation {annotation.get('id')} of {file}"
        picture = by_id.get(annotation.get("image_id"))
        category = categories.get(annotation.get("category_id"))
        if picture is None:
            if annotation.get("image_id") not in gone:
                findings.add(
                    "unknown picture", f"{where} is on picture {annotation.get('image_id')}, which is not listed"
                )
        elif category is None:
            findings.add("unknown class", f"{where} has category {annotation.get('category_id')}, which is not listed")
        else:
            try:
                frame = frames[annotation["image_id"]]
                one = _object(annotation, category["name"], frame)
            except (ValueError, KeyError, TypeError, IndexError) as error:
                findings.add("unreadable annotation", f"{where}: {error}")
                continue
            x, y, w, h = one.box
            outside = (
                min(x, y) < -_BEYOND or x + w > frame.marked_width + _BEYOND or y + h > frame.marked_height + _BEYOND
            )
            if outside or w <= 0 or h <= 0:
                findings.add("box outside", f"{where} has the box {x:g}, {y:g}, {w:g}, {h:g} in {picture.path.name}")
            else:
                picture.objects.append(frame.placed(one))
    return list(by_id.values())


def _places(file: Path, folder: Path, split: str | None) -> list[Path]:
    """Where pictures may be; what is nowhere is missing from the data set's own folder."""
    places = [file.parent, folder / "images", folder / file.stem]
    if split:
        places += [
            folder / split,
            folder / "images" / split,
            folder / f"{split}2017",
            folder / "images" / f"{split}2017",
        ]
    return [*places, folder]


def _object(annotation: dict[str, Any], class_name: str, frame: Frame) -> Object:
    box = Box(*(float(value) for value in annotation["bbox"]))
    segmentation = annotation.get("segmentation")
    one = Object(class_name, box, crowd=bool(annotation.get("iscrowd", 0)))
    if isinstance(segmentation, dict):
        one.bitmap = cropped(mask_of_rle(segmentation, frame.marked_width, frame.marked_height))
    elif segmentation:
        one.polygons = [
            Polygon(list(zip(ring[::2], ring[1::2], strict=True))) for ring in segmentation if len(ring) >= 6
        ]
    values = annotation.get("keypoints") or []
    one.keypoints = [Keypoint(*values[start : start + 3]) for start in range(0, len(values) - 2, 3)]
    return one


def _annotation(one: Object, picture: Picture, task: str) -> dict[str, Any]:
    marks: dict[str, Any] = {"bbox": [float(v) for v in one.box], "iscrowd": int(one.crowd)}
    holed = any(polygon.interiors for polygon in one.polygons)
    if one.bitmap is not None or holed:
        mask = full_mask(one, picture.width, picture.height)
        marks["segmentation"] = rle_of_mask(mask)
        marks["area"] = float(mask.sum())
    elif one.polygons:
        marks["segmentation"] = [[float(v) for point in polygon.exterior for v in point] for polygon in one.polygons]
        marks["area"] = float(full_mask(one, picture.width, picture.height).sum())
    else:
        outlines = polygons_of(one, picture.width, picture.height) if task == "segment" else []
        marks["segmentation"] = [[float(v) for point in ring for v in point] for ring in outlines]
        marks["area"] = float(one.box.width * one.box.height)
    if one.keypoints:
        marks["keypoints"] = [value for point in one.keypoints for value in point]
        marks["num_keypoints"] = sum(point.visible > 0 for point in one.keypoints)
    return marks
