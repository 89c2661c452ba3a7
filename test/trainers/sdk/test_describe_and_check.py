"""What a trainer says of itself and of a configuration, before anything runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import epochal
import pytest
from trainer_process import REPOSITORY

COUNTER = REPOSITORY / "test" / "trainers" / "counter.py"
DIGITS = REPOSITORY / "trainers" / "digits" / "trainer.py"
MY_TRAINER = REPOSITORY / "trainers" / "examples" / "my_trainer.py"
ENVIRONMENT = {"PYTHONPATH": str(REPOSITORY / "trainers" / "epochal"), "PATH": "/usr/bin:/bin"}


def _ask(script: Path, verb: str, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {**ENVIRONMENT, **environment}
    done = subprocess.run(
        [sys.executable, str(script), verb], input=text, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def _run(script: Path, verb: str, text: str = "") -> str:
    return _ask(script, verb, text).stdout


def _check(script: Path, epochs: Any = 1, parameters: Any = None, data: Any = None) -> dict[str, Any]:
    text = json.dumps({"epochs": epochs, "parameters": {} if parameters is None else parameters, "data": data})
    answer = _run(script, "check", text)
    assert answer.count("\n") == 1
    checked = json.loads(answer)
    assert set(checked) == {"problems", "parameters"}
    assert not (checked["problems"] and checked["parameters"])
    return checked


def _sentences(checked: dict[str, Any]) -> list[str]:
    assert all(set(one) == {"field", "value", "message"} for one in checked["problems"])
    return ["{field} is {value}: {message}".format(**one) for one in checked["problems"]]


@pytest.mark.parametrize("script", [COUNTER, DIGITS, MY_TRAINER])
def test_the_manifest(script: Path) -> None:
    manifest = json.loads(_run(script, "describe"))
    assert set(manifest) == {
        "protocol", "name", "title", "description", "parameters", "datasets", "metrics", "best", "canShrinkBatch",
        *(["layout"] if script == DIGITS else []),
    }  # fmt: skip
    assert manifest["protocol"] == 1
    assert manifest["best"]["metric"] in {metric["name"] for metric in manifest["metrics"]}
    for name, field in manifest["parameters"]["properties"].items():
        assert field["title"], name
        assert field["description"], name
        assert "default" in field or name in manifest["parameters"]["required"]
    assert manifest["parameters"]["additionalProperties"] is False


def test_a_parameter_has_its_range_and_unit() -> None:
    delay = json.loads(_run(DIGITS, "describe"))["parameters"]["properties"]["batch_delay_seconds"]
    assert (delay["minimum"], delay["maximum"], delay["default"], delay["unit"]) == (0, 10, 0.0, "s")


def test_a_path_is_told_by_its_format() -> None:
    stamps = json.loads(_run(COUNTER, "describe"))["parameters"]["properties"]["stamps"]
    assert (stamps["type"], stamps["format"], stamps["default"]) == ("string", "path", "")


def test_they_answer_without_what_they_train_with() -> None:
    """So they answer at once: an import of scikit-learn alone takes seconds."""
    imported = _ask(DIGITS, "describe", PYTHONPROFILEIMPORTTIME="1").stderr
    assert "epochal.trainer" in imported
    assert "sklearn" not in imported


def test_defaults_are_filled_in() -> None:
    checked = _check(DIGITS, 3, {"batch_size": 64})
    assert checked["problems"] == []
    assert checked["parameters"]["batch_size"] == 64
    assert checked["parameters"]["hidden_layers"] == [128]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"epochs": 0}, "epochs is 0: must be at least 1"),
        ({"epochs": True}, "epochs is true: must be"),
        ({"epochs": 1.5}, "epochs is 1.5: must be"),
        ({"epochs": None}, "epochs is null: must be"),
        ({"data": "x"}, 'data is "x": must be left out: digits has built-in data'),
        ({"data": 3}, "data is 3: must be a path or a name"),
        ({"parameters": []}, "parameters is []: must be a mapping"),
        ({"parameters": "x"}, 'parameters is "x": must be a mapping'),
        ({"parameters": {"learning_rate": 0}}, "parameters.learning_rate is 0: must be more than 0"),
        ({"parameters": {"learning_rate": "0.1"}}, 'parameters.learning_rate is "0.1": must be a number'),
        ({"parameters": {"learning_rate": 2}}, "parameters.learning_rate is 2: must be at most 1"),
        ({"parameters": {"learning_rate": True}}, "parameters.learning_rate is true: must be a number"),
        ({"parameters": {"learning_rate": None}}, "parameters.learning_rate is null: must be a number"),
        ({"parameters": {"batch_size": 0}}, "parameters.batch_size is 0: must be at least 1"),
        ({"parameters": {"batch_size": 1.5}}, "parameters.batch_size is 1.5: must be a whole number"),
        ({"parameters": {"batch_size": 10**30}}, "must be at most 1437"),
        ({"parameters": {"hidden_layers": []}}, "parameters.hidden_layers is []: must not be empty"),
        ({"parameters": {"hidden_layers": 5}}, "parameters.hidden_layers is 5: must be a list"),
        ({"parameters": {"hidden_layers": [8, "x"]}}, 'parameters.hidden_layers[1] is "x": must be a whole number'),
        ({"parameters": {"hidden_layers": [0]}}, "parameters.hidden_layers[0] is 0: must be between 1 and 4096"),
        ({"parameters": {"batchSize": 3}}, "parameters.batchSize is 3: unknown field; did you mean batch_size?"),
        ({"parameters": {"__class__": {}}}, "unknown field; known fields are"),
    ],
)
def test_what_is_wrong_is_said(asked: dict[str, Any], sentence: str) -> None:
    (said,) = _sentences(_check(DIGITS, **asked))
    assert sentence in said


def test_everything_wrong_is_said_at_once() -> None:
    sentences = _sentences(_check(DIGITS, 0, {"l2": -1, "x": 1}, "y"))
    assert len(sentences) == 4


def test_a_choice_and_a_long_value() -> None:
    (choice,) = _sentences(_check(COUNTER, parameters={"fail_kind": "x" * 500}))
    assert 'must be "error", "oom"' in choice
    assert len(choice) < 300
    (pattern,) = _sentences(_check(COUNTER, parameters={"fail_at": "soon"}))
    assert pattern.startswith('parameters.fail_at is "soon": ')


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"epochs": 1, "surprise": 2}'])
def test_a_question_that_is_none(text: str) -> None:
    checked = json.loads(_run(DIGITS, "check", text))
    assert len(checked["problems"]) == 1


def test_stdout_is_the_answer_alone(tmp_path: Path) -> None:
    script = tmp_path / "noisy.py"
    script.write_text(
        """
import epochal
import os
print("an import that prints")
os.write(1, b"native output")
import atexit
atexit.register(lambda: print("at exit"))
class Parameters(epochal.Parameters):
    size: int = epochal.parameter(description="required")
trainer = epochal.Trainer(name="noisy", title="", description="", metrics=[epochal.Metric("m", "")],
    best=("m", "min"), parameters=Parameters, datasets=[epochal.Dataset("folder", "a folder of images")])
@trainer.check_data
def check_data(data, parameters):
    print("a check that prints")
    if data == "/broken":
        raise epochal.DataError("must be a folder of images")
    if data != "/there":
        yield epochal.Problem("data", data, "must be /there")
epochal.main(trainer)
print("after main")
"""
    )
    assert json.loads(_run(script, "describe"))["name"] == "noisy"
    assert _sentences(_check(script)) == [
        "data is null: is required (folder: a folder of images)",
        "parameters.size is missing: is required",
    ]
    assert _sentences(_check(script, 1, {"size": 1}, "/here")) == ['data is "/here": must be /there']
    assert _sentences(_check(script, 1, {"size": 1}, "/broken")) == ['data is "/broken": must be a folder of images']
    assert _check(script, 1, {"size": 1}, "/there") == {"problems": [], "parameters": {"size": 1}}


@pytest.mark.parametrize(
    ("lists", "sentence"),
    [
        ({"datasets": ["coco"]}, "datasets of t has 'coco': it must be a list of epochal.Dataset("),
        ({"datasets": "coco"}, "datasets of t has 'coco': it must be a list of epochal.Dataset("),
        ({"metrics": [{"name": "loss"}]}, "metrics of t has {'name': 'loss'}: it must be a list of epochal.Metric("),
    ],
)
def test_lists_of_something_else_are_refused(lists: dict[str, Any], sentence: str) -> None:
    declared = {"metrics": [epochal.Metric("loss", "Mean loss")], **lists}
    with pytest.raises(TypeError, match=re.escape(sentence)):
        epochal.Trainer(name="t", title="T", description="D", best=("loss", "min"), **declared)


def test_a_check_may_tell_what_the_data_set_holds(tmp_path: Path) -> None:
    """It is asked with the run's seed, and a report is told of a data set that is refused, too."""
    script = tmp_path / "telling.py"
    script.write_text(
        """
import epochal
trainer = epochal.Trainer(name="telling", title="", description="", metrics=[epochal.Metric("m", "")],
    best=("m", "min"), datasets=[epochal.Dataset("rows", "a file of rows")])
@trainer.check_data
def check_data(data, parameters, check):
    check.progress("rows", 1, 2)
    check.report(epochal.DataReport(kind="rows", folder=data, images=check.seed, objects=int(check.deep)))
    if data == "/refused":
        raise epochal.DataError("has no rows")
    return []
epochal.main(trainer)
"""
    )
    asked = {"epochs": 1, "parameters": {}, "data": "/rows", "seed": 7, "deep": True}
    done = _ask(script, "check", json.dumps(asked))
    assert "epochal progress: rows: 1 of 2\n" in done.stderr
    told = json.loads(done.stdout)
    assert (told["problems"], told["dataReport"]["images"], told["dataReport"]["objects"]) == ([], 7, 1)
    refused = json.loads(_run(script, "check", json.dumps({**asked, "data": "/refused", "deep": False})))
    assert _sentences(refused) == ['data is "/refused": has no rows']
    assert (refused["dataReport"]["folder"], refused["dataReport"]["objects"]) == ("/refused", 0)
    (sentence,) = _sentences(json.loads(_run(script, "check", json.dumps({**asked, "seed": "x"}))))
    assert "must have a whole number as its seed" in sentence
