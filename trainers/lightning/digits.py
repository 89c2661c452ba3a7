"""An ordinary LightningModule with its data: nothing in here knows of Epochal."""

from __future__ import annotations

import math
import time
from typing import Any

import lightning.pytorch as pl
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy


class DigitsData(pl.LightningDataModule):
    """scikit-learn's 1797 handwritten digits as (1, 8, 8) float32 in 0 … 1; the split depends on the seed alone."""

    def __init__(self, batch_size: int, validation_fraction: float, workers: int, seed: int) -> None:
        super().__init__()
        images, digits = load_digits(return_X_y=True)
        parts = train_test_split(
            torch.tensor(images).float().reshape(-1, 1, 8, 8) / 16,
            torch.tensor(digits),
            test_size=validation_fraction,
            random_state=seed % 2**32,
            stratify=digits,
        )
        self._train, self._val = TensorDataset(parts[0], parts[2]), TensorDataset(parts[1], parts[3])
        self._options: dict[str, Any] = {"num_workers": workers, "persistent_workers": workers > 0}
        self._batch_size = batch_size

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self._train, self._batch_size, shuffle=True, **self._options)

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self._val, 128, **self._options)


class DigitsModule(pl.LightningModule):
    """A small convolutional network, trained with AdamW: a short warm-up, then a cosine over all steps."""

    def __init__(self, channels: int, dropout: float, learning_rate: float, delay_seconds: float = 0.0) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.network = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, 2 * channels, 3, padding=1),
            nn.BatchNorm2d(2 * channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(2 * channels * 16, 10),
        )
        self.train_accuracy = MulticlassAccuracy(10, average="micro")
        self.val_accuracy = MulticlassAccuracy(10, average="micro")

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 8, 8) → (N, 10) logits."""
        return self.network(images)

    def training_step(self, batch: list[Tensor], _index: int) -> Tensor:
        images, digits = batch
        logits = self(images)
        loss = cross_entropy(logits, digits)
        self.train_accuracy(logits, digits)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log("train_accuracy", self.train_accuracy, on_step=False, on_epoch=True)
        time.sleep(self.hparams["delay_seconds"])
        return loss

    def validation_step(self, batch: list[Tensor], _index: int) -> Tensor:
        images, digits = batch
        logits = self(images)
        self.val_accuracy(logits, digits)
        self.log("val_loss", cross_entropy(logits, digits))
        self.log("val_accuracy", self.val_accuracy)
        time.sleep(self.hparams["delay_seconds"])
        return logits

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams["learning_rate"])
        steps = int(self.trainer.estimated_stepping_batches)

        def factor(step: int) -> float:
            warm_up = max(steps // 10, 1)
            part = min(max(step - warm_up, 0) / max(steps - warm_up, 1), 1.0)
            return min((step + 1) / warm_up, 0.505 + 0.495 * math.cos(math.pi * part))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
