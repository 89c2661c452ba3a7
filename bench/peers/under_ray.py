"""The job under Ray Train: a checkpoint an epoch, reported as its guide says, and failures tried again by itself.

Usage: under_ray.py FOLDER EPOCHS
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray import train
from ray.train.torch import TorchTrainer

HERE = str(Path(__file__).parent)


def loop(config: dict[str, Any]) -> None:
    """In the process of Ray's that trains."""
    sys.path.insert(0, HERE)
    import torch
    from job import Job

    job = Job(Path(config["folder"]), config["epochs"])
    complete = 0
    if checkpoint := train.get_checkpoint():
        with checkpoint.as_directory() as folder:
            saved = torch.load(Path(folder) / "state.pt")
        complete = saved["epoch"]
        job.load(saved)
    for epoch in range(complete + 1, job.epochs + 1):
        for number, chosen in enumerate(job.batches(epoch), 1):
            job.step(job.images(chosen))
            job.stamp(epoch, number)
        job.schedule.step()
        accuracy = job.accuracy()
        with tempfile.TemporaryDirectory() as folder:
            torch.save({"epoch": epoch, **job.state()}, Path(folder) / "state.pt")
            train.report({"accuracy": accuracy}, checkpoint=train.Checkpoint.from_directory(folder))
    job.ended()


if __name__ == "__main__":
    folder = str(Path(sys.argv[1]).resolve())
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    TorchTrainer(
        loop,
        train_loop_config={"folder": folder, "epochs": int(sys.argv[2])},
        scaling_config=train.ScalingConfig(num_workers=1),
        run_config=train.RunConfig(
            name="digits",
            storage_path=str(Path(folder) / "checkpoints"),
            failure_config=train.FailureConfig(max_failures=5),
        ),
    ).fit()
