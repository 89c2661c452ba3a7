"""Data sets as people have them: each case makes one, and says what reading it has to give."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from epochal.errors import DataError


@dataclass(frozen=True)
class Case:
    """A small data set and what has to hold of it."""

    name: str
    #: Writes the data set into this folder, which exists and is empty.
    make: Callable[[Path], object]
    #: Reads it, and asserts what has to hold.
    expect: Callable[[Path], None]


def refused_by(read: Callable[[Path], object], words: str) -> Callable[[Path], None]:
    """What is read of it is refused in one sentence that matches `words`."""

    def expect(folder: Path) -> None:
        with pytest.raises(DataError, match=words) as raised:
            read(folder)
        assert "\n" not in str(raised.value)

    return expect


def all_cases() -> list[Case]:
    """The `CASES` of every module of this package."""
    modules = [importlib.import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)]
    return [case for module in modules for case in module.CASES]
