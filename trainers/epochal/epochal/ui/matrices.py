"""Widgets of numbers in rows and columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from epochal.ui.layout import Widget
from epochal.ui.values import array, columns, first, listed, named, number, picked, text

MOST_CLASSES = 100
MOST_CELLS_EACH_WAY = 200
MOST_ROWS = 500
MOST_COLUMNS = 30
MOST_CURVES = 20
MOST_CURVE_POINTS = 500
_OTHERS = "(others)"


class ConfusionMatrix(Widget):
    """How often each class was taken for which. Of more than 100 classes the rarest are counted as `(others)`."""

    kind = "confusionMatrix"

    def __init__(self, title: str = "", *, classes: Sequence[str] = (), id: str | None = None) -> None:
        """`classes` in the order of their numbers; `show` may give others."""
        super().__init__(title, id=id)
        self._classes = [str(name) for name in classes]

    def show(self, *, wanted: Iterable[int], predicted: Iterable[int], classes: Sequence[str] | None = None) -> None:
        """Class numbers from 0, one pair per image or object; others than those of `classes` are told apart."""

        def make(_keep: object) -> dict[str, Any]:
            pairs: dict[tuple[int, int], int] = {}
            for pair in zip(_numbers(wanted), _numbers(predicted), strict=True):
                pairs[pair] = pairs.get(pair, 0) + 1
            count = max((max(pair) for pair in pairs), default=-1) + 1
            names = self._classes if classes is None else list(classes)
            names = names or [str(index) for index in range(min(count, 10_000))]
            return _confusion(pairs, names)

        self._tell(make)

    def show_counts(self, counts: Any, classes: Sequence[str] | None = None) -> None:
        """A square of counts: rows are what was wanted, columns what was predicted."""

        def make(_keep: object) -> dict[str, Any]:
            pairs, size = _counted(array(counts))
            names = self._classes if classes is None else list(classes)
            return _confusion(pairs, names or [str(index) for index in range(size)])

        self._tell(make)


def _counted(square: Any) -> tuple[dict[tuple[int, int], int], int]:
    """The cells that are not empty, and how many rows there are."""
    if hasattr(square, "dtype"):
        # Of a thousand classes most cells are empty.
        cells = zip(*(indices.tolist() for indices in square.nonzero()), strict=True)
        return {cell: int(number(square[cell]) or 0) for cell in cells}, len(square)
    rows = [listed(row) for row in islice(listed(square), 10_000)]
    pairs = {(r, c): int(number(n) or 0) for r, row in enumerate(rows) for c, n in enumerate(row) if number(n)}
    return pairs, len(rows)


def _numbers(values: Any) -> Iterable[int]:
    return (int(value) for value in listed(values))


def _confusion(pairs: Mapping[tuple[int, int], int], names: Sequence[Any]) -> dict[str, Any]:
    known = {pair: count for pair, count in pairs.items() if all(0 <= one < len(names) for one in pair)}
    left_out = sum(pairs.values()) - sum(known.values())
    kept = list(range(len(names)))
    if len(names) > MOST_CLASSES:
        frequency = [0] * len(names)
        for (row, column), count in known.items():
            frequency[row] += count
            frequency[column] += count
        kept = sorted(sorted(kept, key=lambda index: -frequency[index])[: MOST_CLASSES - 1])
    place = {index: at for at, index in enumerate(kept)}
    classes = [text(names[index], 100) for index in kept]
    if len(names) > MOST_CLASSES:
        classes.append(_OTHERS)
    size = len(classes)
    counts = [[0] * size for _ in range(size)]
    for (row, column), count in known.items():
        counts[place.get(row, size - 1)][place.get(column, size - 1)] += count
    return {"classes": classes, "counts": counts, "leftOut": left_out}


class HeatMap(Widget):
    """Numbers as colours: up to 200 rows and columns, evenly taken of more."""

    kind = "heatMap"

    def show(self, values: Any, *, rows: Sequence[str] = (), columns: Sequence[str] = ()) -> None:
        """A list of rows, or an array of two dimensions, with names of rows and columns where they have some."""

        def make(_keep: object) -> dict[str, Any]:
            all_rows = listed(values)
            lengths = {len(listed(all_rows[index])) for index in range(len(all_rows))}
            if len(lengths) > 1:
                raise ValueError(f"must have rows of equal lengths, and has {sorted(lengths)[:5]}")
            width = lengths.pop() if lengths else 0
            down, across = picked(len(all_rows), MOST_CELLS_EACH_WAY), picked(width, MOST_CELLS_EACH_WAY)
            told = [[number(row[i]) for i in across] for row in (listed(all_rows[index]) for index in down)]
            return {
                "values": told,
                "rows": _some(rows, down, len(all_rows)),
                "columns": _some(columns, across, width),
                "of": [len(all_rows), width],
            }

        self._tell(make)


def _some(names: Sequence[Any], indices: Sequence[int], count: int) -> list[str]:
    if len(names) not in (0, count):
        raise ValueError(f"must have a name for each of {count}, and has {len(names)} names")
    return named([names[index] for index in indices], MOST_CELLS_EACH_WAY) if len(names) else []


class PrCurve(Widget):
    """Precision by recall, a curve per class: up to 20, with up to 500 points each."""

    kind = "prCurve"

    def show(self, curves: Mapping[str, tuple[Any, Any]], ap: Mapping[str, float] | None = None) -> None:
        """`{"class": (precision, recall)}`, and the average precision of each, if it is known."""

        def make(_keep: object) -> dict[str, Any]:
            series = []
            for name, (precision, recall) in islice(curves.items(), MOST_CURVES):
                told = columns(MOST_CURVE_POINTS, recall=recall, precision=precision)
                series.append({"name": text(name, 100), **told, "ap": number((ap or {}).get(name))})
            return {"series": series, "seriesOf": len(curves)}

        self._tell(make)


class Table(Widget):
    """Rows: the first 500, with up to 30 columns."""

    kind = "table"

    def __init__(self, title: str = "", *, columns: Sequence[str] = (), id: str | None = None) -> None:
        """`columns`: their names, unless `show` gives them or the rows are dictionaries."""
        super().__init__(title, id=id)
        self._columns = named(columns, MOST_COLUMNS)

    def show(self, rows: Iterable[Any], columns: Sequence[str] | None = None) -> None:
        """Lists of cells, or dictionaries; a cell is a number, a text, true, false or None."""

        def make(_keep: object) -> dict[str, Any]:
            kept, of = first(rows, MOST_ROWS)
            names = self._columns if columns is None else named(columns, MOST_COLUMNS)
            if kept and isinstance(kept[0], Mapping):
                keys = names or list(islice(kept[0], MOST_COLUMNS))
                names = named(keys, MOST_COLUMNS)
                cells = [[row.get(key) for key in keys] for row in kept]
            else:
                cells = [list(islice(iter(row), MOST_COLUMNS)) for row in kept]
            return {"columns": names, "rows": [[_cell(cell) for cell in row] for row in cells], "of": of}

        self._tell(make)


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if isinstance(value, (int, float)):
        told = number(value)
        return text(value, 40) if told is None else told
    return text(value, 300)
