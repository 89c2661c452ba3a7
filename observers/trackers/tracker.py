"""What every tracker has in common: a program that the worker asks, a line of JSON for each question and each answer.

A tracker is a class with the methods of `Tracker`, in a file of its own whose header says what it needs; `serve` is its
`main`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

#: Questions that are worked on at the same time: one run that waits for the tracker keeps no other from being told.
MOST_AT_ONCE = 16
#: Seconds for what is still worked on when nobody is there to ask any more.
LONGEST_END = 60


class Refused(Exception):
    """The tracker takes it neither now nor later; the message is for a person, and has no secret in it."""


class Point(NamedTuple):
    """An epoch as a tracker knows it: by number and time. One that is trained again has another time."""

    epoch: int
    #: Milliseconds since 1970: the epoch's own time, so that what is told twice is the same.
    at: int


@dataclass
class Row:
    """A complete epoch, as `metrics.jsonl` has it."""

    point: Point
    seconds: float
    metrics: dict[str, float]


@dataclass
class Told:
    """What is new about a run. A tracker writes it in this order, and what it has already changes nothing."""

    rows: list[Row] = field(default_factory=list)
    #: Epochs that are no part of the result, each with an odd number; an even one takes that back. The highest of a
    #: point counts: a tracker that keeps all points for good keeps these, too.
    marks: list[tuple[Point, int]] = field(default_factory=list)
    #: Short facts by name: state, outcome, cause. None: nothing is known.
    facts: dict[str, str] = field(default_factory=dict)
    #: The run's notes as Markdown.
    notes: str | None = None
    #: `outcome` and `at` in milliseconds, and `data` of the receipt.
    ended: dict[str, Any] | None = None
    #: The number of the last event in it, and the last epoch that counts.
    seq: int = 0
    last: int = 0


@dataclass
class Opened:
    """The tracker's own run, and how much it was told."""

    id: str
    seq: int = 0
    #: The last epoch that counts.
    last: int = 0


class Tracker(Protocol):
    """One tracker, by its own client."""

    def check(self, experiment: str) -> None:
        """Raise `Refused` where it takes nothing from us: a wrong key. An outage raises anything else."""

    def open(self, run: dict[str, Any]) -> Opened:
        """Its run for this life of a run: found, or else created once. With the parameters."""

    def write(self, opened: Opened, told: Told) -> None:
        """Have it for good, or raise."""

    def known(self, opened: Opened) -> tuple[set[Point], dict[Point, int]]:
        """All the epochs that it was told of, and the highest mark of each that has one."""


def milliseconds(at: str) -> int:
    """Of an instant as JSON has it."""
    return round(datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp() * 1000)


def row_of(row: dict[str, Any]) -> Row:
    """Of a line of `metrics.jsonl`, or of the data of an event."""
    return Row(Point(row["epoch"], milliseconds(row["at"])), row["seconds"], row["metrics"])


def tell(tracker: Tracker, question: dict[str, Any]) -> None:
    """Tell a tracker of the events that it lacks; with `rows`, of what counts, so that its history is theirs."""
    opened = tracker.open(question["run"])
    events = [event for event in question["events"] if event["seq"] > opened.seq]
    if not events:
        return
    told = Told(seq=question["through"], last=opened.last)
    live: dict[int, Row] = {}
    anew = None  # The first epoch that was told before, and is trained again.
    for event in events:
        if event["kind"] == "state":
            told.facts["state"] = event["data"]["state"]
        if event["kind"] != "epoch":
            continue
        # Workflows of old do not tell the epoch's own time.
        row = row_of({"at": event["at"], **event["data"]})
        epoch = row.point.epoch
        if epoch <= told.last:
            anew = min(epoch, anew or epoch)
            live = {number: other for number, other in live.items() if number < epoch}
        live[epoch] = row
        told.last = epoch
    for row in map(row_of, question["made_up"]):
        if row.point.epoch > opened.last:
            live.setdefault(row.point.epoch, row)
    rows = None if question["rows"] is None else [row_of(row) for row in question["rows"]]
    if rows is not None:
        live = {row.point.epoch: row for row in rows}
        told.last = max(live, default=0)
    if rows is not None or anew is not None:
        known, marks = tracker.known(opened)
        counting = {row.point for row in live.values()}
        # Before the end, what is not told now is as it was: epochs that are trained again alone replace others.
        stale = known - counting if rows is not None else {p for p in known - counting if p.epoch >= (anew or 0)}
        marked = {point for point, mark in marks.items() if mark % 2 == 1}
        told.marks = [(point, marks.get(point, 0) + 1) for point in sorted((stale - marked) | (counting & marked))]
        if rows is not None:
            # One whose metrics were too many for an event was told with the first of them.
            live = {epoch: row for epoch, row in live.items() if row.point not in known or is_large(row)}
    told.rows = [live[epoch] for epoch in sorted(live)]
    ended = question["ended"]
    if ended:
        told.facts |= {"state": "stopped", "outcome": ended["outcome"], "cause": ended["cause"]}
        told.ended = {**ended, "at": milliseconds(ended["at"])}
        told.notes = ended["notes"]
    tracker.write(opened, told)


def is_large(row: Row) -> bool:
    """Whether it has more metrics than an event (`metricsCharacters` in `workflows/outbox.ts`)."""
    return sum(len(name) + 24 for name in row.metrics) > 16_000


class Locks:
    """One at a time for each run: what was given up, and still writes, must not go over what comes after it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    def within(self, key: str, work: Callable[[], None]) -> None:
        """Do `work`, alone for `key`."""
        with self._guard:
            lock, users = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, users + 1)
        try:
            with lock:
                work()
        finally:
            with self._guard:
                lock, users = self._locks[key]
                if users == 1:
                    del self._locks[key]
                else:
                    self._locks[key] = (lock, users - 1)


def serve(make: Callable[[], Tracker]) -> None:
    """Answer questions until stdin ends: `{"id", "do", …}` with `{"id"}`, and `"refused"` or `"failed"` where it is."""
    # What the client prints is no answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    writing, locks = threading.Lock(), Locks()

    def answer(question: dict[str, Any]) -> None:
        said: dict[str, Any] = {"id": question["id"]}
        try:
            tracker = make()
            if question["do"] == "check":
                tracker.check(question["experiment"])
            else:
                locks.within(question["run"]["key"], lambda: tell(tracker, question))
        except Refused as refusal:
            said["refused"] = str(refusal)
        except Exception as error:
            said["failed"] = f"{type(error).__name__}: {error}"[:2000]
        with writing:
            print(json.dumps(said), file=answers, flush=True)

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        for line in sys.stdin:
            pool.submit(answer, json.loads(line))
        # The worker may have been killed, and then nobody ends what hangs here.
        end = threading.Timer(LONGEST_END, os._exit, (1,))
        end.daemon = True
        end.start()
