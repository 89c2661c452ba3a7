"""What is wrong with parameters is said as the configuration's schema says it: `test/contracts/sentences.test.ts`."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from epochal.parameters import Parameters, parameter, parameter_problems
from pydantic import ValidationError, create_model
from trainer_process import REPOSITORY

CASES = json.loads((REPOSITORY / "test" / "contracts" / "sentences.json").read_text())
TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "text": str,
    "numbers": list[int],
    "choice": Literal["a", "b"],
}
ASKED = {"unknown": "widht", "unlike": "quite_other"}


@pytest.mark.parametrize("case", CASES, ids=[case["says"] for case in CASES])
def test_it_is_said_alike(case: dict[str, Any]) -> None:
    field = parameter(description="", **case.get("rules", {}))
    model = create_model("Own", __base__=Parameters, width=(TYPES.get(case["type"], int), field))
    asked = {"width": 1, ASKED[case["type"]]: case["value"]} if case["type"] in ASKED else {"width": case["value"]}
    with pytest.raises(ValidationError) as raised:
        model.model_validate_json(json.dumps(asked))
    said = ["{field} is {value}: {message}".format(**one) for one in parameter_problems(raised.value, model)]
    assert said == [f"parameters.{case['says']}"]
