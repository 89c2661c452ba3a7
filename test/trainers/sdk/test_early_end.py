"""A trainer that ends before the last epoch, by its own decision: told as that, and never for a stop or a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import Start
from test_application import HEAD
from trainer_process import TrainerProcess


def _early_end(trainer: TrainerProcess) -> dict[str, Any]:
    """Its one `endedEarly` event, after an end in good order."""
    assert trainer.end() == 0, trainer.account()
    (event,) = trainer.of("endedEarly")
    assert trainer.events[-1]["type"] == "stopped"
    assert trainer.events[-1]["finished"] is True
    return event


@pytest.mark.parametrize("how", ["call", "break", "exit", "stop"])
def test_it_says_so(start: Start, how: str) -> None:
    trainer = start(epochs=5, parameters={"early_end": f"2:{how}"})
    event = _early_end(trainer)
    assert event["epoch"] == 2
    assert event["reason"] == ("asked to end early" if how == "call" else "no epoch followed epoch 2")
    assert trainer.stopped == (2, 0)
    assert trainer.checkpoints == ["epoch-0001", "epoch-0002"]
    # What follows the loop is not a silence between two batches.
    assert how in ("exit", "stop") or trainer.of("phase")[-1]["phase"] == "finish"
    assert (trainer.folder / "artifacts" / "final.json").exists() == (how in ("call", "break"))


def test_what_follows_is_done_again_and_nothing_trained(start: Start) -> None:
    trainer = start(epochs=5, parameters={"early_end": "2:call", "fail_at": "finish", "fail_kind": "kill"})
    assert trainer.end() != 0
    assert trainer.of("endedEarly")
    assert not trainer.of("stopped")
    again = start(run=trainer.folder.name, epochs=5, resumeFrom=trainer.last_checkpoint, endsAfter=2)
    assert again.end() == 0
    assert again.stopped == (2, 0)
    assert again.events[-1]["finished"] is True
    assert not again.of("epoch")
    assert json.loads((again.folder / "artifacts" / "final.json").read_text())["count"] == 10
    # Who continues it in another run trains on.
    further = start(run="further", epochs=4, resumeFrom=again.last_checkpoint)
    assert further.end() == 0
    assert further.stopped == (4, 0)
    assert not further.of("endedEarly")


def test_it_is_told_of_the_epoch_that_was_the_last(start: Start) -> None:
    """Also where it is decided on before the checkpoint of the epoch before is whole."""
    script = """
from epochal import checkpoints

decided = threading.Event()
make_durable = checkpoints.sha256_and_sync

def late(path, **how):
    decided.wait(60)
    return make_durable(path, **how)

checkpoints.sha256_and_sync = late
app = epochal.Application(trainer)
app.state(save=save, load=load)
for epoch in app.epochs():
    for batch in app.batches(range(3)):
        pass
    if epoch == 2:
        app.end_early("enough")
        decided.set()
    app.end_epoch({"loss": 1.0})
app.stop()
"""
    event = _early_end(start(HEAD + script, epochs=5))
    assert event == {"type": "endedEarly", "epoch": 2, "reason": "enough"}


def test_a_stop_is_no_early_end(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
app.state(save=save, load=load)
for epoch in app.epochs():
    for batch in app.batches(range(3)):
        time.sleep(0.1)
    app.end_epoch({"m": 0})
    wait_for(os.path.join(app.get_synced_data_dir(), "..", "asked"))
    app.end_early("as it was stopped")
    if app.is_stopped():
        break
"""
    trainer = start(HEAD + script)
    trainer.wait_for("epoch", epoch=1)
    trainer.stop("epoch")
    trainer.wait_for("acknowledged", command="stop")
    (trainer.folder / "asked").touch()
    assert trainer.end() == 0
    assert trainer.stopped == (1, 0)
    assert trainer.events[-1]["finished"] is False
    assert not trainer.of("endedEarly")


@pytest.mark.parametrize("leave", ["sys.exit(3)", "sys.exit('no more room')"])
def test_an_exit_code_of_a_script_is_no_early_end(start: Start, leave: str) -> None:
    """Also of one that has neither `epochal.main(trainer)` nor `app.stop()`, which is told nothing of its own end."""
    begin = "app = epochal.Application(trainer)\napp.state(save=save, load=load)\n"
    body = f"for epoch in app.epochs():\n    app.end_epoch({{'m': 0}})\n    {leave}\n"
    trainer = start(HEAD + begin + body)
    assert trainer.end() == (3 if "3" in leave else 1)
    assert trainer.checkpoints == ["epoch-0001"]
    assert trainer.events[-1]["finished"] is False
    assert not trainer.of("endedEarly")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("for batch in app.batches(range(3)): pass\n    break", "trainerError"),
        ("app.end_early('enough')\n    raise ValueError('broken')", "trainerError"),
    ],
    ids=["nothing is trained", "an error after it"],
)
def test_a_failure_is_no_early_end(start: Start, body: str, kind: str) -> None:
    begin = "app = epochal.Application(trainer)\napp.state(save=save, load=load)\n"
    script = f"{begin}for epoch in app.epochs():\n    {body}\n"
    trainer = start(HEAD + script)
    trainer.end()
    assert trainer.failed["kind"] == kind
    assert not trainer.of("endedEarly")


def test_an_end_before_anything_was_trained_is_a_failure(start: Start) -> None:
    begin = "app = epochal.Application(trainer)\napp.end_early('there is nothing to learn')\n"
    trainer = start(f"{HEAD}{begin}train_epochs(app)\n")
    trainer.end()
    assert "ended before its first checkpoint" in trainer.failed["message"]
    assert not trainer.of("endedEarly")


def test_an_epoch_that_is_left_in_its_middle_is_no_part_of_it(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
app.state(save=save, load=load)
for epoch in app.epochs():
    for batch in app.batches(range(3)):
        if epoch == 2:
            app.end_early("enough")
            break
    if epoch == 2:
        break
    app.end_epoch({"m": 0})
"""
    trainer = start(HEAD + script)
    assert _early_end(trainer) == {"type": "endedEarly", "epoch": 1, "reason": "enough"}
    assert trainer.checkpoints == ["epoch-0001"]


def test_its_own_stop_from_another_thread(start: Start) -> None:
    script = """
app = epochal.Application(trainer)
threading.Timer(0.2, app.stop).start()
train_epochs(app, endless=1)
"""
    trainer = start(HEAD + script)
    assert _early_end(trainer) == {"type": "endedEarly", "epoch": 0, "reason": "app.stop() was called"}
    assert trainer.checkpoints
