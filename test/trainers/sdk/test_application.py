"""The words of `Application`, each with what its docstring promises."""

from __future__ import annotations

import json

import pytest
from conftest import Start
from trainer_process import TrainerProcess

HEAD = """
import ctypes, json, os, random, subprocess, sys, threading, time
import epochal
trainer = epochal.Trainer(name="own", title="", description="", metrics=[epochal.Metric("m", "")], best=("m", "min"))
def say(text):
    print(text, flush=True)
def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)
weights = [0]
def save(folder):
    (folder / "w.json").write_text(json.dumps(weights[0]))
def load(folder):
    weights[0] = json.loads((folder / "w.json").read_text())
# The epoch of number `endless` does not end by itself: what is to happen in it does, however slow the machine.
def train_epochs(app, endless=0, seconds=0.02):
    app.state(save=save, load=load)
    for epoch in app.epochs():
        for batch in app.batches(range(10**6 if epoch == endless else 3)):
            weights[0] += 1
            time.sleep(seconds)
        app.end_epoch({"m": weights[0]})
"""


def said(trainer: TrainerProcess) -> list[str]:
    return [line for line in trainer.log.splitlines() if line.startswith("- ")]


SCRIPT = """
app = epochal.Application(trainer)
with app.handle_stop(graceful={graceful}):
    train_epochs(app, endless={endless})
    say("- end of block")
say("- after block, stopped: " + str(app.is_stopped()))
app.stop()
say("- after app.stop()")
"""


def test_graceful_skips_the_rest_of_the_block_and_runs_what_follows(start: Start) -> None:
    trainer = start(HEAD + SCRIPT.format(graceful=True, endless=2))
    trainer.wait_for("batch", epoch=2)
    trainer.stop()
    assert trainer.end() == 0
    assert said(trainer) == ["- after block, stopped: True"]
    assert trainer.stopped[0] == 1
    assert trainer.of("phase")[-1]["phase"] == "finish"


def test_not_graceful_ends_as_soon_as_the_block_is_left(start: Start) -> None:
    trainer = start(HEAD + SCRIPT.format(graceful=False, endless=2))
    trainer.wait_for("batch", epoch=2)
    trainer.stop()
    assert trainer.end() == 0
    assert said(trainer) == []
    assert trainer.stopped[0] == 1


@pytest.mark.parametrize("graceful", [True, False])
def test_without_a_stop_the_block_ends_as_usual(start: Start, graceful: bool) -> None:
    trainer = start(HEAD + SCRIPT.format(graceful=graceful, endless=0))
    assert trainer.end() == 0
    assert said(trainer) == ["- end of block", "- after block, stopped: False"]
    assert trainer.stopped == (3, 0)


def test_a_script_that_forgets_app_stop(start: Start) -> None:
    trainer = start(HEAD + "app = epochal.Application(trainer)\ntrain_epochs(app)\n")
    assert trainer.end() == 0
    assert trainer.stopped == (3, 0)


def test_a_stop_that_nobody_handles_is_no_error(start: Start) -> None:
    trainer = start(HEAD + "app = epochal.Application(trainer)\ntrain_epochs(app, endless=1)\n")
    trainer.wait_for("batch")
    trainer.stop()
    assert trainer.end() == 0
    assert trainer.stopped[0] == 0
    assert "Traceback" not in trainer.log


def test_except_exception_does_not_swallow_a_stop(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
app.state(save=save, load=load)
for epoch in app.epochs():
    try:
        for batch in app.batches(range(100000)):
            time.sleep(0.02)
    except Exception:
        say("- swallowed")
    app.end_epoch({"m": 0})
"""
    trainer = start(HEAD + script)
    trainer.wait_for("batch")
    trainer.stop()
    assert trainer.end() == 0
    assert said(trainer) == []
    assert trainer.stopped[0] == 0


def test_an_exception_between_handle_stop_and_app_stop(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
app.call_before_shutdown(lambda: say("- callback"))
with app.handle_stop():
    train_epochs(app, endless=1)
raise KeyError("after the stop")
app.stop()
"""
    trainer = start(HEAD + script)
    trainer.wait_for("batch")
    trainer.stop()
    assert trainer.end() == 1
    assert trainer.failed["kind"] == "trainerError"
    assert "KeyError: 'after the stop'" in trainer.failed["message"]
    assert "scripted_trainer.py" in trainer.failed["traceback"]
    assert said(trainer) == ["- callback"]
    assert len(trainer.checkpoints) == 1  # what was trained until the stop is saved


def test_finally_app_stop_does_not_hide_a_crash(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
try:
    train_epochs(app)
    raise KeyError("a crash")
finally:
    app.stop()
"""
    trainer = start(HEAD + script)
    assert trainer.end() == 1
    assert "a crash" in trainer.failed["message"]


def test_a_replaced_exception_hook_does_not_hide_a_crash(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
sys.excepthook = lambda *args: None
raise KeyError("a crash")
"""
    trainer = start(HEAD + script)
    assert trainer.end() == 1
    assert "a crash" in trainer.failed["message"]


def test_app_stop_twice_ends_once(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
app.call_before_shutdown(lambda: say("- callback"))
train_epochs(app)
try:
    app.stop()
finally:
    app.stop()
"""
    trainer = start(HEAD + script)
    assert trainer.end() == 0
    assert trainer.stopped == (3, 0)
    assert said(trainer) == ["- callback"]


def test_app_stop_on_another_thread_asks_for_a_stop(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
threading.Timer(0.2, app.stop).start()
train_epochs(app, endless=1)
"""
    trainer = start(HEAD + script)
    assert trainer.end() == 0
    assert trainer.stopped[0] == 0
    assert trainer.checkpoints


def test_callbacks_run_once_newest_first_each_by_itself(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
def raises():
    say("- raises")
    raise RuntimeError("by the callback")
def hangs():
    say("- hangs")
    time.sleep(10**6)
def exits():
    say("- exits")
    sys.exit(7)
def stops():
    say("- stops")
    app.stop()
app.call_before_shutdown(lambda: say("- first"))
for callback in (raises, exits, stops):
    app.call_before_shutdown(callback)
app.call_before_shutdown(hangs, timeout_seconds=0.3)
app.call_before_shutdown(lambda: say("- last"))
train_epochs(app)
app.stop()
"""
    trainer = start(HEAD + script)
    assert trainer.end() == 0
    assert said(trainer) == ["- last", "- hangs", "- stops", "- exits", "- raises", "- first"]
    notes = [event["message"] for event in trainer.of("note")]
    assert any("hangs" in note and "did not end within 0.3 s" in note for note in notes)
    assert any("raised RuntimeError: by the callback" in note for note in notes)
    assert trainer.stopped == (3, 0)


def test_callbacks_run_after_a_crash_too(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
app.call_before_shutdown(lambda: say("- callback"))
raise RuntimeError("a crash")
"""
    trainer = start(HEAD + script)
    assert trainer.end() == 1
    assert said(trainer) == ["- callback"]
    assert trainer.failed["kind"] == "trainerError"


def test_is_stopped(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
app.state(save=save, load=load)
with app.handle_stop():
    for epoch in app.epochs():
        for batch in app.batches(range(3)):
            time.sleep(0.1)
        wait_for(os.path.join(app.get_synced_data_dir(), "..", "asked"))
        say(f"- in epoch {epoch}: {app.is_stopped()}")
        app.end_epoch({"m": 0})
        say(f"- after epoch {epoch}: {app.is_stopped()}")
app.stop()
"""
    trainer = start(HEAD + script)
    trainer.wait_for("batch", epoch=1)
    trainer.stop("epoch")
    trainer.wait_for("acknowledged", command="stop")
    (trainer.folder / "asked").touch()
    assert trainer.end() == 0
    assert said(trainer) == ["- in epoch 1: False", "- after epoch 1: True"]
    assert trainer.stopped == (1, 0)
    assert trainer.events[-1]["batchesAfterStop"] == 0


def test_a_loop_of_its_own_that_polls(start: Start) -> None:
    """No app.epochs: a trainer that only asks whether to stop still ends in order."""
    script = """
app = epochal.Application(trainer)
say("- ready")
while not app.is_stopped():
    time.sleep(0.01)
app.stop()
"""
    trainer = start(HEAD + script)
    trainer.wait_for("phase", phase="setUp")
    trainer.stop()
    assert trainer.end() == 0
    assert trainer.stopped == (0, 0)


def test_synced_data_dir_is_published_with_the_run(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
say("- " + app.get_synced_data_dir())
open(os.path.join(app.get_synced_data_dir(), "plot.txt"), "w").close()
app.stop()
"""
    trainer = start(HEAD + script)
    assert trainer.end() == 0
    assert said(trainer) == [f"- {trainer.folder / 'artifacts'}"]
    assert (trainer.folder / "artifacts" / "plot.txt").exists()


def test_nothing_printed_disturbs_the_protocol(start: Start) -> None:
    trainer = start(parameters={"print_noise": True})
    assert trainer.end() == 0
    assert trainer.stopped == (3, 0)
    assert '{"type":"stopped"' in trainer.log
    assert "printf in 2:3" in trainer.log
    assert "no newline at the end" in trainer.log


def test_a_bare_application(start: Start) -> None:
    trainer = start(HEAD + "app = epochal.Application()\nsay('- ' + json.dumps(app.parameters))\n", parameters={"a": 1})
    assert trainer.end() == 0
    assert trainer.wait_for("hello")["trainer"] == "scripted_trainer"
    assert [json.loads(line[2:]) for line in said(trainer)] == [{"a": 1}]
