"""Ends a trainer whose worker is lost: with no help from the worker, the trainer's threads or its GIL.

Started by the worker beside each trainer, in a session of its own. Its standard input is a pipe from the worker: first
a line with the trainer's pid and start time, then nothing, then `over` once the worker has seen the end of the session.
End-of-file without that word means that the worker is lost. From then on the trainer has `stop_seconds` to save and end
by itself, and `terminate_seconds` after SIGTERM; then its process group and all that left the group are killed.

    python -I -S trainer_guard.py SESSION EVENTS STOP_SECONDS TERMINATE_SECONDS
"""

from __future__ import annotations

import datetime
import json
import os
import signal
import sys
import time
from collections.abc import Callable

ORPHAN_SECONDS = 2.0
#: A process that the kernel cannot end (a dead disk or driver) must not keep this one for ever.
KILL_SECONDS = 600.0
NAMES_SHOWN = 5

Process = tuple[int, str, int, str]  # pid, start ticks, group, name


def read_process(pid: int) -> Process | None:
    """None when it has ended, or where there is no /proc."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    if fields[0] in "ZX":
        return None
    return pid, fields[19], int(fields[2]), text[text.index("(") + 1 : text.rindex(")")]


class Trainer:
    """The trainer's processes, however they were started."""

    def __init__(self, session: str, pid: int | None, start_ticks: str | None) -> None:
        self._marker = f"EPOCHAL_SESSION_ID={session}".encode()
        self._pid = pid
        self._start_ticks = start_ticks

    def leads(self) -> bool:
        """Whether the trainer itself is alive; while its pid is not known, whether anything of it is."""
        if self._pid is None:
            return bool(self.escaped())
        if self._start_ticks is None:
            return reaches(os.kill, self._pid)
        found = read_process(self._pid)
        return found is not None and found[1] == self._start_ticks

    def group(self) -> bool:
        """Whether somebody of its process group is alive."""
        if self._pid is None:
            return False
        if self._start_ticks is None:
            return reaches(os.killpg, self._pid)
        now = read_process(self._pid)
        if now is not None and now[1] != self._start_ticks:
            return False  # The number belongs to another process by now.
        return any(process[2] == self._pid for process in processes())

    def escaped(self) -> list[Process]:
        """Processes with the session's marker that are not in the group."""
        return [process for process in processes() if process[2] != self._pid and self._is_marked(process[0])]

    def signal_group(self, number: int) -> None:
        """To everyone in the group. SIGCONT goes with it: a stopped process hears nothing else."""
        if self._pid is not None and self.group():
            reaches(os.killpg, self._pid, number)
            reaches(os.killpg, self._pid, signal.SIGCONT)

    def _is_marked(self, pid: int) -> bool:
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


def end(trainer: Trainer, stop_seconds: float, terminate_seconds: float) -> list[str]:
    """Returns the names of processes that had left the group and had to be ended."""
    if not until(lambda: not trainer.leads(), stop_seconds):
        trainer.signal_group(signal.SIGTERM)
        until(lambda: not trainer.leads(), terminate_seconds)
    if not trainer.leads():
        until(lambda: not trainer.group() and not trainer.escaped(), ORPHAN_SECONDS)
    ended: dict[tuple[int, str], str] = {}

    def is_gone() -> bool:
        trainer.signal_group(signal.SIGKILL)
        left = trainer.escaped()
        for pid, ticks, _, name in left:
            ended[pid, ticks] = name
            reaches(os.kill, pid, signal.SIGKILL)
        return not left and not trainer.group()

    until(is_gone, KILL_SECONDS)
    return list(ended.values())


def tell(events: str, session: str, names: list[str]) -> None:
    """A note for the receipt, as the worker would have kept it."""
    count = len(names)
    shown = ", ".join(sorted(set(names))[:NAMES_SHOWN])
    message = f"ended {count} {'process' if count == 1 else 'processes'} that had left the trainer's process group: {shown}"
    at = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = json.dumps({"session": session, "at": at, "event": {"type": "note", "message": message}})
    try:
        # No folder, no note: the run has landed, and its folder must not be made again.
        descriptor = os.open(events, os.O_WRONLY | os.O_APPEND)
    except OSError:
        return
    with open(descriptor, "a") as file:
        file.write(line + "\n")


def main() -> None:
    """Wait for the worker's word or its end, and act on it."""
    session, events, stop_seconds, terminate_seconds = sys.argv[1:]
    lines = sys.stdin.buffer.read().decode().split("\n")
    if "over" in lines:
        return
    pid, ticks = ([*lines[0].split(" "), ""])[:2]
    trainer = Trainer(session, int(pid) if pid.isdigit() else None, ticks or None)
    names = end(trainer, float(stop_seconds), float(terminate_seconds))
    if names:
        tell(events, session, names)


main()
