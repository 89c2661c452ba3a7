"""One outline for one object: filled as frameworks fill it, it is the object."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from epochal.datasets.masks import box_of_bitmap, full_mask
from epochal.datasets.model import Bitmap, Object, Polygon
from epochal.datasets.outlines import joined, outline_of

SIZE = 120
SCALE = 8


def _object(mask: np.ndarray) -> Object:
    bitmap = Bitmap(0, 0, mask)
    return Object("thing", box_of_bitmap(bitmap), bitmap=bitmap)


def _filled(ring: list[tuple[float, float]]) -> np.ndarray:
    """By OpenCV's rule, on pixels so small that the lines themselves are thin."""
    mask = np.zeros((SIZE * SCALE, SIZE * SCALE), np.uint8)
    cv2.fillPoly(mask, [np.round(np.array(ring) * SCALE).astype(np.int32)], 1)
    return mask.astype(bool)


def _drawn(numbers: np.random.Generator) -> np.ndarray:
    """Ellipses, and ellipses cut out of them."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    for _ in range(numbers.integers(1, 9)):
        centre, axes = (tuple(int(one) for one in numbers.integers(low, high, 2)) for low, high in ((5, 115), (3, 30)))
        cv2.ellipse(mask, centre, axes, float(numbers.integers(0, 180)), 0, 360, int(numbers.random() < 0.6), -1)
    left, top = numbers.integers(5, 60, 2)
    mask[top : top + 50, left : left + 50] = 1
    mask[top + 10 : top + 30, left + 15 : left + 40] = 0
    mask[top + 15 : top + 20, left + 20 : left + 25] = 1  # a part in a hole
    mask[1, 1] = 1
    return mask.astype(bool)


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_object(seed: int) -> None:
    mask = _drawn(np.random.default_rng(seed))
    outline = outline_of(_object(mask), SIZE, SIZE)
    assert len(outline.ring) >= 4
    pixels = _filled(outline.ring).reshape(SIZE, SCALE, SIZE, SCALE)
    # A seam and an outline are lines: what is in the middle of each pixel counts.
    found = pixels[:, 2:6, :, 2:6].mean((1, 3)) > 0.5
    differing = (found ^ mask).sum()
    assert differing <= 16 * outline.specks
    assert outline.holes >= 1
    assert outline.parts >= 2


def test_polygons_keep_their_parts_and_holes() -> None:
    parts = [[(5, 5), (45, 5), (45, 45), (5, 45)], [(60, 60), (100, 60), (100, 100)]]
    hole = [(15, 15), (35, 15), (35, 35), (15, 35)]
    one = Object("thing", box_of_bitmap(Bitmap(0, 0, np.ones((1, 1), bool))))
    one.polygons = [Polygon(parts[0], [hole]), Polygon(parts[1])]
    outline = outline_of(one, SIZE, SIZE)
    assert (outline.parts, outline.holes, outline.specks) == (2, 1, 0)
    assert {point for ring in (*parts, hole) for point in ring} == set(outline.ring)
    found = _filled(outline.ring)[SCALE // 2 :: SCALE, SCALE // 2 :: SCALE]
    wanted = full_mask(one, SIZE, SIZE)
    assert (found ^ wanted).sum() <= 300  # along lines, which pillow draws within pixels
    assert joined([]) == []
    assert joined([parts[0]]) == parts[0]


@pytest.mark.parametrize("kind", ["grid", "noise", "chess"])
def test_masks_of_many_parts_end_in_time(kind: str) -> None:
    side = 200
    mask = np.zeros((side, side), bool)
    if kind == "grid":
        for shift in range(5):
            mask[shift::8, :] = True
        for shift in range(5, 8):
            mask[:, shift::8] = False
    elif kind == "noise":
        mask = np.random.default_rng(0).random((side, side)) < 0.5
    else:
        mask = np.indices((side, side)).sum(0) % 2 == 0
    start = time.monotonic()
    outline = outline_of(_object(mask), side, side)
    assert len(outline.ring) > 4
    assert time.monotonic() - start < 20
