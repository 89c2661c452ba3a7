"""ultralytics' metrics under the names of the manifest."""

from __future__ import annotations

import re
from typing import Any

_parts = {"B": "", "M": "mask_", "P": "pose_"}


def epoch_metrics(trainer: Any) -> dict[str, float]:
    """Metrics of the epoch that ultralytics' trainer has just validated."""
    losses = {name: float(value) for name, value in trainer.tloss.items()}
    found = {f"train_{loss_name(name)}": value for name, value in losses.items()}
    validation = {}
    for name, value in trainer.metrics.items():
        group, _, rest = name.partition("/")
        if group == "val":
            validation[f"val_{loss_name(rest)}"] = float(value)
        elif match := re.fullmatch(r"(.+)\(([BMP])\)", rest):
            found[_parts[match[2]] + match[1]] = float(value)
        elif rest != "":
            found[rest] = float(value)
    # Classification has one loss, which is named `loss` already.
    totals = {"train_loss": sum(losses.values()), "val_loss": sum(validation.values())}
    return {"fitness": float(trainer.fitness), **found, **validation, **totals, "lr": learning_rate(trainer)}


def batch_metrics(trainer: Any) -> dict[str, Any]:
    """Mean losses of the epoch so far, as tensors: they are read when they are told."""
    losses = trainer.tloss
    return {"train_loss": sum(losses.values()), **{f"train_{loss_name(name)}": value for name, value in losses.items()}}


def loss_name(name: str) -> str:
    """`box_loss` for `box_loss` and for `box`."""
    return name if name.endswith("loss") else f"{name}_loss"


def learning_rate(trainer: Any) -> float:
    """Of the weights; biases have another one while the training warms up."""
    groups = trainer.optimizer.param_groups
    return float(next((group for group in groups if group.get("param_group") == "weight"), groups[0])["lr"])
