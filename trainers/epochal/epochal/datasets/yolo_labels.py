"""Label files of YOLO: a line for each object, its numbers parts of the image's width and height."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from epochal.datasets.masks import box_of_points
from epochal.datasets.model import Box, DatasetImage, Findings, Keypoint, Object, Point, Polygon
from epochal.datasets.text_files import text_of
from epochal.datasets.yolo_config import listed
from epochal.errors import DataError

_BEYOND = 0.002  # of the image: writers round to a few digits
_KEYPOINT_BEYOND = 0.01  # as ultralytics has it


@dataclass(frozen=True)
class Labels:
    """How the labels of a data set are to be read."""

    #: Classes by the number that a line begins with, and what says so.
    names: dict[int, str]
    source: Path
    #: Number of keypoints, and how many numbers each has.
    shape: tuple[int, int] | None = None

    def read(self, file: Path, image: DatasetImage, findings: Findings) -> None:
        """Add the objects of a label file to its image; a line that is wrong is among the findings."""
        try:
            text = text_of(file)
        except DataError as error:
            findings.add("unreadable label", str(error), image.path)
            return
        seen: dict[tuple[float, ...], int] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            where = f"{file}:{number}"
            try:
                values = tuple(_numbers(line))
                if (first := seen.setdefault(values, number)) != number:
                    findings.add("same line twice", f"{where} is the same as line {first}, and counts once", image.path)
                    continue
                image.objects.append(self._object(values, image, where))
            except _Wrong as wrong:
                findings.add(wrong.kind, f"{where} {wrong}", image.path)

    def _object(self, values: tuple[float, ...], image: DatasetImage, where: str) -> Object:
        name, numbers = self._class(values[0], where), list(values[1:])
        if len(numbers) < 4 or (len(numbers) % 2 and not self.shape):
            raise _Wrong("unreadable label", f"has {len(numbers)} numbers after the class")
        placed = numbers[:4] if self.shape else numbers
        outside = [value for value in placed if not -_BEYOND <= value <= 1 + _BEYOND]
        if outside:
            raise _Wrong("box outside", f"has {outside[0]:g}, which is not between 0 and 1")
        if len(numbers) == 4 or self.shape:
            box = _box(placed, image)
            return Object(name, box, keypoints=self._keypoints(numbers[4:], image) if self.shape else [])
        points = [(x * image.width, y * image.height) for x, y in _pairs(numbers)]
        if _on_a_line(points):
            raise _Wrong("box outside", "has an outline without an area")
        return Object(name, box_of_points(points), polygons=[Polygon(points)])

    def _class(self, number: float, where: str) -> str:
        name = self.names.get(int(number)) if number == int(number) else None
        if name is not None:
            return name
        if number == 0 and min(self.names) == 1:
            raise DataError(
                f"{where} has class 0, but the classes of {self.source} begin with 1: one of the two must be changed, "
                "and which one nobody else can know"
            )
        count = len(self.names)
        if list(self.names) == list(range(count)):
            raise _Wrong(
                "unknown class", f"has class {number:g}, but there {'is' if count == 1 else 'are'} {_classes(count)}"
            )
        raise _Wrong(
            "unknown class", f"has class {number:g}, but the classes of {self.source} are {listed(self.names)}"
        )

    def _keypoints(self, values: list[float], image: DatasetImage) -> list[Keypoint]:
        assert self.shape
        count, each = self.shape
        if len(values) != count * each:
            raise _Wrong("unreadable label", f"has {len(values)} numbers for {count} keypoints of {each}")
        found = []
        for start in range(0, len(values), each):
            x, y, *rest = values[start : start + each]
            # Of two numbers, negative ones say that it is not labelled.
            visible = rest[0] if rest else 2 if min(x, y) >= 0 else 0
            if visible not in (0, 1, 2):
                raise _Wrong(
                    "unreadable label", f"has a keypoint with the visibility {visible:g}: it must be 0, 1 or 2"
                )
            if not visible:
                found.append(Keypoint(0, 0, 0))
                continue
            if not all(-_KEYPOINT_BEYOND <= value <= 1 + _KEYPOINT_BEYOND for value in (x, y)):
                raise _Wrong("keypoint outside", f"has a keypoint that is not within the image ({x:g} {y:g})")
            found.append(Keypoint(x * image.width, y * image.height, int(visible)))
        return found


class _Wrong(Exception):
    """A line that is wrong: the kind of finding, and a clause about the line."""

    def __init__(self, kind: str, clause: str) -> None:
        super().__init__(clause)
        self.kind = kind


def _numbers(line: str) -> list[float]:
    try:
        numbers = [float(word) for word in line.split()]
    except ValueError:
        raise _Wrong("unreadable label", "is not a line of numbers") from None
    if not all(map(math.isfinite, numbers)):
        wrong = next(word for word in line.split() if not math.isfinite(float(word)))
        raise _Wrong("unreadable label", f"has {wrong[:40]}, which is not a number between 0 and 1")
    return numbers


def _box(values: list[float], image: DatasetImage) -> Box:
    x, y, w, h = values
    if min(x - w / 2, y - h / 2) < -_BEYOND or max(x + w / 2, y + h / 2) > 1 + _BEYOND:
        raise _Wrong("box outside", f"has a box that is not within the image ({x:g} {y:g} {w:g} {h:g})")
    if w <= 0 or h <= 0:
        raise _Wrong("box outside", "has a box without an area")
    width, height = image.width, image.height
    return Box((x - w / 2) * width, (y - h / 2) * height, w * width, h * height)


def _pairs(values: list[float]) -> list[Point]:
    return list(zip(values[::2], values[1::2], strict=True))


def _on_a_line(points: list[Point]) -> bool:
    """Whether an outline is a point or a line. One that crosses itself is neither, whatever its signed area."""
    (x0, y0), *others = points
    away = max(others, key=lambda point: abs(point[0] - x0) + abs(point[1] - y0))
    dx, dy = away[0] - x0, away[1] - y0
    return all(abs(dx * (y - y0) - dy * (x - x0)) < 1e-6 for x, y in others)


def _classes(count: int) -> str:
    return f"{count} class" if count == 1 else f"{count} classes"
