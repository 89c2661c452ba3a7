"""Marks in the frame in which they were made, brought to their image as it is shown and loaded.

Annotations say how large their image was. The file may be another one: turned by its EXIF orientation (some tools mark
the stored rows, most mark what they show), or made smaller or larger since. Both can be told by the size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from epochal.datasets.headers import Header, header_of
from epochal.datasets.model import Bitmap, Box, Findings, Keypoint, Object, Point, Polygon

#: How much larger, in each direction, a mask may be than its image: it is unpacked before it is made smaller.
_MOST_TIMES = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """An image as it is loaded, the size in which its marks were made, and how they have to be turned."""

    header: Header
    marked_width: int
    marked_height: int
    #: 1 where the marks are on the image as it is shown, else the image's EXIF orientation.
    turn: int = 1

    @property
    def width(self) -> int:
        """Of the image as it is loaded."""
        return self.header.width

    @property
    def height(self) -> int:
        """Of the image as it is loaded."""
        return self.header.height

    @property
    def is_same(self) -> bool:
        """Whether marks stay as they are."""
        header = self.header
        return self.turn == 1 and self.marked_width == header.width and self.marked_height == header.height

    @property
    def scale(self) -> tuple[float, float]:
        """Of a mark that has been turned, across and down."""
        turned = (self.marked_width, self.marked_height) if self.turn < 5 else (self.marked_height, self.marked_width)
        return self.width / turned[0], self.height / turned[1]

    def placed(self, one: Object) -> Object:
        """The object on the image as it is loaded."""
        if self.is_same:
            return one
        return Object(
            one.class_name,
            self._box(one.box),
            polygons=[
                Polygon(
                    self._ring(polygon.exterior),
                    [self._ring(ring) for ring in polygon.interiors],
                    of_pixels=polygon.of_pixels,
                )
                for polygon in one.polygons
            ],
            bitmap=one.bitmap and self.placed_bitmap(one.bitmap),
            keypoints=[
                Keypoint(*self._point(point.x, point.y), point.visible) if point.visible else point
                for point in one.keypoints
            ],
            crowd=one.crowd,
        )

    def placed_bitmap(self, bitmap: Bitmap) -> Bitmap:
        """A mask on the image as it is loaded, of at least one pixel."""
        if self.is_same or not bitmap.mask.size:
            return bitmap
        height, width = bitmap.mask.shape
        x, y, width, height = self._turned_box(Box(bitmap.x, bitmap.y, width, height))
        mask = _turned(bitmap.mask, self.turn)
        across, down = self.scale
        if across == down == 1:
            return Bitmap(int(x), int(y), mask)
        columns, left = _sampled(int(x), int(width), across)
        rows, top = _sampled(int(y), int(height), down)
        return Bitmap(left, top, mask[np.ix_(rows, columns)])

    def _point(self, x: float, y: float) -> Point:
        x, y = self._turned_point(x, y)
        across, down = self.scale
        return x * across, y * down

    def _ring(self, ring: list[Point]) -> list[Point]:
        return [self._point(x, y) for x, y in ring]

    def _box(self, box: Box) -> Box:
        x, y, width, height = self._turned_box(box)
        across, down = self.scale
        return Box(x * across, y * down, width * across, height * down)

    def _turned_box(self, box: Box) -> Box:
        (x0, y0), (x1, y1) = (
            self._turned_point(box.x, box.y),
            self._turned_point(box.x + box.width, box.y + box.height),
        )
        return Box(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0))

    def _turned_point(self, x: float, y: float) -> Point:
        right, lower = self.marked_width - x, self.marked_height - y
        turned = [(x, y), (right, y), (right, lower), (x, lower), (y, x), (lower, x), (lower, right), (y, right)]
        return turned[self.turn - 1]


def frame_of(path: Path, declared: tuple[int, int] | None, findings: Findings, where: str) -> Frame | None:
    """How marks that were made on an image of the size `declared` (None: nobody says) lie on the image at `path`.

    None for an image that is missing or unreadable, or whose marks cannot be placed; the findings say so.
    `where` is what declares the size.
    """
    header = header_of(path, findings)
    if header is None:
        return None
    size = header.width, header.height
    frame = frame_between(header, declared or size)
    if frame is None:
        said = _said(declared or size)
        findings.add(
            "other size",
            f"{path} has {_said(size)} pixels, {where} says {said}: marks can be scaled to an image of the same "
            "proportions only",
            path,
        )
        return None
    if frame.turn > 1:
        findings.add(
            "turned marks",
            f"{path} is shown with {_said(size)} pixels (EXIF orientation {header.orientation}), {where} says "
            f"{_said((frame.marked_width, frame.marked_height))}: its marks were turned like the image",
            path,
        )
    elif header.orientation > 1 and (declared is None or header.orientation < 5 or size[0] == size[1]):
        findings.add(
            "turned image",
            f"{path} has the EXIF orientation {header.orientation}, and nothing says whether it was marked as shown or "
            "as stored: its marks are taken to be on the image as shown",
            path,
        )
    if frame.scale != (1, 1):
        findings.add(
            "scaled marks",
            f"{path} has {_said(size)} pixels, {where} says {_said((frame.marked_width, frame.marked_height))}: its "
            "marks were scaled",
            path,
        )
    return frame


@lru_cache(maxsize=1024)
def frame_between(header: Header, marked: tuple[int, int]) -> Frame | None:
    """From marks on an image of the size `marked` to the image; None where proportions differ."""
    size = header.width, header.height
    stored = (size[1], size[0]) if header.orientation > 4 else size
    turn = header.orientation if header.orientation > 4 else 1
    if min(marked) <= 0:
        return None
    if marked == size:
        return Frame(header, *marked)
    if marked == stored:
        return Frame(header, *marked, turn)
    if _same_proportions(marked, size):
        return Frame(header, *marked)
    if _same_proportions(marked, stored):
        return Frame(header, *marked, turn)
    return None


def mask_fits(marked: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether a mask of the size `marked` is not too large to be unpacked for an image of `size`."""
    return max(marked) <= _MOST_TIMES * max(size) and min(marked) <= _MOST_TIMES * min(size)


def _same_proportions(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one factor leads from one size to the other, up to a pixel: tools round up or down."""
    least = max((length - 1) / marked for length, marked in zip(other, one, strict=True))
    most = min((length + 1) / marked for length, marked in zip(other, one, strict=True))
    return least <= most


def _turned(mask: np.ndarray, turn: int) -> np.ndarray:
    if turn > 4:
        mask = mask.T
    flips = {2: (1,), 3: (0, 1), 4: (0,), 6: (1,), 7: (0, 1), 8: (0,)}
    return np.flip(mask, flips[turn]) if turn in flips else mask


def _sampled(start: int, length: int, factor: float) -> tuple[np.ndarray, int]:
    """Which of `length` pixels from `start` are nearest to the pixels that they become, and where those begin."""
    first = np.ceil(start * factor - 0.5)
    last = np.ceil((start + length) * factor - 0.5)
    pixels = np.arange(first, max(last, first + 1))
    return np.clip(np.floor((pixels + 0.5) / factor) - start, 0, length - 1).astype(int), int(first)


def _said(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]}"
