"""Seconds of an epoch, without the waiting and saving in it, and summed over interruptions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class PartOf:
    """Adds up what passes on a stopwatch between `begin` and `end`."""

    def __init__(self, watch: Stopwatch) -> None:
        """Nothing so far."""
        self._watch = watch
        self._seconds = 0.0
        self._since: float | None = None

    def begin(self) -> None:
        """Count from here."""
        self._since = self._watch.seconds

    def end(self) -> None:
        """Count no further."""
        if self._since is not None:
            self._seconds += max(0.0, self._watch.seconds - self._since)
        self._since = None

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count meanwhile, however it ends."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    def take(self) -> float:
        """Seconds since somebody asked before."""
        self.end()
        seconds, self._seconds = self._seconds, 0.0
        return seconds


class Stopwatch:
    """Adds up the time between `start` and `pause`."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since: float | None = None
        #: Of it, what the trainer validates for.
        self.validation = PartOf(self)

    def reset(self, seconds: float = 0.0) -> None:
        """Stand still at `seconds`."""
        self._seconds, self._since = seconds, None

    def start(self) -> None:
        """Run."""
        if self._since is None:
            self._since = time.monotonic()

    def pause(self) -> None:
        """Stand still."""
        self._seconds, self._since = self.seconds, None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stand still meanwhile."""
        was_running = self._since is not None
        self.pause()
        try:
            yield
        finally:
            if was_running:
                self.start()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self._seconds + (0.0 if self._since is None else time.monotonic() - self._since)
