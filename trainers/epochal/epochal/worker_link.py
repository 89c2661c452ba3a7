"""The trainer's end of the protocol: the Unix socket on which it listens. Workers come and go; the training goes on."""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epochal.channel import log, mend_output
from epochal.checkpoints import now
from epochal.errors import SetUpError
from epochal.protocol import Event

#: What matters later: it is in the run folder before anybody hears of it.
_KEPT = frozenset({"hello", "ready", "note", "endedEarly", "failed", "stopped"})
#: What the run folder tells as well, or nobody needs any more: of these the oldest go where nobody takes them.
_DROPPABLE = frozenset({"phase", "checkpoint", "note", "setUpProgress"})
_MOST_WAITING = 1000
#: The last words of a process may wait so long for a worker that reads slowly.
_LAST_WORDS_SECONDS = 2.0
_LAST_WORDS = frozenset({"failed", "stopped"})


@dataclass(frozen=True)
class Address:
    """What of the session file the link needs, before the whole of it is checked."""

    session: str
    socket: str
    events: Path
    reattach_seconds: float

    @classmethod
    def read(cls) -> Address:
        """`SetUpError` where the session file does not tell."""
        path = os.environ.get("EPOCHAL_SESSION")
        if not path:
            raise SetUpError("EPOCHAL_SESSION is not set: run the trainer by `python trainer.py train`, or by a worker")
        try:
            file: Any = json.loads(Path(path).read_bytes())
            return cls(
                session=str(file["session"]),
                socket=str(file["socket"]),
                events=Path(file["runFolder"], "logs", "events.jsonl"),
                reattach_seconds=float(file["reattachSeconds"]),
            )
        except OSError as error:
            raise SetUpError(f"the session file {path} cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, KeyError) as error:
            raise SetUpError(f"the session file {path} does not tell the trainer's socket: {error!r}") from error


@dataclass(frozen=True)
class _Waiting:
    number: int
    kind: str
    line: bytes


class WorkerLink:
    """Listens for workers, one at a time; the newest wins. Losing one is a callback, never an exception.

    An event that may not be dropped has a number (`seq`), and waits until a worker has acknowledged it: what was not is
    sent again, once, to whoever comes next.
    """

    def __init__(
        self,
        address: Address,
        on_command: Callable[[Event], bool],
        on_left: Callable[[], None],
        on_unattended: Callable[[], None],
    ) -> None:
        """`on_command` answers whether it knows the command. `OSError` where there can be no socket."""
        self._address = address
        self._on_command = on_command
        self._on_left = on_left
        self._on_unattended = on_unattended
        self._lock = threading.Lock()
        self._met = threading.Event()  # a worker has come, at least once
        self._listener = _listen(address.socket)
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._worker: socket.socket | None = None
        self._gone: list[socket.socket] = []  # closed by the thread that reads from them, which may look at one still
        self._received = b""
        self._alone_since = time.monotonic()
        self._is_unattended = False
        self._is_closed = False
        self._number = 0
        self._waiting: list[_Waiting] = []
        self._sent = 0  # the number of the last event that this worker was sent
        self._replies: deque[bytes] = deque(maxlen=100)
        self._partial = memoryview(b"")
        self._phase = self._progress = b""  # where the training is, or its set-up
        self._tells_where = self._told_phase = False  # this worker: is to be told; has been told, by the event itself
        self._has_left = False
        os.register_at_fork(after_in_child=self._leave_in_child)

    def start(self) -> None:
        """Take workers from now on, in a daemon thread."""
        threading.Thread(target=self._serve, name="epochal worker", daemon=True).start()

    def send(self, event: Event, *, may_drop: bool = False) -> None:
        """Tell the worker, whole lines alone. With `may_drop`, nobody hears it where that would have to wait."""
        kind = event["type"]
        with self._lock:
            if self._is_closed:
                return
            if may_drop:
                line = _line(event)
                self._progress = line
                if self._worker and not self._has_more:
                    self._partial = memoryview(line)
            else:
                self._keep(event)
                if kind == "phase":
                    self._phase, self._progress = _line(event), b""
                elif kind in ("setUpProgress", "ready"):
                    self._progress = b""  # The set-up is over, or this part of it: that waits for whoever comes.
                elif kind in _LAST_WORDS:
                    self._phase = self._progress = b""  # Who comes late hears of an end last.
                self._number += 1
                self._waiting.append(_Waiting(self._number, kind, _line({**event, "seq": self._number})))
                self._drop_oldest()
            self._write()
            if self._has_more:
                self._wake()
        if kind in _LAST_WORDS:
            self._linger()

    def _keep(self, event: Event) -> None:
        if event["type"] in _KEPT or event.get("command") == "stop":
            line = _line({"session": self._address.session, "at": now(), "event": event})
            try:
                with open(self._address.events, "ab") as file:
                    file.write(line)
            except OSError as error:
                log(f"an event could not be written into the run folder: {error}")

    def _drop_oldest(self) -> None:
        if len(self._waiting) > _MOST_WAITING:
            index = next((index for index, one in enumerate(self._waiting) if one.kind in _DROPPABLE), 0)
            del self._waiting[index]

    # Writing; who calls holds the lock, but for `_linger`.

    def _next(self) -> _Waiting | None:
        if not self._waiting or self._waiting[-1].number <= self._sent:
            return None
        return next(one for one in self._waiting if one.number > self._sent)

    @property
    def _has_more(self) -> bool:
        return self._worker is not None and bool(self._partial or self._tells_where or self._replies or self._next())

    def _write(self) -> None:
        """As much as can be written without waiting."""
        while self._worker is not None:
            if not self._partial:
                waiting = self._next()
                if waiting:
                    self._partial, self._sent = memoryview(waiting.line), waiting.number
                    self._told_phase = self._told_phase or waiting.kind == "phase"
                elif self._tells_where:
                    phase = b"" if self._told_phase else self._phase
                    self._partial, self._tells_where = memoryview(phase + self._progress), False
                elif self._replies:
                    self._partial = memoryview(self._replies.popleft())
                else:
                    return
            try:
                self._partial = self._partial[self._worker.send(self._partial) :]
            except BlockingIOError:
                return
            except OSError:
                self._drop()

    def _linger(self) -> None:
        """Nothing is said after this, and the process ends: the thread that writes is given a moment."""
        end = time.monotonic() + _LAST_WORDS_SECONDS
        self._met.wait(_LAST_WORDS_SECONDS)
        while time.monotonic() < end:
            with self._lock:
                if not self._has_more:
                    return
            time.sleep(0.005)

    def _wake(self) -> None:
        with suppress(OSError):
            self._waker.send(b"\0")

    def _drop(self) -> None:
        if self._worker is not None:
            self._gone.append(self._worker)
            self._worker, self._alone_since = None, time.monotonic()
            self._has_left = True
            self._wake()

    # The thread that takes workers and reads what they say.

    def _serve(self) -> None:
        while True:
            with self._lock:
                if self._is_closed:
                    return
                while self._gone:
                    self._gone.pop().close()
                worker, has_more = self._worker, self._has_more
            poll = select.poll()
            poll.register(self._listener, select.POLLIN)
            poll.register(self._woken, select.POLLIN)
            if worker is not None:
                poll.register(worker, select.POLLIN | (select.POLLOUT if has_more else 0))
            ready = dict(poll.poll(self._patience()))
            if self._woken.fileno() in ready:
                self._woken.recv(4096)
            if worker is not None and worker.fileno() in ready:
                with self._lock:
                    self._write()
                self._read(worker)
            if self._listener.fileno() in ready:
                self._accept()
            self._look_for_worker()

    def _patience(self) -> float | None:
        """Milliseconds; None: until something happens."""
        with self._lock:
            if self._worker is not None or self._is_unattended:
                return None
            left = self._alone_since + self._address.reattach_seconds - time.monotonic()
        return max(left, 0) * 1000 + 1

    def _look_for_worker(self) -> None:
        with self._lock:
            has_left, self._has_left = self._has_left and self._worker is None, False
        if has_left:
            mend_output()
            self._on_left()
        with self._lock:
            alone = time.monotonic() - self._alone_since
            if self._worker is not None or self._is_unattended or alone < self._address.reattach_seconds:
                return
            self._is_unattended = True
        mend_output()  # Once more: of a process that dies, one end goes after the other.
        self._on_unattended()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # It went before it was taken.
        connection.setblocking(False)
        with self._lock:
            self._drop()
            self._worker, self._received = connection, b""
            # What was not acknowledged is sent again, and then where the training is.
            self._sent, self._partial = 0, memoryview(b"")
            self._replies.clear()
            self._tells_where, self._told_phase = True, False
            self._write()
        self._met.set()

    def _read(self, worker: socket.socket) -> None:
        try:
            received = worker.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            with self._lock:
                if self._worker is worker:
                    self._drop()
            return
        *lines, self._received = (self._received + received).split(b"\n")
        for line in lines:
            self._obey(line)

    def _obey(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            command = json.loads(line)
            if isinstance(command, dict) and command.get("type") == "received":
                self._forget(int(command["through"]))
                return
            known = isinstance(command, dict) and self._on_command(command)
        except (ValueError, KeyError, TypeError):
            known = False
        if known:
            self._acknowledge(command["type"])
        else:
            text = line[:1000].decode(errors="replace")
            self.send({"type": "note", "message": f"a command is not in the protocol, and was ignored: {text}"})

    def _acknowledge(self, command: str) -> None:
        event = {"type": "acknowledged", "command": command}
        with self._lock:
            self._keep(event)
            self._replies.append(_line(event))
            self._write()

    def _forget(self, through: int) -> None:
        with self._lock:
            self._waiting = [one for one in self._waiting if one.number > through]

    def _leave_in_child(self) -> None:
        """A forked child is no trainer: it must neither speak for it nor keep its sockets open."""
        self._is_closed = True
        for end in (self._listener, self._waker, self._woken, self._worker, *self._gone):
            if end is not None:
                end.close()
        self._lock = threading.Lock()


def _line(event: Event) -> bytes:
    return json.dumps(event, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _listen(path: str) -> socket.socket:
    with suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    listener.listen()
    listener.setblocking(False)
    return listener
