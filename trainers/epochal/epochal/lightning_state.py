"""What Lightning knows of a training, put away and brought back without its restart logic."""

from __future__ import annotations

import math
import pickle
import re
from pathlib import Path
from typing import Any

from epochal.errors import SetUpError

FILE = "lightning.ckpt"

Trainer = Any


def count(batches: float) -> int | None:
    """A number of batches, where it is known."""
    return None if math.isinf(batches) else int(batches)


def learning_rate(trainer: Trainer) -> float:
    """Of the first group of the first optimizer."""
    return float(trainer.optimizers[0].param_groups[0]["lr"]) if trainer.optimizers else 0.0


def why_early(trainer: Trainer) -> str:
    """What ended the training before its last epoch, as far as that says so."""
    if not trainer.should_stop:
        return "a limit of the Trainer was reached (max_steps, max_time)"
    told = [getattr(callback, "stopping_reason_message", None) for callback in trainer.early_stopping_callbacks]
    return next((str(one) for one in told if one), "the Trainer's should_stop was set")


def _expect_anew(trainer: Trainer) -> None:
    """A training that had ended early is continued: it gets its full patience again."""
    for callback in trainer.early_stopping_callbacks:
        if callback.wait_count >= callback.patience:
            callback.wait_count = callback.stopped_epoch = 0


def epoch_metrics(trainer: Trainer) -> dict[str, float]:
    """What the module logged for the epoch, as Lightning names it."""
    return {name: float(value) for name, value in trainer.callback_metrics.items() if not name.endswith("_step")}


def check_readable(path: Path) -> None:
    """`SetUpError` for a checkpoint that holds what cannot be read back without running code from it."""
    import torch

    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise SetUpError(f"the module's checkpoint {_with_objects(error)}") from error


def load(trainer: Trainer, path: Path, epochs: int, *, weights_only: bool) -> dict[str, Any]:
    """Give Lightning a checkpoint after `epochs` complete epochs; it takes optimizers and schedules by itself later."""
    connector = trainer._checkpoint_connector
    try:
        checkpoint: dict[str, Any] = trainer.strategy.load_checkpoint(path, weights_only=weights_only)
    except pickle.UnpicklingError as error:
        raise SetUpError(f"the checkpoint {path} {_with_objects(error)}") from error
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        raise SetUpError(f"the checkpoint {path} cannot be read: {error}") from error
    progress = checkpoint.pop("loops")["fit_loop"]  # with it Lightning would restart in its own way
    connector._loaded_checkpoint = checkpoint
    try:
        connector.restore_datamodule()
        connector.restore_model()
        connector.restore_callbacks()
        _expect_anew(trainer)
    except RuntimeError as error:
        raise SetUpError(f"the checkpoint {path} is of another model: {error}") from error
    fit = trainer.fit_loop
    epoch = fit.epoch_loop
    for name, part in {
        "epoch_loop.automatic_optimization.optim_progress": epoch.automatic_optimization.optim_progress,
        "epoch_loop.manual_optimization.optim_step_progress": epoch.manual_optimization.optim_step_progress,
        "epoch_loop.scheduler_progress": epoch.scheduler_progress,
        "epoch_loop.batch_progress": epoch.batch_progress,
    }.items():
        part.load_state_dict(progress[name])
    epoch._batches_that_stepped = progress["epoch_loop.state_dict"]["_batches_that_stepped"]
    for position in (fit.epoch_progress.current, fit.epoch_progress.total):
        position.ready = position.started = position.processed = position.completed = epochs
    return checkpoint


def _with_objects(error: pickle.UnpicklingError) -> str:
    found = re.search(r"Unsupported (?:global|class|operand)[^\n]*?([\w.]+) was not", str(error))
    what = f" ({found[1]})" if found else ""
    return (
        f"holds objects beside tensors and plain values{what}, and reading them runs code from it: leave them out of "
        "hyper-parameters and callbacks, or use EpochalCallback(app, weights_only=False) if you trust whoever wrote it"
    )


class Partial:
    """Metrics of an epoch that is not complete: sums that the module has logged so far, and states of its metrics."""

    def __init__(
        self, sums: dict[str, Any], metrics: dict[str, Any], learning_rate: float, in_validation: bool = False
    ) -> None:
        self.sums = sums
        self.metrics = metrics
        self.learning_rate = learning_rate
        self.in_validation = in_validation
        self.is_merged = False

    @classmethod
    def of(cls, trainer: Trainer, learning_rate: float) -> Partial:
        """As they are now."""
        sums = {}
        names = {id(metric): name for name, metric in _metrics_of(trainer).items()}
        for key, result in trainer.fit_loop.epoch_loop._results.items():
            if not result.meta.on_epoch:
                continue
            if not result.is_tensor:
                value = result.value.compute().detach().cpu()
                sums[key] = {"name": _epoch_name(result.meta), "value": value, "metric": names.get(id(result.value))}
            else:
                sums[key] = {
                    "name": _epoch_name(result.meta),
                    "value": result.value.detach().clone(),
                    "samples": result.cumulated_batch_size.clone() if result.meta.is_mean_reduction else None,
                }
        metrics = {
            name: {state: _copy(getattr(metric, state)) for state in metric._defaults} | {"": metric._update_count}
            for name, metric in _metrics_of(trainer).items()
        }
        return cls(sums, metrics, learning_rate)

    def as_dict(self, *, in_validation: bool) -> dict[str, Any]:
        """To save."""
        return {
            "sums": self.sums,
            "metrics": self.metrics,
            "learning_rate": self.learning_rate,
            "in_validation": in_validation,
        }

    def restore_metrics(self, trainer: Trainer) -> None:
        """Set the states of the module's own metrics."""
        for name, metric in _metrics_of(trainer).items():
            for state, value in self.metrics.get(name, {}).items():
                if state:
                    setattr(metric, state, _copy(value, metric.device))
                else:
                    metric._update_count, metric._computed = value, None

    def merge(self, results: Any) -> None:
        """Add the sums to those that the first batch after the interruption has begun."""
        self.is_merged = True
        for key, saved in self.sums.items():
            if key in results and results[key].is_tensor:
                result = results[key]
                before = saved["value"].to(result.value.device)
                if result.meta.is_max_reduction or result.meta.is_min_reduction:
                    result.value = result.meta.reduce_fx(before, result.value)
                else:
                    result.value = before + result.value
                if saved["samples"] is not None:
                    result.cumulated_batch_size = saved["samples"].to(result.value.device) + result.cumulated_batch_size

    def missing(self, trainer: Trainer) -> dict[str, float]:
        """Metrics of the epoch that no batch after the interruption has logged: there was none.

        Lightning resets the metrics that were logged when their epoch ends; these it does not know of.
        """
        metrics = _metrics_of(trainer)
        found = {}
        for key, saved in self.sums.items():
            if key not in trainer.fit_loop.epoch_loop._results:
                samples = saved.get("samples")
                found[saved["name"]] = float(saved["value"] if samples is None else saved["value"] / samples)
                if saved.get("metric") in metrics:
                    metrics[saved["metric"]].reset()
        return found


def _epoch_name(meta: Any) -> str:
    return f"{meta.name}_epoch" if meta.on_step and meta.on_epoch else str(meta.name)


def _metrics_of(trainer: Trainer) -> dict[str, Any]:
    """The module's own torchmetrics, by name."""
    from torchmetrics import Metric

    return {name: one for name, one in trainer.lightning_module.named_modules() if isinstance(one, Metric)}


def _copy(value: Any, device: Any = "cpu") -> Any:
    return (
        [one.detach().clone().to(device) for one in value]
        if isinstance(value, list)
        else value.detach().clone().to(device)
    )
