"""Outlines as pixels. A pixel belongs to what its middle lies in, as COCO counts; Supervisely's borders belong, too."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from epochal.datasets.model import Point, Polygon


def painted(polygon: Polygon, width: int, height: int) -> np.ndarray:
    """The pixels of an image that are in an outline, and in none of its holes."""
    mask = _area(polygon.exterior, width, height, with_border=polygon.of_pixels)
    for interior in polygon.interiors:
        mask &= ~_area(interior, width, height, with_border=polygon.of_pixels)
    return mask


def area_of(polygon: Polygon) -> float:
    """What an outline encloses, without its holes, in pixels."""
    return _enclosed(polygon.exterior) - sum(map(_enclosed, polygon.interiors))


def _area(ring: list[Point], width: int, height: int, *, with_border: bool) -> np.ndarray:
    mask = _filled(np.asarray(ring, float), width, height)
    if with_border:
        mask |= _border(ring, width, height)
    return mask


def _filled(ring: np.ndarray, width: int, height: int) -> np.ndarray:
    """Pixels whose middle is inside by the even-odd rule."""
    mask = np.zeros((height, width), bool)
    (left, top), (right, lower) = np.floor(ring.min(0)).astype(int), np.ceil(ring.max(0)).astype(int)
    left, top, right, lower = max(left, 0), max(top, 0), min(right, width), min(lower, height)
    if left >= right or top >= lower:
        return mask
    starts, ends = ring, np.roll(ring, -1, axis=0)
    middles = np.arange(top, lower)[:, None] + 0.5
    # Which edge crosses which row: its lower end belongs to it, and its upper one to the next edge.
    rows, edges = np.nonzero((starts[:, 1] <= middles) != (ends[:, 1] <= middles))
    slopes = (ends[edges, 0] - starts[edges, 0]) / (ends[edges, 1] - starts[edges, 1])
    crossings = starts[edges, 0] + (middles[rows, 0] - starts[edges, 1]) * slopes
    firsts = np.clip(np.ceil(crossings - 0.5), left, right).astype(int) - left
    turns = np.zeros((lower - top, right - left + 1), int)
    np.add.at(turns, (rows, firsts), 1)
    mask[top:lower, left:right] = (turns.cumsum(axis=1) % 2)[:, :-1]
    return mask


def _border(ring: list[Point], width: int, height: int) -> np.ndarray:
    """Pixels on the lines between the pixels that its corners are in."""
    image = Image.new("1", (width, height))
    pixels = [(int(np.floor(x)), int(np.floor(y))) for x, y in ring]
    ImageDraw.Draw(image).line([*pixels, pixels[0]], fill=1)
    return np.asarray(image, bool)


def _enclosed(ring: list[Point]) -> float:
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True))) / 2
