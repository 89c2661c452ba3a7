"""The processes that train one model together, as torchrun numbers them. Rank 0 speaks with the worker, and saves."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from epochal.averages import Averages
from epochal.checkpoints import Checkpoint, Land, Position
from epochal.control import Control, StopMode
from epochal.moment import Moment
from epochal.protocol import Event
from epochal.random_state import derived_seed

Maximum = Callable[[Sequence[int]], list[int]]
Gather = Callable[[Any], list[Any]]


class Ranks:
    """Which of how many processes this is, and what all of them agree on."""

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank = rank
        self.count = count
        self._maximum: Maximum | None = None
        self._gather: Gather | None = None

    @classmethod
    def here(cls) -> Ranks:
        """By torchrun's environment variables; one of one without them."""
        return cls(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))

    def connect(self, maximum: Maximum, gather: Gather) -> None:
        """`maximum(numbers)` and `gather(object)` over all processes: each of them calls these in the same order."""
        self._maximum, self._gather = maximum, gather

    def maximum(self, numbers: Sequence[int]) -> list[int]:
        """The largest of each number over all processes."""
        if self.count == 1:
            return list(numbers)
        return self._connected(self._maximum)(numbers)

    def gather(self, own: Any) -> list[Any]:
        """What every process has, by rank."""
        return [own] if self.count == 1 else self._connected(self._gather)(own)

    def seed(self, seed: int) -> int:
        """A seed of this rank: random numbers must differ, or each process drops the same neurons."""
        return seed if self.rank == 0 else derived_seed(seed, "rank", self.rank)

    def own_moments(self, progress: dict[str, Any]) -> dict[str, Any]:
        """`progress` of a checkpoint with the random numbers and averages of this rank.

        A rank that the checkpoint does not have resumes from the generators as they are. With another number of
        ranks the averages of all are added up in rank 0, so that the epoch still reports all that it saw.
        """
        saved = progress.get("ranks") or [{name: progress[name] for name in ("moment", "epochBegan")}]
        if len(saved) == self.count:
            return {**progress, **saved[self.rank]}
        if self.rank < len(saved):
            own = saved[self.rank]
        else:
            moment = Moment.capture(Averages()).encode()
            own = {"moment": moment, "epochBegan": moment if saved[0]["epochBegan"] else None}
        averages = _added([one["moment"]["averages"] for one in saved]) if self.rank == 0 else {}
        return {**progress, **own, "moment": {**own["moment"], "averages": averages}}

    def _connected(self, function: Any) -> Any:
        if function is None:
            raise RuntimeError(
                f"{self.count} processes that are not connected: make a Torch(app), or join them, before app.epochs()"
            )
        return function


def share_of(batch: list[int], rank: int, count: int) -> list[int]:
    """What process `rank` of `count` computes of a batch; it is filled up from its start, so that each has as many."""
    each = -(-len(batch) // count)
    return [batch[index % len(batch)] for index in range(rank, each * count, count)]


def _added(several: list[dict[str, list[float]]]) -> dict[str, list[float]]:
    sums = Averages()
    for averages in several:
        for name, (total, count) in averages.items():
            one = sums.get(name)
            one.total, one.count = one.total + total, one.count + count
    return sums.snapshot()


class SharedControl(Control):
    """Commands as all processes know them: taken over by `agree()`, so that none ends a batch before the others."""

    def __init__(self, ranks: Ranks) -> None:
        super().__init__()
        self._ranks = ranks
        self._heard = Control()

    def stop(self, mode: StopMode, reason: str, *, by_itself: bool = False) -> None:
        if mode == "batch" and self._begun_at_stop is None:
            self._begun_at_stop = self.batches_begun
        self._heard.stop(mode, reason, by_itself=by_itself)

    def grant(self, through: int) -> None:
        self._heard.grant(through)

    def ask_checkpoint(self) -> None:
        self._heard.ask_checkpoint()

    def end_epochs(self) -> None:
        self._heard.end_epochs()

    def wait(self) -> None:
        if self._ranks.rank == 0:
            self._heard.wait()  # The others wait for rank 0 when they agree.

    def agree(self) -> None:
        heard = self._heard
        asked, heard.checkpoint_asked = heard.checkpoint_asked, False
        stop_mode, was_told = heard.stop_mode, int(heard.stop_mode is not None and not heard.stops_by_itself)
        stop, told, checkpoint, snapshot, is_last, through = self._ranks.maximum(
            [
                *(_stops.index(stop_mode), was_told, int(asked), int(self._snapshot_due)),
                *(int(heard.no_more_epochs), heard.granted_through),
            ]
        )
        if stop:
            begun = self._begun_at_stop
            other = "another process was told to" if told else "another process of the training ended it"
            super().stop(_stops[stop] or "batch", heard.stop_reason or other, by_itself=not told)
            if begun is not None:
                self._begun_at_stop = begun  # counted from when it was heard, not from when all knew
        self.checkpoint_asked = self.checkpoint_asked or bool(checkpoint)
        self._snapshot_due = bool(snapshot)
        self.no_more_epochs = bool(is_last)
        self.granted_through = through


_stops: list[StopMode | None] = [None, "epoch", "batch"]


class Silent:
    """The events of a rank that nobody listens to: rank 0 tells what all of them do."""

    def send(self, event: Event, *, may_drop: bool = False) -> None:
        """Nothing."""


class NoCheckpoints:
    """The checkpoints of a rank that does not save."""

    #: Rank 0 knows.
    has_any = True

    def has(self, position: Position) -> bool:
        """No: rank 0 knows."""
        return False

    def knows(self, checkpoint: Checkpoint) -> None:
        """Nothing."""

    def write(self, position: Position, metrics: Any, progress: Any, save: Any) -> Land:
        """Nothing: what makes it whole answers the manifest of no files."""
        return lambda: {"files": []}


class NoMetricsFile:
    """The `metrics.jsonl` of a rank that does not write it."""

    def cut_back(self, epochs: int) -> None:
        """Nothing."""

    def append(self, row: dict[str, Any]) -> None:
        """Nothing."""
