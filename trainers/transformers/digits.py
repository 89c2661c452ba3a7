"""A vision transformer made from its configuration, and the images that it learns to read; nothing is downloaded."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import EvalPrediction, ViTConfig, ViTForImageClassification


class Digits(Dataset[dict[str, Tensor]]):
    """scikit-learn's digits as `pixel_values` (1, 8, 8) in -1 … 1 and `labels`."""

    def __init__(self, images: np.ndarray, digits: np.ndarray, delay_seconds: float) -> None:
        self._images = torch.tensor(images).float().reshape(-1, 1, 8, 8) / 8 - 1
        self._digits = torch.tensor(digits)
        self._delay_seconds = delay_seconds

    def __len__(self) -> int:
        return len(self._digits)

    @property
    def images(self) -> Tensor:
        """All of them in 0 … 1, as people look at them."""
        return (self._images + 1) / 2

    def __getitems__(self, indices: list[int]) -> list[dict[str, Tensor]]:
        time.sleep(self._delay_seconds)
        return [self[index] for index in indices]

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"pixel_values": self._images[index], "labels": self._digits[index]}


def load(validation_fraction: float, seed: int, delay_seconds: float) -> tuple[Digits, Digits]:
    """Images to train and to validate with; the split depends on the seed alone."""
    images, digits = load_digits(return_X_y=True)
    train_images, val_images, train_digits, val_digits = train_test_split(
        images, digits, test_size=validation_fraction, random_state=seed % 2**32, stratify=digits
    )
    return Digits(train_images, train_digits, delay_seconds), Digits(val_images, val_digits, delay_seconds)


def make_model(hidden: int, layers: int, heads: int, dropout: float) -> ViTForImageClassification:
    """A vision transformer on patches of 2 × 2 pixels, with random weights."""
    return ViTForImageClassification(
        ViTConfig(
            image_size=8,
            patch_size=2,
            num_channels=1,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=2 * hidden,
            hidden_dropout_prob=dropout,
            num_labels=10,
        )
    )


class Logits(nn.Module):
    """The model with one tensor in and one out, as ONNX has it."""

    def __init__(self, model: ViTForImageClassification) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Tensor) -> Tensor:
        return self.model(pixel_values=pixel_values).logits


def accuracy(predicted: EvalPrediction) -> dict[str, Any]:
    """Part of the images that was read correctly."""
    return {"accuracy": float((np.argmax(predicted.predictions, axis=1) == predicted.label_ids).mean())}
