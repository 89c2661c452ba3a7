"""Labels of a Supervisely annotation as objects, by the rules of Supervisely's own package.

Its coordinates count pixels, and the last one belongs to the object: a rectangle from 3 to 5 is three pixels wide.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from epochal.datasets.frames import Frame, mask_fits
from epochal.datasets.masks import box_of_bitmap, box_of_points, unpacked
from epochal.datasets.model import Bitmap, Box, Keypoint, Object, Point, Polygon
from epochal.datasets.supervisely_meta import Skeleton, Wrong, list_in, shown

#: Shapes that a person may mark, and that none of the trainers can learn from.
UNUSED = {"point": "point", "line": "line"}
#: Shapes that belong to several channels or to space.
UNSUPPORTED = {
    "cuboid": "cuboid",
    "cuboid_2d": "cuboid",
    "cuboid_3d": "cuboid",
    "multichannelBitmap": "multichannel bitmap",
    "mask_3d": "3D mask",
    "point_3d": "3D point",
    "polyline_3d": "3D line",
    "point_cloud": "point cloud",
    "closed_surface_mesh": "mesh",
    "mesh": "mesh",
}
_FARTHEST = 1e7  # pixels


def shape_of(label: dict[str, Any], shape_of_class: str) -> str:
    """The shape of a label: its own where it has one, else that of its class."""
    for name in ("geometryType", "shape"):
        if isinstance(label.get(name), str):
            return label[name]
    return shape_of_class


def object_of(label: dict[str, Any], title: str, shape: str, skeleton: Skeleton | None, frame: Frame) -> Object | None:
    """The object of a label where it was marked; None for a shape not known here, `Wrong` for a bad one."""
    if shape == "rectangle":
        left, top, right, bottom = _corners(_ring(_member(label, "points"), "exterior", 2))
        return Object(title, Box(left, top, right - left + 1, bottom - top + 1))
    if shape == "polygon":
        return _outlined(title, [_polygon(_member(label, "points"))])
    if shape == "multipolygon":
        parts = list_in(label, "parts")
        if not parts:
            raise Wrong("has no parts")
        return _outlined(title, [_polygon(_object(part, "part")) for part in parts])
    if shape in ("bitmap", "alpha_mask"):
        bitmap = _bitmap(_member(label, "bitmap"), frame)
        return Object(title, box_of_bitmap(bitmap), bitmap=bitmap)
    if shape == "oriented_bbox":
        return _oriented(label, title)
    if shape == "graph":
        return _graph(_member(label, "nodes"), title, skeleton)
    return None


def placed(one: Object, frame: Frame) -> Object:
    """The object on its image as it is loaded.

    Keypoints stay numbers of pixels, as COCO's and YOLO's are; when an image is turned or scaled, they are the middles.
    """
    if frame.is_same:
        return one
    there = frame.placed(replace(one, keypoints=_moved(one.keypoints, 0.5)))
    return replace(there, keypoints=_moved(there.keypoints, -0.5))


def _moved(points: list[Keypoint], by: float) -> list[Keypoint]:
    return [Keypoint(point.x + by, point.y + by, point.visible) if point.visible else point for point in points]


def unknown_nodes(label: dict[str, Any], skeleton: Skeleton | None) -> int:
    """How many nodes of a graph its class does not have."""
    nodes = label.get("nodes")
    return len(set(nodes) - set(skeleton.keys if skeleton else ())) if isinstance(nodes, dict) else 0


def _outlined(title: str, polygons: list[Polygon]) -> Object:
    points = [point for polygon in polygons for point in polygon.exterior]
    return Object(title, _box_of_pixels(points, "outline"), polygons=polygons)


def _polygon(points: dict[str, Any]) -> Polygon:
    interiors = list_in(points, "interior", [])
    exterior = _middles(_ring(points, "exterior", 3))
    holes = [_middles(_ring({"interior": ring}, "interior", 3)) for ring in interiors]
    return Polygon(exterior, holes, of_pixels=True)


def _middles(ring: list[Point]) -> list[Point]:
    """Corners that are the numbers of pixels, at their middles; one between them is where it is."""
    return [(x + 0.5 if x.is_integer() else x, y + 0.5 if y.is_integer() else y) for x, y in ring]


def _bitmap(bitmap: dict[str, Any], frame: Frame) -> Bitmap:
    x, y = _point(bitmap.get("origin"), "origin")
    data = bitmap.get("data")
    if not isinstance(data, str):
        raise Wrong(f"has {shown(data)} as data of its bitmap, which must be text")
    size = (frame.marked_width, frame.marked_height)
    if not mask_fits(size, (frame.width, frame.height)):
        raise Wrong(f"has a bitmap for an image of {size[0]} × {size[1]}, far more than {frame.width} × {frame.height}")
    try:
        return Bitmap(math.floor(x), math.floor(y), unpacked(data, *size))
    except (ValueError, OSError, EOFError) as error:
        raise Wrong(f"has a bitmap that cannot be read: {error}") from error


def _oriented(label: dict[str, Any], title: str) -> Object:
    """Its outline, turned about its middle as Supervisely does, and the box around that."""
    left, top, right, bottom = _corners(_ring(label, "points", 2))
    angle = _number(label.get("angle", 0) or 0, "angle")
    if angle % (2 * math.pi) == 0:
        return Object(title, Box(left, top, right - left + 1, bottom - top + 1))
    cos, sin = math.cos(angle), math.sin(angle)
    middle, across, down = ((left + right) / 2, (top + bottom) / 2), (right - left) / 2, (bottom - top) / 2
    ring = [
        (middle[0] + x * cos - y * sin, middle[1] + x * sin + y * cos)
        for x, y in ((-across, -down), (across, -down), (across, down), (-across, down))
    ]
    return _tilted(title, ring)


def _tilted(title: str, ring: list[Point]) -> Object:
    x, y, width, height = box_of_points(ring)
    middles = [(x + 0.5, y + 0.5) for x, y in ring]
    return Object(title, Box(x, y, width + 1, height + 1), polygons=[Polygon(middles, of_pixels=True)])


def cut_to(one: Object, width: int, height: int) -> Object | None:
    """A tilted box without what is beyond its image; None where nothing is left."""
    ring = [(x - 0.5, y - 0.5) for x, y in one.polygons[0].exterior]
    # For each side of the image: how far inside a point is.
    sides = (lambda p: p[0], lambda p: width - 1 - p[0], lambda p: p[1], lambda p: height - 1 - p[1])
    for inside in sides:
        kept: list[Point] = []
        for here, there in zip(ring, [*ring[1:], *ring[:1]], strict=True):
            near, far = inside(here), inside(there)
            if near >= 0:
                kept.append(here)
            if near * far < 0:
                part = near / (near - far)
                kept.append((here[0] + part * (there[0] - here[0]), here[1] + part * (there[1] - here[1])))
        ring = kept
    return _tilted(one.class_name, ring) if len(ring) > 2 else None


def _graph(nodes: dict[str, Any], title: str, skeleton: Skeleton | None) -> Object:
    found = {}
    for key, node in nodes.items():
        node = _object(node, f"node {shown(key)}")
        x, y = _point(node.get("loc"), f"loc of node {shown(key)}")
        found[key] = Keypoint(x, y, 1 if node.get("disabled") is True else 2)
    if not found:
        raise Wrong("has no nodes")
    points = [found.get(key, Keypoint(0, 0, 0)) for key in skeleton.keys] if skeleton else []
    box = _box_of_pixels([(point.x, point.y) for point in found.values()], None)
    return Object(title, box, keypoints=points if any(point.visible for point in points) else [])


def _box_of_pixels(points: list[Point], flat: str | None) -> Box:
    """The box around points that are pixels; `Wrong` where they lie on one line, and `flat` says what they make."""
    x, y, width, height = box_of_points(points)
    if flat and (width == 0 or height == 0):
        raise Wrong(f"has an {flat} without an area")
    left, top = math.floor(x), math.floor(y)
    return Box(left, top, math.floor(x + width) - left + 1, math.floor(y + height) - top + 1)


def _corners(ring: list[Point]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom pixel of two opposite corners."""
    if len(ring) != 2:
        raise Wrong(f"has {len(ring)} corners, and must have 2")
    (x0, y0), (x1, y1) = ((math.floor(x), math.floor(y)) for x, y in ring)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _ring(content: dict[str, Any], name: str, least: int) -> list[Point]:
    points = [_point(one, f"point {index + 1} of its {name}") for index, one in enumerate(list_in(content, name))]
    if len(points) < least:
        raise Wrong(f"has {len(points)} points as {name}, and must have {least} or more")
    return points


def _point(value: object, what: str) -> Point:
    if not isinstance(value, list) or len(value) != 2:
        raise Wrong(f"has {shown(value)} as {what}, which must be two numbers")
    return _number(value[0], what), _number(value[1], what)


def _number(value: object, what: str) -> float:
    # Written so that it is false of NaN, too.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_FARTHEST <= value <= _FARTHEST:
        raise Wrong(f"has {shown(value)} in its {what}, which must be a number of pixels")
    return float(value)


def _member(label: dict[str, Any], name: str) -> dict[str, Any]:
    return _object(label.get(name), name)


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong(f"has {shown(value)} as {what}, which must be an object")
    return value
