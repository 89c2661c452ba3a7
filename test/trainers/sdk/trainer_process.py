"""The worker's side of the protocol, for tests: a real trainer process on a real socket."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol

from contract import check_event, check_manifest

REPOSITORY = Path(__file__).parents[3]
#: Generous: the machine may be slow and busy. Nothing waits for this long unless it hangs.
LIMIT = 180.0

Event = dict[str, Any]
#: Of a trainer whose worker is to die: longer than a busy machine takes to connect to it at all.
SOON = 2.0

_sessions = iter(range(10**9))

#: Where trainers find the SDK.
PYTHON_PATH = str(REPOSITORY / "trainers" / "epochal")


class Process(Protocol):
    """What the tests use of a process."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def terminate(self) -> None: ...


#: Starts a trainer's file with this environment and its output in this file.
Launch = Callable[[Path, dict[str, str], IO[bytes]], Process]


def cold_start(script: Path, environment: dict[str, str], log: IO[bytes]) -> Process:
    """As a worker does."""
    return subprocess.Popen(
        [sys.executable, str(script), "train"],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=environment,
        start_new_session=True,
    )


class TrainerProcess:
    """Starts a trainer, speaks to it, and checks every event against the contract."""

    def __init__(
        self,
        script: Path,
        folder: Path,
        *,
        grant: int | None = 1_000_000,
        garbage_is_expected: bool = False,
        environment: dict[str, str] | None = None,
        launch: Launch = cold_start,
        **session: Any,
    ) -> None:
        """`grant` epochs are granted at once; None: none. `session` overrides fields of session.json."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "logs").mkdir(exist_ok=True)
        self.folder = folder
        self.events: list[Event] = []
        self.garbage: list[bytes] = []
        #: Of the events that have one, in the order in which they came.
        self.numbers: list[int] = []
        #: Whether it tells the trainer what it has heard.
        self.acknowledges = True
        self._garbage_is_expected = garbage_is_expected
        self._changed = threading.Condition()
        self._closed = False
        self.session = {
            "protocol": 1,
            "run": "run",
            "session": f"session-{next(_sessions)}",
            "runFolder": str(folder),
            "epochs": 3,
            "endsAfter": None,
            "parameters": {},
            "data": None,
            "seed": 7,
            "everyBatches": 0,
            "resumeFrom": None,
            "keepProgress": True,
            "batchDivisor": 1,
            # Short, whatever the folder is called.
            "socket": os.path.join(tempfile.mkdtemp(prefix="epochal-"), "trainer"),
            "reattachSeconds": LIMIT,
            **session,
        }
        (folder / "session.json").write_text(json.dumps(self.session))
        self.log_path = folder / "logs" / "trainer.log"
        self._log = open(self.log_path, "ab")  # noqa: SIM115  (closed when the process has ended)
        self.process = launch(
            script,
            {
                **os.environ,
                "EPOCHAL_SESSION": str(folder / "session.json"),
                "PYTHONPATH": PYTHON_PATH,
                **(environment or {}),
            },
            self._log,
        )
        self._worker: socket.socket | None = None
        self._reader = threading.Thread(target=lambda: None)
        self.connect()
        if grant is not None:
            self.grant(grant)

    def grant(self, through: int) -> None:
        """May train through this epoch."""
        self.send({"type": "grant", "through": through})

    def stop(self, mode: str = "batch") -> None:
        """Ask for the end."""
        self.send({"type": "stop", "mode": mode})

    def send(self, command: Event | bytes) -> None:
        """Write a command; a trainer that is gone does not mind."""
        line = command if isinstance(command, bytes) else json.dumps(command).encode()
        self.write(line + b"\n")

    def write(self, text: bytes) -> None:
        """Bytes, which need not be a whole line."""
        try:
            if self._worker:
                self._worker.sendall(text)
        except OSError:
            pass

    def connect(self) -> None:
        """Be a worker that comes, and hears what the trainer says from now on."""
        end = time.monotonic() + LIMIT
        while True:
            worker = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                worker.connect(self.session["socket"])
                break
            except (FileNotFoundError, ConnectionRefusedError):
                worker.close()
                if self.process.poll() is not None:
                    break  # It ended before it listened: what it would have said is nothing.
                assert time.monotonic() < end, self.account()
                time.sleep(0.01)
        self._worker, self._closed = worker, False
        self._reader = threading.Thread(target=self._read, args=(worker,), daemon=True)
        self._reader.start()

    def die(self) -> None:
        """Be a worker that was killed."""
        if self._worker:
            with suppress(OSError):
                self._worker.shutdown(socket.SHUT_RDWR)
            self._reader.join(LIMIT)
            self._worker.close()
            self._worker = None

    def wait_for(self, what: str | Callable[[Event], bool], **fields: Any) -> Event:
        """The first event of this type with these fields; it may have come already."""

        def wanted(event: Event) -> bool:
            if callable(what):
                return what(event)
            return event["type"] == what and all(event.get(name) == value for name, value in fields.items())

        end = time.monotonic() + LIMIT
        with self._changed:
            while True:
                for event in self.events:
                    if wanted(event):
                        return event
                left = end - time.monotonic()
                assert left > 0, f"{what} {fields} did not come in time; {self.account()}"
                assert not self._closed, f"{what} {fields} never came; {self.account()}"
                self._changed.wait(left)

    def end(self) -> int:
        """The exit code, after all events were read; minus the signal's number where one ended it."""
        try:
            code = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the trainer did not end; {self.account()}") from None
        self._reader.join(LIMIT)
        self._log.close()
        return code

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        self._log.close()
        self.die()
        shutil.rmtree(Path(self.session["socket"]).parent, ignore_errors=True)

    def of(self, kind: str) -> list[Event]:
        """All events of a type so far."""
        with self._changed:
            return [event for event in self.events if event["type"] == kind]

    @property
    def stopped(self) -> tuple[int, int]:
        """Position of the `stopped` event, of which there is exactly one, and it is the last event."""
        assert [event["type"] for event in self.events].count("stopped") == 1, self.account()
        last = self.events[-1]
        assert last["type"] == "stopped", self.account()
        return last["epoch"], last["batch"]

    @property
    def failed(self) -> Event:
        """The `failed` event, of which there is exactly one, and no `stopped`."""
        assert not self.of("stopped"), self.account()
        (event,) = self.of("failed")
        return event

    @property
    def log(self) -> str:
        """What it wrote to stdout and stderr."""
        return self.log_path.read_bytes().decode(errors="replace")

    @property
    def checkpoints(self) -> list[str]:
        """Names of the whole checkpoints on the disk, each verified; no half-written one may be there."""
        names = sorted(path.name for path in (self.folder / "checkpoints").iterdir())
        assert not [name for name in names if name.startswith(".")], names
        for name in names:
            verify_checkpoint(self.folder / "checkpoints" / name)
        return names

    @property
    def last_checkpoint(self) -> str:
        """Path of the newest checkpoint, to resume from."""
        return str(self.folder / "checkpoints" / self.checkpoints[-1])

    def rows(self) -> list[Event]:
        """metrics.jsonl."""
        path = self.folder / "metrics.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def account(self) -> str:
        """What happened, for a failed test."""
        return f"events: {self.events[-8:]}; garbage: {self.garbage}; log: {self.log[-3000:]}"

    def _read(self, worker: socket.socket) -> None:
        pending = b""
        while received := _received(worker):
            *lines, pending = (pending + received).split(b"\n")
            with self._changed:
                for line in lines:
                    self._take(line)
                self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            number = event.pop("seq", None)
            check_event(event)
        except (ValueError, AssertionError) as error:
            self.garbage.append(line)
            if not self._garbage_is_expected:
                self.events.append({"type": "GARBAGE", "line": line, "error": str(error)})
            return
        if number is not None:
            assert number not in self.numbers, f"{event} was told twice"
            self.numbers.append(number)
            if self.acknowledges:
                self.send({"type": "received", "through": number})
        self.events.append(event)


def _received(worker: socket.socket) -> bytes:
    try:
        return worker.recv(65536)
    except OSError:
        return b""


def until(condition: Callable[[], object], account: Callable[[], str]) -> None:
    """Ask again and again until it holds."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, account()
        time.sleep(0.02)


def verify_checkpoint(folder: Path) -> dict[str, Any]:
    """Every file is there with its size and sha256, and no other; answers the manifest."""
    manifest = json.loads((folder / "checkpoint.json").read_text())
    check_manifest(manifest)
    assert manifest["name"] == folder.name
    for file in manifest["files"]:
        content = (folder / file["path"]).read_bytes()
        assert len(content) == file["size"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert present == {"checkpoint.json", *(file["path"] for file in manifest["files"])}
    return manifest


def weights(trainer: TrainerProcess, file: str = "weights.json", checkpoint: str = "epoch-0003") -> str:
    """sha256 of the weights of a checkpoint, by default of the last one of three epochs."""
    content = (trainer.folder / "checkpoints" / checkpoint / file).read_bytes()
    return hashlib.sha256(content).hexdigest()
