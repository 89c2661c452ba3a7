"""The contracts of `contracts/protocol.ts` and `contracts/checkpoint.ts`, as strict as zod has them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]

_instant = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
_name = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")


def _int(minimum: int) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def _text(limit: int) -> Check:
    return lambda value: isinstance(value, str) and len(value.encode("utf-16-le", "surrogatepass")) // 2 <= limit


def _one_of(*allowed: Any) -> Check:
    return lambda value: value in allowed


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _metrics(value: Any) -> bool:
    return isinstance(value, dict) and all(0 < len(name) <= 200 and _number(one) for name, one in value.items())


def _at(value: Any) -> bool:
    return isinstance(value, str) and bool(_instant.match(value))


def _file(value: Any) -> bool:
    return (
        set(value) == {"path", "size", "sha256"}
        and _int(0)(value["size"])
        and bool(re.fullmatch(r"[0-9a-f]{64}", value["sha256"]))
        and all(part not in ("", ".", "..") for part in value["path"].split("/"))
    )


_phase = _one_of("setUp", "train", "validate", "save", "finish")
_position = {"epoch": _int(0), "batch": _int(0)}
_manifest: dict[str, Check] = {
    "name": lambda value: bool(_name.match(value)),
    **_position,
    "metrics": _metrics,
    "files": lambda value: all(_file(one) for one in value),
    "createdAt": _at,
    "session": _text(1000),
}
_events: dict[str, dict[str, Check]] = {
    "hello": {
        "protocol": _one_of(1),
        "trainer": _text(200),
        "pid": _int(1),
        "versions": lambda value: all(isinstance(one, str) for one in value.values()),
        "devices": lambda value: all({"name"} <= set(one) <= {"name", "memoryBytes"} for one in value),
    },
    "ready": {"resumedFrom": lambda value: value is None or _matches(value, _position)},
    "phase": {"phase": _phase, "epoch": _int(1)},
    "batch": {
        "phase": _one_of("train", "validate"),
        "epoch": _int(1),
        "batch": _int(0),
        "batches": lambda value: value is None or _int(1)(value),
        "metrics": _metrics,
    },
    "epoch": {
        "epoch": _int(1),
        "batches": _int(0),
        "seconds": lambda value: _number(value) and value >= 0,
        "metrics": _metrics,
        "at": _at,
    },
    "checkpoint": {"checkpoint": lambda value: _matches(value, _manifest)},
    "acknowledged": {"command": _one_of("grant", "stop", "checkpoint", "shutdown")},
    "note": {"message": _text(4000)},
    "endedEarly": {"epoch": _int(0), "reason": _text(500)},
    "stopped": {**_position, "batchesAfterStop": _int(0), "finished": lambda value: isinstance(value, bool)},
    "failed": {
        "kind": _one_of("outOfMemory", "nan", "data", "gpuMissing", "setUp", "trainerError"),
        "message": _text(4000),
        "traceback": _text(16_000),
    },
}


def check_event(event: Any) -> None:
    """`AssertionError` for an event that zod would refuse."""
    assert isinstance(event, dict), event
    fields = {name: value for name, value in event.items() if name != "type"}
    assert fields.pop("unattended", True) is True, event
    assert _matches(fields, _events[event["type"]]), event


def check_manifest(manifest: Any) -> None:
    """`AssertionError` for a checkpoint.json that zod would refuse."""
    assert _matches(manifest, _manifest), manifest


def _matches(value: Any, fields: dict[str, Check]) -> bool:
    return (
        isinstance(value, dict) and set(value) == set(fields) and all(fields[name](one) for name, one in value.items())
    )
