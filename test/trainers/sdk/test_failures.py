"""A failure is reported once, with its kind, and leaves what was saved before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Start
from test_application import HEAD
from trainer_process import verify_checkpoint


@pytest.mark.parametrize(
    ("fail_kind", "kind", "message"),
    [
        ("error", "trainerError", "RuntimeError: asked to fail"),
        ("oom", "outOfMemory", "out of memory"),
        ("nan", "nan", "loss became nan"),
        ("data", "data", "data set broken"),
        ("gpu", "gpuMissing", "no GPU"),
        ("save", "trainerError", "fail while saving"),
        ("disk_full", "trainerError", "the disk is full while writing weights.json"),
    ],
)
def test_kinds(start: Start, fail_kind: str, kind: str, message: str) -> None:
    trainer = start(parameters={"fail_at": "2:3", "fail_kind": fail_kind})
    assert trainer.end() == 1
    assert trainer.failed["kind"] == kind
    assert message in trainer.failed["message"]
    assert trainer.failed["traceback"].startswith("Traceback")
    assert "counter.py" in trainer.failed["traceback"]
    assert trainer.failed["traceback"] in trainer.log
    assert trainer.checkpoints == ["epoch-0001"]  # and nothing half-written


@pytest.mark.parametrize("where", ["set_up", "1:v1", "finish"])
def test_places(start: Start, where: str) -> None:
    trainer = start(parameters={"fail_at": where})
    assert trainer.end() == 1
    assert trainer.failed["kind"] == "trainerError"


def test_fails_so_often_and_then_no_more(start: Start) -> None:
    parameters = {"fail_at": "1:2", "fail_times": 2}
    assert [start(parameters=parameters).end() for _ in range(3)] == [1, 1, 0]


def test_ends_of_the_process_itself(start: Start) -> None:
    assert start(parameters={"fail_at": "1:2", "fail_kind": "kill"}).end() == -9
    trainer = start(parameters={"fail_at": "1:2", "fail_kind": "exit", "fail_times": 0})
    assert trainer.end() == 3
    assert not trainer.of("failed")


def test_garbage_in_the_protocol(start: Start) -> None:
    trainer = start(parameters={"fail_at": "1:2", "fail_kind": "protocol"}, garbage_is_expected=True)
    assert trainer.end() == 0
    assert trainer.garbage == [b"this is not JSON"]


RAISES = """
def train(app):
    {body}
trainer._train = train
epochal.main(trainer)
"""


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("import not_installed_at_all", "setUp", "not_installed_at_all"),
        ("sys.exit(3)", "trainerError", "exited with code 3"),
        ("raise type('OutOfMemoryError', (RuntimeError,), {})('CUDA')", "outOfMemory", "CUDA"),
        ("raise RuntimeError('CUDA error: out of memory')", "outOfMemory", "out of memory"),
        ("raise OSError(12, 'Cannot allocate memory')", "outOfMemory", "Cannot allocate memory"),
        ("raise OSError(28, 'No space left on device', '/x')", "trainerError", "the disk is full while writing /x"),
        ("raise RuntimeError('😀' * 30000)", "trainerError", "😀"),
        ("raise RuntimeError('lone \\ud800 surrogate')", "trainerError", "surrogate"),
        ("raise RuntimeError", "trainerError", "RuntimeError"),
        ("for _ in app.epochs(): pass", "trainerError", "end_epoch"),
        ("for _ in app.batches([1]): pass", "trainerError", "belongs in an epoch"),
        ("next(app.epochs()); app.end_epoch({'m': float('inf')})", "nan", "m became inf"),
        ("next(app.epochs()); app.end_epoch({'m': 'x'})", "trainerError", "ValueError"),
        ("next(app.epochs()); app.end_epoch({'': 1})", "trainerError", "1 to 200 characters"),
        ("next(app.epochs()); app.end_epoch({'m': 1})", "trainerError", "app.state"),
        ("epochal.Application(trainer)", "trainerError", "one Application"),
        ("raise KeyboardInterrupt", "trainerError", "KeyboardInterrupt"),
    ],
)
def test_whatever_a_trainer_raises(start: Start, body: str, kind: str, message: str) -> None:
    trainer = start(HEAD + RAISES.format(body=body))
    assert trainer.end() not in (0, None)
    assert trainer.failed["kind"] == kind
    assert message in trainer.failed["message"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"protocol": 2}, "protocol"),
        ({"epochs": 0}, "epochs"),
        ({"parameters": {"batches": 0}}, "parameters.batches is 0: must be at least 1"),
        ({"parameters": {"colour": "red"}}, "unknown field"),
        ({"resumeFrom": "/nowhere/at/all"}, "cannot be used"),
        ({"runFolder": "/nowhere/at/all"}, "cannot be used"),
    ],
)
def test_a_session_that_cannot_be(start: Start, fields: dict[str, object], message: str) -> None:
    trainer = start(**fields)
    assert trainer.end() == 1
    assert trainer.failed["kind"] == "setUp"
    assert message in trainer.failed["message"]


def test_a_checkpoint_that_is_cut_short(start: Start) -> None:
    first = start(epochs=1)
    assert first.end() == 0
    (first.folder / "checkpoints" / "epoch-0001" / "weights.json").write_text("{")
    again = start(resumeFrom=str(first.folder / "checkpoints" / "epoch-0001"))
    assert again.end() == 1
    assert again.failed["kind"] == "setUp"


def test_data_that_shrank(start: Start) -> None:
    first = start(parameters={"batch_seconds": 0.12, "validation_batches": 1000})
    first.wait_for("batch", batch=4)
    first.stop()
    assert first.end() == 0
    again = start(parameters={"batches": 2}, resumeFrom=first.last_checkpoint)
    assert again.end() == 1
    assert again.failed["kind"] == "data"
    assert "the data now give 2 batches" in again.failed["message"]


def test_a_checkpoint_of_the_same_position_is_replaced(start: Start) -> None:
    """A run that was rolled back comes to a position where a checkpoint of its former life still lies."""
    first = start(epochs=2)
    assert first.end() == 0
    broken = first.folder / "checkpoints" / "epoch-0002" / "weights.json"
    broken.write_text("not the same bytes")
    again = start(epochs=2, resumeFrom=str(first.folder / "checkpoints" / "epoch-0001"))
    assert again.end() == 0
    assert verify_checkpoint(broken.parent)["session"] == again.session["session"]


@pytest.mark.parametrize(
    "body",
    [
        "(folder / 'l').symlink_to('/etc/passwd')",
        "(folder / 'l').symlink_to(folder)",
        "(folder / 'checkpoint.json').touch()",
    ],
)
def test_a_checkpoint_holds_plain_files_of_the_trainers_own(start: Start, body: str) -> None:
    script = f"""
def save(folder):
    {body}
app = epochal.Application(trainer)
train_epochs(app)
"""
    trainer = start(HEAD.replace("weights = [0]", "weights = [0]") + script)
    assert trainer.end() == 1
    assert trainer.failed["kind"] == "trainerError"
    assert not list((trainer.folder / "checkpoints").iterdir())


def test_folders_in_a_checkpoint(start: Start) -> None:
    script = """
def save(folder):
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "c.txt").write_text("c")
    (folder / "newest.txt").symlink_to("a/b/c.txt")
app = epochal.Application(trainer)
train_epochs(app)
"""
    trainer = start(HEAD + script, epochs=1)
    assert trainer.end() == 0
    assert {"a/b/c.txt", "newest.txt"} <= {file["path"] for file in trainer.of("checkpoint")[0]["checkpoint"]["files"]}
    newest = Path(trainer.last_checkpoint, "newest.txt")
    assert newest.read_text() == "c"
    assert not newest.is_symlink()
    assert trainer.checkpoints
