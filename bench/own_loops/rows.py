"""What the frameworks' own loops share: arguments, the trainer's own modules, and when each epoch ended."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

from epochal.checkpoints import now

os.environ.setdefault("OMP_NUM_THREADS", "1")


def arguments(trainer: str) -> tuple[Path, int, Any]:
    """Usage: <trainer>_loop.py FOLDER EPOCHS PARAMETERS_JSON. The trainer's folder is put on the path of modules."""
    place = Path(__file__).parents[2] / "trainers" / trainer
    sys.path.insert(0, str(place))
    spec = importlib.util.spec_from_file_location(f"{trainer}_trainer", place / "trainer.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{place} has no trainer")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return Path(sys.argv[1]), int(sys.argv[2]), module.Parameters(**json.loads(sys.argv[3]))


def epoch_ended(folder: Path, metrics: dict[str, float]) -> None:
    """Note it as the service does: a row, flushed to the disk."""
    with open(folder / "metrics.jsonl", "a", encoding="utf-8") as rows:
        rows.write(json.dumps({"at": now(), "metrics": metrics}) + "\n")
        rows.flush()
        os.fsync(rows.fileno())
