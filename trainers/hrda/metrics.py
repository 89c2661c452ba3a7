"""Intersection over union, by class and on average."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from domains import IGNORED
from torch import Tensor


class ConfusionMatrix:
    """Counts of pixels: rows are what is, columns what was predicted."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = list(classes)
        self.counts = torch.zeros(len(classes), len(classes), dtype=torch.int64)

    def add(self, predicted: Tensor, labels: Tensor) -> None:
        """Count the pixels that have a label."""
        known = labels != IGNORED
        count = len(self._classes)
        pairs = labels[known].long() * count + predicted[known].long()
        self.counts += torch.bincount(pairs, minlength=count**2).reshape(count, count).cpu()

    def gather(self, total: Callable[[Sequence[float]], list[float]]) -> None:
        """Add up the counts of all processes; `total` sums each number over them."""
        self.counts = torch.tensor(total(self.counts.flatten().tolist())).round().long().reshape(self.counts.shape)

    @property
    def metrics(self) -> dict[str, float]:
        """`mIoU`, `pixel_accuracy` and `IoU_<class>`, as parts of 1; a class that is nowhere has none."""
        right = self.counts.diag().double()
        union = self.counts.sum(0) + self.counts.sum(1) - self.counts.diag()
        by_class = {
            f"IoU_{name}": float(right[index] / union[index])
            for index, name in enumerate(self._classes)
            if union[index]
        }
        return {
            "mIoU": sum(by_class.values()) / max(len(by_class), 1),
            "pixel_accuracy": float(right.sum() / max(int(self.counts.sum()), 1)),
            **by_class,
        }
