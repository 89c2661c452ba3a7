"""Image folder: one folder a class, with or without folders `train`, `val`, `test` above them."""

from __future__ import annotations

import os
from pathlib import Path

from epochal.datasets.model import DataSet, Findings, Picture
from epochal.datasets.pictures import link_name, pictures_in, size_of, unique_name
from epochal.datasets.splits import Split, split_name


def read(folder: Path) -> DataSet:
    """Read a data set."""
    findings = Findings()
    roots = [(child, split_name(child.name)) for child in _folders(folder) if split_name(child.name)]
    roots = roots or [(folder, None)]
    classes = sorted({child.name for root, _ in roots for child in _folders(root)})
    pictures = []
    taken: set[str] = set()
    for root, split in roots:
        for child in _folders(root):
            found = list(pictures_in(child))
            if not found:
                findings.add("class without pictures", f"{child} has none")
            for path in found:
                if size := size_of(path, findings):
                    name = unique_name(path, folder, taken)
                    pictures.append(Picture(path, name, *size, split=split, labels=[child.name]))
    return DataSet("images", folder, classes, pictures, findings)


def write(data_set: DataSet, split: Split, folder: Path) -> None:
    """`<folder>/<split>/<class>/<picture>`, as links to the pictures. Every class has its folder in every split."""
    for name, pictures in split.parts.items():
        for class_name in data_set.classes:
            (folder / name / class_name).mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            for label in picture.labels[:1]:
                target = folder / name / label / link_name(picture)
                os.symlink(picture.path.resolve(), target)


def _folders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
