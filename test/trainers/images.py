"""Images whose marks can be seen in their pixels: a red rectangle on grey."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

#: How an upright image has to be stored so that its EXIF orientation turns it back.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
SIZE = (96, 64)
#: x, y, width and height of the rectangle.
BOX = (12, 30, 40, 20)


def save_turned(path: Path, upright: Image.Image, orientation: int) -> None:
    """Write the image so that it is shown upright."""
    turn = STORED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    (upright if turn is None else upright.transpose(turn)).save(path, exif=exif.tobytes(), quality=95)


def marked() -> Image.Image:
    """The image, upright."""
    image = Image.new("RGB", SIZE, (90, 90, 90))
    x, y, width, height = BOX
    ImageDraw.Draw(image).rectangle((x, y, x + width - 1, y + height - 1), fill=(230, 20, 20))
    return image


def marked_with_orientation(folder: Path, suffix: str = ".jpg") -> None:
    """A COCO data set with two of the image in each orientation, marked as it is shown."""
    images, annotations = [], []
    for orientation in STORED:
        for copy in range(2):
            number = len(images) + 1
            path = folder / "images" / f"turned-{orientation}-{copy}{suffix}"
            save_turned(path, marked(), orientation)
            images.append({"id": number, "file_name": path.name, "width": SIZE[0], "height": SIZE[1]})
            x, y, width, height = BOX
            outline = [x, y, x + width, y, x + width, y + height, x, y + height]
            annotations.append(
                {
                    "id": number,
                    "image_id": number,
                    "category_id": 1,
                    "bbox": list(BOX),
                    "area": width * height,
                    "iscrowd": 0,
                    "segmentation": [outline],
                }
            )
    (folder / "annotations").mkdir(parents=True)
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    (folder / "annotations" / "instances.json").write_text(json.dumps(content))


def marks_hold(image: np.ndarray, box: tuple[float, float, float, float], slack: float = 2.0) -> bool:
    """Whether all of the rectangle (H, W, RGB) and nothing else is under the box (x, y, width, height)."""
    red = (image[..., 0].astype(int) - image[..., 1].astype(int)) > 70
    rows, columns = np.nonzero(red.any(axis=1))[0], np.nonzero(red.any(axis=0))[0]
    x, y, width, height = box
    found = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    return bool(np.abs(np.array(found) - np.array((x, y, x + width, y + height))).max() <= slack)
