"""The lock that keeps two trainers out of one run folder."""

import fcntl
import os
import time
from pathlib import Path

from epochal.errors import SetUpError


class RunLock:
    """`lock` in the run folder, held until the process ends, however it ends."""

    def __init__(self, folder: Path, wait_seconds: float) -> None:
        """Takes the lock; `SetUpError` when another process still holds it after `wait_seconds`."""
        self._descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        end = time.monotonic() + wait_seconds
        while not self._taken():
            if time.monotonic() >= end:
                os.close(self._descriptor)
                raise SetUpError(f"another trainer still holds {folder / 'lock'} after {wait_seconds:g} s")
            time.sleep(0.05)
        os.register_at_fork(after_in_child=self._leave_in_child)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _leave_in_child(self) -> None:
        """A forked child shares the lock, and must not hold it when its parent is gone."""
        try:
            os.close(self._descriptor)
        except OSError:
            pass
