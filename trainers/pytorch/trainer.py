"""A convolutional network in a plain PyTorch loop: the example for your own trainer. See docs/trainers/pytorch.md."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import epochal
from epochal.classification_pages import ClassificationPages

if TYPE_CHECKING:
    from torch import Tensor, nn

# Sums in the same order every time, and no fight for the cores with other trainings.
os.environ.setdefault("OMP_NUM_THREADS", "1")

VALIDATION_BATCH = 256


class Parameters(epochal.Parameters):
    """What can be set."""

    channels: int = epochal.parameter(
        16,
        ge=1,
        le=512,
        title="Channels",
        unit="maps",
        description="Maps of the first convolution; the last has twice as many",
    )
    dropout: float = epochal.parameter(
        0.1, ge=0, lt=1, title="Dropout", description="Fraction of the features dropped at random in training"
    )
    batch_size: int = epochal.parameter(
        64, ge=2, le=1024, title="Batch size", unit="images", description="Images in a batch, over all processes"
    )
    learning_rate: float = epochal.parameter(
        0.003, gt=0, le=1, title="Learning rate", description="Largest step size of the optimizer"
    )
    schedule: Literal["constant", "cosine"] = epochal.parameter(
        "cosine", title="Schedule", description="How the learning rate falls: not at all, or as a cosine"
    )
    weight_decay: float = epochal.parameter(
        0.01, ge=0, le=10, title="Weight decay", description="Strength of the L2 penalty on the weights"
    )
    clip_norm: float = epochal.parameter(
        1.0, ge=0, le=1e6, title="Gradient clipping", description="Largest norm of the gradients; 0: not limited"
    )
    ema_decay: float = epochal.parameter(
        0.0,
        ge=0,
        lt=1,
        title="Averaged weights",
        description="Decay of a running average of the weights, which is then validated and exported; 0: none",
    )
    shift: int = epochal.parameter(
        1, ge=0, le=3, title="Shift", unit="pixels", description="Training images are moved by up to this, at random"
    )
    validation_fraction: float = epochal.parameter(
        0.2, ge=0.05, le=0.5, title="Validation part", description="Fraction of the images used for validation"
    )
    weights: str = epochal.parameter(
        "",
        path=True,
        title="Weights",
        description="A weights.safetensors of this network to start from; empty: from scratch",
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
        title="Processes",
        unit="processes",
        description="Processes that train together, each on its own GPU, or on the CPU",
    )
    precision: Literal["float32", "float16", "bfloat16"] = epochal.parameter(
        "float32", title="Precision", description="Number format of the forward pass"
    )
    workers: int = epochal.parameter(
        0,
        ge=0,
        le=64,
        title="Loader processes",
        unit="processes",
        description="Processes that load images; 0: the trainer process loads them",
    )
    export_onnx: bool = epochal.parameter(
        False, title="ONNX export", description="Write model.onnx after the last epoch, checked on validation images"
    )
    batch_delay_seconds: float = epochal.parameter(
        0.0, ge=0, le=10, title="Delay", unit="s", description="Delay per batch, so that a person can watch"
    )


pages = ClassificationPages("0123456789")

trainer = epochal.Trainer(
    name="pytorch",
    title="PyTorch: handwritten digits",
    description="A small convolutional network learns to read 8 × 8 images of digits, in a plain PyTorch loop. "
    "The images come with scikit-learn: nothing is downloaded, and no GPU is needed.",
    parameters=Parameters,
    metrics=[
        epochal.Metric("train_loss", "Mean cross-entropy over the epoch's training batches"),
        epochal.Metric("val_loss", "Mean cross-entropy on the validation images"),
        epochal.Metric("val_accuracy", "Fraction of the validation images that was read correctly"),
        epochal.Metric("learning_rate", "Step size at the end of the epoch"),
    ],
    best=("val_accuracy", "max"),
    can_shrink_batch=True,
    packages=["torch", "numpy", "scikit-learn", "safetensors"],
    default_epochs=20,
    processes=lambda parameters: parameters.processes,
    layout=pages.layout,
)


@trainer.check_data
def check_data(_data: str | None, parameters: Parameters) -> list[epochal.Problem]:
    """What the ranges of the parameters cannot say."""
    problems = []
    if parameters.weights and (problem := epochal.weights_problem(parameters.weights)):
        problems.append(epochal.Problem("parameters.weights", parameters.weights, problem))
    if parameters.batch_size < 2 * parameters.processes:
        message = f"must be at least {2 * parameters.processes}: two images for each of the processes"
        problems.append(epochal.Problem("parameters.batch_size", parameters.batch_size, message))
    return problems


@trainer.train
def train(app: epochal.Application) -> None:
    """Train."""
    import torch
    from epochal.pytorch import Torch
    from epochal.torch_state import load_weights
    from model import DigitsNetwork, load_digits
    from torch.nn.functional import cross_entropy

    parameters: Parameters = app.parameters
    torch_ = Torch(app, device=parameters.device, precision=parameters.precision)
    train_set, val_set = load_digits(parameters.validation_fraction, parameters.shift, app.seed)
    batches = torch_.batches(train_set, parameters.batch_size, workers=parameters.workers)
    val_batches = torch_.validation_batches(val_set, VALIDATION_BATCH)

    network = DigitsNetwork(parameters.channels, parameters.dropout)
    if parameters.weights:
        load_weights(network, Path(parameters.weights))
    model = torch_.model(network)
    ema = make_ema(network, parameters.ema_decay)
    optimizer = torch.optim.AdamW(model.parameters(), lr=parameters.learning_rate, weight_decay=parameters.weight_decay)
    schedule = make_schedule(optimizer, parameters.schedule, app.planned_epochs)
    torch_.state(model, optimizer=optimizer, schedule=schedule, ema=ema)

    def loss_of(batch: tuple[Tensor, Tensor]) -> Tensor:
        images, digits = batch
        return cross_entropy(model(images), digits)

    train_loss, val_loss, val_accuracy = map(app.average, ("train_loss", "val_loss", "val_accuracy"))
    for _epoch in app.epochs():
        model.train()
        for batch in app.batches(batches):
            loss = torch_.step(batch, loss_of, optimizer, clip_norm=parameters.clip_norm or None)
            if ema is not None:
                ema.update_parameters(network)
            train_loss.add(loss.item(), len(batch[0]))
            app.log({"train_loss": train_loss.value, **torch_.memory()})
            wait(parameters.batch_delay_seconds)

        pages.begin()
        with torch_.evaluating(ema or model) as evaluated:
            for batch in app.validation_batches(val_batches):
                images, digits = torch_.to_device(batch)
                with torch_.autocast():
                    logits = evaluated(images)
                val_loss.add(cross_entropy(logits.float(), digits).item(), len(digits))
                val_accuracy.add((logits.argmax(dim=1) == digits).float().mean().item(), len(digits))
                pages.add(logits, digits, images)
                app.log({"val_loss": val_loss.value, "val_accuracy": val_accuracy.value})
                wait(parameters.batch_delay_seconds)

        pages.show(app.ranks.gather)
        learning_rate = optimizer.param_groups[0]["lr"]
        schedule.step()
        metrics = {name: torch_.mean(app.average(name)) for name in ("train_loss", "val_loss", "val_accuracy")}
        app.end_epoch({**metrics, "learning_rate": learning_rate})

    if parameters.export_onnx and torch_.processes.rank == 0:
        from epochal.torch_onnx import export_onnx

        sample = torch.stack([val_set[index][0] for index in range(8)])
        exported = network if ema is None else ema.module
        difference = export_onnx(exported, sample, Path(app.get_synced_data_dir(), "model.onnx"))
        app.note(f"model.onnx computes what the network does: onnxruntime's logits differ by at most {difference:.1e}")


def wait(seconds: float) -> None:
    """Slow the training down. To sleep for no time takes a while, too."""
    if seconds:
        time.sleep(seconds)


def make_ema(network: nn.Module, decay: float) -> nn.Module | None:
    """A running average of the weights, or None for a decay of 0."""
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True) if decay else None


def make_schedule(optimizer, name: str, epochs: int):  # noqa: ANN001, ANN201  (torch is imported by now, not above)
    """A schedule that is stepped once an epoch. A run extended with more epochs continues with the longer cosine."""
    from math import cos, pi

    from torch.optim.lr_scheduler import LambdaLR

    def factor(epoch: int) -> float:
        return 1.0 if name == "constant" else 0.02 + 0.98 * (1 + cos(pi * min(epoch / epochs, 1))) / 2

    return LambdaLR(optimizer, factor)


if __name__ == "__main__":
    epochal.main(trainer)
