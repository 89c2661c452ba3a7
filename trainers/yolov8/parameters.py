"""What can be set: ultralytics' own names and meanings where it has them."""

from __future__ import annotations

from typing import Literal

import epochal
from epochal.datasets.parameters import SplitParameters

Task = Literal["detect", "segment", "pose", "classify"]


class Parameters(SplitParameters):
    """Parameters of a YOLO training."""

    task: Task = epochal.parameter(
        "detect", title="Task", description="What is learned: boxes, masks, keypoints, or the class of whole images"
    )
    family: Literal["yolov8", "yolo11"] = epochal.parameter(
        "yolov8",
        title="Architecture",
        description="Family of networks trained from scratch; unused with your own weights",
    )
    size: Literal["n", "s", "m", "l", "x"] = epochal.parameter(
        "n", title="Model size", description="Size of the network, n (smallest, fastest) to x; unused with own weights"
    )
    weights: str | None = epochal.parameter(
        None,
        path=True,
        title="Own weights",
        max_length=4096,
        description="Path of an ultralytics .pt file on the worker to start from; left out, the network starts from "
        "scratch. It is a pickle: use files that you trust",
    )
    image_size: int = epochal.parameter(
        640,
        title="Image size",
        ge=32,
        le=4096,
        multiple_of=32,
        unit="pixels",
        description="Images are scaled to this size",
    )
    batch_size: int = epochal.parameter(
        16,
        title="Batch size",
        ge=1,
        le=4096,
        unit="images",
        description="Images in a batch, which is one optimizer step",
    )
    nominal_batch_size: int | None = epochal.parameter(
        None,
        title="Nominal batch size",
        ge=1,
        le=4096,
        unit="images",
        description="Gradients of several batches are added up to about this many images for a step (ultralytics' "
        "nbs); if omitted, every batch is a step, and a resume is exact",
    )
    patience: int = epochal.parameter(
        100,
        title="Patience",
        ge=0,
        le=100_000,
        unit="epochs",
        description="End early after this many epochs without a better fitness; 0: never",
    )
    optimizer: Literal["auto", "SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSProp", "MuSGD"] = (
        epochal.parameter(
            "auto",
            title="Optimizer",
            description="auto chooses AdamW or MuSGD and the learning rate by the length of the training",
        )
    )
    lr0: float = epochal.parameter(
        0.01, title="Learning rate", gt=0, le=1, description="Initial learning rate (unused with optimizer auto)"
    )
    lrf: float = epochal.parameter(
        0.01,
        title="Final learning rate",
        ge=0,
        le=1,
        description="Learning rate at the end, as a fraction of the initial one",
    )
    cos_lr: bool = epochal.parameter(
        False, title="Cosine schedule", description="Lower the learning rate along a cosine instead of a line"
    )
    momentum: float = epochal.parameter(
        0.937, title="Momentum", ge=0, lt=1, description="Momentum of SGD, beta1 of Adam"
    )
    weight_decay: float = epochal.parameter(
        0.0005, title="Weight decay", ge=0, le=1, description="L2 penalty on the weights"
    )
    warmup_epochs: float = epochal.parameter(
        3.0,
        title="Warm-up",
        ge=0,
        le=1000,
        unit="epochs",
        description="Epochs in which the learning rate rises to its initial value",
    )
    freeze: int = epochal.parameter(
        0, title="Freeze", ge=0, le=1000, unit="layers", description="How many of the first layers are not trained"
    )
    close_mosaic: int = epochal.parameter(
        10,
        title="Close mosaic",
        ge=0,
        le=100_000,
        unit="epochs",
        description="How many of the last epochs train without mosaic",
    )
    hsv_h: float = epochal.parameter(0.015, title="Hue", ge=0, le=1, description="Range of random hue")
    hsv_s: float = epochal.parameter(0.7, title="Saturation", ge=0, le=1, description="Range of random saturation")
    hsv_v: float = epochal.parameter(0.4, title="Brightness", ge=0, le=1, description="Range of random brightness")
    degrees: float = epochal.parameter(
        0.0, title="Rotation", ge=0, le=180, unit="degrees", description="Range of random rotation"
    )
    translate: float = epochal.parameter(
        0.1, title="Translation", ge=0, le=1, description="Range of random shifts, as a fraction of the image"
    )
    scale: float = epochal.parameter(0.5, title="Scale", ge=0, lt=1, description="Range of random scaling")
    shear: float = epochal.parameter(
        0.0, title="Shear", ge=0, le=180, unit="degrees", description="Range of random shear"
    )
    flipud: float = epochal.parameter(
        0.0, title="Flip up-down", ge=0, le=1, description="Probability of a vertical flip"
    )
    fliplr: float = epochal.parameter(
        0.5, title="Flip left-right", ge=0, le=1, description="Probability of a horizontal flip"
    )
    mosaic: float = epochal.parameter(
        1.0, title="Mosaic", ge=0, le=1, description="Probability that four images are put together"
    )
    mixup: float = epochal.parameter(
        0.0, title="Mixup", ge=0, le=1, description="Probability that two images are blended"
    )
    copy_paste: float = epochal.parameter(
        0.0, title="Copy-paste", ge=0, le=1, description="Fraction of the objects that are pasted again (segmentation)"
    )
    workers: int = epochal.parameter(
        4,
        title="Loader workers",
        ge=0,
        le=64,
        unit="processes",
        description="Processes that load images; on a CPU ultralytics uses none",
    )
    device: str = epochal.parameter(
        "auto",
        title="Devices",
        pattern=r"^(auto|mps|cuda|cpu(,cpu)*|\d+(,\d+)*)$",
        description="auto (a GPU if there is one), cpu, mps, the number of a GPU, or several (0,1), a process each",
    )
    amp: bool = epochal.parameter(
        True, title="Mixed precision", description="Train in half precision on a GPU; on a CPU it is off"
    )
    plots: bool = epochal.parameter(True, title="Plots", description="Keep the plots of ultralytics as artifacts")
    export_onnx: bool = epochal.parameter(
        False, title="Export to ONNX", description="At the end write model.onnx, checked by onnxruntime on an image"
    )

    @property
    def devices(self) -> list[str]:
        """One name for each process that trains."""
        return self.device.split(",")
