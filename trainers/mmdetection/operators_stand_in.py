"""torchvision's operators in the place of mmcv's compiled ones, where mmcv-lite is installed."""

from __future__ import annotations

import importlib.util
import sys
import types
from typing import Any

import torch


def install() -> None:
    """Give `mmcv.ops` a module to import that has torchvision's operators, and says of others that they are missing."""
    module = _StandIn("mmcv._ext")
    module.__spec__ = importlib.util.spec_from_loader("mmcv._ext", loader=None)
    sys.modules["mmcv._ext"] = module


class _StandIn(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _replacements.get(name) or _absent(name)


def _absent(name: str) -> Any:
    def call(*_args: Any, **_options: Any) -> None:
        raise NotImplementedError(f"{name} needs mmcv with compiled operators; mmcv-lite is installed")

    return call


def _nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float, offset: int) -> torch.Tensor:
    from torchvision.ops import nms

    if offset:  # corners that are whole pixels, the last one included
        boxes = torch.cat([boxes[:, :2], boxes[:, 2:] + offset], 1)
    return nms(boxes, scores, iou_threshold)


def _focal_terms(logits: torch.Tensor, target: torch.Tensor, gamma: float, alpha: float) -> torch.Tensor:
    wanted = torch.nn.functional.one_hot(target, logits.size(1) + 1)[:, : logits.size(1)].to(logits.dtype)
    probability = logits.sigmoid()
    wrong = (1 - probability) * wanted + probability * (1 - wanted)
    weight = (alpha * wanted + (1 - alpha) * (1 - wanted)) * wrong.pow(gamma)
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * weight


def _focal_loss(logits: Any, target: Any, weight: Any, output: Any, *, gamma: float, alpha: float) -> None:
    del weight
    output.copy_(_focal_terms(logits, target, gamma, alpha))


def _focal_gradient(logits: Any, target: Any, weight: Any, gradient: Any, *, gamma: float, alpha: float) -> None:
    del weight
    with torch.enable_grad():
        leaf = logits.detach().requires_grad_()
        (found,) = torch.autograd.grad(_focal_terms(leaf, target, gamma, alpha).sum(), leaf)
    gradient.copy_(found)


def _roi_align(
    features: Any, rois: Any, output: Any, _argmax_y: Any, _argmax_x: Any, *, aligned_height: int, aligned_width: int,
    spatial_scale: float, sampling_ratio: int, pool_mode: int, aligned: bool,
) -> None:  # fmt: skip
    from torchvision.ops import roi_align

    if pool_mode != 1:
        raise NotImplementedError("RoIAlign by maxima needs mmcv with compiled operators; mmcv-lite is installed")
    size = (aligned_height, aligned_width)
    output.copy_(roi_align(features, rois, size, spatial_scale, sampling_ratio, aligned))


def _roi_align_gradient(
    gradient: Any, rois: Any, _argmax_y: Any, _argmax_x: Any, result: Any, *, aligned_height: int, aligned_width: int,
    spatial_scale: float, sampling_ratio: int, pool_mode: int, aligned: bool,
) -> None:  # fmt: skip
    import torchvision  # noqa: F401  (registers the operator)

    del pool_mode
    size = (aligned_height, aligned_width)
    result.copy_(
        torch.ops.torchvision._roi_align_backward(
            gradient, rois, spatial_scale, *size, *result.shape, sampling_ratio, aligned
        )
    )


_replacements = {
    "nms": _nms,
    "roi_align_forward": _roi_align,
    "roi_align_backward": _roi_align_gradient,
    "sigmoid_focal_loss_forward": _focal_loss,
    "sigmoid_focal_loss_backward": _focal_gradient,
}
