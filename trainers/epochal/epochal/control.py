"""What the trainer has been told so far: grants, stops, and who said so. Written by other threads and signals."""

from __future__ import annotations

import threading
from typing import Literal

from epochal.protocol import Event

StopMode = Literal["batch", "epoch"]


class Control:
    """Commands that arrived, as plain attributes: reading them costs a batch nothing."""

    def __init__(self, granted_through: int = 0) -> None:
        self._changed = threading.Condition()  # reentrant: a signal handler may interrupt its holder
        self.granted_through = granted_through
        self.stop_mode: StopMode | None = None
        #: Why, for the log.
        self.stop_reason = ""
        #: Whether the trainer itself asked first.
        self.stops_by_itself = False
        self.checkpoint_asked = False
        #: Whether a snapshot is due at this boundary.
        self._snapshot_due = False
        self.no_more_epochs = False
        #: Whether it ends because no worker came.
        self.is_unattended = False
        #: Training and validation batches begun so far, counted by the training loop.
        self.batches_begun = 0
        self._begun_at_stop: int | None = None

    @property
    def stops_at_batch(self) -> bool:
        """Whether the next batch boundary is the end."""
        return self.stop_mode == "batch"

    @property
    def batches_after_stop(self) -> int:
        """Batches begun after it was known that the next batch boundary is the end."""
        return 0 if self._begun_at_stop is None else self.batches_begun - self._begun_at_stop

    def obey(self, command: Event) -> bool:
        """Take note of a command of the worker; answers whether it is in the protocol."""
        kind = command["type"]
        if kind == "grant" and isinstance(command["through"], int):
            self.grant(command["through"])
        elif kind == "stop" and command["mode"] in ("batch", "epoch"):
            self.stop(command["mode"], "the worker asked for it")
        elif kind == "checkpoint":
            self.ask_checkpoint()
        elif kind == "shutdown":
            self.end_epochs()
        else:
            return False
        return True

    def stop(self, mode: StopMode, reason: str, *, by_itself: bool = False) -> None:
        """Ask for the end. A second stop may bring it nearer (`epoch`, then `batch`), and never takes it back."""
        with self._changed:
            if self.stop_mode is None:
                self.stop_reason = reason
                self.stops_by_itself = by_itself
            if self.stop_mode != "batch":
                self.stop_mode = mode
                if mode == "batch":
                    self._begun_at_stop = self.batches_begun
            self._changed.notify_all()

    def leave_unattended(self) -> None:
        """No worker came in time: the next batch boundary is the end."""
        self.is_unattended = True
        self.stop("batch", "the worker is lost")

    def grant(self, through: int) -> None:
        """Epochs through `through` may be trained. A grant is never taken back."""
        with self._changed:
            self.granted_through = max(self.granted_through, through)
            self._changed.notify_all()

    def ask_checkpoint(self) -> None:
        """Save at the next batch boundary."""
        with self._changed:
            self.checkpoint_asked = True
            self._changed.notify_all()

    def end_epochs(self) -> None:
        """No epoch follows the one under way."""
        with self._changed:
            self.no_more_epochs = True
            self._changed.notify_all()

    def agree(self) -> None:
        """Under several processes: take over what all of them have been told by now. One alone knows it."""

    def agree_on_snapshot(self, is_due: bool) -> bool:
        """The same, and whether a snapshot is due at this boundary: of several processes the one that saves says so."""
        self._snapshot_due = is_due
        self.agree()
        return self._snapshot_due

    def wait(self) -> None:
        """Until something changes; at most a second, because a signal cannot always wake a waiting thread."""
        with self._changed:
            self._changed.wait(1.0)
