"""Work that a training does not wait for."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from queue import Queue
from threading import Lock, Thread

#: What waits holds images in memory: whoever gives more than this waits, too.
MOST_WAITING = 2


class Background:
    """One thread that does what it is given, in that order. It begins with the first thing to do."""

    def __init__(self) -> None:
        self._queue: Queue[Callable[[], None]] = Queue(MOST_WAITING)
        self._thread: Thread | None = None
        self._lock = Lock()

    @property
    def is_busy(self) -> bool:
        """Whether something is not done yet."""
        return self._queue.unfinished_tasks > 0

    def put(self, work: Callable[[], None]) -> None:
        """Do this after all that was given before. An error is told on stderr, and ends nothing."""
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="epochal-pages", daemon=True)
                self._thread.start()
        self._queue.put(work)

    def finish(self, seconds: float) -> None:
        """Return when all is done, or after so many seconds."""
        with self._queue.all_tasks_done:
            self._queue.all_tasks_done.wait_for(lambda: not self.is_busy, seconds)

    def _run(self) -> None:
        while True:
            work = self._queue.get()
            try:
                work()
            except Exception:
                traceback.print_exc()
            finally:
                self._queue.task_done()
