"""Hugging Face's Trainer under Epochal: two lines in a script that has one.

    from epochal.transformers import EpochalCallback
    trainer.add_callback(EpochalCallback(trainer, app))

A checkpoint is a folder as the Trainer itself writes it, so `from_pretrained` reads it. Importing this module imports
transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.trainer_callback import ExportableState
from transformers.trainer_utils import SaveStrategy

from epochal import schedules
from epochal.application import Application
from epochal.errors import SetUpError

_WEIGHTS = "model.safetensors"
_STATE = "trainer_state.json"
_SCHEDULE = "scheduler.pt"
#: Metrics of an evaluation that say how fast this machine is, not how good the model.
_SPEED = ("runtime", "_per_second", "_compilation_time", "epoch")


class EpochalCallback(transformers.TrainerCallback):
    """Stops at any batch, in training and evaluation, saves all of the training's state, and continues exactly.

    A batch is a step of the optimizer, whatever `gradient_accumulation_steps` is. The run decides how many epochs there
    are and what is saved when; an epoch's metrics are `train_loss`, `learning_rate` and the last evaluation's.
    """

    def __init__(self, trainer: transformers.Trainer, app: Application) -> None:
        """Takes hold of `trainer`; call its `train()` without arguments afterwards."""
        if trainer.args.world_size > 1:
            raise SetUpError("Hugging Face's Trainer in several processes is not supported: use one")
        if trainer.args.n_gpu > 1:
            raise SetUpError(
                f"Hugging Face's Trainer would train larger batches, shared among {trainer.args.n_gpu} GPUs: "
                "set arguments._n_gpu = 1, or give the worker as many slots as it has GPUs"
            )
        self._trainer = trainer
        self._app = app
        self._training = app.training
        self._train_loss = app.average("train_loss")
        self._step_loss = 0.0
        self._learning_rate = 0.0
        self._steps_in_epoch = 0
        self._evaluated: dict[str, float] = {}
        self._evaluates = False
        self._is_ready = False
        self._set_arguments(trainer.args)
        self._take_hold(trainer)

    # The Trainer's events

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Model, optimizer and schedule are there, and loaded by the Trainer where there was a checkpoint."""
        self._app.state(save=self._save, load=lambda _folder: None, load_weights=self._load_weights)
        self._training.get_ready()
        for callback in self._out_of_patience():
            # The training had ended early there: a run that continues it gets its full patience again.
            callback.early_stopping_patience_counter = 0
        self._is_ready = True

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """No epoch follows."""
        self._training.finish()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A batch begins."""
        self._learning_rate = float(self._trainer.optimizer.param_groups[0]["lr"])
        self._step_loss = 0.0
        self._training.begin_batch()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A boundary."""
        self._train_loss.add(self._step_loss)
        self._training.progress.log({"loss": self._step_loss})
        self._training.end_batch(self._steps_in_epoch)
        self._training.boundary()

    def on_prediction_step(self, args: Any, state: Any, control: Any, eval_dataloader: Any = None, **_: Any) -> None:
        """A batch of an evaluation; a boundary."""
        if not self._is_ready:
            return
        if not self._evaluates:
            self._evaluates = True
            self._training.begin_validation(len(eval_dataloader) if hasattr(eval_dataloader, "__len__") else None)
        self._training.begin_validation_batch()
        self._training.end_validation_batch()

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, Any], **_: Any) -> None:
        """The evaluation's metrics."""
        numbers = {name: value for name, value in metrics.items() if isinstance(value, (int, float))}
        self._evaluated = {name: float(value) for name, value in numbers.items() if not name.endswith(_SPEED)}
        if self._evaluates:
            self._training.end_validation(training_goes_on=self._training.position.batch < self._steps_in_epoch)
        self._evaluates = False

    # The Trainer's methods

    def _set_arguments(self, args: Any) -> None:
        args.num_train_epochs = self._app.planned_epochs
        args.output_dir = self._app.get_synced_data_dir()
        for name, wanted in (("save_strategy", SaveStrategy.NO), ("load_best_model_at_end", False)):
            if getattr(args, name) != wanted:
                self._app.note(f"{name} is switched off: the run saves every epoch, and keeps the best")
                setattr(args, name, wanted)

    def _take_hold(self, trainer: Any) -> None:
        train, training_step, run_epoch = trainer.train, trainer.training_step, trainer._run_epoch
        init_state, load_rates = trainer._init_training_state, trainer._load_optimizer_and_scheduler

        def train_from_checkpoint(*_: Any, **options: Any) -> Any:
            folder = self._training.resume_folder
            if folder and not (folder / _WEIGHTS).is_file():
                raise SetUpError(f"the checkpoint {folder} has no {_WEIGHTS}: it is of another framework")
            return train(**{**options, "resume_from_checkpoint": str(folder) if folder else None})

        def step(*args: Any, **options: Any) -> Any:
            loss = training_step(*args, **options)
            self._step_loss += loss.item()
            return loss

        def at_position(*args: Any, **options: Any) -> tuple[int, int]:
            init_state(*args, **options)
            # By steps alone the Trainer takes an epoch whose evaluation is still to come for a complete one.
            return (
                self._training.position.epoch,
                self._training.position.batch * trainer.args.gradient_accumulation_steps,
            )

        def optimizer_and_schedule(checkpoint: str | None) -> None:
            if checkpoint is None or self._app.extended_from is None:
                load_rates(checkpoint)
                return
            saved = torch.load(Path(checkpoint, _SCHEDULE), map_location="cpu", weights_only=True)
            with schedules.over_new_total(self._app, [trainer.lr_scheduler], [saved]):
                load_rates(checkpoint)

        def epoch(**options: Any) -> None:
            if not self._training.begin_epoch():
                trainer.control.should_training_stop = True
                return
            self._steps_in_epoch = options["num_update_steps_per_epoch"]
            self._evaluated = {}
            if self._training.position.batch >= self._steps_in_epoch:
                self._learning_rate = self._last_learning_rate()
                self._training.resumed()
            run_epoch(**options)
            if trainer.control.should_training_stop:
                self._app.end_early(self._why_early())
            metrics = {"train_loss": self._train_loss.value, "learning_rate": self._learning_rate}
            self._training.end_epoch({**metrics, **self._evaluated})

        replaced: dict[str, Callable[..., Any]] = {
            "train": train_from_checkpoint,
            "training_step": step,
            "_init_training_state": at_position,
            "_load_optimizer_and_scheduler": optimizer_and_schedule,
            "_run_epoch": epoch,
            "_load_rng_state": lambda _folder: self._training.resumed(),
            # The Trainer only logs which weights it did not find, and trains on with random ones in their place.
            "_issue_warnings_after_load": self._check_loaded,
        }
        for name, function in replaced.items():
            setattr(trainer, name, function)

    def _out_of_patience(self) -> list[transformers.EarlyStoppingCallback]:
        callbacks = self._trainer.callback_handler.callbacks
        return [
            callback
            for callback in callbacks
            if isinstance(callback, transformers.EarlyStoppingCallback)
            and callback.early_stopping_patience_counter >= callback.early_stopping_patience
        ]

    def _why_early(self) -> str:
        for callback in self._out_of_patience():
            metric = self._trainer.args.metric_for_best_model
            return f"{metric} has not improved in {callback.early_stopping_patience} evaluations"
        return "the Trainer ended the training (should_training_stop)"

    # Its state

    def _save(self, folder: Path) -> None:
        trainer: Any = self._trainer
        with _own_names(trainer.model):
            trainer._save(str(folder))
        trainer._save_optimizer_and_scheduler(str(folder))
        trainer._save_scaler(str(folder))
        for part in [*trainer.callback_handler.callbacks, trainer.control]:
            if isinstance(part, ExportableState):
                trainer.state.stateful_callbacks[type(part).__name__] = part.state()
        trainer.state.save_to_json(str(folder / _STATE))
        (folder / "learning_rate.txt").write_text(repr(self._learning_rate))

    def _last_learning_rate(self) -> float:
        """That of the last batch: by now the schedule is a step further."""
        folder = self._training.resume_folder
        return float((folder / "learning_rate.txt").read_text()) if folder else 0.0

    def _check_loaded(self, found: Any) -> None:
        weights = self._trainer.model.state_dict()
        loaded = {tensor.data_ptr() for name, tensor in weights.items() if name not in found.missing_keys}
        missing = [name for name in found.missing_keys if weights[name].data_ptr() not in loaded]  # not tied to another
        if missing or found.unexpected_keys:
            what = f"has no {missing[0]}" if missing else f"has {found.unexpected_keys[0]}, which this model has not"
            raise SetUpError(f"the checkpoint is of another model: it {what}")

    def _load_weights(self, folder: Path) -> None:
        if not (folder / _WEIGHTS).is_file():
            raise SetUpError(f"the checkpoint {folder} has no {_WEIGHTS}: it is of another framework")
        trainer: Any = self._trainer
        trainer._load_from_checkpoint(str(folder))


@contextmanager
def _own_names(model: Any) -> Iterator[None]:
    """Save the weights under the names that the model has now.

    By default some are written under those of older versions, which `from_pretrained` translates and the Trainer, when
    it resumes from a checkpoint, does not. `from_pretrained` reads both.
    """
    if not isinstance(model, transformers.PreTrainedModel):
        yield
        return
    model.save_pretrained = partial(model.save_pretrained, save_original_format=False)  # type: ignore[method-assign]
    try:
        yield
    finally:
        del model.save_pretrained
