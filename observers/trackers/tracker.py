"""What every tracker has in common: a program that the worker asks, a line of JSON for each question and each answer.

A tracker is a class with the methods of `Tracker`, in a file of its own whose header says what it needs; `serve` is its
`main`.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeGuard, TypeVar

#: Questions that are worked on at the same time: one run that waits for the tracker keeps no other from being told.
MOST_AT_ONCE = 16
#: Seconds for what is still worked on when nobody is there to ask any more.
LONGEST_END = 60
#: Of the batches of a run, and of its host. A tracker takes some thousands a second.
MOST_VALUES = 200_000
#: Of batches and of epochs: a step is no larger than their product, for which trackers have room.
MOST_COUNT = 1 << 31
#: What `milliseconds` raises of what is none.
NO_INSTANT = (ValueError, TypeError, AttributeError, OverflowError)

Value = TypeVar("Value")


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
class Measured:
    """Values of a moment, and not of an epoch: what a batch logged, or what was measured of the host."""

    #: The batch's number in the whole run, or the seconds since the host was first measured.
    step: int
    #: Milliseconds since 1970: told twice, it is the same.
    at: int
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
    #: With the end alone, once it is known which of them count: 200,000 values at most.
    batches: list[Measured] = field(default_factory=list)
    host: list[Measured] = field(default_factory=list)
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
        told.facts |= {"state": "stopped", "outcome": ended["outcome"], "cause": ended["cause"], **ended["links"]}
        told.batches = bounded(batches_of(question["batches"] or ""))
        told.host = bounded(host_of(question["system"] or ""))
        told.ended = {**ended, "at": milliseconds(ended["at"])}
        told.notes = ended["notes"]
    tracker.write(opened, told)


def batches_of(text: str) -> list[Measured]:
    """Of the lines of `batches.jsonl`, which are in order. A line that no batch has is passed over."""
    rows: list[Measured] = []
    #: Batches of all epochs before, and of the one that the last row is of.
    before = size = epoch = 0
    for line in objects_of(text):
        number, batch, at, metrics = (line.get(name) for name in ("epoch", "batch", "at", "metrics"))
        if not (is_count(number) and is_count(batch) and isinstance(metrics, dict)) or number < epoch:
            continue
        if number > epoch:
            # One that logged nothing between them was as long as the one before it, most likely.
            before, size, epoch = before + size * (number - epoch), 0, number
        size = max(size, batch, *(n for n in [line.get("batches")] if is_count(n)))
        with suppress(*NO_INSTANT):
            rows.append(Measured(before + batch, milliseconds(at), finite(metrics)))
    return rows


#: Of a row of the host: names as MLflow has them, where they mean the same, and how many of our unit make one.
MEGABYTE = 1_000_000
HOST = {
    "cpu": ("cpu_cores", 1),
    "memoryBytes": ("memory_usage_megabytes", MEGABYTE),
    "readBytes": ("disk_read_megabytes_per_second", MEGABYTE),
    "writtenBytes": ("disk_write_megabytes_per_second", MEGABYTE),
    "receivedBytes": ("network_receive_megabytes_per_second", MEGABYTE),
    "sentBytes": ("network_transmit_megabytes_per_second", MEGABYTE),
}
GPU = {
    "use": ("utilization_percentage", 0.01),
    "memoryBytes": ("memory_usage_megabytes", MEGABYTE),
    "watts": ("power_usage_watts", 1),
    "celsius": ("temperature_celsius", 1),
}


def host_of(text: str) -> list[Measured]:
    """Of the lines of `system.jsonl`, oldest first."""
    rows: list[Measured] = []
    for line in objects_of(text):
        metrics = {name: line[key] / unit for key, (name, unit) in HOST.items() if is_number(line.get(key))}
        gpus = line.get("gpus")
        for gpu in gpus if isinstance(gpus, list) else []:
            if isinstance(gpu, dict) and isinstance(gpu.get("index"), int):
                values = {name: gpu[key] / unit for key, (name, unit) in GPU.items() if is_number(gpu.get(key))}
                metrics |= {f"gpu_{gpu['index']}_{name}": value for name, value in values.items()}
        with suppress(*NO_INSTANT):
            at = milliseconds(line.get("at"))
            rows.append(Measured(round((at - (rows[0].at if rows else at)) / 1000), at, metrics))
    return rows


def bounded(rows: list[Measured]) -> list[Measured]:
    """As many of them, evenly, as a tracker is to have: a trainer may log hundreds of metrics."""
    values = sum(len(row.metrics) for row in rows)
    return rows[:: -(-values // MOST_VALUES) or 1]


def objects_of(text: str) -> Iterator[dict[str, Any]]:
    """Lines that are objects: the file was where the trainer may write, too."""
    for line in text.split("\n"):
        with suppress(ValueError, RecursionError):
            value = json.loads(line)
            if isinstance(value, dict):
                yield value


def is_count(value: object) -> TypeGuard[int]:
    """Whether it counts from 1."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < MOST_COUNT


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is one that a tracker can show."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def finite(metrics: dict[str, Any]) -> dict[str, float]:
    """Those that a tracker can show."""
    return {name: value for name, value in metrics.items() if is_number(value)}


def renamed(values: dict[str, Value], name_of: Callable[[str], str]) -> dict[str, Value]:
    """By names that the tracker takes. Of two that would be one, the other gets a number."""
    named: dict[str, Value] = {}
    for name, value in values.items():
        key = first = name_of(name)
        number = 2
        while key in named:
            key = f"{first}_{number}"
            number += 1
        named[key] = value
    return named


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
