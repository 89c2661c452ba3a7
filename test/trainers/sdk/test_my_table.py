"""The example of a trainer with a format of its own: it learns from CSV and from Parquet, and refuses what is wrong."""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "trainers" / "examples"))

from conftest import Start
from my_table import trainer
from pyarrow import Table, csv, parquet
from trainer_process import REPOSITORY

MY_TABLE = REPOSITORY / "trainers" / "examples" / "my_table.py"


def _rows(count: int, seed: int) -> dict[str, list[Any]]:
    numbers = random.Random(seed)
    kinds = [numbers.choice(["cat", "dog"]) for _ in range(count)]
    return {
        "weight": [numbers.gauss(-2 if kind == "cat" else 2, 1) for kind in kinds],
        "age": [1] * count,
        "class": kinds,
    }


def _written(folder: Path, suffix: str, train: dict[str, list[Any]], val: dict[str, list[Any]]) -> Path:
    folder.mkdir()
    for part, columns in (("train", train), ("val", val)):
        write = csv.write_csv if suffix == "csv" else parquet.write_table
        write(Table.from_pydict(columns), folder / f"{part}.{suffix}")
    return folder


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_it_learns(start: Start, tmp_path: Path, suffix: str) -> None:
    data = _written(tmp_path / "data", suffix, _rows(400, 1), _rows(100, 2))
    assert trainer.check(2, {}, str(data))["problems"] == []
    run = start(MY_TABLE, epochs=2, data=str(data))
    assert run.end() == 0
    assert run.rows()[-1]["metrics"]["accuracy"] > 0.9


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weight": ["a", "b"]}, "the column weight of .*train.* is string: it must hold numbers"),
        ({"weight": [1.0, None]}, "the column weight of .*train.* has no value in row 2"),
        ({"class": ["cat", "cow"]}, "val has the classes dog, which train has not"),
        ({"size": [1, 2]}, "train and val must have the same columns: size is in one"),
        ({"class": None}, "has no column class"),
    ],
    ids=["text", "missing", "unknown class", "other columns", "no target"],
)
def test_what_is_wrong_is_refused(tmp_path: Path, suffix: str, change: dict[str, Any], words: str) -> None:
    right = {"weight": [1.0, 2.0], "age": [1, 2], "class": ["cat", "dog"]}
    wrong = {name: values for name, values in {**right, **change}.items() if values}
    data = _written(tmp_path / "data", suffix, wrong, right)
    (problem,) = trainer.check(1, {}, str(data))["problems"]
    assert problem["field"] == "data"
    assert re.search(words, problem["message"])


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 cut off")
    (problem,) = trainer.check(1, {}, str(tmp_path))["problems"]
    assert "train.parquet cannot be read" in problem["message"]
    (tmp_path / "train.parquet").unlink()
    (problem,) = trainer.check(1, {}, str(tmp_path))["problems"]
    assert problem["message"].endswith("must have train.csv or train.parquet: it has none of both")
