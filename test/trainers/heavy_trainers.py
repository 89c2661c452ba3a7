"""For the tests of trainers on big frameworks: patience, and what every trainer has to keep to."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "sdk"))

import trainer_process
import warm_start
from trainer_process import PYTHON_PATH, REPOSITORY, TrainerProcess, cold_start

#: Importing a framework takes half a minute on a busy machine, minutes on an overloaded one.
trainer_process.LIMIT = 900.0

#: What the trainers of a folder import before anything else of size; its `conftest.py` may name more.
FRAMEWORK = ["torch"]

Start = Callable[..., TrainerProcess]
Event = dict[str, Any]


def trainer_file(name: str) -> Path:
    """The file of a trainer that comes with Epochal."""
    return REPOSITORY / "trainers" / name / "trainer.py"


def alone() -> None:
    """One thread for a process, so that sums are in the same order, and no way into the net."""
    nowhere = "http://127.0.0.1:9"
    os.environ.update(OMP_NUM_THREADS="1", HTTP_PROXY=nowhere, HTTPS_PROXY=nowhere, ALL_PROXY=nowhere)
    os.environ.update(http_proxy=nowhere, https_proxy=nowhere, all_proxy=nowhere)


def _launch() -> Iterator[trainer_process.Launch]:
    """How one trainer after the other is started: the first as a worker does, later ones with no wait for imports."""
    yield cold_start
    warm = warm_start.WarmStart(FRAMEWORK, {**os.environ, "PYTHONPATH": PYTHON_PATH})
    while True:
        yield warm.start


_launches = _launch()


def starter(folder: Path) -> Iterator[Start]:
    """A function that starts a trainer as a worker does; whatever is left of it is killed at the end."""
    alone()
    started: list[TrainerProcess] = []

    def start_one(script: Path | str, *, run: str = "run", **session: Any) -> TrainerProcess:
        if isinstance(script, str):
            path = folder / "scripted_trainer.py"
            path.write_text(script)
            script = path
        trainer = TrainerProcess(script, folder / run, launch=next(_launches), **session)
        started.append(trainer)
        return trainer

    yield start_one
    for trainer in started:
        trainer.kill()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """See `starter`."""
    yield from starter(tmp_path)


def at_batch(phase: str, epoch: int, batch: int) -> Callable[[Event], bool]:
    """The first `batch` event there or after; events are told ten times a second at most."""
    return lambda event: (
        event["type"] == "batch" and (event["phase"], event["epoch"]) == (phase, epoch) and event["batch"] >= batch
    )


def stop_at(trainer: TrainerProcess, phase: str, epoch: int, batch: int) -> tuple[int, int]:
    """Stop there; the position it stopped at, after checking that it obeyed at the batch boundary."""
    trainer.wait_for(at_batch(phase, epoch, batch))
    trainer.stop()
    assert trainer.end() == 0, trainer.account()
    assert (trainer.events[-1]["batchesAfterStop"] or 0) <= 1
    return trainer.stopped


def stopped_in(
    start: Start, phase: str, epoch: int, batch: int, batches: int, *, after: TrainerProcess | None = None
) -> TrainerProcess:
    """A run that was stopped in that part of an epoch of `batches`. One that was faster than its stop is repeated.

    `start(run=...)` starts it. Go on in the same folder: `start(run=trainer.folder.name, ...)`. With `after` it resumes
    where that one was stopped, each attempt in a copy of its folder.
    """
    reached = []
    for attempt in range(10):
        if after is None:
            trainer = start(run=f"stopped-{attempt}")
        else:
            copy = after.folder.with_name(f"{after.folder.name}-{phase}-{attempt}")
            shutil.copytree(after.folder, copy)
            trainer = start(run=copy.name, resumeFrom=str(copy / "checkpoints" / Path(after.last_checkpoint).name))
        complete, trained = stop_at(trainer, phase, epoch, batch)
        if complete == epoch - 1 and (trained == batches if phase == "validate" else batch <= trained < batches):
            return trainer
        reached.append((complete, trained))
    raise AssertionError(f"no stop came in time for {phase} of epoch {epoch}: {reached}")


def ended_well(trainer: TrainerProcess, epochs: int) -> TrainerProcess:
    """It trained this many epochs, reported each once, its pages show the last, and its log has no traceback."""
    assert trainer.end() == 0, trainer.account()
    assert trainer.stopped == (epochs, 0), trainer.account()
    assert [row["epoch"] for row in trainer.rows()] == list(range(1, epochs + 1))
    if (trainer.folder / "pages.json").exists():
        pages = [json.loads(line) for line in (trainer.folder / "pages.jsonl").read_text().splitlines()]
        assert [row for row in pages if "problem" in row] == []
        assert pages[-1]["epoch"] == epochs, pages[-1]
    return trainer


def does_again_what_follows(
    start: Start, trainer: TrainerProcess, epochs: int, artifact: str | None = None, **session: Any
) -> None:
    """Interrupted after its last epoch, a training continues there: nothing is trained, and what follows is done."""
    newest = checkpoint_path(trainer, f"epoch-{epochs:04d}")
    again = start(run="again-at-the-end", epochs=epochs, resumeFrom=newest, **session)
    assert again.end() == 0, again.account()
    assert again.wait_for("ready")["resumedFrom"] == {"epoch": epochs, "batch": 0}
    assert again.stopped == (epochs, 0)
    assert again.events[-1]["finished"] is True
    assert not again.of("epoch")
    assert not [event for event in again.of("batch") if event["phase"] == "train"]
    assert artifact is None or (again.folder / "artifacts" / artifact).exists()


def ended_early(trainer: TrainerProcess, planned: int) -> int:
    """It ended before its last epoch by its own decision, and said so; after how many epochs."""
    assert trainer.end() == 0, trainer.account()
    epochs, batch = trainer.stopped
    assert 0 < epochs < planned, trainer.account()
    assert batch == 0
    (event,) = trainer.of("endedEarly")
    assert event["epoch"] == epochs
    assert trainer.events[-1]["finished"] is True
    return epochs


def nobody_left(trainer: TrainerProcess) -> bool:
    """Whether the trainer's process group is gone."""
    end = time.monotonic() + trainer_process.LIMIT
    while time.monotonic() < end:
        try:
            os.killpg(trainer.process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def others(trainer: TrainerProcess) -> list[int]:
    """Process ids of the other ranks."""
    ids = subprocess.run(["ps", "-eo", "pid=,pgid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in ids.splitlines()]
    return [one for one, group in pairs if group == trainer.process.pid and one != group]


def metrics(trainer: TrainerProcess, name: str) -> list[float]:
    """A metric of each epoch."""
    return [row["metrics"][name] for row in trainer.rows()]


def all_metrics(trainer: TrainerProcess) -> list[Any]:
    """What must be equal between an uninterrupted run and one that was interrupted."""
    return [(row["epoch"], row["batches"], row["metrics"]) for row in trainer.rows()]


def digest(trainer: TrainerProcess, checkpoint: str, file: str) -> str:
    """sha256 of a file of a checkpoint."""
    return hashlib.sha256((trainer.folder / "checkpoints" / checkpoint / file).read_bytes()).hexdigest()


def progress(trainer: TrainerProcess, checkpoint: str) -> dict[str, Any]:
    """The SDK's own part of a checkpoint."""
    return json.loads((trainer.folder / "checkpoints" / checkpoint / "epochal.json").read_text())


def checkpoint_path(trainer: TrainerProcess, name: str) -> str:
    """To resume from."""
    return str(trainer.folder / "checkpoints" / name)


def check(trainer: Path, data: str | Path | None = None, **parameters: Any) -> list[dict[str, str]]:
    """The problems that the trainer finds in a configuration."""
    asked = json.dumps({"epochs": 1, "parameters": parameters, "data": None if data is None else str(data)})
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", str(trainer), "check"],
        input=asked.encode(),
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "trainers" / "epochal")},
    )
    assert b"| torch\n" not in answer.stderr, "importing torch takes half a minute on a busy machine"
    return json.loads(answer.stdout)["problems"]


def check_form_and_page(trainer: Path) -> None:
    """Each parameter has what a form needs and a line in the trainer's page; the example is a good configuration."""
    command = [sys.executable, str(trainer), "describe"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "trainers" / "epochal")}
    described = subprocess.run(command, capture_output=True, check=True, env=environment)
    manifest = json.loads(described.stdout)
    page = (REPOSITORY / "docs" / "trainers" / f"{manifest['name']}.md").read_text()
    for name, schema in manifest["parameters"]["properties"].items():
        assert {"title", "description", "default"} <= set(schema), name
        for kind in [schema, *schema.get("anyOf", [])]:
            if kind.get("type") in ("integer", "number"):
                assert {"minimum", "exclusiveMinimum"} & set(kind), name
                assert {"maximum", "exclusiveMaximum"} & set(kind), name
            if kind.get("type") == "integer":
                assert schema.get("unit"), f"{name} counts something: what?"
        assert f"`{name}`" in page, name
    for metric in manifest["metrics"]:
        assert metric["description"], metric
    assert "## Licence" in page


def refuses_the_checkpoint_of_another_trainer(start: Start, trainer: Path, **session: Any) -> None:
    """It says so, and does not begin."""
    other = ended_well(start(REPOSITORY / "test" / "trainers" / "counter.py", run="other", epochs=1), 1)
    for keeps_progress in (True, False):
        refused = start(
            trainer,
            run=f"refused-{keeps_progress}",
            resumeFrom=checkpoint_path(other, "epoch-0001"),
            keepProgress=keeps_progress,
            **{**session, "epochs": 2},
        )
        assert refused.end() == 1
        assert refused.failed["kind"] == "setUp", refused.failed
        assert "the checkpoint" in refused.failed["message"] or "the weights" in refused.failed["message"]
        assert not refused.of("ready")


def check_onnx(
    trainer: TrainerProcess, name: str = "images", scaled: Callable[[Any], Any] = lambda images: images / 16
) -> None:
    """The exported network is one file, takes any number of images, and reads digits."""
    import numpy
    import onnxruntime
    from sklearn.datasets import load_digits

    path = trainer.folder / "artifacts" / "model.onnx"
    assert [file.name for file in path.parent.iterdir() if file.is_file()] == ["model.onnx"]
    images, digits = load_digits(return_X_y=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {name: scaled(images).astype(numpy.float32).reshape(-1, 1, 8, 8)})
    assert (logits.argmax(axis=1) == digits).mean() > 0.97
    assert "onnxruntime" in trainer.of("note")[-1]["message"]
