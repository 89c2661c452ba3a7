"""Masks: image files whose values are classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from epochal import DataError
from epochal.datasets.headers import upright
from PIL import Image

#: The value of a pixel that has no class.
IGNORED = 255

#: Files that keep every value as it was written. A mask in a JPEG has values that nobody wrote.
SUFFIXES = (".png", ".bmp", ".tif", ".tiff")

#: Pillow's names for one channel of whole numbers.
_ONE_CHANNEL = frozenset({"1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N"})


def channels_problem(path: Path) -> str | None:
    """What its header says against a mask, as a clause after its name."""
    try:
        with Image.open(path) as mask:
            return _problem(mask)
    except Exception as error:
        # Pillow's readers raise whatever a broken file makes them stumble over.
        return f"cannot be read: {str(error) or type(error).__name__}"


def read_mask(path: Path) -> np.ndarray:
    """The values (H, W) of a mask as it is shown, as uint8; `DataError` for any that are not 0 … 255."""
    try:
        with Image.open(path) as mask:
            if problem := _problem(mask):
                raise DataError(f"the mask {path} {problem}")
            values = np.asarray(upright(mask))
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"the mask {path} cannot be read: {str(error) or type(error).__name__}") from error
    if values.dtype != bool:
        wrong = (values < 0) | (values > IGNORED)
        if wrong.any():
            raise DataError(
                f"the mask {path} has the value {values[wrong][0]}: values must be classes, 0 … 253, or {IGNORED} "
                "where a pixel has none"
            )
    return values.astype(np.uint8)


def _problem(mask: Image.Image) -> str | None:
    if mask.mode in _ONE_CHANNEL:
        return None
    if mask.mode == "F":
        return "has floating-point values: it must have one channel of whole numbers, whose values are classes"
    return (
        f"has {len(mask.getbands())} channels ({mask.mode}): it must have one, whose values are classes "
        "(colours are not: convert them to the line numbers of classes.txt)"
    )
