"""What the trainer's pages show of a validation: an ordinary Lightning callback."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
from epochal.classification_pages import ClassificationPages


class ShowMistakes(pl.Callback):
    """Takes the logits that `validation_step` returns."""

    def __init__(self, pages: ClassificationPages) -> None:
        self._pages = pages

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A validation begins, maybe again."""
        self._pages.begin()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """A batch of it."""
        images, digits = batch
        self._pages.add(outputs, digits, images)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """All of it, but not of the one before the training."""
        if not trainer.sanity_checking:
            self._pages.show()
