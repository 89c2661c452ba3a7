"""Entries of COCO's json files, checked one by one. What is wrong is said with field, value, and what is allowed."""

from __future__ import annotations

import math
import reprlib
from typing import Any, NamedTuple

import numpy as np

from epochal.datasets.frames import Frame, frame_between, mask_fits
from epochal.datasets.masks import box_of_bitmap, box_of_points, cropped, mask_of_rle
from epochal.datasets.model import Bitmap, Box, Keypoint, Object, Polygon

Id = int | str

_BEYOND = 1.0  # pixel: some writers count the last pixel, some do not
_ROUNDING = 0.01  # pixel
_NUMBERS = {int, float}
_LARGEST = 1e7  # pixels: beyond are numbers that no image has
_NOWHERE = Box(0, 0, 0, 0)
_text = reprlib.Repr()
_text.maxstring = _text.maxother = 80


class Malformed(ValueError):
    """What is wrong with an entry, as words that follow its name."""


def shown(value: Any) -> str:
    """A value as it stands in json, short."""
    if type(value) is int and -_LARGEST < value < _LARGEST:
        return str(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f'"{value[:80]}"' if isinstance(value, str) else _text.repr(value)


def described(name: str, index: int, entry: Any) -> str:
    """How an entry is named in a sentence."""
    number = entry.get("id") if isinstance(entry, dict) else None
    return f"{name}[{index}]" if number is None else f"{name}[{index}] (id {shown(number)})"


def identifier(entry: dict[str, Any], field: str) -> Id:
    """An id: a whole number, or text. `"7"` is 7, as many tools write numbers, and 7.0 is too."""
    value = entry.get(field)
    if type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and str(int(value[:300])) == value:
        return int(value)
    if isinstance(value, str) and value:
        return value
    raise _field(entry, field, "a whole number or text")


def as_object(entry: Any) -> dict[str, Any]:
    """The entry itself, which must be an object."""
    if not isinstance(entry, dict):
        raise Malformed(f"is {shown(entry)}: it must be an object")
    return entry


def size_of_image(entry: dict[str, Any]) -> tuple[int, int] | None:
    """Width and height as they are said; None where neither is."""
    values = entry.get("width"), entry.get("height")
    if values == (None, None):
        return None
    for field, value in zip(("width", "height"), values, strict=True):
        if not _is_number(value) or value != int(value) or value < 1:
            raise _field(entry, field, "a whole number above 0")
    return int(values[0]), int(values[1])


def name_of(category: dict[str, Any]) -> str:
    """What a category is called: text, or a number that is taken for text."""
    name = category.get("name")
    if not (_is_number(name) or (isinstance(name, str) and name.strip())):
        raise _field(category, "name", "text")
    return str(name)


def keypoint_names_of(category: dict[str, Any]) -> list[str] | None:
    """The keypoints that objects of a category have; None where it says nothing."""
    names = category.get("keypoints")
    if names is None or names == []:
        return None
    if not isinstance(names, list) or not all(isinstance(name, (str, int)) for name in names):
        raise _field(category, "keypoints", "a list of names")
    return [str(name) for name in names]


class Marks(NamedTuple):
    """An object, and what about it is less than it should be."""

    one: Object
    notes: list[tuple[str, str]]


def marks_of(entry: dict[str, Any], class_name: str, keypoints: int | None, frame: Frame) -> Marks:
    """What an annotation marks, as placed on its image. `keypoints`: how many its category has, if it says so."""
    notes: list[tuple[str, str]] = []
    crowd = _flag(entry, "iscrowd") or _flag(entry, "ignore")
    polygons: list[Polygon] = []
    mask: Bitmap | None = None
    segmentation = entry.get("segmentation")
    if isinstance(segmentation, dict):
        mask = _bitmap(segmentation, frame)
        # A mask without a pixel says nothing about its object.
        if not mask.mask.size:
            raise Malformed("has a segmentation without a pixel: it must have one")
    elif segmentation:
        polygons = _polygons(segmentation, frame, notes)
    values = entry.get("bbox")
    box = _NOWHERE
    if values is not None:
        if not isinstance(values, list) or len(values) != 4 or not _are_any_numbers(values):
            raise _field(entry, "bbox", "four numbers: x, y, width, height")
        box = _inside(Box(*values), frame, notes)
    elif polygons:
        box = _inside(box_of_points([point for polygon in polygons for point in polygon.exterior]), frame, notes)
    elif mask is None:
        raise Malformed("has no bbox and no segmentation: one of them is needed")
    one = frame.placed(Object(class_name, box, polygons, None, _keypoints(entry, keypoints, frame), crowd))
    if mask is not None:
        one.bitmap = mask
        if values is None:
            one.box = box_of_bitmap(mask)
    return Marks(one, notes)


class Outside(Malformed):
    """A mark that is not on its image."""


def _inside(box: Box, frame: Frame, notes: list[tuple[str, str]]) -> Box:
    """The part of a box on its image; `Outside` where that is not nearly all of it. NaN is nowhere."""
    x, y, width, height = box
    most_x, most_y = frame.marked_width, frame.marked_height
    if x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= most_x and y + height <= most_y:
        return box
    text = f"has the box {x:g}, {y:g}, {width:g}, {height:g} on an image of {most_x} × {most_y} pixels"
    if not (
        min(x, y) >= -_BEYOND
        and x + width <= most_x + _BEYOND
        and y + height <= most_y + _BEYOND
        and width > 0
        and height > 0
    ):
        raise Outside(text)
    left, top = max(x, 0), max(y, 0)
    cut = Box(left, top, min(x + width, most_x) - left, min(y + height, most_y) - top)
    if cut.width <= 0 or cut.height <= 0:
        raise Outside(text)
    if max(abs(one - other) for one, other in zip(box, cut, strict=True)) > _ROUNDING:
        notes.append(("trimmed box", f"{text}: what is beyond its edge, less than a pixel, was cut off"))
    return cut


def _polygons(segmentation: Any, frame: Frame, notes: list[tuple[str, str]]) -> list[Polygon]:
    if not isinstance(segmentation, list):
        raise Malformed(f"has the segmentation {shown(segmentation)}: it must be a list of outlines or run lengths")
    polygons = []
    for index, ring in enumerate(segmentation):
        if _is_plain_ring(ring, frame):
            polygons.append(Polygon.of_numbers(ring))
            continue
        values = _array(ring)
        if values is None or len(values) % 2:
            raise Malformed(f"has the segmentation[{index}] {shown(ring)}: it must be a list of pairs x, y")
        if len(values) < 6:
            notes.append(
                ("degenerate outline", f"has the segmentation[{index}] {shown(ring)} of less than three points: unused")
            )
            continue
        (left, top), (most_x, most_y) = values.reshape(-1, 2).min(0), values.reshape(-1, 2).max(0)
        right, lower = frame.marked_width + _BEYOND, frame.marked_height + _BEYOND
        if left < -_BEYOND or top < -_BEYOND or most_x > right or most_y > lower:
            raise Outside(
                f"has the segmentation[{index}] from {left:g}, {top:g} to {most_x:g}, {most_y:g} on an image "
                f"of {frame.marked_width} × {frame.marked_height} pixels"
            )
        polygons.append(Polygon.of_numbers(ring))
    return polygons


def _is_plain_ring(ring: Any, frame: Frame) -> bool:
    """Whether nothing is to be said of an outline: three points or more, all on the image. Most are so."""
    if type(ring) is not list or len(ring) < 6 or len(ring) % 2 or not set(map(type, ring)) <= _NUMBERS:
        return False
    xs, ys = ring[::2], ring[1::2]
    # With a NaN among them, what is the smallest and the largest depends on their order; a sum has it for sure.
    return (
        min(xs) >= 0
        and min(ys) >= 0
        and max(xs) <= frame.marked_width
        and max(ys) <= frame.marked_height
        and sum(ring) >= 0
    )


def _bitmap(segmentation: dict[str, Any], frame: Frame) -> Bitmap:
    """Run lengths have a size of their own."""
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(type(one) is int and one > 0 for one in size):
        raise Malformed(f"has the segmentation.size {shown(size)}: it must be [height, width]")
    if not isinstance(counts, str) and not (isinstance(counts, list) and all(type(one) is int for one in counts)):
        raise Malformed(f"has the segmentation.counts {shown(counts)}: they must be whole numbers or text")
    marked = size[1], size[0]
    own = frame
    if marked != (frame.marked_width, frame.marked_height):
        placed = frame_between(frame.header, marked)
        if placed is None or not mask_fits(marked, (frame.width, frame.height)):
            raise Malformed(
                f"has a mask of {marked[0]} × {marked[1]} pixels on an image of {frame.width} × {frame.height}: it "
                "must have the same proportions, and not many times the size"
            )
        own = placed
    elif not mask_fits(marked, (frame.width, frame.height)):
        raise Malformed(f"has a mask of {marked[0]} × {marked[1]} pixels: too many for its image")
    try:
        return own.placed_bitmap(cropped(mask_of_rle({"size": size, "counts": counts}, *marked)))
    except (ValueError, IndexError, OverflowError) as error:
        raise Malformed(f"has a segmentation that cannot be read: {error}") from error


def _keypoints(entry: dict[str, Any], count: int | None, frame: Frame) -> list[Keypoint]:
    values = entry.get("keypoints")
    if values is None or values == []:
        return []
    allowed = "triples x, y, visibility" if count is None else f"{count} triples x, y, visibility, as its category has"
    if (
        not isinstance(values, list)
        or not all(map(_is_number, values))
        or len(values) % 3
        or (count is not None and len(values) != 3 * count)
    ):
        raise _field(entry, "keypoints", allowed)
    points = [Keypoint(x, y, int(v)) for x, y, v in zip(values[::3], values[1::3], values[2::3], strict=True)]
    if any(v not in (0, 1, 2) for v in values[2::3]):
        raise _field(entry, "keypoints", f"{allowed} of 0, 1 or 2")
    right, lower = frame.marked_width + _BEYOND, frame.marked_height + _BEYOND
    for point in points:
        if point.visible and not (-_BEYOND <= point.x <= right and -_BEYOND <= point.y <= lower):
            raise Outside(
                f"has the keypoint {point.x:g}, {point.y:g} on an image of {frame.marked_width} × "
                f"{frame.marked_height} pixels"
            )
    return points


def _flag(entry: dict[str, Any], field: str) -> bool:
    value = entry.get(field)
    if value is None or value is False or (type(value) is int and value == 0):
        return False
    if value not in (0, 1) or isinstance(value, (list, dict, str)):
        raise _field(entry, field, "0 or 1")
    return bool(value)


def _field(entry: dict[str, Any], field: str, allowed: str) -> Malformed:
    if field not in entry:
        return Malformed(f"has no {field}: it must be {allowed}")
    return Malformed(f"has the {field} {shown(entry[field])}: it must be {allowed}")


def _array(values: Any) -> np.ndarray | None:
    """A list of finite numbers, else None."""
    if not isinstance(values, list):
        return None
    try:
        array = np.asarray(values) if values else np.zeros(0)
    except (ValueError, OverflowError):
        return None  # of lists that are not of one length, or numbers beyond all bounds
    if array.ndim != 1 or array.dtype.kind not in "iuf" or not (np.abs(array) < _LARGEST).all():
        return None
    return array


def _are_any_numbers(values: list[Any]) -> bool:
    """Also NaN and infinity, which Python's json reads and writes."""
    return set(map(type, values)) <= _NUMBERS and all(abs(one) < _LARGEST for one in values if type(one) is int)


def _is_number(value: Any) -> bool:
    return (type(value) is float and math.isfinite(value) and abs(value) < _LARGEST) or (
        type(value) is int and abs(value) < _LARGEST
    )
