"""Masks between their forms: polygons, bitmaps, COCO's run lengths, Supervisely's packed images."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from epochal.datasets.model import Bitmap, Box, Object, Point
from epochal.datasets.painting import painted

_PNG = b"\x89PNG"


def box_of_points(points: list[Point]) -> Box:
    """The smallest box around points."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return Box(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def box_of_bitmap(bitmap: Bitmap) -> Box:
    """The smallest box around the pixels that are set; empty where none is."""
    rows, columns = np.flatnonzero(bitmap.mask.any(1)), np.flatnonzero(bitmap.mask.any(0))
    if not len(rows):
        return Box(bitmap.x, bitmap.y, 0, 0)
    return Box(
        float(bitmap.x + columns[0]),
        float(bitmap.y + rows[0]),
        float(columns[-1] - columns[0] + 1),
        float(rows[-1] - rows[0] + 1),
    )


def full_mask(one: Object, width: int, height: int) -> np.ndarray:
    """The object's mask as large as its image."""
    mask = np.zeros((height, width), bool)
    if one.bitmap is not None:
        top, left = max(one.bitmap.y, 0), max(one.bitmap.x, 0)
        part = one.bitmap.mask[top - one.bitmap.y :, left - one.bitmap.x :][: height - top, : width - left]
        mask[top : top + part.shape[0], left : left + part.shape[1]] = part
    for polygon in one.polygons:
        mask |= painted(polygon, width, height)
    return mask


def cropped(mask: np.ndarray) -> Bitmap:
    """A mask of a whole image, cut to what is set."""
    box = box_of_bitmap(Bitmap(0, 0, mask))
    x, y, width, height = (int(value) for value in box)
    return Bitmap(x, y, mask[y : y + height, x : x + width])


def outlines(mask: np.ndarray) -> list[list[Point]]:
    """Outer outlines of the connected parts of a mask, along its pixels' edges; holes are filled."""
    return [ring for area, ring in rings(mask) if area > 0]


def rings(mask: np.ndarray) -> list[tuple[float, list[Point]]]:
    """All outlines of a mask, along its pixels' edges, with what they enclose: holes have a negative area."""
    # Edges run so that what is set lies to their right; each is a step from one corner of a pixel to the next.
    following: dict[Point, list[Point]] = {}
    for start, end in _edges(mask):
        following.setdefault(start, []).append(end)
    found = []
    for start in sorted(following, key=lambda corner: (corner[1], corner[0])):
        while start in following:
            ring, here, heading = [start], start, (1, 0)
            while True:
                there = _turn(following, here, heading)
                heading = (there[0] - here[0], there[1] - here[1])
                here = there
                if here == start:
                    break
                ring.append(here)
            found.append((_area(ring), _straightened(ring)))
    return found


def _edges(mask: np.ndarray) -> Iterator[tuple[Point, Point]]:
    padded = np.pad(mask.astype(bool), 1)
    inner = padded[1:-1, 1:-1]
    # For each side of a pixel: whether its neighbour there is not set, and the corners that its edge runs between.
    sides = (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    )
    for neighbour, (x0, y0), (x1, y1) in sides:
        rows, columns = np.nonzero(inner & ~neighbour)
        for y, x in zip(rows.tolist(), columns.tolist(), strict=True):
            yield (x + x0, y + y0), (x + x1, y + y1)


def _turn(following: dict[Point, list[Point]], here: Point, heading: tuple[float, float]) -> Point:
    """Take the next edge from a corner: where two leave it, the one to the right, so that parts stay apart."""
    choices = following[here]
    right = (here[0] - heading[1], here[1] + heading[0])
    there = right if right in choices else choices[0]
    choices.remove(there)
    if not choices:
        del following[here]
    return there


def _area(ring: list[Point]) -> float:
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True)) / 2


def _straightened(ring: list[Point]) -> list[Point]:
    """Without the corners in the middle of a straight line."""
    kept = []
    for before, corner, after in zip([ring[-1], *ring[:-1]], ring, [*ring[1:], ring[0]], strict=True):
        if (corner[0] - before[0]) * (after[1] - corner[1]) != (corner[1] - before[1]) * (after[0] - corner[0]):
            kept.append((float(corner[0]), float(corner[1])))
    return kept


def mask_of_rle(segmentation: dict[str, Any], most_width: int, most_height: int) -> np.ndarray:
    """COCO's run lengths, plain or compressed, as a mask. Runs go down the columns, beginning with what is not set.

    `ValueError` for a mask that is larger than its image, before anything of that size is allocated.
    """
    height, width = segmentation["size"]
    _check_size(width, height, most_width, most_height)
    counts = segmentation["counts"]
    if isinstance(counts, str):
        counts = _decompressed(counts)
    pixels = sum(counts)
    if pixels != height * width or min(counts, default=0) < 0:
        raise ValueError(f"run lengths of {pixels} pixels in a mask of {height} × {width}")
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return flat.reshape((width, height)).T


def _check_size(width: int, height: int, most_width: int, most_height: int) -> None:
    if not (0 <= width <= most_width and 0 <= height <= most_height):
        raise ValueError(
            f"a mask of {width} × {height} pixels on an image of {most_width} × {most_height}: it may not be larger"
        )


def rle_of_mask(mask: np.ndarray) -> dict[str, Any]:
    """A mask as COCO's plain run lengths."""
    flat = np.concatenate([[False], mask.T.reshape(-1), [False]])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff(np.concatenate([[0], changes, [mask.size]])).tolist()
    if len(counts) > 1 and counts[-1] == 0:
        counts.pop()
    return {"size": [int(mask.shape[0]), int(mask.shape[1])], "counts": [int(one) for one in counts]}


def _decompressed(text: str) -> list[int]:
    """pycocotools' encoding: numbers of 5 bits a character, each the difference to the one two before it."""
    counts: list[int] = []
    position = 0
    while position < len(text):
        value = shift = 0
        more = True
        while more:
            bits = ord(text[position]) - 48
            value |= (bits & 0x1F) << shift
            more = bool(bits & 0x20)
            position += 1
            shift += 5
            if shift > 60:
                raise ValueError("a run length beyond all bounds")
            if not more and bits & 0x10:
                value |= -1 << shift
        if len(counts) > 2:
            value += counts[-2]
        counts.append(value)
    return counts


def packed(mask: np.ndarray) -> str:
    """Supervisely's bitmap data: base64 of zlib of a PNG whose alpha is the mask."""
    image = _palette(mask)
    content = io.BytesIO()
    image.save(content, format="PNG", transparency=0, optimize=0)
    return base64.b64encode(zlib.compress(content.getvalue())).decode()


def _palette(mask: np.ndarray) -> Image.Image:
    image = Image.new("P", (mask.shape[1], mask.shape[0]))
    image.putdata(mask.astype(np.uint8).reshape(-1).tolist())
    image.putpalette([0, 0, 0, 255, 255, 255])
    return image


def unpacked(data: str, most_width: int, most_height: int) -> np.ndarray:
    """The opposite of `packed`; of images without alpha, whatever is not black.

    `ValueError` for a mask that is larger than its image: a few bytes can unpack to more than there is memory.
    """
    # Four channels of 16 bits, uncompressed, and what else is in a PNG.
    most_bytes = 8 * most_width * most_height + 65_536
    try:
        content = base64.b64decode(data)
        if not content.startswith(_PNG):  # Supervisely's package reads masks that are not compressed again, too
            unpacking = zlib.decompressobj()
            content = unpacking.decompress(content, most_bytes)
            if unpacking.unconsumed_tail or not unpacking.eof:
                raise ValueError(
                    f"more than the {most_bytes} bytes of a mask of {most_width} × {most_height} pixels, or cut off"
                )
        image = Image.open(io.BytesIO(content), formats=["PNG"])
        _check_size(*image.size, most_width, most_height)
        image.load()
    except (zlib.error, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"not a packed mask: {error}") from error
    if image.mode == "P" and "transparency" not in image.info:
        image = image.convert("RGB")
    if image.mode in ("P", "LA", "RGBA"):
        return np.asarray(image.convert("RGBA"))[:, :, 3] > 0
    array = np.asarray(image)
    return (array if array.ndim == 2 else array.any(2)).astype(bool)
