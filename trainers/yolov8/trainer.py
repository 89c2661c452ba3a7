"""YOLOv8 and YOLO11 by ultralytics: detection, segmentation, pose and classification.

ultralytics is AGPL-3.0: `docs/trainers/yolov8.md` says what that means for the checkpoints.
"""

from __future__ import annotations

import epochal
from parameters import Parameters
from prediction_pages import PredictionPages
from weights_file import weights_problem

pages = PredictionPages()

trainer = epochal.Trainer(
    name="yolov8",
    title="YOLOv8 (ultralytics)",
    description="Detection, instance segmentation, pose and classification with ultralytics' YOLOv8 and YOLO11, from "
    "scratch or from your own weights. ultralytics is licensed under AGPL-3.0, and so are checkpoints trained with it "
    "unless you have its enterprise licence.",
    parameters=Parameters,
    datasets=[
        epochal.Dataset("yolo", "a folder with data.yaml, images and labels as ultralytics has them"),
        epochal.Dataset("coco", "a folder with COCO json files and their images"),
        epochal.Dataset("supervisely", "a Supervisely project: meta.json and data sets with img and ann"),
        epochal.Dataset("images", "a folder of images for each class (classification)"),
    ],
    metrics=[
        epochal.Metric(
            "fitness", "the measure of ultralytics: mAP50-95 (of boxes plus masks or poses), or mean accuracy"
        ),
        epochal.Metric("mAP50", "Mean average precision of boxes at an IoU of 0.5"),
        epochal.Metric("mAP50-95", "Mean average precision of boxes over IoU 0.5 to 0.95"),
        epochal.Metric("precision", "Precision of boxes at the confidence of the best F1"),
        epochal.Metric("recall", "Recall of boxes at the confidence of the best F1"),
        epochal.Metric("mask_mAP50", "mAP50 of masks (segment)"),
        epochal.Metric("mask_mAP50-95", "mAP50-95 of masks (segment)"),
        epochal.Metric("pose_mAP50", "mAP50 of poses (pose)"),
        epochal.Metric("pose_mAP50-95", "mAP50-95 of poses (pose)"),
        epochal.Metric("accuracy_top1", "Fraction of the images whose class was right (classify)"),
        epochal.Metric("accuracy_top5", "Fraction of the images whose class was among the top five (classify)"),
        epochal.Metric("train_loss", "Sum of the training losses; each of them is reported as train_<name>_loss"),
        epochal.Metric("val_loss", "Sum of the validation losses; each of them is reported as val_<name>_loss"),
        epochal.Metric("lr", "Learning rate of the weights at the end of the epoch"),
    ],
    best=("fitness", "max"),
    can_shrink_batch=True,
    packages=["ultralytics", "torch", "torchvision", "numpy"],
    default_epochs=100,
    processes=lambda parameters: len(parameters.devices),
    layout=pages.layout,
)


@trainer.check_data
def check_data(data: str | None, parameters: Parameters, check: epochal.Check) -> list[epochal.Problem]:
    """The data set and the weights file, without importing torch."""
    problems = []
    if parameters.weights and (problem := weights_problem(parameters.weights, parameters.task)):
        problems.append(epochal.Problem("parameters.weights", parameters.weights, problem))
    problems += device_problems(parameters)
    try:
        # They need numpy, and a manifest does not.
        from comparison import foreseen
        from epochal.datasets.checking import Foresight, examine

        foresight = Foresight(lambda split: foreseen(split, parameters.task))
        examine(check, data, parameters.task, parameters, foresight)
    except epochal.DataError as error:
        problems.append(epochal.Problem("data", data, str(error)))
    return problems


def device_problems(parameters: Parameters) -> list[epochal.Problem]:
    """What the pattern of `device` cannot say."""
    problems = []
    gpus = [device for device in parameters.devices if device.isdigit()]
    if len(set(gpus)) < len(gpus):
        problems.append(epochal.Problem("parameters.device", parameters.device, "must name each GPU once"))
    if parameters.batch_size % len(parameters.devices):
        message = f"must divide by the {len(parameters.devices)} devices"
        problems.append(epochal.Problem("parameters.batch_size", parameters.batch_size, message))
    return problems


@trainer.train
def train(app: epochal.Application) -> None:
    """Train."""
    from training import train_yolo

    train_yolo(app, pages)


if __name__ == "__main__":
    epochal.main(trainer)
