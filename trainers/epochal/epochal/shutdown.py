"""How the process of a training ends: whatever leads there is reported once, after all that has to be done before."""

from __future__ import annotations

import atexit
import faulthandler
import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, NoReturn

from epochal.before_shutdown import BeforeShutdown
from epochal.channel import log
from epochal.control import Control
from epochal.errors import StopException, failure_kind, failure_message, failure_traceback, shortened
from epochal.peers import Peers, is_of_another, tell_failure
from epochal.protocol import Event, EventSink
from epochal.ranks import Ranks
from epochal.training import Training

#: A process that is about to end because another one died waits so long for the checkpoint that is landing.
_LANDING_WAIT_SECONDS = 60.0


class Shutdown:
    """Signals, uncaught exceptions, `sys.exit`, the end of the script, and forks: what each means for the training."""

    def __init__(self, control: Control, sink: EventSink, ranks: Ranks, peers: Peers | None) -> None:
        """Takes hold of the process."""
        self._control = control
        self._sink = sink
        self._ranks = ranks
        self._peers = peers
        self._training: Training | None = None
        self._pid = os.getpid()
        self._before = BeforeShutdown()
        self._ending = threading.Lock()
        self._exit_code = 0
        self._asked_exit: SystemExit | None = None
        #: Whether the end was reported.
        self.has_ended = False
        if peers:
            peers.watch(self._on_death_of_peer)
        self.handle_signals()
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

    def ends(self, training: Training) -> None:
        """From now on an end is that of `training`."""
        self._training = training

    def call_before(self, function: Any, timeout_seconds: float) -> None:
        """See `Application.call_before_shutdown`."""
        self._before.add(function, timeout_seconds)

    def note(self, message: str) -> None:
        """See `Application.note`."""
        self._sink.send({"type": "note", "message": shortened(message, 4000)})

    def leave(self, error: BaseException | None) -> NoReturn:
        """End the process, with `error` as the reason unless it is none."""
        self._end(error)
        raise SystemExit(self._exit_code)

    # What leads to an end

    def handle_signals(self) -> None:
        """SIGTERM and SIGINT are stops, also after a framework had handlers of its own."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

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
        self.leave(error)

    def _remember_exit_code(self) -> None:
        """Of `sys.exit(code)` on the main thread: to `_at_exit` Python does not say why the process ends."""
        leave = sys.exit

        def remembering(status: Any = None, /) -> NoReturn:
            if threading.current_thread() is threading.main_thread():
                self._asked_exit = SystemExit(status)
            leave(status)

        sys.exit = remembering

    def _at_exit(self) -> None:
        """Whoever forgot `app.stop()`, or replaced the exception hook: Python remembers what it died of."""
        self._end(getattr(sys, "last_value", None) or self._asked_exit)

    def _leave_in_child(self) -> None:
        """A forked child is no trainer: signals end it, and its end is not the training's."""
        self.has_ended = True
        self._before = BeforeShutdown()
        atexit.unregister(self._at_exit)
        sys.excepthook = self._print_exception
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def _on_death_of_peer(self, event: Event) -> None:
        """Another process is dead, and this one may wait for it for ever. Runs on a thread of its own."""
        if self._training:
            self._training.saving.wait(_LANDING_WAIT_SECONDS)
        if self._ending.acquire(blocking=False):
            self._sink.send(event)
            if self._peers:
                self._peers.kill()
            os._exit(1)

    # The end

    def _end(self, error: BaseException | None) -> None:
        """Run the callbacks and report the end; once."""
        if not self._ending.acquire(blocking=False):
            return
        error = self._with_landing(error)
        if self._training is not None:
            self._training.is_over = True
        if self._training is not None and _is_orderly(error):
            trouble = self._training.conclude()
            if trouble is not None:
                log(str(trouble))
                error = trouble
        failed = error is not None and not isinstance(error, (StopException, SystemExit))
        if failed and error is not None:
            self._exit_code = 130 if isinstance(error, KeyboardInterrupt) else 1
            self._report_failure(error)
        self._control.stop("batch", "the application ends")
        for trouble in self._before.run():
            log(trouble)
            self.note(trouble)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass
        if self._peers:
            self._peers.kill() if failed else self._peers.end()
        if not failed and self._training is not None:
            position = self._training.position
            self._sink.send(
                {
                    "type": "stopped",
                    "epoch": position.epoch,
                    "batch": position.batch,
                    "batchesAfterStop": self._control.batches_after_stop,
                    "finished": self._training.is_finished,
                }
            )
        self.has_ended = True

    def _with_landing(self, error: BaseException | None) -> BaseException | None:
        """Wait for the last checkpoint; what the training failed with, or else what its checkpoint did."""
        if self._training is None or isinstance(error, KeyboardInterrupt):
            return error
        try:
            self._training.saving.wait()
        except KeyboardInterrupt as interrupt:
            return interrupt
        of_landing = self._training.saving.error
        if of_landing is None or error is None or isinstance(error, (StopException, SystemExit)):
            return of_landing or error
        if error is not of_landing:
            trouble = f"its last checkpoint is lost, too: {failure_message(of_landing)}"
            log(trouble)
            self.note(trouble)
        return error

    def _report_failure(self, error: BaseException) -> None:
        event = {
            "type": "failed",
            "kind": failure_kind(error, is_ready=self._training is not None and self._training.is_ready),
            "message": failure_message(error),
            "traceback": failure_traceback(error),
        }
        if self._ranks.count > 1 and is_of_another(error):
            event = (self._peers and self._peers.first_failure()) or event
        elif self._ranks.rank:
            tell_failure(self._ranks.rank, event)
        self._sink.send(event)


def _is_orderly(error: BaseException | None) -> bool:
    return error is None or isinstance(error, StopException) or (isinstance(error, SystemExit) and not error.code)
