"""The demo: a small neural network learns scikit-learn's real handwritten digits, which come with the package.

Written as any trainer is: `docs/trainers.md` explains every call. What is particular to scikit-learn is at the end:
`MLPClassifier` keeps its optimizer to itself, and both have to be in a checkpoint for an exact resume.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import epochal
from epochal import ui

if TYPE_CHECKING:
    import numpy as np
    from sklearn.neural_network import MLPClassifier

# One thread: sums in the same order every time, and no fight for the cores with other trainings.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(variable, "1")

VALIDATION_BATCH = 64


class Parameters(epochal.Parameters):
    """What can be set."""

    hidden_layers: list[int] = epochal.parameter(
        [128], min_length=1, max_length=5, description="Neurons of each hidden layer, first to last"
    )
    learning_rate: float = epochal.parameter(0.003, gt=0, le=1, description="Learning rate of the Adam optimizer")
    batch_size: int = epochal.parameter(32, ge=1, le=1437, description="Images in a training batch", unit="images")
    l2: float = epochal.parameter(0.0001, ge=0, le=10, description="Strength of the L2 penalty on the weights")
    validation_fraction: float = epochal.parameter(
        0.2, ge=0.05, le=0.5, description="Fraction of the images used for validation"
    )
    batch_delay_seconds: float = epochal.parameter(
        0.0, ge=0, le=10, unit="s", description="Delay per batch, so that a person can watch the training"
    )


confusion = ui.ConfusionMatrix("Which digit was taken for which", classes=list("0123456789"), id="confusion")
misread = ui.ImageGrid("Misread with the most certainty", id="misread")

trainer = epochal.Trainer(
    name="digits",
    title="Handwritten digits",
    description="A small neural network (scikit-learn's MLPClassifier) learns to read 8 × 8 images of digits. "
    "The images come with scikit-learn: nothing is downloaded, and no GPU is needed.",
    parameters=Parameters,
    metrics=[
        epochal.Metric("train_loss", "Mean loss over the epoch's training batches"),
        epochal.Metric("val_loss", "Mean cross-entropy on the validation images"),
        epochal.Metric("val_accuracy", "Fraction of the validation images that was read correctly"),
    ],
    best=("val_accuracy", "max"),
    packages=["numpy", "scikit-learn"],
    default_epochs=20,
    layout=ui.Container(
        [ui.Text("What the network makes of the validation images after each epoch."), misread, confusion]
    ),
)


@trainer.check_data
def check_data(_data: str | None, parameters: Parameters) -> list[epochal.Problem]:
    """What the ranges of the parameters cannot say."""
    return [
        epochal.Problem(f"parameters.hidden_layers[{index}]", neurons, "must be between 1 and 4096")
        for index, neurons in enumerate(parameters.hidden_layers)
        if not 1 <= neurons <= 4096
    ]


@trainer.train
def train(app: epochal.Application) -> None:
    """Train."""
    import numpy as np

    parameters: Parameters = app.parameters
    images, digits, val_images, val_digits = load_data(parameters.validation_fraction, app.seed)
    model = make_model(parameters, images, digits, app.seed)
    app.state(
        save=lambda folder: save(model, folder),
        load=lambda folder: load(model, folder),
        load_weights=lambda folder: load_weights(model, folder),
    )
    train_loss, val_loss, val_accuracy = map(app.average, ("train_loss", "val_loss", "val_accuracy"))

    for _epoch in app.epochs():
        read: list[np.ndarray] = []
        for chosen in app.batches(app.shuffled_batches(len(images), parameters.batch_size)):
            train_loss.add(train_batch(model, images[chosen], digits[chosen]), len(chosen))
            app.log({"train_loss": train_loss.value})
            wait(parameters.batch_delay_seconds)

        for start in app.validation_batches(range(0, len(val_images), VALIDATION_BATCH)):
            chunk = slice(start, start + VALIDATION_BATCH)
            wanted = val_digits[chunk]
            probabilities = model.predict_proba(val_images[chunk])
            read.append(probabilities)
            of_wanted = np.clip(probabilities[np.arange(len(wanted)), wanted], 1e-10, 1)
            val_loss.add(-np.log(of_wanted).mean(), len(wanted))
            val_accuracy.add((probabilities.argmax(axis=1) == wanted).mean(), len(wanted))
            app.log({"val_loss": val_loss.value, "val_accuracy": val_accuracy.value})
            wait(parameters.batch_delay_seconds)

        show(np.concatenate(read), val_images, val_digits)
        app.end_epoch({"train_loss": train_loss.value, "val_loss": val_loss.value, "val_accuracy": val_accuracy.value})


def show(probabilities: np.ndarray, images: np.ndarray, digits: np.ndarray) -> None:
    """On the trainer's pages: which digits are confused, and the worst of it."""
    predicted, certainty = probabilities.argmax(axis=1), probabilities.max(axis=1)
    confusion.show(wanted=digits, predicted=predicted)
    wrong = (predicted != digits).nonzero()[0]
    misread.show(
        ui.MarkedImage(images[i].reshape(8, 8), f"{digits[i]} read as {predicted[i]}, {certainty[i]:.0%} certain")
        for i in sorted(wrong, key=lambda i: -certainty[i])[:12]
    )


def wait(seconds: float) -> None:
    """Slow the demo down."""
    if seconds:
        time.sleep(seconds)


def load_data(validation_fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Images and digits to train with, then those to validate with; the split depends on the seed alone."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, digits = load_digits(return_X_y=True)
    train_images, val_images, train_digits, val_digits = train_test_split(
        images / 16.0, digits, test_size=validation_fraction, random_state=seed, stratify=digits
    )
    return train_images, train_digits, val_images, val_digits


def make_model(parameters: Parameters, images: np.ndarray, digits: np.ndarray, seed: int) -> MLPClassifier:
    """A fresh model with its optimizer."""
    import numpy as np
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        hidden_layer_sizes=tuple(parameters.hidden_layers),
        learning_rate_init=parameters.learning_rate,
        alpha=parameters.l2,
        shuffle=False,  # app.shuffled_batches does it
        random_state=seed,
    )
    # scikit-learn makes weights and optimizer in the first step, so one is taken here, with a single image.
    train_batch(model, images[:1], digits[:1], classes=np.arange(10))
    return model


def train_batch(model: MLPClassifier, images: np.ndarray, digits: np.ndarray, **first: Any) -> float:
    """One step of the optimizer; the loss before it."""
    model.batch_size = len(images)  # else scikit-learn cuts large batches, and warns of small ones
    model.partial_fit(images, digits, **first)
    model.loss_curve_.clear()  # it would grow by every batch
    return model.loss_


def save(model: MLPClassifier, folder: Path) -> None:
    """The weights, and beside them what training continues with."""
    epochal.save_arrays(folder / "weights.npz", weights(model))
    epochal.save_arrays(folder / "optimizer.npz", optimizer(model))


def load(model: MLPClassifier, folder: Path) -> None:
    """The opposite of `save`."""
    load_weights(model, folder)
    saved = epochal.load_arrays(folder / "optimizer.npz")
    copy_into(optimizer(model), saved)
    model._optimizer.t = int(saved["t"])
    model._optimizer.learning_rate = float(saved["learning_rate"])


def load_weights(model: MLPClassifier, folder: Path) -> None:
    """The weights alone."""
    copy_into(weights(model), epochal.load_arrays(folder / "weights.npz"))


def weights(model: MLPClassifier) -> dict[str, np.ndarray]:
    """The arrays that the model computes with, by name."""
    return {
        **{f"coefs_{index}": array for index, array in enumerate(model.coefs_)},
        **{f"intercepts_{index}": array for index, array in enumerate(model.intercepts_)},
    }


def optimizer(model: MLPClassifier) -> dict[str, np.ndarray]:
    """Adam's arrays and its two numbers, by name. With `shuffle=False` the model no longer draws random numbers."""
    import numpy as np

    adam = model._optimizer
    return {
        **{f"ms_{index}": array for index, array in enumerate(adam.ms)},
        **{f"vs_{index}": array for index, array in enumerate(adam.vs)},
        "t": np.array(adam.t),
        "learning_rate": np.array(adam.learning_rate),
    }


def copy_into(arrays: dict[str, np.ndarray], saved: dict[str, np.ndarray]) -> None:
    """Copy saved arrays into those of the model, which have to be the same ones."""
    shapes = {name: array.shape for name, array in arrays.items()}
    if shapes != {name: array.shape for name, array in saved.items()}:
        raise epochal.SetUpError("the checkpoint is of a network with different layers: set hidden_layers as before")
    for name, array in arrays.items():
        array[...] = saved[name]


if __name__ == "__main__":
    epochal.main(trainer)
