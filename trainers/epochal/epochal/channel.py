"""Where a trainer's own words go beside the protocol: its log."""

from __future__ import annotations

import os
import select
import sys


def mend_output() -> None:
    """Send stdout and stderr to nowhere where they were pipes to a worker that died: a `print` must not raise."""
    for descriptor in (1, 2):
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        if any(happened & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _, happened in poll.poll(0)):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


def log(message: str) -> None:
    """A line of the SDK in the trainer's log. Never raises."""
    try:
        print(f"epochal: {message}", file=sys.stderr, flush=True)
    except (OSError, ValueError, RuntimeError):
        pass
