"""Epochs and batches that can end at any boundary and go on from there exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from epochal.averages import Averages
from epochal.channel import Event, EventSink
from epochal.checkpoints import Checkpoint, CheckpointFolder, Position, now
from epochal.control import Control
from epochal.errors import DataError, StopException, shortened
from epochal.landing import Landing
from epochal.metrics_file import MetricsFile
from epochal.moment import Moment
from epochal.progress import MetricNames, Progress, finite
from epochal.random_state import restore, seed_everything
from epochal.ranks import NoCheckpoints, NoMetricsFile, Ranks
from epochal.session import Session
from epochal.stopwatch import Stopwatch
from epochal.training_state import TrainingState

Batch = TypeVar("Batch")


class TrainingLoop:
    """Where a training is, and how it gets on. Used by the main thread alone."""

    def __init__(
        self,
        session: Session,
        control: Control,
        sink: EventSink,
        checkpoints: CheckpointFolder | NoCheckpoints,
        best: tuple[str, Literal["min", "max"]] | None,
        ranks: Ranks | None = None,
    ) -> None:
        """Reads the checkpoint to go on from, and cuts `metrics.jsonl` back to it."""
        self._session = session
        self._control = control
        self._sink = sink
        self._checkpoints = checkpoints
        self._best_rule = best
        self._ranks = ranks or Ranks()
        self._metrics_file = _metrics_file(self._ranks, session.folder)
        self.state = TrainingState()
        self.averages = Averages()
        self.progress = Progress(sink)
        self._names = MetricNames(sink, always=best[0] if best else None)
        self.best: dict[str, Any] | None = None
        self.is_ready = False
        self.was_stopped = False
        #: Whether the process is about to end: nothing that follows is a phase of the training.
        self.is_over = False
        #: Epochs after which none follows.
        self._last_epoch = session.epochs if session.ends_after is None else min(session.epochs, session.ends_after)
        self._early_reason: str | None = None  # the trainer's own, for training no further
        self._early_told = False
        self._left_early = False  # out of the loop over epochs, when nobody had asked for an end
        self._watch = Stopwatch()
        self._landing = Landing()
        self._metrics: dict[str, float] = {}
        self._complete = 0
        self._batch = 0
        self._in_epoch = False
        self._in_batch = False
        self._skip = 0  # batches of the resumed epoch that are trained already and not passed yet
        self._resumed: Moment | None = None  # state at the resume position, until it is reached
        self._epoch_began: Moment | None = None
        self._trained: Moment | None = None  # state after the last training batch, which validation must not change
        self._from = Checkpoint(Path(session.resume_from)) if session.resume_from else None
        if self._from and session.keep_progress:
            self._complete, self._batch = self._from.position
            self._metrics = self._from.metrics
            checkpoints.knows(self._from)
        self._metrics_file.cut_back(self._complete)

    @property
    def is_finished(self) -> bool:
        """Whether no epoch follows, as planned or by its own decision, and no stop cut off what comes after."""
        if self.was_stopped and not self._control.stops_by_itself:
            return False
        return self._complete >= self._last_epoch or self._early_told

    @property
    def position(self) -> Position:
        """Complete epochs, and complete batches of the one after."""
        return Position(self._complete, self._batch)

    @property
    def epoch(self) -> int:
        """1-based number of the epoch under way, or of the next one; of the last one after training."""
        return min(self._complete + 1, max(self._session.epochs, 1))

    @property
    def extended_from(self) -> int | None:
        """See `Application.extended_from`."""
        planned = self._from.progress.get("epochs") if self._from and self._session.keep_progress else None
        return planned if planned != self._session.epochs else None

    @property
    def in_epoch(self) -> bool:
        """Whether an epoch is under way."""
        return self._in_epoch

    def log(self, metrics: Mapping[str, Any]) -> None:
        """See `Application.log`."""
        self.progress.log(metrics)

    def epochs(self) -> Iterator[int]:
        """See `Application.epochs`."""
        if not self.is_ready:
            self._get_ready()
        while self._wants_more() and self._may_train(self._complete + 1):
            self._begin_epoch()
            try:
                yield self._complete + 1
            except GeneratorExit:
                # Left by `break`, or by an error: which one shows in how the application ends.
                self._left_early = self._control.stop_mode is None and not self._control.no_more_epochs
                self._landing.wait()  # What follows may read the checkpoint.
                if not self.is_over:
                    self.progress.phase("finish", max(self._complete, 1))
                raise
            if self._in_epoch:
                raise RuntimeError(f"epoch {self._complete + 1} is over, but app.end_epoch(metrics) was not called")
        if self.goes_on and self._control.stops_at_batch:
            self._leave()
        self._settle()
        if self._early_reason is not None and not self._early_told and self._checkpoints.has_any:
            self._tell_early_end()
        # Once all is trained there is nothing left to stop: what follows is done whole, or not at all.
        self.progress.phase("finish", max(self._complete, 1))

    def end_early(self, reason: str) -> None:
        """See `Application.end_early`."""
        asked = self._control.stop_mode is not None or self._control.no_more_epochs
        epochs_remain = self._complete + (1 if self._in_epoch else 0) < self._last_epoch
        if epochs_remain and not asked and self._early_reason is None:
            self._early_reason = shortened(reason, 500) or "for no reason that was given"

    def conclude(self) -> Exception | None:
        """The process ends in good order: tells whether that is the trainer's own decision, before the last epoch.

        Returns what is wrong with the end where there is no checkpoint.
        """
        asked = self._control.stop_mode is not None and not self._control.stops_by_itself
        by_itself = self._left_early or not (asked or self._control.no_more_epochs)
        ends_early = self._complete < self._last_epoch and by_itself and not self._early_told
        if not self.is_ready or not ends_early or (self.was_stopped and not self._control.stops_by_itself):
            return None
        if not self._checkpoints.has_any:
            return RuntimeError("the trainer ended before its first checkpoint, and nobody had asked it to")
        stop = self._control.stop_reason if self._control.stops_by_itself else None
        self._early_reason = self._early_reason or stop or f"no epoch followed epoch {self._complete}"
        self._tell_early_end()
        return None

    @property
    def goes_on(self) -> bool:
        """Whether another epoch follows the complete ones, as far as this process has decided."""
        return self._complete < self._last_epoch and self._early_reason is None

    def _wants_more(self) -> bool:
        """`goes_on`, agreed on by all processes: one that ends early ends them all."""
        if self._ranks.count > 1:
            reasons = self._ranks.gather(self._early_reason)
            self._early_reason = next((reason for reason in reasons if reason is not None), None)
        return self.goes_on

    def _tell_early_end(self) -> None:
        self._early_told = True
        self._sink.send({"type": "endedEarly", "epoch": self._complete, "reason": self._early_reason})

    def batches(self, loader: Iterable[Batch], total: int | None) -> Iterator[Batch]:
        """See `Application.batches`."""
        self._need_epoch("app.batches")
        self.progress.catch_up()
        self._control.agree()
        self._end_if_stopped()
        passed = self._batch - self._skip  # 0, or what other loops of this epoch have trained
        total = _length(loader) if total is None else total
        total = None if total is None else total + passed
        self._trained = None
        self.progress.phase("train", self._complete + 1, total)
        # A stop is looked for before the loader is asked, not after: asking may draw random numbers already.
        for batch in self._after_trained(loader):
            self._control.batches_begun += 1
            self._in_batch, self._trained = True, None
            try:
                yield batch
            except GeneratorExit:
                # Left by `break`, or by an error in the batch: which one shows in whether the training goes on.
                self._count_batch(total)
                self.progress.put_off(self._batch)
                raise
            self._batch_is_done(total)
            self._check_landing()
            self._control.agree()
            if self._control.stop_mode or self._control.checkpoint_asked or self._session.every_batches:
                self._at_boundary()
        if not self._skip:
            self._trained = self._trained or Moment.capture(self.averages)
            self.progress.flush(self._batch)

    def validation_batches(self, loader: Iterable[Batch], total: int | None) -> Iterator[Batch]:
        """See `Application.validation_batches`."""
        within_batch = self._in_batch
        self.progress.catch_up()
        self.progress.phase("validate", self.epoch, _length(loader) if total is None else total)
        done = 0
        for batch in loader:
            if not within_batch:
                self._obey_in_validation()
            elif self._control.stops_at_batch:
                break  # The training batch around this is finished first: its end is a boundary, this is none.
            self._control.batches_begun += 1
            yield batch
            done += 1
            self.progress.batch(done)
        self.progress.flush(done)
        if within_batch:
            self.progress.phase("train", self._complete + 1)
        else:
            self._obey_in_validation()

    def end_epoch(self, metrics: Mapping[str, Any]) -> None:
        """See `Application.end_epoch`."""
        self._need_epoch("app.end_epoch")
        if self._skip:
            raise self._loader_too_short()
        self._watch.pause()
        self.progress.catch_up()
        self._settle(goes_on=False)
        numbers = self._names.reported(finite(metrics))
        row = {
            "epoch": self._complete + 1,
            "batches": self._batch,
            "seconds": self._watch.seconds,
            "metrics": numbers,
            "at": now(),
        }
        self._metrics_file.append(row)
        self._complete += 1
        self._batch = 0
        self._in_epoch = self._in_batch = False
        self._epoch_began = self._trained = None
        self._watch.reset()
        self._metrics = numbers
        self._note_best(numbers)
        self._save({"type": "epoch", **row})

    def wait_for_landing(self, timeout_seconds: float | None = None) -> BaseException | None:
        """Wait for the last checkpoint, whatever the training ends with; answers what it failed with. On any thread."""
        if self._landing.is_under_way:
            with self._saving(goes_on=False):
                self._landing.wait(timeout_seconds)
        return self._landing.error

    def _get_ready(self) -> None:
        """Load what there is to go on from, and say so."""
        seed_everything(self._ranks.seed(self._session.seed))
        resumed_from = None
        if self._from and self._session.keep_progress:
            progress = self._ranks.own_moments(self._from.progress)
            self.state.load(self._from.folder)
            self.best = progress["best"]
            self._watch.reset(progress["seconds"])
            self._resumed = Moment.decode(progress["moment"])
            if self._batch:
                self._skip = self._batch
                self._epoch_began = Moment.decode(progress["epochBegan"])
                restore(self._epoch_began.random)
            else:
                self._reach_resumed()
            resumed_from = {"epoch": self._complete, "batch": self._batch}
        elif self._from:
            self.state.load_weights(self._from.folder)
        self.is_ready = True
        self._sink.send({"type": "ready", "resumedFrom": resumed_from})

    def _may_train(self, epoch: int) -> bool:
        """Wait until `epoch` is granted; False if no epoch follows. A stop in the meantime is the end."""
        control = self._control
        while True:
            control.agree()
            self._check_landing()
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

    def _begin_epoch(self) -> None:
        self._in_epoch = True
        self._in_batch = False
        self._trained = None
        if not self._skip:
            self.averages.restore({})
            self._epoch_began = Moment.capture(self.averages)
        self.progress.phase("train", self._complete + 1)
        self._watch.start()

    def _after_trained(self, loader: Iterable[Batch]) -> Iterable[Batch]:
        """The batches of `loader` after those that the checkpoint has."""
        if not self._skip:
            return loader
        if hasattr(loader, "starting_at"):
            passed = min(self._skip, len(loader))  # type: ignore[arg-type]
            rest: Iterable[Batch] = _later(loader.starting_at, passed)
        elif isinstance(loader, Sequence):
            passed = min(self._skip, len(loader))
            rest = (loader[index] for index in range(passed, len(loader)))
        else:
            rest = iter(loader)
            passed = 0
            for _ in islice(rest, self._skip):
                passed += 1
                self._end_if_stopped()
        self._skip -= passed
        if self._skip:
            return ()
        self._reach_resumed()
        return rest

    def _reach_resumed(self) -> None:
        """The training is where its checkpoint was written: random numbers and averages go on from there."""
        if self._resumed:
            self._resumed.restore(self.averages)
            self._resumed = None

    def _batch_is_done(self, total: int | None) -> None:
        self._count_batch(total)
        self.progress.batch(self._batch)

    def _count_batch(self, total: int | None) -> None:
        self._in_batch = False
        self._batch += 1
        if self._batch == total:
            self._trained = Moment.capture(self.averages)

    def _at_boundary(self) -> None:
        """A training batch is complete: save or end, as was asked."""
        every = self._session.every_batches
        if self._control.stops_at_batch:
            self.progress.flush(self._batch)
            self._end_if_stopped()
        if self._control.checkpoint_asked or (every and self._batch % every == 0):
            self._save_here()

    def _obey_in_validation(self) -> None:
        """Between batches of validation: save or end, with the training where its last batch left it."""
        self._check_landing()
        self._control.agree()
        if self._batch or not self._in_epoch:
            self._end_if_stopped()
            if self._control.checkpoint_asked:
                self._save_here()
        elif self._control.stops_at_batch:
            self._leave()  # Whatever this epoch trained was not in batches: no boundary to save at.

    def _end_if_stopped(self) -> None:
        """At a boundary: if this is the end, save and leave."""
        if self._control.stops_at_batch:
            self._save_here(leaves=True)
            self._leave()

    def _leave(self) -> NoReturn:
        self._settle(goes_on=False)
        self.was_stopped = True
        raise StopException

    def _save_here(self, *, leaves: bool = False) -> None:
        """Save, unless a checkpoint of this position is there already."""
        self._control.checkpoint_asked = False
        self._settle(goes_on=not leaves)
        (is_there,) = self._ranks.maximum([int(self._checkpoints.has(self.position))])
        if not is_there:
            self._save(leaves=leaves)

    def _check_landing(self) -> None:
        """At a boundary: a checkpoint that could not land ends the training; one that takes very long is waited for."""
        self._landing.check()
        if self._landing.is_late:
            self._settle()

    def _settle(self, *, goes_on: bool = True) -> None:
        """Wait until the checkpoint that was saved last is whole."""
        if self._landing.is_under_way:
            trained_until_now = self._watch.is_running
            self._watch.pause()
            with self._saving(goes_on=goes_on):
                self._landing.settle()
            if trained_until_now:
                self._watch.start()
        self._landing.check()

    def _saving(self, *, goes_on: bool = True) -> AbstractContextManager[None]:
        epoch = self._complete + 1 if self._in_epoch else max(self._complete, 1)
        return self.progress.saving(epoch, goes_on=self._in_epoch and goes_on)

    def _save(self, report: Event | None = None, *, leaves: bool = False) -> None:
        """Write the checkpoint's files, with the one before settled. It lands while the training goes on.

        `report` is sent once it has landed.
        """
        self._control.checkpoint_asked = False
        was_in_epoch = self._in_epoch
        self._watch.pause()
        at = self._moment()
        progress = {
            "moment": at.encode(),
            "epochBegan": self._epoch_began.encode() if self._batch and self._epoch_began else None,
            "seconds": self._watch.seconds,
            "best": self.best,
            "epochs": self._session.epochs,
        }
        if self._ranks.count > 1:
            progress["ranks"] = self._ranks.gather({name: progress[name] for name in ("moment", "epochBegan")})
        before = Moment.capture(self.averages)
        with self._saving(goes_on=not leaves):
            land = self._checkpoints.write(self.position, self._metrics, progress, self.state.save)
            self._landing.start(lambda: self._tell_landed(land(), report))
        restore(before.random)  # Saving more often must not change what is trained.
        if was_in_epoch:
            self._watch.start()

    def _tell_landed(self, manifest: dict[str, Any], report: Event | None) -> None:
        """On the thread that landed it."""
        self._sink.send({"type": "checkpoint", "checkpoint": manifest})
        if report:
            self._sink.send(report)
            if self._early_reason is not None:
                self._tell_early_end()  # whatever becomes of what follows, no epoch does

    def _moment(self) -> Moment:
        """State of the SDK at the position, which may be before the present: validation, or skipped batches."""
        if self._skip and self._resumed:
            return self._resumed
        if self._in_epoch and not self._batch and self._epoch_began:
            return self._epoch_began
        return self._trained or Moment.capture(self.averages)

    def _note_best(self, metrics: dict[str, float]) -> None:
        if self._best_rule and self._best_rule[0] in metrics:
            name, mode = self._best_rule
            value = metrics[name]
            old = self.best["value"] if self.best else None
            if old is None or (value < old if mode == "min" else value > old):
                self.best = {"metric": name, "value": value, "epoch": self._complete}

    def _need_epoch(self, what: str) -> None:
        if not self._in_epoch:
            raise RuntimeError(f"{what}(...) belongs in an epoch: for epoch in app.epochs(): ...")

    def _loader_too_short(self) -> DataError:
        return DataError(
            f"the checkpoint is {self._batch} batches into epoch {self._complete + 1}, "
            f"but the data now give {self._batch - self._skip} batches"
        )


def _metrics_file(ranks: Ranks, folder: Path) -> MetricsFile | NoMetricsFile:
    return NoMetricsFile() if ranks.rank else MetricsFile(folder / "metrics.jsonl")


def _later(starting_at: Callable[[int], Iterable[Batch]], first: int) -> Iterator[Batch]:
    """Ask for the batches when the first is wanted: by then the random generators are where they were."""
    yield from starting_at(first)


def _length(loader: Iterable[Any]) -> int | None:
    """Batches in `loader`, where it knows; torch's loaders of iterable data sets have a `len` that raises."""
    try:
        return len(loader)  # type: ignore[arg-type]
    except TypeError:
        return None
