"""How a data set is split: the parameters that every trainer on images has."""

from __future__ import annotations

from epochal.datasets.splits import SplitBy
from epochal.parameters import Parameters, parameter


class SplitParameters(Parameters):
    """Parameters of the split."""

    split: SplitBy = parameter(
        "auto",
        title="Split",
        description="How images are divided for training and validation: by the data set's folders, by tags named "
        "train and val, at random by the run's seed, or whichever of these the data set has",
    )
    validation_fraction: float = parameter(
        0.2,
        title="Validation part",
        ge=0.01,
        le=0.9,
        description="Fraction of the images used for validation, where the split is random",
    )
    skip_bad_images: bool = parameter(
        False,
        title="Skip what is wrong",
        description="Train on the valid part of a data set with missing images, boxes outside their images or "
        "unknown classes, instead of refusing it",
    )
