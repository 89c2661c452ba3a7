"""What a trainer finds in its run folder, and resumes from: a lock, half-written checkpoints, metrics, weights."""

from __future__ import annotations

import json

from conftest import Start
from trainer_process import until


def test_the_lock_is_held_until_the_end(start: Start) -> None:
    """A second trainer waits for the first one's end, and then goes on."""
    first = start(grant=None)
    first.wait_for("ready")
    second = start(epochs=1)
    second.wait_for("hello")
    assert not second.of("phase")
    first.kill()
    assert second.end() == 0
    assert second.stopped == (1, 0)


def test_half_written_checkpoints_are_removed(start: Start) -> None:
    trainer = start(parameters={"save_seconds": 3600})
    trainer.wait_for("phase", phase="save")
    until(lambda: list((trainer.folder / "checkpoints").glob(".*")), trainer.account)
    trainer.kill()
    again = start(epochs=1)
    assert again.end() == 0
    assert again.checkpoints == ["epoch-0001"]


def test_metrics_are_cut_back_to_the_resume_position(start: Start) -> None:
    first = start(epochs=3)
    assert first.end() == 0
    with open(first.folder / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 4, "ba')  # killed while it wrote
    again = start(epochs=3, resumeFrom=str(first.folder / "checkpoints" / "epoch-0001"))
    again.wait_for("ready")
    assert again.end() == 0
    assert [row["epoch"] for row in again.rows()] == [1, 2, 3]
    assert {"type": "epoch", **again.rows()[0]} == first.of("epoch")[0]


def test_weights_alone(start: Start) -> None:
    first = start(epochs=2)
    assert first.end() == 0
    again = start(folder=first.folder.parent / "other", epochs=1, resumeFrom=first.last_checkpoint, keepProgress=False)
    assert again.end() == 0
    assert again.wait_for("ready")["resumedFrom"] is None
    assert [row["epoch"] for row in again.rows()] == [1]
    count = json.loads((again.folder / "checkpoints" / "epoch-0001" / "weights.json").read_text())["count"]
    assert count == 15


def test_going_on_in_another_run_folder(start: Start) -> None:
    first = start(epochs=2)
    assert first.end() == 0
    other = first.folder.parent / "other"
    again = start(folder=other, grant=None, resumeFrom=first.last_checkpoint)
    again.wait_for("ready", resumedFrom={"epoch": 2, "batch": 0})
    again.stop()
    assert again.end() == 0
    assert again.checkpoints == ["epoch-0002"]  # this run has a checkpoint of its own


def test_going_on_where_all_is_trained(start: Start) -> None:
    first = start(epochs=1)
    assert first.end() == 0
    again = start(epochs=1, resumeFrom=first.last_checkpoint, grant=None)
    assert again.end() == 0
    assert again.stopped == (1, 0)
    assert not again.of("epoch")
