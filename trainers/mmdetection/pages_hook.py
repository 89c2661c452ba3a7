"""Tells the trainer's pages what mmengine validates."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from prediction_pages import PredictionPages


class PagesHook(Hook):
    """Changes nothing of the training."""

    def __init__(self, pages: PredictionPages, classes: list[str]) -> None:
        self._pages, self._classes = pages, classes

    def before_val_epoch(self, runner: Any) -> None:
        """A validation begins, maybe again."""
        self._pages.begin()

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """A batch of it."""
        self._pages.add(list(outputs), self._classes)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """All of it."""
        self._pages.show(metrics or {}, self._classes)
