"""HRDA: semantic segmentation that adapts to a domain without labels, at high resolution. See docs/trainers/hrda.md.

Hoyer, Dai, Van Gool: HRDA: Context-Aware High-Resolution Domain-Adaptive Semantic Segmentation. ECCV 2022, arXiv
2204.13132. It stands on DAFormer (the same authors, CVPR 2022, arXiv 2111.14887) and DACS (Tranheden et al., WACV 2021,
arXiv 2007.08702).
"""

from __future__ import annotations

import os
from pathlib import Path

import epochal
from parameters import Parameters
from segmentation_pages import SegmentationPages

# Sums in the same order every time, and no fight for the cores with other trainings.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pages = SegmentationPages()

trainer = epochal.Trainer(
    name="hrda",
    title="HRDA: domain-adaptive segmentation",
    description="Semantic segmentation learned from labelled images of one domain (a simulation, say) and images "
    "without labels of the one that counts: self-training with context at low resolution and detail at high.",
    parameters=Parameters,
    datasets=[
        epochal.Dataset(
            "domains",
            "a folder with source, target and validation, each with images, labels (PNGs of classes) and classes.txt",
        ),
        epochal.Dataset(
            "cityscapes and gta",
            "the same with folders in Cityscapes' layout (leftImg8bit, gtFine) or GTA's (images, labels)",
        ),
        epochal.Dataset("supervisely", "the same with Supervisely projects: meta.json and data sets with img and ann"),
    ],
    metrics=[
        epochal.Metric("mIoU", "Mean intersection over union of the classes, on the validation images (0 … 1)"),
        epochal.Metric("pixel_accuracy", "Fraction of the labelled validation pixels with the right class"),
        epochal.Metric(
            "train_loss",
            "Mean of the sum of all losses over the epoch's iterations; IoU_<class> is reported for each class",
        ),
        epochal.Metric("source_loss", "Mean cross-entropy on source images"),
        epochal.Metric("mixed_loss", "Mean weighted cross-entropy on mixed images (self-training)"),
        epochal.Metric("feature_loss", "Mean weighted feature distance (with pretrained weights)"),
        epochal.Metric("pseudo_quality", "Mean part of the target pixels that the teacher is sure of (self-training)"),
        epochal.Metric("learning_rate", "Encoder's step size in the epoch's last iteration"),
    ],
    best=("mIoU", "max"),
    can_shrink_batch=True,
    packages=["torch", "torchvision", "transformers", "timm", "numpy", "pillow", "safetensors"],
    default_epochs=80,
    processes=lambda parameters: parameters.processes,
    layout=pages.layout,
)


@trainer.check_data
def check_data(data: str | None, parameters: Parameters, check: epochal.Check) -> list[epochal.Problem]:
    """What the ranges of the parameters cannot say, and the data set; without importing torch."""
    problems = _problems(parameters)
    try:
        from data_set import read_data_set  # needs numpy and pillow, and a manifest does not
        from epochal.datasets.checking import Look

        look = Look(check.progress) if check.deep else None
        read = read_data_set(data, parameters, for_check=True, look=look, tell=check.report)
        unknown = [name for name in parameters.thing_classes if name not in read.source.classes]
        if unknown:
            message = f"{unknown[0]} is not a class of the source, which has {', '.join(read.source.classes)}"
            problems.append(epochal.Problem("parameters.thing_classes", parameters.thing_classes, message))
    except epochal.DataError as error:
        problems.append(epochal.Problem("data", data, str(error)))
    return problems


def _problems(parameters: Parameters) -> list[epochal.Problem]:
    found = []

    def wrong(name: str, message: str) -> None:
        found.append(epochal.Problem(f"parameters.{name}", getattr(parameters, name), message))

    if parameters.detail_size > parameters.crop_size:
        wrong("detail_size", f"must be at most crop_size, {parameters.crop_size}")
    if parameters.batch_size % parameters.processes:
        wrong("batch_size", f"must divide by the {parameters.processes} processes")
    if min(parameters.pseudo_margins) < 0:
        wrong("pseudo_margins", "must not have negative numbers")
    if any(dilation < 1 for dilation in parameters.decoder_dilations):
        wrong("decoder_dilations", "must have numbers of at least 1")
    if parameters.weights and (problem := epochal.weights_problem(parameters.weights)):
        wrong("weights", problem)
    pretrained = parameters.encoder_weights
    if pretrained and not pretrained.startswith("hub:") and not Path(pretrained).expanduser().exists():
        wrong("encoder_weights", "must be a folder or file that is there on the host that trains, or hub:<name>")
    return found


@trainer.train
def train(app: epochal.Application) -> None:
    """Train."""
    from training import train_hrda

    train_hrda(app, pages)


if __name__ == "__main__":
    epochal.main(trainer)
