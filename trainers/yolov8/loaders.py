"""Loaders that end, skip and continue where the application says: every batch of them is a boundary."""

from __future__ import annotations

import builtins
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import epochal
from epochal.random_state import derived_seed
from epochal.ranks import Ranks, share_of


class EpochOrder:
    """Batches of indices, epoch after epoch; only the seed and the epoch decide their order.

    Of several processes each has its part of every batch; a last one that does not divide is filled up from its start.

    Takes the place of a loader's batch sampler. Workers that load ahead ask for the next epoch before it begins, so
    it counts epochs by itself from where `begin` set it.
    """

    def __init__(self, images: int, batch_size: int, seed: int, shuffle: bool, ranks: Ranks) -> None:
        """`batch_size` is that of all processes together."""
        self._images, self._batch_size, self._seed, self._shuffle = images, batch_size, seed, shuffle
        self._ranks = ranks
        self._epoch = 0
        self._skip = 0

    def begin(self, epoch: int, skip: int = 0) -> None:
        """The next epoch is `epoch` (0-based), and its first `skip` batches are left out."""
        self._epoch, self._skip = epoch, skip

    def __len__(self) -> int:
        return -(-self._images // self._batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = list(range(self._images))
        if self._shuffle:
            random.Random(derived_seed(self._seed, "epoch", self._epoch + 1)).shuffle(order)
        first = self._skip * self._batch_size
        self._epoch, self._skip = self._epoch + 1, 0
        for start in range(first, self._images, self._batch_size):
            yield share_of(order[start : start + self._batch_size], self._ranks.rank, self._ranks.count)


class TrainingLoader:
    """The training loader as ultralytics sees it. A batch of the application is `parts` batches of the loader."""

    def __init__(self, loader: Any, app: epochal.Application, order: EpochOrder, parts: int) -> None:
        self._loader, self._app, self._order, self._parts = loader, app, order, parts
        object.__setattr__(loader, "batch_sampler", type(loader.batch_sampler)(order))
        #: 0-based number of the loader's batch under way in its epoch.
        self.number = 0
        #: Whether it is the last one of its optimizer step.
        self.completes_step = True
        self.epoch = 0

    def begin(self, epoch: int) -> None:
        """Epoch `epoch` (0-based) is next, and nothing was loaded ahead for it."""
        self.epoch = epoch
        self._order.begin(epoch)

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def __iter__(self) -> Iterator[Any]:
        steps = _Steps(self._loader, self._order, self.epoch, self._parts)
        for first, batches in self._app.batches(steps):
            for offset, batch in builtins.enumerate(batches):
                self.number = first + offset
                self.completes_step = offset + 1 == len(batches)
                yield batch
        self.epoch += 1


class _Steps(Sequence):  # type: ignore[type-arg]
    """The epoch's optimizer steps, so that those trained before an interruption are skipped without loading them."""

    def __init__(self, loader: Any, order: EpochOrder, epoch: int, parts: int) -> None:
        self._loader, self._order, self._epoch, self._parts = loader, order, epoch, parts
        self._iterator: Iterator[Any] | None = None

    def __len__(self) -> int:
        return -(-len(self._loader) // self._parts)

    def __getitem__(self, step: Any) -> tuple[int, list[Any]]:
        """Steps are asked for one after the other, from any first one."""
        if not 0 <= step < len(self):
            raise IndexError(step)
        first = step * self._parts
        if self._iterator is None:
            if first:
                self._order.begin(self._epoch, first)
                self._loader.reset()
            self._iterator = iter(self._loader)
        count = min(self._parts, len(self._loader) - first)
        return first, [next(self._iterator) for _ in range(count)]


class ValidationLoader:
    """The validation loader as ultralytics sees it."""

    def __init__(self, loader: Any, app: epochal.Application) -> None:
        self._loader, self._app = loader, app

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def __iter__(self) -> Iterator[Any]:
        own, count = iter(self._loader), len(self._loader)
        # Of several processes one may have a batch more: every one of them is a boundary for all.
        (most,) = self._app.ranks.maximum([count])
        for number in self._app.validation_batches(range(most)):
            if number < count:
                yield next(own)


def numbered(iterable: Iterable[Any], start: int = 0) -> Iterator[tuple[int, Any]]:
    """`enumerate` for ultralytics' loop: in an epoch continued in its middle the batches keep their numbers.

    The learning rate of the warm-up, running means and plots depend on them.
    """
    if not isinstance(iterable, TrainingLoader):
        yield from builtins.enumerate(iterable, start)
        return
    for batch in iterable:
        yield iterable.number, batch
