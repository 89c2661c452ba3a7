"""Widgets of numbers in a plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from epochal.ui.layout import Widget
from epochal.ui.values import array, columns, first, listed, number, text

MOST_POINTS = 2_000
MOST_SERIES = 20
MOST_BARS = 200
MOST_BINS = 200


class _Axes(Widget):
    def __init__(self, title: str = "", *, x: str = "", y: str = "", id: str | None = None) -> None:
        """`x` and `y` say what the axes tell."""
        super().__init__(title, id=id)
        self._x, self._y = text(x, 100), text(y, 100)

    def options(self) -> dict[str, Any]:
        return {"x": self._x, "y": self._y}


class LineChart(_Axes):
    """Curves: of each up to 2,000 points, evenly spread; up to 20 curves."""

    kind = "lineChart"

    def show(self, curves: Mapping[str, Any], x: Sequence[float] | None = None) -> None:
        """`{"name": values}` at 0, 1, 2, … or at `x`, which ascends; NaN leaves a gap."""

        def make(_keep: object) -> dict[str, Any]:
            series = []
            for name, values in islice(curves.items(), MOST_SERIES):
                y = listed(values)
                points = columns(MOST_POINTS, x=range(len(y)) if x is None else x, y=y)
                series.append({"name": text(name, 100), **points})
            return {"series": series, "seriesOf": len(curves)}

        self._tell(make)


class ScatterChart(_Axes):
    """Points in groups: of each up to 2,000, evenly taken; up to 20 groups. Points that are NaN are left out."""

    kind = "scatterChart"

    def show(self, groups: Mapping[str, tuple[Any, Any]]) -> None:
        """`{"name": (x, y)}`."""

        def make(_keep: object) -> dict[str, Any]:
            series = []
            for name, (x, y) in islice(groups.items(), MOST_SERIES):
                told = columns(MOST_POINTS, x=x, y=y)
                pairs = [(a, b) for a, b in zip(told["x"], told["y"], strict=True) if a is not None and b is not None]
                kept = {"x": [a for a, _ in pairs], "y": [b for _, b in pairs]}
                series.append({"name": text(name, 100), "of": told["of"], **kept})
            return {"series": series, "seriesOf": len(groups)}

        self._tell(make)


class BarChart(_Axes):
    """Bars: up to 200 names, up to 10 bars for each."""

    kind = "barChart"

    def show(self, values: Mapping[str, Any]) -> None:
        """`{"cat": 12, "dog": 7}`, or several bars for each: `{"cat": {"train": 12, "val": 3}, …}`."""

        def make(_keep: object) -> dict[str, Any]:
            kept, of = first(values.items(), MOST_BARS)
            of = len(values) if of is None else of
            bars = [value if isinstance(value, Mapping) else {"": value} for _, value in kept]
            names = list(dict.fromkeys(str(name) for bar in bars for name in islice(bar, 10)))[:10]
            told = [{str(name): value for name, value in bar.items()} for bar in bars]
            series = [{"name": text(name, 100), "values": [number(bar.get(name)) for bar in told]} for name in names]
            return {"names": [text(name, 100) for name, _ in kept], "of": of, "series": series}

        self._tell(make)


class Histogram(_Axes):
    """How many values are in each of equal intervals."""

    kind = "histogram"

    def __init__(
        self,
        title: str = "",
        *,
        bins: int = 30,
        x: str = "",
        y: str = "",
        id: str | None = None,
    ) -> None:
        """`bins`: intervals, 1 to 200."""
        super().__init__(title, x=x, y=y, id=id)
        if not 1 <= bins <= MOST_BINS:
            raise ValueError(f"bins is {bins}: must be between 1 and {MOST_BINS}")
        self._bins = bins

    def show(self, values: Any) -> None:
        """All of `values` are counted, however many; those that are NaN or infinite are told apart."""
        self._tell(lambda _keep: _counted(values, self._bins))

    def show_counts(self, edges: Sequence[float], counts: Sequence[int]) -> None:
        """What was counted already: one more edge than counts, up to 200."""

        def make(_keep: object) -> dict[str, Any]:
            if len(edges) != len(counts) + 1 or len(counts) > MOST_BINS:
                raise ValueError(f"must have up to {MOST_BINS} counts and one more edge")
            told = {"edges": [number(edge) for edge in edges], "counts": [number(count) or 0 for count in counts]}
            if None in told["edges"]:
                raise ValueError("must have edges that are numbers")
            return {**told, "leftOut": 0}

        self._tell(make)


def _counted(values: Any, bins: int) -> dict[str, Any]:
    values = array(values)
    if hasattr(values, "dtype"):
        import numpy as np  # an array came from there

        flat = np.asarray(values, dtype=np.float64).reshape(-1)
        finite = flat[np.abs(flat) < 1e300]
        counts, edges = np.histogram(finite, bins=bins)
        left_out = int(flat.size - finite.size)
        return {"edges": [float(e) for e in edges], "counts": [int(c) for c in counts], "leftOut": left_out}
    numbers = [number(value) for value in values]
    kept = [value for value in numbers if value is not None]
    low, high = (min(kept), max(kept)) if kept else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    counted = [0] * bins
    for value in kept:
        counted[min(int((value - low) / (high - low) * bins), bins - 1)] += 1
    edges_ = [low + (high - low) * index / bins for index in range(bins + 1)]
    return {"edges": edges_, "counts": counted, "leftOut": len(numbers) - len(kept)}
