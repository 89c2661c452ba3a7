"""ClassMix across domains and strong augmentation (DACS, Tranheden et al., WACV 2021, arXiv 2007.08702, section 3)."""

from __future__ import annotations

from math import ceil

import torch
from losses import IGNORED
from torch import Tensor
from torchvision.transforms import ColorJitter
from torchvision.transforms.functional import gaussian_blur

#: Deviations of the blur, in pixels: those of the public DACS.
BLUR = (0.15, 1.15)


def class_mask(labels: Tensor) -> Tensor:
    """Pixels of a half (rounded up) of the classes in `labels` (H, W), drawn at random.

    What is ignored is not a class here: it would be pasted without teaching anything.
    """
    classes = labels.unique()
    classes = classes[classes != IGNORED]
    order = torch.randperm(len(classes))  # on the CPU, so that a GPU draws the same
    chosen = classes[order[: (len(classes) + 1) // 2].to(classes.device)]
    return torch.isin(labels, chosen)


def class_masks(labels: Tensor) -> Tensor:
    """`class_mask` of each image (N, H, W)."""
    return torch.stack([class_mask(one) for one in labels])


def mixed(mask: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Source where the mask (N, H, W) is set, target elsewhere: M ⊙ source + (1 - M) ⊙ target."""
    return torch.where(mask if source.dim() == mask.dim() else mask.unsqueeze(1), source, target)


class StrongAugmentation:
    """Colour jitter and Gaussian blur, each drawn for each image; geometry stays, so labels do."""

    def __init__(self, jitter: float, jitter_probability: float, blur_probability: float) -> None:
        """`jitter`: largest change of brightness, contrast, saturation and hue, as a part."""
        self._jitter = ColorJitter(jitter, jitter, jitter, min(jitter, 0.5)) if jitter else None
        self._jitter_probability = jitter_probability
        self._blur_probability = blur_probability

    def __call__(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) in 0 … 1."""
        return torch.stack([self._one(image) for image in images])

    def _one(self, image: Tensor) -> Tensor:
        if self._jitter and float(torch.rand(())) < self._jitter_probability:
            image = self._jitter(image)
        if float(torch.rand(())) < self._blur_probability:
            low, high = BLUR
            deviation = low + (high - low) * float(torch.rand(()))
            size = 2 * ceil(4 * deviation) + 1  # what is farther away weighs nothing
            image = gaussian_blur(image, [size, size], [deviation, deviation])
        return image
