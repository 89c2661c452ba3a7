"""mmengine's runner on the run's data, with loops that the application can end at any batch."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import epochal
from comparison import Promised, compare, promised
from epochal.datasets import coco
from epochal.datasets.checking import Prepared, prepare
from parameters import Parameters
from prediction_pages import PredictionPages


def train_mmdet(app: epochal.Application, pages: PredictionPages) -> None:
    """Train."""
    parameters: Parameters = app.parameters
    artifacts = Path(app.get_synced_data_dir())
    # mmengine's checkpoints hold more than tensors, which torch reads only when it is told so. They are our own.
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
    os.environ.setdefault("MPLBACKEND", "Agg")
    written = prepare_data(app, artifacts.parent / "data")

    import torch

    on_gpu = parameters.device != "cpu" and torch.cuda.is_available()
    if parameters.device == "cuda" and not on_gpu:
        raise epochal.GpuMissing("the device is cuda, but torch finds no GPU here")
    if parameters.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    runner = make_runner(app, written, artifacts, on_gpu)
    from pages_hook import PagesHook  # mmengine is imported by now

    runner.register_hook(PagesHook(pages, written.classes), priority="LOWEST")
    loaders = {"train": runner.train_loop.dataloader, "val": runner.val_loop.dataloader}
    comparisons = [compare(part, images, loaders[part].dataset) for part, images in written.promised.items()]
    written.prepared.loaded(app, comparisons)
    runner.cfg.dump(str(artifacts / "config.py"))
    runner.train()


class Written(NamedTuple):
    """A data set as COCO in the run folder."""

    classes: list[str]
    folder: Path
    promised: Promised
    prepared: Prepared


def prepare_data(app: epochal.Application, folder: Path) -> Written:
    """Write the data set as mmdet reads it; notes its split."""
    parameters: Parameters = app.parameters
    prepared = prepare(app, parameters.task, parameters)
    data_set, split = prepared.data_set, prepared.split
    shutil.rmtree(folder, ignore_errors=True)
    coco.write(data_set, split, folder, parameters.task)
    return Written(data_set.classes, folder, promised(split), prepared)


def make_runner(app: epochal.Application, written: Written, artifacts: Path, on_gpu: bool) -> Any:
    """mmengine's runner for the config."""
    import compiled_operators

    compiled = compiled_operators.are_compiled()
    if not compiled:
        import operators_stand_in

        operators_stand_in.install()
        app.note("mmcv's compiled operators are not installed: torchvision's nms and RoIAlign take their place")
    import configuration
    from loops import EpochalTrainLoop, EpochalValLoop
    from mmdet.utils import register_all_modules
    from mmengine.runner import Runner

    register_all_modules(init_default_scope=True)
    EpochalTrainLoop.app = EpochalValLoop.app = app
    work = artifacts / "mmdet"
    loaded = configuration.load(
        app.parameters, written.classes, written.folder, work, epochs=app.planned_epochs, seed=app.seed, on_gpu=on_gpu
    )
    for note in loaded.notes:
        app.note(note)
    if problem := loaded.masks_problem(app.parameters, written.prepared.split):
        raise epochal.DataError(problem)
    try:
        return Runner.from_cfg(loaded.config)
    except (TypeError, KeyError, ValueError, AttributeError, AssertionError) as error:
        raise epochal.SetUpError(
            f"the config {app.parameters.config} with its overrides cannot be built: {error}"
        ) from error
