"""A training of several processes: it ends as one, and leaves nothing in the folder for temporary files."""

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

epochal.main(trainer)
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


EXCHANGE = """
import json, os, threading, time
import epochal

trainer = epochal.Trainer(name="two", title="", description="", metrics=[epochal.Metric("m", "")], best=("m", "min"),
                          processes=lambda parameters: 2)

def join(app):
    folder = os.path.join(app.get_synced_data_dir(), "..", "exchange")
    os.makedirs(folder, exist_ok=True)
    turns = iter(range(10**9))
    def gather(own):
        turn = next(turns)
        paths = [os.path.join(folder, f"{{turn}}-{{rank}}") for rank in range(2)]
        with open(paths[app.ranks.rank] + ".tmp", "w") as file:
            json.dump(own, file)
        os.rename(file.name, paths[app.ranks.rank])
        while not all(map(os.path.exists, paths)):
            time.sleep(0.002)
        return [json.load(open(path)) for path in paths]
    app.ranks.connect(lambda numbers: [max(pair) for pair in zip(*gather(list(numbers)))], gather)

@trainer.train
def train(app):
    join(app)
    app.state(save=lambda folder: (folder / "w").touch(), load=lambda folder: None)
    for epoch in app.epochs():
        for batch in app.batches(range(3)):
            time.sleep(0.01)
        if app.ranks.rank == {rank} and epoch == 2:
            {act}
        app.end_epoch({{"m": 0}})

epochal.main(trainer)
"""


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(
    "act", ["app.end_early('enough')", "one = threading.Thread(target=app.stop); one.start(); one.join()"]
)
def test_one_ends_early_for_all(start: Start, rank: int, act: str) -> None:
    """By itself: that is not a stop from outside, whichever process decides it."""
    trainer = start(EXCHANGE.format(rank=rank, act=act), epochs=5)
    assert trainer.end() == 0, trainer.account()
    (event,) = trainer.of("endedEarly")
    by_call = "end_early" in act
    reason = (
        "enough" if by_call else "app.stop() was called" if rank == 0 else "another process of the training ended it"
    )
    assert event == {"type": "endedEarly", "epoch": 2, "reason": reason}
    assert trainer.stopped == (2, 0)
    assert trainer.events[-1]["finished"] is True


def test_a_stop_of_several_is_no_early_end(start: Start, temporary: Path) -> None:
    go = temporary / "go"
    waits = f"app.note('asked')\n            while not os.path.exists({str(go)!r}): time.sleep(0.01)"
    trainer = start(EXCHANGE.format(rank=0, act=waits), epochs=5)
    trainer.wait_for("note")
    trainer.stop("batch")
    trainer.wait_for("acknowledged", command="stop")
    go.touch()
    assert trainer.end() == 0, trainer.account()
    assert not trainer.of("endedEarly")
    assert trainer.events[-1]["finished"] is False
