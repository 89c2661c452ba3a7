"""On a small scale what `npm run bench:hrda` measures on a larger one: who adapts is better than who does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from heavy_trainers import REPOSITORY, Start, TrainerProcess, ended_well, metrics
from make_domains import make

EPOCHS = 2
ITERATIONS = 150


def test_hrda_is_better_than_the_source_alone_at_low_resolution(start: Start, tmp_path: Path) -> None:
    data = make(tmp_path / "domains", source=120, target=80, validation=24)
    example = yaml.safe_load((REPOSITORY / "trainers" / "hrda" / "example.yaml").read_text())["parameters"]

    def trained(name: str, **changed: Any) -> TrainerProcess:
        parameters = {**example, "iterations_per_epoch": ITERATIONS, "sample_images": 2, **changed}
        return start(run=name, data=str(data), epochs=EPOCHS, seed=0, parameters=parameters)

    # Beside each other: the machine that tests this has two cores.
    runs = trained("source", self_training=False, high_resolution=False), trained("adapted")
    alone, adapted = (ended_well(one, EPOCHS) for one in runs)
    assert metrics(alone, "mIoU")[-1] < metrics(adapted, "mIoU")[-1]
    losses = metrics(adapted, "source_loss")
    assert losses[-1] < losses[0]
    notes = " ".join(event["message"] for event in adapted.of("note"))
    assert f"An epoch is {ITERATIONS} iterations" in notes
    assert "The feature distance to a pretrained encoder is off: encoder_weights names no pretrained weights" in notes
    for run in (alone, adapted):
        images = sorted((run.folder / "artifacts" / "samples").rglob("*.png"))
        assert len(images) == 2 * EPOCHS
    assert {event["batches"] for event in adapted.of("batch") if event["phase"] == "train"} == {ITERATIONS}
