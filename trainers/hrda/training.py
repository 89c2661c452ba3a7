"""The training: builds everything from the parameters, and loops over iterations and validations."""

from __future__ import annotations

import time
from copy import deepcopy
from functools import cache
from pathlib import Path

import epochal
import torch
from adaptation import Adaptation
from cityscapes import THINGS
from class_statistics import ClassStatistics
from daformer_head import DAFormerHead
from data_set import DataSet, read_data_set
from encoders import make_encoder
from epochal.datasets.checking import before_training
from epochal.pytorch import Torch
from epochal.torch_state import bare, load_weights
from multi_resolution import MultiResolutionNetwork
from parameters import Parameters
from rare_classes import RareClassSampler
from samples import TrainingSamples, ValidationSamples
from schedule import make_schedule, parameter_groups, rate_factor
from segmentation_pages import SegmentationPages
from self_training import make_teacher
from torch import nn
from validation import Validation


def train_hrda(app: epochal.Application, pages: SegmentationPages) -> None:
    """Train."""
    parameters: Parameters = app.parameters
    torch_ = Torch(app, device=parameters.device, precision=parameters.precision)
    data = _read(app, parameters)
    app.note(f"{data}. An epoch is {parameters.iterations_per_epoch} iterations.")
    for sentence in data.sentences:
        app.note(sentence)
    statistics = data.statistics
    assert statistics is not None

    network = make_network(parameters, len(data.source.classes))
    pretrained = _pretrained_encoder(app, parameters, network)
    if parameters.weights:
        load_weights(network, Path(parameters.weights).expanduser())
    model = torch_.model(network)
    network = bare(model)  # type: ignore[assignment]
    teacher = make_teacher(network) if data.target is not None else None
    optimizer = torch.optim.AdamW(
        parameter_groups(model, parameters.learning_rate, parameters.decoder_factor, parameters.weight_decay)
    )
    total = app.planned_epochs * parameters.iterations_per_epoch
    schedule = make_schedule(optimizer, total, parameters.warmup_iterations, parameters.poly_power)
    torch_.state(model, teacher=teacher, optimizer=optimizer, schedule=schedule)
    app.state(save=statistics.save, load=statistics.load)

    samples = TrainingSamples(
        parameters.iterations_per_epoch * parameters.batch_size,
        data.source,
        data.target,
        crop=parameters.crop_size,
        source_width=parameters.source_width,
        target_width=parameters.target_width,
        flip=parameters.flip,
        largest_part=parameters.largest_class_part,
        rare_classes=_rare_classes(parameters, statistics),
        rare_pixels=parameters.rare_class_crop_pixels,
        margins=tuple(parameters.pseudo_margins),  # type: ignore[arg-type]
    )
    # Not shuffled: a sample is drawn by its batch's random numbers, its index means nothing.
    batches = torch_.batches(samples, parameters.batch_size, shuffle=False, workers=parameters.workers)
    val_samples = ValidationSamples(data.validation, parameters.target_width)
    val_batches = torch_.validation_batches(val_samples, torch_.processes.count, workers=parameters.workers)

    adaptation = Adaptation(
        torch_,
        parameters,
        model,
        teacher,
        optimizer,
        classes=len(data.source.classes),
        parts=app.batch_divisor,
        # Asked for in the first step: a checkpoint's statistics are loaded by then.
        class_weights=cache(lambda: _class_weights(parameters, statistics, torch_.device)),
        pretrained=None if pretrained is None else pretrained.to(torch_.device),
        things=torch.tensor(things(parameters, data.source.classes), device=torch_.device),
    )
    validation = Validation(
        app, torch_, data.source.classes, pages, window=parameters.crop_size, images=parameters.sample_images
    )
    # Means over the epoch's iterations.
    reported = ["train_loss", "source_loss"]
    reported += [] if teacher is None else ["mixed_loss", "pseudo_quality"]
    reported += [] if pretrained is None else ["feature_loss"]
    evaluated = teacher if parameters.evaluate == "teacher" and teacher is not None else network
    for epoch in app.epochs():
        model.train()
        for batch in app.batches(batches):
            losses = adaptation.step(batch, schedule.last_epoch)
            for name, value in losses.items():
                app.average(name).add(value)
            schedule.step()
            app.log({"train_loss": app.average("train_loss").value, **torch_.memory()})
            if parameters.batch_delay_seconds:
                time.sleep(parameters.batch_delay_seconds)
        with torch_.evaluating(evaluated):
            metrics = validation.run(val_batches, evaluated, teacher, epoch)
        means = {name: torch_.mean(app.average(name)) for name in reported}
        factor = rate_factor(schedule.last_epoch - 1, total, parameters.warmup_iterations, parameters.poly_power)
        app.end_epoch({**metrics, **means, "learning_rate": parameters.learning_rate * factor})


def _read(app: epochal.Application, parameters: Parameters) -> DataSet:
    """By rank 0 first: the others find its counts in the cache, and hear which images cannot be decoded."""
    data = None
    if app.ranks.rank == 0:
        data = read_data_set(app.data, parameters, look=before_training(app), tell=app.report_data)
    damaged = app.ranks.gather(data.damaged if data else frozenset())[0]
    return data or read_data_set(app.data, parameters, damaged=damaged)


def make_network(parameters: Parameters, classes: int) -> MultiResolutionNetwork:
    """The network of these parameters, with random weights but for those of a pretrained encoder."""
    encoder = make_encoder(parameters.encoder, parameters.encoder_weights, parameters.drop_path)
    channels, dropout = parameters.decoder_channels, parameters.dropout
    head = DAFormerHead(encoder.channels, channels, classes, parameters.decoder_dilations, dropout)
    has_attention = parameters.high_resolution and parameters.scale_attention
    # The attention's decoder is SegFormer's: without dilations.
    attention = DAFormerHead(encoder.channels, channels, classes, (), dropout) if has_attention else None
    detail_size = parameters.detail_size if parameters.high_resolution else None
    return MultiResolutionNetwork(encoder, head, attention, detail_size=detail_size)


def things(parameters: Parameters, classes: list[str]) -> list[int]:
    """The classes of the feature distance."""
    names = parameters.thing_classes or [name for name in classes if name in THINGS] or classes
    return [classes.index(name) for name in names]


def _pretrained_encoder(
    app: epochal.Application, parameters: Parameters, network: MultiResolutionNetwork
) -> nn.Module | None:
    """A frozen copy of the pretrained encoder for the feature distance; None where it is off, which is noted."""
    if parameters.encoder_weights and parameters.feature_distance:
        return deepcopy(network.encoder).eval().requires_grad_(False)
    why = "feature_distance is 0" if parameters.encoder_weights else "encoder_weights names no pretrained weights"
    app.note(f"The feature distance to a pretrained encoder is off: {why}.")
    return None


def _rare_classes(parameters: Parameters, statistics: ClassStatistics) -> RareClassSampler | None:
    if not parameters.rare_class_sampling:
        return None
    return RareClassSampler(statistics, parameters.rare_class_temperature, parameters.rare_class_pixels)


def _class_weights(parameters: Parameters, statistics: ClassStatistics, device: torch.device) -> torch.Tensor | None:
    if parameters.class_weights == "none":
        return None
    return torch.tensor(statistics.weights(), dtype=torch.float32, device=device)
