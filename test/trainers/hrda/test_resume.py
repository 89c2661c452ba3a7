"""An adaptation that was interrupted anywhere ends with the weights of one that was not: student and teacher."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL
from epochal import save_arrays
from heavy_trainers import (
    Start,
    TrainerProcess,
    all_metrics,
    checkpoint_path,
    digest,
    does_again_what_follows,
    ended_well,
    metrics,
    progress,
    stopped_in,
)

FILES = ("weights.safetensors", "teacher.safetensors", "training.pt", "class_statistics.npz")
#: Slow enough for a command to arrive within the epoch.
SLOW = {"batch_delay_seconds": 0.3}


def assert_equal(again: TrainerProcess, reference: TrainerProcess, checkpoint: str = "epoch-0003") -> None:
    """Weights, averaged weights and optimizer bit for bit, and every metric of every epoch."""
    for file in FILES:
        assert digest(again, checkpoint, file) == digest(reference, checkpoint, file), file
    assert all_metrics(again) == all_metrics(reference)
    assert progress(again, checkpoint)["best"] == progress(reference, checkpoint)["best"]


@pytest.mark.parametrize(("phase", "batch"), [("train", 2), ("validate", 1)])
def test_a_stop_and_what_follows(start: Start, reference: TrainerProcess, phase: str, batch: int) -> None:
    slow = partial(start, epochs=3, parameters=SLOW)
    first = stopped_in(slow, phase, 2, batch, SMALL["iterations_per_epoch"])
    again = ended_well(start(run=first.folder.name, epochs=3, resumeFrom=first.last_checkpoint), 3)
    assert again.wait_for("ready")["resumedFrom"] == {"epoch": 1, "batch": first.stopped[1]}
    assert_equal(again, reference)


def test_kill_9_in_epoch_2(start: Start, reference: TrainerProcess) -> None:
    first = start(epochs=3, parameters=SLOW)
    first.wait_for("epoch", epoch=1)
    first.wait_for("batch", epoch=2, phase="train")
    first.kill()
    assert first.checkpoints == ["epoch-0001"]
    again = ended_well(start(epochs=3, resumeFrom=first.last_checkpoint), 3)
    assert {event["epoch"] for event in again.of("batch")} == {2, 3}
    assert_equal(again, reference)


def test_kill_9_after_a_save_within_the_epoch(start: Start, reference: TrainerProcess) -> None:
    first = start(epochs=3, parameters=SLOW, everyBatches=2)
    first.wait_for(lambda event: event["type"] == "checkpoint" and event["checkpoint"]["batch"] == 4)
    first.kill()
    resume_from = checkpoint_path(first, "epoch-0000-batch-000004")
    again = ended_well(start(epochs=3, parameters={"workers": 1}, resumeFrom=resume_from), 3)
    assert_equal(again, reference)  # also with a process that loads, which the reference did without


def test_the_end_is_done_again(start: Start, reference: TrainerProcess) -> None:
    does_again_what_follows(start, reference, 3)


def test_class_statistics_are_the_runs_own(start: Start, reference: TrainerProcess, tmp_path: Path) -> None:
    """A checkpoint's counts decide what is drawn, not those of a data set that was edited meanwhile."""
    edited = tmp_path / "checkpoint"
    shutil.copytree(checkpoint_path(reference, "epoch-0002"), edited)
    counts = np.load(edited / "class_statistics.npz")["counts"]
    only_cars = np.zeros_like(counts)
    only_cars[0, 4] = 100
    save_arrays(edited / "class_statistics.npz", {"counts": only_cars})
    again = start(epochs=3, resumeFrom=str(edited))
    assert again.end() == 0, again.account()
    assert digest(again, "epoch-0003", "weights.safetensors") != digest(reference, "epoch-0003", "weights.safetensors")
    kept = np.load(Path(checkpoint_path(again, "epoch-0003"), "class_statistics.npz"))["counts"]
    assert (kept == only_cars).all()


def test_a_finished_run_is_extended(start: Start, reference: TrainerProcess) -> None:
    again = start(epochs=4, resumeFrom=checkpoint_path(reference, "epoch-0003"))
    assert again.end() == 0, again.account()
    assert again.stopped == (4, 0)
    assert metrics(again, "learning_rate") == [pytest.approx(0.001 * (1 - 23 / 24))]
    assert [event for event in again.of("note") if "planned for 3 epochs and has 4 now" in event["message"]]


def test_from_the_weights_of_another_training(start: Start, reference: TrainerProcess) -> None:
    weights = checkpoint_path(reference, "epoch-0003")
    by_session = ended_well(start(run="session", epochs=1, resumeFrom=weights, keepProgress=False), 1)
    assert by_session.wait_for("ready")["resumedFrom"] is None
    file = {"weights": f"{weights}/weights.safetensors"}
    by_parameter = ended_well(start(run="parameter", epochs=1, parameters=file), 1)
    began = [metrics(one, "source_loss")[0] for one in (by_session, by_parameter)]
    assert max(began) < metrics(reference, "source_loss")[0]
    other = start(run="other", epochs=1, parameters={**file, "decoder_channels": 8})
    assert other.end() == 1
    assert other.failed["kind"] == "setUp"
    assert "another model" in other.failed["message"]


def test_features_are_held_near_pretrained_ones(start: Start, tmp_path: Path) -> None:
    from encoders import mix_transformer_config
    from transformers import SegformerModel

    SegformerModel(mix_transformer_config("mit_tiny", 0.0)).save_pretrained(tmp_path / "pretrained")
    parameters = {
        "encoder_weights": str(tmp_path / "pretrained"),
        "evaluate": "teacher",
        "class_weights": "median_frequency",
        # The coarsest map has a place for each 64 pixels of a crop: enlarged, some of those are of one class.
        "thing_classes": ["sky", "building", "road"],
        "source_width": 512,
        "crop_size": 256,
        "iterations_per_epoch": 3,
        "warmup_iterations": 0,  # the student begins as the pretrained encoder, and has to get away from it
    }
    trainer = ended_well(start(epochs=1, parameters=parameters), 1)
    assert metrics(trainer, "feature_loss")[0] > 0
    assert not [event for event in trainer.of("note") if "feature distance" in event["message"]]


def test_parts_of_a_batch_after_out_of_memory(start: Start) -> None:
    trainer = ended_well(start(epochs=1, batchDivisor=2, parameters={"precision": "bfloat16"}), 1)
    assert trainer.rows()[0]["batches"] == SMALL["iterations_per_epoch"]


def test_two_processes_stop_together_and_go_on(start: Start) -> None:
    two = {"processes": 2}
    whole = ended_well(start(run="whole", epochs=2, parameters=two), 2)
    slow = partial(start, epochs=2, parameters={**two, **SLOW})
    first = stopped_in(slow, "train", 2, 2, SMALL["iterations_per_epoch"])
    again = start(run=first.folder.name, epochs=2, parameters=two, resumeFrom=first.last_checkpoint)
    ended_well(again, 2)
    assert_equal(again, whole, "epoch-0002")
