"""mmdet's losses and COCO's metrics under the names of the manifest."""

from __future__ import annotations

from typing import Any

_names = {
    "coco/bbox_mAP": "mAP",
    "coco/bbox_mAP_50": "mAP50",
    "coco/bbox_mAP_75": "mAP75",
    "coco/segm_mAP": "mask_mAP",
    "coco/segm_mAP_50": "mask_mAP50",
    "coco/segm_mAP_75": "mask_mAP75",
}


def batch_losses(outputs: dict[str, Any]) -> dict[str, Any]:
    """The losses of a batch: `loss` is their sum; accuracies that heads report are left out."""
    return {name: value.detach() for name, value in outputs.items() if "loss" in name}


def epoch_metrics(
    runner: Any, metrics: dict[str, Any], losses: dict[str, Any], learning_rate: float
) -> dict[str, float]:
    """Metrics of an epoch. COCO's evaluation answers nothing when nothing was detected: that is 0."""
    found = {name: 0.0 for key, name in _names.items() if "bbox" in key or _has_masks(runner)}
    for key, value in metrics.items():
        if key in _names:
            found[_names[key]] = max(float(value), 0.0)  # -1: no such objects
        elif key.startswith("val") and "loss" in key:
            found[key.replace("/", "_")] = float(value)
    found |= {f"train_{name}": average.value for name, average in losses.items()}
    return {**found, "lr": learning_rate}


def learning_rate(runner: Any) -> float:
    """Of the first group of weights."""
    return float(next(iter(runner.optim_wrapper.get_lr().values()))[0])


def _has_masks(runner: Any) -> bool:
    return "segm" in runner.cfg.val_evaluator.get("metric", [])
