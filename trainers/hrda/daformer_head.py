"""DAFormer's decoder (Hoyer, Dai, Van Gool, CVPR 2022, arXiv 2111.14887, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate


def resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps (N, C, H, W) of another size, bilinearly."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)


class ContextAwareFusion(nn.Module):
    """Stacked feature maps, seen at several dilations at once (section 3.2, "context-aware feature fusion").

    Depthwise separable 3 × 3 convolutions with the dilations 6, 12 and 18 beside a 1 × 1 convolution, as in ASPP but
    without its global pooling; a 3 × 3 convolution brings them together.
    """

    def __init__(self, inputs: int, channels: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_branch(inputs, channels, dilation) for dilation in dilations)
        self.bottleneck = _convolution(len(dilations) * channels, channels, 3)

    def forward(self, maps: Tensor) -> Tensor:
        return self.bottleneck(torch.cat([branch(maps) for branch in self.branches], dim=1))


class DAFormerHead(nn.Module):
    """Feature maps, the finest first → logits (N, classes, h, w) at the size of the finest."""

    def __init__(
        self, inputs: Sequence[int], channels: int, classes: int, dilations: Sequence[int], dropout: float
    ) -> None:
        """Without `dilations` the maps are fused by a 1 × 1 convolution, as SegFormer does."""
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Conv2d(one, channels, 1) for one in inputs)
        stacked = channels * len(inputs)
        self.fusion = (
            ContextAwareFusion(stacked, channels, dilations) if dilations else _convolution(stacked, channels, 1)
        )
        self.dropout = nn.Dropout2d(dropout)
        self.classifier = nn.Conv2d(channels, classes, 1)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        size = features[0].shape[-2:]
        embedded = [embed(one) for embed, one in zip(self.embeddings, features, strict=True)]
        fused = self.fusion(torch.cat([resized(one, size) for one in embedded], dim=1))
        return self.classifier(self.dropout(fused))


def _branch(inputs: int, channels: int, dilation: int) -> nn.Module:
    if dilation == 1:
        return _convolution(inputs, channels, 1)
    return nn.Sequential(
        *_convolution(inputs, inputs, 3, dilation=dilation, groups=inputs), *_convolution(inputs, channels, 1)
    )


def _convolution(inputs: int, outputs: int, size: int, *, dilation: int = 1, groups: int = 1) -> nn.Sequential:
    padding = dilation * (size // 2)
    convolution = nn.Conv2d(inputs, outputs, size, padding=padding, dilation=dilation, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
