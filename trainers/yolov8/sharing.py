"""A model on several devices, a process each, which the SDK starts and ends: ultralytics' own would obey no stop."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def choose_gpu(trainer: Any, local_rank: int) -> None:
    """The GPU of this process becomes that of ultralytics' trainer; a training on CPUs has none."""
    if trainer.device.type == "cuda":
        trainer.device = torch.device("cuda", int(trainer.args.device.split(",")[local_rank]))
        torch.cuda.set_device(trainer.device)


def shared(model: nn.Module, device: torch.device) -> nn.Module:
    """The model with the mean gradient of all processes; settings as ultralytics has them, on CPUs as on GPUs.

    Each process keeps the means and variances of its own batches; those of rank 0 are validated and saved.
    """
    gpus = [device.index] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(
        model, device_ids=gpus, find_unused_parameters=True, forward_sync_buffers=False
    )
