"""Hugging Face's Trainer under Epochal: the two lines are marked. See docs/trainers/transformers.md."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import epochal
from epochal.classification_pages import ClassificationPages

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Everything is made here: nothing is looked up in a hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")


class Parameters(epochal.Parameters):
    """What can be set."""

    hidden: int = epochal.parameter(
        64,
        ge=8,
        le=1024,
        multiple_of=8,
        title="Width",
        unit="numbers",
        description="Size of the vector of a patch",
    )
    layers: int = epochal.parameter(3, ge=1, le=24, title="Layers", unit="blocks", description="Blocks of attention")
    heads: int = epochal.parameter(4, ge=1, le=16, title="Heads", unit="heads", description="Heads in a block")
    dropout: float = epochal.parameter(
        0.0, ge=0, lt=1, title="Dropout", description="Fraction of the hidden values dropped in training"
    )
    batch_size: int = epochal.parameter(
        64, ge=1, le=1024, title="Batch size", unit="images", description="Images in a step of the optimizer"
    )
    learning_rate: float = epochal.parameter(
        0.002, gt=0, le=1, title="Learning rate", description="Highest step size of AdamW"
    )
    schedule: Literal["linear", "cosine", "constant"] = epochal.parameter(
        "cosine", title="Schedule", description="How the learning rate falls after a warm-up of a tenth of the steps"
    )
    weight_decay: float = epochal.parameter(
        0.05, ge=0, le=10, title="Weight decay", description="Strength of the L2 penalty on the weights"
    )
    validation_fraction: float = epochal.parameter(
        0.2, ge=0.05, le=0.5, title="Validation part", description="Fraction of the images used for validation"
    )
    precision: Literal["float32", "float16", "bfloat16"] = epochal.parameter(
        "float32", title="Precision", description="Number format of the forward pass; float16 needs a GPU"
    )
    device: Literal["auto", "cpu"] = epochal.parameter(
        "auto", title="Device", description="auto: a GPU if there is one"
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
    name="transformers",
    title="Transformers: handwritten digits",
    description="A small vision transformer learns to read 8 × 8 images of digits from scratch: the example for "
    "scripts with Hugging Face's Trainer. The images come with scikit-learn: nothing is downloaded.",
    parameters=Parameters,
    metrics=[
        epochal.Metric("train_loss", "Mean cross-entropy over the epoch's training batches"),
        epochal.Metric("learning_rate", "Step size of the epoch's last batch"),
        epochal.Metric("eval_loss", "Mean cross-entropy on the validation images"),
        epochal.Metric("eval_accuracy", "Fraction of the validation images that was read correctly"),
    ],
    best=("eval_accuracy", "max"),
    can_shrink_batch=True,
    packages=["transformers", "accelerate", "torch", "numpy", "scikit-learn"],
    default_epochs=30,
    layout=pages.layout,
)


@trainer.check_data
def check_data(_data: str | None, parameters: Parameters) -> list[epochal.Problem]:
    """What the ranges of the parameters cannot say."""
    if parameters.hidden % parameters.heads:
        message = f"must divide by the {parameters.heads} heads"
        return [epochal.Problem("parameters.hidden", parameters.hidden, message)]
    return []


@trainer.train
def train(app: epochal.Application) -> None:
    """Train."""
    import transformers
    from digits import accuracy, load, make_model
    from epochal.transformers import EpochalCallback  # the first line

    parameters: Parameters = app.parameters
    # After out-of-memory: smaller parts, as many of them to a step of the optimizer.
    parts = min(app.batch_divisor, parameters.batch_size)
    arguments = transformers.TrainingArguments(
        output_dir=app.get_synced_data_dir(),
        num_train_epochs=app.planned_epochs,
        per_device_train_batch_size=-(-parameters.batch_size // parts),
        gradient_accumulation_steps=parts,
        per_device_eval_batch_size=128,
        learning_rate=parameters.learning_rate,
        lr_scheduler_type=parameters.schedule,
        warmup_steps=0.1,
        weight_decay=parameters.weight_decay,
        eval_strategy="epoch",
        save_strategy="no",
        metric_for_best_model="accuracy",
        logging_strategy="epoch",
        seed=app.seed % 2**32,
        use_cpu=parameters.device == "cpu",
        fp16=parameters.precision == "float16",
        bf16=parameters.precision == "bfloat16",
        dataloader_num_workers=parameters.workers,
        disable_tqdm=True,
        report_to="none",
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # with several it would train larger batches
    transformers.set_seed(app.seed % 2**32)
    train_set, val_set = load(parameters.validation_fraction, app.seed, parameters.batch_delay_seconds)

    def evaluated(predicted: transformers.EvalPrediction) -> dict[str, float]:
        """The images come in the order of their data set."""
        pages.begin()
        pages.add(predicted.predictions, predicted.label_ids, val_set.images)
        pages.show()
        return accuracy(predicted)

    hf_trainer = transformers.Trainer(
        model=make_model(parameters.hidden, parameters.layers, parameters.heads, parameters.dropout),
        args=arguments,
        train_dataset=train_set,
        eval_dataset=val_set,
        compute_metrics=evaluated,
    )
    hf_trainer.add_callback(EpochalCallback(hf_trainer, app))  # the second line
    if parameters.patience:
        hf_trainer.add_callback(transformers.EarlyStoppingCallback(parameters.patience))
    hf_trainer.train()

    if parameters.export_onnx:
        import torch
        from digits import Logits
        from epochal.torch_onnx import export_onnx

        sample = torch.stack([val_set[index]["pixel_values"] for index in range(8)])
        path = Path(app.get_synced_data_dir(), "model.onnx")
        difference = export_onnx(Logits(hf_trainer.model), sample, path, input_name="pixel_values")
        app.note(f"model.onnx computes what the network does: onnxruntime's logits differ by at most {difference:.1e}")


if __name__ == "__main__":
    epochal.main(trainer)
