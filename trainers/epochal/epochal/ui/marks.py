"""What is drawn over an image by the page: boxes, masks, outlines, keypoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from epochal.ui.values import number, text

MOST_MARKS = 100
MOST_CORNERS = 200
MOST_KEYPOINTS = 100


@dataclass(frozen=True)
class _Mark:
    def told(self) -> dict[str, Any] | None:
        """As the page draws it; None for one that has no place."""
        raise NotImplementedError


def _about(class_: Any, score: Any) -> dict[str, Any]:
    told = {"class": text(class_, 100)}
    return told if number(score) is None else {**told, "score": number(score)}


@dataclass(frozen=True)
class Box(_Mark):
    """A rectangle in the image's pixels; `x` and `y` are its left and upper edge."""

    x: float
    y: float
    width: float
    height: float
    class_: str = ""
    score: float | None = None

    def told(self) -> dict[str, Any] | None:
        sides = [number(one) for one in (self.x, self.y, self.width, self.height)]
        if None in sides:
            return None
        rounded = dict(zip(("x", "y", "width", "height"), _rounded(sides), strict=True))
        return {"kind": "box", **rounded, **_about(self.class_, self.score)}


@dataclass(frozen=True)
class Polygon(_Mark):
    """An outline: up to 200 corners `(x, y)` in the image's pixels."""

    points: Iterable[Sequence[float]]
    class_: str = ""
    score: float | None = None

    def told(self) -> dict[str, Any] | None:
        points = _points(self.points, MOST_CORNERS)
        return {"kind": "polygon", "points": points, **_about(self.class_, self.score)} if len(points) > 2 else None


@dataclass(frozen=True)
class Keypoints(_Mark):
    """Up to 100 points `(x, y)` in the image's pixels, with lines between those whose indices are in `links`."""

    points: Iterable[Sequence[float]]
    links: Iterable[Sequence[int]] = field(default_factory=tuple)
    class_: str = ""
    score: float | None = None

    def told(self) -> dict[str, Any] | None:
        points = _points(self.points, MOST_KEYPOINTS, all_=True)
        ends = [[int(a), int(b)] for a, b in islice(iter(self.links), 200)]
        links = [pair for pair in ends if all(0 <= one < len(points) and points[one] for one in pair)]
        return {"kind": "keypoints", "points": points, "links": links, **_about(self.class_, self.score)}


@dataclass(frozen=True)
class Mask(_Mark):
    """Pixels of the image: an array of its height and width that is true, or more than 0.5, where it applies."""

    pixels: Any
    class_: str = ""
    score: float | None = None


@dataclass(frozen=True)
class MarkedImage:
    """An image for `ImageGrid`. `image`: an array, a tensor, a Pillow image, the bytes or the path of an image file."""

    image: Any
    caption: str = ""
    marks: Sequence[_Mark] = ()


def _points(given: Iterable[Sequence[float]], most: int, *, all_: bool = False) -> list[Any]:
    """`all_`: those without a place stay, as None, since others are counted by their index."""
    pairs = ([number(point[0]), number(point[1])] for point in islice(iter(given), most))
    return [None if None in pair else _rounded(pair) for pair in pairs if all_ or None not in pair]


def _rounded(numbers: Sequence[Any]) -> list[float]:
    """A tenth of a pixel is finer than what is seen."""
    return [round(float(one), 1) for one in numbers]
