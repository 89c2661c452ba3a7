"""Random numbers and averages that a training has to remember, to resume as if it had not been interrupted."""

from __future__ import annotations

from typing import Any

from epochal import random_state
from epochal.averages import Averages
from epochal.errors import DataError
from epochal.moment import Moment
from epochal.place import Place
from epochal.ranks import Ranks


class Moments:
    """The moments of a training that a checkpoint may be of, or that one is resumed at."""

    def __init__(self, place: Place, ranks: Ranks) -> None:
        self.averages = Averages()
        #: Batches of the resumed epoch that are trained already, and were not passed yet.
        self.to_skip = 0
        self._place = place
        self._ranks = ranks
        self._resumed: Moment | None = None  # that of the checkpoint, until its place is reached
        self._epoch_began: Moment | None = None
        self._trained: Moment | None = None  # after the last training batch: validation must not change it
        self._ready: random_state.RandomState | None = None  # until the first epoch begins

    @property
    def is_trained(self) -> bool:
        """Whether the moment after the last training batch is known."""
        return self._trained is not None

    def resume(self, progress: dict[str, Any]) -> None:
        """Go on from the moments in a checkpoint's `progress`, which is that of the present place."""
        own = self._ranks.own_moments(progress)
        self._resumed = Moment.decode(own["moment"])
        if self._place.batches:
            self.to_skip = self._place.batches
            self._epoch_began = Moment.decode(own["epochBegan"])
            random_state.restore(self._epoch_began.random)
        else:
            self._restore_resumed()

    def get_ready(self) -> None:
        """What a framework does until the first epoch is not part of the training: it differs when one is resumed."""
        self._ready = random_state.capture()

    def begin_epochs(self) -> None:
        """The training resumes from where it was ready."""
        if self._ready:
            random_state.restore(self._ready)
            self._ready = None

    def begin_epoch(self) -> None:
        """An epoch begins, or the rest of one."""
        self._trained = None
        if not self.to_skip:
            self.averages.restore({})
            self._epoch_began = Moment.capture(self.averages)

    def pass_batches(self, count: int) -> None:
        """`count` batches of those that the checkpoint has were passed."""
        self.to_skip -= count
        if not self.to_skip:
            self._restore_resumed()

    def require_passed(self) -> None:
        """Raise `DataError` where the data had fewer batches than the checkpoint has."""
        if self.to_skip:
            done, epoch = self._place.batches, self._place.epoch
            now = done - self.to_skip
            raise DataError(f"the checkpoint is {done} batches into epoch {epoch}, but the data now give {now} batches")

    def train(self) -> None:
        """Training begins, or continues."""
        self._trained = None

    def has_trained(self) -> None:
        """What follows is not a training, as far as one knows."""
        self._trained = self._trained or Moment.capture(self.averages)

    def end_epoch(self) -> None:
        """An epoch is complete."""
        self._epoch_began = self._trained = None

    def encoded(self) -> dict[str, Any]:
        """For a checkpoint of the present place, which may be before the present: validation, or skipped batches."""
        own = {
            "moment": self._at_place().encode(),
            "epochBegan": self._epoch_began.encode() if self._place.batches and self._epoch_began else None,
        }
        return own if self._ranks.count == 1 else {**own, "ranks": self._ranks.gather(own)}

    def _at_place(self) -> Moment:
        if self.to_skip and self._resumed:
            return self._resumed
        if self._place.in_epoch and not self._place.batches and self._epoch_began:
            return self._epoch_began
        return self._trained or Moment.capture(self.averages)

    def _restore_resumed(self) -> None:
        """The training is where its checkpoint was written: random numbers and averages resume from there."""
        if self._resumed:
            self._resumed.restore(self.averages)
            self._resumed = None
