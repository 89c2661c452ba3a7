"""A domain: images, and the class of each of their pixels, from any of the layouts that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import cityscapes
import numpy as np
from epochal import DataError
from epochal.datasets import supervisely
from epochal.datasets.headers import upright
from epochal.datasets.images import images_in
from epochal.datasets.masks import full_mask
from epochal.datasets.model import DatasetImage, Findings, Object
from masks import IGNORED, SUFFIXES, read_mask
from PIL import Image

Layout = Literal["folders", "cityscapes", "gta", "supervisely"]
Unmarked = Literal["ignore", "background"]
Role = Literal["source", "target", "validation"]

BACKGROUND = "background"
#: In a table of classes: a value that is none. There are at most 254 classes, 0 … 253.
_NO_CLASS = 254


@dataclass(frozen=True)
class Entry:
    """An image file and what says its classes."""

    name: str
    image: Path
    #: The mask or annotation file; None where there is none.
    annotation: Path | None
    #: The class of each value in the mask; None where they are the same.
    table: np.ndarray | None = field(default=None, compare=False)
    #: What is marked on it, in Supervisely's format.
    marked: DatasetImage | None = field(default=None, compare=False)
    #: A clause on the file that is there instead of a mask; empty where there is none.
    instead: str = ""

    def as_image(self, role: Role) -> DatasetImage:
        """For those who look at files alone: its size is not known."""
        return DatasetImage(self.image, self.name, 0, 0, split=role)


class Domain:
    """Images of one domain, in the order of their names."""

    def __init__(
        self,
        folder: Path,
        layout: Layout,
        classes: list[str],
        entries: list[Entry],
        unmarked: Unmarked = "ignore",
        findings: Findings | None = None,
    ) -> None:
        self.folder = folder
        self.layout = layout
        self.classes = classes
        self.entries = entries
        self.unmarked = unmarked
        #: What was found when it was listed and looked at.
        self.findings = Findings() if findings is None else findings

    def __len__(self) -> int:
        return len(self.entries)

    def with_entries(self, entries: list[Entry]) -> Domain:
        """The same domain with other entries."""
        return Domain(self.folder, self.layout, self.classes, entries, self.unmarked, self.findings)

    def image(self, index: int) -> Image.Image:
        """An image in RGB, as it is shown; `DataError` where it cannot be read."""
        path = self.entries[index].image
        try:
            with Image.open(path) as stored:
                image = upright(stored)
                if image.mode.startswith("I"):  # 16 bits: Pillow would clip them to 8, OpenCV and we scale them
                    image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
                return image.convert("RGB")
        except Exception as error:
            # Pillow's readers raise whatever a broken file makes them stumble over.
            raise DataError(f"the image {path} cannot be read: {str(error) or type(error).__name__}") from error

    def labels(self, index: int) -> np.ndarray:
        """Classes (H, W) as uint8, 255 where a pixel has none; `DataError` for values that are not a class."""
        entry = self.entries[index]
        if entry.marked:
            return self._painted(entry.marked)
        if entry.annotation is None:
            raise DataError(f"{entry.image} has no mask")
        values = read_mask(entry.annotation)
        labels = values if entry.table is None else entry.table[values]
        wrong = (labels >= len(self.classes)) & (labels != IGNORED)
        if wrong.any():
            count = len(self.classes) if entry.table is None else int((entry.table < len(self.classes)).sum())
            raise DataError(
                f"the mask {entry.annotation} has the value {values[wrong][0]}, but there are {count} classes: "
                f"0 … {count - 1}, and {IGNORED} where a pixel has none"
            )
        return labels

    def _painted(self, marked: DatasetImage) -> np.ndarray:
        """Objects one over the other, in their order."""
        blank = self.classes.index(BACKGROUND) if self.unmarked == "background" else IGNORED
        labels = np.full((marked.height, marked.width), blank, np.uint8)
        for one in marked.objects:
            labels[_area(one, marked)] = self.classes.index(one.class_name)
        return labels


def is_domain(folder: Path) -> bool:
    """Whether a folder is in one of the layouts, by what is in it."""
    return any((folder / name).exists() for name in ("images", "leftImg8bit", "meta.json"))


def read_domain(folder: Path, role: Role, unmarked: Unmarked = "ignore") -> Domain:
    """Recognise and list a domain; `DataError` where there is none, or none of the labels that `role` needs."""
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder} for the {role}")
    domain = _recognised(folder, role, unmarked)
    if not domain.entries:
        raise DataError(f"the {role} {folder} has no images")
    if role != "target" and all(entry.annotation is None for entry in domain.entries):
        first = domain.entries[0]
        raise DataError(
            f"the {role} needs labels, and none of its {len(domain)} images has any: {first.image} has no mask"
            f"{first.instead}"
        )
    return domain


def same_classes(source: Domain, validation: Domain) -> Domain:
    """The validation with its classes in the source's order; `DataError` where it has others."""
    if source.classes == validation.classes:
        return validation
    unknown = [name for name in validation.classes if name not in source.classes]
    if unknown:
        raise DataError(
            f"the validation has the class {unknown[0]}, which the source has not: {', '.join(source.classes)}"
        )
    table = np.full(256, _NO_CLASS, np.uint8)
    table[: len(validation.classes)] = [source.classes.index(name) for name in validation.classes]
    table[IGNORED] = IGNORED
    entries = [replace(one, table=table if one.table is None else table[one.table]) for one in validation.entries]
    return Domain(
        validation.folder, validation.layout, source.classes, entries, validation.unmarked, validation.findings
    )


def _recognised(folder: Path, role: Role, unmarked: Unmarked) -> Domain:
    if cityscapes.is_cityscapes(folder):
        files = cityscapes.cityscapes_files(folder, "val" if role == "validation" else "train")
        return Domain(folder, "cityscapes", cityscapes.CLASSES, _entries(files))
    if (folder / "meta.json").is_file():
        return _supervisely(folder, role, unmarked)
    classes = _class_names(folder)
    if classes is None and cityscapes.is_gta(folder):
        return Domain(folder, "gta", cityscapes.CLASSES, _entries(cityscapes.gta_files(folder)))
    if not (folder / "images").is_dir():
        raise DataError(
            f"the {role} {folder} is in no layout that is known here: there is no leftImg8bit of Cityscapes, no "
            "meta.json of a Supervisely project, and no folder images"
        )
    if classes is None and role != "target":
        raise DataError(f"the {role} {folder} has no classes.txt with the name of a class in each line")
    findings = Findings()
    return Domain(folder, "folders", classes or [], _folder_entries(folder, findings), findings=findings)


def _entries(files: Sequence[cityscapes.Files]) -> list[Entry]:
    table = cityscapes.class_of_id()
    return [Entry(one.name, one.image, one.labels, table if one.has_ids else None) for one in files]


def _class_names(folder: Path) -> list[str] | None:
    """`classes.txt` of the domain, or of the data set that it lies in."""
    file = next((place / "classes.txt" for place in (folder, folder.parent) if (place / "classes.txt").is_file()), None)
    if file is None:
        return None
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").rstrip().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: it must be text in UTF-8 ({error})") from error
    for number, name in enumerate(lines, 1):
        if not name:
            raise DataError(f"line {number} of {file} is empty: each line must name a class, whose value is its line")
        if name in lines[: number - 1]:
            raise DataError(f"line {number} of {file} names {name} again: each class must have a name of its own")
    return lines


def _folder_entries(folder: Path, findings: Findings) -> list[Entry]:
    """`images/…` with a mask of the same name in `labels` (or `masks`), whose values are the lines of classes.txt."""
    place = next((folder / name for name in ("labels", "masks") if (folder / name).is_dir()), None)
    masks: dict[str, Path] = {}
    others: dict[str, Path] = {}
    for path in images_in(place, findings) if place else ():
        name = str(path.relative_to(place).with_suffix(""))
        if path.suffix.lower() in SUFFIXES:
            known = masks.setdefault(name, path)
            masks[name] = min(known, path, key=lambda one: SUFFIXES.index(one.suffix.lower()))
        else:
            others[name] = path
    found = []
    for image in images_in(folder / "images", findings):
        name = str(image.relative_to(folder / "images").with_suffix(""))
        instead = "" if name in masks or place is None else _instead(name, masks, others)
        found.append(Entry(name, image, masks.get(name), instead=instead))
    return found


def _instead(name: str, masks: dict[str, Path], others: dict[str, Path]) -> str:
    if name in others:
        return f" (there is {others[name]}, but a mask must be {', '.join(SUFFIXES)}: other formats change its values)"
    near = next((path for other, path in masks.items() if other.startswith(name)), None)
    return f" (there is {near}, but a mask must have the name of its image)" if near else ""


def _area(one: Object, marked: DatasetImage) -> np.ndarray:
    """Its mask, or its rectangle; a skeleton of points covers none."""
    if one.has_mask or one.keypoints:
        return full_mask(one, marked.width, marked.height)
    area = np.zeros((marked.height, marked.width), bool)
    left, top, right, bottom = (
        round(value) for value in (one.box.x, one.box.y, one.box.x + one.box.width, one.box.y + one.box.height)
    )
    area[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return area


def _supervisely(folder: Path, role: Role, unmarked: Unmarked) -> Domain:
    if role == "target":
        findings = Findings()
        images = [path for path in images_in(folder, findings) if path.parent.name == "img"]
        entries = [Entry(str(one.relative_to(folder)), one, None) for one in images]
        return Domain(folder, "supervisely", [], entries, findings=findings)
    data_set = supervisely.read(folder)
    classes = [BACKGROUND, *(name for name in data_set.classes if name != BACKGROUND)]
    if unmarked == "ignore":
        classes = data_set.classes
    entries = [
        # Unlike one without objects, an image without an annotation file is not known to be all background.
        Entry(one.name, one.path, supervisely.annotation_of(one.path), marked=one)
        for one in data_set.images
    ]
    return Domain(folder, "supervisely", classes, entries, unmarked, data_set.findings)
