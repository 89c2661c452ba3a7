"""The loops of a trainer that has its own: iterators that take the steps of a `Training`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from epochal.training import Training

Batch = TypeVar("Batch")


def epochs(training: Training) -> Iterator[int]:
    """See `Application.epochs`."""
    if not training.is_ready:
        training.get_ready()
    while training.begin_epoch():
        try:
            yield training.epoch
        except GeneratorExit:
            training.leave_epochs()
            raise


def batches(training: Training, loader: Iterable[Batch], total: int | None) -> Iterator[Batch]:
    """See `Application.batches`."""
    total = training.begin_batches(_length(loader) if total is None else total)
    # A stop is looked for before the loader is asked, not after: asking may draw random numbers already.
    for batch in _after_trained(training, loader):
        training.begin_batch()
        try:
            yield batch
        except GeneratorExit:
            training.break_off(total)
            raise
        training.end_batch(total)
        training.boundary()
    if not training.moments.to_skip:
        training.end_batches()


def validation_batches(training: Training, loader: Iterable[Batch], total: int | None) -> Iterator[Batch]:
    """See `Application.validation_batches`."""
    training.begin_validation(_length(loader) if total is None else total)
    for batch in loader:
        if not training.begin_validation_batch():
            break
        yield batch
        training.end_validation_batch()
    training.end_validation()


def _after_trained(training: Training, loader: Iterable[Batch]) -> Iterable[Batch]:
    """The batches of `loader` after those that the checkpoint has."""
    skip = training.moments.to_skip
    if not skip:
        return loader
    if hasattr(loader, "starting_at"):
        passed = min(skip, len(loader))  # type: ignore[arg-type]
        rest: Iterable[Batch] = _later(loader.starting_at, passed)
    elif isinstance(loader, Sequence):
        passed = min(skip, len(loader))
        rest = (loader[index] for index in range(passed, len(loader)))
    else:
        rest = iter(loader)
        passed = 0
        for _ in islice(rest, skip):
            passed += 1
            training.leave_if_stopped()
    training.moments.pass_batches(passed)
    return () if training.moments.to_skip else rest


def _later(starting_at: Callable[[int], Iterable[Batch]], first: int) -> Iterator[Batch]:
    """Ask for the batches when the first is wanted: by then the random generators are where they were."""
    yield from starting_at(first)


def _length(loader: Iterable[Any]) -> int | None:
    """Batches in `loader`, where it knows; torch's loaders of iterable data sets have a `len` that raises."""
    try:
        return len(loader)  # type: ignore[arg-type]
    except TypeError:
        return None
