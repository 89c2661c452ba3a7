"""The parent of a trainer, which outlives the worker: sees how the trainer ends, and ends one that nobody else can.

    python -I -S -B worker/supervisor < launch.json
    python -I -S -B worker/supervisor launch.json

Standard input, or the file, is one JSON object (`Launch` below). One line of JSON on standard output answers it: the
trainer's `pid` and `startTicks`, or an `error` with its `code`. From then on workers speak to it on its socket, one at a
time, the newest wins: each hears `{"pid", "startTicks"}` and, as soon as there is one, `{"exit": {…}}`, which is also in
the run folder's `exit.json`; and it says `over` once it has seen the end of the session and nothing of it is left.

In a container it is the first process: no other one can end it, and when it ends, so does all that the trainer started.
A worker, which sees no process of the container, has it signal (`signal SIGTERM trainer`, `signal SIGKILL group`) and, once
the trainer has ended, `clear` what that left.

The end of a connection without that word means that the worker is lost. From then on the trainer has
`reattachSeconds` for another worker to come and `stopSeconds` to save and end, and `terminateSeconds` after SIGTERM;
then its process group and all that left the group are killed. A hung trainer needs nobody else for it.
"""

from __future__ import annotations

import datetime
import errno
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any, TypedDict

from oom_kills import RecentOomKills
from processes import ORPHAN_SECONDS, TrainerProcesses, adopt_orphans, reaches, start_ticks, until

NAMES_SHOWN = 5
LOOK_SECONDS = 2.0


class LaunchOptions(TypedDict, total=False):
    """What may be left out."""

    #: The trainer has the environment of this process, too.
    inherits: bool


class Launch(LaunchOptions):
    """What to start, and whose it is."""

    session: str
    command: list[str]
    environment: dict[str, str]
    cwd: str
    log: str
    #: The run folder, and files in it.
    folder: str
    events: str
    socket: str
    #: What `process.json` has besides.
    about: dict[str, Any]
    reattachSeconds: float
    stopSeconds: float
    terminateSeconds: float


class Supervisor:
    """One trainer, from its start to the end of all that it started."""

    def __init__(self, launch: Launch) -> None:
        """Raises `OSError` when the socket or the trainer cannot be made."""
        self._launch = launch
        self._selector = selectors.DefaultSelector()
        self._listener = _listen(launch["socket"])
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._worker: socket.socket | None = None
        self._heard = b""
        self._lost_since = time.monotonic()
        self._is_over = False
        self._was_terminated = False
        self._had_to_end_it = False
        self._exit: dict[str, Any] | None = None
        self._oom_kills = RecentOomKills()
        self._oom_kills.count()
        self._wake_on_children()
        self._child = _start(launch)  # Held: an object that goes would wait for it.
        self._trainer = TrainerProcesses(launch["session"], self._child.pid)
        supervisor = {"pid": os.getpid(), "startTicks": start_ticks(os.getpid())}
        about = {"session": launch["session"], **self.started, "supervisor": supervisor, **launch["about"]}
        try:
            _write(launch["folder"], "process.json", about)
        except OSError:
            self._trainer.end_all(self._reap)  # No worker would find it.
            raise

    @property
    def started(self) -> dict[str, Any]:
        """For whoever asked for the trainer."""
        return {"pid": self._trainer.pid, "startTicks": self._trainer.start_ticks}

    def run(self) -> None:
        """Until nothing is left of the trainer, or a worker says that it has seen to it."""
        while not self._is_over:
            ready = [key.fileobj for key, _ in self._selector.select(LOOK_SECONDS)]
            if self._woken in ready:
                self._woken.recv(4096)
            # Before another one is taken, whose place it would have: it may have said that all is over.
            if self._worker is not None and self._worker in ready:
                self._hear()
            if self._listener in ready:
                self._accept()
            self._reap()
            self._oom_kills.count()
            if self._worker is None:
                self._act_alone()
        with suppress(OSError):
            os.unlink(self._launch["socket"])

    def _wake_on_children(self) -> None:
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        # A batch system tells every process of a job to go: this one goes last. It has handlers, for a trainer would
        # inherit what is ignored.
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, lambda _number, _frame: None)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # It went before it was taken.
        self._drop()
        connection.setblocking(False)
        self._worker, self._heard = connection, b""
        self._selector.register(connection, selectors.EVENT_READ)
        self._tell(self.started)
        if self._exit:
            self._tell({"exit": self._exit})

    def _hear(self) -> None:
        assert self._worker is not None
        try:
            received = self._worker.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        *lines, self._heard = (self._heard + received).split(b"\n")
        self._is_over = b"over" in lines
        for line in lines:
            self._obey(line.decode(errors="replace").split())
        if not received:
            self._drop()

    def _obey(self, words: list[str]) -> None:
        """What a worker asks that cannot do it itself."""
        if words == ["clear"] and self._exit:
            until(self._is_empty, ORPHAN_SECONDS)
            self._end_all()
        if len(words) != 3 or words[0] != "signal" or words[1] not in signal.Signals.__members__:
            return
        number = signal.Signals[words[1]]
        if words[2] == "trainer" and not self._exit:
            reaches(os.kill, self._trainer.pid, number)
        elif words[2] == "group":
            self._trainer.signal_group(number)

    def _tell(self, message: dict[str, Any]) -> None:
        if self._worker is None:
            return
        try:
            self._worker.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self._drop()

    def _drop(self) -> None:
        if self._worker is not None:
            self._selector.unregister(self._worker)
            self._worker.close()
            self._worker, self._lost_since = None, time.monotonic()

    def _reap(self) -> None:
        """Take note of the trainer's end, and of that of orphans, which nobody waits for."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._trainer.pid:
                self._note_exit(os.waitstatus_to_exitcode(status))

    def _note_exit(self, code: int) -> None:
        was_killed = code in (-signal.SIGKILL, 128 + signal.SIGKILL)
        kills = self._oom_kills.count()
        self._exit = {
            "code": code if code >= 0 else None,
            "signal": _name(-code) if code < 0 else None,
            "outOfMemory": None if kills is None else was_killed and kills > 0,
            "unattended": self._had_to_end_it,
        }
        # Where the run has landed meanwhile, its folder is not made again.
        with suppress(OSError):
            _write(self._launch["folder"], "exit.json", {"session": self._launch["session"], **self._exit})
        self._tell({"exit": self._exit})

    def _act_alone(self) -> None:
        """No worker is there."""
        if self._exit:
            until(self._is_empty, ORPHAN_SECONDS)
            self._end_all()
            return
        alone = time.monotonic() - self._lost_since
        limit = self._launch["reattachSeconds"] + self._launch["stopSeconds"]
        if alone > limit and not self._was_terminated:
            self._was_terminated = self._had_to_end_it = True
            self._trainer.signal_group(signal.SIGTERM)
        if alone > limit + self._launch["terminateSeconds"]:
            self._end_all()

    def _is_empty(self) -> bool:
        self._reap()
        return not self._trainer.group() and not self._trainer.escaped()

    def _end_all(self) -> None:
        names = self._trainer.end_all(self._reap)
        self._reap()
        if names:
            _tell_escaped(self._launch, names)
        self._is_over = True


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


def _start(launch: Launch) -> subprocess.Popen[bytes]:
    with open(launch["log"], "ab") as log:
        return subprocess.Popen(
            launch["command"],
            cwd=launch["cwd"],
            env={**(os.environ if launch.get("inherits") else {}), **launch["environment"]},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _name(number: int) -> str:
    """Of a signal; those for real time have none of their own."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _write(folder: str, name: str, content: dict[str, Any]) -> None:
    """In one step."""
    beside = os.path.join(folder, f"{name}.{os.getpid()}.tmp")
    try:
        with open(beside, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(beside, os.path.join(folder, name))
    except OSError:
        with suppress(OSError):
            os.unlink(beside)
        raise


def _tell_escaped(launch: Launch, names: list[str]) -> None:
    """A note for the receipt, as the worker would have kept it."""
    count = f"{len(names)} {'process' if len(names) == 1 else 'processes'}"
    shown = ", ".join(sorted(set(names))[:NAMES_SHOWN])
    message = f"ended {count} that had left the trainer's process group: {shown}"
    at = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = {"type": "note", "message": message}
    line = json.dumps({"session": launch["session"], "at": at, "event": event}) + "\n"
    try:
        # No folder, no note: the run has landed, and its folder must not be made again.
        descriptor = os.open(launch["events"], os.O_WRONLY | os.O_APPEND)
    except OSError:
        return
    with open(descriptor, "a", encoding="utf-8") as file:
        file.write(line)


def _read_launch() -> bytes:
    if len(sys.argv) < 2:
        return sys.stdin.buffer.read()
    with open(sys.argv[1], "rb") as file:
        return file.read()


def main() -> None:
    """Start the trainer, say so, and stay for as long as there is something of it."""
    launch: Launch = json.loads(_read_launch())
    adopt_orphans()
    try:
        supervisor = Supervisor(launch)
    except OSError as error:
        print(json.dumps({"error": f"{error}", "code": errno.errorcode.get(error.errno or 0)}), flush=True)
        sys.exit(1)
    print(json.dumps(supervisor.started), flush=True)
    # Whoever started this may end without it: nothing of that is kept open.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    supervisor.run()


if __name__ == "__main__":
    main()
