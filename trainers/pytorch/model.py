"""The network, and the images that it learns to read."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

IMAGE_PIXELS = 8
CLASSES = 10


class DigitsNetwork(nn.Module):
    """A small convolutional network: (N, 1, 8, 8) float32 in 0 … 1 → (N, 10) logits."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_block(1, channels),
            *_block(channels, channels),
            nn.MaxPool2d(2),
            *_block(channels, 2 * channels),
            nn.MaxPool2d(2),
        )
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(dropout), nn.Linear(2 * channels * (IMAGE_PIXELS // 4) ** 2, CLASSES)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


class Digits(Dataset[tuple[Tensor, int]]):
    """Images (1, 8, 8) in 0 … 1 with their digits; shifted by up to `shift` pixels, at random, for training."""

    def __init__(self, images: np.ndarray, digits: np.ndarray, shift: int = 0) -> None:
        self._images = torch.from_numpy(images).float().reshape(-1, 1, IMAGE_PIXELS, IMAGE_PIXELS) / 16
        self._digits = [int(digit) for digit in digits]
        self._shift = shift

    def __len__(self) -> int:
        return len(self._digits)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self._images[index]
        if self._shift:
            down, right = torch.randint(-self._shift, self._shift + 1, (2,)).tolist()
            image = _shifted(image, down, right)
        return image, self._digits[index]


def _shifted(image: Tensor, down: int, right: int) -> Tensor:
    """The image moved by whole pixels; what comes in is black."""
    padded = nn.functional.pad(image, (max(right, 0), max(-right, 0), max(down, 0), max(-down, 0)))
    top, left = max(-down, 0), max(-right, 0)
    return padded[:, top : top + IMAGE_PIXELS, left : left + IMAGE_PIXELS]


def load_digits(validation_fraction: float, shift: int, seed: int) -> tuple[Digits, Digits]:
    """scikit-learn's handwritten digits, which come with the package; the split depends on the seed alone."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, digits = load_digits(return_X_y=True)
    train_images, val_images, train_digits, val_digits = train_test_split(
        images, digits, test_size=validation_fraction, random_state=seed % 2**32, stratify=digits
    )
    return Digits(train_images, train_digits, shift), Digits(val_images, val_digits)
