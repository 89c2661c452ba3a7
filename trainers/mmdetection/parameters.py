"""What can be set: an mmdet config and what is changed in it."""

from __future__ import annotations

from typing import Any, Literal

import epochal
from epochal.datasets.parameters import SplitParameters


class Parameters(SplitParameters):
    """Parameters of an mmdetection training."""

    task: Literal["detect", "segment"] = epochal.parameter(
        "detect", title="Task", description="Boxes, or boxes with masks (a config of an instance segmentation model)"
    )
    config: str = epochal.parameter(
        "retinanet_r18_fpn_1x_coco",
        path=True,
        title="Config",
        min_length=1,
        max_length=4096,
        description="Name of a config that comes with mmdet, or path of a config file on the worker. It is Python "
        "code: use files that you trust",
    )
    overrides: dict[str, Any] = epochal.parameter(
        {},
        title="Overrides",
        description="Changes of the config, as mmdet's --cfg-options: dotted names and their values, e.g. "
        "model.backbone.depth: 34. A type may name any Python object, which is then called: whoever sets them runs "
        "code",
    )
    weights: str | None = epochal.parameter(
        None,
        path=True,
        title="Own weights",
        max_length=4096,
        description="Path of an mmdet .pth file on the worker to start from; left out, the network starts from "
        "scratch. It is a pickle: use files that you trust",
    )
    image_size: int | None = epochal.parameter(
        None,
        title="Image size",
        ge=32,
        le=4096,
        unit="pixels",
        description="Images are scaled to this size; if omitted, as in the config",
    )
    batch_size: int | None = epochal.parameter(
        None,
        title="Batch size",
        ge=1,
        le=1024,
        unit="images",
        description="Images in a training batch; if omitted, as in the config",
    )
    learning_rate: float | None = epochal.parameter(
        None,
        title="Learning rate",
        gt=0,
        le=1,
        description="Of the config's optimizer; if omitted, as in the config",
    )
    scale_schedule: bool = epochal.parameter(
        True,
        title="Scale the schedule",
        description="Stretch the config's learning rate schedule in epochs to the epochs of this run",
    )
    workers: int = epochal.parameter(
        2,
        title="Loader workers",
        ge=0,
        le=64,
        unit="processes",
        description="Processes that load images; 0 makes a resume exact",
    )
    device: Literal["auto", "cpu", "cuda"] = epochal.parameter(
        "auto", title="Device", description="auto: the GPU if there is one"
    )
