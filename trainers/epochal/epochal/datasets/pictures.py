"""Picture files: which there are, and how large they are, without decoding them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from epochal.datasets.folders import files_in
from epochal.datasets.model import PICTURE_SUFFIXES, Findings

#: JPEG files by other names, which ultralytics does not take for images.
_JPEG_SUFFIXES = frozenset({".jfif", ".jif", ".jpe"})
#: Images that no reader here opens: who has such is told, instead of missing them later.
_UNREAD_SUFFIXES = frozenset(
    {".avif", ".gif", ".heic", ".heif", ".jp2", ".jxl", ".ppm", ".pgm", ".tga", ".psd", ".dng", ".cr2", ".nef", ".arw"}
)


def pictures_in(folder: Path, findings: Findings) -> list[Path]:
    """Picture files in a folder and those below it, in the same order on every machine."""
    found = []
    for path in files_in(folder, findings):
        suffix = path.suffix.lower()
        if suffix in PICTURE_SUFFIXES:
            found.append(path)
        elif suffix in _UNREAD_SUFFIXES:
            findings.add("image format not read", f"{path} is not one of {' '.join(sorted(PICTURE_SUFFIXES))}", path)
    return sorted(found)


def suffix_of(path: Path) -> str:
    """The suffix for a link to a picture: one that frameworks know for what is in it."""
    suffix = path.suffix.lower()
    return ".jpg" if suffix in _JPEG_SUFFIXES else suffix


def named(name: object, folder: Path, places: Sequence[Path], findings: Findings, where: str) -> Path | None:
    """What the data set in `folder` calls `name`: the first that exists beneath `places`, or where it should be.

    Whoever made a data set wrote its names: one that leads out of the folder is among the findings, and None. Links
    that lie in the folder are followed: they were put there by somebody on this machine.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        # Not as it is: YAML's references make objects that are small to keep, and without end to print.
        shown = repr(name[:80]) if isinstance(name, str) else f"something of the type {type(name).__name__}"
        findings.add("unreadable name", f"{where} names {shown}, which is not a path")
        return None
    inside = [path for place in places if (path := inside_of(folder, place / name))]
    if not inside:
        findings.add("path outside", f"{where} names {name}, which is not in the data set's folder {folder}")
        return None
    return next((path for path in inside if os.path.exists(path)), inside[-1])


def inside_of(folder: Path, path: Path) -> Path | None:
    """`path`, absolute and without `..`, if that is in `folder` or is `folder` itself; else None."""
    root, full = os.path.abspath(folder), os.path.abspath(path)
    return Path(full) if os.path.commonpath([root, full]) == root else None


def size_of(path: Path, findings: Findings) -> tuple[int, int] | None:
    """Width and height, or None for what is missing or no picture, which is then among the findings."""
    try:
        with Image.open(path) as picture:
            return picture.size
    except FileNotFoundError:
        if path.is_symlink():
            findings.add("broken link", f"{path} is a link to {os.readlink(path)}, which is not there")
        else:
            findings.add("missing picture", f"{path} is not there")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        findings.add("unreadable picture", f"{path}: {type(error).__name__}")
    return None


def unique_name(path: Path, folder: Path, taken: set[str]) -> str:
    """A name for converted files that no other picture of the data set has."""
    try:
        relative = path.relative_to(folder)
    except ValueError:
        relative = Path(path.name)
    name = "__".join(relative.with_suffix("").parts)
    if name in taken:
        name = f"{name}__{relative.suffix[1:]}"
    count = 2
    unique = name
    while unique in taken:
        unique, count = f"{name}__{count}", count + 1
    taken.add(unique)
    return unique
