"""The application: what a training function talks to."""

from __future__ import annotations

import os
import random
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from epochal import devices, random_state, training_loop
from epochal.averages import Average
from epochal.checkpoints import CheckpointFolder, Position
from epochal.contracts import PROTOCOL
from epochal.control import Control
from epochal.data_report import DataReport
from epochal.errors import SetUpError, StopException
from epochal.listeners import without_worker, worker_link
from epochal.peers import Peers, follow_rank_0
from epochal.progress import SetUpProgress
from epochal.protocol import EventSink
from epochal.ranks import NoCheckpoints, Ranks, SharedControl
from epochal.run_lock import RunLock
from epochal.session import Session, read_session
from epochal.shuffled_batches import ShuffledBatches
from epochal.shutdown import Shutdown
from epochal.trainer import Trainer
from epochal.training import Training
from epochal.ui.background import Background
from epochal.ui.layout import Container
from epochal.ui.pages import begin_pages

Batch = TypeVar("Batch")

_LOCK_WAIT_SECONDS = 30.0


class Application:
    """A training's way to stop, to save, to go on, and to tell how it is.

    There is one in a process. It is used by the main thread; `is_stopped()`, `stop()` and `note()` by any.
    An exception that nobody catches is reported as the training's failure, with its kind and traceback.
    """

    #: Raised at the batch boundary where a training ends because it was told to. Not an `Exception`.
    StopException = StopException

    _current: Application | None = None

    def __init__(
        self,
        trainer: Trainer | None = None,
        *,
        session: Session | None = None,
        peers: Peers | None = None,
        layout: Container | None = None,
    ) -> None:
        """Connect to the worker, take the run folder's lock, and find out where to go on.

        `session` is given by `epochal.main()` for a run by hand, which needs no worker; `peers` are the other
        processes that it started for this training. `layout`: its pages, where no trainer declares them.
        """
        if Application._current is not None:
            raise RuntimeError("there is one Application in a process, and it exists already")
        Application._current = self
        self._in_progress: Training | None = None
        #: The processes that train together: `app.ranks.rank` of `app.ranks.count`.
        self.ranks = Ranks.here()
        self._control = SharedControl(self.ranks) if self.ranks.count > 1 else Control()
        link = worker_link(self._control, lambda: self.has_ended) if session is None and not self.ranks.rank else None
        self._sink: EventSink = link or without_worker(self._control, session, self.ranks)
        self._shutdown = Shutdown(self._control, self._sink, self.ranks, peers)
        if self.ranks.rank:
            follow_rank_0()
        if link:
            link.start()
        self._sink.send(
            {
                "type": "hello",
                "protocol": PROTOCOL,
                "trainer": trainer.name if trainer else Path(sys.argv[0]).stem or "trainer",
                "pid": os.getpid(),
                "versions": devices.versions(trainer.packages if trainer else []),
                "devices": devices.devices(),
            }
        )
        self._set_up = SetUpProgress(self._sink)
        self._session = session or read_session()
        checkpoints = self._open_run_folder()
        best = trainer.best if trainer else None
        self._in_progress = Training(self._session, self._control, self._sink, checkpoints, best, self.ranks)
        self._shutdown.ends(self._in_progress)
        layout = layout or (trainer.layout if trainer else None)
        if layout:
            place, rank = self._place, self.ranks.rank
            pages = begin_pages(self._session.folder, layout, place, self.note, rank, Background())
            if pages:
                self.call_before_shutdown(pages.finish, 60.0)
        self.training.progress.phase("setUp", self.training.epoch)
        #: What the run was configured with, as the trainer's own model (a dictionary without one).
        self.parameters: Any = self._session.parameters
        if trainer:
            self.parameters = trainer.parsed_parameters(self._session.parameters)
        self.seed_everything()

    # What the run is

    @property
    def data(self) -> str | None:
        """The data set: a path, or the name of one that the trainer brings along."""
        return self._session.data

    @property
    def planned_epochs(self) -> int:
        """Epochs of the whole run."""
        return self._session.epochs

    @property
    def extended_from(self) -> int | None:
        """Planned epochs of the training that wrote the checkpoint, if this one has another number of them; else None.

        Whatever depends on the number of epochs, such as a schedule, then has to be made anew instead of loaded.
        """
        return self.training.extended_from

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self._session.seed

    @property
    def epoch_seed(self) -> int:
        """A seed of 32 bits that only the run's seed and the epoch under way decide."""
        return random_state.derived_seed(self.seed, "epoch", self.training.epoch)

    @property
    def batch_divisor(self) -> int:
        """After out-of-memory 2, 4, …: compute each batch in so many parts, and add up their gradients.

        A batch of `app.batches` stays one step of the optimizer, so that numbers of batches mean the same.
        """
        return self._session.batch_divisor

    @property
    def best(self) -> dict[str, Any] | None:
        """`{"metric", "value", "epoch"}` of the best epoch so far by the trainer's own rule."""
        return self.training.best

    def get_synced_data_dir(self) -> str:
        """A folder whose files are published with the run, also when it is stopped or fails."""
        folder = self._session.folder / "artifacts"
        folder.mkdir(exist_ok=True)
        return str(folder)

    # Randomness

    def seed_everything(self) -> None:
        """Seed `random`, and numpy and torch if they are imported by now: call it again after importing them.

        `app.epochs()` does so too when it starts from scratch; on a resume it restores the checkpoint's state.
        """
        random_state.seed_everything(self.seed)

    def permutation(self, count: int) -> list[int]:
        """The numbers 0 … count-1 in an order that only the run's seed and the epoch decide."""
        order = list(range(count))
        random.Random(self.epoch_seed).shuffle(order)
        return order

    def shuffled_batches(self, count: int, batch_size: int) -> Sequence[list[int]]:
        """`permutation(count)` in batches, the last one maybe smaller. A resume skips batches without loading them."""
        return ShuffledBatches(self.permutation(count), batch_size)

    # Training

    def state(
        self,
        *,
        save: Callable[[Path], object],
        load: Callable[[Path], object],
        load_weights: Callable[[Path], object] | None = None,
    ) -> None:
        """Say how to save and load the trainer's state: weights, optimizer, schedule, generators of its own.

        `save(folder)` writes files into an empty folder, and must not change the state. `load(folder)` reads them; it
        is called at the beginning of `app.epochs()`. `load_weights(folder)` reads the weights alone, for a new
        training from another one's checkpoint. Random numbers of `random`, numpy and torch, running averages and the
        position are kept by the SDK.
        """
        self.training.state.add(save, load, load_weights)

    def epochs(self) -> Iterator[int]:
        """The epochs to train, by their 1-based numbers, from where the run is to its last.

        Loads the checkpoint first, if there is one to go on from. Waits before an epoch that is not granted yet.
        Every epoch ends with `app.end_epoch(metrics)`; what follows that within the loop is not part of a checkpoint.
        """
        return training_loop.epochs(self.training)

    def batches(self, loader: Iterable[Batch], total: int | None = None) -> Iterator[Batch]:
        """The batches of `loader` to train in this epoch; those that were trained before an interruption are skipped.

        The body of the loop is one batch, and its end is a boundary: there a checkpoint is written if one is due, and
        a stop ends the training by `StopException`. For an exact resume `loader` gives the same batches in the same
        order whenever the epoch and the shared random generators are the same: `app.shuffled_batches`, anything
        seeded by `app.epoch_seed`, or a shuffle by the shared generators within the epoch. Trained batches of a
        `Sequence` are skipped by their index; of any other iterable by taking them. `total` is the number of batches,
        where `len(loader)` is not. To train fewer, use `itertools.islice`, not `break`.
        """
        return training_loop.batches(self.training, loader, total)

    def validation_batches(self, loader: Iterable[Batch], total: int | None = None) -> Iterator[Batch]:
        """The batches of `loader` to validate with; every one is a boundary where a stop ends the training.

        A training stopped here repeats the validation when it goes on, and no training batch. So between the last
        training batch and here nothing may change the state: step a schedule after validation, before `end_epoch`.
        Within a training batch, this ends early on a stop, and the training batch is finished.
        """
        return training_loop.validation_batches(self.training, loader, total)

    def average(self, name: str) -> Average:
        """A running average that begins anew each epoch, and is kept when an epoch is interrupted."""
        return self.training.moments.averages.get(name)

    def log(self, metrics: Mapping[str, Any]) -> None:
        """Metrics of the batch under way, for those who watch. NaN or infinity ends the training as failed.

        Numbers on a GPU are read about ten times a second, so as not to hold it up.
        """
        self.training.progress.log(metrics)

    def end_epoch(self, metrics: Mapping[str, Any]) -> None:
        """The epoch is complete: keep its metrics, save a checkpoint, report it. NaN or infinity fails the training."""
        self.training.end_epoch(metrics)

    def note(self, message: str) -> None:
        """A line for the people who watch: something was changed or switched off."""
        self._shutdown.note(message)

    def set_up_progress(self, doing: str, done: int, total: int) -> None:
        """Before `app.epochs()`: how far something is that takes long ("Looking at images"). May be called often.

        It is shown where the run is watched. A set-up that tells of its progress is not taken for one that hangs.
        """
        self._set_up.tell(doing, done, total)

    def report_data(self, report: DataReport) -> None:
        """Keep what the run trains on as `data-report.json`, published with it; the receipt has its counts.

        A later one replaces it. Of several processes the first one's counts.
        """
        if self.ranks.rank == 0:
            report.write(self._session.folder)

    def end_early(self, reason: str) -> None:
        """End the training after the epoch under way, by the trainer's own decision: the run completes, with `reason`.

        `app.epochs()` ends after that epoch. Leaving its loop by `break` after `app.end_epoch(metrics)` does the same,
        but a call here is also remembered if what follows the loop is interrupted and done again. Of several processes
        one may call it for all. After a stop was requested, and in the last epoch, it does nothing. `reason` is cut to
        500 characters.
        """
        self.training.early_end.decide(reason)

    def save(self) -> None:
        """Write a checkpoint at the next batch boundary, and go on. `end_epoch` does so by itself."""
        self._control.ask_checkpoint()

    # Stopping

    @property
    def has_ended(self) -> bool:
        """Whether the end of the training was reported."""
        return self._shutdown.has_ended

    def is_stopped(self) -> bool:
        """Whether the training should end at this boundary: a stop was asked for, or the application has ended.

        After a stop at the end of the epoch, false until that epoch is complete.
        """
        if self.has_ended or self._control.stops_at_batch:
            return True
        return self._control.stop_mode == "epoch" and not (self._in_progress and self._in_progress.place.in_epoch)

    def call_before_shutdown(self, function: Callable[[], object], timeout_seconds: float = 30.0) -> None:
        """Call `function` once before the process ends: after a stop, a failure or the planned end.

        The newest is called first, as `atexit` does. Each runs in a thread of its own: one that raises or does not
        end within `timeout_seconds` is noted, and the others run all the same. A killed process calls none.
        """
        self._shutdown.call_before(function, timeout_seconds)

    @contextmanager
    def handle_stop(self, graceful: bool = True) -> Iterator[None]:
        """Ends this block, not the program, when the training is stopped within it.

        graceful=True: the rest of the block is skipped; what follows it runs, until `app.stop()`.
        graceful=False: the application stops as soon as the block is left by a stop, as if `app.stop()` followed.
        Any other exception passes through. A block that is not stopped ends as usual.
        """
        try:
            yield
        except StopException:
            if not graceful:
                self.stop()
            if self._in_progress:
                self._in_progress.progress.phase("finish", max(self._in_progress.position.epoch, 1))

    def stop(self) -> None:
        """End the application.

        On the main thread: the callbacks of `call_before_shutdown` run, the end is reported, and the process ends by
        `SystemExit`, so nothing after this runs. While an exception is on its way (`finally: app.stop()`), that
        exception is reported as the failure: a crash never reads as a stop. A second call only ends the process.
        On any other thread: asks for a stop, which the main thread obeys at its next batch boundary.
        """
        if threading.current_thread() is not threading.main_thread():
            self._control.stop("batch", "app.stop() was called", by_itself=True)
            return
        self._shutdown.leave(sys.exc_info()[1])

    # For frameworks with loops of their own

    @property
    def training(self) -> Training:
        """The training in steps, which `epochs()`, `batches()` and `validation_batches()` take."""
        if self._in_progress is None:
            raise RuntimeError("the application could not be set up")
        return self._in_progress

    def handle_signals(self) -> None:
        """Take SIGTERM and SIGINT as stops again, after a framework took them."""
        self._shutdown.handle_signals()

    def _place(self) -> tuple[int, Position]:
        return self.training.place.epoch, self.training.position

    def _open_run_folder(self) -> CheckpointFolder | NoCheckpoints:
        if self.ranks.rank:
            return NoCheckpoints()
        folder = self._session.folder
        try:
            self._lock = RunLock(folder, _LOCK_WAIT_SECONDS)
            return CheckpointFolder(folder / "checkpoints", self._session.session, self._session.generation)
        except OSError as error:
            raise SetUpError(f"the run folder {folder} cannot be used: {error.strerror or error}") from error
