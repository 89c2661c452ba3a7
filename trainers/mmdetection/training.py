"""mmengine's runner on the run's data, with loops that the application can end at any batch."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import epochal
from discarded import Promised, discarded, promised
from epochal.datasets import coco
from epochal.datasets.checking import prepare
from parameters import Parameters


def train_mmdet(app: epochal.Application) -> None:
    """Train."""
    parameters: Parameters = app.parameters
    artifacts = Path(app.get_synced_data_dir())
    # mmengine's checkpoints hold more than tensors, which torch reads only when it is told so. They are our own.
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
    os.environ.setdefault("MPLBACKEND", "Agg")
    classes, data, wanted = prepare_data(app, artifacts.parent / "data")

    import torch

    on_gpu = parameters.device != "cpu" and torch.cuda.is_available()
    if parameters.device == "cuda" and not on_gpu:
        raise epochal.GpuMissing("the device is cuda, but torch finds no GPU here")
    if parameters.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    runner = make_runner(app, classes, data, artifacts, on_gpu)
    for part, loader in (("train", runner.train_loop.dataloader), ("val", runner.val_loop.dataloader)):
        for sentence in discarded(part, wanted[part], loader.dataset):
            app.note(sentence)
    runner.cfg.dump(str(artifacts / "config.py"))
    runner.train()


def prepare_data(app: epochal.Application, folder: Path) -> tuple[list[str], Path, Promised]:
    """The data set's classes, it as COCO in the run folder, and what is in that; notes its split."""
    parameters: Parameters = app.parameters
    data_set, split = prepare(app, parameters.task, parameters)
    shutil.rmtree(folder, ignore_errors=True)
    coco.write(data_set, split, folder, parameters.task)
    return data_set.classes, folder, promised(split)


def make_runner(app: epochal.Application, classes: list[str], data: Path, artifacts: Path, on_gpu: bool) -> Any:
    """mmengine's runner for the config."""
    import compiled_operators

    compiled = compiled_operators.are_compiled()
    if not compiled:
        compiled_operators.install_stand_in()
        app.note("mmcv's compiled operators are not installed: torchvision's nms and RoIAlign take their place")
    import configuration
    from loops import EpochalTrainLoop, EpochalValLoop
    from mmdet.utils import register_all_modules
    from mmengine.runner import Runner

    register_all_modules(init_default_scope=True)
    EpochalTrainLoop.app = EpochalValLoop.app = app
    config = configuration.load(app, classes, data, artifacts / "mmdet", on_gpu)
    try:
        return Runner.from_cfg(config)
    except (TypeError, KeyError, ValueError, AttributeError, AssertionError) as error:
        raise epochal.SetUpError(
            f"the config {app.parameters.config} with its overrides cannot be built: {error}"
        ) from error
