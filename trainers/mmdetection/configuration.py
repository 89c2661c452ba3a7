"""An mmdet config, made to train on the run's data for the run's epochs, offline and under the application."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import compiled_operators
import epochal
from comparison import Filter
from config_file import find_config
from epochal.datasets.splits import Split
from parameters import Parameters


class Loaded(NamedTuple):
    """A config as it is used."""

    config: Any
    #: What a person should know of what was changed in it.
    notes: list[str]

    @property
    def has_mask_head(self) -> bool:
        """Whether the model of the config learns masks."""
        return bool(list(_with_key(self.config.model, "mask_head"))) or "mask" in str(self.config.model.type).lower()

    def masks_problem(self, parameters: Parameters, split: Split) -> str | None:
        """Why the objects of a split cannot be learnt by the config's mask head, as a sentence."""
        if parameters.task == "segment" or not self.has_mask_head:
            return None
        objects = (one for images in split.parts.values() for image in images for one in image.objects)
        without = sum(not one.has_mask for one in objects)
        if not without:
            return None
        return (
            f"{parameters.config} has a mask head, but {without} objects have no mask: task segment takes their boxes "
            "as outlines; for boxes alone take a config without a mask head"
        )

    def filters(self) -> dict[str, list[Filter]]:
        """What the data sets of the config discard of each part of the split."""
        loaders = {"train": self.config.train_dataloader, "val": self.config.val_dataloader}
        return {part: [Filter.of(one) for one in _data_sets(loader.dataset)] for part, loader in loaders.items()}


def load(
    parameters: Parameters,
    classes: list[str],
    data: Path,
    work: Path,
    *,
    epochs: int | None = None,
    seed: int = 0,
    on_gpu: bool = False,
    for_check: bool = False,
) -> Loaded:
    """The config as it is used. `SetUpError` for one that cannot be trained here, with the reason.

    `epochs` are those of the run; None: as many as the config has. A check imports nothing that the config names.
    """
    from mmengine.config import Config, ConfigDict

    file = find_config(parameters.config)
    if file is None:
        raise epochal.SetUpError(f"there is no config {parameters.config}")
    try:
        config = Config.fromfile(str(file), import_custom_modules=not for_check)
    except Exception as error:
        raise epochal.SetUpError(f"the config {file} cannot be read: {error}") from error
    planned = _epochs(config, file)
    epochs = epochs or planned
    _set_data(config, classes, data, parameters)
    notes = _start_from_scratch(config, parameters)
    if parameters.image_size:
        _set_image_size(config, parameters.image_size)
    if parameters.learning_rate:
        config.optim_wrapper.optimizer.lr = parameters.learning_rate
    if parameters.scale_schedule and planned != epochs:
        _scale_schedule(config, epochs / planned)
    config.train_cfg = ConfigDict(type="EpochalTrainLoop", max_epochs=epochs)
    config.val_cfg = ConfigDict(type="EpochalValLoop")
    config.test_dataloader = config.test_evaluator = config.test_cfg = None
    config.default_hooks.checkpoint = None  # checkpoints are the application's
    config.randomness = ConfigDict(seed=seed % 2**31, deterministic=False)
    config.work_dir = str(work)
    config.resume = False
    config.launcher = "none"
    if parameters.overrides:
        try:
            config.merge_from_dict(dict(parameters.overrides))
        except Exception as error:
            raise epochal.SetUpError(f"the overrides do not fit the config: {error}") from error
    loaded = Loaded(config, notes)
    if parameters.task == "segment" and not loaded.has_mask_head:
        raise epochal.SetUpError(
            f"{parameters.config} has no mask head: task segment needs an instance segmentation config"
        )
    if not compiled_operators.are_compiled():
        if missing := compiled_operators.missing(config.model, on_gpu):
            raise epochal.SetUpError(
                f"{parameters.config} uses {', '.join(missing)}, which needs mmcv with compiled operators, and "
                "mmcv-lite is installed here (docs/trainers/mmdetection.md says how to install the other)"
            )
        compiled_operators.use_torchvision(config.model)
    return loaded


def _epochs(config: Any, file: Path) -> int:
    planned = config.get("train_cfg", {}).get("max_epochs")
    if not planned:
        raise epochal.SetUpError(
            f"the config {file.stem} trains by iterations, not by epochs: take one with train_cfg.max_epochs"
        )
    return int(planned)


def _set_data(config: Any, classes: list[str], data: Path, parameters: Parameters) -> None:
    for part, name in (("train", "train_dataloader"), ("val", "val_dataloader")):
        loader = config.get(name)
        if not loader:
            raise epochal.SetUpError(f"the config {parameters.config} has no {name}")
        for dataset in _data_sets(loader.dataset):
            for key in ("data_prefix", "ann_file", "data_root", "metainfo", "indices", "backend_args"):
                dataset.pop(key, None)
            dataset.type = "CocoDataset"
            dataset.metainfo = {"classes": tuple(classes)}
            dataset.data_root = str(data)
            dataset.ann_file = f"annotations/{part}.json"
            dataset.data_prefix = {"img": f"images/{part}/"}
        loader.num_workers = parameters.workers
        loader.persistent_workers = parameters.workers > 0
        if parameters.batch_size and part == "train":  # validation is as the config has it
            loader.batch_size = parameters.batch_size
    config.val_evaluator = {
        "type": "CocoMetric",
        "ann_file": str(data / "annotations" / "val.json"),
        "metric": ["bbox", "segm"] if parameters.task == "segment" else ["bbox"],
        "format_only": False,
        "classwise": True,
    }
    for part in _with_key(config.model, "num_classes"):
        part["num_classes"] = len(classes)


def _data_sets(dataset: Any) -> Iterator[Any]:
    """The innermost data sets: configs wrap them (`RepeatDataset`, `MultiImageMixDataset`, …)."""
    inner = [dataset[key] for key in ("dataset", "datasets") if key in dataset]
    if not inner:
        yield dataset
    for one in inner:
        for part in one if isinstance(one, (list, tuple)) else [one]:
            yield from _data_sets(part)


def _start_from_scratch(config: Any, parameters: Parameters) -> list[str]:
    """Configs download weights of a backbone: here they come from a file, or there are none. Answers what to note."""
    config.load_from = str(Path(parameters.weights).expanduser()) if parameters.weights else None
    removed = []
    for part in _with_key(config.model, "init_cfg"):
        init = part["init_cfg"]
        if (
            isinstance(init, dict)
            and init.get("type") == "Pretrained"
            and not Path(str(init.get("checkpoint"))).is_file()
        ):
            removed.append(init.get("checkpoint"))
            part["init_cfg"] = None
    if removed and not parameters.weights:
        for part in _with_key(config.model, "frozen_stages"):
            part["frozen_stages"] = -1
        for part in _with_key(config.model, "norm_eval"):
            part["norm_eval"] = False
        for part in _with_key(config.model, "norm_cfg"):
            if isinstance(part["norm_cfg"], dict) and "requires_grad" in part["norm_cfg"]:
                part["norm_cfg"]["requires_grad"] = True
        return [
            f"the config's backbone would come from {removed[0]}: nothing is downloaded, so it starts from scratch, "
            "and none of its stages is frozen"
        ]
    return []


def _set_image_size(config: Any, size: int) -> None:
    for name in ("train_dataloader", "val_dataloader"):
        for part in _with_key(config[name], "scale"):
            if isinstance(part["scale"], (list, tuple)):
                part["scale"] = (size, size)
        for part in _with_key(config[name], "crop_size"):
            part["crop_size"] = (size, size)
    for part in _with_key(config.model, "batch_augments"):
        for augment in part["batch_augments"] or []:
            if "size" in augment:
                augment["size"] = (size, size)


def _scale_schedule(config: Any, factor: float) -> None:
    """Stretch milestones and ends that are counted in epochs to the run's; a warm-up by batches stays as it is."""
    schedulers = config.get("param_scheduler") or []
    for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
        if not scheduler.get("by_epoch", True):
            continue
        for key in ("begin", "end", "T_max"):
            if isinstance(scheduler.get(key), (int, float)) and math.isfinite(scheduler[key]):
                scheduler[key] = round(scheduler[key] * factor)
        if scheduler.get("milestones"):
            scheduler["milestones"] = sorted({max(round(one * factor), 1) for one in scheduler["milestones"]})


def _with_key(config: Any, key: str) -> Iterator[Any]:
    """Every dictionary in the config that has `key`."""
    if isinstance(config, dict):
        if key in config:
            yield config
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        for part in config:
            yield from _with_key(part, key)
