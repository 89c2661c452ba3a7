"""The job in a plain loop: a file an epoch, put in place by a rename, and the newest one is loaded at the start.

Usage: bare.py FOLDER EPOCHS
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from job import Job

folder, epochs = Path(sys.argv[1]), int(sys.argv[2])
job = Job(folder, epochs)
(folder / "checkpoints").mkdir(exist_ok=True)
complete = 0
if files := sorted((folder / "checkpoints").glob("*.pt")):
    saved = torch.load(files[-1])
    complete = saved["epoch"]
    job.load(saved)
for epoch in range(complete + 1, epochs + 1):
    for number, chosen in enumerate(job.batches(epoch), 1):
        job.step(job.images(chosen))
        job.stamp(epoch, number)
    job.schedule.step()
    accuracy = job.accuracy()
    unfinished = folder / "unfinished"
    torch.save({"epoch": epoch, "accuracy": accuracy, **job.state()}, unfinished)
    unfinished.rename(folder / "checkpoints" / f"{epoch:04d}.pt")
job.ended()
