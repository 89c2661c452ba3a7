"""Values as JSON that a browser can take: numbers that are numbers, and never more of anything than people look at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any


def text(value: Any, most: int) -> str:
    """`str(value)` with at most so many characters, and none that is half of one."""
    words = str(value).encode("utf-8", "replace").decode()
    return words if len(words) <= most else f"{words[: most - 1]}…"


def number(value: Any) -> float | int | None:
    """A finite number; None for anything else, NaN and infinity too."""
    if isinstance(value, bool):
        return int(value)
    try:
        told = value if isinstance(value, int) else float(f"{float(value):.9g}")  # of more digits nobody sees anything
        return told if math.isfinite(told) and abs(told) < 1e300 else None
    except (TypeError, ValueError, OverflowError):
        return None


def array(values: Any) -> Any:
    """A tensor, on any device and of any precision, as an array of numpy; anything else as it is."""
    if not hasattr(values, "detach"):
        return values
    tensor = values.detach().cpu()
    try:
        return tensor.numpy()
    except TypeError:
        return tensor.float().numpy()  # numpy has no bfloat16


def listed(values: Any) -> Sequence[Any]:
    """What can be counted: a list, an array, a tensor on any device."""
    values = array(values)
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise TypeError(f"must be a list or an array, and is {type(values).__name__}")
    if hasattr(values, "shape") and len(values.shape) == 0:
        raise TypeError("must have at least one dimension")
    return values if hasattr(values, "__len__") and hasattr(values, "__getitem__") else list(values)


def picked(count: int, most: int) -> list[int]:
    """Evenly spread indices of `count` things, `most` at most, with the first and the last."""
    if count <= most:
        return list(range(count))
    if most < 2:
        return [count - 1]
    return [index * (count - 1) // (most - 1) for index in range(most)]


def columns(most: int, **given: Any) -> dict[str, Any]:
    """Columns of equal length as numbers, thinned out together; `of`: how many there were."""
    lists = {name: listed(values) for name, values in given.items()}
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"must have equal lengths, and have {lengths}")
    count = next(iter(lengths.values()))
    indices = picked(count, most)
    return {"of": count, **{name: [number(values[i]) for i in indices] for name, values in lists.items()}}


def first(values: Iterable[Any], most: int) -> tuple[list[Any], int | None]:
    """The first so many, and how many there are: None where that is more, and nobody has counted."""
    kept = list(islice(iter(values), most + 1))
    if len(kept) <= most:
        return kept, len(kept)
    return kept[:most], len(values) if hasattr(values, "__len__") else None


def named(names: Sequence[Any], most: int) -> list[str]:
    """Names of classes or axes."""
    return [text(name, 100) for name in islice(iter(names), most)]
