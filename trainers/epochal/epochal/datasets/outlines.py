"""One outline for one object, for formats that have no other: parts and holes are joined by seams.

As in ultralytics' own converters, a seam runs twice between the nearest corners of two rings. What fills an outline by
the even-odd rule, as OpenCV does, fills the parts and leaves the holes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from epochal.datasets.masks import full_mask, rings
from epochal.datasets.model import Object, Point

#: Parts and holes of so few pixels, and of so little of the object, are slips of the brush.
_SPECK_PIXELS = 16
_SPECK_SHARE = 0.01
#: A mask of more parts and holes is noise; the largest are kept.
_MOST_RINGS = 2000
#: Distances are measured between so many pairs of corners at a time.
_PAIRS = 4_000_000


@dataclass
class Outline:
    """The outline, and what it was made of."""

    ring: list[Point]
    parts: int = 1
    holes: int = 0
    #: Parts and holes that were too small to keep.
    specks: int = 0


def counted(number: int, word: str) -> str:
    """`1 hole`, `2 holes`."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def outline_of(one: Object, width: int, height: int) -> Outline:
    """The outline of an object: of its bitmap, its polygons or its box."""
    if one.bitmap is not None:
        return _of_mask(full_mask(one, width, height))
    if one.polygons:
        exteriors = [polygon.exterior for polygon in one.polygons]
        interiors = [ring for polygon in one.polygons for ring in polygon.interiors]
        return Outline(joined(exteriors + interiors), len(exteriors), len(interiors))
    x, y, w, h = one.box
    return Outline([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])


def _of_mask(mask: np.ndarray) -> Outline:
    found = rings(mask)
    largest = max((area for area, _ in found), default=0)
    kept = [(area, ring) for area, ring in found if not _is_speck(abs(area), largest)]
    kept = sorted(kept, key=lambda one: -abs(one[0]))[:_MOST_RINGS]
    parts = [ring for area, ring in kept if area > 0]
    holes = [ring for area, ring in kept if area < 0]
    return Outline(joined(parts + holes), len(parts), len(holes), len(found) - len(kept))


def _is_speck(area: float, largest: float) -> bool:
    return area <= _SPECK_PIXELS and area <= _SPECK_SHARE * largest


def joined(several: list[list[Point]]) -> list[Point]:
    """One ring of several: each is joined to one that is near to it, at the corners where they are nearest."""
    if len(several) < 2:
        return several[0] if several else []
    corners = [np.asarray(ring, float) for ring in several]
    joins: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for one, other in _tree(corners):
        corner, start = _nearest(corners[one], corners[other])
        joins.setdefault((one, corner), []).append((other, start))
    whole: list[Point] = []
    # Around the first ring. Where others are joined to a corner, around these first, and back to it by the same seam.
    ahead = [(0, corner, True) for corner in reversed(range(len(several[0])))]
    while ahead:
        ring, corner, first = ahead.pop()
        whole.append((float(corners[ring][corner][0]), float(corners[ring][corner][1])))
        for other, start in joins.pop((ring, corner), ()) if first else ():
            count = len(several[other])
            ahead += [(ring, corner, False), (other, start, False)]
            ahead += [(other, (start + step) % count, True) for step in reversed(range(count))]
    return whole


def _tree(corners: list[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Pairs of rings that join all of them: one that is joined already, and the one whose box is the nearest to any."""
    boxes = np.array([[*ring.min(0), *ring.max(0)] for ring in corners])
    nearest = np.zeros(len(corners), int)
    distances = _gaps(boxes, 0)
    distances[0] = np.inf
    joined_already = np.zeros(len(corners), bool)
    joined_already[0] = True
    for _ in range(len(corners) - 1):
        one = int(distances.argmin())
        yield int(nearest[one]), one
        joined_already[one] = True
        gaps = np.where(joined_already, np.inf, _gaps(boxes, one))
        nearest[gaps < distances] = one
        distances = np.where(joined_already, np.inf, np.minimum(distances, gaps))


def _gaps(boxes: np.ndarray, one: int) -> np.ndarray:
    """The squares of the distances of all boxes from one."""
    left, top, right, bottom = boxes.T
    x0, y0, x1, y1 = boxes[one]
    across = np.maximum(0, np.maximum(left - x1, x0 - right))
    down = np.maximum(0, np.maximum(top - y1, y0 - bottom))
    return across**2 + down**2


def _nearest(ring: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    """The corners of two rings where they are nearest."""
    best, found = np.inf, (0, 0)
    step = max(1, _PAIRS // len(other))
    for start in range(0, len(ring), step):
        distances = ((ring[start : start + step, None, :] - other[None, :, :]) ** 2).sum(2)
        row, column = np.unravel_index(int(distances.argmin()), distances.shape)
        if distances[row, column] < best:
            best, found = distances[row, column], (start + int(row), int(column))
    return found
