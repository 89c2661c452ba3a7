"""Seconds of an epoch, without the waiting and saving in it, and summed over interruptions."""

import time


class Stopwatch:
    """Adds up the time between `start` and `pause`."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._since: float | None = None

    @property
    def is_running(self) -> bool:
        """Whether it does not stand still."""
        return self._since is not None

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

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self._seconds + (0.0 if self._since is None else time.monotonic() - self._since)
