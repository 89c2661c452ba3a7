"""Data sets of shapes in every format."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[3] / "trainers" / "examples"))

from epochal.errors import DataError
from make_shapes import make

Make = Callable[..., Path]


@pytest.fixture
def shapes(tmp_path: Path) -> Make:
    """Make a small data set of some kind."""
    return lambda kind, **options: make(tmp_path / f"made-{kind}", **{"kind": kind, "count": 12, "size": 64, **options})


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is kept of made data sets has no place in the machine's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["EPOCHAL_CACHE_DIR"] = str(folder)
    return folder


def assert_one_can_act_upon(refusal: DataError, which: str, longest: int) -> None:
    """It is one sentence, and about the data set. `which`: the input that was refused."""
    sentence = str(refusal)
    assert "\n" not in sentence, which
    assert len(sentence) < longest, which
    # What no reader had thought of is a sentence, too, but one that nobody can act upon.
    assert not re.search(r"\b\w+Error\b|cannot be read as", sentence), f"{which}: {sentence}"
