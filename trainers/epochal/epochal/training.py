"""A training in steps: it can end at any boundary between batches, and resumes from there exactly.

`app.epochs()`, `app.batches()` and `app.validation_batches()` take these steps, and so do the callbacks of a framework
whose loops are its own. Their order, in which square brackets may be missing and stars may repeat:

    get_ready  (begin_epoch  [resumed]  training*  [validation]  end_epoch)*  finish
    training:    [begin_batches]  (begin_batch  end_batch  [validation]  boundary)*  [end_batches]
    validation:  begin_validation  (begin_validation_batch  end_validation_batch)*  end_validation
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn

from epochal import random_state
from epochal.batch_rows import BatchRows, NoBatchRows
from epochal.checkpoints import Checkpoint, CheckpointFolder, Position
from epochal.control import Control
from epochal.early_end import EarlyEnd
from epochal.epoch_metrics import EpochMetrics
from epochal.errors import StopException
from epochal.moments import Moments
from epochal.place import Place
from epochal.progress import Progress
from epochal.protocol import EventSink
from epochal.ranks import NoCheckpoints, Ranks
from epochal.saving import Saving
from epochal.session import Session
from epochal.stopwatch import Stopwatch
from epochal.training_state import TrainingState


class Training:
    """Where a training is, and how it gets on. Used by the main thread alone."""

    def __init__(
        self,
        session: Session,
        control: Control,
        sink: EventSink,
        checkpoints: CheckpointFolder | NoCheckpoints,
        best: tuple[str, Literal["min", "max"]] | None,
        ranks: Ranks,
    ) -> None:
        """Reads the checkpoint to resume from, and cuts the files of metrics back to it."""
        self._session = session
        self._control = control
        self._sink = sink
        self._ranks = ranks
        self.place = Place()
        self._watch = Stopwatch()
        self.moments = Moments(self.place, ranks)
        self._metrics = EpochMetrics(session.folder, best, sink, ranks)
        self.state = TrainingState()
        self.progress = Progress(sink, NoBatchRows() if ranks.rank else BatchRows(session.folder / "batches.jsonl"))
        self.saving = Saving(
            session, checkpoints, self.state, self.place, self.moments, self._metrics, self._watch, self.progress, sink
        )
        last_epoch = session.epochs if session.ends_after is None else min(session.epochs, session.ends_after)
        self.early_end = EarlyEnd(last_epoch, self.place, control, sink, self.saving, ranks)
        self.is_ready = self.was_stopped = False
        #: Whether the process is about to end: nothing that follows is a phase of the training.
        self.is_over = False
        self._has_finished = False  # its epochs
        self._in_batch = False
        self._validates_in_batch = False
        self._validated = 0
        self._from = Checkpoint(Path(session.resume_from)) if session.resume_from else None
        if self._from and session.keep_progress:
            self.place.epochs, self.place.batches = self._from.position
            self._metrics.last = self._from.metrics
            self.saving.knows(self._from)
        self._metrics.cut_back(self.place.epochs)
        self.progress.rows.cut_back(self.position)

    # Where it is

    @property
    def position(self) -> Position:
        """Complete epochs, and complete batches of the one after."""
        return self.place.position

    @property
    def epoch(self) -> int:
        """1-based number of the epoch under way, or of the next one; of the last one after training."""
        return min(self.place.epochs + 1, max(self._session.epochs, 1))

    @property
    def is_finished(self) -> bool:
        """Whether no epoch follows, as planned or by its own decision, and no stop cut off what comes after."""
        if self.was_stopped and not self._control.stops_by_itself:
            return False
        return self.early_end.is_finished

    @property
    def best(self) -> dict[str, Any] | None:
        """See `Application.best`."""
        return self._metrics.best

    @property
    def resume_folder(self) -> Path | None:
        """The checkpoint to resume from with all of its state; None where there is none, or its weights alone count."""
        return self._from.folder if self._from and self._session.keep_progress else None

    @property
    def extended_from(self) -> int | None:
        """See `Application.extended_from`."""
        planned = self._from.progress.get("epochs") if self._from and self._session.keep_progress else None
        return planned if planned != self._session.epochs else None

    # Its epochs

    def get_ready(self) -> None:
        """Load what there is to resume from, and say that training begins; once all of the state is registered."""
        random_state.seed_everything(self._ranks.seed(self._session.seed))
        resumed_from = None
        if self._from and self._session.keep_progress:
            self.state.load(self._from.folder)
            self._metrics.best = self._from.progress["best"]
            self._watch.reset(self._from.progress["seconds"])
            self.moments.resume(self._from.progress)
            resumed_from = {"epoch": self.place.epochs, "batch": self.place.batches}
        elif self._from:
            self.state.load_weights(self._from.folder)
        self.moments.get_ready()
        self.is_ready = True
        self.saving.begin()
        self._sink.send({"type": "ready", "resumedFrom": resumed_from})

    def begin_epoch(self) -> bool:
        """Wait for the grant of the next epoch, and begin it; False where none follows. Ends by a stop."""
        if self.place.in_epoch:
            raise RuntimeError(f"epoch {self.place.epochs + 1} is over, but app.end_epoch(metrics) was not called")
        self.moments.begin_epochs()
        if not (self.early_end.agree() and self._may_train(self.place.epochs + 1)):
            self._follow_epochs()
            return False
        self.place.in_epoch, self._in_batch = True, False
        self.moments.begin_epoch()
        self.progress.phase("train", self.place.epochs + 1)
        self._watch.start()
        return True

    def resumed(self) -> None:
        """A framework has passed all batches that the checkpoint has: the training resumes from here."""
        self.moments.pass_batches(self.moments.to_skip)

    def end_epoch(self, metrics: Mapping[str, Any]) -> None:
        """The epoch is complete; what is saved now is what the next one begins with. See `Application.end_epoch`."""
        self._need_epoch("app.end_epoch")
        self.moments.require_passed()
        self._watch.pause()
        self.progress.catch_up()
        self.saving.settle(goes_on=False)
        row = self._metrics.append(self.place, metrics, self._watch, self.saving.held_up)
        self.place.epochs += 1
        self.place.batches = 0
        self.place.in_epoch = self._in_batch = False
        self.moments.end_epoch()
        self._watch.reset()
        self._control.checkpoint_asked = False
        is_last = self.early_end.is_decided  # the next epoch may decide before this one's checkpoint is whole
        self.saving.save(then=lambda: self._tell_epoch(row, is_last=is_last))

    def leave_epochs(self) -> None:
        """No further epoch is asked for: by an error, or the trainer's own decision."""
        self.early_end.leave()
        self.saving.wait()  # What follows may read the checkpoint.
        if not self.is_over:
            self.progress.phase("finish", max(self.place.epochs, 1))

    def finish(self) -> None:
        """A framework asks for no further epoch: the end as planned, or an early one."""
        if self._has_finished:
            return
        if self.early_end.goes_on:
            self.leave_epochs()
        else:
            self.begin_epoch()

    def conclude(self) -> Exception | None:
        """The process ends in good order; returns what is wrong with that, if anything is."""
        return self.early_end.conclude(was_stopped=self.was_stopped) if self.is_ready else None

    # Its batches

    def begin_batches(self, total: int | None) -> int | None:
        """A loop over `total` batches begins, a boundary; answers how many the epoch has with those before it."""
        self._need_epoch("app.batches")
        self.progress.catch_up()
        self._control.agree()
        self.leave_if_stopped()
        passed = self.place.batches - self.moments.to_skip  # 0, or what other loops of this epoch have trained
        total = None if total is None else total + passed
        self.moments.train()
        self.progress.phase("train", self.place.epochs + 1, total)
        return total

    def begin_batch(self) -> None:
        """A training batch begins."""
        self._control.batches_begun += 1
        self._in_batch = True
        self.moments.train()

    def end_batch(self, total: int | None, *, validates: bool = False) -> None:
        """A training batch is done, of `total` in the epoch, and a validation follows or not."""
        self.progress.phase("train", self.place.epochs + 1, total)
        self._count_batch(total)
        self.progress.batch(self.place.batches)
        if validates:
            self.end_batches()

    def break_off(self, total: int | None) -> None:
        """The loop over batches was left within a batch: by `break`, or by an error that ends the training."""
        self._count_batch(total)
        self.progress.put_off(self.place.batches)

    def boundary(self) -> None:
        """Between training batches: save or stop, as was asked."""
        self.saving.check()
        snapshot_due = self._control.agree_on_snapshot(self.saving.is_snapshot_due)
        every = self._session.every_batches
        if self._control.stops_at_batch:
            self.progress.flush(self.place.batches)
            self.leave_if_stopped()
        if self._control.checkpoint_asked or (every and self.place.batches % every == 0):
            self._save_here()
        elif snapshot_due:
            self.saving.snapshot()

    def end_batches(self) -> None:
        """No training batch follows for now."""
        self.moments.has_trained()
        self.progress.flush(self.place.batches)

    def leave_if_stopped(self) -> None:
        """At a boundary: if this is the end, save and leave."""
        if self._control.stops_at_batch:
            self._save_here(leaves=True)
            self._leave()

    # Its validation

    def begin_validation(self, total: int | None) -> None:
        """A validation begins; also the one that an interrupted training has to repeat. A boundary between batches."""
        self._validates_in_batch = self._in_batch
        self.progress.catch_up()
        if not (self._in_batch or self.moments.to_skip or self.moments.is_trained):
            self.end_batches()
        self.progress.phase("validate", self.epoch, total)
        self._validated = 0
        self._watch.validation.begin()
        self._obey_in_validation()

    def begin_validation_batch(self) -> bool:
        """A batch of it begins; False: the training batch around it is to end first, since its end is a boundary."""
        if self._validates_in_batch and self._control.stops_at_batch:
            return False
        self._control.batches_begun += 1
        return True

    def end_validation_batch(self) -> None:
        """A batch of it is done. A boundary, unless a training batch is around it."""
        self._validated += 1
        self.progress.batch(self._validated)
        self._obey_in_validation()

    def end_validation(self, *, training_goes_on: bool = False) -> None:
        """It is over, and further batches of the epoch follow or not."""
        self.progress.flush(self._validated)
        self._watch.validation.end()
        if training_goes_on:
            self.moments.train()
        if training_goes_on or self._validates_in_batch:
            self.progress.phase("train", self.epoch)

    def _obey_in_validation(self) -> None:
        """Between batches of validation: save or end, with the training where its last batch left it."""
        if self._validates_in_batch:
            return
        self.saving.check()
        self._control.agree()
        if self._control.stops_at_batch:
            self.progress.flush(self._validated)
        if self.place.batches or not self.place.in_epoch:
            self.leave_if_stopped()
            if self._control.checkpoint_asked:
                self._save_here()
        elif self._control.stops_at_batch:
            self._leave()  # Whatever this epoch trained was not in batches: no boundary to save at.

    # Its parts

    def _may_train(self, epoch: int) -> bool:
        """Wait until `epoch` is granted; False if no epoch follows. A stop in the meantime is the end."""
        control = self._control
        while True:
            control.agree()
            self.saving.check()
            if control.stop_mode:
                self._save_here(leaves=True)
                self._leave()
            if control.checkpoint_asked:
                self._save_here()
            if control.no_more_epochs:
                return False
            if epoch <= control.granted_through:
                return True
            control.wait()

    def _follow_epochs(self) -> None:
        """No epoch follows; what does is done whole, or not at all."""
        if self.early_end.goes_on:
            self.leave_if_stopped()
        self.saving.settle()
        if self.saving.has_any:
            self.early_end.tell()
        self._has_finished = True
        self.progress.phase("finish", max(self.place.epochs, 1))

    def _count_batch(self, total: int | None) -> None:
        self._in_batch = False
        self.place.batches += 1
        if self.place.batches == total:
            self.moments.has_trained()

    def _leave(self) -> NoReturn:
        self.saving.settle(goes_on=False)
        self.was_stopped = True
        raise StopException

    def _save_here(self, *, leaves: bool = False) -> None:
        """Save, unless a checkpoint of this position is there already; all processes do, or none."""
        self._control.checkpoint_asked = False
        self.saving.settle(goes_on=not leaves)
        (is_there,) = self._ranks.maximum([int(self.saving.has_this_place())])
        if not is_there:
            self.saving.save(goes_on=not leaves)

    def _tell_epoch(self, row: dict[str, Any], *, is_last: bool) -> None:
        """Its checkpoint is whole. On the thread that made it so."""
        self._sink.send({"type": "epoch", **row})
        if is_last:
            self.early_end.tell()

    def _need_epoch(self, what: str) -> None:
        if not self.place.in_epoch:
            raise RuntimeError(f"{what}(...) belongs in an epoch: for epoch in app.epochs(): ...")
