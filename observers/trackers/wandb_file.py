"""The file of an offline run of Weights & Biases, as `wandb sync` sends it: what is in it already."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

#: Of a row: the epoch's number, and when it was complete, in milliseconds since 1970. `epoch` is every chart's x axis.
EPOCH, AT = "epoch", "epochal/at"
#: Of a row that is not of an epoch: its batch in the run, or the seconds since its host was first measured.
BATCH, HOST = "epochal/batch", "epochal/host_seconds"


@dataclass
class Kept:
    """What W&B has of a run."""

    summary: dict[str, Any] = field(default_factory=dict)
    #: Of an offline run alone: its rows in order.
    rows: list[dict[str, Any]] = field(default_factory=list)
    #: Those of a person, or ours.
    notes: str = ""


def read_offline(file: Path) -> Kept:
    """All of an offline run, from the file that `wandb sync` sends."""
    kept = Kept()
    for record in _records(file) if file.exists() else ():
        kind = record.WhichOneof("record_type")
        if kind == "history":
            row = _values(record.history.item)
            if {AT, BATCH, HOST} & row.keys():
                # These count anew in another file.
                kept.rows.append({key: value for key, value in row.items() if key not in ("_step", "_runtime")})
        elif kind == "summary":
            kept.summary |= _values(record.summary.update)
        elif kind == "run":
            kept.notes = record.run.notes or kept.notes
    return kept


def is_whole(file: Path) -> bool:
    """Whether it has the run's end, which a process of the client's writes after `finish` has returned."""
    try:
        return any(record.WhichOneof("record_type") == "exit" for record in _records(file))
    except ValueError:
        return False


def _values(items: Any) -> dict[str, Any]:
    """Those that are no part of another value."""
    named = [((item.nested_key or [item.key]), item.value_json) for item in items]
    return {path[0]: json.loads(value) for path, value in named if len(path) == 1}


#: A file of LevelDB's log format behind W&B's own header: blocks, in which no part of a record goes over an end.
HEADER, BLOCK, PART = 7, 32768, struct.Struct("<IHB")


def _records(file: Path) -> Iterator[Record]:
    data = file.read_bytes()
    at, parts = HEADER, b""
    while at + PART.size <= len(data):
        left = BLOCK - at % BLOCK
        if left < PART.size:
            at += left
            continue
        checksum, length, kind = PART.unpack_from(data, at)
        at += PART.size
        part = data[at : at + length]
        at += length
        if len(part) < length or zlib.crc32(part, zlib.crc32(bytes([kind]))) != checksum:
            raise ValueError(f"{file} is damaged: remove it, and the run's end tells all of it anew")
        # 1: all of a record; 2, 3, 4: its first part, those between, its last.
        parts = part if kind in (1, 2) else parts + part
        if kind in (1, 4):
            yield Record.FromString(parts)
