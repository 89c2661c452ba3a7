"""What can go wrong in a trainer, told apart as the protocol's `failed` event tells it."""

import errno
import os
import sys
import traceback
from pathlib import Path

MESSAGE_LIMIT = 4_000
TRACEBACK_LIMIT = 16_000


class StopException(BaseException):
    """The training ends here because somebody asked for it; its state is saved.

    Not an `Exception`: `except Exception` around a batch must not swallow a stop.
    """


class TrainerError(Exception):
    """An error whose kind is known."""

    kind = "trainerError"


class DataError(TrainerError):
    """The data set is missing, unreadable or wrong. Training is not tried again."""

    kind = "data"


class GpuMissing(TrainerError):
    """There is no GPU where the trainer needs one. Training is not tried again."""

    kind = "gpuMissing"


class SetUpError(TrainerError):
    """The trainer cannot be set up. Training is not tried again."""

    kind = "setUp"


class NotFinite(TrainerError):
    """A metric became NaN or infinite."""

    kind = "nan"

    def __init__(self, name: str, value: float) -> None:
        super().__init__(f"{name} became {value}")


def shortened(text: str, limit: int, *, keep_end: bool = False) -> str:
    """`text` in at most `limit` UTF-16 units, which is how the worker counts."""
    if len(text) * 2 <= limit:
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) // 2 <= limit:
        return text
    room = (limit - 1) * 2
    cut = units[-room:] if keep_end else units[:room]
    kept = cut.decode("utf-16-le", "ignore")
    return f"…{kept}" if keep_end else f"{kept}…"


def failure_kind(error: BaseException, *, is_ready: bool) -> str:
    """The protocol's kind for an exception; `is_ready` is whether set-up was over when it was raised."""
    if isinstance(error, TrainerError):
        return error.kind
    if _is_out_of_memory(error):
        return "outOfMemory"
    if isinstance(error, ImportError) and not is_ready:
        return "setUp"
    return "trainerError"


def failure_message(error: BaseException) -> str:
    """One sentence for a person."""
    if isinstance(error, TrainerError):
        return shortened(str(error) or type(error).__name__, MESSAGE_LIMIT)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" while writing {error.filename}" if error.filename else ""
        return shortened(f"the disk is full{where}", MESSAGE_LIMIT)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return shortened(_missing_module(error.name), MESSAGE_LIMIT)
    text = str(error).strip()
    name = type(error).__name__
    return shortened(f"{name}: {text}" if text else name, MESSAGE_LIMIT)


def _missing_module(name: str) -> str:
    """What is not installed, and how to install it: by hand nobody has made an environment for the trainer."""
    where = f"the module {name} is not installed in {sys.executable}"
    file = Path(sys.argv[0])
    requirements = file.with_name("requirements.txt")
    if os.environ.get("EPOCHAL_SESSION"):
        return f"{where}: add its package to {requirements}, or to the PEP 723 header of {file.name}"
    if requirements.is_file():
        return f"{where}: install the trainer's packages by `pip install -r {requirements}`"
    return f"{where}: run it by `uv run {file}`, which installs what its header names, or install its package by pip"


def failure_traceback(error: BaseException) -> str:
    """The end of the traceback, which is the part that names the line."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return shortened("".join(lines), TRACEBACK_LIMIT, keep_end=True)


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    # torch is not imported here: its error is known by its name, and older releases by their words alone.
    if any(base.__name__ == "OutOfMemoryError" for base in type(error).__mro__):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
