"""MMDetection 3: object detection and instance segmentation from any epoch-based mmdet config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import epochal
from config_file import config_problem
from parameters import Parameters
from prediction_pages import PredictionPages
from weights_file import weights_problem

if TYPE_CHECKING:
    from epochal.datasets.checking import Foresight
    from epochal.datasets.loaded import Comparison
    from epochal.datasets.splits import Split

pages = PredictionPages()

trainer = epochal.Trainer(
    name="mmdetection",
    title="MMDetection",
    description="Object detection and instance segmentation with mmdet 3, from any epoch-based config of the package "
    "or of your own. Its schedules and hooks are respected. With mmcv-lite, what needs mmcv's compiled operators is "
    "refused before training.",
    parameters=Parameters,
    datasets=[
        epochal.Dataset("coco", "a folder with COCO json files and their images"),
        epochal.Dataset("yolo", "a folder with data.yaml, images and labels as ultralytics has them"),
        epochal.Dataset("supervisely", "a Supervisely project: meta.json and data sets with img and ann"),
    ],
    metrics=[
        epochal.Metric("mAP", "COCO's mean average precision of boxes over IoU 0.5 to 0.95"),
        epochal.Metric("mAP50", "Mean average precision of boxes at an IoU of 0.5"),
        epochal.Metric("mAP75", "Mean average precision of boxes at an IoU of 0.75"),
        epochal.Metric("mask_mAP", "Mean average precision of masks over IoU 0.5 to 0.95 (segment)"),
        epochal.Metric("mask_mAP50", "Mean average precision of masks at an IoU of 0.5 (segment)"),
        epochal.Metric("train_loss", "Mean of the sum of the losses; each of them is reported as train_<name>"),
        epochal.Metric("lr", "Learning rate in the last batch of the epoch"),
    ],
    best=("mAP", "max"),
    packages=["mmdet", "mmengine", "mmcv", "mmcv-lite", "torch", "torchvision", "numpy"],
    default_epochs=12,
    layout=pages.layout,
)


@trainer.check_data
def check_data(data: str | None, parameters: Parameters, check: epochal.Check) -> list[epochal.Problem]:
    """The config, the weights file and the data set, without importing torch or mmdet."""
    problems = []
    if problem := config_problem(parameters.config):
        problems.append(epochal.Problem("parameters.config", parameters.config, problem))
    if parameters.weights and (problem := weights_problem(parameters.weights)):
        problems.append(epochal.Problem("parameters.weights", parameters.weights, problem))
    foresight = None
    if not problems:
        try:
            foresight = _foresight(parameters)
        except epochal.SetUpError as error:
            problems.append(epochal.Problem("parameters.config", parameters.config, f"cannot be used: {error}"))
    try:
        from epochal.datasets.checking import examine  # needs numpy, and a manifest does not

        examine(check, data, parameters.task, parameters, foresight)
    except epochal.DataError as error:
        problems.append(epochal.Problem("data", data, str(error)))
    return problems


def _foresight(parameters: Parameters) -> Foresight:
    """What mmdet will load, by the config as it will be used. `SetUpError` for a config that cannot be."""
    import configuration
    from comparison import foreseen
    from epochal.datasets.checking import Foresight

    loaded = configuration.load(parameters, ["object"], Path("data"), Path("work"), for_check=True)
    filters = loaded.filters()

    def loads(split: Split) -> list[Comparison]:
        if problem := loaded.masks_problem(parameters, split):
            raise epochal.DataError(problem)
        return foreseen(split, filters)

    return Foresight(loads, [filters, loaded.has_mask_head])


@trainer.train
def train(app: epochal.Application) -> None:
    """Train."""
    from training import train_mmdet

    train_mmdet(app, pages)


if __name__ == "__main__":
    epochal.main(trainer)
