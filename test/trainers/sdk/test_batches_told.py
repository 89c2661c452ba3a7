"""Which batches are told of, and when: live progress has to be true, however slow the machine is."""

from __future__ import annotations

from itertools import pairwise

import pytest
from conftest import Start
from test_application import HEAD
from trainer_process import TrainerProcess


def test_the_first_and_the_last_batch_are_always_told(start: Start) -> None:
    trainer = start(epochs=2, parameters={"batches": 5000, "validation_batches": 300})
    assert trainer.end() == 0
    for epoch in (1, 2):
        for phase, count in (("train", 5000), ("validate", 300)):
            told = [e for e in trainer.of("batch") if (e["phase"], e["epoch"]) == (phase, epoch)]
            assert (told[0]["batch"], told[-1]["batch"]) == (1, count)
            assert all(event["batches"] == count for event in told)
            assert len(told) < count / 10


def test_how_far_a_set_up_is_is_told_now_and_then(start: Start) -> None:
    """However often the trainer says it; the last of it always."""
    trainer = start(epochs=1, parameters={"set_up_images": 200})
    assert trainer.end() == 0
    told = trainer.of("setUpProgress")
    assert {(event["doing"], event["total"]) for event in told} == {("Looking at images", 200)}
    # What was before there was a worker, or while one was slow to read, is told by what follows it.
    assert told[-1]["done"] == 200
    assert all(earlier["done"] < later["done"] for earlier, later in pairwise(told))
    assert len(told) < 50
    kinds = [event["type"] for event in trainer.events]
    assert kinds.index("setUpProgress") < kinds.index("ready")


LEAVES_EARLY = """
app = epochal.Application(trainer)
app.state(save=save, load=load)
for epoch in app.epochs():
    for batch in app.batches(range(9)):
        time.sleep(0.15)  # longer than between two live lines: each batch would be told at once
        if batch == 2:
            {leave}
    {then}
    app.end_epoch({{"m": 1}})
"""


def _trained(trainer: TrainerProcess) -> list[int]:
    return [event["batch"] for event in trainer.of("batch") if event["phase"] == "train"]


def test_a_batch_that_fails_is_not_told_as_trained(start: Start) -> None:
    trainer = start(HEAD + LEAVES_EARLY.format(leave='raise ValueError("no")', then="pass"), epochs=1)
    assert trainer.end() != 0
    trainer.wait_for("failed", kind="trainerError")
    assert _trained(trainer) == [1, 2]


@pytest.mark.parametrize(
    "then",
    ["pass", "for batch in app.validation_batches(range(2)): pass", "for batch in app.batches(range(1)): pass"],
    ids=["the end of the epoch", "validation", "another loop"],
)
def test_a_batch_with_a_break_is_told_when_the_training_goes_on(start: Start, then: str) -> None:
    trainer = start(HEAD + LEAVES_EARLY.format(leave="break", then=then), epochs=1)
    assert trainer.end() == 0
    assert _trained(trainer)[:3] == [1, 2, 3]
