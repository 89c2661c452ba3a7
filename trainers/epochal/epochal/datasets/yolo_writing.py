"""Write a data set as YOLO: `data.yaml`, links to the images, and for each a text file with a line per object."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from epochal.datasets.images import link_name
from epochal.datasets.model import DataSet, DatasetImage, Findings, Keypoint, Object, Point
from epochal.datasets.outlines import counted, outline_of
from epochal.datasets.splits import Split


def write(data_set: DataSet, split: Split, folder: Path, task: str = "detect", changed: Findings | None = None) -> Path:
    """Write `data.yaml`, links to the images and labels for `detect`, `segment` or `pose`; answers the yaml file.

    `changed` gets what cannot be written as it was marked.
    """
    changed = Findings() if changed is None else changed
    numbers = {name: index for index, name in enumerate(data_set.classes)}
    for part, images in split.parts.items():
        for kind in ("images", "labels"):
            (folder / kind / part).mkdir(parents=True, exist_ok=True)
        for image in images:
            os.symlink(image.path.resolve(), folder / "images" / part / link_name(image))
            # A crowd is not one object: YOLO's formats have no way to say so, and ultralytics' converters leave it out.
            lines = _Lines()
            for one in image.objects:
                if not one.crowd and (line := _line(one, numbers, image, task, data_set, changed)):
                    lines.add(one, line)
            (folder / "labels" / part / f"{image.name}.txt").write_text("".join(f"{line}\n" for line in lines.all))
    content: dict[str, Any] = {
        "path": str(folder.resolve()),
        **{part: f"images/{part}" for part in split.parts},
        "names": dict(enumerate(data_set.classes)),
    }
    if task == "pose":
        content["kpt_shape"] = [len(data_set.keypoint_names), 3]
        if data_set.keypoint_flip:  # ultralytics mirrors no image where it is left out
            content["flip_idx"] = data_set.keypoint_flip
    file = folder / "data.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


class _Lines:
    """Lines of one image. ultralytics takes equal ones for one object, so those of different objects differ."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._by_line: dict[str, list[tuple[Object, str]]] = {}
        self._taken: set[str] = set()

    def add(self, one: Object, line: str) -> None:
        """The line of an object, a millionth of the image aside where another object has the same."""
        alike = self._by_line.setdefault(line, [])
        known = next((theirs for other, theirs in alike if other.is_marked_like(one)), None)
        written = known or line
        step = 0
        while known is None and written in self._taken:
            step += 1
            written = _moved(line, step)
        self._taken.add(written)
        alike.append((one, written))
        self.all.append(written)


def _moved(line: str, step: int) -> str:
    """The line with its first coordinate so many millionths nearer to the middle of the image."""
    number, first, *rest = line.split(" ")
    aside = step / 1_000_000
    return " ".join([number, f"{float(first) + (aside if float(first) < 0.5 else -aside):.6f}", *rest])


def _line(
    one: Object, numbers: dict[str, int], image: DatasetImage, task: str, data_set: DataSet, changed: Findings
) -> str | None:
    width, height = image.width, image.height

    def text(values: list[float]) -> str:
        return " ".join(f"{min(max(value, 0.0), 1.0):.6f}" for value in values)

    number = numbers[one.class_name]
    if task == "segment":
        ring = _told_outline(one, image, changed)
        return f"{number} {text([v for x, y in ring for v in (x / width, y / height)])}" if len(ring) > 2 else None
    x, y, w, h = one.box
    line = f"{number} {text([(x + w / 2) / width, (y + h / 2) / height, w / width, h / height])}"
    if task == "pose":
        points = one.keypoints or [Keypoint(0, 0, 0)] * len(data_set.keypoint_names)
        line += "".join(f" {text([p.x / width, p.y / height])} {p.visible}" for p in points)
    return line


def _told_outline(one: Object, image: DatasetImage, findings: Findings) -> list[Point]:
    """The one outline that a line can have, and findings for what it changes."""
    outline = outline_of(one, image.width, image.height)
    where = f"a {one.class_name} on {image.path}"
    if outline.parts > 1:
        findings.add("parts joined", f"{where} has {outline.parts} parts, joined to one outline by seams", image.path)
    if outline.holes:
        findings.add(
            "holes cut", f"{where} has {counted(outline.holes, 'hole')}, kept by seams from its outline", image.path
        )
    if outline.specks:
        findings.add(
            "specks left out",
            f"{where} has {counted(outline.specks, 'speck')} of a few pixels, left out or filled",
            image.path,
        )
    if len(outline.ring) < 3:
        findings.add("no outline", f"{where} has no pixel left, and was left out", image.path)
    return outline.ring
