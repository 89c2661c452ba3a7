"""The two ends of the trainer protocol: JSON lines, commands on fd 3, events on fd 4."""

import errno
import json
import os
import select
import sys
import threading
from collections.abc import Callable

from epochal.protocol import Event

COMMANDS_FD = 3
EVENTS_FD = 4


class Channel:
    """The protocol with a worker. Losing the worker is a callback, never an exception in the training."""

    def __init__(
        self,
        on_command: Callable[[Event], bool],
        on_lost: Callable[[], None],
        commands_fd: int = COMMANDS_FD,
        events_fd: int = EVENTS_FD,
    ) -> None:
        """`on_command` answers whether it knows the command. Raises `OSError` if the descriptors are not open."""
        self._on_command = on_command
        self._on_lost = on_lost
        self._commands_fd = commands_fd
        self._events_fd = events_fd
        self._lock = threading.Lock()
        self._broken = False
        for descriptor in (commands_fd, events_fd):
            os.set_inheritable(descriptor, False)
        # A worker that reads slowly must not hold up a batch: an event that may be dropped is, when the pipe is full.
        os.set_blocking(events_fd, False)
        os.register_at_fork(after_in_child=self._leave_in_child)

    def start(self) -> None:
        """Read commands from now on, in a daemon thread."""
        threading.Thread(target=self._read, name="epochal commands", daemon=True).start()

    def send(self, event: Event, *, may_drop: bool = False) -> None:
        """Write `event` as one line, whole. With `may_drop`, not at all if that would have to wait."""
        line = json.dumps(event, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        with self._lock:
            if not self._broken:
                try:
                    self._write(line, may_drop)
                except OSError:
                    self._broken = True  # The reader sees the same end and stops the training.

    def _write(self, line: bytes, may_drop: bool) -> None:
        rest = memoryview(line)
        while rest:
            try:
                rest = rest[os.write(self._events_fd, rest) :]
            except BlockingIOError:
                if may_drop and len(rest) == len(line):
                    return
                select.select([], [self._events_fd], [], 1.0)

    def _read(self) -> None:
        pending = b""
        while True:
            try:
                received = os.read(self._commands_fd, 65536)
            except BlockingIOError:
                select.select([self._commands_fd], [], [])
                continue
            except OSError as error:
                if error.errno == errno.EBADF and self._broken:
                    return
                received = b""
            if not received:
                self._on_lost()
                return
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                self._obey(line)

    def _obey(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            command = json.loads(line)
            known = isinstance(command, dict) and self._on_command(command)
        except (ValueError, KeyError, TypeError):
            known = False
        if known:
            self.send({"type": "acknowledged", "command": command["type"]})
        else:
            text = line[:1000].decode(errors="replace")
            self.send({"type": "note", "message": f"a command is not in the protocol, and was ignored: {text}"})

    def _leave_in_child(self) -> None:
        """A forked child is no trainer: it must neither speak for it nor keep the worker's pipe open."""
        if not self._broken:
            self._broken = True
            for descriptor in (self._commands_fd, self._events_fd):
                try:
                    os.close(descriptor)
                except OSError:
                    pass
        self._lock = threading.Lock()


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
