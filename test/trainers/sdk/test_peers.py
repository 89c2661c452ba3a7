"""A training of several processes leaves nothing in the folder for temporary files, however it ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Start

SCRIPT = """
import time
import epochal

trainer = epochal.Trainer(name="two", title="", description="", metrics=[epochal.Metric("m", "")], best=("m", "min"),
                          processes=lambda parameters: 2)

@trainer.train
def train(app):
    if app.ranks.rank == 1 and {fails}:
        raise MemoryError("on the other")
    app.note("here")
    time.sleep(3600)

trainer.main()
"""


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """An empty folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def test_the_failure_of_another(start: Start, temporary: Path) -> None:
    trainer = start(SCRIPT.format(fails=True), environment={"TMPDIR": str(temporary)})
    assert trainer.end() == 1
    assert "on the other" in trainer.failed["message"]
    assert list(temporary.iterdir()) == []
    assert list(trainer.folder.glob("ranks-*")) == []


def test_a_kill(start: Start, temporary: Path) -> None:
    trainer = start(SCRIPT.format(fails=False), environment={"TMPDIR": str(temporary)})
    trainer.wait_for("note")
    os.kill(trainer.process.pid, signal.SIGKILL)
    assert trainer.end() == -9
    assert list(temporary.iterdir()) == []
