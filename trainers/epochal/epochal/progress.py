"""Live progress: at most about ten `batch` events a second, but always the first and the last of a phase."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from epochal.errors import NotFinite
from epochal.protocol import EventSink

_SECONDS_BETWEEN = 0.1
_SECONDS_BETWEEN_SET_UP = 0.5
#: Names that a training may give to metrics of its epochs, and as many to those of its batches: they travel in
#: messages, receipts and pages.
MOST_NAMES = 500


class MetricNames:
    """The names of the metrics that are reported: the first of those that the training gives, and no more."""

    def __init__(self, sink: EventSink, always: str | None = None) -> None:
        """`always` is reported whatever came before it: the metric that tells the best epoch."""
        self._sink = sink
        self._always = always
        self._known: set[str] = set()
        self._is_told = False

    def reported(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """`metrics` without those that have no room; the first one that is left out is noted."""
        kept = {}
        for name, value in metrics.items():
            if name in self._known or len(self._known) < MOST_NAMES:
                self._known.add(name)
            elif name != self._always:
                self._tell(name)
                continue
            kept[name] = value
        return kept

    def _tell(self, name: str) -> None:
        if not self._is_told:
            self._is_told = True
            message = (
                f"the metric {name} is left out, and so is every new one after it: a training may report {MOST_NAMES} "
                "different names. Use one name for metrics whose names differ only by a number"
            )
            self._sink.send({"type": "note", "message": message})


def finite(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Metrics as plain numbers; `NotFinite` for one that is NaN or infinite."""
    numbers = {}
    for name, value in metrics.items():
        number = float(value)
        if not math.isfinite(number):
            raise NotFinite(name, number)
        if not 1 <= len(name) <= 200:
            raise ValueError(f"a metric is called {name[:50]!r}: a name has 1 to 200 characters")
        numbers[name] = number
    return numbers


class SetUpProgress:
    """How far a set-up is, told a few times a second."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._tell_after = 0.0
        self._doing = ""
        self._is_over = False

    def tell(self, doing: str, done: int, total: int) -> None:
        """`done` of `total` things are done; the last is told always, others to whoever listens then."""
        if total < 1:
            return
        is_first = doing != self._doing
        is_last = done >= total and (is_first or not self._is_over)
        self._doing, self._is_over = doing, done >= total
        now = time.monotonic()
        if now < self._tell_after and not is_first and not is_last:
            return
        self._tell_after = now + _SECONDS_BETWEEN_SET_UP
        event = {"type": "setUpProgress", "doing": doing[:200], "done": done, "total": total}
        self._sink.send(event, may_drop=not is_last)


class Progress:
    """Reports batches of one phase at a time."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._names = MetricNames(sink)
        self._phase = ""
        self._epoch = 0
        self._told_phase = ("", 0)
        self._batches: int | None = None
        self._metrics: Mapping[str, Any] = {}
        self._told_batch = 0
        self._put_off: int | None = None
        self._tell_after = 0.0

    def phase(self, phase: str, epoch: int, batches: int | None = None) -> None:
        """A phase begins; told only if it is another one."""
        if (phase, epoch) != (self._phase, self._epoch):
            self._phase, self._epoch = phase, epoch
            self._metrics = {}
            self._told_batch = 0
            self._put_off = None
            self._tell_after = 0.0
            self._tell_phase(phase, epoch)
        self._batches = batches or None

    @contextmanager
    def saving(self, epoch: int, *, goes_on: bool) -> Iterator[None]:
        """The phase `save`, and, if it continues, the phase before it again."""
        self._tell_phase("save", epoch)
        yield
        if goes_on:
            self._tell_phase(self._phase, self._epoch)

    def _tell_phase(self, phase: str, epoch: int) -> None:
        if (phase, epoch) != self._told_phase:
            self._told_phase = (phase, epoch)
            self._sink.send({"type": "phase", "phase": phase, "epoch": epoch})

    def log(self, metrics: Mapping[str, Any]) -> None:
        """Metrics of the batch under way. Numbers on a GPU are read when they are told, so as not to wait for it."""
        for name, value in metrics.items():
            if not getattr(value, "is_cuda", False) and not math.isfinite(value):
                raise NotFinite(name, float(value))
        self._metrics = metrics

    def require_finite(self) -> None:
        """Raise `NotFinite` where a metric of the last batch is: also of those on a GPU that were not told."""
        finite(self._metrics)

    def batch(self, done: int) -> None:
        """`done` batches of the phase are done."""
        if time.monotonic() >= self._tell_after or done == self._batches:
            self._tell(done, may_drop=done != self._batches)

    def put_off(self, done: int) -> None:
        """`done` batches are done if the training continues: tell of the last one in `catch_up`."""
        self._put_off = done

    def catch_up(self) -> None:
        """The training continues: tell of the batch that was put off."""
        if self._put_off is not None:
            self.flush(self._put_off)
            self._put_off = None

    def flush(self, done: int) -> None:
        """No batch of the phase follows for now: tell of the last one, if it was not told."""
        if done and done != self._told_batch:
            self._tell(done, may_drop=False)

    def _tell(self, done: int, *, may_drop: bool) -> None:
        self._told_batch = done
        self._tell_after = time.monotonic() + _SECONDS_BETWEEN
        self._sink.send(
            {
                "type": "batch",
                "phase": self._phase,
                "epoch": self._epoch,
                "batch": done,
                "batches": self._batches,
                "metrics": self._names.reported(finite(self._metrics)),
            },
            may_drop=may_drop,
        )
