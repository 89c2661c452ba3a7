"""COCO data sets of which every other mark is a trap for some loader, made by hypothesis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from images import save_turned
from PIL import Image

CLASSES = ("no", "1", "straße")
POINTS = ("left", "right")
#: Around the smallest side that ultralytics keeps (10) and the one that most configs of mmdet keep (32).
_SIDES = (8, 9, 10, 31, 32, 40)
_MODES = ("RGB", "L", "P", "RGBA", "I;16")


@st.composite
def _boxes(draw: st.DrawFn, width: int, height: int) -> list[float]:
    """Inside, at an edge, thinner than a pixel, a bit or far beyond, without an area, or of no number."""
    kind = draw(st.sampled_from(["inside"] * 6 + ["thin", "edge", "beyond", "far", "flat", "nan"]))
    x, y = draw(st.floats(0, width / 2)), draw(st.floats(0, height / 2))
    w, h = draw(st.floats(1, width / 2)), draw(st.floats(1, height / 2))
    return {
        "inside": [x, y, w, h],
        "thin": [x, y, draw(st.sampled_from([1e-9, 0.3, 0.999, 1.0])), h],
        "edge": [x, y, width - x, height - y],
        "beyond": [x, y, width - x + 0.7, h],
        "far": [x, y, width + 20, h],
        "flat": [x, y, 0, h],
        "nan": [x, y, float("nan"), h],
    }[kind]


@st.composite
def _segmentations(draw: st.DrawFn, box: list[float], width: int, height: int) -> Any:
    x, y, w, h = box
    kind = draw(st.sampled_from(["none", "ring", "ring", "triangle", "line", "two", "mask", "empty mask"]))
    ring = [x, y, x + w, y, x + w, y + h, x, y + h]
    if kind.endswith("mask"):
        first = draw(st.integers(0, width * height - 2))
        set_pixels = 0 if kind == "empty mask" else draw(st.integers(1, width * height - first - 1))
        counts = [first, set_pixels, width * height - first - set_pixels]
        return {"size": [height, width], "counts": counts}
    return {
        "none": [],
        "ring": [ring],
        "triangle": [ring[:6]],
        "line": [[x, y, x + w, y + h, x, y]],
        "two": [ring, [x, y, x + w / 2, y, x, y + h / 2]],
    }[kind]


@st.composite
def _marks(draw: st.DrawFn, width: int, height: int) -> list[dict[str, Any]]:
    """Objects of an image, some of them there twice, or the same but for the last digits."""
    marks: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 3))):
        box = draw(_boxes(width, height))
        marks.append(
            {
                "category_id": draw(st.integers(1, len(CLASSES))),
                "bbox": box,
                "segmentation": draw(_segmentations(box, width, height)),
                "iscrowd": draw(st.sampled_from([0, 0, 0, 1])),
                "keypoints": [1, 1, 2, width - 1, height - 1, draw(st.integers(0, 2))],
            }
        )
    for one in list(marks):
        again = draw(st.sampled_from(["no"] * 5 + ["twice", "nearly", "other outline", "other class"]))
        if again != "no":
            x, y, w, h = one["bbox"]
            changes = {
                "twice": {},
                "nearly": {"bbox": [x + 1e-8, y, w, h]},
                "other outline": {"segmentation": [[x, y, x + w, y, x + w, y + h]]},
                "other class": {"category_id": one["category_id"] % len(CLASSES) + 1},
            }[again]
            marks.append({**one, **changes})
    return marks


@st.composite
def _images(draw: st.DrawFn) -> dict[str, Any]:
    width, height = draw(st.sampled_from(_SIDES)), draw(st.sampled_from(_SIDES))
    suffix = draw(st.sampled_from([".png", ".jpg", ".jfif", ".bmp", ".tif", ".webp"]))
    return {
        "size": (width, height),
        "suffix": suffix,
        "mode": draw(st.sampled_from(_MODES)) if suffix == ".png" else "RGB",
        "orientation": draw(st.sampled_from([1, 1, 1, 3, 6])) if suffix == ".jpg" else 1,
        "marks": draw(_marks(width, height)),
    }


#: What `write` makes a data set of: at least four images, so that both parts have some.
data_sets = st.lists(_images(), min_size=4, max_size=8)


def write(folder: Path, images: list[dict[str, Any]]) -> None:
    """A data set; the first two images have an object that nobody objects to, so that few are refused as a whole."""
    listed, annotations = [], []
    for number, one in enumerate(images, 1):
        size = (40, 40) if number < 3 else one["size"]
        name = f"ä {number}{one['suffix']}"
        shown = Image.new("RGB", size, (90, 120, 150))
        path = folder / "images" / ("train" if number % 2 else "val") / name
        if one["orientation"] > 1:
            save_turned(path, shown, one["orientation"])
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            (Image.new("I;16", size) if one["mode"] == "I;16" else shown.convert(one["mode"])).save(
                path, "JPEG" if one["suffix"] == ".jfif" else None
            )
        listed.append({"id": number, "file_name": f"{path.parent.name}/{name}", "width": size[0], "height": size[1]})
        points = [4, 4, 2, 20, 20, 2]
        fine = {"bbox": [4, 4, 20, 20], "category_id": 1, "iscrowd": 0, "keypoints": points}
        fine["segmentation"] = [[4, 4, 24, 4, 24, 24, 4, 24]]
        for marks in [fine] if number < 3 else one["marks"]:
            annotations.append({"id": len(annotations) + 1, "image_id": number, **marks})
    categories = [{"id": number, "name": name, "keypoints": POINTS} for number, name in enumerate(CLASSES, 1)]
    for part in ("train", "val"):
        chosen = [one for one in listed if one["file_name"].startswith(part)]
        numbers = {one["id"] for one in chosen}
        content = {
            "images": [{**one, "file_name": one["file_name"].split("/")[1]} for one in chosen],
            "annotations": [one for one in annotations if one["image_id"] in numbers],
            "categories": categories,
        }
        (folder / "annotations").mkdir(exist_ok=True)
        (folder / "annotations" / f"instances_{part}.json").write_text(json.dumps(content))
