"""Starts trainers in forks of a process that has imported their framework.

To import torch takes two seconds of a core, Lightning six, and the tests of a trainer start it some fifty times. A fork
is a process as any other is: a session, a group and files of its own, its own environment, and the trainer's file as
its main module. What it shares with other forks is what importing the framework left behind, and the seed of `hash`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any


class WarmStart:
    """The process that has imported `modules`. It ends when its input does: with the tests, however they end."""

    def __init__(self, modules: Sequence[str], environment: dict[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="epochal-")
        self._address = str(Path(self._folder.name) / "warm")
        self._process = subprocess.Popen(
            [sys.executable, __file__, self._address, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ready\n", f"{modules} could not be imported"

    def start(self, script: Path, environment: dict[str, str], log: IO[bytes]) -> WarmProcess:
        """Start a trainer with its output in `log`."""
        request = {"argv": [str(script), "train"], "environment": environment, "folder": os.getcwd()}
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(self._address)
        socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], [log.fileno()])
        return WarmProcess(connection, request["argv"])


class WarmProcess:
    """A trainer that was started in this way, with what the tests use of `subprocess.Popen`."""

    def __init__(self, connection: socket.socket, args: list[str]) -> None:
        self._connection = connection
        self._answers = connection.makefile("rb")
        self.args = args
        self.pid = int(self._answers.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, minus the signal's number where one ended it; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended; `subprocess.TimeoutExpired` after `timeout` seconds."""
        if self.returncode is None:
            with selectors.DefaultSelector() as ends:
                ends.register(self._connection, selectors.EVENT_READ)
                if not ends.select(timeout):
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = int(self._answers.readline())
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing happens to one that has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)


def _request(connection: socket.socket) -> tuple[dict[str, Any], int]:
    text, files, _, _ = socket.recv_fds(connection, 1 << 16, 1)
    while not text.endswith(b"\n"):
        text += connection.recv(1 << 16)
    return json.loads(text), files[0]


def _serve(address: str) -> tuple[dict[str, Any], int] | None:
    """Fork for each request; returns it in the fork, and None in this process when its input ends."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen()
    events = selectors.DefaultSelector()
    events.register(listener, selectors.EVENT_READ)
    events.register(sys.stdin.fileno(), selectors.EVENT_READ)
    #: By the descriptor that tells of a fork's end.
    forks: dict[int, tuple[int, socket.socket]] = {}
    print("ready", flush=True)
    while True:
        for key, _ in events.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                request, log = _request(connection)
                process = os.fork()
                if process == 0:
                    events.close()
                    for end, (_, asker) in forks.items():
                        os.close(end)
                        asker.close()
                    # Whoever hears of it may signal its group at once.
                    os.setsid()
                    connection.sendall(b"%d\n" % os.getpid())
                    connection.close()
                    listener.close()
                    return request, log
                os.close(log)
                end = os.pidfd_open(process)
                forks[end] = process, connection
                events.register(end, selectors.EVENT_READ)
            elif key.fd in forks:
                events.unregister(key.fd)
                process, connection = forks.pop(key.fd)
                os.close(key.fd)
                code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                try:
                    connection.sendall(b"%d\n" % code)
                except OSError:
                    pass  # Nobody wants to know.
                connection.close()
            else:
                return None


def _become(request: dict[str, Any], log: int) -> types.CodeType:
    """What the operating system and Python do when a script is started."""
    os.chdir(request["folder"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    os.environ.clear()
    os.environ.update(request["environment"])
    # As Python's own begin anew in a fork: else what nobody has seeded would be the same in all, and look repeatable.
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
    sys.argv = request["argv"]
    script = sys.argv[0]
    sys.path[0] = str(Path(script).parent)
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=script, __builtins__=__builtins__)
    sys.modules["__main__"] = main
    return compile(Path(script).read_bytes(), script, "exec")


if __name__ == "__main__":
    for module in sys.argv[2:]:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # so that no fork copies all of it
    if asked := _serve(sys.argv[1]):
        code = _become(*asked)
        exec(code, sys.modules["__main__"].__dict__)
