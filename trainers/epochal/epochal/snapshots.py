"""Snapshots: local saves between checkpoints, as often as 1 % of the training pays for, so a kill costs seconds."""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Literal

from epochal.checkpoints import CheckpointFolder, Land, Position, size_of
from epochal.errors import failure_message, shortened
from epochal.landing import Landing
from epochal.protocol import EventSink
from epochal.ranks import NoCheckpoints
from epochal.session import Session

FOLDER = "snapshots"
#: The share of the training that snapshots may block it for: what they take beside that makes it 1 %.
BUDGET = 0.008
#: Seconds of training before the first one, while nobody knows what it costs.
FIRST_AFTER = 5.0
#: Seconds: more often than this gains nothing that a person would notice.
SHORTEST = 0.2
#: Seconds. What becomes whole faster than that does so at once: another thread would cost the training more.
_QUICK = 0.004
#: Seconds between two checkpoints that are worth a word where no snapshot fits between them.
WORTH_TELLING = 60.0
#: The one before the newest stays for the case that the newest is damaged.
_KEPT = 2
_REMEMBERED = 5
#: Seconds of the budget that may be saved up, for a save that a busy machine holds up; and what a session begins with.
_MOST_CREDIT = 0.5
_FIRST_CREDIT = 0.1

Wanted = Literal["auto", "off"] | float | None


class Cadence:
    """How often to save, found from what saving costs. A checkpoint is a save, too: after it the wait starts again.

    What a save takes as a rule decides how often. What all of them took comes out of the budget, and none is due while
    that is overdrawn: so a rare slow one does not make all others rare, and many do.
    """

    def __init__(self, wanted: Wanted, now: Callable[[], float] = time.monotonic) -> None:
        """`wanted`: as the configuration has it; `now` in seconds, monotonic."""
        self._wanted = wanted
        self._now = now
        self._costs: deque[float] = deque(maxlen=_REMEMBERED)
        self._is_warm = False
        self._credit = _FIRST_CREDIT
        self.begin()

    def begin(self) -> None:
        """The training begins: what set it up was none of it."""
        self._saved_at = self._checkpoint_at = self._credited_at = self._now()

    @property
    def is_off(self) -> bool:
        """Whether none is ever due."""
        return self._wanted in (None, "off")

    @property
    def cost(self) -> float | None:
        """Seconds that a save blocks the training as a rule; None before the first."""
        return median(self._costs) if self._costs else None

    @property
    def seconds(self) -> float:
        """From one save to the next."""
        if isinstance(self._wanted, (int, float)):
            return float(self._wanted)
        return FIRST_AFTER if self.cost is None else max(SHORTEST, self.cost / BUDGET)

    @property
    def is_due(self) -> bool:
        """Whether it is time to save."""
        if self.is_off or self._now() - self._saved_at < self.seconds:
            return False
        return self._wanted != "auto" or self._add_credit() >= 0

    def turn_off(self) -> None:
        """None is due any more."""
        self._wanted = "off"

    def saved(self, blocked: float) -> None:
        """A snapshot has just blocked the training for so many seconds."""
        self._credit = self._add_credit() - blocked
        self._remember(blocked)

    def _add_credit(self) -> float:
        now = self._now()
        self._credit = min(_MOST_CREDIT, self._credit + BUDGET * (now - self._credited_at))
        self._credited_at = now
        return self._credit

    def _remember(self, blocked: float) -> None:
        if self._costs and not self._is_warm:
            self._is_warm = True
            self._costs.clear()  # The first one imports, allocates and compiles what the others find there.
        self._costs.append(blocked)
        self._saved_at = self._now()

    def checkpointed(self, blocked: float) -> float | None:
        """The save was a checkpoint. Answers the seconds since the last one, if many and no snapshot fits in."""
        apart = self._now() - blocked - self._checkpoint_at
        had_none = self._saved_at <= self._checkpoint_at
        self._remember(blocked)
        self._checkpoint_at = self._saved_at
        is_short = apart < WORTH_TELLING or apart > self.seconds
        return None if self._wanted != "auto" or is_short or not had_none else apart


class Snapshots:
    """`snapshots/` of a run: the newest two. Whatever goes wrong with one costs snapshots, never the training."""

    def __init__(self, session: Session, sink: EventSink, *, saves: bool) -> None:
        """`saves`: this is the process that does. What another session left is removed: the worker took what counts."""
        self._sink = sink
        path = session.folder / FOLDER
        self.cadence = Cadence(session.snapshots if saves else "off")
        if saves:
            shutil.rmtree(path, ignore_errors=True)
        self._path = path
        self._is_told = False
        self._landing = Landing()
        self._changing = threading.Lock()
        self._whole: list[Position] = []
        self._bytes = 0  # that a save takes on the disk, as far as one knows
        self._lands_in = _QUICK  # as far as one knows: the first may be large
        self.folder: CheckpointFolder | NoCheckpoints = NoCheckpoints()
        if not self.cadence.is_off:
            self.folder = CheckpointFolder(path, session.session, session.generation, durable=False)

    @property
    def is_due(self) -> bool:
        """Whether to write one at this boundary; never while the one before becomes whole."""
        if not self.cadence.is_due or self._landing.is_under_way:
            return False
        if self._landing.error is not None:
            self.give_up(self._landing.error)
            return False
        try:
            # Its checkpoints need the room more, and so do those of others on this disk.
            return shutil.disk_usage(self._path).free >= (_KEPT + 1) * self._bytes
        except OSError as error:
            self.give_up(error)
            return False

    def land(self, make_whole: Land, position: Position, began: float) -> None:
        """Its files are written: it becomes whole while the training continues. It `began` by the monotonic clock."""
        if not isinstance(self.folder, NoCheckpoints):
            land = self._landing.run if self._lands_in < _QUICK else self._landing.start
            land(lambda: self._land(make_whole, position))
        self.cadence.saved(time.monotonic() - began)

    def checkpointed(self, blocked: float) -> None:
        """The files of a checkpoint are written."""
        apart = self.cadence.checkpointed(blocked)
        if apart is None or self._is_told:
            return
        self._is_told = True
        self._note(
            f"no snapshots between checkpoints: one would block the training for {self.cadence.cost:.2g} s, and "
            f"checkpoints {apart:.0f} s apart leave no room for that in {BUDGET:.0%} of the training "
            "(checkpoints.snapshots)"
        )

    def knows(self, size: int) -> None:
        """What a save takes on the disk, in bytes."""
        self._bytes = size

    def passed(self, position: Position, size: int) -> None:
        """A checkpoint of `size` bytes is whole here: no earlier snapshot is of use. On any thread."""
        self.knows(size)
        with self._changing:
            for one in [one for one in self._whole if one <= position]:
                self._remove(one)

    def give_up(self, error: BaseException) -> None:
        """Write none any more, and free the room that they take."""
        self.cadence.turn_off()
        with self._changing:
            for one in list(self._whole):
                self._remove(one)
        self._note(f"snapshots are off: {failure_message(error)}")

    def _land(self, make_whole: Land, position: Position) -> None:
        began = time.monotonic()
        manifest = make_whole()
        self.knows(size_of(manifest))
        with self._changing:
            self._whole.append(position)
            for one in self._whole[:-_KEPT]:
                self._remove(one)
            # Of the first one nobody knew what it takes, and others may have filled the disk meanwhile.
            for one in list(self._whole):
                if shutil.disk_usage(self._path).free < _KEPT * self._bytes:
                    self._remove(one)
        self._lands_in = time.monotonic() - began

    def _remove(self, position: Position) -> None:
        self._whole.remove(position)
        shutil.rmtree(Path(self._path, position.name), ignore_errors=True)

    def _note(self, message: str) -> None:
        self._sink.send({"type": "note", "message": shortened(message, 4000)})
