"""A checkpoint lands while the next batches train, and nothing that follows it is told before it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from conftest import Start
from test_application import HEAD
from trainer_process import SOON, until, verify_checkpoint

#: The checkpoint of the first epoch is hashed when the file `go` is there; or it cannot be, with what `FAILURE` raises.
HELD = (
    HEAD
    + """
import epochal.checkpoints
hash_of = epochal.checkpoints.sha256_and_sync
held = []
def hash_when_told(path, **how):
    if not held:
        held.append(path)
        wait_for(os.environ["GO"])
        {failure}
    return hash_of(path, **how)
epochal.checkpoints.sha256_and_sync = hash_when_told
app = epochal.Application(trainer)
{body}
"""
)


def _held(endless: int = 0, failure: str = "pass", body: str = "") -> str:
    body = body or f"train_epochs(app, endless={endless}, seconds=0.002)\n"
    return HELD.replace("{failure}", failure).replace("{body}", body)


def test_the_next_epoch_trains_meanwhile(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    trainer = start(_held(), epochs=3, environment={"GO": str(go)})
    trainer.wait_for("batch", epoch=2, batch=3)
    assert not trainer.of("checkpoint")
    assert not trainer.of("epoch")
    assert not (trainer.folder / "checkpoints" / "epoch-0001").exists()
    go.touch()
    assert trainer.end() == 0
    told = [(event["type"], event.get("epoch")) for event in trainer.events if event["type"] in ("checkpoint", "epoch")]
    assert told == [pair for epoch in (1, 2, 3) for pair in (("checkpoint", None), ("epoch", epoch))]
    assert [row["epoch"] for row in trainer.rows()] == [1, 2, 3]
    for name in trainer.checkpoints:
        epoch = int(name[-4:])
        folder = trainer.folder / "checkpoints" / name
        assert verify_checkpoint(folder)["metrics"] == {"m": 3.0 * epoch}
        assert json.loads((folder / "w.json").read_text()) == 3 * epoch


def test_an_epoch_does_not_end_before_the_one_before_it_has_landed(start: Start, tmp_path: Path) -> None:
    """So what a SIGKILL takes is at most one epoch that was complete, and its row in metrics.jsonl is the last."""
    go = tmp_path / "go"
    trainer = start(_held(), epochs=3, environment={"GO": str(go)})
    trainer.wait_for(lambda event: event["type"] == "phase" and (event["phase"], event["epoch"]) == ("save", 2))
    assert [row["epoch"] for row in trainer.rows()] == [1]
    trainer.kill()
    again = start(_held(), epochs=3, environment={"GO": str(tmp_path)})
    assert again.end() == 0
    assert [row["epoch"] for row in again.rows()] == [1, 2, 3]
    assert again.checkpoints == ["epoch-0001", "epoch-0002", "epoch-0003"]


def test_a_stop_meanwhile_leaves_both(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    trainer = start(_held(endless=2), epochs=3, environment={"GO": str(go)})
    trainer.wait_for("batch", epoch=2)
    trainer.stop()
    trainer.wait_for("acknowledged", command="stop")
    go.touch()
    assert trainer.end() == 0
    epoch, batch = trainer.stopped
    assert epoch == 1
    assert batch > 0
    assert trainer.checkpoints == ["epoch-0001", f"epoch-0001-batch-{batch:06d}"]
    kinds = [event["type"] for event in trainer.events if event["type"] in ("checkpoint", "epoch", "stopped")]
    assert kinds == ["checkpoint", "epoch", "checkpoint", "stopped"]


def test_one_that_cannot_land_fails_the_training_at_the_next_boundary(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    full = "raise OSError(28, 'No space left on device', 'w.json')"
    trainer = start(_held(endless=2, failure=full), epochs=3, environment={"GO": str(go)})
    trainer.wait_for("batch", epoch=2)
    go.touch()
    assert trainer.end() == 1
    assert "the disk is full" in trainer.failed["message"]
    assert not trainer.of("epoch")
    assert not list((trainer.folder / "checkpoints").iterdir())  # and nothing half-written


def test_one_that_cannot_land_while_the_next_epoch_is_not_granted(start: Start, tmp_path: Path) -> None:
    broken = "raise OSError(5, 'Input/output error')"
    trainer = start(_held(failure=broken), epochs=3, grant=1, environment={"GO": str(tmp_path)})
    assert trainer.end() == 1
    assert "Input/output error" in trainer.failed["message"]


def test_the_last_one_lands_before_what_follows_training(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    after = "print('- after', os.listdir(os.path.join(app.get_synced_data_dir(), '..', 'checkpoints')))"
    trainer = start(_held() + after, epochs=1, environment={"GO": str(go)})
    trainer.wait_for("phase", phase="save")
    assert not [event for event in trainer.of("phase") if event["phase"] == "finish"]
    go.touch()
    assert trainer.end() == 0
    assert "- after ['epoch-0001']" in trainer.log


def test_a_failure_meanwhile_is_told_after_it(start: Start, tmp_path: Path) -> None:
    loop = "        for batch in app.batches(range(10**6 if epoch == endless else 3)):\n"
    fails = loop + "            if epoch == 2: open(os.environ['GO'], 'w'); raise RuntimeError('meanwhile')\n"
    assert loop in _held()
    script = _held().replace(loop, fails)
    trainer = start(script, epochs=3, environment={"GO": str(tmp_path / "go")})
    assert trainer.end() == 1
    assert "meanwhile" in trainer.failed["message"]
    assert trainer.checkpoints == ["epoch-0001"]
    kinds = [event["type"] for event in trainer.events if event["type"] in ("checkpoint", "epoch", "failed")]
    assert kinds == ["checkpoint", "epoch", "failed"]


def test_a_worker_that_dies_meanwhile(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    trainer = start(_held(endless=2), epochs=3, environment={"GO": str(go)}, reattachSeconds=SOON)
    trainer.wait_for("batch", epoch=2)
    trainer.die()
    until(lambda: "no other one came" in trainer.log, trainer.account)
    go.touch()
    assert trainer.end() == 0
    (first, second) = trainer.checkpoints
    assert first == "epoch-0001"
    assert second.startswith("epoch-0001-batch-")


def test_sigterm_is_heard_while_it_waits_for_the_one_before(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    trainer = start(_held(), epochs=2, environment={"GO": str(go)})
    trainer.wait_for(lambda event: event["type"] == "phase" and (event["phase"], event["epoch"]) == ("save", 2))
    trainer.process.send_signal(signal.SIGTERM)
    go.touch()
    assert trainer.end() == 0
    assert trainer.stopped[0] == 2


IGNORES = """
go = os.environ["GO"]
app.state(save=save, load=load)
for epoch in app.epochs():
    {loop}
    app.end_epoch({"m": epoch})
"""


@pytest.mark.parametrize(
    "loop",
    [
        "for batch in app.batches(range(10**6)):\n        time.sleep(0.002)\n        if os.path.exists(go): break",
        "try:\n        for batch in app.batches(range(10**6)): time.sleep(0.002)\n    except Exception: pass",
    ],
    ids=["break", "except"],
)
def test_nobody_can_overlook_that_it_did_not_land(start: Start, tmp_path: Path, loop: str) -> None:
    go = tmp_path / "go"
    body = IGNORES.replace("{loop}", loop.replace("range(10**6)", "range(3 if epoch == 1 else 10**6)"))
    script = _held(failure="raise OSError(5, 'Input/output error')", body=body)
    trainer = start(script, epochs=3, environment={"GO": str(go)})
    trainer.wait_for("batch", epoch=2)
    go.touch()
    assert trainer.end() == 1
    assert "Input/output error" in trainer.failed["message"]
    assert not trainer.rows()[1:]


def test_a_loop_that_is_left_early_is_followed_by_what_reads_the_checkpoint(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    body = """
app.state(save=save, load=load)
for epoch in app.epochs():
    for batch in app.batches(range(3)):
        pass
    app.end_epoch({"m": epoch})
    threading.Timer(0.2, lambda: open(os.environ["GO"], "w")).start()
    break
print("- after", os.listdir(os.path.join(app.get_synced_data_dir(), "..", "checkpoints")))
app.stop()
"""
    trainer = start(_held(body=body), epochs=3, environment={"GO": str(go)})
    assert trainer.end() == 0
    assert "- after ['epoch-0001']" in trainer.log


def test_saves_that_are_due_faster_than_they_land(start: Start, tmp_path: Path) -> None:
    """One lands at a time: the training waits, and the time of that is not the epoch's."""
    slow = _held().replace('wait_for(os.environ["GO"])', "time.sleep(1)")
    trainer = start(slow, epochs=1, everyBatches=1)
    assert trainer.end() == 0
    assert trainer.checkpoints == [
        "epoch-0000-batch-000001",
        "epoch-0000-batch-000002",
        "epoch-0000-batch-000003",
        "epoch-0001",
    ]
    (row,) = trainer.rows()
    assert row["seconds"] < 2  # four waits of a second, were they counted
    assert row["savingSeconds"] >= 1  # the one that is held


@pytest.mark.parametrize(("step", "is_folder"), [("readv", False), ("fsync", True)])
def test_a_forked_child_does_not_hold_its_files(start: Start, tmp_path: Path, step: str, is_folder: bool) -> None:
    """Neither one that is hashed, nor the folder that is flushed after it."""
    body = """
import stat
import threading
step = getattr(os, STEP)
is_held = threading.Event()
def step_when_told(descriptor, *arguments):
    is_landing = threading.current_thread() is not threading.main_thread()
    if is_landing and not is_held.is_set() and stat.S_ISDIR(os.fstat(descriptor).st_mode) == IS_FOLDER:
        is_held.set()
        wait_for(os.environ["GO"])
    return step(descriptor, *arguments)
setattr(os, STEP, step_when_told)
def files_of(pid):
    links = [os.path.join("/proc", pid, "fd", name) for name in os.listdir(os.path.join("/proc", pid, "fd"))]
    return [os.readlink(link) for link in links if os.path.islink(link) and "checkpoints" in os.readlink(link)]
app.state(save=save, load=load)
for epoch in app.epochs():
    for batch in app.batches(range(3)):
        if epoch == 2 and batch == 0:
            is_held.wait()
            if (child := os.fork()) == 0:
                print("- child", files_of("self"), flush=True)
                os._exit(0)
            os.waitpid(child, 0)
            print("- parent", len(files_of("self")), flush=True)
            open(os.environ["GO"], "w")
    app.end_epoch({"m": epoch})
"""
    body = f"STEP, IS_FOLDER = {step!r}, {is_folder}\n{body}"
    script = _held(body=body).replace('wait_for(os.environ["GO"])', "pass", 1)
    trainer = start(script, epochs=2, environment={"GO": str(tmp_path / "go")})
    assert trainer.end() == 0
    assert "- child []" in trainer.log
    assert "- parent 1" in trainer.log
    assert trainer.checkpoints == ["epoch-0001", "epoch-0002"]
