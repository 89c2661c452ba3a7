"""The job under Epochal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import epochal

os.environ.setdefault("OMP_NUM_THREADS", "1")


class Parameters(epochal.Parameters):
    """What can be set."""

    folder: str = epochal.parameter(path=True, description="Folder that takes the stamps and the hash of the weights")


trainer = epochal.Trainer(
    name="peers_digits",
    title="Digits, to compare with peers",
    description="The digits network of the pytorch trainer, as it is trained under other frameworks to compare them.",
    parameters=Parameters,
    metrics=[epochal.Metric("accuracy", "Fraction of the validation images that was read correctly")],
    best=("accuracy", "max"),
    packages=["torch", "numpy", "scikit-learn"],
)


@trainer.train
def train(app: epochal.Application) -> None:
    """Train."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from epochal.pytorch import Torch
    from job import Job

    job = Job(Path(app.parameters.folder), app.planned_epochs)
    torch_ = Torch(app, device="cpu")
    torch_.state(job.network, optimizer=job.optimizer, schedule=job.schedule)
    for epoch in app.epochs():
        for number, chosen in app.batches(list(enumerate(job.batches(epoch), 1))):
            job.step(job.images(chosen))
            job.stamp(epoch, number)
        job.schedule.step()
        app.end_epoch({"accuracy": job.accuracy()})
    job.ended()


if __name__ == "__main__":
    epochal.main(trainer)
