"""Sets up ultralytics so that it works offline, keeps its files in the run folder, and installs nothing by itself."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def prepare(run_folder: Path, rank: int) -> None:
    """Before the first import of ultralytics. Each process of a training has files of its own."""
    settings = run_folder / (f"ultralytics-{rank}" if rank else "ultralytics")
    settings.mkdir(exist_ok=True)
    os.environ["YOLO_CONFIG_DIR"] = str(settings)
    os.environ["YOLO_OFFLINE"] = "true"
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ.setdefault("MPLBACKEND", "Agg")
    _put_font(settings)


#: Trackers to which ultralytics logs wherever their package is installed, and its own server.
INTEGRATIONS = ("clearml", "comet", "dvc", "hub", "mlflow", "neptune", "raytune", "sync", "tensorboard", "wandb")


def without_integrations() -> None:
    """Before a trainer is made: the worker tells trackers of runs, and theirs would be a second one there."""
    from ultralytics.utils import SETTINGS

    SETTINGS.update({name: False for name in INTEGRATIONS if name in SETTINGS})


def _put_font(settings: Path) -> None:
    """ultralytics downloads Arial for its plots: matplotlib's own font takes its place."""
    from matplotlib import get_data_path

    font = Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    places = [settings / "Arial.ttf", settings / "Arial.Unicode.ttf"]
    # ultralytics makes a folder `Ultralytics` of its own in some settings, and looks for fonts there.
    for place in [*places, *(settings / "Ultralytics" / place.name for place in places)]:
        place.parent.mkdir(exist_ok=True)
        if not place.exists():
            shutil.copyfile(font, place)
