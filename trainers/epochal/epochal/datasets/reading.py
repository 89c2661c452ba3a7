"""Find out what a data set is, and read it."""

from __future__ import annotations

from pathlib import Path

from epochal.datasets import coco, coco_files, image_folder, supervisely, yolo
from epochal.datasets.mirrored import mirrored
from epochal.datasets.model import DataSet, Kind
from epochal.errors import DataError

_readers = {"supervisely": supervisely.read, "yolo": yolo.read, "images": image_folder.read}

#: Findings that leave less to train with than there should be, and others that make no difference.
_HARMLESS = {
    "picture without labels",
    "picture without annotation",
    "unused shape",
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
    "image twice",
    "keypoint names",
    "label without image",
    "renamed key",
    "same line twice",
    "unread key",
    "unmirrored keypoints",
    "image in no split",
    "junk",
    "folder linked twice",
    "image format not read",
    "image without a class",
    "folder not read",
}


def recognise(folder: Path) -> Kind:
    """The format of the data set in `folder`; `DataError` where it is none of those known."""
    if not folder.exists():
        hint = "" if folder.is_absolute() else f" in {Path.cwd()}: give an absolute path"
        raise DataError(f"there is no data set at {folder}{hint}")
    if not folder.is_dir():
        raise DataError(f"{folder} is a file: a data set is a folder")
    if (folder / "meta.json").is_file() and any(folder.rglob("ann")):
        return "supervisely"
    if yolo.is_yolo(folder):
        return "yolo"
    if coco_files.annotation_files(folder):
        return "coco"
    if image_folder.is_image_folder(folder):
        return "images"
    raise DataError(
        f"{folder} is no data set that is known here: there is no meta.json of a Supervisely project, no data.yaml of "
        "YOLO, no COCO json, and no folders of pictures named for their classes"
    )


def read(folder: Path, task: str | None = None) -> DataSet:
    """Read a data set of any known format; what is wrong with it is in `findings`.

    The task decides between annotations where a data set has several kinds of the same pictures.
    """
    kind = recognise(folder)
    try:
        data_set = coco.read(folder, task) if kind == "coco" else _readers[kind](folder)
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
        # A part that every reader takes for granted is another one than it should be.
        what = f"{type(error).__name__}: {error}"[:200]
        raise DataError(f"the data set {folder} cannot be read as {kind}: {what}") from error
    if not data_set.pictures:
        first = next((f" ({one})" for one in data_set.findings.sentences()), "")
        raise DataError(f"the data set {folder} has no picture that can be read{first}")
    data_set.keypoint_flip = data_set.keypoint_flip or mirrored(data_set.keypoint_names)
    return data_set


def serious(data_set: DataSet) -> list[str]:
    """Sentences for the findings that a training should not pass over."""
    return [
        sentence
        for one, sentence in zip(data_set.findings, data_set.findings.sentences(), strict=True)
        if one.kind not in _HARMLESS
    ]
