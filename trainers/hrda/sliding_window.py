"""Predictions of overlapping windows, averaged.

HRDA, arXiv 2204.13132, "Pseudo-Label Generation with Overlapping Sliding Window".
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def positions(length: int, window: int, stride: int) -> list[int]:
    """Where windows begin so that they cover `length`; the last one ends with it, and may overlap more."""
    last = max(length - window, 0)
    return [*range(0, last, stride), last]


def slide(
    images: Tensor,
    window: int,
    stride: int,
    predict: Callable[[Tensor], Tensor],
    *,
    output_stride: int = 1,
    together: bool = False,
) -> Tensor:
    """The mean of what `predict` says of every window that a pixel lies in.

    `images` (N, C, H, W), windows of `window` × `window` pixels or the image's side where that is smaller. `predict`
    gives maps at 1/`output_stride` of its windows, and so does this of the images; positions and sizes divide by it.
    `together`: all windows are one batch.
    """
    count, _, height, width = images.shape
    rows, columns = min(window, height), min(window, width)
    corners = [(top, left) for top in positions(height, rows, stride) for left in positions(width, columns, stride)]
    crops = [images[..., top : top + rows, left : left + columns] for top, left in corners]
    predicted = predict(torch.cat(crops)).split(count) if together else map(predict, crops)
    total: Tensor | None = None
    seen = images.new_zeros(1, 1, height // output_stride, width // output_stride, dtype=torch.float32)
    for (top, left), one in zip(corners, predicted, strict=True):
        if total is None:
            total = one.new_zeros(count, one.shape[1], *seen.shape[-2:], dtype=torch.float32)
        place = (
            ...,
            slice(top // output_stride, (top + rows) // output_stride),
            slice(left // output_stride, (left + columns) // output_stride),
        )
        total[place] += one
        seen[place] += 1
    assert total is not None
    return total / seen
