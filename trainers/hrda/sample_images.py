"""What a person looks at: image, truth, pseudo-label, prediction and attention, side by side."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cityscapes import COLOURS
from domains import IGNORED
from PIL import Image
from torch import Tensor

#: Widest that one of the parts is kept.
_WIDEST = 512
_GAP = 4


def palette(classes: Sequence[str]) -> np.ndarray:
    """A colour for each value 0 … 255: Cityscapes' own for its classes, distant hues for others, black for ignored."""
    colours = np.zeros((256, 3), np.uint8)
    for index, name in enumerate(classes):
        hue = (index * 0.618034) % 1
        bright = colorsys.hsv_to_rgb(hue, 0.65, 0.95 - 0.25 * (index % 2))
        colours[index] = COLOURS.get(name, [round(255 * part) for part in bright])
    colours[IGNORED] = 0
    return colours


def side_by_side(image: Tensor, labels: Sequence[Tensor], attention: Tensor | None, colours: np.ndarray) -> Image.Image:
    """`image` (3, H, W) as bytes, each of `labels` in colours, and the attention (H, W) in 0 … 1 as grey."""
    parts = [Image.fromarray(image.permute(1, 2, 0).numpy())]
    parts += [Image.fromarray(colours[one.numpy().astype(np.uint8)]) for one in labels]
    if attention is not None:
        parts.append(Image.fromarray((attention.float().numpy().clip(0, 1) * 255).astype(np.uint8)).convert("RGB"))
    width = min(parts[0].width, _WIDEST)
    height = round(parts[0].height * width / parts[0].width)
    strip = Image.new("RGB", ((width + _GAP) * len(parts) - _GAP, height), "white")
    for index, part in enumerate(parts):
        is_photo = index == 0
        way = Image.Resampling.BILINEAR if is_photo else Image.Resampling.NEAREST
        strip.paste(part.resize((width, height), way), (index * (width + _GAP), 0))
    return strip


def file_of(folder: Path, name: str, epoch: int) -> Path:
    """`samples/<image>/epoch-0003.png`: an image's epochs lie beside each other."""
    return folder / "samples" / name.replace("/", "__") / f"epoch-{epoch:04d}.png"
