"""ultralytics' own training by its own command, with the same configuration and data."""

from __future__ import annotations

import rows

folder, epochs, parameters = rows.arguments("yolov8")

import settings  # noqa: E402

settings.prepare(folder, rank=0)

from shapes_of_bench import as_yolo  # noqa: E402
from training import _same  # noqa: E402
from ultralytics import YOLO  # noqa: E402

data = as_yolo(folder / "data")
configuration = {
    **{name: getattr(parameters, name) for name in _same},
    "data": str(data),
    "epochs": epochs,
    "imgsz": parameters.image_size,
    "batch": parameters.batch_size,
    "nbs": parameters.batch_size,
    "amp": False,
    "device": "cpu",
    "project": str(folder),
}
model = YOLO(f"{parameters.family}{parameters.size}.yaml")
# It fires once more after the end, with the validation of the best weights.
model.add_callback(
    "on_fit_epoch_end",
    lambda trainer: trainer.epoch < epochs and rows.epoch_ended(folder, {"fitness": float(trainer.fitness)}),
)
model.train(**configuration)
