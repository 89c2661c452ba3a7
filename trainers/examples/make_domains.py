# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy>=1.26,<3", "pillow>=10"]
# ///
"""Make two domains of small street scenes: labelled source, unlabelled target, labelled validation of the target.

    uv run trainers/examples/make_domains.py --seed 0 domains/

The same images for the same seed. Both domains have the same classes and the same geometry; they differ in colour,
texture, light, sharpness and noise. Poles and the bars of fences are 4 pixels wide, which half the resolution cannot
keep apart; signs are small and rare.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

try:
    import numpy as np
    from PIL import Image, ImageDraw, ImageFilter
except ModuleNotFoundError as error:
    sys.exit(
        f"{error.name} is not installed in this Python: run `uv run {sys.argv[0]}`, which installs what the "
        "file's header names, or `pip install numpy pillow` first"
    )

CLASSES = ["sky", "building", "road", "vegetation", "car", "fence", "pole", "sign"]
SKY, BUILDING, ROAD, VEGETATION, CAR, FENCE, POLE, SIGN = range(len(CLASSES))

#: Part of the images that has a sign.
SIGN_PART = 0.1

#: Width of poles and of a fence's bars, and the gaps between those, in pixels.
THIN = 4
GAP = 6


@dataclass(frozen=True)
class Look:
    """How a domain looks. Colours are 0 … 255."""

    colours: tuple[tuple[int, int, int], ...]
    #: Deviation of the colour of a class from image to image.
    variety: float
    #: Strength and grain (pixels) of each class's texture.
    textures: tuple[tuple[float, int], ...]
    #: Brightness at the top and at the bottom of an image, each drawn between two numbers.
    light: tuple[tuple[float, float], tuple[float, float]]
    noise: float
    blur: float


#: A simulation at noon: clean, colourful, sharp.
SOURCE = Look(
    colours=(
        (120, 180, 235),
        (170, 120, 100),
        (105, 105, 112),
        (70, 140, 60),
        (190, 50, 50),
        (215, 195, 130),
        (60, 60, 70),
        (245, 215, 50),
    ),
    variety=10,
    textures=((4, 32), (8, 16), (6, 4), (14, 8), (6, 8), (6, 4), (4, 4), (4, 4)),
    light=((0.95, 1.05), (0.95, 1.05)),
    noise=2,
    blur=0,
)

#: A camera in the evening: duller and bluer, lit from one side, grainy, a little soft, with more texture.
TARGET = Look(
    colours=(
        (150, 165, 190),
        (125, 105, 115),
        (85, 90, 105),
        (75, 110, 80),
        (135, 60, 75),
        (175, 165, 135),
        (45, 50, 65),
        (195, 175, 85),
    ),
    variety=14,
    textures=((10, 24), (24, 6), (14, 3), (26, 4), (12, 6), (10, 3), (8, 3), (8, 3)),
    light=((0.75, 1.15), (0.7, 1.1)),
    noise=9,
    blur=0.5,
)


def make(
    folder: Path, *, source: int = 240, target: int = 160, validation: int = 80, size: int = 96, seed: int = 0
) -> Path:
    """Make the data set in `folder`, which must be empty or not there; answers it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    parts = {"source": (source, SOURCE), "target": (target, TARGET), "validation": (validation, TARGET)}
    for number, (part, (count, look)) in enumerate(parts.items()):
        for kind in ("images", "labels"):
            (folder / part / kind).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            random = np.random.default_rng([seed, number, index])
            labels = layout(size, random)
            rendered(labels, look, random).save(folder / part / "images" / f"{index:04d}.png")
            if part != "target":
                Image.fromarray(labels).save(folder / part / "labels" / f"{index:04d}.png")
    (folder / "target" / "labels").rmdir()
    return folder


def layout(size: int, random: np.random.Generator) -> np.ndarray:
    """Classes (size, size) of a scene: what is nearer covers what is farther."""
    image = Image.new("L", (size, size), SKY)
    draw = ImageDraw.Draw(image)
    unit = size / 128  # all but what is thin grows with the image
    horizon = random.integers(50, 66) * unit
    at = -random.integers(0, 20) * unit
    while at < size:
        width, height = random.integers(18, 44) * unit, random.integers(10, 42) * unit
        if random.random() < 0.75:
            draw.rectangle((at, horizon - height, at + width, horizon + 8 * unit), fill=BUILDING)
        at += width + random.integers(0, 16) * unit
    for _ in range(random.integers(1, 5)):
        x, y, radius = random.integers(0, size), horizon + random.integers(-8, 10) * unit, random.integers(8, 18) * unit
        draw.ellipse((x - radius, y - radius, x + radius, y + radius * 0.8), fill=VEGETATION)
    draw.rectangle((0, horizon + 8 * unit, size, size), fill=ROAD)
    verge = random.integers(-10, 50) * unit
    draw.polygon(
        [(0, horizon + 8 * unit), (verge, horizon + 8 * unit), (verge - 60 * unit, size), (0, size)], fill=VEGETATION
    )
    for _ in range(random.integers(0, 3)):
        _car(draw, random.integers(0, size), horizon + random.integers(14, 50) * unit, random.integers(9, 16) * unit)
    if random.random() < 0.5:
        _fence(draw, random, size, horizon, unit)
    for _ in range(random.integers(1, 4)):
        x, foot = random.integers(4, size - 4), horizon + random.integers(12, 50) * unit
        top = foot - random.integers(50, 80) * unit
        draw.rectangle((x, top, x + THIN - 1, foot), fill=POLE)
    if random.random() < SIGN_PART:
        x, y, radius = random.integers(10, size - 10), horizon - random.integers(0, 30) * unit, random.integers(4, 6)
        draw.rectangle((x - 1, y, x + THIN - 2, horizon + 20 * unit), fill=POLE)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=SIGN)
    return np.asarray(image).copy()


def _car(draw: ImageDraw.ImageDraw, x: float, y: float, half: float) -> None:
    draw.rounded_rectangle((x - half, y - half * 0.5, x + half, y + half * 0.45), half * 0.3, fill=CAR)
    draw.rounded_rectangle((x - half * 0.6, y - half, x + half * 0.6, y), half * 0.3, fill=CAR)


def _fence(draw: ImageDraw.ImageDraw, random: np.random.Generator, size: int, horizon: float, unit: float) -> None:
    """Bars with gaps through which one sees what is behind."""
    left, length = random.integers(0, size * 2 // 3), random.integers(40, 90) * unit
    bottom = horizon + random.integers(20, 56) * unit
    top = bottom - random.integers(20, 34) * unit
    x = float(left)
    while x < min(left + length, size):
        draw.rectangle((x, top, x + THIN - 1, bottom), fill=FENCE)
        x += THIN + GAP


def rendered(labels: np.ndarray, look: Look, random: np.random.Generator) -> Image.Image:
    """An image of a scene, in RGB."""
    size = len(labels)
    colours = np.array(look.colours, float) + random.normal(0, look.variety, (len(CLASSES), 3))
    image = colours[labels]
    for index, (strength, grain) in enumerate(look.textures):
        texture = _texture(size, max(grain * size // 128, 1), random) * strength
        image += np.where(labels == index, texture, 0)[..., None]
    top, bottom = (random.uniform(*limits) for limits in look.light)
    side = random.uniform(-0.5, 0.5) * (look.light[0][1] - look.light[0][0])
    light = np.linspace(top, bottom, size)[:, None] + side * np.linspace(-0.5, 0.5, size)[None]
    image *= light[..., None]
    if look.blur:
        soft = Image.fromarray(image.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(look.blur))
        image = np.asarray(soft, float)
    image = image + random.normal(0, look.noise, image.shape)
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


def _texture(size: int, grain: int, random: np.random.Generator) -> np.ndarray:
    """Smooth noise of deviation 1 whose blots are about `grain` pixels large."""
    coarse = random.normal(size=(size // grain + 2, size // grain + 2))
    blots = Image.fromarray(coarse.astype(np.float32)).resize((size, size), Image.Resampling.BICUBIC)
    smooth = np.asarray(blots, float)
    return (smooth - smooth.mean()) / max(smooth.std(), 1e-6)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make two domains of small street scenes.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", type=int, default=240, help="labelled images (default: %(default)s)")
    parser.add_argument("--target", type=int, default=160, help="images without labels (default: %(default)s)")
    parser.add_argument("--validation", type=int, default=80, help="to validate with (default: %(default)s)")
    parser.add_argument("--size", type=int, default=96, help="pixels of a side (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    make(
        asked.folder,
        source=asked.source,
        target=asked.target,
        validation=asked.validation,
        size=asked.size,
        seed=asked.seed,
    )
    print(asked.folder)


if __name__ == "__main__":
    main()
