"""mmengine's own runner and loops on the same config and data, with its own CheckpointHook."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import rows

folder, epochs, parameters = rows.arguments("mmdetection")
os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import compiled_operators  # noqa: E402

if not compiled_operators.are_compiled():
    compiled_operators.install_stand_in()

import configuration  # noqa: E402
import loops  # noqa: E402, F401  (the configuration names them)
from mmdet.utils import register_all_modules  # noqa: E402
from mmengine.hooks import Hook  # noqa: E402
from mmengine.runner import Runner  # noqa: E402
from shapes_of_bench import as_coco  # noqa: E402


class Rows(Hook):
    """Notes the end of each epoch."""

    priority = "LOWEST"

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        rows.epoch_ended(folder, dict(metrics or {}))


register_all_modules(init_default_scope=True)
classes, data = as_coco(folder / "data")
app: Any = SimpleNamespace(parameters=parameters, planned_epochs=epochs, seed=0, note=print)
config = configuration.load(app, classes, data, folder / "work", False)
config.train_cfg = {"type": "EpochBasedTrainLoop", "max_epochs": epochs, "val_interval": 1}
config.val_cfg = {"type": "ValLoop"}
config.default_hooks.checkpoint = {"type": "CheckpointHook", "interval": 1}
runner = Runner.from_cfg(config)
runner.register_hook(Rows())
runner.train()
