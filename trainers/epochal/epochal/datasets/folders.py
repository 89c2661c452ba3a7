"""What is in the folders of a data set: links are followed, junk is passed over, and both are told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from epochal.datasets.junk import is_junk
from epochal.datasets.model import IMAGE_SUFFIXES, Findings


def files_in(folder: Path, findings: Findings) -> Iterator[Path]:
    """Files in a folder and those below it.

    Links to files and folders are followed. A folder that several names lead to is read once, under the name that is
    not a link where there is one, and one that holds `folder` itself is not read: so links that lead in a circle end.
    """
    read = {_identity(one): str(one) for one in Path(os.path.realpath(folder)).parents}
    folders, linked = [str(folder)], []
    while folders or linked:
        here = folders.pop() if folders else linked.pop(0)
        try:
            identity = _identity(here)
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            findings.add("unreadable folder", f"{here}: {error.strerror}")
            continue
        if (first := read.setdefault(identity, here)) != here:
            findings.add("folder linked twice", f"{here} leads to {first}, which is not read again")
            continue
        inner = []
        for entry in entries:
            if is_junk(entry.name):
                findings.add("junk", f"{entry.path} is not a part of the data set")
            elif _is_folder(entry):
                (linked if entry.is_symlink() else inner).append(entry.path)
            elif _is_file(entry):
                yield Path(entry.path)
            elif entry.is_symlink() and Path(entry.name).suffix.lower() in {"", *IMAGE_SUFFIXES}:
                findings.add("broken link", f"{entry.path} is a link to {os.readlink(entry.path)}, which is not there")
        folders += reversed(inner)


def folders_in(folder: Path, findings: Findings) -> list[Path]:
    """The folders directly in a folder, by name; junk is passed over."""
    found: list[Path] = []
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        findings.add("unreadable folder", f"{folder}: {error.strerror}")
        return found
    for entry in entries:
        if is_junk(entry.name):
            findings.add("junk", f"{entry.path} is not a part of the data set")
        elif _is_folder(entry):
            found.append(Path(entry.path))
        elif entry.is_symlink() and not os.path.exists(entry.path) and not Path(entry.name).suffix:
            findings.add("broken link", f"{entry.path} is a link to {os.readlink(entry.path)}, which is not there")
    return found


def images_beside(folder: Path) -> list[Path]:
    """The images directly in a folder."""
    return [
        Path(entry.path)
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name)
        if not is_junk(entry.name) and Path(entry.name).suffix.lower() in IMAGE_SUFFIXES and not _is_folder(entry)
    ]


def holds_images(folder: Path) -> bool:
    """Whether an image is directly in a folder."""
    return bool(images_beside(folder))


def _identity(folder: str | Path) -> tuple[int, int]:
    state = os.stat(folder)
    return state.st_dev, state.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False
