"""Snapshots: how often, that a training resumes from one exactly, and that none is written that must not be."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import COUNTER, Start
from epochal.checkpoints import Position, size_of
from epochal.ranks import NoCheckpoints, Ranks, SharedControl
from epochal.snapshots import BUDGET, FIRST_AFTER, SHORTEST, WORTH_TELLING, Cadence, Snapshots
from test_application import HEAD
from test_exact_resume import DIGITS
from trainer_process import REPOSITORY, TrainerProcess, until, verify_checkpoint, weights


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def train(self, cadence: Cadence, seconds: float, *, batch: float, cost: float) -> int:
        """Train for so long, with a save whenever one is due; answers how many there were."""
        saved = 0
        end = self.now + seconds
        while self.now < end:
            self.now += batch
            if cadence.is_due:
                self.now += cost
                cadence.saved(cost)
                saved += 1
        return saved


@pytest.mark.parametrize("cost", [0.0001, 0.004, 0.3, 5.0])
def test_the_cadence_keeps_to_the_budget(cost: float) -> None:
    clock = Clock()
    cadence = Cadence("auto", clock)
    batch = max(0.001, cost / 20)
    clock.now += 1_000  # of set-up
    cadence.begin()
    assert clock.train(cadence, FIRST_AFTER - 3 * batch, batch=batch, cost=cost) == 0
    assert clock.train(cadence, 5 * batch, batch=batch, cost=cost) == 1
    least = max(cost, BUDGET * SHORTEST)
    seconds = 2_000 * least
    saved = clock.train(cadence, seconds, batch=batch, cost=cost)
    assert saved * cost <= BUDGET * seconds
    assert saved * least >= 0.97 * BUDGET * seconds - 2 * least  # nor is it less than it may be


def test_one_slow_save_changes_little_and_many_are_paid_for() -> None:
    clock = Clock()
    cadence = Cadence("auto", clock)
    clock.train(cadence, 60, batch=0.001, cost=0.001)
    cadence.saved(0.3)
    assert cadence.seconds == SHORTEST
    assert clock.train(cadence, 2, batch=0.001, cost=0.001) >= 9
    began, spent = clock.now, 0.0
    for save in range(300):
        while not cadence.is_due:
            clock.now += 0.01
        cost = 0.3 if save % 3 == 0 else 0.001
        clock.now += cost
        cadence.saved(cost)
        spent += cost
    assert cadence.seconds == SHORTEST
    assert BUDGET * (clock.now - began) * 0.9 <= spent <= BUDGET * (clock.now - began) + 1


def test_the_first_save_tells_little_and_later_ones_are_believed() -> None:
    clock = Clock()
    cadence = Cadence("auto", clock)
    cadence.saved(2.0)  # it imports a library
    assert cadence.seconds == pytest.approx(2.0 / BUDGET)
    cadence.saved(0.01)
    assert cadence.seconds == pytest.approx(0.01 / BUDGET)
    for _ in range(5):
        cadence.saved(0.5)
    assert cadence.seconds == pytest.approx(0.5 / BUDGET)


def test_a_checkpoint_is_a_save_too() -> None:
    clock = Clock()
    cadence = Cadence("auto", clock)
    clock.now += 4.9
    cadence.checkpointed(BUDGET)
    clock.now += 0.9
    assert not cadence.is_due
    clock.now += 0.2
    assert cadence.is_due


def test_seconds_and_off() -> None:
    clock = Clock()
    every = Cadence(30, clock)
    every.saved(20.0)
    clock.now += 29
    assert not every.is_due
    clock.now += 1
    assert every.is_due
    every.turn_off()
    assert not every.is_due
    for off in ("off", None):
        cadence = Cadence(off, clock)  # type: ignore[arg-type]
        clock.now += 1e9
        assert not cadence.is_due


def test_whether_a_save_pays_is_told_where_it_matters() -> None:
    clock = Clock()
    apart = WORTH_TELLING * 2

    def told(wanted: Any, cost: float, seconds: float) -> float | None:
        cadence = Cadence(wanted, clock)
        clock.now += seconds
        cadence.checkpointed(cost)
        clock.train(cadence, seconds, batch=1, cost=cost)
        clock.now += cost
        return cadence.checkpointed(cost)

    assert told("auto", apart * BUDGET * 2, apart) == pytest.approx(apart, abs=1)
    assert told("auto", apart * BUDGET / 4, apart) is None  # it pays
    assert told("auto", apart * BUDGET * 2, WORTH_TELLING / 2) is None  # little is lost
    assert told("off", apart * BUDGET * 2, apart) is None


def whole_snapshots(folder: Path) -> list[Path]:
    """Those of a run, oldest first, each verified."""
    found = sorted(path for path in (folder / "snapshots").glob("*") if not path.name.startswith("."))
    for path in found:
        verify_checkpoint(path)
    return found


def resumed_from_snapshot(
    start: Start, killed: TrainerProcess, script: Path = COUNTER, **session: Any
) -> TrainerProcess:
    """Another trainer, from the newest snapshot of one that was killed, which becomes a checkpoint."""
    newest = whole_snapshots(killed.folder)[-1]
    place = killed.folder / "checkpoints" / newest.name
    os.rename(newest, place)
    return start(script, resumeFrom=str(place), **session)


def test_counter_killed_resumes_from_its_snapshot_exactly(start: Start, tmp_path: Path) -> None:
    parameters = {"batches": 12, "batch_seconds": 0.02}
    whole = start(folder=tmp_path / "whole", epochs=2, parameters={"batches": 12})
    holds = tmp_path / "holds"
    holds.mkdir()
    (holds / "2:9").touch()
    killed = start(epochs=2, parameters={**parameters, "holds": str(holds)}, snapshots=0)
    until(lambda: (holds / "2:9 is reached").exists(), killed.account)
    # What they replace is removed once they are whole.
    until(lambda: len(list((killed.folder / "snapshots").iterdir())) == 2, killed.account)
    killed.kill()
    taken = int(whole_snapshots(killed.folder)[-1].name.removeprefix("epoch-0001-batch-"))
    # Nobody was told of any, and what was told is what is told without them.
    assert {event["checkpoint"]["name"] for event in killed.of("checkpoint")} == {"epoch-0001"}
    assert not [event for event in killed.of("phase") if event["phase"] == "save" and event["epoch"] == 2]
    (holds / "2:9").unlink()
    again = resumed_from_snapshot(start, killed, epochs=2, parameters=parameters, snapshots=0)
    assert again.end() == 0
    assert again.wait_for("ready")["resumedFrom"] == {"epoch": 1, "batch": taken}
    assert whole.end() == 0
    assert weights(again, "weights.json", "epoch-0002") == weights(whole, "weights.json", "epoch-0002")
    assert not whole_snapshots(again.folder)  # A checkpoint is beyond all of them.


def test_digits_killed_resumes_from_its_snapshot_exactly(start: Start, tmp_path: Path) -> None:
    parameters = {"hidden_layers": [256, 256]}
    whole = start(DIGITS, folder=tmp_path / "whole", epochs=3, parameters=parameters)
    killed = start(DIGITS, epochs=3, parameters=parameters, snapshots=0)

    def stands_within_an_epoch() -> bool:
        os.killpg(killed.process.pid, signal.SIGSTOP)
        if whole_snapshots(killed.folder):
            return True
        os.killpg(killed.process.pid, signal.SIGCONT)
        return False

    until(stands_within_an_epoch, killed.account)
    killed.kill()
    again = resumed_from_snapshot(start, killed, script=DIGITS, epochs=3, parameters=parameters)
    assert again.end() == 0
    assert again.wait_for("ready")["resumedFrom"]["batch"] > 0
    assert whole.end() == 0
    for file in ("weights.npz", "optimizer.npz"):
        assert weights(again, file, "epoch-0003") == weights(whole, file, "epoch-0003")


def test_none_is_written_of_a_loss_that_is_not_finite(start: Start, tmp_path: Path) -> None:
    """A number on a GPU is read when it is told: between two of these it is looked at before a snapshot."""
    script = (
        HEAD
        + """
class OnGpu(float):
    is_cuda = True

app = epochal.Application(trainer)
app.state(save=lambda folder: (folder / "w.json").write_text("1"), load=lambda folder: None)
for epoch in app.epochs():
    for batch in app.batches(range(200)):
        if batch == 50:
            while not any(name[0] != "." for name in os.listdir(os.environ["SNAPSHOTS"])):
                time.sleep(0.01)
        time.sleep(0.002)
        app.log({"loss": OnGpu("nan" if batch >= 100 else 1)})
    app.end_epoch({"m": 1.0})
"""
    )
    snapshots = str(tmp_path / "run" / "snapshots")
    trainer = start(script, epochs=1, snapshots=0, environment={"SNAPSHOTS": snapshots})
    assert trainer.end() == 1
    assert trainer.failed["kind"] == "nan"
    newest = whole_snapshots(trainer.folder)[-1]
    assert 0 < json.loads((newest / "checkpoint.json").read_text())["batch"] <= 100


def test_one_that_cannot_be_written_costs_no_training(start: Start) -> None:
    parameters = {"batches": 20, "batch_seconds": 0.02, "fail_at": "1:3", "fail_kind": "save"}
    trainer = start(
        COUNTER.read_text().replace("failing.in_save()", 'folder.parent.name == "snapshots" and failing.in_save()'),
        epochs=1,
        parameters=parameters,
        snapshots=0,
        environment={"PYTHONPATH": os.pathsep.join([str(REPOSITORY / "trainers" / "epochal"), str(COUNTER.parent)])},
    )
    assert trainer.end() == 0
    assert [note["message"] for note in trainer.of("note")] == [
        "snapshots are off: RuntimeError: asked to fail while saving"
    ]
    assert not whole_snapshots(trainer.folder)


def test_what_another_session_left_is_removed(start: Start) -> None:
    parameters = {"batches": 8, "batch_seconds": 0.02}
    first = start(epochs=1, parameters={**parameters, "fail_at": "1:7", "fail_kind": "kill"}, snapshots=0)
    assert first.end() == -9
    assert whole_snapshots(first.folder)
    again = start(epochs=1, parameters=parameters, snapshots="off")
    assert again.end() == 0
    assert not (again.folder / "snapshots").exists()


def test_of_several_processes_the_first_decides() -> None:
    told = [0, 0, 0, 0, 0, 1]  # by rank 0: in the fourth place whether a snapshot is due
    ranks = Ranks(1, 2)
    ranks.connect(lambda numbers: [max(pair) for pair in zip(numbers, told, strict=True)], lambda own: [own])
    control = SharedControl(ranks)
    assert not control.agree_on_snapshot(False)
    told[3] = 1
    assert control.agree_on_snapshot(False)
    told[3] = 0
    assert not control.agree_on_snapshot(False)


class Silent:
    """Nobody hears what is sent."""

    def send(self, event: Any, *, may_drop: bool = False) -> None:
        """Nothing."""


class OneSession:
    """That asks for a snapshot at every boundary."""

    session = "s"
    generation = 1
    snapshots = 0.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder


def snapshots_in(folder: Path) -> Snapshots:
    """Of such a session, by the process that saves."""
    return Snapshots(OneSession(folder), Silent(), saves=True)  # type: ignore[arg-type]


def take(snapshots: Snapshots, batch: int, size: int = 1) -> None:
    """Write one of so many bytes, and what a snapshot has beside the trainer's files."""
    position = Position(0, batch)
    make_whole = snapshots.folder.write(position, {}, {}, lambda folder: (folder / "w").write_bytes(bytes(size)))
    snapshots.land(make_whole, position, 0.0)
    snapshots._landing.settle()


def test_the_room_is_for_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 2_000_000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    snapshots = snapshots_in(tmp_path)
    assert snapshots.is_due  # Nobody knows yet what one takes.
    take(snapshots, 3, size=1_000_001)
    assert not whole_snapshots(tmp_path)
    assert not snapshots.is_due
    free = 4_000_000
    assert snapshots.is_due
    take(snapshots, 4, size=1_000_001)
    assert [path.name for path in whole_snapshots(tmp_path)] == ["epoch-0000-batch-000004"]
    free = 1_500_000
    take(snapshots, 5, size=1_000_001)
    assert not whole_snapshots(tmp_path)  # The earlier one goes first, and was not enough.
    free = 4_000_000
    # A checkpoint tells, too.
    snapshots.passed(Position(1, 0), 2_000_000)
    assert not snapshots.is_due


def test_a_rank_that_does_not_save_has_a_manifest_of_nothing(tmp_path: Path) -> None:
    snapshots = Snapshots(OneSession(tmp_path), Silent(), saves=False)  # type: ignore[arg-type]
    manifest = NoCheckpoints().write(Position(1, 0), {}, {}, None)()
    snapshots.passed(Position(1, 0), size_of(manifest))
    assert not snapshots.is_due


def test_two_are_kept_and_none_before_a_checkpoint(tmp_path: Path) -> None:
    snapshots = snapshots_in(tmp_path)
    for batch in (3, 4, 5):
        take(snapshots, batch)
    assert [path.name for path in whole_snapshots(tmp_path)] == ["epoch-0000-batch-000004", "epoch-0000-batch-000005"]
    snapshots.passed(Position(0, 4), 1)
    assert [path.name for path in whole_snapshots(tmp_path)] == ["epoch-0000-batch-000005"]
