"""The job under Lightning: `ModelCheckpoint` an epoch, and its last checkpoint is what a start goes on from.

Usage: under_lightning.py FOLDER EPOCHS
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from job import Job
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Sampler

folder, epochs = Path(sys.argv[1]), int(sys.argv[2])
job = Job(folder, epochs)


class Order(Sampler[list[int]]):
    """The same batches as everywhere."""

    def __iter__(self) -> Any:
        return job.batches(trainer.current_epoch + 1)

    def __len__(self) -> int:
        return len(list(job.batches(1)))


class Digits(pl.LightningModule):
    """Network and optimizer of the job."""

    def __init__(self) -> None:
        super().__init__()
        self.network = job.network

    def training_step(self, batch: list[Tensor], _index: int) -> Tensor:
        import time

        from job import BATCH_SECONDS

        images, digits = batch
        time.sleep(BATCH_SECONDS)
        return cross_entropy(self.network(images), digits)

    def on_train_batch_end(self, _outputs: Any, _batch: Any, index: int) -> None:
        job.stamp(self.current_epoch + 1, index + 1)

    def validation_step(self, batch: list[Tensor], _index: int) -> None:
        images, digits = batch
        self.log("accuracy", (self.network(images).argmax(dim=1) == digits).float().mean())

    def configure_optimizers(self) -> Any:
        return {"optimizer": job.optimizer, "lr_scheduler": job.schedule}


trainer = pl.Trainer(
    max_epochs=epochs,
    accelerator="cpu",
    devices=1,
    deterministic=True,
    logger=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
    callbacks=[ModelCheckpoint(folder / "checkpoints", save_last=True, save_top_k=-1)],
)
trainer.fit(
    Digits(),
    DataLoader(job.train_set, batch_sampler=Order()),
    DataLoader(job.val_set, len(job.val_set)),
    ckpt_path="last",
)
if trainer.current_epoch == epochs:
    job.ended()
