"""The same vision transformer under Hugging Face's Trainer alone, with its own checkpoints."""

from __future__ import annotations

from typing import Any

import rows

folder, epochs, parameters = rows.arguments("transformers")

import transformers  # noqa: E402
from digits import accuracy, load, make_model  # noqa: E402


class Rows(transformers.TrainerCallback):
    """Notes the end of each epoch, which is its evaluation's."""

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **_: Any) -> None:
        rows.epoch_ended(folder, {"eval_accuracy": metrics["eval_accuracy"]})


transformers.set_seed(0)
train_set, val_set = load(parameters.validation_fraction, 0, 0.0)
transformers.Trainer(
    model=make_model(parameters.hidden, parameters.layers, parameters.heads, parameters.dropout),
    args=transformers.TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        per_device_train_batch_size=parameters.batch_size,
        per_device_eval_batch_size=128,
        learning_rate=parameters.learning_rate,
        lr_scheduler_type=parameters.schedule,
        warmup_steps=0.1,
        weight_decay=parameters.weight_decay,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        seed=0,
        use_cpu=parameters.device == "cpu",
        dataloader_num_workers=parameters.workers,
        disable_tqdm=True,
        report_to="none",
    ),
    train_dataset=train_set,
    eval_dataset=val_set,
    compute_metrics=accuracy,
    callbacks=[Rows()],
).train()
