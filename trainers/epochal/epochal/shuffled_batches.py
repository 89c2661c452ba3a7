"""Indices in batches, as a sequence, so that a resume can skip without loading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload


class ShuffledBatches(Sequence[list[int]]):
    """An order of indices, cut into batches; the last one may be smaller."""

    def __init__(self, order: list[int], batch_size: int) -> None:
        if batch_size < 1:
            raise ValueError(f"the batch size is {batch_size}: must be at least 1")
        self._order = order
        self._batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self._order) // self._batch_size)

    @overload
    def __getitem__(self, index: int) -> list[int]: ...

    @overload
    def __getitem__(self, index: slice) -> list[list[int]]: ...

    def __getitem__(self, index: int | slice) -> list[int] | list[list[int]]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = index * self._batch_size
        return self._order[start : start + self._batch_size]
