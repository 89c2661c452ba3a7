"""mmengine's loops over epochs and batches, with the application between the batches."""

from __future__ import annotations

from typing import Any

import epochal
from metrics import batch_losses, epoch_metrics, learning_rate
from mmengine.registry import LOOPS
from mmengine.runner.loops import EpochBasedTrainLoop, ValLoop
from state import State


@LOOPS.register_module()
class EpochalTrainLoop(EpochBasedTrainLoop):
    """`EpochBasedTrainLoop` that ends at any batch and resumes from there. Hooks are called where they always are."""

    app: epochal.Application

    def run(self) -> Any:
        """Train."""
        runner, app = self.runner, self.app
        state = State(runner, self)
        app.state(save=state.save, load=state.load, load_weights=state.load_weights)
        runner.call_hook("before_train")
        for epoch in app.epochs():
            self._epoch = epoch - 1
            self.run_epoch()
            metrics = runner.val_loop.run()
            self.in_validation = self.trained = False
            if self.stop_training:
                app.end_early("a hook of the config ended the training")
            app.end_epoch(epoch_metrics(runner, metrics, self.losses, self.rate))
        runner.call_hook("after_train")
        return runner.model

    #: Whether this epoch's batches are trained, and the hooks after them were called.
    trained = False
    #: Whether hooks have prepared the model for validation.
    in_validation = False
    #: Batches trained in this epoch.
    batch = 0
    #: Learning rate of the last batch.
    rate = 0.0
    _loss_names: tuple[str, ...] = ("loss",)

    @property
    def losses(self) -> dict[str, Any]:
        """The application's running means, by the losses' names."""
        return {name: self.app.average(name) for name in self._loss_names}

    def run_epoch(self) -> None:
        """The training part of an epoch."""
        runner, app = self.runner, self.app
        if self.trained:  # continued in its validation: every batch is trained, and none has to be loaded again
            for _ in app.batches(range(len(self.dataloader))):
                raise RuntimeError("the data set has a different number of batches than before the interruption")
            self._epoch += 1
            return
        runner.call_hook("before_train_epoch")
        runner.model.train()
        for batch in app.batches(self.dataloader):  # those before an interruption are skipped: hooks count on
            self.run_iter(self.batch, batch)
        self.batch = 0
        runner.call_hook("after_train_epoch")
        self._epoch += 1
        self.trained = True

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """One batch; the losses are mmengine's own `outputs`."""
        runner = self.runner
        self.rate = learning_rate(runner)
        runner.call_hook("before_train_iter", batch_idx=idx, data_batch=data_batch)
        outputs = runner.model.train_step(data_batch, optim_wrapper=runner.optim_wrapper)
        runner.call_hook("after_train_iter", batch_idx=idx, data_batch=data_batch, outputs=outputs)
        self._iter += 1
        self.batch += 1
        losses = batch_losses(outputs)
        self._loss_names = tuple(losses)
        self.app.log({f"train_{name}": value for name, value in losses.items()})
        for name, value in losses.items():
            self.app.average(name).add(float(value))


@LOOPS.register_module()
class EpochalValLoop(ValLoop):
    """`ValLoop` that ends at any batch."""

    app: epochal.Application

    def run(self) -> dict[str, Any]:
        """Validate."""
        loop, loader = self.runner.train_loop, self.dataloader
        loop.in_validation = True
        self.dataloader = _Boundaries(loader, self.app)
        try:
            return super().run()
        finally:
            self.dataloader = loader


class _Boundaries:
    """A loader whose every batch is a boundary."""

    def __init__(self, loader: Any, app: epochal.Application) -> None:
        self._loader, self._app = loader, app

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Any:
        return self._app.validation_batches(self._loader)
