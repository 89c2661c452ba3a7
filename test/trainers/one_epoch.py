"""Data sets as people have them, each trained for one epoch by a real trainer, or refused by its check in a sentence.

One of them is trained in every run of the tests. `--every-kind` trains all:

    npm run test:trainers -- yolov8 -- -k one_epoch --every-kind -rP
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from heavy_trainers import Start, check, ended_well

sys.path.append(str(Path(__file__).parent / "datasets"))

#: The kinds of trouble that data sets bring, as `docs/data-sets.md` has them.
KINDS = ("marks", "left out", "leaks", "check", "malformed", "exports", "supervisely", "told")


@dataclass(frozen=True)
class Trained:
    """A case of `datasets/cases`, and what becomes of it."""

    kind: str
    #: Module and name of the case.
    module: str
    case: str
    #: What the check says in its sentence; empty: the case is trained.
    refused: str = ""
    #: What the notes of the run say.
    notes: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)


def pytest_addoption(parser: pytest.Parser) -> None:
    """For the conftest of a trainer's tests."""
    parser.addoption(
        "--every-kind", action="store_true", help="train one epoch on a case of each kind, not on one case"
    )


def each(cases: list[Trained]) -> Any:
    """Parametrises a test by `one`; all but the first are left out unless all were asked for."""
    unknown = {one.kind for one in cases} - set(KINDS)
    assert not unknown, unknown
    return pytest.mark.parametrize(
        "one",
        [
            pytest.param(one, id=f"{one.kind}: {one.case}", marks=[pytest.mark.every_kind] if index else [])
            for index, one in enumerate(cases)
        ],
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what was not asked for: deselected, not skipped."""
    if config.getoption("--every-kind"):
        return
    left_out = [item for item in items if item.get_closest_marker("every_kind")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_configure(config: pytest.Config) -> None:
    """Names the mark."""
    config.addinivalue_line("markers", "every_kind: runs with --every-kind only")


def trains_or_refuses(one: Trained, start: Start, trainer: Path, parameters: dict[str, Any], folder: Path) -> None:
    """Make the data set, ask the trainer's check, and train one epoch of what it lets through."""
    cases = {case.name: case for case in importlib.import_module(f"cases.{one.module}").CASES}
    folder.mkdir()
    cases[one.case].make(folder)
    asked = {**parameters, **one.parameters}
    problems = check(trainer, folder, **asked)
    if one.refused:
        assert problems, "it was not refused"
        assert any(one.refused in problem["message"] for problem in problems), problems
        assert all("\n" not in problem["message"] for problem in problems), problems
        print(f"refused: {problems[0]['message']}")
        return
    assert problems == [], problems[0]["message"]
    run = ended_well(start(run="one-epoch", data=str(folder), epochs=1, parameters=asked), 1)
    told = [event["message"] for event in run.of("note")]
    _names_what_is_not_loaded(json.loads((run.folder / "data-report.json").read_text()), told)
    assert [words for words in one.notes if not any(words in note for note in told)] == [], told
    _shows_pages(run.folder)
    print("trained:", json.dumps(run.rows()[0]["metrics"]), *told, sep="\n  ")


def _shows_pages(folder: Path) -> None:
    """Images with a caption, and nothing that could not be shown."""
    rows = [json.loads(line) for line in (folder / "pages.jsonl").read_text().splitlines()]
    assert [row for row in rows if "problem" in row] == []
    (grid,) = (row for row in rows if row["widget"] == "predictions")
    shown = grid["value"] if "value" in grid else json.loads((folder / grid["file"]).read_text())
    assert shown["images"]
    assert all(image["file"] and image["caption"] for image in shown["images"]), shown
    # Others are found where the training is long enough.
    assert {"predictions", "confusion", "precision"} & {row["widget"] for row in rows} - {"predictions"}


def _names_what_is_not_loaded(report: dict[str, Any], told: list[str]) -> None:
    """What the framework has loaded stands beside what the split promised, and the rest is a finding and a note."""
    if report["kind"] == "domains":
        return  # hrda discards nothing
    promised = [one for one in report["splits"] if one["role"] != "unused"]
    missing = sum(one["images"] - one["loaded"]["images"] for one in promised)
    found = sum(one["count"] for one in report["findings"] if one["kind"].startswith("image discarded by"))
    assert missing == found, report
    assert bool(missing) == any("images" in note and " discards " in note for note in told), told
