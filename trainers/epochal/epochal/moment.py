"""The SDK's own part of a training's state at a batch boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from epochal import random_state
from epochal.averages import Averages
from epochal.random_state import RandomState


@dataclass(frozen=True)
class Moment:
    """Random generators and running averages, at the same instant."""

    random: RandomState
    averages: dict[str, list[float]]

    @classmethod
    def capture(cls, averages: Averages) -> Moment:
        """Now. Costs microseconds."""
        return cls(random_state.capture(), averages.snapshot())

    def restore(self, averages: Averages) -> None:
        """Make it so again."""
        random_state.restore(self.random)
        averages.restore(self.averages)

    def encode(self) -> dict[str, Any]:
        """As JSON."""
        return {"random": random_state.encode(self.random), "averages": self.averages}

    @classmethod
    def decode(cls, encoded: dict[str, Any]) -> Moment:
        """The opposite of `encode`."""
        return cls(random_state.decode(encoded["random"]), encoded["averages"])
