"""The digits training without the service: the same arithmetic, batches and checkpoints, in a plain loop.

Usage: bare_digits.py FOLDER EPOCHS PARAMETERS_JSON
Writes FOLDER/metrics.jsonl with the time at which each epoch ended.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np
from epochal.checkpoints import CheckpointFolder, Position, now


def load_trainer() -> object:
    """The trainer's own module: the benchmark must not have arithmetic of its own."""
    path = Path(__file__).parents[1] / "trainers" / "digits" / "trainer.py"
    spec = importlib.util.spec_from_file_location("digits_trainer", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["digits_trainer"] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Train, and save after each epoch what the trainer would save."""
    folder, epochs, parameters = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    digits = load_trainer()
    wanted = digits.Parameters(**parameters)
    images, labels, val_images, val_labels = digits.load_data(wanted.validation_fraction, 0)
    model = digits.make_model(wanted, images, labels, 0)
    checkpoints = CheckpointFolder(folder / "checkpoints", "bare")
    size = wanted.batch_size
    with open(folder / "metrics.jsonl", "a", encoding="utf-8") as rows:
        for epoch in range(1, epochs + 1):
            order = np.random.default_rng(epoch).permutation(len(images))
            loss = 0.0
            for first in range(0, len(images), size):
                chosen = order[first : first + size]
                loss += digits.train_batch(model, images[chosen], labels[chosen]) * len(chosen)
            right = 0
            for first in range(0, len(val_images), digits.VALIDATION_BATCH):
                chunk = slice(first, first + digits.VALIDATION_BATCH)
                right += int((model.predict_proba(val_images[chunk]).argmax(axis=1) == val_labels[chunk]).sum())
            metrics = {"train_loss": loss / len(images), "val_accuracy": right / len(val_images)}
            rows.write(json.dumps({"epoch": epoch, "at": now(), "metrics": metrics}) + "\n")
            rows.flush()
            os.fsync(rows.fileno())
            checkpoints.write(Position(epoch, 0), metrics, {}, lambda place: digits.save(model, place))


if __name__ == "__main__":
    main()
