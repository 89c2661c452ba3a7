"""TensorBoard event files, written without TensorBoard: scalars by step, in a file that any of its versions reads.

Every trainer's epochs are in `artifacts/tensorboard/` by themselves. For scalars of one's own:

    events = EventFile(Path(app.get_synced_data_dir(), "tensorboard", "batches"))
    events.add(step, {"loss": loss})

The format is TensorFlow's: records of (length, its checksum, an `Event` message, its checksum), little-endian.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

#: Read by TensorBoard as the beginning of a file of its second version.
_VERSION = "brain.Event:2"


class EventFile:
    """One event file in a folder, which is made when the first scalar is added."""

    def __init__(self, folder: Path, name: str = "events.out.tfevents.0.epochal") -> None:
        self._path = folder / name

    def add(self, step: int, scalars: Mapping[str, float], seconds: float | None = None) -> None:
        """Append scalars of one step; `seconds` since 1970, by default now."""
        at = time.time() if seconds is None else seconds
        record = _scalars(at, step, scalars)
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            record = _version(at) + record
        with open(self._path, "ab") as file:
            file.write(record)

    def replace(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write the file anew with rows of `metrics.jsonl`, each epoch once; remove it where there are none."""
        whole = (row for row in rows if {"at", "metrics"} <= row.keys())
        records = [_scalars(seconds_of(row), row["epoch"], row["metrics"]) for row in whole]
        if not records:
            self._path.unlink(missing_ok=True)
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(f".{self._path.name}.tmp")
        beside.write_bytes(_version(0.0) + b"".join(records))
        os.replace(beside, self._path)


def seconds_of(row: Mapping[str, Any]) -> float:
    """When a row of `metrics.jsonl` was written, in seconds since 1970."""
    return datetime.fromisoformat(row["at"].replace("Z", "+00:00")).timestamp()


def _version(at: float) -> bytes:
    return _record(_double(1, at) + _bytes(3, _VERSION.encode()))


def _scalars(at: float, step: int, scalars: Mapping[str, float]) -> bytes:
    values = b"".join(
        _bytes(1, _bytes(1, name.encode()) + bytes([2 << 3 | 5]) + struct.pack("<f", value))
        for name, value in scalars.items()
    )
    return _record(_double(1, at) + bytes([2 << 3]) + _varint(step) + _bytes(5, values))


def _record(message: bytes) -> bytes:
    length = struct.pack("<Q", len(message))
    return length + _checksum(length) + message + _checksum(message)


def _double(field: int, value: float) -> bytes:
    return bytes([field << 3 | 1]) + struct.pack("<d", value)


def _bytes(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def _table() -> list[int]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return table


_crc32c_table = _table()


def _checksum(content: bytes) -> bytes:
    """CRC-32C, rotated and shifted as TFRecord has it."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ _crc32c_table[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", (crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF)
