"""What a task makes of a data set: what it cannot be trained on with, and what it takes for what is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from epochal.datasets.images import link_name
from epochal.datasets.loaded import Comparison
from epochal.datasets.mirrors import mirrored
from epochal.datasets.model import DataSet
from epochal.datasets.splits import Split
from epochal.errors import DataError


def fit_to_task(data_set: DataSet, task: str) -> None:
    """`DataError` for objects that the task cannot be trained on with; findings for what it fills in."""
    if task == "pose":
        _same_keypoints(data_set)
        _mirror(data_set)
    if task == "segment":
        _masks_of_boxes(data_set)


def something_to_learn(split: Split, task: str, comparisons: Iterable[Comparison] = ()) -> None:
    """`DataError` for a split with nothing to train or validate with, or of which a framework keeps nothing.

    `comparisons` say what the framework loads of each part.
    """
    loaded = {one.part: one for one in comparisons}
    for part, images in split.parts.items():
        objects = loaded[part].loaded if part in loaded else None
        kept = images if objects is None else [one for one in images if link_name(one) in objects]
        if not kept:
            raise DataError(f"no {part} image is left: {loaded[part].sentences()[0]}")
        marked = [
            one
            for one in kept
            if (one.labels if task == "classify" else one.objects if objects is None else objects[link_name(one)])
        ]
        if part == "train" and not marked:
            what = "a class" if task == "classify" else "an object"
            raise DataError(f"none of the {len(kept)} train images has {what}: there is nothing to learn")
        learnt = {label for image in kept for label in image.labels[:1]}
        if part == "train" and task == "classify" and len(learnt) < 2:
            raise DataError(
                f"there are only images of {', '.join(learnt)} to train with: a classifier learns to tell two classes "
                "or more apart"
            )


def _same_keypoints(data_set: DataSet) -> None:
    """Networks for poses have one number of keypoints: each object must have as many, or none."""
    found: Counter[tuple[str, int]] = Counter()
    for image in data_set.images:
        found.update((one.class_name, len(one.keypoints)) for one in image.objects if one.keypoints)
    counts = {count for _, count in found}
    if len(counts) > 1:
        listed = "; ".join(
            f"{name} has {count} (on {objects} object{'s' if objects > 1 else ''})"
            for (name, count), objects in sorted(found.items(), key=lambda one: -one[1])[:20]
        )
        raise DataError(
            f"the objects of {data_set.folder} have different numbers of keypoints, and the task pose needs the same "
            f"for all: {listed}"
        )
    named = len(data_set.keypoint_names)
    if counts and counts != {named}:
        raise DataError(
            f"the objects of {data_set.folder} have {counts.pop()} keypoints, but it names {named} "
            f"({', '.join(data_set.keypoint_names[:20])}): there must be as many"
        )


def _mirror(data_set: DataSet) -> None:
    """Without a word on which keypoint becomes which, ultralytics mirrors no image."""
    if data_set.keypoint_flip:
        return
    names = data_set.keypoint_names
    data_set.keypoint_flip = mirrored(names)
    pairs = [
        f"{names[index]} and {names[other]}" for index, other in enumerate(data_set.keypoint_flip) if index < other
    ]
    if pairs:
        data_set.findings.add("mirrored keypoints", f"{', '.join(pairs)} change places in a mirrored image")
    else:
        data_set.findings.add(
            "no mirrored images",
            f"nothing says which of the keypoints {', '.join(names[:20])} becomes which in a mirrored image (flip_idx "
            "of YOLO, or names such as left_eye and right_eye): images are not mirrored",
        )


def _masks_of_boxes(data_set: DataSet) -> None:
    for image in data_set.images:
        for one in image.objects:
            if not one.has_mask:
                detail = f"{one.class_name} on {image.path} has no mask: its box is taken as its outline"
                data_set.findings.add("box as outline", detail, image.path)
