"""What a trainer tells is in the contracts, and nothing else."""

from __future__ import annotations

import json
from typing import Any

from epochal.contracts import CheckpointManifest, Event
from pydantic import TypeAdapter

_event: TypeAdapter[Any] = TypeAdapter(Event)
#: Texts that have a limit in the contracts: zod counts UTF-16 units, pydantic counts characters.
_limits = {"message": 4000, "traceback": 16_000, "reason": 500}


def check_event(event: Any) -> None:
    """Raises for an event that zod would refuse."""
    # Half a character, which a trainer may have raised an error with, is text to zod and none to pydantic.
    shown = json.loads(json.dumps(event, ensure_ascii=False).encode("utf-8", "replace"))
    _event.validate_python(shown, strict=True, extra="forbid")
    for name, limit in _limits.items():
        assert len(event.get(name, "").encode("utf-16-le", "surrogatepass")) // 2 <= limit, event
    if event["type"] == "checkpoint":
        check_manifest(event["checkpoint"])


def check_manifest(manifest: Any) -> None:
    """Raises for a checkpoint.json that zod would refuse."""
    CheckpointManifest.model_validate(manifest, strict=True, extra="forbid")
    for file in manifest["files"]:
        assert all(part not in ("", ".", "..") for part in file["path"].split("/")), manifest
