"""A batch in parts, for a GPU that has no room for all of it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any


def parts_of(batch: Any, count: int) -> list[tuple[Any, float]]:
    """`batch` in at most `count` parts along the first dimension, each with its share of the samples (sum 1)."""
    samples = _samples(batch)
    count = min(count, samples)
    if count <= 1:
        return [(batch, 1.0)]
    edges = [samples * number // count for number in range(count + 1)]
    return [(_part(batch, slice(*edge)), (edge[1] - edge[0]) / samples) for edge in pairwise(edges)]


def _samples(batch: Any) -> int:
    """Length of the first tensor in `batch`."""
    if isinstance(batch, Mapping):
        return _samples(next(iter(batch.values())))
    if isinstance(batch, (list, tuple)) and batch and not isinstance(batch[0], (int, float, str)):
        return _samples(batch[0])
    return len(batch)


def _part(batch: Any, rows: slice) -> Any:
    if isinstance(batch, Mapping):
        return {name: _part(one, rows) for name, one in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_part(one, rows) for one in batch))
    if isinstance(batch, (list, tuple)) and batch and not isinstance(batch[0], (int, float, str)):
        return type(batch)(_part(one, rows) for one in batch)
    return batch[rows]
