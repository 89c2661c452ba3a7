"""The example of `docs/trainers.md`: it is the file, and it does what the document says."""

from __future__ import annotations

import re

from conftest import Start
from trainer_process import REPOSITORY, weights

MY_TRAINER = REPOSITORY / "trainers" / "examples" / "my_trainer.py"


def test_the_document_shows_the_file() -> None:
    document = (REPOSITORY / "docs" / "trainers.md").read_text()
    shown = re.findall(r"```python\n(# /// script\n.*?)```", document, re.DOTALL)
    assert shown == [MY_TRAINER.read_text()]


def test_it_learns(start: Start) -> None:
    trainer = start(MY_TRAINER, epochs=5)
    assert trainer.end() == 0
    assert trainer.rows()[-1]["metrics"]["accuracy"] > 0.6
    assert trainer.rows()[-1]["metrics"]["train_loss"] < trainer.rows()[0]["metrics"]["train_loss"]
    assert "stopped early: False" in (trainer.folder / "artifacts" / "summary.txt").read_text()


def test_it_is_stopped_and_goes_on_exactly(start: Start) -> None:
    parameters = {"samples": 100_000, "batch_size": 10}
    whole = start(MY_TRAINER, epochs=2, parameters=parameters)
    assert whole.end() == 0
    wanted = weights(whole, "weights.npz", "epoch-0002")
    folder = whole.folder.parent / "stopped"
    first = start(MY_TRAINER, folder=folder, epochs=2, parameters=parameters)
    first.wait_for("batch", phase="train", epoch=2)
    first.stop()
    assert first.end() == 0
    assert first.stopped[0] == 1
    assert "stopped early: True" in (folder / "artifacts" / "summary.txt").read_text()
    again = start(MY_TRAINER, folder=folder, epochs=2, parameters=parameters, resumeFrom=first.last_checkpoint)
    assert again.end() == 0
    assert weights(again, "weights.npz", "epoch-0002") == wanted
