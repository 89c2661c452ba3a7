"""The application: what a training function talks to."""

from __future__ import annotations

import atexit
import faulthandler
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn, TypeVar

from epochal import devices, random_state
from epochal.averages import Average
from epochal.before_shutdown import BeforeShutdown
from epochal.channel import Event, EventSink, log, mend_output
from epochal.checkpoints import CheckpointFolder
from epochal.control import Control
from epochal.data_report import DataReport
from epochal.errors import (
    SetUpError,
    StopException,
    failure_kind,
    failure_message,
    failure_traceback,
    shortened,
)
from epochal.peers import Peers, follow_rank_0, is_of_another, tell_failure
from epochal.ranks import NoCheckpoints, Ranks, SharedControl, Silent
from epochal.run_lock import RunLock
from epochal.session import Session, parsed_parameters, read_session
from epochal.shuffled_batches import ShuffledBatches
from epochal.trainer import PROTOCOL, Trainer
from epochal.training_loop import TrainingLoop
from epochal.worker_link import Address, WorkerLink

Batch = TypeVar("Batch")

_LOCK_WAIT_SECONDS = 30.0
#: A process that is about to end because another one died waits so long for the checkpoint that is landing.
_LANDING_WAIT_SECONDS = 60.0


class Application:
    """A training's way to stop, to save, to go on, and to tell how it is.

    There is one in a process. It is used by the main thread; `is_stopped()`, `stop()` and `note()` by any.
    An exception that nobody catches is reported as the training's failure, with its kind and traceback.
    """

    #: Raised at the batch boundary where a training ends because it was told to. Not an `Exception`.
    StopException = StopException

    _current: Application | None = None

    def __init__(
        self, trainer: Trainer | None = None, *, session: Session | None = None, peers: Peers | None = None
    ) -> None:
        """Connect to the worker, take the run folder's lock, and find out where to go on.

        `session` is given by `Trainer.main()` for a run by hand, which needs no worker; `peers` are the other
        processes that it started for this training.
        """
        if Application._current is not None:
            raise RuntimeError("there is one Application in a process, and it exists already")
        Application._current = self
        self._pid = os.getpid()
        self._before_shutdown = BeforeShutdown()
        self._ending = threading.Lock()
        self._has_ended = False
        self._exit_code = 0
        self._asked_exit: SystemExit | None = None
        self._is_unattended = False
        self._loop: TrainingLoop | None = None
        self._trainer_name = trainer.name if trainer else Path(sys.argv[0]).stem or "trainer"
        #: The processes that train together: `app.ranks.rank` of `app.ranks.count`.
        self.ranks = Ranks.here()
        self._control = SharedControl(self.ranks) if self.ranks.count > 1 else Control()
        self._sink: EventSink = self._connect(session)
        self._peers = peers
        if peers:
            peers.watch(self._on_death_of_peer)
        if self.ranks.rank:
            follow_rank_0()
        self._hook_into_process()
        self._sink.send(
            {
                "type": "hello",
                "protocol": PROTOCOL,
                "trainer": self._trainer_name,
                "pid": self._pid,
                "versions": devices.versions(trainer.packages if trainer else []),
                "devices": devices.devices(),
            }
        )
        self._session = session or read_session()
        checkpoints = self._open_run_folder()
        self._loop = TrainingLoop(
            self._session, self._control, self._sink, checkpoints, trainer.best if trainer else None, self.ranks
        )
        self._loop.progress.phase("setUp", self._loop.epoch)
        #: What the run was configured with, as the trainer's own model (a dictionary without one).
        self.parameters: Any = parsed_parameters(trainer, self._session) if trainer else self._session.parameters
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
        return self._training.extended_from

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self._session.seed

    @property
    def epoch_seed(self) -> int:
        """A seed of 32 bits that only the run's seed and the epoch under way decide."""
        return random_state.derived_seed(self.seed, "epoch", self._training.epoch)

    @property
    def batch_divisor(self) -> int:
        """After out-of-memory 2, 4, …: compute each batch in so many parts, and add up their gradients.

        A batch of `app.batches` stays one step of the optimizer, so that numbers of batches mean the same.
        """
        return self._session.batch_divisor

    @property
    def best(self) -> dict[str, Any] | None:
        """`{"metric", "value", "epoch"}` of the best epoch so far by the trainer's own rule."""
        return self._training.best

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
        self._training.state.add(save, load, load_weights)

    def epochs(self) -> Iterator[int]:
        """The epochs to train, by their 1-based numbers, from where the run is to its last.

        Loads the checkpoint first, if there is one to go on from. Waits before an epoch that is not granted yet.
        Every epoch ends with `app.end_epoch(metrics)`; what follows that within the loop is not part of a checkpoint.
        """
        return self._training.epochs()

    def batches(self, loader: Iterable[Batch], total: int | None = None) -> Iterator[Batch]:
        """The batches of `loader` to train in this epoch; those that were trained before an interruption are skipped.

        The body of the loop is one batch, and its end is a boundary: there a checkpoint is written if one is due, and
        a stop ends the training by `StopException`. For an exact resume `loader` gives the same batches in the same
        order whenever the epoch and the shared random generators are the same: `app.shuffled_batches`, anything
        seeded by `app.epoch_seed`, or a shuffle by the shared generators within the epoch. Trained batches of a
        `Sequence` are skipped by their index; of any other iterable by taking them. `total` is the number of batches,
        where `len(loader)` is not. To train fewer, use `itertools.islice`, not `break`.
        """
        return self._training.batches(loader, total)

    def validation_batches(self, loader: Iterable[Batch], total: int | None = None) -> Iterator[Batch]:
        """The batches of `loader` to validate with; every one is a boundary where a stop ends the training.

        A training stopped here repeats the validation when it goes on, and no training batch. So between the last
        training batch and here nothing may change the state: step a schedule after validation, before `end_epoch`.
        Within a training batch, this ends early on a stop, and the training batch is finished.
        """
        return self._training.validation_batches(loader, total)

    def average(self, name: str) -> Average:
        """A running average that begins anew each epoch, and is kept when an epoch is interrupted."""
        return self._training.averages.get(name)

    def log(self, metrics: Mapping[str, Any]) -> None:
        """Metrics of the batch under way, for those who watch. NaN or infinity ends the training as failed.

        Numbers on a GPU are read about ten times a second, so as not to hold it up.
        """
        self._training.log(metrics)

    def end_epoch(self, metrics: Mapping[str, Any]) -> None:
        """The epoch is complete: keep its metrics, save a checkpoint, report it. NaN or infinity fails the training."""
        self._training.end_epoch(metrics)

    def note(self, message: str) -> None:
        """A line for the people who watch: something was changed or switched off."""
        self._sink.send({"type": "note", "message": shortened(message, 4000)})

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
        self._training.end_early(reason)

    def save(self) -> None:
        """Write a checkpoint at the next batch boundary, and go on. `end_epoch` does so by itself."""
        self._control.ask_checkpoint()

    # Stopping

    @property
    def has_ended(self) -> bool:
        """Whether the end of the training was reported."""
        return self._has_ended

    def is_stopped(self) -> bool:
        """Whether the training should end at this boundary: a stop was asked for, or the application has ended.

        After a stop at the end of the epoch, false until that epoch is complete.
        """
        if self._has_ended or self._control.stops_at_batch:
            return True
        return self._control.stop_mode == "epoch" and not (self._loop and self._loop.in_epoch)

    def call_before_shutdown(self, function: Callable[[], object], timeout_seconds: float = 30.0) -> None:
        """Call `function` once before the process ends: after a stop, a failure or the planned end.

        The newest is called first, as `atexit` does. Each runs in a thread of its own: one that raises or does not
        end within `timeout_seconds` is noted, and the others run all the same. A killed process calls none.
        """
        self._before_shutdown.add(function, timeout_seconds)

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
            if self._loop:
                self._loop.progress.phase("finish", max(self._loop.position.epoch, 1))

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
        self._end(sys.exc_info()[1])
        raise SystemExit(self._exit_code)

    # The process

    @property
    def _training(self) -> TrainingLoop:
        if self._loop is None:
            raise RuntimeError("the application could not be set up")
        return self._loop

    def _connect(self, session: Session | None) -> EventSink:
        if self.ranks.rank:
            return Silent()
        if session is not None:
            from epochal.stand_alone import Terminal

            self._control.grant(session.epochs)
            return Terminal(session)
        address = Address.read()
        try:
            link = WorkerLink(address, self._obey, self._worker_has_left, self._nobody_came)
        except OSError as error:
            raise SetUpError(f"the trainer cannot listen on the socket {address.socket}: {error}") from error
        link.start()
        return link

    def _open_run_folder(self) -> CheckpointFolder | NoCheckpoints:
        if self.ranks.rank:
            return NoCheckpoints()
        folder = self._session.folder
        try:
            self._lock = RunLock(folder, _LOCK_WAIT_SECONDS)
            return CheckpointFolder(folder / "checkpoints", self._session.session)
        except OSError as error:
            raise SetUpError(f"the run folder {folder} cannot be used: {error.strerror or error}") from error

    def _obey(self, command: Event) -> bool:
        """Take note of a command; runs on the thread that reads them."""
        kind = command["type"]
        if kind == "grant" and isinstance(command["through"], int):
            self._control.grant(command["through"])
        elif kind == "stop" and command["mode"] in ("batch", "epoch"):
            self._control.stop(command["mode"], "the worker asked for it")
        elif kind == "checkpoint":
            self._control.ask_checkpoint()
        elif kind == "shutdown":
            self._control.end_epochs()
        else:
            return False
        return True

    def _worker_has_left(self) -> None:
        if not self._has_ended:
            mend_output()
            log("no worker is connected any more: the training goes on, and waits for another one")

    def _nobody_came(self) -> None:
        if not self._has_ended:
            self._is_unattended = True
            self._control.stop("batch", "the worker is lost")
            log("the worker is lost, and no other one came: the training is saved at the next batch boundary, and ends")

    def _hook_into_process(self) -> None:
        """Signals, stack dumps and the last words of the process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            faulthandler.enable(sys.stderr)
            faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
        except (OSError, ValueError, AttributeError):
            pass  # stderr has no file descriptor: there is no log to dump a stack into.
        self._remember_exit_code()
        self._print_exception = sys.excepthook
        sys.excepthook = self._on_exception
        atexit.register(self._at_exit)
        os.register_at_fork(after_in_child=self._leave_in_child)

    def _remember_exit_code(self) -> None:
        """Of `sys.exit(code)` on the main thread: to `_at_exit` Python does not say why the process ends."""
        leave = sys.exit

        def remembering(status: Any = None, /) -> NoReturn:
            if threading.current_thread() is threading.main_thread():
                self._asked_exit = SystemExit(status)
            leave(status)

        sys.exit = remembering

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # a child, hit by the signal before it was a moment old
            self._leave_in_child()
            os.kill(os.getpid(), number)
            return
        if number == signal.SIGINT and self._control.stops_at_batch:
            raise KeyboardInterrupt
        self._control.stop("batch", signal.Signals(number).name)

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> NoReturn:
        if not isinstance(error, StopException):
            self._print_exception(kind, error, traceback)
        self._end(error)
        raise SystemExit(self._exit_code)

    def _at_exit(self) -> None:
        """Whoever forgot `app.stop()`, or replaced the exception hook: Python remembers what it died of."""
        self._end(getattr(sys, "last_value", None) or self._asked_exit)

    def _leave_in_child(self) -> None:
        """A forked child is no trainer: signals end it, and its end is not the training's."""
        self._has_ended = True
        self._before_shutdown = BeforeShutdown()
        atexit.unregister(self._at_exit)
        sys.excepthook = self._print_exception
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def _report_failure(self, error: BaseException) -> None:
        event = {
            "type": "failed",
            "kind": failure_kind(error, is_ready=self._loop is not None and self._loop.is_ready),
            "message": failure_message(error),
            "traceback": failure_traceback(error),
        }
        if self.ranks.count > 1 and is_of_another(error):
            event = (self._peers and self._peers.first_failure()) or event
        elif self.ranks.rank:
            tell_failure(self.ranks.rank, event)
        self._sink.send(event)

    def _on_death_of_peer(self, event: Event) -> None:
        """Another process is dead, and this one may wait for it for ever. Runs on a thread of its own."""
        if self._loop:
            self._loop.wait_for_landing(_LANDING_WAIT_SECONDS)
        if self._ending.acquire(blocking=False):
            self._sink.send(event)
            if self._peers:
                self._peers.kill()
            os._exit(1)

    def _with_landing(self, error: BaseException | None) -> BaseException | None:
        """Wait for the last checkpoint; what the training failed with, or else what its checkpoint did."""
        if self._loop is None or isinstance(error, KeyboardInterrupt):
            return error
        try:
            of_landing = self._loop.wait_for_landing()
        except KeyboardInterrupt as interrupt:
            return interrupt
        if of_landing is None or error is None or isinstance(error, (StopException, SystemExit)):
            return of_landing or error
        if error is not of_landing:
            trouble = f"its last checkpoint is lost, too: {failure_message(of_landing)}"
            log(trouble)
            self.note(trouble)
        return error

    def _end(self, error: BaseException | None) -> None:
        """Run the callbacks and report the end; once."""
        if not self._ending.acquire(blocking=False):
            return
        error = self._with_landing(error)
        if self._loop is not None:
            self._loop.is_over = True
        if self._loop is not None and _is_orderly(error):
            trouble = self._loop.conclude()
            if trouble is not None:
                log(str(trouble))
                error = trouble
        failed = error is not None and not isinstance(error, (StopException, SystemExit))
        if failed and error is not None:
            self._exit_code = 130 if isinstance(error, KeyboardInterrupt) else 1
            self._report_failure(error)
        self._control.stop("batch", "the application ends")
        for trouble in self._before_shutdown.run():
            log(trouble)
            self.note(trouble)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass
        if self._peers:
            self._peers.kill() if failed else self._peers.end()
        if not failed and self._loop is not None:
            position = self._loop.position
            self._sink.send(
                {
                    "type": "stopped",
                    "epoch": position.epoch,
                    "batch": position.batch,
                    "batchesAfterStop": self._control.batches_after_stop,
                    "finished": self._loop.is_finished,
                    **({"unattended": True} if self._is_unattended else {}),
                }
            )
        self._has_ended = True


def _is_orderly(error: BaseException | None) -> bool:
    return error is None or isinstance(error, StopException) or (isinstance(error, SystemExit) and not error.code)
