"""What can be set. The defaults are the paper's for GTA → Cityscapes."""

from __future__ import annotations

from typing import Literal

import epochal


class DataParameters(epochal.Parameters):
    """Where the domains are, and how their images are taken."""

    source: str = epochal.parameter(
        "source",
        path=True,
        max_length=4096,
        title="Source",
        description="Folder of the labelled domain, within the data set",
    )
    target: str = epochal.parameter(
        "target",
        path=True,
        max_length=4096,
        title="Target",
        description="Folder of the unlabelled domain, within the data set",
    )
    validation: str = epochal.parameter(
        "validation",
        path=True,
        max_length=4096,
        title="Validation",
        description="Folder of labelled images of the target domain, within the data set; never trained on",
    )
    unmarked: Literal["ignore", "background"] = epochal.parameter(
        "ignore",
        title="Unmarked pixels",
        description="What pixels outside all objects of a Supervisely project are: not learned from, or a class "
        "of their own called background",
    )
    skip_bad_images: bool = epochal.parameter(
        False,
        title="Skip what is wrong",
        description="Train on the images that are right in domains with damaged images, masks of another size or "
        "values that are not a class, instead of refusing them",
    )
    source_width: int | None = epochal.parameter(
        None,
        ge=8,
        le=65536,
        unit="pixels",
        title="Source width",
        description="Source images are scaled to this width; if omitted, they are used as they are",
    )
    target_width: int | None = epochal.parameter(
        None,
        ge=8,
        le=65536,
        unit="pixels",
        title="Target width",
        description="Target and validation images are scaled to this width; if omitted, they are used as they are",
    )
    crop_size: int = epochal.parameter(
        1024,
        ge=64,
        le=4096,
        multiple_of=8,
        unit="pixels",
        title="Context crop",
        description="Side of the square that is cut from an image for training, at full resolution. The network sees "
        "it at half the resolution, and validation moves a window of this size",
    )
    detail_size: int = epochal.parameter(
        512,
        ge=32,
        le=4096,
        multiple_of=8,
        unit="pixels",
        title="Detail crop",
        description="Side of the square within the context crop that the network sees at full resolution",
    )
    flip: bool = epochal.parameter(True, title="Flip", description="Mirror half of the training crops left to right")
    largest_class_part: float = epochal.parameter(
        0.75,
        gt=0,
        le=1,
        title="Largest class",
        description="Source crops are drawn again, ten times at most, while one class has more than this part of them",
    )
    pseudo_margins: list[int] = epochal.parameter(
        [0, 0, 0, 0],
        min_length=4,
        max_length=4,
        unit="pixels",
        title="Untrusted margins",
        description="Top, bottom, left and right of target images where pseudo-labels are not learned from (after "
        "scaling), e.g. the bonnet of the car that took them",
    )


class ModelParameters(DataParameters):
    """The network."""

    encoder: str = epochal.parameter(
        "mit_b5",
        pattern=r"^(mit_tiny|mit_b[0-5]|timm:[A-Za-z0-9_.]+)$",
        title="Encoder",
        description="mit_b0 … mit_b5 (SegFormer's), mit_tiny (for trying on a CPU), or timm:<name> for any encoder of "
        "timm that gives feature maps",
    )
    encoder_weights: str = epochal.parameter(
        "",
        path=True,
        max_length=4096,
        title="Encoder weights",
        description="Pretrained weights: a local folder of transformers' format (of timm: a file), hub:<name> from a "
        "hub that this host reaches, or empty for random ones",
    )
    weights: str = epochal.parameter(
        "",
        path=True,
        max_length=4096,
        title="Weights",
        description="A weights.safetensors of this trainer and this network to start from; empty: none",
    )
    decoder_channels: int = epochal.parameter(
        256, ge=8, le=1024, unit="channels", title="Decoder width", description="Maps within the decoders"
    )
    decoder_dilations: list[int] = epochal.parameter(
        [1, 6, 12, 18],
        max_length=8,
        title="Dilations",
        description="Dilations of the context-aware fusion in the decoder; none: a plain 1 × 1 convolution fuses",
    )
    dropout: float = epochal.parameter(
        0.1, ge=0, lt=1, title="Dropout", description="Part of the decoder's maps that is left out in training"
    )
    drop_path: float = epochal.parameter(
        0.1, ge=0, lt=1, title="Drop path", description="Probability of leaving out the encoder's last block"
    )
    high_resolution: bool = epochal.parameter(
        True, title="High resolution", description="The detail branch; off: low resolution alone, as DAFormer trains"
    )
    scale_attention: bool = epochal.parameter(
        True,
        title="Scale attention",
        description="Learn where to trust the detail; off: mean of context and detail everywhere",
    )
    detail_weight: float = epochal.parameter(
        0.1, ge=0, lt=1, title="Detail loss", description="Part of the loss that the detail crop's own prediction has"
    )


class AdaptationParameters(ModelParameters):
    """Self-training."""

    self_training: bool = epochal.parameter(
        True, title="Self-training", description="Learn from the target by pseudo-labels; off: the source alone"
    )
    teacher_decay: float = epochal.parameter(
        0.999, ge=0, lt=1, title="Teacher's decay", description="Decay of the averaged weights that make pseudo-labels"
    )
    pseudo_threshold: float = epochal.parameter(
        0.968,
        ge=0,
        lt=1,
        title="Confidence",
        description="An image's pseudo-labels weigh as much as the part of its pixels that the teacher is surer of",
    )
    class_mix: bool = epochal.parameter(
        True,
        title="ClassMix",
        description="Paste half of a source image's classes onto the target image; off: target images alone",
    )
    color_jitter: float = epochal.parameter(
        0.2,
        ge=0,
        le=1,
        title="Color jitter",
        description="Largest change of brightness, contrast, saturation and hue of mixed images; 0: none",
    )
    color_jitter_probability: float = epochal.parameter(
        0.8, ge=0, le=1, title="Color jitter's probability", description="Part of the mixed images that is changed"
    )
    blur_probability: float = epochal.parameter(
        0.5, ge=0, le=1, title="Blur's probability", description="Part of the mixed images that is blurred; 0: none"
    )
    rare_class_sampling: bool = epochal.parameter(
        True, title="Rare class sampling", description="Draw source images by their rare classes; off: all alike"
    )
    rare_class_temperature: float = epochal.parameter(
        0.01,
        gt=0,
        le=100,
        title="Rare classes' temperature",
        description="The smaller, the more often the rarest classes are drawn",
    )
    rare_class_pixels: int = epochal.parameter(
        3000,
        ge=1,
        le=10_000_000,
        unit="pixels",
        title="Rare class in an image",
        description="Pixels of a class that make a source image one that has it",
    )
    rare_class_crop_pixels: int = epochal.parameter(
        6000,
        ge=0,
        le=10_000_000,
        unit="pixels",
        title="Rare class in a crop",
        description="The crop is drawn again, ten times at most, until it has so many pixels of the drawn class",
    )
    class_weights: Literal["none", "median_frequency"] = epochal.parameter(
        "none",
        title="Class weights",
        description="Weigh the loss of each class by the source's class statistics (the paper does not); pseudo-labels "
        "are not weighed so",
    )
    feature_distance: float = epochal.parameter(
        0.005,
        ge=0,
        le=10,
        title="Feature distance",
        description="Weight of the distance to the pretrained encoder's features; only with encoder_weights; 0: off",
    )
    thing_classes: list[str] = epochal.parameter(
        [],
        max_length=255,
        title="Thing classes",
        description="Classes that the feature distance looks at; empty: Cityscapes' things where the data set has "
        "them, else all classes",
    )


class Parameters(AdaptationParameters):
    """How long, how fast, and on what."""

    iterations_per_epoch: int = epochal.parameter(
        500,
        ge=1,
        le=1_000_000,
        unit="iterations",
        title="Iterations of an epoch",
        description="Steps of the optimizer between two validations",
    )
    batch_size: int = epochal.parameter(
        2, ge=1, le=256, unit="images", title="Batch size", description="Source images in a step, over all processes"
    )
    learning_rate: float = epochal.parameter(
        6e-5, gt=0, le=1, title="Learning rate", description="Largest step size of AdamW for the encoder"
    )
    decoder_factor: float = epochal.parameter(
        10.0, gt=0, le=1000, title="Decoder's factor", description="The decoders' learning rate, as a multiple"
    )
    weight_decay: float = epochal.parameter(
        0.01, ge=0, le=10, title="Weight decay", description="Strength of the L2 penalty on the weights"
    )
    warmup_iterations: int = epochal.parameter(
        1500,
        ge=0,
        le=1_000_000,
        unit="iterations",
        title="Warm-up",
        description="Iterations in which the learning rate rises from almost 0; 0: none",
    )
    poly_power: float = epochal.parameter(
        1.0,
        ge=0,
        le=10,
        title="Decay's power",
        description="The learning rate falls as (1 - t/total) to this power; 1: a line, 0: it does not fall",
    )
    clip_norm: float = epochal.parameter(
        0.0, ge=0, le=1e6, title="Gradient clipping", description="Largest norm of the gradients; 0: not limited"
    )
    evaluate: Literal["student", "teacher"] = epochal.parameter(
        "student", title="Evaluate", description="Whose predictions are validated: the student's, or its average's"
    )
    sample_images: int = epochal.parameter(
        4,
        ge=0,
        le=100,
        unit="images",
        title="Sample images",
        description="Validation images that are kept in every epoch, with pseudo-label, prediction and attention",
    )
    device: str = epochal.parameter(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        title="Device",
        description="auto (a GPU if there is one), cpu, cuda, cuda:1 … or mps",
    )
    processes: int = epochal.parameter(
        1,
        ge=1,
        le=64,
        unit="processes",
        title="Processes",
        description="Processes that train together, each on its own GPU, or on the CPU",
    )
    precision: Literal["float32", "float16", "bfloat16"] = epochal.parameter(
        "float32", title="Precision", description="Numbers that the forward passes compute with; float16 needs a GPU"
    )
    workers: int = epochal.parameter(
        0,
        ge=0,
        le=64,
        unit="processes",
        title="Loader processes",
        description="Processes that load images; 0: the trainer process loads them",
    )
    batch_delay_seconds: float = epochal.parameter(
        0.0, ge=0, le=10, unit="s", title="Delay", description="Delay per batch, so that a person can watch"
    )
