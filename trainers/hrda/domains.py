"""A domain: pictures, and the class of each of their pixels, from any of the layouts that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cityscapes
import numpy as np
from epochal import DataError
from epochal.datasets import supervisely
from epochal.datasets.masks import full_mask
from epochal.datasets.model import PICTURE_SUFFIXES, Picture
from epochal.datasets.reading import serious
from PIL import Image, UnidentifiedImageError

Layout = Literal["folders", "cityscapes", "gta", "supervisely"]
Unmarked = Literal["ignore", "background"]
Role = Literal["source", "target", "validation"]

IGNORED = 255
BACKGROUND = "background"


@dataclass(frozen=True)
class Entry:
    """A picture file and what says its classes."""

    name: str
    picture: Path
    #: The mask or annotation file; None where there is none.
    annotation: Path | None
    #: The class of each value in the mask; None where they are the same.
    table: np.ndarray | None = field(default=None, compare=False)
    #: What is marked on it, in Supervisely's format.
    marked: Picture | None = field(default=None, compare=False)


class Domain:
    """Pictures of one domain, in the order of their names."""

    def __init__(
        self, folder: Path, layout: Layout, classes: list[str], entries: list[Entry], unmarked: Unmarked = "ignore"
    ) -> None:
        self.folder = folder
        self.layout = layout
        self.classes = classes
        self.entries = entries
        self.unmarked = unmarked

    def __len__(self) -> int:
        return len(self.entries)

    def picture(self, index: int) -> Image.Image:
        """A picture in RGB; `DataError` where it cannot be read."""
        path = self.entries[index].picture
        try:
            with Image.open(path) as picture:
                return picture.convert("RGB")
        except (OSError, UnidentifiedImageError) as error:
            raise DataError(f"the picture {path} cannot be read: {error}") from error

    def labels(self, index: int) -> np.ndarray:
        """Classes (H, W) as uint8, 255 where a pixel has none; `DataError` for values that are no class."""
        entry = self.entries[index]
        labels = self._painted(entry.marked) if entry.marked else _mask(entry)
        wrong = (labels >= len(self.classes)) & (labels != IGNORED)
        if wrong.any():
            value = int(labels[wrong][0])
            raise DataError(
                f"the mask {entry.annotation} has the value {value}, but there are {len(self.classes)} classes"
            )
        return labels

    def _painted(self, marked: Picture) -> np.ndarray:
        """Objects one over the other, in their order."""
        blank = self.classes.index(BACKGROUND) if self.unmarked == "background" else IGNORED
        labels = np.full((marked.height, marked.width), blank, np.uint8)
        for one in marked.objects:
            labels[full_mask(one, marked.width, marked.height)] = self.classes.index(one.class_name)
        return labels


def read_domain(folder: Path, role: Role, unmarked: Unmarked = "ignore") -> Domain:
    """Recognise and list a domain; `DataError` where there is none, or labels are missing that `role` needs."""
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder} for the {role}")
    domain = _recognised(folder, role, unmarked)
    if not domain.entries:
        raise DataError(f"the {role} {folder} has no pictures")
    missing = [entry for entry in domain.entries if entry.annotation is None]
    if role != "target" and missing:
        raise DataError(
            f"the {role} needs labels, and {len(missing)} of {len(domain.entries)} pictures have none, "
            f"{missing[0].picture} the first"
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
    table = np.full(256, IGNORED, np.uint8)
    table[: len(validation.classes)] = [source.classes.index(name) for name in validation.classes]
    entries = [
        Entry(one.name, one.picture, one.annotation, table if one.table is None else table[one.table], one.marked)
        for one in validation.entries
    ]
    return Domain(validation.folder, validation.layout, source.classes, entries, validation.unmarked)


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
    return Domain(folder, "folders", classes or [], _folder_entries(folder))


def _entries(files: Sequence[cityscapes.Files]) -> list[Entry]:
    table = cityscapes.class_of_id()
    return [Entry(one.name, one.picture, one.labels, table if one.has_ids else None) for one in files]


def _class_names(folder: Path) -> list[str] | None:
    """`classes.txt` of the domain, or of the data set that it lies in."""
    for place in (folder, folder.parent):
        if (place / "classes.txt").is_file():
            return [line.strip() for line in (place / "classes.txt").read_text().splitlines() if line.strip()]
    return None


def _folder_entries(folder: Path) -> list[Entry]:
    """`images/…` with a PNG of the same name in `labels` (or `masks`), whose values are the lines of classes.txt."""
    masks = next((folder / name for name in ("labels", "masks") if (folder / name).is_dir()), None)
    found = []
    for picture in sorted((folder / "images").rglob("*")):
        if picture.suffix.lower() in PICTURE_SUFFIXES:
            name = picture.relative_to(folder / "images").with_suffix("")
            mask = masks / name.with_suffix(".png") if masks else None
            found.append(Entry(str(name), picture, mask if mask and mask.is_file() else None))
    return found


def _supervisely(folder: Path, role: Role, unmarked: Unmarked) -> Domain:
    if role == "target":
        pictures = [path for path in sorted(folder.glob("**/img/*")) if path.suffix.lower() in PICTURE_SUFFIXES]
        return Domain(folder, "supervisely", [], [Entry(str(one.relative_to(folder)), one, None) for one in pictures])
    data_set = supervisely.read(folder)
    if wrong := serious(data_set):
        raise DataError(f"the {role} {folder} has {'; '.join(wrong)}")
    classes = [BACKGROUND, *(name for name in data_set.classes if name != BACKGROUND)]
    if unmarked == "ignore":
        classes = data_set.classes
    entries = [
        # Unlike one without objects, an image without an annotation file is not known to be all background.
        Entry(one.name, one.path, supervisely.annotation_of(one.path), marked=one)
        for one in data_set.pictures
    ]
    return Domain(folder, "supervisely", classes, entries, unmarked)


def _mask(entry: Entry) -> np.ndarray:
    try:
        with Image.open(entry.annotation) as mask:  # type: ignore[arg-type]
            values = np.asarray(mask)
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"the mask {entry.annotation} cannot be read: {error}") from error
    if values.ndim != 2 or values.max(initial=0) > IGNORED:
        raise DataError(f"the mask {entry.annotation} must have one channel whose values are classes, 0 … 254, or 255")
    values = values.astype(np.uint8)
    return values if entry.table is None else entry.table[values]
