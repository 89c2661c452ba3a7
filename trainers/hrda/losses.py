"""Losses of a segmentation at two resolutions."""

from __future__ import annotations

from daformer_head import resized
from multi_resolution import DetailBox, Segmented
from torch import Tensor
from torch.nn.functional import cross_entropy

#: Pixels with this label are not learned from.
IGNORED = 255


def weighted_cross_entropy(
    logits: Tensor, labels: Tensor, pixel_weights: Tensor | None = None, class_weights: Tensor | None = None
) -> Tensor:
    """Mean over all pixels of weight · cross-entropy; logits (N, C, h, w) are first brought to the labels' size.

    Ignored pixels count as pixels without a loss, as in the public implementation: a crop that is mostly ignored
    weighs less.
    """
    losses = cross_entropy(
        resized(logits.float(), labels.shape[-2:]),
        labels,
        weight=class_weights,
        ignore_index=IGNORED,
        reduction="none",
    )
    return (losses if pixel_weights is None else losses * pixel_weights).mean()


def multi_resolution_loss(
    segmented: Segmented,
    labels: Tensor,
    box: DetailBox | None,
    detail_weight: float,
    pixel_weights: Tensor | None = None,
    class_weights: Tensor | None = None,
) -> Tensor:
    """(1 - λ) CE(fused) + λ CE(detail) (HRDA, arXiv 2204.13132, "Multi-Resolution Fusion"; λ = 0.1)."""
    fused = weighted_cross_entropy(segmented.logits, labels, pixel_weights, class_weights)
    if segmented.detail is None or box is None:
        return fused
    detail = weighted_cross_entropy(
        segmented.detail,
        box.within(labels, 1),
        None if pixel_weights is None else box.within(pixel_weights, 1),
        class_weights,
    )
    return (1 - detail_weight) * fused + detail_weight * detail
