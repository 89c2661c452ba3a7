"""How the counting trainer fails: in every way that a training can, at a place that was named."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import Literal, NoReturn

import epochal

FailKind = Literal[
    "error",
    "oom",
    "eat_memory",
    "nan",
    "data",
    "gpu",
    "kill",
    "hang",
    "exit",
    "protocol",
    "unknown_event",
    "native_print",
    "infinite",
    "save",
    "save_hang",
    "disk_full",
]


def wait_for_landing(run_folder: Path) -> None:
    """Until no checkpoint is on its way any more, and no snapshot."""
    for folder in (run_folder / "checkpoints", run_folder / "snapshots"):
        while folder.exists() and any(path.name.startswith(".") for path in folder.iterdir()):
            time.sleep(0.001)


def print_noise(where: str) -> None:
    """Everything that a native library may do to stdout and stderr."""
    print(f'{{"type":"stopped","epoch":99,"batch":{len(where)}}}')
    os.write(1, b"no newline at the end \xff\x00")
    libc = ctypes.CDLL(None)
    libc.printf(b"printf in %s\n", where.encode())
    libc.fflush(None)
    print("to stderr", file=sys.stderr)


class Failing:
    """Fails where it was asked to, as often as it was asked to, also over several processes."""

    def __init__(self, app: epochal.Application, kind: FailKind, where: str, times: int, marker: str) -> None:
        """`times`: 0 is every time; `marker`: the folder that counts the failures, empty for the run folder."""
        self._app = app
        self._kind: FailKind = kind
        self._where = where
        self._times = times
        self._fails_in_save = False
        self._run_folder = Path(app.get_synced_data_dir()).parent
        self._marker = Path(marker or self._run_folder) / "counter-failures"

    def at(self, where: str) -> None:
        """Fail, if this is the place and it did not fail often enough."""
        if where != self._where:
            return
        failures = self._marker.stat().st_size if self._marker.exists() else 0
        if self._times and failures >= self._times:
            return
        with open(self._marker, "ab") as file:
            file.write(b"x")
            os.fsync(file.fileno())
        if self._kind in ("kill", "exit", "eat_memory", "protocol"):
            # A sudden end takes a checkpoint with it that has not landed yet: which one is not left to chance.
            # Its events may be lost all the same; what a session left is read from its folder.
            wait_for_landing(self._run_folder)
        fail(self._kind, self._app)
        self._fails_in_save = self._kind in ("save", "save_hang", "disk_full")

    def in_save(self) -> None:
        """Fail within the next save, if that is how."""
        if self._fails_in_save:
            if self._kind == "disk_full":
                raise OSError(28, "No space left on device", "weights.json")
            if self._kind == "save_hang":
                hang()
            raise RuntimeError("asked to fail while saving")


def hang() -> NoReturn:
    """For ever, whatever it is told."""
    while True:
        time.sleep(3600)


def tell(app: epochal.Application, line: bytes) -> None:
    """What no trainer on the SDK would tell its worker."""
    app._sink._worker.sendall(line)  # type: ignore[attr-defined]


def fail(kind: FailKind, app: epochal.Application) -> None:
    """Fail in the way that has this name."""
    if kind == "error":
        raise RuntimeError("asked to fail")
    if kind == "oom":
        raise MemoryError("asked to run out of memory")
    if kind == "eat_memory":
        eaten = [bytearray(b"x" * (64 << 20)) for _ in range(64)]
        raise RuntimeError(f"{len(eaten)} pieces of 64 MiB, and nobody minds")
    if kind == "nan":
        app.log({"loss": float("nan")})
    if kind == "infinite":
        app.log({"loss": float("inf")})
    if kind == "data":
        raise epochal.DataError("asked to find the data set broken")
    if kind == "gpu":
        raise epochal.GpuMissing("asked to find no GPU")
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "hang":
        hang()
    if kind == "exit":
        os._exit(3)
    if kind == "protocol":
        tell(app, b"this is not JSON\n")
    if kind == "unknown_event":
        tell(app, b'{"type":"snapshot","of":"a later version"}\n')
    if kind == "native_print":
        print_noise("failure")
