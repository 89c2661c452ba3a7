"""Callbacks that run once, just before a trainer ends."""

import threading
import traceback
from collections.abc import Callable

from epochal.channel import log


class BeforeShutdown:
    """Callbacks of `app.call_before_shutdown`: each by itself, each with its own limit of time."""

    def __init__(self) -> None:
        self._callbacks: list[tuple[Callable[[], object], float]] = []

    def add(self, function: Callable[[], object], timeout_seconds: float) -> None:
        """Run `function` at the end, before those that were added earlier."""
        self._callbacks.append((function, timeout_seconds))

    def run(self) -> list[str]:
        """Run them all, newest first; answers a sentence for each that failed. A second call has nothing to do."""
        troubles = []
        while self._callbacks:
            function, timeout_seconds = self._callbacks.pop()
            name = getattr(function, "__qualname__", repr(function))
            if trouble := _run(function, timeout_seconds):
                troubles.append(f"{name}, called before shutdown, {trouble}")
        return troubles


def _run(function: Callable[[], object], timeout_seconds: float) -> str | None:
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=guarded, name="epochal before shutdown", daemon=True)
    thread.start()
    thread.join(timeout_seconds)
    if thread.is_alive():
        return f"did not end within {timeout_seconds:g} s and was left behind"
    if raised:
        log("".join(traceback.format_exception(raised[0])))
        return f"raised {type(raised[0]).__name__}: {raised[0]}"
    return None
