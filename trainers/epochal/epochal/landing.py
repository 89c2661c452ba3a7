"""What makes a checkpoint whole, on a thread of its own: the next batches train meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Landing:
    """One piece of work at a time. It never raises on its own thread: `check` and `settle` raise what it raised."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether the work is not done yet."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, work: Callable[[], None]) -> None:
        """Begin `work`; the one before it is settled."""
        self._thread = threading.Thread(target=self._do, args=(work,), name="epochal landing", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what the work raised, if it has. Never waits."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def settle(self) -> None:
        """Wait until the work is done, and raise what it raised. Signals are handled meanwhile."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.check()

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._error = error
