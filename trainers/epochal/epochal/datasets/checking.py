"""What a trainer says of a data set before it trains: problems of a configuration, and the split as a note."""

from __future__ import annotations

import hashlib
import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from epochal.channel import log
from epochal.data_report import DataReport
from epochal.datasets import duplicates, reading
from epochal.datasets.decoding import decode_all
from epochal.datasets.loaded import Comparison
from epochal.datasets.memory import remembered
from epochal.datasets.model import DataSet, Findings
from epochal.datasets.parameters import SplitParameters
from epochal.datasets.report import add_findings, add_loaded, report_of
from epochal.datasets.splits import Split, split
from epochal.datasets.tasks import fit_to_task, something_to_learn
from epochal.errors import DataError

if TYPE_CHECKING:
    from epochal.application import Application
    from epochal.trainer import Check

#: A training waits so many seconds at most for its images to be decoded; what is left is decoded by the next one.
LONGEST_LOOK = 600.0
_LOG_SECONDS = 5.0


class Look(NamedTuple):
    """How every image is looked at."""

    #: Called with what is done, and how many of how many steps are.
    progress: Callable[[str, int, int], object]
    #: For so long at most, where somebody waits for something else; what was seen is kept for the next time.
    seconds: float | None = None


@dataclass(frozen=True)
class Foresight:
    """What a trainer's framework will load of a split, told by its rules and without it."""

    loads: Callable[[Split], list[Comparison]]
    #: What the rules depend on beside the data set, as JSON has it.
    rules: Any = None

    @property
    def key(self) -> list[Any]:
        """Another one where the rules or the trainer's code, which follows them, are others."""
        files = sorted(Path(inspect.getfile(self.loads)).parent.glob("*.py"))
        return [self.rules, hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()]


#: What a task needs to know of the objects, and how that is said.
_needs: dict[str, tuple[Callable[[DataSet], bool], str]] = {
    "detect": (lambda data_set: data_set.has_boxes, "no boxes on its images"),
    "segment": (lambda data_set: data_set.has_masks, "no masks or polygons on its images"),
    "pose": (lambda data_set: data_set.has_keypoints, "no keypoints on its images"),
    "classify": (
        lambda data_set: any(image.labels for image in data_set.images),
        "no classes of whole images (a folder for each class, or tags named as classes)",
    ),
}


def checked(
    data: str,
    task: str,
    parameters: SplitParameters,
    seed: int = 0,
    tell: Callable[[DataReport], object] | None = None,
    look: Look | None = None,
    foresight: Foresight | None = None,
) -> tuple[DataSet, Split]:
    """The data set and its split; `DataError` for one that cannot be trained on, with the first of what is wrong.

    `tell` gets the data report, also of a data set that is refused once it was read. With `look` every image is
    decoded and compared with the others; without, the report says that this was not done. `foresight` says what the
    framework will load.
    """
    data_set = reading.read(Path(data).expanduser(), task)
    chosen = decoded = None
    comparisons: list[Comparison] = []
    compared = False
    try:
        if look:
            decoded = decode_all(
                data_set.images, data_set.findings, partial(look.progress, "Looking at images"), seconds=look.seconds
            )
            damaged = set(map(id, decoded.failed))
            data_set.images = [one for one in data_set.images if id(one) not in damaged]
        _require(data_set, data, task, parameters)
        chosen = split(data_set, parameters.split, seed=seed, fraction=parameters.validation_fraction)
        comparisons = foresight.loads(chosen) if foresight else []
        something_to_learn(chosen, task, comparisons)
        if look:
            data_set.findings.extend(
                duplicates.find(data_set.images, partial(look.progress, "Comparing images"), chosen=chosen)
            )
            compared = True
    finally:
        if tell:
            report = report_of(data_set, chosen, decoded, compared=compared)
            if chosen:
                add_loaded(report, chosen, comparisons, data_set.folder)
            tell(report)
    return data_set, chosen


def examine(
    check: Check, data: str | None, task: str, parameters: SplitParameters, foresight: Foresight | None = None
) -> None:
    """`checked` for a trainer's `check_data`: the data report is told, and every image looked at if that was asked.

    What it said of a large data set is said again without reading it, until one of its files is another one.
    """
    if check.deep:
        checked(data or "", task, parameters, check.seed, check.report, Look(check.progress), foresight)
        return

    def read() -> dict[str, Any]:
        reports: list[DataReport] = []
        problem = None
        try:
            with reading.without_collector():
                checked(data or "", task, parameters, check.seed, reports.append, foresight=foresight)
        except DataError as error:
            problem = str(error)
        return {"problem": problem, "report": reports[-1].as_json() if reports else None}

    split_by = {name: getattr(parameters, name) for name in SplitParameters.model_fields}
    asked = [data, task, split_by, foresight and foresight.key, check.seed]
    answer = remembered(Path(data or "").expanduser(), asked, read)
    if answer["report"]:
        check.report(DataReport.model_validate(answer["report"]))
    if answer["problem"]:
        raise DataError(answer["problem"])


class Prepared(NamedTuple):
    """What a training trains on."""

    data_set: DataSet
    split: Split
    report: DataReport
    task: str

    def converted(self, app: Application, changed: Findings) -> None:
        """Note what was changed when it was written for the framework, and add it to the run's data report."""
        _note(app, changed)
        add_findings(self.report, changed, self.data_set.folder)
        app.report_data(self.report)

    def loaded(self, app: Application, comparisons: Sequence[Comparison]) -> None:
        """Note what the framework has not loaded, and put it beside what was promised in the run's data report.

        `DataError` where it has loaded nothing to train or validate with.
        """
        for comparison in comparisons:
            for sentence in comparison.sentences():
                app.note(sentence)
        add_loaded(self.report, self.split, comparisons, self.data_set.folder)
        app.report_data(self.report)
        something_to_learn(self.split, self.task, comparisons)


def prepare(app: Application, task: str, parameters: SplitParameters) -> Prepared:
    """`checked` for a training: every image is looked at, and what is found is noted and kept with the run."""
    reports: list[DataReport] = []

    def tell(report: DataReport) -> None:
        reports.append(report)
        app.report_data(report)

    data_set, chosen = checked(app.data or "", task, parameters, app.seed, tell, before_training(app))
    app.note(str(chosen))
    _note(app, data_set.findings)
    return Prepared(data_set, chosen, reports[-1], task)


def _note(app: Application, findings: Findings) -> None:
    for sentence in findings.sentences():
        app.note(f"the data set has {sentence}")


def before_training(app: Application) -> Look:
    """At every image, before the first epoch: for ten minutes at most, told in the run and in the trainer's log."""
    return Look(_told(app), seconds=LONGEST_LOOK)


def _told(app: Application) -> Callable[[str, int, int], None]:
    """Progress of the run's set-up, and as lines of the trainer's log, every few seconds."""
    told = time.monotonic()

    def progress(doing: str, done: int, total: int) -> None:
        nonlocal told
        app.set_up_progress(doing, done, total)
        if time.monotonic() > told + _LOG_SECONDS:
            told = time.monotonic()
            log(f"{doing}: {done:,} of {total:,}")

    return progress


def _require(data_set: DataSet, data: str, task: str, parameters: SplitParameters) -> None:
    """`DataError` where something is wrong with the data set, or it has not what the task needs."""
    if data_set.kind == "images" and task != "classify":
        # Exports that are not read, such as Pascal VOC, are folders of images as well.
        raise DataError(
            f"the data set {data} has images in folders, and no marks in a format that is read here (COCO, YOLO, "
            f"Supervisely), which the task {task} needs{reading.other_format(data_set.folder)}"
        )
    wrong = reading.serious(data_set, task)
    if wrong and not parameters.skip_bad_images:
        raise DataError(f"the data set {data} has {'; '.join(wrong)} (skip_bad_images: true trains on the rest)")
    has, words = _needs[task]
    if not has(data_set):
        raise DataError(f"the data set {data} ({data_set.kind}) has {words}, which the task {task} needs")
    fit_to_task(data_set, task)
