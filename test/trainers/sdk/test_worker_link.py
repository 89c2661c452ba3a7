"""Workers that come and go while a trainer trains: it goes on, and each of them hears what it has to."""

from __future__ import annotations

import json
import os
import select
import socket
import stat
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import Start
from epochal.worker_link import Address, WorkerLink
from trainer_process import LIMIT, SOON, Event, TrainerProcess, until, weights

_slow = {"batch_seconds": 0.05, "batches": 20}


def _kept(trainer: TrainerProcess) -> list[dict[str, Any]]:
    """What the trainer itself has put into its run folder."""
    lines = (trainer.folder / "logs" / "events.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    return [one["event"] for one in kept if one["session"] == trainer.session["session"]]


def test_its_socket_is_for_nobody_else(start: Start) -> None:
    trainer = start(grant=None)
    trainer.wait_for("ready")
    assert stat.S_IMODE(os.stat(trainer.session["socket"]).st_mode) == 0o600


def test_one_goes_and_the_next_one_comes(start: Start) -> None:
    trainer = start(parameters=_slow, grant=2, epochs=3)
    trainer.wait_for("batch")
    trainer.die()
    until(lambda: (trainer.folder / "checkpoints" / "epoch-0002").exists(), trainer.account)  # through its grant
    trainer.connect()
    trainer.grant(3)
    assert trainer.end() == 0
    assert trainer.stopped == (3, 0)
    assert [event["epoch"] for event in trainer.of("epoch")] == [1, 2, 3]
    undisturbed = start(folder=trainer.folder.parent / "reference", parameters={"batches": 20})
    assert undisturbed.end() == 0
    assert weights(trainer) == weights(undisturbed)


def test_what_was_not_acknowledged_is_sent_again_once(start: Start) -> None:
    trainer = start(grant=1, epochs=2)
    trainer.acknowledges = False
    trainer.wait_for("epoch", epoch=1)
    first = list(trainer.numbers)
    trainer.die()
    assert first == list(range(1, len(first) + 1))
    trainer.numbers.clear()
    trainer.events.clear()
    trainer.acknowledges = True
    trainer.connect()
    trainer.wait_for("epoch", epoch=1)
    began = trainer.numbers[0]  # the first words may have been acknowledged before that was switched off
    assert trainer.numbers[: len(first) - began + 1] == first[began - 1 :]
    trainer.send({"type": "checkpoint"})
    trainer.wait_for("acknowledged")  # and before that it has read what was acknowledged
    trainer.die()
    heard = list(trainer.numbers)
    trainer.connect()  # Another time would be noticed: no number is told twice.
    trainer.grant(2)
    assert trainer.end() == 0
    assert trainer.numbers == list(range(began, began + len(trainer.numbers)))
    assert len(trainer.numbers) > len(heard)


def test_who_comes_hears_where_the_training_is(start: Start) -> None:
    trainer = start(parameters={"batch_seconds": 0.2, "batches": 1000})
    trainer.wait_for("batch", batch=2)
    trainer.die()
    trainer.events.clear()
    trainer.connect()
    trainer.wait_for("batch")
    kinds = [event["type"] for event in trainer.events]
    assert kinds[:2] == ["phase", "batch"]
    assert trainer.events[0]["phase"] == "train"


def test_a_phase_that_was_not_acknowledged_is_told_once(tmp_path: Path) -> None:
    """Whoever comes hears where the training is; a phase that is sent again says so already."""
    path = os.path.join(tempfile.mkdtemp(prefix="epochal-"), "trainer")  # a short one
    address = Address("s", path, tmp_path / "events.jsonl", 60.0)
    link = WorkerLink(address, lambda _: True, lambda: None, lambda: None)
    link.send({"type": "phase", "phase": "train", "epoch": 1})
    link.send({"type": "note", "text": "here"})
    link.start()
    with socket.socket(socket.AF_UNIX) as worker:
        worker.connect(address.socket)
        worker.settimeout(LIMIT)
        told = worker.makefile("rb")
        assert [json.loads(told.readline())["type"] for _ in range(2)] == ["phase", "note"]
        link.send({"type": "phase", "phase": "validate", "epoch": 1})
        assert json.loads(told.readline())["phase"] == "validate"


def test_the_newest_wins(start: Start) -> None:
    trainer = start(parameters=_slow, grant=None, epochs=1)
    trainer.wait_for("ready")
    older = trainer._worker
    assert older is not None
    trainer.connect()
    assert older.recv(1) == b""
    older.close()
    trainer.grant(1)
    assert trainer.end() == 0
    assert trainer.stopped == (1, 0)
    assert not [event for event in trainer.events if event["type"] == "note"]


def test_one_goes_at_the_moment_it_is_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A batch is told, and finds nobody, just as the thread that listens turns to that worker."""
    (tmp_path / "logs").mkdir()
    path = os.path.join(tempfile.mkdtemp(prefix="epochal-"), "trainer")
    address = Address("s", path, tmp_path / "logs" / "events.jsonl", LIMIT)
    link = WorkerLink(address, lambda _: True, lambda: None, lambda: None)
    first = _connected(path)

    class Poll:
        def __init__(self) -> None:
            self._poll = real()
            self.poll = self._poll.poll

        def register(self, what: socket.socket, mask: int) -> None:
            if what is link._worker:
                first.close()
                until(lambda: link.send({"type": "phase", "phase": "train", "epoch": 1}) or link._worker is None, str)
            self._poll.register(what, mask)

    real = select.poll
    monkeypatch.setattr(select, "poll", Poll)
    link.start()
    until(lambda: link._worker is None and link._has_left is False and link._number > 0, str)
    monkeypatch.undo()
    second = _connected(path)
    assert b'"phase"' in second.recv(65536)
    second.close()


def _connected(path: str) -> socket.socket:
    worker = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    worker.settimeout(LIMIT)
    worker.connect(path)
    return worker


def test_half_a_command_is_none(start: Start) -> None:
    trainer = start(grant=None, epochs=1)
    trainer.wait_for("ready")
    trainer.write(b'{"type":"stop","mo')
    trainer.die()
    trainer.connect()
    trainer.grant(1)
    assert trainer.end() == 0
    assert trainer.stopped == (1, 0)
    assert not trainer.of("note")


def test_nobody_comes(start: Start) -> None:
    trainer = start(parameters={"batch_seconds": 0.05, "batches": 1000}, reattachSeconds=SOON)
    trainer.wait_for("batch")
    trainer.die()
    assert trainer.end() == 0
    last = _kept(trainer)[-1]
    assert (last["type"], last["finished"], last["unattended"]) == ("stopped", False, True)
    (name,) = trainer.checkpoints
    assert name.startswith("epoch-0000-batch-")


def test_who_comes_late_hears_of_the_end_last(tmp_path: Path) -> None:
    path = os.path.join(tempfile.mkdtemp(prefix="epochal-"), "trainer")  # a short one
    address = Address("s", path, tmp_path / "events.jsonl", 60.0)
    link = WorkerLink(address, lambda _: True, lambda: None, lambda: None)
    link.start()
    ending = threading.Thread(
        target=lambda: [link.send(event) for event in ({"type": "phase", "phase": "finish"}, {"type": "stopped"})]
    )
    ending.start()
    until((tmp_path / "events.jsonl").exists, lambda: "")  # it is on its way, and nobody has come
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as worker:
        worker.connect(address.socket)
        ending.join()
        told = worker.recv(65536).splitlines()
    assert [json.loads(line)["type"] for line in told] == ["phase", "stopped"]


def test_who_comes_late_hears_how_far_the_set_up_is(tmp_path: Path) -> None:
    path = os.path.join(tempfile.mkdtemp(prefix="epochal-"), "trainer")  # a short one
    link = WorkerLink(Address("s", path, tmp_path / "events.jsonl", 60.0), lambda _: True, lambda: None, lambda: None)
    link.start()
    progress = {"type": "setUpProgress", "doing": "Looking at images", "total": 9}

    def told_to_a_new_worker() -> list[Event]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as worker, worker.makefile("rwb") as file:
            worker.settimeout(LIMIT)
            worker.connect(path)
            told = [json.loads(file.readline())]
            link.send({"type": "note", "message": "the last one"})
            while told[-1]["type"] != "note":
                told.append(json.loads(file.readline()))
            file.write(b'{"type":"received","through":%d}\n' % told[-1]["seq"])
            file.write(b'{"type":"stop"}\n')
            file.flush()
            assert json.loads(file.readline())["type"] == "acknowledged"
            return told[:-1]

    link.send({**progress, "done": 2}, may_drop=True)
    link.send({**progress, "done": 3}, may_drop=True)
    assert [event["done"] for event in told_to_a_new_worker()] == [3]
    link.send({"type": "ready"})
    assert [event["type"] for event in told_to_a_new_worker()] == ["ready"]


def test_last_words_that_nobody_hears(start: Start) -> None:
    trainer = start(parameters={"fail_at": "2:1", "batch_seconds": 0.05})
    trainer.wait_for("batch")
    trainer.die()
    assert trainer.end() == 1
    assert [event["type"] for event in _kept(trainer)][-1] == "failed"
    assert "asked to fail" in _kept(trainer)[-1]["message"]


def test_a_child_keeps_no_socket_open(start: Start) -> None:
    """A forked child that outlives the trainer must not look like it."""
    script = """
import os, time, epochal
trainer = epochal.Trainer(name="own", title="", description="", metrics=[epochal.Metric("m", "")], best=("m", "min"))
@trainer.train
def train(app):
    app.state(save=lambda folder: (folder / "w").touch(), load=print)
    child = os.fork()
    if child == 0:
        time.sleep(20)
        os._exit(0)
    os._exit(3)
epochal.main(trainer)
"""
    trainer = start(script)
    assert trainer.end() == 3
    late = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        late.connect(trainer.session["socket"])
        raise AssertionError("somebody still listens")
    except ConnectionRefusedError:
        pass
    finally:
        late.close()
