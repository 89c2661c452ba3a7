"""An mmdet training that was interrupted anywhere ends with the weights of one that was not."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import SMALL_NETWORK
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


def _saved(trainer: TrainerProcess, checkpoint: str) -> dict[str, Any]:
    return torch.load(Path(checkpoint_path(trainer, checkpoint), "checkpoint.pth"), weights_only=False)


def _tensors(trainer: TrainerProcess, checkpoint: str = "epoch-0003") -> dict[str, torch.Tensor]:
    """Every tensor of the model and the optimizer, by name."""
    saved = _saved(trainer, checkpoint)
    tensors = {f"model {name}": value for name, value in saved["state_dict"].items()}
    for index, state in saved["optimizer"]["state"].items():
        tensors |= {f"optimizer {index} {name}": value for name, value in state.items() if torch.is_tensor(value)}
    return tensors


def _same(one: TrainerProcess, other: TrainerProcess) -> None:
    assert all_metrics(one) == all_metrics(other)
    wanted, got = _tensors(other), _tensors(one)
    assert wanted.keys() == got.keys()
    assert [name for name in wanted if not torch.equal(wanted[name], got[name])] == []
    assert _saved(one, "epoch-0003")["param_schedulers"] == _saved(other, "epoch-0003")["param_schedulers"]
    assert progress(one, "epoch-0003")["best"] == progress(other, "epoch-0003")["best"]


@pytest.mark.parametrize(("phase", "batch"), [("train", 2), ("validate", 1)])
def test_a_stop_and_what_follows(start: Start, reference: TrainerProcess, phase: str, batch: int) -> None:
    first = stopped_in(partial(start, epochs=3), phase, 2, batch, batches=5)
    again = ended_well(start(epochs=3, run=first.folder.name, resumeFrom=first.last_checkpoint), 3)
    assert again.wait_for("ready")["resumedFrom"] == {"epoch": 1, "batch": first.stopped[1]}
    _same(again, reference)


def test_a_kill_and_what_follows(start: Start, reference: TrainerProcess) -> None:
    first = start(epochs=3)
    first.wait_for("epoch", epoch=1)
    first.wait_for("batch", epoch=2, phase="train")
    first.kill()
    again = ended_well(start(epochs=3, resumeFrom=checkpoint_path(first, "epoch-0001")), 3)
    assert {event["epoch"] for event in again.of("batch")} == {2, 3}
    _same(again, reference)


def test_averaged_weights_stopped_in_validation(start: Start) -> None:
    """Hooks of the config are respected; one that averages weights puts them in the model's place to validate."""
    hooks = {**SMALL_NETWORK, "custom_hooks": [{"type": "EMAHook", "momentum": 0.01}]}
    reference = ended_well(start(epochs=2, run="uninterrupted", parameters={"overrides": hooks}), 2)
    hooked = partial(start, epochs=2, parameters={"overrides": hooks})
    first = stopped_in(hooked, "validate", 1, 1, batches=5)
    again = ended_well(hooked(run=first.folder.name, resumeFrom=first.last_checkpoint), 2)
    assert all_metrics(again) == all_metrics(reference)
    wanted, got = _saved(reference, "epoch-0002"), _saved(again, "epoch-0002")
    for part in ("state_dict", "ema_state_dict"):
        assert [name for name in wanted[part] if not torch.equal(wanted[part][name], got[part][name])] == []


def test_the_end_is_done_again(start: Start, reference: TrainerProcess) -> None:
    does_again_what_follows(start, reference, 3)


def test_a_finished_run_is_extended(start: Start, reference: TrainerProcess) -> None:
    again = start(epochs=4, resumeFrom=checkpoint_path(reference, "epoch-0003"), run="extended")
    assert again.end() == 0, again.account()
    assert again.stopped == (4, 0)
    assert {event["epoch"] for event in again.of("batch")} == {4}
    assert _saved(again, "epoch-0004")["meta"]["iter"] == 20
    # Steps down after epochs 2 and 3 of three are ones after epochs 3 and 4 of four: the second is still to come.
    assert metrics(again, "lr") == pytest.approx(metrics(reference, "lr")[2:])
    assert [event for event in again.of("note") if "planned for 3 epochs and has 4 now" in event["message"]]


def test_weights_alone_and_from_a_file(start: Start, reference: TrainerProcess) -> None:
    folder = checkpoint_path(reference, "epoch-0003")
    again = ended_well(start(epochs=1, resumeFrom=folder, keepProgress=False), 1)
    assert _saved(again, "epoch-0001")["meta"]["iter"] == 5
    own = {"weights": str(Path(folder, "checkpoint.pth")), "config": str(Path(folder, "config.py"))}
    from_files = ended_well(start(epochs=1, run="files", parameters=own), 1)
    assert metrics(from_files, "train_loss")[0] < metrics(reference, "train_loss")[0]
