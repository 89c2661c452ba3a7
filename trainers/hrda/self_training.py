"""The teacher and its pseudo-labels (DAFormer, arXiv 2111.14887, section 3.1; DACS, arXiv 2007.08702)."""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple

import torch
from multi_resolution import MultiResolutionNetwork
from torch import Tensor


class PseudoLabels(NamedTuple):
    """What the teacher says of target images (N, H, W), and how far each image's labels are trusted (N,)."""

    labels: Tensor
    quality: Tensor


def make_teacher(student: MultiResolutionNetwork) -> MultiResolutionNetwork:
    """A copy in evaluation mode that no gradient reaches."""
    return deepcopy(student).eval().requires_grad_(False)


def teacher_decay(iteration: int, decay: float) -> float:
    """min(1 - 1/(t + 1), α): the mean of all students at first, then a moving one. At t = 0 the teacher is a copy.

    DAFormer's α is 0.999; the rise at the beginning is of the public implementation, after Mean Teacher.
    """
    return min(1 - 1 / (iteration + 1), decay)


@torch.no_grad()
def update_teacher(teacher: MultiResolutionNetwork, student: MultiResolutionNetwork, decay: float) -> None:
    """φ ← α φ + (1 - α) θ. The means and variances of batch norm are averaged, too: evaluation uses them."""
    new = student.state_dict()
    for name, old in teacher.state_dict().items():
        if old.is_floating_point():
            old.lerp_(new[name], 1 - decay)
        else:
            old.copy_(new[name])


def pseudo_labels(logits: Tensor, threshold: float) -> PseudoLabels:
    """The likeliest class of each pixel; an image's quality is the part of its pixels that are likelier than τ.

    Section 3.1, equations 3 and 4. The public implementation takes that part over the whole batch; this is the paper's.
    """
    likelihood, labels = logits.float().softmax(dim=1).max(dim=1)
    return PseudoLabels(labels, (likelihood > threshold).float().mean(dim=(1, 2)))
