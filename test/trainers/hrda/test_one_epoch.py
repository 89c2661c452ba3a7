"""One epoch on domains as people have them."""

from __future__ import annotations

from pathlib import Path

from conftest import HRDA, SMALL
from heavy_trainers import Start
from one_epoch import Trained, each, trains_or_refuses

CASES = [
    Trained("marks", "train", "03-hrda-turned-by-exif", notes=("EXIF orientation",)),
    Trained("marks", "train", "81-hrda-palette-masks"),
    Trained("marks", "train", "84-hrda-1bit-masks"),
    Trained("marks", "train", "86-hrda-mask-half-size", refused="they must be equal"),
    Trained("left out", "train", "89-hrda-mask-suffix", refused="must have the name of its image"),
    Trained("leaks", "train", "92-hrda-apple-double"),
    Trained("check", "train", "80-hrda-rgb-masks", refused="has 3 channels (RGB)"),
    Trained("check", "train", "83-hrda-0-255-masks", refused="there is nothing to tell apart"),
    Trained("malformed", "train", "90-hrda-mask-one-value-off", refused="has the value 3"),
    Trained("exports", "train", "85-hrda-16bit-classes"),
    Trained("supervisely", "train", "hrda-supervisely-shapes", notes=("pose",)),
    Trained("told", "train", "82-hrda-class-without-pixels", notes=("no pixel of the source", "is car")),
]


@each(CASES)
def test_one_epoch(one: Trained, start: Start, tmp_path: Path) -> None:
    trains_or_refuses(one, start, HRDA, {**SMALL, "iterations_per_epoch": 2}, tmp_path / "data")
