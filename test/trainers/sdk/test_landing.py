"""A checkpoint lands while the next batches train, and nothing that follows it is told before it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from conftest import Start
from test_application import HEAD
from trainer_process import verify_checkpoint

#: The checkpoint of the first epoch is hashed when the file `go` is there; or it cannot be, with what `FAILURE` raises.
HELD = (
    HEAD
    + """
import epochal.checkpoints
hash_of = epochal.checkpoints.sha256_and_sync
held = []
def hash_when_told(path):
    if not held:
        held.append(path)
        wait_for(os.environ["GO"])
        {failure}
    return hash_of(path)
epochal.checkpoints.sha256_and_sync = hash_when_told
app = epochal.Application(trainer)
train_epochs(app, batches={batches})
"""
)


def _held(batches: int = 3, failure: str = "pass") -> str:
    return HELD.replace("{failure}", failure).replace("{batches}", str(batches))


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
    trainer = start(_held(batches=50), epochs=3, environment={"GO": str(go)})
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
    trainer = start(_held(batches=1000, failure=full), epochs=3, environment={"GO": str(go)})
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
    loop = "        for batch in app.batches(range(batches)):\n"
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
    trainer = start(_held(batches=1000), epochs=3, environment={"GO": str(go)})
    trainer.wait_for("batch", epoch=2)
    trainer.die()
    go.touch()
    assert trainer.end() == 0
    (first, second) = trainer.checkpoints
    assert first == "epoch-0001"
    assert second.startswith("epoch-0001-batch-")


def test_sigterm_is_heard_while_it_waits_for_the_last(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    trainer = start(_held(), epochs=2, environment={"GO": str(go)})
    trainer.wait_for(lambda event: event["type"] == "phase" and (event["phase"], event["epoch"]) == ("save", 2))
    trainer.process.send_signal(signal.SIGTERM)
    go.touch()
    assert trainer.end() == 0
    assert trainer.stopped[0] == 2
