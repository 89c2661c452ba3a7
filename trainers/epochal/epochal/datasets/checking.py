"""What a trainer says of a data set before it trains: problems of a configuration, and the split as a note."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from epochal.data_report import DataReport
from epochal.datasets import reading
from epochal.datasets.memory import remembered
from epochal.datasets.model import DataSet
from epochal.datasets.parameters import SplitParameters
from epochal.datasets.report import report_of
from epochal.datasets.splits import Split, split
from epochal.datasets.tasks import fit_to_task, something_to_learn
from epochal.errors import DataError

#: What a task needs to know of the objects, and how that is said.
_needs: dict[str, tuple[Callable[[DataSet], bool], str]] = {
    "detect": (lambda data_set: data_set.has_boxes, "no boxes on its pictures"),
    "segment": (lambda data_set: data_set.has_masks, "no masks or polygons on its pictures"),
    "pose": (lambda data_set: data_set.has_keypoints, "no keypoints on its pictures"),
    "classify": (
        lambda data_set: any(picture.labels for picture in data_set.pictures),
        "no classes of whole pictures (a folder for each class, or tags named as classes)",
    ),
}


def checked(
    data: str,
    task: str,
    parameters: SplitParameters,
    seed: int = 0,
    tell: Callable[[DataReport], object] | None = None,
) -> tuple[DataSet, Split]:
    """The data set and its split; `DataError` for one that cannot be trained on, with the first of what is wrong.

    `tell` gets the data report, also of a data set that is refused once it was read.
    """
    data_set = reading.read(Path(data).expanduser(), task)
    chosen = None
    try:
        _require(data_set, data, task, parameters)
        chosen = split(data_set, parameters.split, seed=seed, fraction=parameters.validation_fraction)
        something_to_learn(chosen, task, shortest_side=parameters.shortest_side)
    finally:
        if tell:
            tell(report_of(data_set, chosen))
    return data_set, chosen


def problem_of(
    data: str, task: str, parameters: SplitParameters, seed: int, tell: Callable[[DataReport], object]
) -> str | None:
    """Why `checked` refuses the data set, or None. A large data set is read again only when something in it changed."""
    folder = Path(data).expanduser()

    def check() -> dict[str, Any]:
        reports: list[DataReport] = []
        problem = None
        try:
            checked(data, task, parameters, seed, reports.append)
        except DataError as error:
            problem = str(error)
        return {"problem": problem, "report": reports[-1].as_json() if reports else None}

    if not folder.is_dir():
        answer = check()
    else:
        split_parameters = {name: getattr(parameters, name) for name in SplitParameters.model_fields}
        answer = remembered(folder, [data, task, split_parameters, parameters.shortest_side, seed], check)
    if answer["report"]:
        tell(DataReport.model_validate(answer["report"]))
    return answer["problem"]


def _require(data_set: DataSet, data: str, task: str, parameters: SplitParameters) -> None:
    """`DataError` where something is wrong with the data set, or it has not what the task needs."""
    wrong = reading.serious(data_set)
    if wrong and not parameters.skip_bad_pictures:
        raise DataError(f"the data set {data} has {'; '.join(wrong)} (skip_bad_pictures: true trains on the rest)")
    has, words = _needs[task]
    if not has(data_set):
        raise DataError(f"the data set {data} ({data_set.kind}) has {words}, which the task {task} needs")
    fit_to_task(data_set, task)
