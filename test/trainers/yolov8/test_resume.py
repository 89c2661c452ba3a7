"""A YOLO training that was interrupted anywhere ends with the weights of one that was not."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import pytest
import torch
from heavy_trainers import (
    Start,
    all_metrics,
    checkpoint_path,
    does_again_what_follows,
    ended_well,
    metrics,
    progress,
    stopped_in,
)
from trainer_process import TrainerProcess


def _training(trainer: TrainerProcess, checkpoint: str = "epoch-0003") -> dict[str, torch.Tensor]:
    """Every tensor of the model, its average and the optimizer, by name."""
    saved = torch.load(Path(checkpoint_path(trainer, checkpoint), "training.pt"), weights_only=True)
    tensors = {f"{part} {name}": value for part in ("model", "ema") for name, value in saved[part].items()}
    for index, state in saved["optimizer"]["state"].items():
        tensors |= {f"optimizer {index} {name}": torch.as_tensor(value) for name, value in state.items()}
    return tensors


def _same(one: TrainerProcess, other: TrainerProcess) -> None:
    assert all_metrics(one) == all_metrics(other)
    wanted, got = _training(other), _training(one)
    assert wanted.keys() == got.keys()
    assert [name for name in wanted if not torch.equal(wanted[name], got[name])] == []
    assert progress(one, "epoch-0003")["best"] == progress(other, "epoch-0003")["best"]


def test_stopped_twice_and_killed(start: Start, reference: TrainerProcess) -> None:
    """One run is stopped while it trains, while it validates, and killed: each part continues where the last ended."""
    whole = partial(start, epochs=3)
    first = stopped_in(whole, "train", 2, 2, batches=6)
    second = stopped_in(whole, "validate", 2, 1, batches=6, after=first)
    assert second.wait_for("ready")["resumedFrom"] == {"epoch": 1, "batch": first.stopped[1]}
    third = whole(run=second.folder.name, resumeFrom=second.last_checkpoint)
    assert third.wait_for("ready")["resumedFrom"] == {"epoch": 1, "batch": 6}
    third.wait_for("epoch", epoch=2)
    third.wait_for("batch", epoch=3, phase="train")
    third.kill()
    last = ended_well(whole(run=third.folder.name, resumeFrom=checkpoint_path(third, "epoch-0002")), 3)
    assert {event["epoch"] for event in last.of("batch")} == {3}
    _same(last, reference)


def test_the_end_is_done_again(start: Start, reference: TrainerProcess) -> None:
    does_again_what_follows(start, reference, 3)


def test_a_finished_run_is_extended(start: Start, reference: TrainerProcess) -> None:
    again = start(epochs=4, resumeFrom=checkpoint_path(reference, "epoch-0003"), run="extended")
    assert again.end() == 0, again.account()
    assert again.stopped == (4, 0)
    assert [row["epoch"] for row in again.rows()] == [4]  # in a run folder of its own
    assert {event["epoch"] for event in again.of("batch")} == {4}
    steps = {int(state["step"]) for state in _optimizer(again, "epoch-0004").values()}
    assert steps == {24}  # 4 epochs of 6 batches: the optimizer went on, it did not begin anew
    # A line through four epochs instead of three, to a hundredth of where it began.
    before, now = 0.99 * (1 - 2 / 3) + 0.01, 0.99 * (1 - 3 / 4) + 0.01
    assert metrics(again, "lr")[0] / metrics(reference, "lr")[2] == pytest.approx(now / before)
    assert [event for event in again.of("note") if "planned for 3 epochs and has 4 now" in event["message"]]


def test_weights_alone_in_halves_of_the_batch(start: Start, reference: TrainerProcess) -> None:
    """A new training from another one's weights, after out-of-memory: as many steps, each of twice as many parts."""
    weights = {"resumeFrom": checkpoint_path(reference, "epoch-0003"), "keepProgress": False}
    again = ended_well(start(epochs=1, batchDivisor=2, **weights), 1)
    assert again.rows()[0]["batches"] == 6
    assert {int(state["step"]) for state in _optimizer(again, "epoch-0001").values()} == {6}


def _optimizer(trainer: TrainerProcess, checkpoint: str) -> dict[int, dict[str, torch.Tensor]]:
    return torch.load(Path(checkpoint_path(trainer, checkpoint), "training.pt"), weights_only=True)["optimizer"][
        "state"
    ]


def test_the_published_weights_are_ultralytics_own(start: Start, reference: TrainerProcess) -> None:
    from ultralytics import YOLO

    weights = Path(checkpoint_path(reference, "epoch-0003"), "weights.pt")
    model = YOLO(weights)
    assert model.names == {0: "circle", 1: "square", 2: "triangle"}
    model.predict(torch.zeros(1, 3, 64, 64), verbose=False, device="cpu")
    trained = ended_well(start(epochs=1, parameters={"weights": str(weights), "freeze": 10}), 1)
    assert all(math.isfinite(value) for value in metrics(trained, "train_loss"))
    before, after = (
        torch.load(Path(checkpoint_path(run, name), "weights.pt"), weights_only=False)["model"].state_dict()
        for run, name in ((reference, "epoch-0003"), (trained, "epoch-0001"))
    )
    changed = {
        name.split(".")[1]
        for name in before
        if name.endswith("conv.weight") and not torch.equal(before[name], after[name])
    }
    assert changed.isdisjoint(map(str, range(10))), changed  # the first ten layers are frozen
    assert changed
