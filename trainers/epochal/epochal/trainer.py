"""What a trainer is: the manifest it prints, the check it does, and the function that trains."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from epochal.contracts import PROTOCOL
from epochal.errors import DataError, SetUpError
from epochal.parameters import Parameters, as_json, parameter_problems
from epochal.ui.fields import form_problem, layout_problem
from epochal.ui.layout import Container

if TYPE_CHECKING:
    from epochal.application import Application
    from epochal.data_report import DataReport

#: Begins a line on stderr that tells the worker how far a check is.
PROGRESS = "epochal progress: "


@dataclass(frozen=True)
class Metric:
    """A number that every epoch reports."""

    name: str
    description: str
    unit: str | None = None


@dataclass(frozen=True)
class Dataset:
    """A kind of data set that the trainer reads, e.g. `Dataset("coco", "A folder with annotations.json …")`."""

    kind: str
    description: str


@dataclass(frozen=True)
class Problem:
    """Something wrong with a configuration: `message` is a clause that follows "<field> is <value>: "."""

    field: str
    value: Any
    message: str


@dataclass
class Check:
    """What a check is asked beside the configuration, and where it tells what the data set holds."""

    #: The run's seed: a random split is the one that the run will have.
    seed: int = 0
    #: Every image is to be read and compared, however long that takes.
    deep: bool = False
    #: The last one that was told.
    data_report: DataReport | None = None

    def report(self, report: DataReport) -> None:
        """Tell what the data set holds; also before something about it is refused."""
        self.data_report = report

    def progress(self, doing: str, done: int, total: int) -> None:
        """Tell whoever waits how far it is."""
        print(f"{PROGRESS}{doing}: {done:,} of {total:,}", file=sys.stderr, flush=True)


#: `(data, parameters)`, or with a `Check` as the third.
CheckData = Callable[..., Iterable[Problem]]
Train = Callable[["Application"], None]


@dataclass
class Trainer:
    """The declaration of a trainer. `docs/trainers.md` shows a whole one."""

    name: str
    title: str
    description: str
    metrics: list[Metric]
    #: Metric and direction ("min" or "max") that make a checkpoint the best one.
    best: tuple[str, Literal["min", "max"]]
    parameters: type[Parameters] = Parameters
    #: What `data` may be. Empty: the trainer needs none, and refuses one.
    datasets: list[Dataset] = field(default_factory=list)
    #: Whether the trainer obeys `app.batch_divisor`.
    can_shrink_batch: bool = False
    #: Distributions whose versions are worth knowing, e.g. ["torch", "numpy"].
    packages: list[str] = field(default_factory=list)
    #: Epochs of a run by hand, on a terminal.
    default_epochs: int = 10
    #: How many processes train together with these parameters; each calls the training function.
    processes: Callable[[Any], int] = field(default=lambda _parameters: 1)
    #: What people see of a run beside its curves: `docs/trainer-pages.md`.
    layout: Container | None = None
    #: How the form of a new run arranges the parameters, by `ui.Field` and `ui.Fields`; others come below.
    form: Container | None = None

    def __post_init__(self) -> None:
        self._check_data: CheckData | None = None
        self._train: Train | None = None
        for name, info in self.parameters.model_fields.items():
            if not info.description:
                raise TypeError(f"the parameter {name} of {self.name} has no description")
        for name, wanted, example in (
            ("datasets", Dataset, 'Dataset("coco", "a folder with COCO json files")'),
            ("metrics", Metric, 'Metric("accuracy", "part that was read correctly")'),
        ):
            given = getattr(self, name)
            for one in given if isinstance(given, (list, tuple)) else [given]:
                if not isinstance(one, wanted):
                    raise TypeError(f"{name} of {self.name} has {one!r}: it must be a list of epochal.{example}, …")
        if self.best[0] not in {metric.name for metric in self.metrics}:
            raise TypeError(f"best names {self.best[0]}, which is none of the metrics of {self.name}")
        for name in ("layout", "form"):
            given = getattr(self, name)
            if given is not None and not isinstance(given, Container):
                raise TypeError(f"{name} of {self.name} is {given!r}: it must be an epochal.ui.Container([…])")
        if self.layout and (problem := layout_problem(self.layout)):
            raise TypeError(f"layout of {self.name}: {problem}")
        if self.form:
            schema = self.parameters.model_json_schema()
            if problem := form_problem(self.form, schema, takes_data=bool(self.datasets)):
                raise TypeError(f"form of {self.name}: {problem}")

    def check_data(self, function: CheckData) -> CheckData:
        """Decorator: `function(data, parameters)` yields a `Problem` for whatever is wrong with the data set.

        It runs before a run starts, so it should answer within a second, and import nothing heavy. A function with a
        third parameter gets a `Check`: the run's seed, whether to look at every image, where to tell a `DataReport`.
        """
        self._check_data = function
        return function

    def train(self, function: Train) -> Train:
        """Decorator: `function(app)` is the training."""
        self._train = function
        return function

    def run(self, app: Application) -> None:
        """Call the training function."""
        if self._train is None:
            raise TypeError(f"{self.name} has no training function: decorate one with @trainer.train")
        self._train(app)

    def describe(self) -> dict[str, Any]:
        """The manifest, as `contracts/trainer-manifest.ts` has it."""
        return {
            "protocol": PROTOCOL,
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "parameters": self.parameters.model_json_schema(),
            "datasets": [{"kind": one.kind, "description": one.description} for one in self.datasets],
            "metrics": [
                {"name": one.name, "description": one.description, **({"unit": one.unit} if one.unit else {})}
                for one in self.metrics
            ],
            "best": {"metric": self.best[0], "mode": self.best[1]},
            "canShrinkBatch": self.can_shrink_batch,
            **({"layout": self.layout.described()} if self.layout else {}),
            **({"form": self.form.described()} if self.form else {}),
        }

    def parse(self, parameters: dict[str, Any]) -> Any:
        """The parameters as the trainer's model; raises pydantic's `ValidationError`."""
        return self.parameters.model_validate_json(json.dumps(parameters))

    def parsed_parameters(self, parameters: dict[str, Any]) -> Any:
        """`parse`, of those of a session: `SetUpError` where this version of the trainer does not take them."""
        try:
            return self.parse(parameters)
        except ValidationError as error:
            problems = parameter_problems(error, self.parameters)
            raise SetUpError("; ".join("{field} is {value}: {message}".format(**one) for one in problems)) from error

    def check(self, epochs: Any, parameters: Any, data: Any, asked: Check | None = None) -> dict[str, Any]:
        """Everything that is wrong with a configuration, and the parameters with their defaults filled in.

        With a `dataReport`, where the trainer tells one.
        """
        asked = asked or Check()
        problems: list[dict[str, str]] = []
        if isinstance(epochs, bool) or not isinstance(epochs, int):
            problems.append(_problem("epochs", epochs, "must be a whole number"))
        elif epochs < 1:
            problems.append(_problem("epochs", epochs, "must be at least 1"))
        if data is not None and not isinstance(data, str):
            problems.append(_problem("data", data, "must be a path or a name"))
            data = None
        elif data is not None and not self.datasets:
            problems.append(_problem("data", data, f"must be left out: {self.name} has built-in data"))
        elif data is None and self.datasets:
            kinds = "; or ".join(f"{one.kind}: {one.description}" for one in self.datasets)
            problems.append(_problem("data", data, f"is required ({kinds})"))
        if not isinstance(parameters, dict):
            problems.append(_problem("parameters", parameters, "must be a mapping of names to values"))
            return {"problems": problems, "parameters": {}}
        try:
            parsed = self.parse(parameters)
        except ValidationError as error:
            problems += parameter_problems(error, self.parameters)
            return {"problems": problems, "parameters": {}}
        if not problems and self._check_data:
            try:
                found = list(self._check_data(data, parsed, *([asked] if _takes_check(self._check_data) else [])))
            except DataError as error:
                found = [Problem("data", data, str(error))]
            problems += [_problem(one.field, one.value, one.message) for one in found]
        answer = {"problems": problems, "parameters": {} if problems else parsed.model_dump(mode="json")}
        if asked.data_report:
            answer["dataReport"] = asked.data_report.as_json()
        return answer


def _takes_check(function: CheckData) -> bool:
    """Whether it has a third parameter."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in positional for one in inspect.signature(function).parameters.values()) > 2


def _problem(field_name: str, value: Any, message: str) -> dict[str, str]:
    return {"field": field_name, "value": as_json(value), "message": message}
