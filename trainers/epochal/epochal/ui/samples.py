"""Values that show what a layout looks like before anything has trained."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from epochal.checkpoints import Position
from epochal.ui import marks
from epochal.ui.layout import Container
from epochal.ui.pages import begin_pages

EPOCHS = 3
_SIDE = 96
_BATCHES = 10
_NAMES = ["first class", "second class", "third class"]


def show_samples(layout: Container, folder: Path, note: Callable[[str], None]) -> None:
    """Have each widget show something in each of `EPOCHS` epochs, in `folder` as a training does in its own."""
    epoch = 1

    def place() -> tuple[int, Position]:
        return epoch, Position(epoch - 1, _BATCHES)

    begin_pages(folder, layout, place, note, 0)
    for epoch in range(1, EPOCHS + 1):
        for widget in layout.named_widgets().values():
            if widget.kind in _samples:
                _samples[widget.kind](widget, epoch)


def _classes(widget: Any) -> list[str]:
    return list(widget.options().get("classes") or getattr(widget, "_classes", None) or _NAMES)[:20]


def _words(sample: str) -> Callable[[Any, int], None]:
    def show(widget: Any, epoch: int) -> None:
        # What it says from the beginning is what its author wants to look at.
        if not widget.options().get("text"):
            widget.show(sample.format(epoch=epoch))

    return show


def _falling(epoch: int, height: float = 1.0) -> list[float]:
    return [height * math.exp(-index / 30) / epoch + 0.05 * math.sin(index) / epoch for index in range(100)]


def _line_chart(widget: Any, epoch: int) -> None:
    widget.show({"first": _falling(epoch), "second": _falling(epoch, 1.4)})


def _scatter_chart(widget: Any, epoch: int) -> None:
    angles = [index * 2.4 for index in range(60)]
    groups = {}
    for number, name in enumerate(_NAMES):
        spread = [(index / 60 + number) / epoch for index in range(60)]
        groups[name] = (
            [math.cos(angle) * one for angle, one in zip(angles, spread, strict=True)],
            [math.sin(angle) * one for angle, one in zip(angles, spread, strict=True)],
        )
    widget.show(groups)


def _bar_chart(widget: Any, epoch: int) -> None:
    widget.show({name: {"train": 60 - 15 * number, "val": 10 + epoch - number} for number, name in enumerate(_NAMES)})


def _histogram(widget: Any, epoch: int) -> None:
    widget.show([(index % 37 + index % 41 + index % 43) / (100 + 10 * epoch) for index in range(2_000)])


def _heat_map(widget: Any, epoch: int) -> None:
    widget.show([[math.sin(row / 3) * math.cos(column / (2 + epoch)) for column in range(24)] for row in range(16)])


def _confusion_matrix(widget: Any, epoch: int) -> None:
    classes = _classes(widget)
    counts = [
        [40 * epoch if row == column else (3 * row + column) % 7 for column in range(len(classes))]
        for row in range(len(classes))
    ]
    widget.show_counts(counts, classes)


def _pr_curve(widget: Any, epoch: int) -> None:
    recall = [index / 50 for index in range(51)]
    curves = {name: ([1 - one ** (2 + epoch + number) for one in recall], recall) for number, name in enumerate(_NAMES)}
    widget.show(curves, {name: 0.6 + 0.1 * epoch - 0.05 * number for number, name in enumerate(_NAMES)})


def _table(widget: Any, epoch: int) -> None:
    columns = widget.options().get("columns") or getattr(widget, "_columns", None) or ["name", "value", "right"]
    cells: list[Any] = [f"row of epoch {epoch}", 0.25 * epoch, True]
    rows = [[cells[index % 3] for index in range(len(columns))] for _ in range(5)]
    widget.show(rows, columns)


def _image_grid(widget: Any, epoch: int) -> None:
    classes = _classes(widget)
    images = []
    for number in range(6):
        name, at = classes[number % len(classes)], 20 + 4 * number
        found: list[Any] = [
            marks.Box(at, 20, 40, 40, name, min(0.5 + 0.1 * epoch + 0.05 * number, 1)),
            marks.Polygon([(at, 20), (at + 40, 30), (at + 15, 60)], name),
            marks.Keypoints([(at + 5, 30), (at + 20, 40), (at + 35, 55)], [(0, 1), (1, 2)], name),
        ]
        images.append(
            marks.MarkedImage(_drawing(number), f"image {number + 1}, epoch {epoch}", found[: 1 + number % 3])
        )
    widget.show(images)


_samples: dict[str, Callable[[Any, int], None]] = {
    "text": _words("A text, as it is after epoch {epoch}."),
    "markdown": _words("**Markdown** with a [link](https://example.com) and `code`, after epoch {epoch}."),
    "alert": _words("Something to notice after epoch {epoch}."),
    "html": _words("<p>HTML of <b>epoch {epoch}</b></p>"),
    "progress": lambda widget, epoch: widget.show(epoch, EPOCHS, f"epoch {epoch} of {EPOCHS}"),
    "lineChart": _line_chart,
    "scatterChart": _scatter_chart,
    "barChart": _bar_chart,
    "histogram": _histogram,
    "heatMap": _heat_map,
    "confusionMatrix": _confusion_matrix,
    "prCurve": _pr_curve,
    "table": _table,
    "image": lambda widget, epoch: widget.show(_drawing(epoch), f"An image of epoch {epoch}"),
    "imagePair": lambda widget, epoch: widget.show(_drawing(epoch), _drawing(epoch + 3), f"Two of epoch {epoch}"),
    "imageGrid": _image_grid,
}


def _drawing(number: int) -> bytes:
    """A PNG, made without numpy: a trainer may need none."""
    lines = bytearray()
    for y in range(_SIDE):
        lines.append(0)
        for x in range(_SIDE):
            is_in = (x - _SIDE / 2) ** 2 + (y - _SIDE / 2) ** 2 < (14 + 4 * number) ** 2
            lines += bytes((x * 2, y * 2, 60 + 20 * number) if is_in else (x, 90, y))
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(lines))), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
