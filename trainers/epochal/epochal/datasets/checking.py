"""What a trainer says of a data set before it trains: problems of a configuration, and the split as a note."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from epochal.datasets import reading
from epochal.datasets.model import DataSet
from epochal.datasets.parameters import SplitParameters
from epochal.datasets.splits import Split, split
from epochal.errors import DataError

#: What a task needs to know of the objects, and how that is said.
_needs: dict[str, tuple[Callable[[DataSet], bool], str]] = {
    "detect": (lambda data_set: data_set.has_boxes, "no boxes on its pictures"),
    "segment": (lambda data_set: data_set.has_masks, "no masks or polygons on its pictures"),
    "pose": (lambda data_set: data_set.has_keypoints, "no keypoints on its pictures"),
    "classify": (
        lambda data_set: any(picture.labels for picture in data_set.pictures),
        "no classes of whole pictures (a folder for each class, or tags named as classes)",
    ),
}


def checked(data: str, task: str, parameters: SplitParameters, seed: int = 0) -> tuple[DataSet, Split]:
    """The data set and its split; `DataError` for one that cannot be trained on, with the first of what is wrong."""
    data_set = reading.read(Path(data).expanduser(), task)
    wrong = reading.serious(data_set)
    if wrong and not parameters.skip_bad_pictures:
        raise DataError(f"the data set {data} has {'; '.join(wrong)} (skip_bad_pictures: true trains on the rest)")
    has, words = _needs[task]
    if not has(data_set):
        raise DataError(f"the data set {data} ({data_set.kind}) has {words}, which the task {task} needs")
    if task == "pose" and (different := _different_keypoints(data_set)):
        raise DataError(f"the data set {data} has {different}: the task pose needs the same number for all classes")
    if task == "pose" and not data_set.keypoint_flip:
        names = ", ".join(data_set.keypoint_names[:20])
        data_set.findings.add(
            "unmirrored keypoints",
            f"nothing says which of {names} becomes which in a mirrored image (flip_idx does, or names with left and "
            "right): no image is flipped in training",
        )
    chosen = split(data_set, parameters.split, seed=seed, fraction=parameters.validation_fraction)
    if task == "classify":
        learnt = sorted({label for picture in chosen.parts["train"] for label in picture.labels[:1]})
        if len(learnt) < 2:
            raise DataError(
                f"the data set {data} has only images of {', '.join(learnt) or 'no class'} to train with: a classifier "
                "learns to tell two classes or more apart"
            )
    return data_set, chosen


def _different_keypoints(data_set: DataSet) -> str | None:
    """Classes whose objects have another number of keypoints than those of others, as words."""
    counts: dict[str, int] = {}
    for picture in data_set.pictures:
        for one in picture.objects:
            if one.keypoints:
                known = counts.setdefault(one.class_name, len(one.keypoints))
                if known != len(one.keypoints):
                    return f"objects of {one.class_name} with {known} and with {len(one.keypoints)} keypoints"
    if len(set(counts.values())) < 2:
        return None
    return ", ".join(f"{name} with {count} keypoints" for name, count in counts.items())
