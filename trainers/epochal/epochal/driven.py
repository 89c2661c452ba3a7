"""A training whose loop belongs to a framework: what `app.epochs()` and `app.batches()` do, told by its callbacks.

The order of calls, in which square brackets may be missing and stars may repeat:

    get_ready  (begin_epoch  [reached]  (begin_batch  end_batch  [validation]  boundary)*  [validation]  end_epoch)*
    validation: begin_validation  validation_batch*  end_validation
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epochal import random_state
from epochal.moment import Moment

if TYPE_CHECKING:
    from epochal.application import Application


class Driven:
    """The application's training loop, moved by somebody else. Used by the main thread alone."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self._loop = app._training
        self._epochs = app.epochs()
        self._random: random_state.RandomState | None = None
        self._validated = 0

    @property
    def batch(self) -> int:
        """Training batches of the epoch under way that are done."""
        return self._loop.position.batch

    @property
    def complete_epochs(self) -> int:
        """Epochs that are done."""
        return self._loop.position.epoch

    @property
    def is_to_skip(self) -> bool:
        """Whether the checkpoint is within an epoch, and its place was not reached yet."""
        return self._loop._skip > 0

    @property
    def has_trained(self) -> bool:
        """Whether the epoch is in its validation."""
        return self._loop._trained is not None

    @property
    def resume_folder(self) -> Path | None:
        """The checkpoint to go on from with all of its state; None where there is none, or its weights alone count."""
        start = self._loop._from
        return start.folder if start and self.app._session.keep_progress else None

    def get_ready(
        self,
        save: Callable[[Path], object],
        load: Callable[[Path], object],
        load_weights: Callable[[Path], object] | None = None,
    ) -> None:
        """Register the state, load it, and say that training begins; when the framework has all of it set up."""
        self.app.state(save=save, load=load, load_weights=load_weights)
        self._loop._get_ready()
        self._random = random_state.capture()

    def begin_epoch(self) -> bool:
        """Wait for the grant of the next epoch, and begin it; False where none follows. Ends by a stop."""
        if self._random:
            # What the framework did since get_ready is no part of the training: it differs when one is continued.
            random_state.restore(self._random)
            self._random = None
        return next(self._epochs, None) is not None

    def reached(self) -> None:
        """The framework has passed the batches that the checkpoint has: the training goes on from here."""
        loop = self._loop
        if loop._skip:
            loop._skip = 0
            loop._reach_resumed()
            loop._trained = None

    def begin_batch(self) -> None:
        """A training batch begins."""
        self._loop._control.batches_begun += 1
        self._loop._in_batch, self._loop._trained = True, None

    def end_batch(self, total: int | None, metrics: Mapping[str, Any], *, validates: bool = False) -> None:
        """A training batch is done, and a validation follows or not."""
        loop = self._loop
        self.app.log(metrics)
        loop.progress.phase("train", loop.epoch, total)
        loop._batch_is_done(total)
        if validates:
            loop._trained = loop._trained or Moment.capture(loop.averages)

    def boundary(self) -> None:
        """Between training batches: save or stop, as was asked."""
        self._loop._control.agree()
        self._loop._at_boundary()

    def begin_validation(self, total: int | None) -> None:
        """A validation begins, between training batches; also the one that an interrupted training has to repeat."""
        loop = self._loop
        loop._trained = loop._trained or Moment.capture(loop.averages)
        loop.progress.flush(loop.position.batch)
        loop.progress.phase("validate", loop.epoch, total)
        self._validated = 0
        loop._obey_in_validation()

    def validation_batch(self, metrics: Mapping[str, Any]) -> None:
        """A batch of it is done; a boundary."""
        self._loop._control.batches_begun += 1
        self._validated += 1
        self.app.log(metrics)
        self._loop.progress.batch(self._validated)
        self._loop._obey_in_validation()

    def end_validation(self, *, training_goes_on: bool) -> None:
        """It is over."""
        loop = self._loop
        loop.progress.flush(self._validated)
        if training_goes_on:
            loop._trained = None
            loop.progress.phase("train", loop.epoch)

    def end_epoch(self, metrics: Mapping[str, Any]) -> None:
        """The epoch is complete; what the framework saves now is what the next epoch begins with."""
        self.app.end_epoch(metrics)

    def end_early(self, reason: str) -> None:
        """Before `end_epoch`: the framework trains no epoch after the one under way."""
        self.app.end_early(reason)

    def finish(self) -> None:
        """The planned end, or an early one. Raises the stop where one came in the meantime."""
        if not self._loop.goes_on:
            next(self._epochs, None)
