"""What ultralytics loaded of the images and labels that were written for it, and why not the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from epochal.datasets.images import link_name
from epochal.datasets.loaded import Comparison, compared
from epochal.datasets.model import DatasetImage, Object
from epochal.datasets.splits import Split

#: In pixels; an image with a shorter one is discarded.
_SHORTEST_SIDE = 10
_NO_CLASS = "it has no class"

#: For train and val: the objects of each image, by the name of its file.
Promised = dict[str, dict[str, int]]


def promised(split: Split, folder: Path, task: str) -> Promised:
    """What was written: a line for each object, or several where an outline has several parts."""

    def lines(part: str, name: str) -> int:
        return len((folder / "labels" / part / f"{name}.txt").read_text().splitlines())

    return {
        part: {link_name(one): len(one.labels[:1]) if task == "classify" else lines(part, one.name) for one in images}
        for part, images in split.parts.items()
    }


def foreseen(split: Split, task: str) -> list[Comparison]:
    """What ultralytics will load of what will be written, by its rules: those of its `verify_image_label`."""
    comparisons = []
    for part, images in split.parts.items():
        wanted: dict[str, int] = {}
        found: dict[str, int] = {}
        reasons: dict[str, str] = {}
        for image in images:
            name = link_name(image)
            objects = _written(image, task)
            count = len(image.labels[:1]) if task == "classify" else len(objects)
            wanted[name] = count
            if min(image.width, image.height) < _SHORTEST_SIDE:
                reasons[name] = f"image size ({image.height}, {image.width}) <{_SHORTEST_SIDE} pixels"
            elif task == "classify" and not count:
                reasons[name] = _NO_CLASS
            else:
                found[name] = count - (_twice(objects) if count > 1 else 0)
        comparisons.append(compared("ultralytics", part, wanted, found.items(), reasons))
    return comparisons


def _written(image: DatasetImage, task: str) -> list[Object]:
    """The objects that get a line."""
    if task == "segment":
        # A mask without a pixel has no outline.
        return [one for one in image.objects if not one.crowd and (one.bitmap is None or one.bitmap.mask.any())]
    return [one for one in image.objects if not one.crowd]


def _twice(objects: list[Object]) -> int:
    """How many objects of an image are there already: the lines of others are written so that they differ."""
    if len({one.box for one in objects}) == len(objects):
        return 0
    different: list[Object] = []
    for one in objects:
        if not any(other.is_marked_like(one) for other in different):
            different.append(one)
    return len(objects) - len(different)


def compare(part: str, wanted: dict[str, int], dataset: Any) -> Comparison:
    """What is in `dataset`, which ultralytics made for `part`."""
    return compared("ultralytics", part, wanted, _loaded(dataset), dict(_reasons(dataset, wanted)))


def _loaded(dataset: Any) -> Iterator[tuple[str, int]]:
    if hasattr(dataset, "samples"):  # classify
        yield from ((Path(sample[0]).name, 1) for sample in dataset.samples)
    else:
        yield from ((Path(label["im_file"]).name, len(label["cls"])) for label in dataset.labels)


def _reasons(dataset: Any, wanted: dict[str, int]) -> Iterator[tuple[str, str]]:
    """What ultralytics said while it looked at the files, as it keeps it beside them."""
    from ultralytics.data.utils import load_dataset_cache_file

    if hasattr(dataset, "samples"):
        root = Path(dataset.root)
        kept = root.with_suffix(".cache")
        yield from ((name, _NO_CLASS) for name, objects in wanted.items() if not objects)
    else:
        root = Path(dataset.img_path)
        kept = root.parent.parent / "labels" / f"{root.name}.cache"
    try:
        messages = load_dataset_cache_file(kept)["msgs"]
    except (OSError, ValueError, KeyError):
        return
    for message in messages:
        _, is_there, rest = message.partition(f"{root}/")
        file, _, why = rest.partition(": ")
        name = Path(file).name
        if is_there and name in wanted:
            yield name, why.removeprefix("ignoring corrupt image/label: ").split("\n")[0][:200]
