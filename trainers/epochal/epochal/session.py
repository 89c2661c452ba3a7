"""What a trainer process is started with: `session.json`, as `contracts/protocol.ts` has it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from epochal.errors import SetUpError
from epochal.parameters import parameter_problems

if TYPE_CHECKING:
    from epochal.trainer import Trainer


class Session(BaseModel):
    """One trainer process: what to train, where to write, where to go on."""

    # A worker of a later version may tell more.
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True)

    protocol: Literal[1]
    run: str
    session: str
    run_folder: str
    epochs: int = Field(ge=1)
    ends_after: int | None = Field(default=None, ge=0)
    parameters: dict[str, Any]
    data: str | None
    seed: int = Field(ge=0)
    every_batches: int = Field(ge=0)
    resume_from: str | None
    keep_progress: bool
    batch_divisor: int = Field(ge=1)

    @property
    def folder(self) -> Path:
        """The run folder."""
        return Path(self.run_folder)


def read_session() -> Session:
    """The session that the worker wrote; `SetUpError` where there is none or it is not in the protocol."""
    path = os.environ.get("EPOCHAL_SESSION")
    if not path:
        raise SetUpError("EPOCHAL_SESSION is not set: run the trainer by `python trainer.py train`, or by a worker")
    try:
        return Session.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise SetUpError(f"the session file {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in detail["loc"]) or "the file"
        found = json.dumps(detail["input"], default=str)[:80]
        raise SetUpError(f"{where} of the session file {path} is {found}: {detail['msg']}") from error


def parsed_parameters(trainer: Trainer, session: Session) -> Any:
    """The session's parameters as the trainer's model; `SetUpError` where this version of it does not take them."""
    try:
        return trainer.parse(session.parameters)
    except ValidationError as error:
        problems = parameter_problems(error, trainer.parameters)
        raise SetUpError("; ".join("{field} is {value}: {message}".format(**one) for one in problems)) from error
