"""A training that was interrupted anywhere ends with the weights of one that was not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Start
from trainer_process import REPOSITORY, TrainerProcess, until, weights

DIGITS = REPOSITORY / "trainers" / "digits" / "trainer.py"
SLOW = 0.12  # every batch is told of: at most about ten a second are


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> TrainerProcess:
    """Counter, never interrupted."""
    trainer = TrainerProcess(REPOSITORY / "test/trainers/counter.py", tmp_path_factory.mktemp("reference"))
    assert trainer.end() == 0
    return trainer


@pytest.fixture(scope="module")
def digits_reference(tmp_path_factory: pytest.TempPathFactory) -> TrainerProcess:
    """Digits, never interrupted."""
    trainer = TrainerProcess(DIGITS, tmp_path_factory.mktemp("digits"), epochs=2)
    assert trainer.end() == 0
    return trainer


def _same_rows(one: TrainerProcess, other: TrainerProcess) -> bool:
    keys = ("epoch", "batches", "metrics")
    return [[row[key] for key in keys] for row in one.rows()] == [[row[key] for key in keys] for row in other.rows()]


@pytest.mark.parametrize(("phase", "batch"), [("train", 1), ("train", 5), ("validate", 1), ("validate", 2)])
def test_a_stop_at_any_batch(start: Start, reference: TrainerProcess, phase: str, batch: int) -> None:
    first = start(parameters={"batch_seconds": SLOW})
    first.wait_for("batch", phase=phase, epoch=2, batch=batch)
    first.stop()
    assert first.end() == 0
    epoch, batch_of_stop = first.stopped
    assert first.events[-1]["batchesAfterStop"] <= 1
    assert 2 * SLOW <= first.rows()[0]["validationSeconds"] <= first.rows()[0]["seconds"] - 5 * SLOW
    again = start(resumeFrom=first.last_checkpoint)
    assert again.end() == 0
    assert again.wait_for("ready")["resumedFrom"] == {"epoch": epoch, "batch": batch_of_stop}
    assert again.stopped == (3, 0)
    assert weights(again) == weights(reference)
    assert _same_rows(again, reference)
    trained_before_stop = batch_of_stop if epoch == 1 else 0
    assert again.rows()[1]["seconds"] >= trained_before_stop * SLOW  # summed over the interruption


def test_a_stop_at_every_boundary_in_turn(start: Start, reference: TrainerProcess, tmp_path: Path) -> None:
    """Interrupted again and again, after a batch each time: every single boundary was resumed from."""
    resume_from = None
    for batch in range(1, 6):
        (tmp_path / f"1:{batch}").touch()
        trainer = start(parameters={"holds": str(tmp_path)}, resumeFrom=resume_from)
        until((tmp_path / f"1:{batch} is reached").exists, trainer.account)
        trainer.stop()  # It lets go of the batch by itself.
        assert trainer.end() == 0
        assert trainer.stopped == (0, batch)
        resume_from = trainer.last_checkpoint
    trainer = start(resumeFrom=resume_from)
    assert trainer.end() == 0
    assert weights(trainer) == weights(reference)


def test_a_kill_resumed_from_the_last_epoch(start: Start, reference: TrainerProcess) -> None:
    first = start(parameters={"fail_at": "2:3", "fail_kind": "kill"})
    assert first.end() == -9
    assert first.checkpoints == ["epoch-0001"]
    again = start(parameters={"fail_at": "2:3", "fail_kind": "kill"}, resumeFrom=first.last_checkpoint)
    assert again.end() == 0
    assert weights(again) == weights(reference)
    assert _same_rows(again, reference)


def test_a_kill_resumed_within_the_epoch(start: Start, reference: TrainerProcess) -> None:
    parameters = {"fail_at": "2:4", "fail_kind": "kill"}
    first = start(parameters=parameters, everyBatches=2)
    assert first.end() == -9
    assert first.checkpoints[-1] == "epoch-0001-batch-000002"
    again = start(parameters=parameters, everyBatches=2, resumeFrom=first.last_checkpoint)
    assert again.end() == 0
    assert weights(again) == weights(reference)
    assert _same_rows(again, reference)


def test_a_kill_before_the_first_checkpoint(start: Start, reference: TrainerProcess) -> None:
    parameters = {"fail_at": "1:4", "fail_kind": "kill"}
    assert start(parameters=parameters).end() == -9
    again = start(parameters=parameters)
    assert again.end() == 0
    assert weights(again) == weights(reference)


@pytest.mark.parametrize(("phase", "batch"), [("train", 30), ("validate", 2)])
def test_digits_stopped(start: Start, digits_reference: TrainerProcess, phase: str, batch: int) -> None:
    first = start(DIGITS, epochs=2, everyBatches=1)  # a save in each batch changes nothing either
    first.wait_for(lambda event: event["type"] == "batch" and event["phase"] == phase and event["batch"] >= batch)
    first.stop()
    assert first.end() == 0
    again = start(DIGITS, epochs=2, resumeFrom=first.last_checkpoint)
    assert again.end() == 0
    for file in ("weights.npz", "optimizer.npz"):
        assert weights(again, file, "epoch-0002") == weights(digits_reference, file, "epoch-0002")
    assert _same_rows(again, digits_reference)


def test_digits_killed(start: Start, digits_reference: TrainerProcess) -> None:
    first = start(DIGITS, epochs=2)
    first.wait_for("epoch", epoch=1)
    first.kill()
    names = [path.name for path in (first.folder / "checkpoints").glob("epoch-*")]
    again = start(DIGITS, epochs=2, resumeFrom=str(first.folder / "checkpoints" / max(names)))
    assert again.end() == 0
    assert weights(again, "weights.npz", "epoch-0002") == weights(digits_reference, "weights.npz", "epoch-0002")
    assert _same_rows(again, digits_reference)
    assert again.checkpoints[-1] == "epoch-0002"  # and nothing half-written beside it


def test_any_iterable_and_the_shared_generators(start: Start, tmp_path: Path) -> None:
    """A shuffle by `random`, a generator as loader, numpy's shared generator in a batch, two loops an epoch."""
    script = """
import json, random, time, numpy, epochal
from pathlib import Path

trainer = epochal.Trainer(name="own", title="", description="", metrics=[epochal.Metric("m", "")], best=("m", "min"))

@trainer.train
def train(app):
    app.seed_everything()
    total = [0.0]
    def load(folder):
        total[0] = json.loads((folder / "w.json").read_text())
    app.state(save=lambda folder: (folder / "w.json").write_text(json.dumps(total[0])), load=load)
    def loader(order):
        for item in order:
            yield item + random.random()
    for epoch in app.epochs():
        order = list(range(4))
        random.shuffle(order)
        for part in (1, 2):
            for item in app.batches(loader(order), total=4):
                total[0] = total[0] * 1.1 + item * numpy.random.rand()
                time.sleep(0.02)
            for _ in app.validation_batches(range(2)):
                numpy.random.rand()
        app.end_epoch({"m": total[0]})

epochal.main(trainer)
"""
    reference = start(script, folder=tmp_path / "reference", epochs=2)
    assert reference.end() == 0
    for batch in (3, 4, 8):
        folder = tmp_path / f"at-{batch}"
        first = start(script, folder=folder, epochs=2, everyBatches=1)
        first.wait_for(
            lambda event, batch=batch: event["type"] == "checkpoint" and event["checkpoint"]["batch"] == batch
        )
        first.kill()
        resume_from = folder / "checkpoints" / f"epoch-0000-batch-{batch:06d}"
        again = start(script, folder=folder, epochs=2, resumeFrom=str(resume_from))
        assert again.end() == 0
        assert weights(again, "w.json", "epoch-0002") == weights(reference, "w.json", "epoch-0002"), batch


def test_best_so_far_goes_on(start: Start) -> None:
    parameters = {"score_peak": 1}
    first = start(parameters=parameters, epochs=2)
    assert first.end() == 0
    progress = json.loads((Path(first.last_checkpoint) / "epochal.json").read_text())
    assert progress["best"] == {"metric": "score", "value": 1.0, "epoch": 1}
    again = start(parameters=parameters, epochs=3, resumeFrom=first.last_checkpoint)
    assert again.end() == 0
    progress = json.loads((Path(again.last_checkpoint) / "epochal.json").read_text())
    assert progress["best"]["epoch"] == 1
