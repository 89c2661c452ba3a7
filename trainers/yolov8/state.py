"""The whole state of an ultralytics training, exactly, and its weights as ultralytics itself writes them.

ultralytics' own `last.pt` holds the averaged weights (EMA) in half precision alone, is written in place, and is
stripped at the end: enough to use a model, not to resume from it exactly.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import epochal
import torch
from epochal.torch_state import bare
from ultralytics.utils import RANK

#: Weights for use: `YOLO("weights.pt")`.
WEIGHTS = "weights.pt"
#: What a training continues with.
TRAINING = "training.pt"


class State:
    """Saves and loads what ultralytics' trainer has between two batches."""

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        #: Mean losses of the epoch that is continued in its middle, until its first batch has taken them.
        self.losses: dict[str, torch.Tensor] | None = None
        #: Learning rates at the checkpoint: the scheduler sets those of the epoch's first batch.
        self.rates: list[float] = []

    def save(self, folder: Path) -> None:
        """Write both files."""
        trainer = self._trainer
        dataset = trainer.train_loader.dataset
        content = {
            "model": bare(trainer.model).state_dict(),
            "ema": trainer.ema.ema.state_dict(),
            "ema_updates": trainer.ema.updates,
            "optimizer": trainer.optimizer.state_dict(),
            "optimizer_chosen": [
                str(trainer.args.optimizer),
                float(trainer.args.lr0),
                float(trainer.args.warmup_bias_lr),
            ],
            "scaler": trainer.scaler.state_dict(),
            "best_fitness": None if trainer.best_fitness is None else float(trainer.best_fitness),
            "stopper": [
                float(trainer.stopper.best_fitness),
                int(trainer.stopper.best_epoch),
                bool(trainer.stopper.possible_stop),
            ],
            "losses": _plain(self.losses or trainer.tloss),
            "loss_items": _plain(trainer.loss_items if hasattr(trainer, "loss_items") else None),
            "mosaic_buffer": [int(index) for index in getattr(dataset, "buffer", [])],
            "results_csv": trainer.csv.read_text() if trainer.csv.exists() else "",
        }
        torch.save(content, folder / TRAINING)
        torch.save(self._usable(), folder / WEIGHTS)

    def load(self, folder: Path) -> None:
        """Read everything."""
        trainer = self._trainer
        saved = torch.load(folder / TRAINING, map_location=trainer.device, weights_only=True)
        self._load_weights(saved)
        trainer.ema.updates = saved["ema_updates"]
        self._choose_optimizer(*saved["optimizer_chosen"])
        for old, group in zip(saved["optimizer"]["param_groups"], trainer.optimizer.param_groups, strict=True):
            old["fused"] = group.get("fused")  # the device decides, which may be another one now
        trainer.optimizer.load_state_dict(saved["optimizer"])
        trainer.scaler.load_state_dict(saved["scaler"])
        trainer.best_fitness = saved["best_fitness"]
        stopper = trainer.stopper
        stopper.best_fitness, stopper.best_epoch, stopper.possible_stop = saved["stopper"]
        self.losses = saved["losses"]
        self.rates = [group["lr"] for group in saved["optimizer"]["param_groups"]]
        if saved["loss_items"] is not None:
            trainer.loss_items = saved["loss_items"]
            trainer.loss_names = tuple(saved["loss_items"])
        _load_buffer(trainer.train_loader.dataset, saved["mosaic_buffer"])
        if saved["results_csv"] and RANK in (-1, 0):
            trainer.csv.write_text(saved["results_csv"])

    def load_weights(self, folder: Path) -> None:
        """The averaged weights alone, for a new training."""
        saved = torch.load(folder / TRAINING, map_location=self._trainer.device, weights_only=True)
        self._load_weights({"model": saved["ema"], "ema": saved["ema"]})

    def _load_weights(self, saved: dict[str, Any]) -> None:
        trainer = self._trainer
        try:
            bare(trainer.model).load_state_dict(saved["model"])
            trainer.ema.ema.load_state_dict(saved["ema"])
        except RuntimeError as error:
            raise epochal.SetUpError(
                "the checkpoint is of a different network: task, size, weights and number of classes must be as before"
            ) from error

    def _choose_optimizer(self, name: str, lr0: float, warmup_bias_lr: float) -> None:
        """With `auto` the length of the training chose it, and an extended training must not choose again."""
        trainer = self._trainer
        if (name, lr0) != (str(trainer.args.optimizer), float(trainer.args.lr0)):
            decay = max(group["weight_decay"] for group in trainer.optimizer.param_groups)
            trainer.args.optimizer, trainer.args.lr0, trainer.args.warmup_bias_lr = name, lr0, warmup_bias_lr
            momentum = trainer.args.momentum if name != "AdamW" and name != "MuSGD" else 0.9
            trainer.optimizer = trainer.build_optimizer(trainer.model, name, lr0, momentum, decay)
            trainer._setup_scheduler()

    def _usable(self) -> dict[str, Any]:
        """The averaged weights in half precision, in the form of ultralytics' own finished checkpoints."""
        from ultralytics import __version__

        trainer = self._trainer
        model = deepcopy(trainer.ema.ema).half()
        model.criterion = None
        for parameter in model.parameters():
            parameter.requires_grad = False
        return {
            "epoch": -1,
            "best_fitness": None,
            "model": model,
            "ema": None,
            "updates": None,
            "optimizer": None,
            "train_args": dict(vars(trainer.args)),
            "date": datetime.now(timezone.utc).isoformat(),
            "version": __version__,
            "license": "AGPL-3.0 (https://ultralytics.com/license)",
            "docs": "https://docs.ultralytics.com",
        }


def _plain(losses: Any) -> dict[str, torch.Tensor] | None:
    return {name: value.detach().clone() for name, value in losses.items()} if losses else None


def _load_buffer(dataset: Any, indices: list[int]) -> None:
    """Images loaded last, of which a mosaic takes its other three: they decide what is trained."""
    if indices and hasattr(dataset, "buffer"):
        for index in indices:
            dataset.load_image(index)
