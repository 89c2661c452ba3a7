"""Find out what a data set is, and read it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from epochal.datasets import archive, coco, coco_files, image_folder, supervisely, yolo
from epochal.datasets.junk import is_junk
from epochal.datasets.memory import known_headers
from epochal.datasets.model import DataSet, Findings, Kind
from epochal.errors import DataError

_readers = {"supervisely": supervisely.read, "yolo": yolo.read, "images": image_folder.read}

#: Findings that leave less to train with than there should be, and others that make no difference.
_HARMLESS = {
    "image without labels",
    "image without annotation",
    "alpha mask",
    "cut oriented box",
    "empty data set",
    "box as outline",
    "joined labels",
    "other file",
    "unused line",
    "unused metadata",
    "several classes",
    "unpacked archive",
    "unused object tag",
    "unused point",
    "crowd",
    "degenerate outline",
    "image in several files",
    "relocated path",
    "same class name",
    "trimmed box",
    "unused annotation file",
    "scaled marks",
    "several pages",
    "tiny image",
    "turned image",
    "turned marks",
    "missing test split",
    "class count",
    "class names",
    "class numbers",
    "image in two splits",
    "image listed twice",
    "keypoint names",
    "label without image",
    "renamed key",
    "same line twice",
    "unread key",
    "image in no split",
    "mirrored keypoints",
    "no mirrored images",
    "class without pixels",
    "image without classes",
    "junk",
    "folder linked twice",
    "duplicate across splits",
    "duplicate image",
    "image format not read",
    "image without a class",
    "folder not read",
    "parts joined",
    "holes cut",
    "specks left out",
}

#: Suffixes of what labelling tools write for others: Pascal VOC, LabelMe, Open Images, TensorFlow.
_OTHER_FORMATS = frozenset({".xml", ".json", ".csv", ".tfrecord", ".names"})

#: What no trainer here can use, however it is marked.
_LEFT_OUT_BY_DESIGN = {"unused line", "unused point"}

#: What makes no difference to a task that learns no keypoints.
_HARMLESS_WITHOUT_KEYPOINTS = {"graph without keypoints", "other keypoints", "unknown keypoint"}


def recognise(folder: Path) -> Kind:
    """The format of the data set in `folder`; `DataError` where it is none of those known."""
    if not folder.exists():
        hint = "" if folder.is_absolute() else f" in {Path.cwd()}: give an absolute path"
        raise DataError(f"there is no data set at {folder}{hint}")
    if not folder.is_dir():
        raise DataError(archive.advice_for(folder))
    kind = _kind_of(folder)
    if kind is None:
        raise DataError(
            f"{folder} is not a data set in a known format: no meta.json of a Supervisely project, no data.yaml "
            "or obj.data of YOLO, no COCO json, and no folders of images named for their classes"
            + (_inside(folder) or other_format(folder))
        )
    return kind


def _kind_of(folder: Path) -> Kind | None:
    if supervisely.is_project(folder):
        return "supervisely"
    if yolo.is_yolo(folder):
        return "yolo"
    if coco_files.annotation_files(folder):
        return "coco"
    return "images" if image_folder.is_image_folder(folder) else None


def _inside(folder: Path) -> str:
    """A data set in a folder that is none itself: exports are often unpacked one folder deeper."""
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not is_junk(child.name):
            try:
                kind = _kind_of(child)
            except (DataError, OSError):
                continue
            if kind:
                return f" ({child} is one: {kind})"
    return ""


def other_format(folder: Path) -> str:
    """A clause on a file that may have the marks in a format that is not read; empty where there is none."""
    found = (
        file
        for pattern in ("*", "*/*")
        for file in sorted(folder.glob(pattern))
        if file.suffix.lower() in _OTHER_FORMATS and not is_junk(file.name)
    )
    return next((f" ({file} is not read)" for file in found), "")


def read(folder: Path, task: str | None = None) -> DataSet:
    """Read a data set of any known format, also in an archive; what is wrong with it is in `findings`.

    The task decides between annotations where a data set has several kinds of the same images.
    """
    if archive.is_archive(folder):
        place = archive.in_one_folder(archive.unpacked(folder), lambda place: _kind_of(place) is not None)
        data_set = read(place, task)
        data_set.findings.add("unpacked archive", f"{folder} was unpacked to {place}")
        return data_set
    kind: Kind | None = None
    try:
        kind = recognise(folder)
        with without_collector(), known_headers(folder):
            data_set = coco.read(folder, task) if kind == "coco" else _readers[kind](folder)
    except OSError as error:
        # A folder that may not be looked into, say.
        place = str(error.filename or folder)[:200]
        raise DataError(f"the data set {folder} cannot be read: {place}: {error.strerror}") from error
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
        # A part that every reader takes for granted is another one than it should be.
        what = f"{type(error).__name__}: {error}"[:200]
        raise DataError(f"the data set {folder} cannot be read as {kind or 'any format'}: {what}") from error
    if not data_set.images:
        first = next((f" ({one})" for one in data_set.findings.sentences()), "")
        raise DataError(f"the data set {folder} has no readable image{first}")
    return data_set


@contextmanager
def without_collector() -> Iterator[None]:
    """Reading makes millions of objects and no cycles, which Python would look for again and again within."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def leaves_out(kind: str) -> bool:
    """Whether findings of this kind leave less to train with than there should be."""
    return kind not in _HARMLESS or kind in _LEFT_OUT_BY_DESIGN


class HasFindings(Protocol):
    """A data set, or a part of one."""

    findings: Findings


def serious(data_set: HasFindings, task: str | None = None) -> list[str]:
    """Sentences for the findings that a training for a task should not pass over."""
    return [
        sentence
        for one, sentence in zip(data_set.findings, data_set.findings.sentences(), strict=True)
        if one.kind not in _HARMLESS and (task == "pose" or one.kind not in _HARMLESS_WITHOUT_KEYPOINTS)
    ]
