# /// script
# dependencies = []
# ///
"""A tracker of your own, in one file: this one writes lines of JSON into a file for each run.

    EPOCHAL_TRACKER_FILES=/etc/epochal/lines_tracker.py LINES_FOLDER=/srv/lines EPOCHAL_TRACKERS=lines epochal worker

Copy it, name the client of your tracker among the dependencies, and put its calls in the place of the lines: each
method says which. It is made for each question, in any of several threads; two questions of one run never meet.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tracker import Opened, Point, Refused, Told, serve


class LinesTracker:
    """Of the worker's variables it sees those that begin with its name (`LINES_…`), and PATH and the like."""

    def __init__(self) -> None:
        self._folder = Path(os.environ.get("LINES_FOLDER", ""))

    def check(self, experiment: str) -> None:
        """Before a run starts. `Refused`: it takes nothing from us, now or later. Any other error: an outage.

        ClearML: `Session()`; Comet: `API().get_workspaces()`.
        """
        if not self._folder.is_absolute():
            raise Refused("LINES_FOLDER of this pool's workers is not the absolute path of a folder")
        self._folder.mkdir(parents=True, exist_ok=True)

    def open(self, run: dict[str, Any]) -> Opened:
        """The one run of this key, found or created, whichever worker asks: with the last event that it was told.

        ClearML: `Task.get_tasks(tags=[key])`, or `Task.create`; Comet: `ExistingExperiment` by a key made of this one.
        """
        self._file = self._folder / f"{run['key']}.jsonl"
        if not self._file.exists():
            self._append([{"run": run}])
        told = [line["told"] for line in self._lines() if "told" in line]
        return Opened(str(self._file), *(told[-1] if told else (0, 0)))

    def write(self, opened: Opened, told: Told) -> None:
        """All of it, and last how much that is: what is cut off before is told again, and must then change nothing.

        ClearML: `report_scalar`, `set_parameters`, `mark_completed`; Comet: `log_metrics`, `log_other`, `end`.
        """
        rows = [{"epoch": one.point.epoch, "at": one.point.at, "metrics": one.metrics} for one in told.rows]
        marks = [{"epoch": point.epoch, "at": point.at, "rolled_back": mark} for point, mark in told.marks]
        batches = [{"batch": one.step, "at": one.at, "values": one.metrics} for one in told.batches]
        host = [{"host_seconds": one.step, "at": one.at, "values": one.metrics} for one in told.host]
        facts = [{"facts": told.facts}] if told.facts else []
        ended = [{"ended": told.ended, "notes": told.notes}] if told.ended else []
        self._append([*rows, *marks, *batches, *host, *facts, *ended, {"told": [told.seq, told.last]}])

    def known(self, opened: Opened) -> tuple[set[Point], dict[Point, int]]:
        """Every epoch it has, by number and time, and each one's highest mark. An odd one: no part of the result."""
        told: set[Point] = set()
        marks: dict[Point, int] = {}
        for line in self._lines():
            if "metrics" in line:
                told.add(Point(line["epoch"], line["at"]))
            elif "rolled_back" in line:
                point = Point(line["epoch"], line["at"])
                marks[point] = max(line["rolled_back"], marks.get(point, 0))
        return told, marks

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self._file.read_text().splitlines():
            # Blank, or cut off: whatever follows begins a line of its own.
            try:
                yield json.loads(line)
            except ValueError:
                continue

    def _append(self, lines: list[dict[str, Any]]) -> None:
        with self._file.open("a") as file:
            file.write("".join(f"\n{json.dumps(line)}" for line in lines) + "\n")
            file.flush()
            os.fsync(file.fileno())


if __name__ == "__main__":
    serve(LinesTracker)
