"""What a trainer process is started with: `session.json`, as `contracts/protocol.ts` has it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import ConfigDict, ValidationError

from epochal.contracts import SessionFile
from epochal.errors import SetUpError


class Session(SessionFile):
    """One trainer process: what to train, where to write, where to continue."""

    model_config = ConfigDict(frozen=True, strict=True)

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
