"""Epochal's Python SDK: write a trainer as one file, stop it at any batch, continue it exactly.

A trainer says what it is (`Trainer`), what it can be told (`Parameters`), and trains with an `Application`, which
knows when to stop, what to save and where to continue. `docs/trainers.md` has a complete example.
"""

try:
    import pydantic as _pydantic  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "pydantic":
        raise
    raise ModuleNotFoundError(
        "Epochal's SDK needs pydantic, which is not installed in this Python: run a single file by `uv run <file>`, "
        "which installs what its header names, or install it by `pip install 'pydantic>=2.7,<3'`",
        name="pydantic",
    ) from None

from epochal import stdout_guard

stdout_guard.install()

from epochal import ui  # noqa: E402
from epochal.application import Application  # noqa: E402  (the guard has to come first)
from epochal.arrays import load_arrays, save_arrays  # noqa: E402
from epochal.averages import Average  # noqa: E402
from epochal.command_line import main  # noqa: E402
from epochal.data_report import DataReport  # noqa: E402
from epochal.errors import DataError, GpuMissing, NotFinite, SetUpError, StopException  # noqa: E402
from epochal.parameters import Parameters, parameter  # noqa: E402
from epochal.trainer import Check, Dataset, Metric, Problem, Trainer  # noqa: E402
from epochal.weights_file import weights_problem  # noqa: E402

__version__ = "0.1.0"

__all__ = [
    "Application",
    "Average",
    "Check",
    "DataError",
    "DataReport",
    "Dataset",
    "GpuMissing",
    "Metric",
    "NotFinite",
    "Parameters",
    "Problem",
    "SetUpError",
    "StopException",
    "Trainer",
    "load_arrays",
    "main",
    "parameter",
    "save_arrays",
    "ui",
    "weights_problem",
]
