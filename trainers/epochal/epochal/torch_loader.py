"""Somebody else's DataLoader, made to give the same batches in the same order whenever an epoch is continued."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from torch.utils.data import DataLoader, IterableDataset

from epochal import random_state
from epochal.torch_batches import Plan, SeededSamples, numbered_batch, seeded


class ResumableLoader:
    """Its sampler draws from generators that the epoch's seed decides, and so do the samples of each batch.

    A loader of an `IterableDataset`, or with an `__iter__` of its own, is passed batch by batch instead.
    """

    def __init__(self, loader: Any, epoch_seed: Callable[[], int]) -> None:
        self._loader = loader
        self._epoch_seed = epoch_seed
        #: Batches to leave out of the epoch that is asked for next.
        self.first = 0
        self._plan = Plan()
        self._seeded = self._rebuilt() if _has_batches(loader) else None
        for name in ("dataset", "batch_size", "sampler", "batch_sampler", "num_workers"):
            setattr(self, name, getattr(loader, name, None))

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        # All of this happens when the first batch is asked for: by then it is known which epoch it is.
        first, self.first = self.first, 0
        seed = self._epoch_seed()
        if self._seeded is None:
            with seeded(seed):
                batches = iter(self._loader)
            yield from islice(batches, first, None)
            return
        _seed_own_generators(self._loader, seed)
        with seeded(seed):
            order = list(self._loader.batch_sampler)
        self._plan.batches = [
            numbered_batch(list(indices), random_state.derived_seed(seed, "batch", number))
            for number, indices in enumerate(order)
            if number >= first
        ]
        yield from self._seeded

    def _rebuilt(self) -> DataLoader[Any]:
        import torch

        loader = self._loader
        return DataLoader(
            SeededSamples(loader.dataset),  # type: ignore[arg-type]
            batch_sampler=self._plan,
            num_workers=loader.num_workers,
            collate_fn=loader.collate_fn,
            pin_memory=loader.pin_memory,
            timeout=loader.timeout,
            worker_init_fn=loader.worker_init_fn,
            multiprocessing_context=loader.multiprocessing_context,
            prefetch_factor=loader.prefetch_factor,
            persistent_workers=loader.persistent_workers,
            generator=torch.Generator(),
        )


def _has_batches(loader: Any) -> bool:
    return (
        isinstance(loader, DataLoader)
        and type(loader).__iter__ is DataLoader.__iter__
        and loader.batch_sampler is not None
        and not isinstance(loader.dataset, IterableDataset)
    )


def _seed_own_generators(loader: Any, seed: int) -> None:
    """Generators that the script gave to its samplers: nothing else would keep them."""
    for owner in (loader.batch_sampler, getattr(loader.batch_sampler, "sampler", None)):
        generator = getattr(owner, "generator", None)
        if generator is not None:
            generator.manual_seed(seed)
