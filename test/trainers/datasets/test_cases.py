"""Every data set of `cases/` is read rightly, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases import Case, all_cases


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_case(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    case.make(folder)
    case.expect(folder)
