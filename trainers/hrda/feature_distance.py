"""The feature distance to a pretrained encoder (DAFormer, arXiv 2111.14887, section 3.3).

Training on synthetic images makes an encoder forget what it learned of things from real ones; this holds it back.
"""

from __future__ import annotations

import torch
from losses import IGNORED
from torch import Tensor
from torch.nn.functional import avg_pool2d, one_hot

#: Part of a patch that must be of one class, for it to count as that class (the paper's r).
LEAST_PART = 0.75


def class_of_patches(labels: Tensor, patch: int, classes: int) -> Tensor:
    """Labels (N, H, W) → (N, H/patch, W/patch): the class that most of a patch has, 255 where none has r of it."""
    known = torch.where(labels == IGNORED, classes, labels)
    parts = avg_pool2d(one_hot(known, classes + 1).permute(0, 3, 1, 2).float(), patch)
    part, index = parts.max(dim=1)
    return torch.where((part >= LEAST_PART) & (index != classes), index, IGNORED)


def feature_distance(features: Tensor, pretrained: Tensor, mask: Tensor) -> Tensor:
    """Mean over the masked places (N, h, w) of ‖pretrained - features‖₂ along the channels; 0 where there is none."""
    difference = (features.float() - pretrained.float())[mask.unsqueeze(1).expand_as(features)]
    if not difference.numel():
        return features.sum() * 0.0
    by_place = (features.float() - pretrained.float()).movedim(1, -1)[mask]
    return torch.linalg.vector_norm(by_place, dim=-1).mean()


def thing_distance(features: Tensor, pretrained: Tensor, labels: Tensor, things: Tensor, classes: int) -> Tensor:
    """The feature distance over the places whose patch is of a thing class. `features` (N, C, h, w)."""
    patch = labels.shape[-1] // features.shape[-1]
    places = class_of_patches(labels, patch, classes)[:, : features.shape[-2], : features.shape[-1]]
    height, width = places.shape[-2:]
    mask = torch.isin(places, things)
    return feature_distance(features[..., :height, :width], pretrained[..., :height, :width], mask)
