"""Supervisely project: `meta.json`, and in each data set's folder `img/` and `ann/<image>.json`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from epochal.datasets.frames import Frame, frame_of
from epochal.datasets.images import named, unique_name
from epochal.datasets.junk import is_junk
from epochal.datasets.masks import cropped, full_mask
from epochal.datasets.model import IMAGE_SUFFIXES, Box, DataSet, DatasetImage, Findings, Object
from epochal.datasets.splits import split_name
from epochal.datasets.supervisely_geometry import (
    UNSUPPORTED,
    UNUSED,
    cut_to,
    object_of,
    placed,
    shape_of,
    unknown_nodes,
)
from epochal.datasets.supervisely_meta import Meta, Wrong, is_meta, list_in, load, read_meta, shown, text_of
from epochal.datasets.supervisely_writing import write
from epochal.errors import DataError

__all__ = ["annotation_of", "is_project", "read", "write"]

#: Folders that make a folder a data set, and all those of a data set that hold no data sets.
_ITEMS = frozenset({"img", "ann", "video", "pointcloud", "volume"})
_CONTENT = _ITEMS | {"img_info", "seg", "meta", "blob"}
_BEYOND = 1.0  # pixel


def is_project(folder: Path) -> bool:
    """Whether a folder is a project, also one that cannot be trained on."""
    file = folder / "meta.json"
    return file.is_file() and (is_meta(file) or any((one / "ann").is_dir() for one in _data_sets(folder)))


def read(folder: Path) -> DataSet:
    """Read a project. Tags of an image, or the folder of its data set, may say which split it is in."""
    meta = read_meta(folder / "meta.json")
    findings = Findings()
    images: list[DatasetImage] = []
    taken: set[str] = set()
    data_sets = sorted(_data_sets(folder, findings))
    for data_set in data_sets:
        _refuse_other_content(data_set)
        found = list(_images(data_set, folder, meta, taken, findings))
        if not found and not any(data_set in other.parents for other in data_sets):
            kind = "empty split" if _split_of(data_set, folder) else "empty data set"
            findings.add(kind, f"{data_set} has no images")
        images += found
    names = _with_one_skeleton(images, meta, findings)
    return DataSet("supervisely", folder, meta.classes, images, findings, names)


def annotation_of(image: Path) -> Path | None:
    """The annotation file of an image: by its whole name, or without the suffix as older versions have it."""
    folder = image.parent.parent / "ann"
    files = (folder / f"{image.name}.json", folder / f"{image.stem}.json")
    return next((file for file in files if file.is_file()), None)


def _data_sets(folder: Path, findings: Findings | None = None) -> Iterator[Path]:
    """Folders with `ann/` or `img/`, also nested ones, which lie in `datasets/` of their parent; links are followed."""
    seen: dict[str, str] = {}
    for place, folders, _ in os.walk(folder, followlinks=True):
        if (first := seen.setdefault(os.path.realpath(place), place)) != place:
            if findings is not None:
                findings.add("folder linked twice", f"{place} leads to {first}, which is not read again")
            folders.clear()
            continue
        if Path(place) != folder and not _ITEMS.isdisjoint(folders):
            yield Path(place)
        folders[:] = sorted(name for name in folders if name not in _CONTENT and not is_junk(name))


def _refuse_other_content(data_set: Path) -> None:
    for name, words in (("video", "videos"), ("pointcloud", "point clouds"), ("volume", "volumes")):
        if (data_set / name).is_dir():
            raise DataError(f"{data_set} is a data set of {words}: only a project of images can be trained on")
    if (data_set / "img").is_dir():
        return
    offsets = next(data_set.glob("*_offsets.pkl"), None)
    if offsets:
        raise DataError(
            f"{data_set} has its images in an archive of the project's folder blob/, at places that are listed in "
            f"{offsets.name}, and that is not read here: download the project with download_blob_files=False"
        )


def _split_of(data_set: Path, folder: Path) -> str | None:
    """Of the data set itself, or of the nearest of those that it is nested in."""
    parts = data_set.relative_to(folder).parts
    return next((name for part in reversed(parts) if part != "datasets" and (name := split_name(part))), None)


def _images(data_set: Path, folder: Path, meta: Meta, taken: set[str], findings: Findings) -> Iterator[DatasetImage]:
    split = _split_of(data_set, folder)
    files, annotations = _names(data_set / "img", findings), _names(data_set / "ann", findings)
    used: dict[str, str] = {}
    for name in files:
        own = next((one for one in (f"{name}.json", f"{Path(name).stem}.json") if one in annotations), None)
        if own is None and Path(name).suffix.lower() not in IMAGE_SUFFIXES:
            findings.add("other file", f"{data_set / 'img' / name} is not an image")
            continue
        if own in used:
            findings.add("shared annotation", f"{data_set / 'ann' / own} belongs to both {used[own]} and {name}")
            continue
        path = named(name, folder, [data_set / "img"], findings, str(data_set))
        if own is not None:
            used[own] = name
        image = path and _image(path, data_set / "ann" / own if own else None, meta, findings)
        if image:
            image.name, image.split = unique_name(image.path, folder, taken), split
            yield image
    for name in annotations:
        if name.endswith(".json") and name not in used:
            findings.add("missing image", f"{data_set / 'img' / name.removesuffix('.json')} is not there")
    for name in _names(data_set / "meta", findings):
        findings.add("unused metadata", f"{data_set / 'meta' / name} is not used by any trainer here")


def _names(folder: Path, findings: Findings) -> dict[str, None]:
    """What is in a folder, in the same order on every machine."""
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        findings.add("unreadable folder", f"{folder}: {error.strerror}")
        return {}
    for name in filter(is_junk, names):
        findings.add("junk", f"{folder / name} is not a part of the data set")
    return dict.fromkeys(name for name in names if not is_junk(name))


def _image(path: Path, file: Path | None, meta: Meta, findings: Findings) -> DatasetImage | None:
    """The image with what its annotation says; None where one of them cannot be read."""
    if file is None:
        frame = frame_of(path, None, findings, str(path))
        if frame is None:
            return None
        findings.add("image without annotation", f"{path} has none", path)
        return DatasetImage(path, path.name, frame.width, frame.height)
    try:
        content = load(file)
        declared = _size(content)
        labels = list_in(content, "objects")
        tags = [_tag(tag, index) for index, tag in enumerate(list_in(content, "tags", []), 1)]
    except Wrong as error:
        findings.add("unreadable annotation", f"{file} {error}", path)
        return None
    frame = frame_of(path, declared, findings, str(file))
    if frame is None:
        return None
    image = DatasetImage(path, path.name, frame.width, frame.height, tags=tags)
    image.labels = [tag for tag in dict.fromkeys(tags) if tag in meta.classes]
    if len(image.labels) > 1:
        several = ", ".join(image.labels)
        findings.add("several classes", f"{path} is tagged {several}: a classifier learns the first", path)
    instances: dict[tuple[str, str], Object] = {}
    for index, label in enumerate(labels, 1):
        where = f"object {index} of {file}"
        one = _object(label, where, meta, path, frame, findings)
        if one is None:
            continue
        if label.get("tags"):
            findings.add("unused object tag", f"{where} has tags, which no trainer here learns from", path)
        instance = label.get("instance")
        whole = instances.get((one.class_name, instance)) if isinstance(instance, str) else None
        if whole and not (whole.keypoints and one.keypoints):
            _join(whole, one, image)
            findings.add("joined labels", f"{where} is a part of the same instance as another label", path)
            continue
        if isinstance(instance, str):
            instances[(one.class_name, instance)] = one
        image.objects.append(one)
    return image


def _size(content: dict[str, Any]) -> tuple[int, int]:
    size = content.get("size")
    values = [size.get(name) for name in ("width", "height")] if isinstance(size, dict) else [None]
    if not all(type(value) in (int, float) and 0 < value < 10**6 and value == int(value) for value in values):
        raise Wrong(f"has {shown(size)} as size, which must have width and height in pixels")
    return int(values[0]), int(values[1])


def _object(label: object, where: str, meta: Meta, path: Path, frame: Frame, findings: Findings) -> Object | None:
    """The object of a label, or None where there is a finding instead."""
    if not isinstance(label, dict):
        findings.add("unreadable annotation", f"{where} is {shown(label)}, and must be an object", path)
        return None
    title = label.get("classTitle")
    if not isinstance(title, str) or title not in meta.shapes:
        findings.add("unknown class", f"{where} has the class {shown(title)}, which is not in meta.json", path)
        return None
    shape, skeleton = shape_of(label, meta.shapes[title]), meta.skeletons.get(title)
    try:
        one = object_of(label, title, shape, skeleton, frame)
    except Wrong as error:
        findings.add("unreadable annotation", f"{where} {error}", path)
        return None
    if one is None:
        _tell_of_shape(shape, where, path, findings)
        return None
    x, y, w, h = one.box
    width, height = frame.marked_width, frame.marked_height
    if shape == "oriented_bbox" and one.polygons and (min(x, y) < 0 or x + w > width or y + h > height):
        # A box that touches an edge has its corners beyond the image as soon as it is tilted.
        cut = cut_to(one, width, height)
        if cut:
            findings.add("cut oriented box", f"{where} reaches beyond its image, and was cut", path)
            one = cut
            x, y, w, h = one.box
    beyond = min(x, y) < -_BEYOND or x + w > width + _BEYOND or y + h > height + _BEYOND
    if beyond or w <= 0 or h <= 0:
        findings.add("box outside", f"{where} has the box {x:g}, {y:g}, {w:g}, {h:g}", path)
        return None
    left, top = max(x, 0), max(y, 0)
    one.box = Box(left, top, min(x + w, width) - left, min(y + h, height) - top)
    if shape == "graph":
        if skeleton is None:
            findings.add("graph without keypoints", f"{where} is a graph, and its class {title} has no keypoints", path)
        elif unknown := unknown_nodes(label, skeleton):
            findings.add("unknown keypoint", f"{where} has {unknown} nodes that its class {title} does not have", path)
    if shape == "alpha_mask":
        findings.add("alpha mask", f"{where} is an alpha mask: whatever is not wholly transparent belongs to it", path)
    return placed(one, frame)


def _tell_of_shape(shape: str, where: str, path: Path, findings: Findings) -> None:
    if shape in UNUSED:
        findings.add(
            f"unused {UNUSED[shape]}", f"{where} is a {UNUSED[shape]}, which no trainer here learns from", path
        )
    else:
        words = UNSUPPORTED.get(shape) or f"{shown(shape)} by its shape"
        findings.add("unsupported shape", f"{where} is a {words}, which cannot be trained on", path)


def _join(whole: Object, part: Object, image: DatasetImage) -> None:
    """Make another label of the same instance a part of its object."""
    left, top = min(whole.box.x, part.box.x), min(whole.box.y, part.box.y)
    right = max(one.box.x + one.box.width for one in (whole, part))
    bottom = max(one.box.y + one.box.height for one in (whole, part))
    whole.box = Box(left, top, right - left, bottom - top)
    whole.polygons += part.polygons
    whole.keypoints = whole.keypoints or part.keypoints
    if whole.bitmap is None:
        whole.bitmap = part.bitmap
    elif part.bitmap is not None:
        masks = [
            full_mask(Object("", whole.box, bitmap=one.bitmap), image.width, image.height) for one in (whole, part)
        ]
        whole.bitmap = cropped(masks[0] | masks[1])


def _with_one_skeleton(images: list[DatasetImage], meta: Meta, findings: Findings) -> list[str]:
    """The names of the keypoints that all objects have in the same order; an object with others keeps its box."""
    counts = Counter(one.class_name for image in images for one in image.objects if one.keypoints)
    classes = [name for name in meta.skeletons if counts[name]] or list(meta.skeletons)[:1]
    if not classes:
        return []
    first = meta.skeletons[classes[0]]
    orders: dict[str, list[int] | None] = {}
    for name in classes:
        names = meta.skeletons[name].names
        same = sorted(names) == sorted(first.names)
        orders[name] = [names.index(one) for one in first.names] if same else None
    for image in images:
        for index, one in enumerate(image.objects, 1):
            if not one.keypoints:
                continue
            order = orders[one.class_name]
            if order is None:
                findings.add(
                    "other keypoints",
                    f"{one.class_name} is a graph with other points than {classes[0]} (object {index} on "
                    f"{image.path}): one kind of keypoints can be trained",
                    image.path,
                )
            one.keypoints = [one.keypoints[place] for place in order or ()]
    return list(first.names)


def _tag(tag: object, index: int) -> str:
    if not isinstance(tag, dict):
        raise Wrong(f"has {shown(tag)} as tag {index}, which must be an object")
    name, value = text_of(tag.get("name"), f"name of tag {index}"), tag.get("value")
    if value is None:
        return name
    return f"{name}:{text_of(value, f'value of the tag {name}') if value and isinstance(value, str) else shown(value)}"
