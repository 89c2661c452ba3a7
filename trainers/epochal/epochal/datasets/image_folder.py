"""Image folder: one folder per class, with or without folders `train`, `val`, `test` above them."""

from __future__ import annotations

import os
from pathlib import Path

from epochal.datasets.folders import folders_in, holds_images, images_beside
from epochal.datasets.images import images_in, link_name, size_of, unique_name
from epochal.datasets.model import DataSet, DatasetImage, Findings
from epochal.datasets.splits import Split, split_name


def is_image_folder(folder: Path) -> bool:
    """Whether there are folders of images, named for classes."""
    children = folders_in(folder, Findings())
    return bool(_splits(children)) or any(map(holds_images, children))


def read(folder: Path) -> DataSet:
    """Read a data set."""
    findings = Findings()
    children = folders_in(folder, findings)
    splits = _splits(children)
    for child in children if splits else []:
        if child in splits:
            continue
        if split_name(child.name):
            findings.add("empty split", f"{child} has no folders of images, named for classes")
        elif images := images_in(child, Findings()):
            findings.add("folder not read", f"{child} is beside folders of splits, and has {len(images)} images")
    roots = {child: folders_in(child, findings) for child in splits} if splits else {folder: children}
    classes = sorted({child.name for folders in roots.values() for child in folders})
    images = []
    taken: set[str] = set()
    for root, folders in roots.items():
        for path in images_beside(root):
            findings.add("image without a class", f"{path} is in no folder named for a class", path)
        for child in folders:
            found = images_in(child, findings)
            if not found:
                findings.add("class without images", f"{child} has none")
            for path in found:
                if size := size_of(path, findings):
                    name = unique_name(path, folder, taken)
                    split = split_name(root.name) if splits else None
                    images.append(DatasetImage(path, name, *size, split=split, labels=[child.name]))
    return DataSet("images", folder, classes, images, findings)


def _splits(folders: list[Path]) -> list[Path]:
    """Which of the folders are splits. One that is named so may be a class: vehicles are a bus, a car, and a train."""
    named = [folder for folder in folders if split_name(folder.name)]
    with_classes = [folder for folder in named if any(map(holds_images, folders_in(folder, Findings())))]
    others_are_classes = any(holds_images(folder) for folder in folders if folder not in named)
    if len(with_classes) == 1 and others_are_classes and holds_images(with_classes[0]):
        return []
    return with_classes


def write(data_set: DataSet, split: Split, folder: Path) -> None:
    """`<folder>/<split>/<class>/<image>`, as links to the images. Every class has its folder in every split."""
    for name, images in split.parts.items():
        for class_name in data_set.classes:
            (folder / name / class_name).mkdir(parents=True, exist_ok=True)
        for image in images:
            for label in image.labels[:1]:
                target = folder / name / label / link_name(image)
                os.symlink(image.path.resolve(), target)
