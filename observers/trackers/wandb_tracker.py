# /// script
# dependencies = ["wandb>=0.31,<0.32"]
# ///
"""Weights & Biases, by its own client.

The worker's environment has the server and the key, or `WANDB_MODE=offline` and `WANDB_DIR`. The run's id is made of
its life's key: whoever tells of it resumes the same run.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import wandb
from tracker import Opened, Point, Refused, Told, renamed, serve
from wandb.apis.public.runs import RunNotFoundError
from wandb.errors import AuthenticationError
from wandb.sdk.lib.service.service_connection import WandbApiFailedError
from wandb_file import AT, BATCH, EPOCH, HOST, Kept, is_whole, read_offline

OFFLINE = os.environ.get("WANDB_MODE") == "offline"
#: A row for each epoch that it was told of has this, whatever the trainer reports.
SECONDS = "epochal/epoch_seconds"
#: A row for each epoch that is no part of the result: 1 for its number and time. 2 takes that back, 3 marks it again.
ROLLED_BACK = "epochal/rolled_back"
#: Of the summary: the last event that it was told, and the last epoch that counts.
TOLD, LAST, NOTES = "epochal/told", "epochal/last", "epochal/notes"
ABOUT = (
    "_Told by Epochal. Epochs that were rolled back keep their rows, and have another one with their `epoch` and "
    "`epochal/at`, and 1 in `epochal/rolled_back`: the summary, and the end of a curve, may be of one of them. "
    "`metrics.jsonl` among the run's results has none of these._"
)
#: A client can say finished and failed of a run; 255 is its own code for one that somebody interrupted.
INTERRUPTED = 255
EXIT_CODES = {"completed": 0, "failed": 1}
#: Seconds for one answer of the server, and for all that is sent at once.
LONGEST_ANSWER = round(float(os.environ.get("WANDB_HTTP_TIMEOUT", "20")))
LONGEST_WRITE = 3 * LONGEST_ANSWER
#: Sent at least, where there are many.
ROWS_PER_SECOND = 100


class WandbTracker:
    """One server, or a folder of offline runs, as the environment says. For one question."""

    def __init__(self) -> None:
        self._about: dict[str, Any] = {}
        self._kept = Kept()
        #: The run as the server has it.
        self._served: Any = None

    def check(self, experiment: str) -> None:
        """An outage is no refusal. The client has one exception for both: the status of the answer tells them apart."""
        if OFFLINE:
            _offline_folder().mkdir(parents=True, exist_ok=True)
            return
        try:
            _api().default_entity  # noqa: B018
        except Exception as error:
            failures = list(_causes(error))
            if any(_status(one) in (401, 403) for one in failures):
                raise Refused("the W&B server refuses the key that this pool's workers have for it")
            if isinstance(error, AuthenticationError) and len(failures) == 1:
                raise Refused("WANDB_API_KEY of this pool's workers does not have the form of a key of W&B")
            raise

    def open(self, run: dict[str, Any]) -> Opened:
        """Nothing is created yet: `write` resumes the run of this id, or begins it."""
        self._about = run
        if OFFLINE:
            self._kept = read_offline(self._file)
        else:
            self._served = self._serving()
            if self._served is not None:
                self._kept = Kept(summary=dict(self._served.summary_metrics), notes=self._served.notes or "")
        summary = self._kept.summary
        return Opened(self._id, int(summary.get(TOLD, 0)), int(summary.get(LAST, 0)))

    @property
    def _id(self) -> str:
        return str(self._about["key"])[:32]

    @property
    def _place(self) -> tuple[str | None, str]:
        """The entity, where one is named, and the project, in characters that W&B takes."""
        entity, _, project = self._about["experiment"].rpartition("/")
        return entity or None, "".join("_" if one in "/\\#?%:" else one for one in project)[:128]

    @property
    def _file(self) -> Path:
        """Of an offline run: the one that is there, or else one that is named as the client names such folders."""
        runs = _offline_folder() / "wandb"
        begun = datetime.fromtimestamp(self._about["at"] / 1000, timezone.utc)
        there = sorted(runs.glob(f"offline-run-*-{self._id}/run-{self._id}.wandb"))
        named = runs / f"offline-run-{begun:%Y%m%d_%H%M%S}-{self._id}" / f"run-{self._id}.wandb"
        return next(iter(there), named)

    def _serving(self) -> Any:
        """The run as the server has it now; None: it has none."""
        entity, project = self._place
        api = _api()
        try:
            return api.run(f"{entity or api.default_entity}/{project}/{self._id}")
        except Exception as error:
            if any(isinstance(one, RunNotFoundError) for one in _causes(error)):
                return None
            raise

    def write(self, opened: Opened, told: Told) -> None:
        """How much it was told comes last: what is cut off before that is told again, as the same rows."""
        if OFFLINE:
            self._write_file(told)
        else:
            with TemporaryDirectory(prefix="epochal-wandb-", ignore_cleanup_errors=True) as scratch:
                self._tell(told, scratch)
            self._see(told.seq)

    def _tell(self, told: Told, root: str) -> None:
        entity, project = self._place
        rows = [*self._kept.rows, *_rows_of(told)]
        run = wandb.init(
            entity=entity,
            project=project,
            id=self._id,
            name=self._about["place"],
            notes=self._notes(told),
            # A file that is sent again, with more in it, goes in the place of what was sent, and not behind it.
            resume=None if OFFLINE else "allow",
            reinit="create_new",
            config={**self._about["parameters"], "epochal": self._names()},
            settings=_settings(root, rows=len(rows), is_over=told.ended is not None),
        )
        try:
            for ours in (AT, SECONDS, ROLLED_BACK, BATCH, HOST):
                run.define_metric(ours, summary="none", hidden=True)
            for name, step in {name: _step_of(row) for row in rows for name in row}.items():
                # A name with a star would be a pattern.
                if not name.startswith(("_", "epochal/")) and name != EPOCH and "*" not in name:
                    run.define_metric(name, step_metric=step, summary=None if step == EPOCH else "none")
            for row in rows:
                run.log(row)
            run.summary.update(self._summary(told))
        finally:
            run.finish(EXIT_CODES.get(told.ended["outcome"], INTERRUPTED) if told.ended else 0)

    def _names(self) -> dict[str, str]:
        return {name: self._about[name] for name in ("run", "place", "project", "trainer", "key")}

    def _notes(self, told: Told) -> str | None:
        """None: what a person has written in their place stays."""
        before = self._kept.notes
        if before and ABOUT not in before:
            return None
        return f"{told.notes}\n\n{ABOUT}" if told.notes is not None else before or ABOUT

    def _summary(self, told: Told) -> dict[str, Any]:
        facts: dict[str, Any] = {f"epochal/{name}": value for name, value in told.facts.items()}
        if self._notes(told) is None and told.notes is not None:
            facts[NOTES] = told.notes
        data = (told.ended or {}).get("data") or {}
        if data.get("splitSha256"):
            facts["epochal/data_split_sha256"] = data["splitSha256"]
        ours = {name: value for name, value in self._kept.summary.items() if name.startswith("epochal/")}
        return {**(ours if OFFLINE else {}), **facts, TOLD: told.seq, LAST: told.last}

    def _see(self, seq: int) -> None:
        """The client has sent it; whether the server has taken it, only the server says."""
        end = time.monotonic() + LONGEST_WRITE
        while True:
            served = self._serving()
            if served is not None and int(served.summary_metrics.get(TOLD, 0)) >= seq:
                return
            if time.monotonic() >= end:
                raise TimeoutError("the W&B server does not have what it was told")
            time.sleep(1)

    def _write_file(self, told: Told) -> None:
        """All of the run once more, in one file in the place of the one before.

        Resumed offline, a client begins another file that knows nothing of those before: sent in another order, or once
        more, one may replace the rows of another. And in a file that was cut off there would be some of them.
        """
        file, folder = self._file, _offline_folder()
        file.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".epochal-", dir=folder, ignore_cleanup_errors=True) as scratch:
            self._tell(told, scratch)
            (made,) = Path(scratch).glob("wandb/offline-run-*/*.wandb")
            end = time.monotonic() + LONGEST_WRITE
            while not is_whole(made):
                if time.monotonic() >= end:
                    raise TimeoutError("W&B's client has not written the run's file")
                time.sleep(0.05)
            if (made.parent / "files").is_dir():
                shutil.copytree(made.parent / "files", file.parent / "files", dirs_exist_ok=True)
            with made.open("rb+") as written:
                os.fsync(written.fileno())
            os.replace(made, file)
        # What `wandb sync` has sent before has less in it.
        Path(f"{file}.synced").unlink(missing_ok=True)

    def known(self, opened: Opened) -> tuple[set[Point], dict[Point, int]]:
        """By the rows that each epoch has, whatever its metrics."""
        told = {_point_of(row) for row in self._rows(SECONDS)}
        marks: dict[Point, int] = {}
        for row in self._rows(ROLLED_BACK):
            point = _point_of(row)
            marks[point] = max(round(row[ROLLED_BACK]), marks.get(point, 0))
        return told, marks

    def _rows(self, key: str) -> Iterator[dict[str, Any]]:
        if OFFLINE:
            yield from (row for row in self._kept.rows if key in row)
        elif self._served is not None:
            yield from self._served.scan_history(keys=[EPOCH, AT, key], use_cache=False)


def _api() -> wandb.Api:
    """Asks the server who the key belongs to, or raises."""
    return wandb.Api(timeout=LONGEST_ANSWER, api_key=os.environ.get("WANDB_API_KEY"))


def _offline_folder() -> Path:
    return Path(os.environ["WANDB_DIR"])


def _settings(root: str, *, rows: int, is_over: bool) -> wandb.Settings:
    """Nothing leaves the machine but what it is told."""
    return wandb.Settings(
        mode="offline" if OFFLINE else "online",
        root_dir=root,
        console="off",
        silent=True,
        symlink=False,
        disable_code=True,
        disable_git=True,
        save_code=False,
        label_disable=True,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
        init_timeout=LONGEST_ANSWER,
        finish_timeout=LONGEST_WRITE + rows / ROWS_PER_SECOND,
        finish_timeout_raises=True,
        # Until its end, a run is neither finished nor failed for having been told of.
        x_update_finish_state=is_over,
    )


def _status(error: BaseException) -> int | None:
    """Of the answer, where there was one."""
    response = error.response if isinstance(error, WandbApiFailedError) else None
    return None if response is None else response.http_status


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that it was made of: by `raise … from`, or as the client keeps them."""
    while error is not None:
        yield error
        error = getattr(error, "exc", None) or error.__cause__


def _rows_of(told: Told) -> Iterator[dict[str, Any]]:
    for row in told.rows:
        yield {**renamed(row.metrics, _name), **_point(row.point), SECONDS: row.seconds}
    for point, mark in told.marks:
        yield {**_point(point), ROLLED_BACK: mark}
    for step, folder, measured in ((BATCH, "batch", told.batches), (HOST, "system", told.host)):
        for one in measured:
            values = {f"{folder}/{name}": value for name, value in one.metrics.items()}
            yield {**values, step: one.step, "_timestamp": one.at / 1000}


def _step_of(row: dict[str, Any]) -> str:
    """What is the x axis of its values."""
    return next((step for step in (BATCH, HOST) if step in row), EPOCH)


def _point(point: Point) -> dict[str, Any]:
    return {EPOCH: point.epoch, AT: point.at, "_timestamp": point.at / 1000}


def _point_of(row: dict[str, Any]) -> Point:
    return Point(round(row[EPOCH]), round(row[AT]))


def _name(name: str) -> str:
    """None of W&B's or ours."""
    is_taken = name == EPOCH or name.startswith(("_", "epochal/", "batch/", "system/")) or not name
    return f"metric_{name}" if is_taken else name


if __name__ == "__main__":
    wandb.setup()
    serve(WandbTracker)
