"""`metrics.jsonl`: one row for each complete epoch, each epoch once, in order."""

import json
import os
from pathlib import Path
from typing import Any

from epochal.durable_files import replace_synced, sync
from epochal.tensorboard import EventFile, seconds_of


class MetricsFile:
    """The metrics of a run, on disk before the checkpoint of their epoch is; and the same for TensorBoard."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._events = EventFile(path.parent / "artifacts" / "tensorboard")

    def cut_back(self, epochs: int) -> None:
        """Keep the rows of the first `epochs` epochs; drop those after, and a last line that was half-written."""
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            self._events.replace([])
            return
        kept: dict[int, bytes] = {}
        for line in text.split(b"\n"):
            try:
                epoch = json.loads(line)["epoch"]
            except (ValueError, KeyError, TypeError):
                continue
            if isinstance(epoch, int) and epoch <= epochs:
                kept[epoch] = line + b"\n"
        wanted = b"".join(kept[epoch] for epoch in sorted(kept))
        if wanted != text:
            replace_synced(self._path, wanted)
        self._events.replace(json.loads(kept[epoch]) for epoch in sorted(kept))

    def append(self, row: dict[str, Any]) -> None:
        """Add a row and flush it."""
        is_new = not self._path.exists()
        with open(self._path, "ab") as file:
            file.write(json.dumps(row, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync(self._path.parent)
        self._events.add(row["epoch"], row["metrics"], seconds_of(row))
