"""Starts the other processes of a training, as torchrun does, and does not let one live or die alone.

The process that the worker started is rank 0. The others are its children in the same process group, with torchrun's
environment variables, so a training runs under torchrun just as well. Their death is found here; theirs when rank 0
dies, by the end of the pipe on their stdin.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epochal.channel import log
from epochal.errors import SetUpError
from epochal.protocol import Event
from epochal.session import Session, read_session

if TYPE_CHECKING:
    from epochal.trainer import Trainer

_FAILURES = "EPOCHAL_RANK_FAILURES"
_SECONDS_TO_FOLLOW = 20.0


def is_one_of_several() -> bool:
    """Whether somebody has started this process as one of several already."""
    return "RANK" in os.environ


def start_peers(trainer: Trainer, session: Session | None) -> Peers | None:
    """The other processes of this training, where its parameters ask for several and nobody has started them yet.

    `session` is that of a run by hand; None: the worker's. What is wrong with it is reported by the `Application`.
    """
    if is_one_of_several():
        return None
    try:
        asked = session or read_session()
        count = trainer.processes(trainer.parsed_parameters(asked.parameters))
    except SetUpError:
        return None
    if count == 1:
        return None
    file = asked.folder / "session.json"
    if session:
        file.write_text(session.model_dump_json(by_alias=True))
    return Peers(count, file)


def is_of_another(error: BaseException) -> bool:
    """Whether an error only says that another process of the training is gone."""
    signs = ("gloo", "nccl", "connection closed by peer", "connection reset by peer", "processgroup", "broken pipe")
    return isinstance(error, (RuntimeError, OSError)) and any(sign in str(error).lower() for sign in signs)


class Peers:
    """The children of rank 0."""

    def __init__(self, count: int, session_file: Path) -> None:
        """Starts ranks 1 … count - 1, and makes this process rank 0. `session_file` is what they read."""
        # In the run folder, which goes when the run is over: nobody else would find it after a kill.
        self._failures = Path(tempfile.mkdtemp(prefix="ranks-", dir=session_file.parent))
        shared = {
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(_free_port()),
            "EPOCHAL_SESSION": str(session_file),
            _FAILURES: str(self._failures),
        }
        os.environ.update(shared, RANK="0", LOCAL_RANK="0")
        self._ending = False
        self._children = [self._start(rank, shared) for rank in range(1, count)]

    def watch(self, on_death: Any) -> None:
        """Call `on_death(event)`, in a thread of its own, when a child ends before rank 0 is about to."""
        threading.Thread(target=self._watch, args=(on_death,), name="epochal peers", daemon=True).start()

    def first_failure(self) -> Event | None:
        """Why the first of the others failed, where one did: rank 0 then only noticed that it was gone."""
        end = time.monotonic() + 3
        while not (events := self._failed()) and any(child.poll() not in (None, 0) for child in self._children):
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        return events[0] if events else None

    def end(self) -> None:
        """Wait for the others, which end at the same batch; kill whoever does not."""
        self._ending = True
        limit = time.monotonic() + _SECONDS_TO_FOLLOW
        for child in self._children:
            try:
                child.wait(max(limit - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._forget()

    def kill(self) -> None:
        """End the others now."""
        self._ending = True
        for child in self._children:
            child.kill()
        for child in self._children:
            child.wait()
        self._forget()

    def _forget(self) -> None:
        shutil.rmtree(self._failures, ignore_errors=True)

    def _start(self, rank: int, shared: dict[str, str]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        command = [sys.executable, sys.argv[0], "train"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)

    def _failed(self) -> list[Event]:
        files = sorted(self._failures.glob("rank-*.json"), key=lambda file: file.stat().st_mtime_ns)
        return [json.loads(file.read_bytes()) for file in files]

    def _watch(self, on_death: Any) -> None:
        while not self._ending:
            for rank, child in enumerate(self._children, start=1):
                if child.poll() not in (None, 0) and not self._ending:
                    time.sleep(1.0)  # Rank 0 sees its own part of the same trouble first, where it can.
                    code = child.returncode
                    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
                    message = f"process {rank} of the training {how}"
                    event = {"type": "failed", "kind": "trainerError", "message": message, "traceback": ""}
                    on_death(self.first_failure() or event)
                    return
            time.sleep(0.2)


def tell_failure(rank: int, event: Event) -> None:
    """Leave word for rank 0 of why this process fails."""
    folder = os.environ.get(_FAILURES)
    if rank and folder:
        beside = Path(folder, f".rank-{rank}")
        beside.write_text(json.dumps(event))
        beside.rename(Path(folder, f"rank-{rank}.json"))


def follow_rank_0() -> None:
    """In the others: end with rank 0, however it ends. It holds the other end of our stdin."""

    def follow() -> None:
        while os.read(0, 1024):
            pass
        log("rank 0 is gone: this process ends")
        os._exit(1)

    if os.environ.get(_FAILURES):
        threading.Thread(target=follow, name="epochal rank 0", daemon=True).start()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
