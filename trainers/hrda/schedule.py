"""The learning rate, iteration by iteration (DAFormer, arXiv 2111.14887, section 3.3 and its configuration)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LambdaLR

#: Part of the learning rate that the warm-up begins with.
_FIRST = 1e-6


def rate_factor(iteration: int, total: int, warmup: int, power: float) -> float:
    """(1 - t/total)^power, times a line from almost 0 to 1 over the first `warmup` iterations."""
    poly = max(1 - iteration / total, 0.0) ** power
    if iteration >= warmup:
        return poly
    return poly * (1 - (1 - iteration / warmup) * (1 - _FIRST))


def make_schedule(optimizer: Optimizer, total: int, warmup: int, power: float) -> LambdaLR:
    """Stepped after every iteration; its `last_epoch` is the number of iterations done."""
    from torch.optim.lr_scheduler import LambdaLR

    return LambdaLR(optimizer, lambda iteration: rate_factor(iteration, total, warmup, power))


def parameter_groups(
    model: nn.Module, rate: float, decoder_factor: float, weight_decay: float
) -> list[dict[str, object]]:
    """Encoder and decoders, the latter with a larger rate; norms and biases are not decayed."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        key = name.removeprefix("module.").startswith("encoder."), weight.ndim > 1
        groups.setdefault(key, []).append(weight)
    return [
        {
            "params": weights,
            "lr": rate if in_encoder else rate * decoder_factor,
            "weight_decay": weight_decay if decays else 0.0,
        }
        for (in_encoder, decays), weights in groups.items()
    ]
