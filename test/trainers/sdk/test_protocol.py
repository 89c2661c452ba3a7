"""Commands and events on real pipes: grants, stops, checkpoints, a worker that dies or does not read."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from conftest import Start
from test_application import HEAD
from trainer_process import LIMIT, SOON, TrainerProcess, until, weights


def _types(trainer: TrainerProcess) -> list[str]:
    return [event["type"] for event in trainer.events]


def test_the_order_of_events(start: Start) -> None:
    trainer = start(epochs=1, grant=None)
    assert trainer.wait_for("hello")["pid"] == trainer.process.pid
    trainer.wait_for("ready", resumedFrom=None)
    assert not trainer.of("batch")
    trainer.grant(1)
    assert trainer.end() == 0
    kinds = [kind for kind in _types(trainer) if kind not in ("batch", "acknowledged")]
    assert kinds == [
        "hello", "phase", "ready", "phase", "phase", "phase", "checkpoint", "epoch", "phase", "stopped",
    ]  # fmt: skip
    assert [event["phase"] for event in trainer.of("phase")] == ["setUp", "train", "validate", "save", "finish"]
    (row,) = trainer.rows()
    (epoch,) = trainer.of("epoch")
    assert epoch == {"type": "epoch", **row}
    (checkpoint,) = trainer.of("checkpoint")
    on_disk = json.loads((trainer.folder / "checkpoints" / "epoch-0001" / "checkpoint.json").read_text())
    assert checkpoint["checkpoint"] == on_disk
    assert "generation" not in on_disk  # its worker told none
    assert on_disk["metrics"] == row["metrics"]


def test_a_worker_of_a_later_version_may_tell_and_ask_more(start: Start) -> None:
    trainer = start(epochs=1, grant=None, ofALaterVersion={"members": 1})
    trainer.send({"type": "grant", "through": 1, "ofALaterVersion": True})
    assert trainer.end() == 0
    assert trainer.checkpoints == ["epoch-0001"]


def test_an_epoch_waits_for_its_grant_which_is_not_counted(start: Start) -> None:
    trainer = start(epochs=2, grant=1)
    trainer.wait_for("epoch", epoch=1)
    time.sleep(2)  # not for synchronisation: this is the wait that must not be counted
    assert not [event for event in trainer.of("batch") if event["epoch"] == 2]
    granted = time.monotonic()
    trainer.grant(2)
    trainer.wait_for("epoch", epoch=2)
    assert trainer.rows()[1]["seconds"] <= time.monotonic() - granted
    assert trainer.end() == 0


def test_a_stop_while_it_waits_for_a_grant(start: Start) -> None:
    trainer = start(grant=1)
    trainer.wait_for("epoch", epoch=1)
    trainer.stop()
    assert trainer.end() == 0
    assert trainer.stopped == (1, 0)
    assert trainer.checkpoints == ["epoch-0001"]
    assert len(trainer.of("checkpoint")) == 1  # it was there already


def test_a_stop_before_the_first_batch(start: Start) -> None:
    trainer = start(grant=None)
    trainer.wait_for("ready")
    trainer.stop()
    assert trainer.end() == 0
    assert trainer.stopped == (0, 0)
    assert trainer.checkpoints == ["epoch-0000"]
    again = start(resumeFrom=trainer.last_checkpoint)
    assert again.end() == 0
    assert again.wait_for("ready")["resumedFrom"] == {"epoch": 0, "batch": 0}
    assert again.stopped == (3, 0)


def test_a_stop_during_set_up(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    body = "wait_for(os.environ['GO'])\ntrain_epochs(app)\n"
    trainer = start(f"{HEAD}app = epochal.Application(trainer)\n{body}", environment={"GO": str(go)})
    trainer.wait_for("phase", phase="setUp")
    trainer.stop()
    trainer.wait_for("acknowledged", command="stop")
    assert not trainer.of("ready")
    go.touch()
    assert trainer.end() == 0
    assert trainer.stopped == (0, 0)
    assert trainer.events[-1]["batchesAfterStop"] == 0


def test_a_stop_during_saving(start: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    held = HEAD.replace("def save(folder):\n", "def save(folder):\n    wait_for(os.environ['GO'])\n")
    trainer = start(f"{held}train_epochs(epochal.Application(trainer))\n", environment={"GO": str(go)})
    trainer.wait_for("phase", phase="save")
    trainer.stop()
    trainer.wait_for("acknowledged", command="stop")
    go.touch()
    assert trainer.end() == 0
    assert trainer.stopped == (1, 0)
    assert trainer.events[-1]["batchesAfterStop"] == 0
    assert trainer.checkpoints == ["epoch-0001"]
    assert [event["epoch"] for event in trainer.of("epoch")] == [1]


def test_a_stop_after_the_last_epoch_leaves_nothing_out(start: Start) -> None:
    trainer = start(epochs=2, parameters={"save_seconds": 0.5}, grant=2)
    trainer.wait_for("phase", phase="save", epoch=2)
    trainer.stop()
    assert trainer.end() == 0
    assert trainer.stopped == (2, 0)
    assert trainer.events[-1]["finished"] is True
    assert (trainer.folder / "artifacts" / "final.json").exists()


def test_a_second_stop_changes_nothing(start: Start) -> None:
    trainer = start(parameters={"batch_seconds": 2})
    trainer.wait_for("batch")
    trainer.write(3 * b'{"type":"stop","mode":"batch"}\n')
    trainer.process.send_signal(signal.SIGTERM)
    trainer.process.send_signal(signal.SIGTERM)
    assert trainer.end() == 0
    assert trainer.events[-1]["batchesAfterStop"] == 0
    assert len(trainer.of("checkpoint")) == 1
    assert len([event for event in trainer.of("acknowledged") if event["command"] == "stop"]) == 3


def test_a_stop_at_the_end_of_the_epoch_brought_forward(start: Start) -> None:
    trainer = start(parameters={"batch_seconds": 0.2, "batches": 1000})
    trainer.wait_for("batch")
    trainer.stop("epoch")
    trainer.wait_for("batch", batch=3)
    trainer.stop("batch")
    trainer.stop("epoch")  # never takes it back
    assert trainer.end() == 0
    assert trainer.stopped[0] == 0
    assert trainer.events[-1]["batchesAfterStop"] <= 1


def test_a_stop_is_acknowledged_within_a_batch(start: Start) -> None:
    trainer = start(parameters={"batch_seconds": 3600})
    trainer.wait_for("phase", phase="train")
    trainer.stop()
    trainer.wait_for("acknowledged", command="stop")
    assert not trainer.of("batch")


def test_the_state_at_stop_in_validation_is_that_after_training(start: Start) -> None:
    trainer = start(parameters={"batch_seconds": 0.15, "validation_batches": 1000})
    trainer.wait_for("batch", phase="validate")
    trainer.stop()
    assert trainer.end() == 0
    assert trainer.stopped == (0, 5)
    assert trainer.checkpoints == ["epoch-0000-batch-000005"]
    again = start(resumeFrom=trainer.last_checkpoint, epochs=1)
    assert again.end() == 0
    assert not [event for event in again.of("batch") if event["phase"] == "train" and event["batch"] < 5]


def test_checkpoint_saves_and_goes_on(start: Start, tmp_path: Path) -> None:
    places = {"1:5": 5, "1:v5": 20}  # at the end of that batch of training; in validation nothing is trained any more
    for place in places:
        (tmp_path / place).touch()
    trainer = start(parameters={"batches": 20, "validation_batches": 20, "holds": str(tmp_path)}, epochs=1)
    for place, batch in places.items():
        until((tmp_path / f"{place} is reached").exists, trainer.account)
        asked = len(trainer.of("acknowledged"))
        trainer.send({"type": "checkpoint"})
        until(lambda asked=asked: len(trainer.of("acknowledged")) > asked, trainer.account)
        (tmp_path / place).unlink()
        manifest = trainer.wait_for(
            lambda event, batch=batch: event["type"] == "checkpoint" and event["checkpoint"]["batch"] == batch
        )["checkpoint"]
        assert manifest["epoch"] == 0
    assert trainer.end() == 0
    assert trainer.stopped == (1, 0)


def test_checkpoint_while_it_waits_is_not_written_twice(start: Start) -> None:
    trainer = start(grant=1, epochs=2)
    trainer.wait_for("epoch")
    trainer.send({"type": "checkpoint"})
    trainer.wait_for("acknowledged", command="checkpoint")
    trainer.grant(2)
    assert trainer.end() == 0
    assert trainer.checkpoints == ["epoch-0001", "epoch-0002"]
    assert len(trainer.of("checkpoint")) == 2


def test_shutdown_ends_after_the_epoch_under_way(start: Start, tmp_path: Path) -> None:
    (tmp_path / "1:3").touch()
    trainer = start(parameters={"holds": str(tmp_path)}, epochs=5)
    until((tmp_path / "1:3 is reached").exists, trainer.account)
    trainer.send({"type": "shutdown"})
    trainer.wait_for("acknowledged", command="shutdown")
    (tmp_path / "1:3").unlink()
    assert trainer.end() == 0
    assert trainer.stopped == (1, 0)
    assert (trainer.folder / "artifacts" / "final.json").exists()  # what comes after training did


def test_save_every_so_many_batches(start: Start) -> None:
    trainer = start(everyBatches=2, epochs=1, generation=7)
    assert trainer.end() == 0
    assert trainer.checkpoints == ["epoch-0000-batch-000002", "epoch-0000-batch-000004", "epoch-0001"]
    manifests = [event["checkpoint"] for event in trainer.of("checkpoint")]
    written_by = {(manifest["session"], manifest["generation"]) for manifest in manifests}
    assert written_by == {(trainer.session["session"], 7)}


@pytest.mark.parametrize("phase", ["train", "validate"])
def test_a_worker_that_dies(start: Start, phase: str) -> None:
    # A validation that lasts: it has no part in the weights.
    trainer = start(
        parameters={"batch_seconds": 0.5, "validation_batches": 1000, "print_noise": True}, reattachSeconds=SOON
    )
    trainer.wait_for("batch", phase=phase)
    trainer.die()
    assert trainer.end() == 0
    (name,) = trainer.checkpoints
    assert name.startswith("epoch-0000-batch-")
    assert "the worker is lost" in trainer.log
    assert "Traceback" not in trainer.log
    again = start(resumeFrom=trainer.last_checkpoint)
    assert again.end() == 0
    reference = start(folder=trainer.folder.parent / "reference")
    assert reference.end() == 0
    assert weights(again) == weights(reference)


def test_a_worker_that_dies_and_whose_pipe_was_stdout(start: Start) -> None:
    """A print into a pipe that nobody reads any more must not end the training before it is saved."""
    script = """
import os, time, epochal
reader, writer = os.pipe()
os.dup2(writer, 1)
os.close(writer)
trainer = epochal.Trainer(name="own", title="", description="", metrics=[epochal.Metric("m", "")], best=("m", "min"))
@trainer.train
def train(app):
    app.state(save=lambda folder: (folder / "w").touch(), load=print)
    for epoch in app.epochs():
        for batch in app.batches(range(100000)):
            if batch == 1:
                os.close(reader)
                app.log({"m": 1})
            while batch > 2 and not app.is_stopped():
                time.sleep(0.01)
            if app.is_stopped():
                time.sleep(0.1)
                print("into nowhere", flush=True)
epochal.main(trainer)
"""
    trainer = start(script, reattachSeconds=SOON)
    trainer.wait_for("batch", batch=1)
    trainer.die()
    assert trainer.end() == 0
    (name,) = trainer.checkpoints
    assert name.startswith("epoch-0000-batch-")


def test_a_worker_that_dies_while_it_waits(start: Start) -> None:
    trainer = start(grant=1, reattachSeconds=SOON)
    trainer.wait_for("epoch")
    trainer.die()
    assert trainer.end() == 0
    assert trainer.checkpoints == ["epoch-0001"]


def test_a_worker_that_does_not_read_holds_up_no_batch(start: Start) -> None:
    """More events than the pipe holds, and nobody reads: training goes on; nothing that matters is lost."""
    trainer = start(parameters={"batches": 20000, "validation_batches": 0}, epochs=1, grant=None)
    trainer.wait_for("ready")
    with trainer._changed:  # the harness stops reading
        trainer.grant(1)
        end = time.monotonic() + LIMIT
        while not (trainer.folder / "metrics.jsonl").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
    assert trainer.end() == 0
    assert trainer.stopped == (1, 0)


def test_sigterm_saves_and_ends(start: Start) -> None:
    trainer = start(parameters={"batch_seconds": 0.1, "batches": 1000})
    trainer.wait_for("batch", epoch=1)
    trainer.process.send_signal(signal.SIGTERM)
    assert trainer.end() == 0
    assert trainer.stopped[0] == 0
    assert trainer.checkpoints[0].startswith("epoch-0000-batch-")


def test_sigterm_while_it_waits_for_a_grant(start: Start) -> None:
    trainer = start(grant=None)
    trainer.wait_for("ready")
    trainer.process.send_signal(signal.SIGTERM)
    assert trainer.end() == 0
    assert trainer.stopped == (0, 0)


def test_what_is_no_command_is_noted_and_ignored(start: Start) -> None:
    trainer = start(grant=None)
    lines = [b"garbage", b"{}", b"[]", b"null", b'{"type":"dance"}', b'{"type":"stop"}', b'{"type":"stop","mode":"x"}']
    lines += [b'{"type":"grant","through":"3"}', b"\xff\xfe", b"", b'{"type":"grant"' + b" " * 5000 + b"x"]
    for line in lines:
        trainer.send(line)
    trainer.wait_for("ready")
    trainer.grant(3)
    assert trainer.end() == 0
    assert trainer.stopped == (3, 0)
    assert len(trainer.of("note")) == len(lines) - 1


def test_commands_in_pieces(start: Start) -> None:
    trainer = start(grant=None, epochs=1)
    trainer.wait_for("ready")
    for byte in b'{"type":"grant","through":1}\n{"type":"shutdown"}\n':
        trainer.write(bytes([byte]))
    assert trainer.end() == 0
    assert [event["command"] for event in trainer.of("acknowledged")] == ["grant", "shutdown"]
