"""The end that a trainer decides on itself, before the last epoch."""

from __future__ import annotations

from epochal.control import Control
from epochal.errors import shortened
from epochal.place import Place
from epochal.protocol import EventSink
from epochal.ranks import Ranks
from epochal.saving import Saving

_LONGEST_REASON = 500


class EarlyEnd:
    """Whether another epoch follows, and whether it is known outside that none does."""

    def __init__(
        self, last_epoch: int, place: Place, control: Control, sink: EventSink, saving: Saving, ranks: Ranks
    ) -> None:
        """`last_epoch` is the one after which none follows."""
        self._last_epoch = last_epoch
        self._place = place
        self._control = control
        self._sink = sink
        self._saving = saving
        self._ranks = ranks
        self._reason: str | None = None
        self._is_told = False
        self._has_left = False  # the loop over epochs, when nobody had asked for an end

    @property
    def goes_on(self) -> bool:
        """Whether another epoch follows the complete ones, as far as this process has decided."""
        return self._place.epochs < self._last_epoch and self._reason is None

    @property
    def is_decided(self) -> bool:
        """Whether this process has decided that no epoch follows the one under way."""
        return self._reason is not None

    @property
    def is_finished(self) -> bool:
        """Whether no epoch follows, as planned or by the trainer's own decision."""
        return self._place.epochs >= self._last_epoch or self._is_told

    def decide(self, reason: str) -> None:
        """See `Application.end_early`."""
        asked = self._control.stop_mode is not None or self._control.no_more_epochs
        epochs_remain = self._place.epochs + (1 if self._place.in_epoch else 0) < self._last_epoch
        if epochs_remain and not asked and self._reason is None:
            self._reason = shortened(reason, _LONGEST_REASON) or "for no reason that was given"

    def agree(self) -> bool:
        """`goes_on`, agreed on by all processes: one that ends early ends them all."""
        if self._ranks.count > 1:
            reasons = self._ranks.gather(self._reason)
            self._reason = next((reason for reason in reasons if reason is not None), None)
        return self.goes_on

    def leave(self) -> None:
        """The loop over epochs was left; whether by an error shows in how the process ends."""
        self._has_left = self._control.stop_mode is None and not self._control.no_more_epochs

    def tell(self) -> None:
        """Tell of it, if it was decided on: whatever becomes of what follows, no epoch does."""
        if self._reason is not None and not self._is_told:
            self._is_told = True
            self._sink.send({"type": "endedEarly", "epoch": self._place.epochs, "reason": self._reason})

    def conclude(self, *, was_stopped: bool) -> Exception | None:
        """The process ends in good order: tells whether that is the trainer's own decision.

        Returns what is wrong with the end where there is no checkpoint.
        """
        control = self._control
        asked = control.stop_mode is not None and not control.stops_by_itself
        by_itself = self._has_left or not (asked or control.no_more_epochs)
        if self.is_finished or not by_itself or (was_stopped and not control.stops_by_itself):
            return None
        if not self._saving.has_any:
            return RuntimeError("the trainer ended before its first checkpoint, and nobody had asked it to")
        stop = control.stop_reason if control.stops_by_itself else None
        self._reason = self._reason or stop or f"no epoch followed epoch {self._place.epochs}"
        self.tell()
        return None
