"""What trackers have in common (`observers/trackers/tracker.py`), on one in memory that fails at any of its writes.

Without the points that are marked, its history is what counts, whatever happened on the way.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from random import Random
from typing import Any

FILE = Path(__file__).parents[3] / "observers" / "trackers" / "tracker.py"
spec = importlib.util.spec_from_file_location("epochal_tracker", FILE)
assert spec is not None
assert spec.loader is not None
tracker_module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = tracker_module
spec.loader.exec_module(tracker_module)
tell, row_of, Opened = tracker_module.tell, tracker_module.row_of, tracker_module.Opened
Measured = tracker_module.Measured


class CutOff(Exception):
    """The tracker became unavailable."""


class InMemory:
    """Keeps all points for good, as MLflow does. A write may be cut off after any of its parts."""

    def __init__(self) -> None:
        self.points: dict[Any, dict[str, float]] = {}
        self.marks: list[tuple[Any, int]] = []
        self.facts: dict[str, str] = {}
        self.seq = self.last = 0
        self.parts_left: int | None = None

    def check(self, experiment: str) -> None:
        pass

    def open(self, run: dict[str, Any]) -> Any:
        return Opened(run["key"], self.seq, self.last)

    def _part(self) -> None:
        if self.parts_left is not None:
            self.parts_left -= 1
            if self.parts_left < 0:
                raise CutOff

    def write(self, opened: Any, told: Any) -> None:
        for row in told.rows:
            self._part()
            assert self.points.setdefault(row.point, row.metrics) == row.metrics
        for mark in told.marks:
            self._part()
            assert mark not in self.marks
            self.marks.append(mark)
        self._part()
        self.facts |= told.facts
        self.seq, self.last = told.seq, told.last

    def known(self, opened: Any) -> tuple[set[Any], dict[Any, int]]:
        return set(self.points), dict(sorted(self.marks, key=lambda mark: mark[1]))

    @property
    def history(self) -> list[Any]:
        known, marks = self.known(None)
        return sorted(point for point in known if marks.get(point, 0) % 2 == 0)


def at(clock: int) -> str:
    return f"2026-01-01T{clock // 3600:02}:{clock // 60 % 60:02}:{clock % 60:02}.000Z"


class Run:
    """A run that goes back at times, and what its outbox still has to tell."""

    def __init__(self, random: Random, *, is_late: bool) -> None:
        self.random = random
        #: Whether a delivery that was given up may get through after one that has more events.
        self.is_late = is_late
        self.tracker = InMemory()
        self.rows: list[dict[str, Any]] = []
        #: As the store has it: with each checkpoint, so that it may be behind, and have what was rolled back.
        self.stored: list[dict[str, Any]] = []
        self.outbox: list[dict[str, Any]] = []
        self.begun = self.seq = self.clock = 0

    def event(self, kind: str, data: dict[str, Any]) -> None:
        self.seq += 1
        position = {"epoch": len(self.rows), "batch": 0}
        about = {"kind": kind, "seq": self.seq, "at": at(self.clock), "position": position}
        self.outbox.append({**about, "data": data})

    def train(self) -> None:
        self.clock += 1
        row = {"epoch": len(self.rows) + 1, "seconds": 1.0, "metrics": {"loss": self.clock}, "at": at(self.clock)}
        self.rows.append(row)
        if self.random.random() < 0.7:
            self.stored = list(self.rows)
        self.event("epoch", row)

    def roll_back(self) -> None:
        del self.rows[self.random.randint(0, len(self.rows)) :]
        self.event("state", {"state": "training"})

    def fold(self) -> None:
        """Epochs of which no delivery was begun become a gap."""
        may = [event for event in self.outbox if event["seq"] > self.begun and event["kind"] in ("epoch", "gap")]
        folded = may[: self.random.randint(0, len(may))]
        if len(folded) < 2:
            return
        last = folded[-1]
        gap = {**last, "kind": "gap", "data": {"events": {"epoch": len(folded)}}}
        self.outbox = [gap if event is last else event for event in self.outbox if event is last or event not in folded]

    def deliver(self, fails: bool) -> None:
        if not self.outbox:
            return
        least = 1 if self.is_late else max(1, sum(event["seq"] <= self.begun for event in self.outbox))
        events = self.outbox[: self.random.randint(least, len(self.outbox))]
        self.begun = max(self.begun, events[-1]["seq"])
        self.tracker.parts_left = self.random.randint(0, 6) if fails else None
        gap = next((event for event in reversed(events) if event["kind"] == "gap"), None)
        ended = next((event for event in events if event["kind"] == "ended"), None)
        made_up = [row for row in self.stored if gap and row["epoch"] <= gap["position"]["epoch"]]
        is_away = ended is not None and fails and self.random.random() < 0.5
        question = {
            "run": {"key": "k"},
            "events": events,
            "through": ended["seq"] - 1 if ended and is_away else events[-1]["seq"],
            "rows": self.rows if ended and not is_away else None,
            "made_up": [] if is_away else made_up,
            "batches": None,
            "system": None,
            "ended": {"outcome": "completed", "cause": "", "notes": "", "at": ended["at"], "links": {}}
            if ended
            else None,
        }
        try:
            tell(self.tracker, question)
        except CutOff:
            return
        # The answer may be lost, too.
        if not is_away and not (fails and self.random.random() < 0.5):
            self.outbox = self.outbox[len(events) :]


def test_history_without_what_is_marked_is_what_counts() -> None:
    for seed in range(600):
        random = Random(seed)
        run = Run(random, is_late=seed % 2 == 0)
        for _ in range(random.randint(0, 25)):
            random.choice([run.train, run.train, run.train, run.roll_back, run.fold, lambda r=run: r.deliver(True)])()
        run.event("ended", {})
        for _ in range(random.randint(0, 4)):
            run.deliver(True)
        while run.outbox:
            run.deliver(False)
        assert run.tracker.history == [row_of(row).point for row in run.rows], seed
        assert run.tracker.facts["outcome"] == "completed", seed


def test_while_it_is_trained_only_the_newest_of_each_epoch_counts() -> None:
    """Where nothing is folded, it is so whenever all was told."""
    for seed in range(300):
        random = Random(seed)
        run = Run(random, is_late=False)
        for _ in range(random.randint(1, 25)):
            random.choice([run.train, run.train, run.roll_back, lambda r=run: r.deliver(True)])()
        run.train()
        while run.outbox:
            run.deliver(False)
        points = [point for point in run.tracker.history if point.epoch <= len(run.rows)]
        assert points == [row_of(row).point for row in run.rows], seed


def lines(*rows: Any) -> str:
    return "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)


def batch(epoch: Any, number: Any, batches: Any, clock: int, **differs: Any) -> dict[str, Any]:
    row = {"epoch": epoch, "batch": number, "batches": batches, "at": at(clock), "metrics": {"loss": clock}}
    return {**row, **differs}


def test_batches_are_numbered_through_the_run_and_what_is_no_row_is_passed_over() -> None:
    text = lines(
        batch(1, 1, 10, 1),
        batch(1, 10, 10, 2, metrics={"loss": 0.5, "text": "a", "none": None, "flag": True}),
        # How many these epochs have, the trainer did not know; and the third has logged nothing.
        batch(2, 4, None, 3),
        batch(4, 1, 10, 4),
        *("nonsense", [1], '{"epoch":' * 20_000, batch(3, 1, 1, 5), batch(1 << 31, 1, 1, 5), batch(True, 1, 1, 5)),
        *(batch(4, "2", 10, 5), batch(4, 2, 10, 5, at="soon"), batch(4, 2, 10, 5, at=5)),
        batch(4, 2, 10, 5, metrics=[]),
        json.dumps(batch(4, 3, 10, 6, metrics={"loss": float("nan"), "lr": 1})),
        '{"epoch": 4, "ba',
    )
    start = tracker_module.milliseconds(at(0))
    assert tracker_module.batches_of(text) == [
        Measured(1, start + 1000, {"loss": 1}),
        Measured(10, start + 2000, {"loss": 0.5}),
        Measured(14, start + 3000, {"loss": 3}),
        Measured(19, start + 4000, {"loss": 4}),
        Measured(21, start + 6000, {"lr": 1}),
    ]


def test_what_the_host_measured_has_its_own_names_and_the_seconds_since_it_began() -> None:
    gpu = {"index": 3, "use": 0.5, "memoryBytes": 2e9, "watts": None, "celsius": 70}
    first = {"at": at(1), "seconds": 5, "cpu": 1.5, "memoryBytes": 3e6, "readBytes": None, "gpus": [gpu, 7]}
    text = lines(first, "{", {"cpu": 1}, {"at": at(6), "cpu": None, "sentBytes": 1e6, "gpus": None})
    start = tracker_module.milliseconds(at(0))
    gpus = {"utilization_percentage": 50, "memory_usage_megabytes": 2000, "temperature_celsius": 70}
    host = {"cpu_cores": 1.5, "memory_usage_megabytes": 3, **{f"gpu_3_{name}": value for name, value in gpus.items()}}
    assert tracker_module.host_of(text) == [
        Measured(0, start + 1000, host),
        Measured(5, start + 6000, {"network_transmit_megabytes_per_second": 1}),
    ]


def test_a_tracker_gets_so_many_values_evenly() -> None:
    rows = [Measured(step, step, {"a": 1, "b": 2}) for step in range(100_001)]
    assert tracker_module.bounded(rows[:-1]) == rows[:-1]
    assert tracker_module.bounded(rows) == rows[::2]
    assert tracker_module.bounded([]) == []


def test_with_the_end_it_is_told_of_batches_and_host_and_where_checkpoints_are() -> None:
    tracker = InMemory()
    told: list[Any] = []
    write = tracker.write
    tracker.write = lambda opened, what: (told.append(what), write(opened, what))[1]  # type: ignore[method-assign]
    ended = {"outcome": "completed", "cause": "", "notes": "", "at": at(9), "links": {"best_checkpoint": "s3://b/c"}}
    question = {
        **{"run": {"key": "k"}, "through": 1, "rows": [], "made_up": [], "ended": ended},
        "events": [{"kind": "ended", "seq": 1, "at": at(9)}],
        "batches": lines(batch(1, 1, 1, 1)),
        "system": lines({"at": at(1), "cpu": 1}),
    }
    tell(tracker, question)
    tell(tracker, question)
    (once,) = told
    assert [one.metrics for one in once.batches + once.host] == [{"loss": 1}, {"cpu_cores": 1}]
    assert tracker.facts["best_checkpoint"] == "s3://b/c"
