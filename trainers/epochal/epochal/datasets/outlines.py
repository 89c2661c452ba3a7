"""One outline for one object, for formats that have no other: parts and holes are joined by seams.

As in ultralytics' own converters, a seam runs twice between the nearest corners of two rings. What fills an outline by
the even-odd rule, as OpenCV does, fills the parts and leaves the holes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from epochal.datasets.masks import full_mask, rings
from epochal.datasets.model import Object, Point

#: Parts and holes of so few pixels, and of so little of the object, are slips of the brush.
_SPECK_PIXELS = 16
_SPECK_SHARE = 0.01
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
    parts = [ring for area, ring in kept if area > 0]
    holes = [ring for area, ring in kept if area < 0]
    return Outline(joined(parts + holes), len(parts), len(holes), len(found) - len(kept))


def _is_speck(area: float, largest: float) -> bool:
    return area <= _SPECK_PIXELS and area <= _SPECK_SHARE * largest


def joined(several: list[list[Point]]) -> list[Point]:
    """One ring of several: the nearest next one is joined until none is left."""
    if len(several) < 2:
        return several[0] if several else []
    whole, *rest = (np.asarray(ring, float) for ring in several)
    # For each ring to come: how far it is from the whole, and which corners are the nearest.
    reach = [_nearest(whole, ring) for ring in rest]
    while rest:
        place = min(range(len(rest)), key=lambda index: reach[index][0])
        ring, (_, from_corner, to_corner) = rest.pop(place), reach.pop(place)
        at = int(np.flatnonzero((whole == from_corner).all(1))[0])
        start = int(np.flatnonzero((ring == to_corner).all(1))[0])
        there = np.roll(ring, -start, axis=0)
        whole = np.concatenate([whole[: at + 1], there, there[:1], whole[at:]])
        reach = [
            min(known, _nearest(ring, other), key=lambda one: one[0]) for known, other in zip(reach, rest, strict=True)
        ]
    return [(float(x), float(y)) for x, y in whole]


def _nearest(ring: np.ndarray, other: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The square of the distance between the nearest corners of two rings, and these corners."""
    best = (np.inf, ring[0], other[0])
    step = max(1, _PAIRS // len(other))
    for start in range(0, len(ring), step):
        part = ring[start : start + step]
        distances = ((part[:, None, :] - other[None, :, :]) ** 2).sum(2)
        row, column = np.unravel_index(int(distances.argmin()), distances.shape)
        if distances[row, column] < best[0]:
            best = (float(distances[row, column]), part[row], other[column])
    return best
