"""Several processes that train one model with torch.distributed; alone, all of this costs nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

    from epochal.application import Application


class Processes:
    """One process of one."""

    rank = 0
    local_rank = 0
    count = 1

    def wrap(self, model: nn.Module, device: torch.device, **options: Any) -> nn.Module:
        """The model, computing the mean gradient over all processes; `options` are `DistributedDataParallel`'s."""
        return model

    def accumulating(self, goes_on: bool) -> AbstractContextManager[Any]:
        """Around a backward pass whose gradients are added to, if it continues: nothing is exchanged yet."""
        return nullcontext()

    def sum(self, numbers: Sequence[float], device: torch.device) -> list[float]:
        """Each number, summed over the processes."""
        return list(numbers)

    def same_buffers(self, model: nn.Module) -> None:
        """Give every process rank 0's buffers: means and variances of batch norm, which each collects by itself."""


class Distributed(Processes):
    """One process of several, which torchrun or the trainer itself has started."""

    def __init__(self, app: Application) -> None:
        """Joins the others: waits until all are there."""
        import torch
        import torch.distributed as dist

        self.rank = int(os.environ["RANK"])
        self.local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        self.count = int(os.environ["WORLD_SIZE"])
        # Commands are agreed on by CPU tensors, which gloo carries: a GPU is not waited for.
        gpus = torch.cuda.is_available() and dist.is_nccl_available()
        hook = sys.excepthook
        # Rank 0 may prepare a large data set while the others wait. The worker knows when that is a hang.
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo", timeout=timedelta(hours=3))
        # torch's own collects what a hook prints and shows it when the hook returns: the application's never does.
        sys.excepthook = hook
        self._wrapped: nn.Module | None = None
        app.ranks.connect(_maximum, _gather)
        app.call_before_shutdown(_leave, timeout_seconds=10)

    def wrap(self, model: nn.Module, device: torch.device, **options: Any) -> nn.Module:
        from torch.nn.parallel import DistributedDataParallel

        if not any(weight.requires_grad for weight in model.parameters()):
            return model
        gpus = [device.index] if device.type == "cuda" else None
        self._wrapped = DistributedDataParallel(model, device_ids=gpus, **options)
        return self._wrapped

    def accumulating(self, goes_on: bool) -> AbstractContextManager[Any]:
        return self._wrapped.no_sync() if goes_on and self._wrapped is not None else nullcontext()

    def sum(self, numbers: Sequence[float], device: torch.device) -> list[float]:
        import torch
        import torch.distributed as dist

        tensor = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(tensor)
        return tensor.tolist()

    def same_buffers(self, model: nn.Module) -> None:
        import torch.distributed as dist

        for buffer in model.buffers():
            dist.broadcast(buffer, src=0)


def join(app: Application) -> Processes:
    """The processes of this training, as the environment says: torchrun's RANK and WORLD_SIZE."""
    return Distributed(app) if app.ranks.count > 1 else Processes()


def _maximum(numbers: Sequence[int]) -> list[int]:
    import torch
    import torch.distributed as dist

    tensor = torch.tensor(numbers, dtype=torch.int64)
    dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return tensor.tolist()


def _gather(own: Any) -> list[Any]:
    import torch.distributed as dist

    gathered: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(gathered, own)
    return gathered


def _leave() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()
