"""The processes of a trainer: who is alive, and how all of them are ended."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

ORPHAN_SECONDS = 2.0
#: A process that the kernel cannot end (a dead disk or driver) must not keep this one for ever.
KILL_SECONDS = 600.0

_PR_SET_CHILD_SUBREAPER = 36
#: Of a container, in which there is nothing but the trainer and what that started.
IS_FIRST = os.getpid() == 1

Process = tuple[int, str, int, str]  # pid, start ticks, group, name


def adopt_orphans() -> None:
    """Become the parent of all that loses its own below this process, where the system has that."""
    if sys.platform == "linux":
        try:
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        except (OSError, AttributeError):
            pass


def read_process(pid: int) -> Process | None:
    """None when it has ended, or where there is no /proc."""
    text = _stat(pid)
    if not text:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    if fields[0] in "ZX":
        return None
    return pid, fields[19], int(fields[2]), text[text.index("(") + 1 : text.rindex(")")]


def start_ticks(pid: int) -> str | None:
    """When it was started, as the kernel tells it, also of one that has ended and was not waited for yet."""
    text = _stat(pid)
    return text[text.rindex(")") + 2 :].split()[19] if text else None


def _stat(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


class TrainerProcesses:
    """The trainer, its process group, and what left that."""

    def __init__(self, session: str, pid: int) -> None:
        self._marker = f"EPOCHAL_SESSION_ID={session}".encode()
        self.pid = pid
        #: None where there is no /proc.
        self.start_ticks = start_ticks(pid)

    def group(self) -> bool:
        """Whether somebody of its process group is alive."""
        if self.start_ticks is None:
            return reaches(os.killpg, self.pid)
        now = read_process(self.pid)
        if now is not None and now[1] != self.start_ticks:
            return False  # The number belongs to another process by now.
        return any(process[2] == self.pid for process in processes())

    def escaped(self) -> list[Process]:
        """Processes with the session's marker that are not in the group; in a container, all that are not."""
        return [process for process in processes() if process[2] != self.pid and self._is_ours(process[0])]

    def signal_group(self, number: int) -> None:
        """To everyone in the group. SIGCONT goes with it: a stopped process hears nothing else."""
        if IS_FIRST and number == signal.SIGKILL:
            reaches(os.kill, -1, number)  # All but this one, at once: however fast they fork.
            return
        if self.group():
            reaches(os.killpg, self.pid, number)
            reaches(os.killpg, self.pid, signal.SIGCONT)

    def end_all(self, meanwhile: Callable[[], None]) -> list[str]:
        """Kill whoever is left, the trainer among them; answers the names of those that had left the group."""
        ended: dict[tuple[int, str], str] = {}

        def is_gone() -> bool:
            meanwhile()
            # In a container the signal ends these, too, and who is dead has no name.
            # Elsewhere one may leave the group until it is sent.
            before = self.escaped() if IS_FIRST else []
            self.signal_group(signal.SIGKILL)
            left = before or self.escaped()
            for pid, ticks, _, name in left:
                ended[pid, ticks] = name
                reaches(os.kill, pid, signal.SIGKILL)
            return not left and not self.group()

        until(is_gone, KILL_SECONDS)
        return list(ended.values())

    def _is_ours(self, pid: int) -> bool:
        if IS_FIRST:
            return True
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return self._marker in file.read().split(b"\0")
        except OSError:
            return False


def processes() -> list[Process]:
    """All that are alive; none where there is no /proc."""
    try:
        numbers = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    except OSError:
        return []
    return [found for found in map(read_process, numbers) if found and found[0] != os.getpid()]


def reaches(send: Callable[[int, int], None], target: int, number: int = 0) -> bool:
    """Whether there was somebody to signal."""
    try:
        send(target, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Waits for it; False when the time was not enough."""
    end = time.monotonic() + seconds
    pause = 0.02
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(pause)
        pause = min(0.5, pause * 1.5)
    return True
