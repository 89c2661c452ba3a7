"""Batches of a PyTorch data set that are the same ones whenever, wherever and however often an epoch is continued."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from epochal import random_state
from epochal.ranks import share_of

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from epochal.application import Application


class NumberedBatch(list[int]):
    """Indices of a batch, and the seed that its samples are loaded with."""

    seed: int = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return numbered_batch, (list(self), self.seed)


def numbered_batch(indices: list[int], seed: int) -> NumberedBatch:
    """Indices of a batch with their seed."""
    batch = NumberedBatch(indices)
    batch.seed = seed
    return batch


class Plan:
    """The batch sampler: the batches of one epoch from one batch on. The same object serves every epoch."""

    def __init__(self) -> None:
        self.batches: list[NumberedBatch] = []

    def __iter__(self) -> Iterator[NumberedBatch]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class SeededSamples:
    """A data set whose random augmentations depend on the batch alone, not on the process that loads it.

    The process that trains has its shared generators back as they were: loading draws nothing from them.
    """

    def __init__(self, samples: Any) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]

    def __getitems__(self, batch: NumberedBatch) -> list[Any]:
        with seeded(batch.seed):
            if hasattr(self.samples, "__getitems__"):
                return self.samples.__getitems__(list(batch))
            return [self.samples[index] for index in batch]


class Batches:
    """Give it to `app.batches` or `app.validation_batches`: a resume begins in its middle, loading nothing before.

    The order depends on the run's seed and the epoch alone. Under several processes each gets its part of every batch.
    """

    def __init__(
        self,
        app: Application,
        samples: Any,
        batch_size: int,
        *,
        shuffle: bool,
        drop_last: bool = False,
        workers: int = 0,
        collate: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """`batch_size` samples a batch over all processes; a last, smaller one unless `drop_last`.

        `samples` is a map-style data set. `shuffle` also decides what becomes of a batch that does not divide by the
        processes: in training it is filled up from its beginning, so that each has as many; in validation each sample
        is there once, and parts may differ in size.
        """
        from torch.utils.data import DataLoader

        if len(samples) < world_size:
            raise ValueError(f"{len(samples)} samples cannot be shared among {world_size} processes")
        self._app = app
        self._count = len(samples)
        self._batch_size = batch_size
        self._shuffle = shuffle
        self._drop_last = drop_last and self._count >= batch_size
        self._rank, self._world_size = rank, world_size
        self._plan = Plan()
        self.loader: DataLoader[Any] = DataLoader(
            SeededSamples(samples),  # type: ignore[arg-type]
            batch_sampler=self._plan,
            num_workers=workers,
            collate_fn=collate,
            pin_memory=pin_memory,
            persistent_workers=workers > 0,
            generator=_own_generator(),
        )

    def __len__(self) -> int:
        if self._drop_last:
            return self._count // self._batch_size
        batches = -(-self._count // self._batch_size)
        # A last batch with fewer samples than processes goes with the one before.
        return batches - 1 if 0 < self._count % self._batch_size < self._world_size else batches

    def __iter__(self) -> Iterator[Any]:
        return self.starting_at(0)

    def starting_at(self, first: int) -> Iterator[Any]:
        """The batches of this epoch after the first `first` ones."""
        order = self._app.permutation(self._count) if self._shuffle else list(range(self._count))
        seed = self._app.epoch_seed
        self._plan.batches = [
            numbered_batch(self._part(order, number), random_state.derived_seed(seed, "batch", number, self._rank))
            for number in range(first, len(self))
        ]
        return iter(self.loader)

    def _part(self, order: list[int], number: int) -> list[int]:
        """This process's indices of a batch."""
        start = number * self._batch_size
        end = len(order) if number == len(self) - 1 and not self._drop_last else start + self._batch_size
        whole = order[start:end]
        if self._shuffle:
            return share_of(whole, self._rank, self._world_size)
        return whole[self._rank :: self._world_size]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within, the shared generators begin at `seed`; the process that trains has them back afterwards."""
    from torch.utils.data import get_worker_info

    before = None if get_worker_info() else _generators()
    _seed(seed)
    try:
        yield
    finally:
        if before:
            random_state.restore(before)


def _generators() -> random_state.RandomState:
    """The shared generators of the CPU: reading those of a GPU would wait for it, and loading does not use them."""
    import torch

    state: random_state.RandomState = {"python": random.getstate(), "torch": torch.get_rng_state()}
    if numpy := sys.modules.get("numpy"):
        state["numpy"] = numpy.random.get_state(legacy=True)
    return state


def _seed(seed: int) -> None:
    import torch

    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the GPUs, too


def _own_generator() -> Any:
    """The loader draws a seed for its workers each epoch; not from the generator that the training draws from."""
    import torch

    return torch.Generator()
