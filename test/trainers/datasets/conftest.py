"""Data sets of shapes in every format."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "trainers" / "examples"))

from make_shapes import make

Make = Callable[..., Path]


@pytest.fixture
def shapes(tmp_path: Path) -> Make:
    """Make a small data set of some kind."""
    return lambda kind, **options: make(tmp_path / f"made-{kind}", **{"kind": kind, "count": 12, "size": 64, **options})
