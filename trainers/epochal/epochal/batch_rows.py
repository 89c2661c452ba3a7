"""`batches.jsonl`: what batches logged, of as many of them as there is room for, each position once and in order."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from epochal.checkpoints import Position, now
from epochal.durable_files import replace_synced

#: Rows in the file. Where there are more, every second one goes, and of those to come every second is left out: then
#: every fourth, and so on.
MOST_ROWS = 20_000
#: The same for its bytes: a training may log many metrics.
MOST_BYTES = 16 << 20
_SECONDS_BETWEEN = 1.0
#: No training tells as many batches as would make it more; a damaged row must not keep all that follow out.
_MOST_STRIDE = 1 << 20


def _place_and_stride(line: bytes) -> tuple[tuple[int, int], int] | None:
    """Where a row belongs, and for how many it stands; None for what is no row."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    numbers = (row.get("epoch"), row.get("batch"), row.get("stride", 1))
    if not all(isinstance(number, int) and number >= 1 for number in numbers) or numbers[2] > _MOST_STRIDE:
        return None
    return numbers[:2], numbers[2]


class BatchRows:
    """Rows of the batches that are told, written about once a second, so that no batch waits for a disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0
        self._bytes = 0
        #: Of what is told, every so many-th is a row.
        self._stride = 1
        self._told = 0
        self._pending: list[bytes] = []
        self._write_after = 0.0

    def cut_back(self, position: Position) -> None:
        """Keep the rows of batches up to `position`: those after it are trained again, or by another run."""
        try:
            text = self._path.read_bytes()
        except OSError:
            return
        kept: dict[tuple[int, int], bytes] = {}
        for line in text.split(b"\n"):
            row = _place_and_stride(line)
            if row is None:
                continue
            place, stride = row
            self._stride = max(self._stride, stride)
            if (place[0] - 1, place[1]) <= position:
                kept[place] = line + b"\n"
        # On a full disk the rows stay as they are: what is published is cut back once more.
        with suppress(OSError):
            self._keep([kept[place] for place in sorted(kept)], text)

    def add(self, epoch: int, batch: int, batches: int | None, metrics: Mapping[str, float]) -> None:
        """Batch `batch` of `batches` of epoch `epoch` (1-based) was told with these metrics."""
        if not metrics:
            return
        self._told += 1
        if (self._told - 1) % self._stride:
            return
        row = {"epoch": epoch, "batch": batch, "batches": batches, "at": now(), "metrics": metrics}
        if self._stride > 1:
            row["stride"] = self._stride
        self._pending.append(json.dumps(row, allow_nan=False).encode() + b"\n")
        if time.monotonic() >= self._write_after:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting. A disk that takes none costs these rows, and not the training."""
        self._write_after = time.monotonic() + _SECONDS_BETWEEN
        if not self._pending:
            return
        lines, self._pending = self._pending, []
        try:
            with open(self._path, "ab") as file:
                file.write(b"".join(lines))
            self._count += len(lines)
            self._bytes += sum(map(len, lines))
            if self._is_full:
                self._keep(self._path.read_bytes().splitlines(keepends=True), None)
        except OSError:
            return

    @property
    def _is_full(self) -> bool:
        return self._count > MOST_ROWS or self._bytes > MOST_BYTES

    def _keep(self, lines: list[bytes], before: bytes | None) -> None:
        """The file has these lines, or every so many-th where they are too many. `before`: what it has now."""
        self._count, self._bytes = len(lines), sum(map(len, lines))
        while self._is_full:
            lines = lines[::2] if len(lines) > 1 else []
            self._stride *= 2
            self._count, self._bytes = len(lines), sum(map(len, lines))
        text = b"".join(lines)
        if text != before:
            replace_synced(self._path, text)


class NoBatchRows:
    """Those of a rank that writes none."""

    def cut_back(self, position: Position) -> None:
        """Nothing."""

    def add(self, epoch: int, batch: int, batches: int | None, metrics: Mapping[str, float]) -> None:
        """Nothing."""

    def flush(self) -> None:
        """Nothing."""
