"""What the tests of the heavy trainers start in place of a process is one, in what they rely on."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from warm_start import WarmStart

SCRIPT = """
import json, os, random, sys
import numpy
print(json.dumps([os.getpid(), os.getsid(0), os.environ["MINE"], sys.argv[1:], random.random(), numpy.random.random()]))
sys.exit(7)
"""


def test_a_fork_is_a_process_of_its_own(tmp_path: Path) -> None:
    """No two have random numbers in common that nobody seeded, and each leads its group as soon as it is known."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    warm = WarmStart(["numpy.random"], dict(os.environ))
    told = []
    for mine in ("1", "2"):
        with open(tmp_path / mine, "wb") as log:
            process = warm.start(script, {**os.environ, "MINE": mine}, log)
        try:
            assert os.getsid(process.pid) == process.pid
        except ProcessLookupError:
            pass  # It has ended already.
        assert process.wait(60) == 7
        pid, leader, environment, argv, *numbers = json.loads((tmp_path / mine).read_text())
        assert (pid, leader, environment, argv) == (process.pid, process.pid, mine, ["train"])
        told.append(numbers)
    for first, second in zip(*told, strict=True):
        assert first != second
