"""Where a training is."""

from __future__ import annotations

from dataclasses import dataclass

from epochal.checkpoints import Position


@dataclass
class Place:
    """Moved by the training alone; the others look at it."""

    #: Complete epochs.
    epochs: int = 0
    #: Complete batches of the epoch after them.
    batches: int = 0
    #: Whether that epoch has begun.
    in_epoch: bool = False

    @property
    def position(self) -> Position:
        """As a checkpoint has it."""
        return Position(self.epochs, self.batches)

    @property
    def epoch(self) -> int:
        """1-based number of the epoch under way, or of the one that was completed last."""
        return self.epochs + 1 if self.in_epoch else max(self.epochs, 1)
