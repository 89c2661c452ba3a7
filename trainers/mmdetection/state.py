"""Checkpoints by mmengine itself, whole: `mmdet.apis.init_detector` reads them, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import epochal
from epochal import schedules
from mmengine.hooks import EMAHook

FILE = "checkpoint.pth"


class State:
    """Saves and loads what mmengine's runner has between two batches."""

    def __init__(self, runner: Any, loop: Any) -> None:
        self._runner, self._loop = runner, loop

    def save(self, folder: Path) -> None:
        """mmengine's checkpoint, and the config beside it."""
        runner, loop = self._runner, self._loop
        position = {
            "epoch": runner.epoch,
            "iter": loop._iter,
            "epochal": {
                "trained": loop.trained,
                "batch": loop.batch,
                "rate": loop.rate,
                "losses": list(loop._loss_names),
            },
        }
        # Validation runs with averaged weights in the model's place: what is saved is the training's.
        swapped = [hook for hook in runner.hooks if isinstance(hook, EMAHook)] if loop.in_validation else []
        for hook in swapped:
            hook._swap_ema_parameters()
        try:
            runner.save_checkpoint(str(folder), FILE, meta=position)
        finally:
            for hook in swapped:
                hook._swap_ema_parameters()
        runner.cfg.dump(str(folder / "config.py"))

    def load(self, folder: Path) -> None:
        """Read everything."""
        runner, loop = self._runner, self._loop
        runner._resume = True  # the hooks that average weights ask for it
        saved = self._read(folder)
        made, states = _flat(runner.param_schedulers or []), _flat(saved.get("param_schedulers", []))
        try:
            with schedules.over_new_total(loop.app, made, states):
                runner.resume(str(folder / FILE), map_location="cpu" if not _on_gpu(runner) else "default")
        except (RuntimeError, ValueError) as error:
            raise epochal.SetUpError(
                f"the checkpoint does not fit: config, overrides and classes must be as before ({error})"
            ) from error
        meta = saved["meta"]
        loop._iter = meta["iter"]
        ours = meta["epochal"]
        loop.trained, loop.batch, loop.rate = ours["trained"], ours["batch"], ours["rate"]
        loop._loss_names = tuple(ours["losses"])

    def load_weights(self, folder: Path) -> None:
        """The weights alone."""
        self._runner.load_checkpoint(str(folder / FILE), map_location="cpu", strict=True)

    def _read(self, folder: Path) -> dict[str, Any]:
        import torch

        return torch.load(folder / FILE, map_location="cpu", weights_only=False)


def _flat(schedulers: Any) -> list[Any]:
    """mmengine has a list of them, or one for each of several optimizers."""
    return [one for part in schedulers.values() for one in part] if isinstance(schedulers, dict) else list(schedulers)


def _on_gpu(runner: Any) -> bool:
    return next(runner.model.parameters()).is_cuda
