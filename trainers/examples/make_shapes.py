# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy>=1.26,<3", "pillow>=10", "PyYAML>=6", "pydantic>=2.7,<3"]
# ///
"""Make a small data set of coloured shapes: the same images for the same seed, in any format that is known here.

    uv run trainers/examples/make_shapes.py --format coco --count 80 --seed 0 shapes/

Each image has one to three shapes that do not overlap, on a noisy background: circle, square and triangle, with
boxes, masks and three keypoints (top, left, right). Format `images` has one shape per image, for classification.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "epochal"))

try:
    import numpy as np
    from epochal.datasets import coco, image_folder, supervisely, yolo_writing
    from epochal.datasets.masks import box_of_bitmap, cropped
    from epochal.datasets.model import DataSet, DatasetImage, Keypoint, Object, Polygon
    from epochal.datasets.splits import Split
    from PIL import Image, ImageDraw
except ModuleNotFoundError as error:
    sys.exit(
        f"{error.name} is not installed in this Python: run `uv run {sys.argv[0]}`, which installs what the "
        "file's header names, or `pip install numpy pillow PyYAML pydantic` first"
    )

CLASSES = ["circle", "square", "triangle"]
FORMATS = (
    "images",
    "coco",
    "yolo",
    "yolo-segment",
    "yolo-pose",
    "supervisely",
    "supervisely-boxes",
    "supervisely-polygons",
)
KEYPOINTS = ["top", "left", "right"]
FLIP = [0, 2, 1]


def make(
    folder: Path, *, kind: str = "coco", count: int = 80, val: float = 0.25, size: int = 160, seed: int = 0
) -> Path:
    """Make the data set in `folder`, which must be empty or not there; answers it."""
    if kind not in FORMATS:
        raise ValueError(f"{kind} is none of {', '.join(FORMATS)}")
    folder.mkdir(parents=True, exist_ok=True)
    random_numbers = random.Random(f"shapes {seed}")
    noise = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as beside:
        images = [
            _image(Path(beside) / f"shape_{index:04d}.png", size, index, kind == "images", random_numbers, noise)
            for index in range(count)
        ]
        if kind == "supervisely":
            for image in images:
                for one in image.objects:
                    one.polygons = []
        else:
            for image in images:
                for one in image.objects:
                    one.bitmap = None
                    if kind == "supervisely-boxes":
                        one.polygons, one.keypoints = [], []
        names, flip = (KEYPOINTS, FLIP) if kind in ("coco", "yolo-pose") else ([], [])
        data_set = DataSet("coco", folder, CLASSES, images, keypoint_names=names, keypoint_flip=flip)
        val_count = max(round(count * val), 1)
        split = Split("made", {"train": images[val_count:], "val": images[:val_count]})
        _write(data_set, split, folder, kind)
        _replace_links(folder)
    return folder


def _write(data_set: DataSet, split: Split, folder: Path, kind: str) -> None:
    if kind == "images":
        image_folder.write(data_set, split, folder)
    elif kind == "coco":
        coco.write(data_set, split, folder)
    elif kind.startswith("yolo"):
        task = {"yolo": "detect", "yolo-segment": "segment", "yolo-pose": "pose"}[kind]
        file = yolo_writing.write(data_set, split, folder, task)
        lines = file.read_text().splitlines()
        file.write_text("\n".join("path: ." if line.startswith("path:") else line for line in lines) + "\n")
    else:
        supervisely.write(data_set, split, folder)


def _replace_links(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_symlink():
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)


def _image(
    path: Path, size: int, index: int, single: bool, random_numbers: random.Random, noise: np.random.Generator
) -> DatasetImage:
    background = noise.integers(90, 166, (size, size, 1)) + noise.integers(-12, 13, (size, size, 3))
    drawing = Image.fromarray(background.clip(0, 255).astype(np.uint8))
    image = DatasetImage(path, path.stem, size, size)
    placed: list[tuple[float, float, float]] = []
    wanted = 1 if single else 1 + index % 3
    for number in range(wanted):
        name = CLASSES[(index + number) % len(CLASSES)] if not single else CLASSES[index % len(CLASSES)]
        for _attempt in range(50):
            radius = random_numbers.uniform(0.1, 0.19) * size
            x, y = (random_numbers.uniform(radius + 2, size - radius - 2) for _ in range(2))
            if all(math.hypot(x - a, y - b) > radius + other + 3 for a, b, other in placed):
                placed.append((x, y, radius))
                image.objects.append(_draw(drawing, name, x, y, radius, random_numbers))
                break
    image.labels = [image.objects[0].class_name] if single else []
    drawing.save(path)
    return image


def _draw(image: Image.Image, name: str, x: float, y: float, radius: float, random_numbers: random.Random) -> Object:
    color = random_numbers.choice([(220, 40, 40), (40, 170, 60), (40, 70, 220), (240, 200, 30)])
    if name == "circle":
        corners = [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 32)[:-1]]
        points = [(x, y - radius), (x - radius, y), (x + radius, y)]
    elif name == "square":
        half = radius * 0.85
        corners = [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
        points = [(x, y - half), (x - half, y), (x + half, y)]
    else:
        corners = [(x, y - radius), (x + radius, y + radius * 0.8), (x - radius, y + radius * 0.8)]
        points = [corners[0], corners[2], corners[1]]
    corners = [(round(a), round(b)) for a, b in corners]
    stencil = Image.new("1", image.size)
    ImageDraw.Draw(stencil).polygon(corners, fill=1)
    ImageDraw.Draw(image).polygon(corners, fill=color)
    bitmap = cropped(np.asarray(stencil, bool))
    ring = [(float(a), float(b)) for a, b in corners]
    return Object(
        name,
        box_of_bitmap(bitmap),
        polygons=[Polygon(ring)],
        bitmap=bitmap,
        keypoints=[Keypoint(float(a), float(b), 2) for a, b in points],
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make a small data set of coloured shapes.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--format", choices=FORMATS, default="coco")
    parser.add_argument("--count", type=int, default=80, help="images (default: %(default)s)")
    parser.add_argument("--val", type=float, default=0.25, help="part of them to validate with (default: %(default)s)")
    parser.add_argument("--size", type=int, default=160, help="pixels of a side (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    make(asked.folder, kind=asked.format, count=asked.count, val=asked.val, size=asked.size, seed=asked.seed)
    print(asked.folder)


if __name__ == "__main__":
    main()
