"""Writing checkpoints: their files between two batches, and what makes them whole while the next ones train."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from epochal import random_state
from epochal.checkpoints import Checkpoint, CheckpointFolder, Land, size_of
from epochal.epoch_metrics import EpochMetrics
from epochal.landing import Landing
from epochal.moments import Moments
from epochal.place import Place
from epochal.progress import Progress
from epochal.protocol import EventSink
from epochal.ranks import NoCheckpoints
from epochal.session import Session
from epochal.snapshots import Snapshots
from epochal.stopwatch import PartOf, Stopwatch
from epochal.training_state import TrainingState


class Saving:
    """One checkpoint at a time becomes whole; where that fails, the training cannot continue."""

    def __init__(
        self,
        session: Session,
        checkpoints: CheckpointFolder | NoCheckpoints,
        state: TrainingState,
        place: Place,
        moments: Moments,
        metrics: EpochMetrics,
        watch: Stopwatch,
        progress: Progress,
        sink: EventSink,
    ) -> None:
        """`state` is the trainer's, the other parts are the training's: a checkpoint has all of them."""
        self._session = session
        self._checkpoints = checkpoints
        self._state = state
        self._place = place
        self._moments = moments
        self._metrics = metrics
        self._watch = watch
        self._progress = progress
        self._sink = sink
        self._landing = Landing()
        self._stands_still = Stopwatch()
        #: For how long saving held up the training.
        self.held_up = PartOf(self._stands_still)
        self._snapshots = Snapshots(session, sink, saves=not isinstance(checkpoints, NoCheckpoints))

    @property
    def has_any(self) -> bool:
        """Whether there is a checkpoint of this training."""
        return self._checkpoints.has_any

    @property
    def error(self) -> BaseException | None:
        """What kept the last checkpoint from becoming whole."""
        return self._landing.error

    def begin(self) -> None:
        """The training begins, or resumes."""
        self._snapshots.cadence.begin()

    def knows(self, checkpoint: Checkpoint) -> None:
        """The training resumes from `checkpoint`."""
        self._checkpoints.knows(checkpoint)
        self._snapshots.knows(checkpoint.size)

    def has_this_place(self) -> bool:
        """Whether there is a checkpoint of where the training is."""
        return self._checkpoints.has(self._place.position)

    def save(self, *, goes_on: bool = True, then: Callable[[], None] = lambda: None) -> None:
        """Write the files of a checkpoint, with the one before settled. It becomes whole while the training continues.

        `then` is called once it is, on the thread that made it whole.
        """

        def land() -> None:
            manifest = make_whole()
            self._sink.send({"type": "checkpoint", "checkpoint": manifest})
            self._snapshots.passed(position, size_of(manifest))
            then()

        with self._holds_up(), self._phase(goes_on):
            began = time.monotonic()
            position = self._place.position
            make_whole = self._write(self._checkpoints, self._moments.encoded())
            self._landing.start(land)
            self._snapshots.checkpointed(time.monotonic() - began)

    @property
    def is_snapshot_due(self) -> bool:
        """Whether to write a snapshot at this boundary. Never beyond a checkpoint that is not whole yet."""
        return not self._landing.is_under_way and self._snapshots.is_due

    def snapshot(self) -> None:
        """Write the files of a snapshot: what a training resumes from that was killed. Nobody is told of it.

        Raises `NotFinite` in place of saving a training that has failed. What else fails costs the snapshots alone.
        """
        self._progress.require_finite()
        began = time.monotonic()
        with self._holds_up():
            moments = self._moments.encoded()
            try:
                make_whole = self._write(self._snapshots.folder, moments)
            except Exception as error:
                self._snapshots.give_up(error)
            else:
                self._snapshots.land(make_whole, self._place.position, began)

    def _write(self, folder: CheckpointFolder | NoCheckpoints, moments: dict[str, Any]) -> Land:
        """The files of the present place. What is answered makes them whole."""
        progress = {
            **moments,
            "seconds": self._watch.seconds,
            "best": self._metrics.best,
            "epochs": self._session.epochs,
        }
        before = random_state.capture()
        try:
            return folder.write(self._place.position, self._metrics.last, progress, self._state.save)
        finally:
            random_state.restore(before)  # Saving more often must not change what is trained.

    def check(self) -> None:
        """At a boundary: raise what kept a checkpoint from becoming whole; wait for one that takes very long."""
        self._landing.check()
        if self._landing.is_late:
            self.settle()

    def settle(self, *, goes_on: bool = True) -> None:
        """Wait until the checkpoint that was written last is whole."""
        if self._landing.is_under_way:
            with self._holds_up(), self._phase(goes_on):
                self._landing.settle()
        self._landing.check()

    def wait(self, timeout_seconds: float | None = None) -> None:
        """The same at the end of the process, whatever became of it. On any thread."""
        if self._landing.is_under_way:
            with self._phase(goes_on=False):
                self._landing.wait(timeout_seconds)

    @contextmanager
    def _holds_up(self) -> Iterator[None]:
        self._stands_still.start()
        with self.held_up.counted(), self._watch.paused():
            yield

    @contextmanager
    def _phase(self, goes_on: bool) -> Iterator[None]:
        with self._progress.saving(self._place.epoch, goes_on=self._place.in_epoch and goes_on):
            yield
