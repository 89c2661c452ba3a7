"""What a data set holds, whatever format it is stored in. Coordinates are pixels from the upper left corner."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["images", "coco", "yolo", "supervisely"]
Point = tuple[float, float]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp"})

#: How many places of each kind of finding are kept: enough to see what they have in common, however many there are.
MOST_EXAMPLES = 20


class Box(NamedTuple):
    """A rectangle with its sides along the image's."""

    x: float
    y: float
    width: float
    height: float


class Keypoint(NamedTuple):
    """A point of an object. `visible`: 0 not labelled, 1 hidden, 2 visible, as COCO has it."""

    x: float
    y: float
    visible: int


class Polygon:
    """An outline, and the outlines of the holes in it.

    Corners are kept as arrays of numbers: as tuples they take five times the memory, in a large data set more than
    everything else together.
    """

    __slots__ = ("_exterior", "_interiors", "of_pixels")

    def __init__(
        self, exterior: Iterable[Point], interiors: Iterable[Iterable[Point]] = (), *, of_pixels: bool = False
    ) -> None:
        """`of_pixels`: its corners are the middles of pixels, and those on its border belong to it (Supervisely)."""
        self.of_pixels = of_pixels
        self._exterior = array("d", (value for point in exterior for value in point))
        self._interiors = tuple(array("d", (value for point in ring for value in point)) for ring in interiors)

    @classmethod
    def of_numbers(cls, numbers: Sequence[float]) -> Polygon:
        """An outline without holes, of x, y, x, y, …"""
        polygon = cls.__new__(cls)
        polygon._exterior, polygon._interiors, polygon.of_pixels = array("d", numbers), (), False
        return polygon

    @property
    def exterior(self) -> list[Point]:
        """A copy of its corners."""
        return _points(self._exterior)

    @property
    def interiors(self) -> list[list[Point]]:
        """A copy of the corners of its holes."""
        return [_points(ring) for ring in self._interiors]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Polygon):
            return NotImplemented
        mine, theirs = (self._exterior, self._interiors), (other._exterior, other._interiors)
        return mine == theirs and self.of_pixels == other.of_pixels

    def __repr__(self) -> str:
        return f"Polygon({self.exterior}, {self.interiors})"

    __hash__ = None  # type: ignore[assignment]


def _points(numbers: array[float]) -> list[Point]:
    return list(zip(numbers[::2], numbers[1::2], strict=True))


@dataclass(slots=True)
class Bitmap:
    """A mask whose upper left corner is at (x, y)."""

    x: int
    y: int
    mask: np.ndarray

    def is_like(self, other: Bitmap) -> bool:
        """Whether both have the same pixels in the same place."""
        place, theirs = (self.x, self.y, self.mask.shape), (other.x, other.y, other.mask.shape)
        return place == theirs and bool((self.mask == other.mask).all())


@dataclass(slots=True)
class Object:
    """One marked thing. It has at least a box; a mask where it is known exactly."""

    class_name: str
    box: Box
    polygons: list[Polygon] = field(default_factory=list)
    bitmap: Bitmap | None = None
    keypoints: list[Keypoint] = field(default_factory=list)
    crowd: bool = False

    def is_marked_like(self, other: Object) -> bool:
        """Whether both say the same of the same place: one of them is there twice."""
        mine, theirs = self.bitmap, other.bitmap
        return (
            self.class_name == other.class_name
            and self.box == other.box
            and self.keypoints == other.keypoints
            and self.polygons == other.polygons
            and self.crowd == other.crowd
            and (mine is None) == (theirs is None)
            and (mine is None or theirs is None or mine.is_like(theirs))
        )

    @property
    def has_mask(self) -> bool:
        """Whether more than its box is known."""
        return bool(self.polygons) or self.bitmap is not None


@dataclass(slots=True)
class DatasetImage:
    """An image file and what is marked on it."""

    path: Path
    #: Unique within the data set, without its suffix: names the converted files.
    name: str
    width: int
    height: int
    #: As the data set itself has it; None where it has none.
    split: str | None = None
    #: Classes of the whole image.
    labels: list[str] = field(default_factory=list)
    #: `name` or `name:value`.
    tags: list[str] = field(default_factory=list)
    objects: list[Object] = field(default_factory=list)


@dataclass
class Example:
    """One place where something was found, and the image that shows it where that is known."""

    detail: str
    image: Path | None = None


@dataclass
class Finding:
    """Something wrong: how often, and the first places of it."""

    kind: str
    #: At least one, at most `MOST_EXAMPLES`, in the order in which they were found.
    examples: list[Example]
    count: int = 1

    @property
    def first(self) -> str:
        """Where it was found first."""
        return self.examples[0].detail


class Findings:
    """Collects what is wrong with a data set: one finding of each kind."""

    def __init__(self) -> None:
        self._by_kind: dict[str, Finding] = {}

    def add(self, kind: str, detail: str, image: Path | None = None) -> None:
        """`kind` happened once more; `detail` says where, and `image` is the one that shows it."""
        example = Example(detail, image)
        finding = self._by_kind.get(kind)
        if finding is None:
            self._by_kind[kind] = Finding(kind, [example])
            return
        finding.count += 1
        if len(finding.examples) < MOST_EXAMPLES:
            finding.examples.append(example)

    @property
    def count(self) -> int:
        """Of all kinds together."""
        return sum(one.count for one in self)

    def extend(self, others: Findings) -> None:
        """Those of another look at the same data set, too."""
        for other in others:
            for example in other.examples:
                self.add(other.kind, example.detail, example.image)
            self._by_kind[other.kind].count += other.count - len(other.examples)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._by_kind.values())

    def __len__(self) -> int:
        return len(self._by_kind)

    def sentences(self) -> list[str]:
        """One clause a kind."""
        return [f"{one.kind}: {one.first}" + (f" (and {one.count - 1} more)" if one.count > 1 else "") for one in self]


@dataclass
class DataSet:
    """Images, their classes, and what is wrong with them."""

    kind: Kind
    folder: Path
    classes: list[str]
    images: list[DatasetImage]
    findings: Findings = field(default_factory=Findings)
    keypoint_names: list[str] = field(default_factory=list)
    #: For each keypoint, the one it becomes in a mirrored image; empty: unknown.
    keypoint_flip: list[int] = field(default_factory=list)

    @property
    def has_boxes(self) -> bool:
        """Whether any object is marked."""
        return any(image.objects for image in self.images)

    @property
    def has_masks(self) -> bool:
        """Whether any object has a mask."""
        return any(one.has_mask for image in self.images for one in image.objects)

    @property
    def has_keypoints(self) -> bool:
        """Whether any object has keypoints."""
        return any(one.keypoints for image in self.images for one in image.objects)
