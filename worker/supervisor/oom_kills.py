"""How often the kernel killed for want of memory: in this process's cgroup, else on the whole machine."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

#: A kill of somebody else, long before a process ended, is no reason for that end; a large one takes a while to die.
RECENT_SECONDS = 30.0
#: A container sees its own cgroup in the place of the root.
OWN = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"]


def oom_kills() -> int | None:
    """A number to compare with one read earlier; None where nobody counts."""
    for path in [*counters(_read("/proc/self/cgroup")), *OWN, "/proc/vmstat"]:
        found = re.search(r"^oom_kill (\d+)$", _read(path), re.MULTILINE)
        if found:
            return int(found[1])
    return None


def counters(own: str) -> list[str]:
    """Files of the cgroups in `/proc/self/cgroup` that may hold the count: version 2, then version 1."""
    unified = re.search(r"^0::(.*)$", own, re.MULTILINE)
    memory = re.search(r"^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(.*)$", own, re.MULTILINE)
    return [
        *([f"/sys/fs/cgroup/{unified[1].strip('/')}/memory.events".replace("//", "/")] if unified else []),
        *([f"/sys/fs/cgroup/memory/{memory[1].strip('/')}/memory.oom_control".replace("//", "/")] if memory else []),
    ]


class RecentOomKills:
    """How many kills there were lately. To be asked again and again."""

    def __init__(self, read: Callable[[], int | None] = oom_kills, now: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._now = now
        #: Oldest first; the first is the newest one that is no longer recent.
        self._readings: list[tuple[float, int]] = []

    def count(self) -> int | None:
        """Since the last reading before the recent ones; None where nobody counts."""
        kills = self._read()
        if kills is None:
            return None
        now = self._now()
        self._readings.append((now, kills))
        while len(self._readings) > 1 and self._readings[1][0] <= now - RECENT_SECONDS:
            self._readings.pop(0)
        return kills - self._readings[0][1]


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
