"""A LightningModule under Epochal: the two lines are marked. See docs/trainers/lightning.md."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import epochal
from epochal.classification_pages import ClassificationPages

os.environ.setdefault("OMP_NUM_THREADS", "1")


class Parameters(epochal.Parameters):
    """What can be set."""

    channels: int = epochal.parameter(
        16,
        ge=1,
        le=512,
        title="Channels",
        unit="maps",
        description="Maps of the first convolution; the second has twice as many",
    )
    dropout: float = epochal.parameter(
        0.1, ge=0, lt=1, title="Dropout", description="Fraction of the features dropped at random in training"
    )
    batch_size: int = epochal.parameter(
        64, ge=2, le=1024, title="Batch size", unit="images", description="Images in a training batch"
    )
    learning_rate: float = epochal.parameter(
        0.01, gt=0, le=1, title="Learning rate", description="Highest step size of the schedule"
    )
    validation_fraction: float = epochal.parameter(
        0.2, ge=0.05, le=0.5, title="Validation part", description="Fraction of the images used for validation"
    )
    validations: int = epochal.parameter(
        1,
        ge=1,
        le=10,
        title="Validations",
        unit="per epoch",
        description="How often an epoch is interrupted for a validation",
    )
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = epochal.parameter(
        "auto", title="Accelerator", description="Where to compute; auto: a GPU if there is one"
    )
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = epochal.parameter(
        "32-true", title="Precision", description="Number format of the forward pass"
    )
    workers: int = epochal.parameter(
        0,
        ge=0,
        le=64,
        title="Loader processes",
        unit="processes",
        description="Processes that load images; 0: the trainer process loads them",
    )
    patience: int = epochal.parameter(
        0,
        ge=0,
        le=100_000,
        title="Patience",
        unit="epochs",
        description="End early after this many epochs without a better accuracy; 0: never",
    )
    export_onnx: bool = epochal.parameter(
        False, title="ONNX export", description="Write model.onnx after the last epoch, checked on validation images"
    )
    batch_delay_seconds: float = epochal.parameter(
        0.0, ge=0, le=10, title="Delay", unit="s", description="Delay per batch, so that a person can watch"
    )


pages = ClassificationPages("0123456789")

trainer = epochal.Trainer(
    name="lightning",
    title="Lightning: handwritten digits",
    description="A LightningModule learns to read 8 × 8 images of digits: the example for scripts with a Lightning "
    "Trainer. The images come with scikit-learn: nothing is downloaded, and no GPU is needed.",
    parameters=Parameters,
    metrics=[
        epochal.Metric("train_loss", "Mean cross-entropy over the epoch's training batches"),
        epochal.Metric("train_accuracy", "Fraction of the training images that was read correctly while training"),
        epochal.Metric("val_loss", "Mean cross-entropy on the validation images"),
        epochal.Metric("val_accuracy", "Fraction of the validation images that was read correctly"),
        epochal.Metric("learning_rate", "Step size of the epoch's last batch"),
    ],
    best=("val_accuracy", "max"),
    packages=["lightning", "torch", "numpy", "scikit-learn"],
    default_epochs=20,
    layout=pages.layout,
)


@trainer.check_data
def check_data(_data: str | None, parameters: Parameters) -> list[epochal.Problem]:
    """What the ranges of the parameters cannot say."""
    batches = int(1797 * (1 - parameters.validation_fraction)) // parameters.batch_size
    if parameters.validations > max(batches, 1):
        message = f"must be at most {max(batches, 1)}: an epoch has no more batches"
        return [epochal.Problem("parameters.validations", parameters.validations, message)]
    return []


@trainer.train
def train(app: epochal.Application) -> None:
    """Train."""
    import lightning.pytorch as pl
    from digits import DigitsData, DigitsModule
    from epochal.lightning import EpochalCallback  # the first line
    from shown import ShowMistakes

    parameters: Parameters = app.parameters
    pl.seed_everything(app.seed % 2**32, verbose=False)
    module = DigitsModule(
        parameters.channels, parameters.dropout, parameters.learning_rate, parameters.batch_delay_seconds
    )
    data = DigitsData(parameters.batch_size, parameters.validation_fraction, parameters.workers, app.seed)
    early = [pl.callbacks.EarlyStopping("val_accuracy", mode="max", patience=parameters.patience)]
    pl.Trainer(
        callbacks=[
            EpochalCallback(app),  # the second line
            ShowMistakes(pages),
            *(early if parameters.patience else []),
        ],
        max_epochs=app.planned_epochs,
        accelerator=parameters.accelerator,
        devices=1,
        precision=parameters.precision,
        val_check_interval=1 / parameters.validations,
        deterministic=True,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(module, datamodule=data)

    if parameters.export_onnx:
        from epochal.torch_onnx import export_onnx

        sample = next(iter(data.val_dataloader()))[0][:8]
        difference = export_onnx(module.network, sample, Path(app.get_synced_data_dir(), "model.onnx"))
        app.note(f"model.onnx computes what the network does: onnxruntime's logits differ by at most {difference:.1e}")


if __name__ == "__main__":
    epochal.main(trainer)
