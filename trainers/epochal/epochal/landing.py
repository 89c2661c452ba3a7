"""What makes a checkpoint whole, on a thread of its own: the next batches train meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: Work that takes longer is waited for, in seconds: a training that only waits is watched for hangs.
LONGEST_BESIDE = 600.0


class Landing:
    """One piece of work at a time.

    What it raises is raised on the main thread, by `check` and `settle`, each time: who catches it cannot continue as
    if nothing had happened.
    """

    def __init__(self) -> None:
        # An event, not the thread's end: a `join` that a KeyboardInterrupt breaks off takes the thread for ended.
        self._done = threading.Event()
        self._done.set()
        self._began = 0.0
        self._error: BaseException | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether the work is not done yet."""
        return not self._done.is_set()

    @property
    def is_late(self) -> bool:
        """Whether it takes so long that the training should wait for it."""
        return self.is_under_way and time.monotonic() - self._began > LONGEST_BESIDE

    @property
    def error(self) -> BaseException | None:
        """What the work raised."""
        return self._error

    def start(self, work: Callable[[], None]) -> None:
        """Begin `work`; the one before it is settled."""
        self._done.clear()
        self._began = time.monotonic()
        threading.Thread(target=self._do, args=(work,), name="epochal landing", daemon=True).start()

    def run(self, work: Callable[[], None]) -> None:
        """Do `work` now, on this thread, with the same end: what takes less than to switch threads."""
        self._done.clear()
        self._do(work)

    def check(self) -> None:
        """Raise what the work raised, if it has. Never waits."""
        if self._error is not None:
            raise self._error

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the work is done, whatever came of it; whether it is. Signals are handled meanwhile."""
        return self._done.wait(timeout_seconds)

    def settle(self) -> None:
        """Wait until the work is done, and raise what it raised."""
        self.wait()
        self.check()

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()
