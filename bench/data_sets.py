"""A check of a large COCO data set as JSON: `data_sets.py make <folder> <images>`, then `data_sets.py check <folder>`.

Images have about 100 KB: a JPEG of one colour, a hole that takes no disk, and the end of a JPEG.
"""

from __future__ import annotations

import io
import json
import os
import random
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "trainers" / "epochal"))

BYTES = 100_000
OBJECTS = 5  # on each image
CORNERS = 12  # of each outline
SIZE = (640, 480)


def make(folder: Path, count: int) -> None:
    """`images/` and `annotations/instances.json`."""
    from PIL import Image

    number = random.Random(0)
    content = io.BytesIO()
    Image.new("RGB", SIZE, (40, 90, 40)).save(content, "JPEG")
    start, end = content.getvalue()[:-2], content.getvalue()[-2:]
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "annotations").mkdir(exist_ok=True)
    with open(folder / "annotations" / "instances.json", "w") as file:
        file.write('{"info": {}, "images": [')
        for index in range(count):
            name = f"{index:012d}.jpg"
            with open(folder / "images" / name, "wb") as image:
                image.write(start)
                image.seek(BYTES - len(end))
                image.write(end)
            entry = {"id": index, "file_name": name, "width": SIZE[0], "height": SIZE[1], "license": 1}
            file.write((", " if index else "") + json.dumps(entry))
        file.write('], "annotations": [')
        for index in range(count * OBJECTS):
            x, y, width, height = (number.randrange(1, length // 2) for length in (*SIZE, *SIZE))
            ring = [
                round(value, 2)
                for _ in range(CORNERS)
                for value in (x + number.random() * width, y + number.random() * height)
            ]
            entry = {
                "id": index,
                "image_id": index % count,
                "category_id": index % 80 + 1,
                "bbox": [x, y, width, height],
                "area": width * height,
                "iscrowd": 0,
                "segmentation": [ring],
            }
            file.write((", " if index else "") + json.dumps(entry))
        categories = [{"id": one + 1, "name": f"class {one + 1}"} for one in range(80)]
        file.write(f'], "categories": {json.dumps(categories)}}}')


def check(folder: Path) -> None:
    """What a trainer's check does, in this process."""
    load = os.getloadavg()[0]
    began, used = time.monotonic(), time.process_time()
    from epochal.datasets.checking import examine
    from epochal.datasets.parameters import SplitParameters
    from epochal.trainer import Check

    asked = Check()
    examine(asked, str(folder), "segment", SplitParameters())
    measured = {
        "seconds": time.monotonic() - began,
        "cpuSeconds": time.process_time() - used,
        "load": load,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    report = asked.data_report
    print(json.dumps({"images": report.images, "objects": report.objects, **measured}))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        check(Path(sys.argv[2]))
