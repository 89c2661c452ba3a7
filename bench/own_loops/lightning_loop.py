"""The same LightningModule under Lightning alone, with its own checkpoints."""

from __future__ import annotations

import rows

folder, epochs, parameters = rows.arguments("lightning")

import lightning.pytorch as pl  # noqa: E402
from digits import DigitsData, DigitsModule  # noqa: E402
from lightning.pytorch.callbacks import ModelCheckpoint  # noqa: E402


class Rows(pl.Callback):
    """Notes the end of each epoch."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        rows.epoch_ended(folder, {"val_accuracy": float(trainer.callback_metrics["val_accuracy"])})


pl.seed_everything(0, verbose=False)
module = DigitsModule(parameters.channels, parameters.dropout, parameters.learning_rate)
data = DigitsData(parameters.batch_size, parameters.validation_fraction, parameters.workers, 0)
pl.Trainer(
    callbacks=[Rows(), ModelCheckpoint(folder, save_top_k=-1, every_n_epochs=1)],
    max_epochs=epochs,
    accelerator=parameters.accelerator,
    devices=1,
    precision=parameters.precision,
    deterministic=True,
    logger=False,
    enable_progress_bar=False,
    enable_model_summary=False,
).fit(module, datamodule=data)
