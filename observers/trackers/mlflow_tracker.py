# /// script
# dependencies = ["mlflow-skinny>=2.14,<4"]
# ///
"""MLflow, by its own client.

The worker's environment has the server and the key: `MLFLOW_TRACKING_URI` and what MLflow reads beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from mlflow.entities import Dataset, DatasetInput, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from tracker import Measured, Opened, Point, Refused, Row, Told, renamed, serve

#: A point for each epoch: which it was told of, whatever the trainer reports.
EPOCHS = "epochal/epoch_seconds"
#: A point for each epoch that is no part of the result: 1 for its number and time. 2 takes that back, 3 marks it again.
ROLLED_BACK = "epochal/rolled_back"
#: Folders of metrics that are not of epochs. MLflow shows those of the second in a page of their own.
BATCH, HOST = "batch", "system"
#: What MLflow takes in one request.
MOST_METRICS, MOST_PARAMS = 1000, 100
#: A name has 250 characters at most; some are left for a number.
LONGEST_PARAM, LONGEST_TAG, LONGEST_NAME = 6000, 5000, 240
#: MLflow keeps all points, and shows the one of the highest step as the latest.
ABOUT = (
    "_Told by Epochal. Epochs that were rolled back keep their points, and have 1 in `epochal/rolled_back` at their "
    "step and time: the latest value of a metric, and the end of its curve, may be of one of them. "
    "`metrics.jsonl` among the run's results has none of these._"
)
NOTE = "mlflow.note.content"
STATUSES = {"completed": "FINISHED", "stopped": "KILLED", "failed": "FAILED", "salvaged": "KILLED", "lost": "KILLED"}


class MlflowTracker:
    """One server, as the environment says."""

    def __init__(self) -> None:
        self._client = MlflowClient()

    def check(self, experiment: str) -> None:
        """An outage is no refusal: a server that is unavailable now may be there when the run is."""
        try:
            self._client.search_experiments(max_results=1)
            found = self._client.get_experiment_by_name(experiment)
        except MlflowException as error:
            if error.error_code in ("UNAUTHENTICATED", "PERMISSION_DENIED", "CUSTOMER_UNAUTHORIZED"):
                raise Refused("the MLflow server refuses the key that this pool's workers have for it")
            raise
        if found is not None and found.lifecycle_stage != "active":
            raise Refused(_deleted(experiment))

    def open(self, run: dict[str, Any]) -> Opened:
        """By a tag that no other life has. Two that workers created at once, unknown to each other, become one."""
        experiment = self._experiment(run["experiment"])
        found = self._runs(experiment, run["key"])
        if not found:
            self._create(experiment, run)
            found = self._runs(experiment, run["key"])
        mine, *others = sorted(found, key=lambda one: (-_number(one, "told"), one.info.run_id))
        for other in others:
            self._client.delete_run(other.info.run_id)
        opened = Opened(mine.info.run_id, _number(mine, "told"), _number(mine, "last"))
        if opened.seq == 0:
            params = [Param(key, value[:LONGEST_PARAM]) for key, value in renamed(run["parameters"], _name).items()]
            for start in range(0, len(params), MOST_PARAMS):
                self._client.log_batch(opened.id, params=params[start : start + MOST_PARAMS])
        return opened

    def _runs(self, experiment: str, key: str) -> list[Run]:
        return list(self._client.search_runs([experiment], f"tags.`epochal.key` = '{key}'"))

    def _create(self, experiment: str, run: dict[str, Any]) -> None:
        names = ("run", "place", "project", "trainer", "key")
        tags = {f"epochal.{name}": run[name] for name in names} | {"mlflow.source.name": run["trainer"], NOTE: ABOUT}
        self._client.create_run(experiment, start_time=run["at"], tags=tags, run_name=run["place"])

    def _experiment(self, name: str) -> str:
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return self._client.create_experiment(name)
            except MlflowException:
                # Another run of the project was quicker.
                experiment = self._client.get_experiment_by_name(name)
                if experiment is None:
                    raise
        if experiment.lifecycle_stage != "active":
            raise MlflowException(_deleted(name))
        return experiment.experiment_id

    def write(self, opened: Opened, told: Told) -> None:
        """How much it was told comes last: what is cut off before that is told again, and is the same."""
        self._log(opened, _of_epochs(told.rows))
        self._log(opened, (_metric(ROLLED_BACK, float(mark), point) for point, mark in told.marks))
        facts = {f"epochal.{name}": value for name, value in told.facts.items()}
        if told.notes is not None:
            # What a person has written in its place stays.
            before = self._client.get_run(opened.id).data.tags.get(NOTE, "")
            room = LONGEST_TAG - len(ABOUT) - 2
            is_ours = not before or ABOUT in before
            facts |= {NOTE: f"{told.notes[:room]}\n\n{ABOUT}"} if is_ours else {"epochal.notes": told.notes}
        if told.ended:
            self._data(opened, told.ended.get("data"))
            self._client.set_terminated(opened.id, STATUSES.get(told.ended["outcome"], "FAILED"), told.ended["at"])
        # There may be many of these, and nobody waits for the outcome longer than for its epochs.
        self._log(opened, _measured(BATCH, told.batches))
        self._log(opened, _measured(HOST, told.host))
        facts |= {"epochal.told": str(told.seq), "epochal.last": str(told.last)}
        tags = [RunTag(name, value[:LONGEST_TAG]) for name, value in facts.items()]
        self._client.log_batch(opened.id, tags=tags)

    def _log(self, opened: Opened, points: Iterable[Metric]) -> None:
        """In as many requests as it takes."""
        points = iter(points)
        while batch := list(islice(points, MOST_METRICS)):
            self._client.log_batch(opened.id, metrics=batch)

    def _data(self, opened: Opened, data: dict[str, Any] | None) -> None:
        """A digest has 36 characters in MLflow at most; the tag has all of it."""
        if not data or not data.get("splitSha256"):
            return
        digest = data["splitSha256"]
        source = json.dumps({"uri": data.get("source") or ""})
        dataset = Dataset(data["kind"] or "data", digest[:36], "local", source)
        self._client.log_inputs(opened.id, [DatasetInput(dataset, [])])
        self._client.set_tag(opened.id, "epochal.data.splitSha256", digest)

    def known(self, opened: Opened) -> tuple[set[Point], dict[Point, int]]:
        """By the points that each epoch has, whatever its metrics."""
        told = {Point(one.step, one.timestamp) for one in self._client.get_metric_history(opened.id, EPOCHS)}
        marks: dict[Point, int] = {}
        for one in self._client.get_metric_history(opened.id, ROLLED_BACK):
            point = Point(one.step, one.timestamp)
            marks[point] = max(round(one.value), marks.get(point, 0))
        return told, marks


def _deleted(experiment: str) -> str:
    return f"the experiment {experiment} is deleted in MLflow: restore it, or name another one"


def _metric(key: str, value: float, point: Point) -> Metric:
    return Metric(key, value, point.at, point.epoch)


def _of_epochs(rows: list[Row]) -> Iterator[Metric]:
    """An epoch is known once all of its metrics are there: its own point is the last of them."""
    for row in rows:
        for key, value in [*renamed(row.metrics, _metric_name).items(), (EPOCHS, row.seconds)]:
            yield _metric(key, value, row.point)


def _measured(prefix: str, rows: list[Measured]) -> Iterator[Metric]:
    for row in rows:
        for key, value in renamed(row.metrics, _name).items():
            yield Metric(f"{prefix}/{key}", value, row.at, row.step)


def _name(name: str) -> str:
    """Letters, digits and `_ - . : /` and blanks, and no path that leaves its folder."""
    taken = re.sub(r"[^\w.\-:/ ]", "_", name)[:LONGEST_NAME] or "_"
    return taken.replace("/", "_") if {"", ".", ".."} & set(taken.split("/")) else taken


def _metric_name(name: str) -> str:
    """In no folder of ours, nor called like one: in a store of files it would be in its place."""
    taken = _name(name)
    folder, *rest = taken.split("/")
    if folder not in ("epochal", BATCH, HOST):
        return taken
    return "_".join([folder, *rest]) if rest else f"{taken}_"


def _number(run: Run, name: str) -> int:
    return int(run.data.tags.get(f"epochal.{name}", "0"))


if __name__ == "__main__":
    serve(MlflowTracker)
