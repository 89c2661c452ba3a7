"""HRDA's network: context at low resolution, detail at high resolution, a learned attention between them.

Hoyer, Dai, Van Gool: HRDA, ECCV 2022, arXiv 2204.13132; sections are named by their titles. Encoder and decoder are
shared by both resolutions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from daformer_head import DAFormerHead, resized
from sliding_window import slide
from torch import Tensor, nn

#: Logits are at 1/4 of the input, as the finest feature map of the encoders is (the paper's output stride o).
OUTPUT_STRIDE = 4

#: Smallest side of a context crop: at half of it, the attention of SegFormer's encoders has one key left.
LEAST_SIDE = 64

#: Mean and deviation of ImageNet's colours, in 0 … 1.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


class DetailBox(NamedTuple):
    """The detail crop within the context crop, in pixels of the full resolution."""

    top: int
    left: int
    size: int

    def within(self, maps: Tensor, stride: int) -> Tensor:
        """The part of maps (…, H/stride, W/stride) that this box covers: a view."""
        top, left, size = self.top // stride, self.left // stride, self.size // stride
        return maps[..., top : top + size, left : left + size]


class Segmented(NamedTuple):
    """What training needs: logits at 1/4 of the full resolution, and the context's coarsest feature map."""

    logits: Tensor
    #: Of the detail crop alone; None without one.
    detail: Tensor | None
    features: Tensor


class Inferred(NamedTuple):
    """Logits (N, C, H, W) at the size of the images, and how much each pixel looked at the detail (N, 1, H, W)."""

    logits: Tensor
    attention: Tensor


def fuse(context: Tensor, attention: Tensor, detail: Tensor) -> Tensor:
    """ζ((1 - a) ⊙ context) + ζ(a) ⊙ detail, ζ being bilinear to the size of `detail` ("Multi-Resolution Fusion").

    `context` (N, C, h, w) and `attention` (N, C or 1, h, w) are at low resolution, `detail` (N, C, H, W) at high.
    """
    size = detail.shape[-2:]
    return resized((1 - attention) * context, size) + resized(attention, size) * detail


def inserted(detail: Tensor, box: DetailBox, size: tuple[int, int]) -> Tensor:
    """The detail crop's logits at their place in those of the context, zero around ("Multi-Resolution Fusion")."""
    whole = detail.new_zeros(*detail.shape[:2], *size)
    box.within(whole, OUTPUT_STRIDE).copy_(detail)
    return whole


class MultiResolutionNetwork(nn.Module):
    """Images (N, 3, H, W) in 0 … 1 → logits of classes."""

    def __init__(
        self,
        encoder: nn.Module,
        head: DAFormerHead,
        attention: DAFormerHead | None,
        *,
        detail_size: int | None,
        downscale: int = 2,
    ) -> None:
        """`detail_size` None: low resolution alone. `attention` None: a half each. `downscale` is the paper's s."""
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.attention = attention
        self.detail_size = detail_size
        self.downscale = downscale
        self.register_buffer("mean", torch.tensor(_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(_DEVIATION).view(3, 1, 1), persistent=False)

    @property
    def grid(self) -> int:
        """Corners of detail crops divide by this, so that both resolutions' maps have them between two pixels.

        The paper's k = s · o ("Context and Detail Crop").
        """
        return OUTPUT_STRIDE * self.downscale

    def forward(self, images: Tensor, box: DetailBox | None) -> Segmented:
        """For training: context crop `images`, and in it one detail crop, for all images of the batch the same."""
        images = self.normalised(images)
        features = self._context_features(images)
        context = self._context_logits(features, images)
        size = _at_output_stride(images)
        if box is None:
            return Segmented(resized(context, size), None, features[-1])
        detail = self._detail_logits(box.within(images, 1))
        attention = self._attention(features, context)
        covered = torch.zeros_like(attention)
        box.within(covered, self.grid).fill_(1)
        fused = fuse(context, attention * covered, inserted(detail, box, size))
        return Segmented(fused, detail, features[-1])

    def infer(self, images: Tensor) -> Inferred:
        """For pseudo-labels and tests: detail from overlapping windows all over the images.

        "Pseudo-Label Generation with Overlapping Sliding Window".
        """
        height, width = images.shape[-2:]
        images = _padded(self.normalised(images), self.grid, LEAST_SIDE)
        features = self._context_features(images)
        context = self._context_logits(features, images)
        if self.detail_size is None:
            logits = resized(context, _at_output_stride(images))
            attention = torch.zeros_like(logits[:, :1])
        else:
            detail = slide(
                images,
                self.detail_size,
                self.detail_size // 2,
                self._detail_logits,
                output_stride=OUTPUT_STRIDE,
                together=True,
            )
            scale = self._attention(features, context)
            logits = fuse(context, scale, detail)
            looked = resized(scale, logits.shape[-2:]).float() * logits.float().softmax(dim=1)
            attention = looked.sum(dim=1, keepdim=True)
        whole = images.shape[-2:]
        return Inferred(
            resized(logits.float(), whole)[..., :height, :width],
            resized(attention.float(), whole)[..., :height, :width],
        )

    def normalised(self, images: Tensor) -> Tensor:
        """As the encoders' pretrained weights want them."""
        return (images - self.mean) / self.deviation

    def context_features(self, images: Tensor, encoder: nn.Module) -> Tensor:
        """The coarsest feature map of the context crop by another encoder (for the feature distance)."""
        return encoder(self._context(self.normalised(images)))[-1]

    def _context(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        return resized(images, (height // self.downscale, width // self.downscale))

    def _context_features(self, images: Tensor) -> list[Tensor]:
        return self.encoder(self._context(images))

    def _context_logits(self, features: list[Tensor], images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        return resized(self.head(features), (height // self.grid, width // self.grid))

    def _detail_logits(self, crops: Tensor) -> Tensor:
        return resized(self.head(self.encoder(crops)), _at_output_stride(crops))

    def _attention(self, features: list[Tensor], context: Tensor) -> Tensor:
        """How far to trust the detail, for each class and pixel, told from the context ("Multi-Resolution Fusion")."""
        if self.attention is None:
            return torch.full_like(context, 0.5)
        return resized(torch.sigmoid(self.attention(features)), context.shape[-2:])


def _at_output_stride(images: Tensor) -> tuple[int, int]:
    height, width = images.shape[-2:]
    return height // OUTPUT_STRIDE, width // OUTPUT_STRIDE


def _padded(images: Tensor, multiple: int, least: int) -> Tensor:
    """Images of at least this size that divide by `multiple`: what is added at the right and below repeats the edge."""
    height, width = images.shape[-2:]
    down, right = (max(-side % multiple, least - side) for side in (height, width))
    if not down and not right:
        return images
    return nn.functional.pad(images, (0, right, 0, down), mode="replicate")
