"""Lightning under Epochal: two lines in a script that has a `Trainer`.

    from epochal.lightning import EpochalCallback
    trainer = L.Trainer(callbacks=[EpochalCallback(app)], …)

Lightning reads its own `should_stop` between epochs, and repeats or leaves out batches when it resumes from the middle
of one. So this callback takes hold of four methods of its loops: they are the batch boundaries. Importing this module
imports Lightning.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

try:
    import lightning.pytorch as pl
except ImportError:
    import pytorch_lightning as pl

from epochal import lightning_state, schedules, torch_state
from epochal.application import Application
from epochal.errors import SetUpError
from epochal.torch_loader import ResumableLoader


class EpochalCallback(pl.Callback):
    """Stops at any batch, in training and validation, saves all of the training's state, and continues exactly.

    It decides how many epochs there are (the run's), where to start, and what a checkpoint holds:
    `weights.safetensors` and `lightning.ckpt`, which `LightningModule.load_from_checkpoint` reads.
    Metrics of an epoch are what the module logged with `on_epoch=True`, and `learning_rate`.
    """

    def __init__(self, app: Application, *, weights_only: bool = True) -> None:
        """`weights_only=False` reads checkpoints with objects in them, which can run code: see `torch.load`."""
        self._app = app
        self._training = app.training
        self._weights_only = weights_only
        self._is_checked = not weights_only
        self._loaders: list[ResumableLoader] = []
        self._loss: Mapping[str, Any] = {}
        self._learning_rate = 0.0
        self._partial: lightning_state.Partial | None = None
        self._before_validation: lightning_state.Partial | None = None

    # Lightning's hooks

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """The length of the run, and data loaders that can begin in the middle."""
        if stage != "fit":
            return
        if trainer.world_size > 1:
            raise SetUpError("Lightning's own strategies for several processes are not supported: use one device")
        if trainer.fit_loop.max_epochs not in (None, self._app.planned_epochs):
            self._app.note(f"max_epochs is {self._app.planned_epochs}, as the run says")
        trainer.fit_loop.max_epochs = self._app.planned_epochs
        process = trainer.strategy.process_dataloader

        def process_dataloader(loader: Any) -> Any:
            loader = process(loader)
            if not trainer.training:
                return loader
            self._loaders.append(ResumableLoader(loader, lambda: self._app.epoch_seed))
            return self._loaders[-1]

        trainer.strategy.process_dataloader = process_dataloader  # type: ignore[method-assign]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Model, optimizers and schedules are there: load them."""
        self._app.state(
            save=lambda folder: self._save(trainer, folder),
            load=lambda folder: self._load(trainer, folder),
            load_weights=lambda folder: torch_state.load_weights(pl_module, folder / torch_state.WEIGHTS),
        )
        self._training.get_ready()
        if self._training.resume_folder:
            trainer.num_sanity_val_steps = 0  # it passed when the training began
        self._take_hold(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Lightning's handler would make SIGTERM a failure."""
        self._app.handle_signals()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """For those who watch."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        self._loss = {} if loss is None else {"loss": loss.detach()}

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """No epoch follows."""
        self._training.finish()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A validation within the training, not the one before it."""
        if not trainer.sanity_checking:
            self._training.begin_validation(lightning_state.count(sum(trainer.num_val_batches)))

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """A batch of it begins."""
        if not trainer.sanity_checking:
            self._training.begin_validation_batch()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """A boundary."""
        if not trainer.sanity_checking:
            self._training.end_validation_batch()

    # Its loops

    def _take_hold(self, trainer: pl.Trainer) -> None:
        fit, epoch = trainer.fit_loop, trainer.fit_loop.epoch_loop
        begin, train = fit.on_advance_start, epoch.advance
        end_batch, end_epoch = epoch.on_advance_end, fit.on_advance_end

        def on_epoch_start() -> None:
            if not self._training.begin_epoch():
                trainer.should_stop = True
                raise StopIteration
            begin()

        def advance(fetcher: Any) -> None:
            if self._training.moments.to_skip and self._go_to_place(trainer, fetcher):
                return  # its validation is what was interrupted
            self._learning_rate = lightning_state.learning_rate(trainer)
            self._training.begin_batch()
            train(fetcher)
            total = lightning_state.count(trainer.num_training_batches)
            validates = bool(epoch._should_check_val_fx(fetcher)) and not trainer.sanity_checking
            if self._partial and not self._partial.is_merged:
                self._partial.merge(epoch._results)
            if validates:
                self._before_validation = lightning_state.Partial.of(trainer, self._learning_rate)
            self._training.progress.log(self._loss)
            self._training.end_batch(total, validates=validates)

        def on_batch_end(fetcher: Any) -> None:
            end_batch(fetcher)
            is_last = epoch._num_ready_batches_reached()
            if self._before_validation:
                self._training.end_validation(training_goes_on=not is_last)
            if is_last:
                return  # the epoch's end is the boundary
            self._before_validation = None
            self._training.boundary()

        def on_epoch_end() -> None:
            metrics = self._partial.missing(trainer) if self._partial else {}
            end_epoch()
            if fit.done:
                self._app.end_early(lightning_state.why_early(trainer))
            metrics |= lightning_state.epoch_metrics(trainer)
            self._partial = self._before_validation = None
            self._training.end_epoch({**metrics, "learning_rate": self._learning_rate})

        for loop, name, function in (
            (fit, "on_advance_start", on_epoch_start),
            (epoch, "advance", advance),
            (epoch, "on_advance_end", on_batch_end),
            (fit, "on_advance_end", on_epoch_end),
        ):
            setattr(loop, name, function)

    def _go_to_place(self, trainer: pl.Trainer, fetcher: Any) -> bool:
        """The first batch of an epoch that was begun before; answers whether its validation was under way."""
        epoch = trainer.fit_loop.epoch_loop
        done = self._training.position.batch
        progress = epoch.batch_progress.current
        progress.ready = progress.started = progress.processed = progress.completed = done
        assert self._partial is not None
        self._partial.restore_metrics(trainer)
        self._learning_rate = self._partial.learning_rate
        self._training.resumed()
        is_last = done >= trainer.num_training_batches
        fetcher.fetched = done
        if is_last:
            fetcher.done = epoch.batch_progress.is_last_batch = True
        else:
            for loader in self._loaders:
                loader.first = done
        if is_last or self._partial.in_validation:
            self._before_validation = self._partial
            return True
        return False

    # Its state

    def _save(self, trainer: pl.Trainer, folder: Path) -> None:
        torch_state.save_weights(trainer.lightning_module, folder / torch_state.WEIGHTS)
        checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        if self._training.position.batch:
            partial = self._before_validation or lightning_state.Partial.of(trainer, self._learning_rate)
            checkpoint["epochal"] = partial.as_dict(in_validation=self._before_validation is not None)
        trainer.strategy.save_checkpoint(checkpoint, folder / lightning_state.FILE)
        if not self._is_checked:  # in the first epoch, not when it is needed
            lightning_state.check_readable(folder / lightning_state.FILE)
            self._is_checked = True

    def _load(self, trainer: pl.Trainer, folder: Path) -> None:
        checkpoint = lightning_state.load(
            trainer,
            folder / lightning_state.FILE,
            self._training.position.epoch,
            weights_only=self._weights_only,
        )
        connector = trainer._checkpoint_connector
        restore = connector.restore_optimizers_and_schedulers

        def restore_rates() -> None:
            scheduled = [config.scheduler for config in trainer.lr_scheduler_configs]
            with schedules.over_new_total(self._app, scheduled, checkpoint["lr_schedulers"]):
                restore()

        connector.restore_optimizers_and_schedulers = restore_rates  # type: ignore[method-assign]
        if "epochal" in checkpoint:
            self._partial = lightning_state.Partial(**checkpoint["epochal"])
