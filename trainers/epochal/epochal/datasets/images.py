"""Image files: which there are, where they are, and what they are called when they are converted."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from epochal.datasets.folders import files_in
from epochal.datasets.headers import header_of
from epochal.datasets.model import IMAGE_SUFFIXES, DatasetImage, Findings

#: Bytes of a converted file's name without its suffix. File systems allow 255, and frameworks write names around it.
_LONGEST_NAME = 180
#: Of a path, and of a name in it.
_LONGEST_PATH, _LONGEST_PART = 4096, 255
#: Other suffixes of JPEG, which ultralytics does not list.
_usual_suffixes = {".jfif": ".jpg", ".jpe": ".jpg"}

#: Images that no reader here opens: who has such is told, instead of missing them later.
_UNREAD_SUFFIXES = frozenset(
    {".avif", ".gif", ".heic", ".heif", ".jp2", ".jxl", ".ppm", ".pgm", ".tga", ".psd", ".dng", ".cr2", ".nef", ".arw"}
)


def images_in(folder: Path, findings: Findings) -> list[Path]:
    """Image files in a folder and those below it, in the same order on every machine."""
    found = []
    for path in files_in(folder, findings):
        suffix = path.suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            found.append(path)
        elif suffix in _UNREAD_SUFFIXES:
            findings.add("image format not read", f"{path} is not one of {' '.join(sorted(IMAGE_SUFFIXES))}", path)
    return sorted(found)


def named(name: object, folder: Path, places: Sequence[Path], findings: Findings, where: str) -> Path | None:
    """What the data set in `folder` calls `name`: the first that exists beneath `places`, or where it should be.

    Whoever made a data set wrote its names: one that leads out of the folder is among the findings, and None. Links
    that lie in the folder are followed: they were put there by somebody on this machine.
    """
    if not isinstance(name, str) or not _is_path(name):
        # Not as it is: YAML's references make objects that are small to keep, and without end to print.
        shown = repr(name[:80]) if isinstance(name, str) else f"something of the type {type(name).__name__}"
        findings.add("unreadable name", f"{where} names {shown}, which is not a path")
        return None
    last = None
    for place in places:
        path = inside_of(folder, place / name)
        if path is not None and os.path.exists(path):
            return path
        last = path or last
    if last is None:
        findings.add("path outside", f"{where} names {name}, which is not in the data set's folder {folder}")
    return last


def relocated(
    name: object, folder: Path, places: Sequence[Path], findings: Findings, where: str, *, other: Sequence[str] = ()
) -> Path | None:
    """As `named`; where nothing is there, what its last parts lead to: some tools write the path of another machine.

    That is noted. `other` are names for the same file that are as good as the first.
    """
    names = [*_names_of(name), *other]
    for one in names:
        found = named(one, folder, places, Findings(), where)
        if found and os.path.exists(found):
            if one != name and one not in other:
                told = f"{where} is {name}, which is not there; {found} is used instead"
                findings.add("relocated path", told)
            return found
    return named(name, folder, places, findings, where)


def last_parts(path: str) -> list[str]:
    """The path, and what is left of it without its first part, its first two, …"""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _names_of(name: object) -> list[object]:
    if not isinstance(name, str):
        return [name]
    slashed = name.replace("\\", "/")
    names = [name, slashed] if slashed != name else [name]
    is_elsewhere = slashed.startswith("/") or slashed[1:3] == ":/" or ".." in slashed.split("/")
    if is_elsewhere:
        parts = last_parts(slashed)
        # A single name after `..` has nothing before it that could be left out.
        names += parts[1:] or parts
    return list(names)


def _is_path(name: str) -> bool:
    """Whether a file system takes it for a path, of a file that is there or not."""
    try:
        parts = os.fsencode(name).split(b"/")
    except UnicodeEncodeError:
        return False
    return bool(name) and "\0" not in name and len(name) < _LONGEST_PATH and max(map(len, parts)) <= _LONGEST_PART


def inside_of(folder: Path, path: Path) -> Path | None:
    """`path`, absolute and without `..`, if that is in `folder` or is `folder` itself; else None."""
    root, full = os.path.abspath(folder), os.path.abspath(path)
    return Path(full) if os.path.commonpath([root, full]) == root else None


def size_of(path: Path, findings: Findings) -> tuple[int, int] | None:
    """Width and height as `header_of` has them."""
    header = header_of(path, findings)
    return header and (header.width, header.height)


def unique_name(path: Path, folder: Path, taken: set[str]) -> str:
    """A name for converted files that no other image of the data set has."""
    relative, suffix = os.path.splitext(_relative(path, folder))
    name = _short(relative.replace(os.sep, "__"))
    if name in taken:
        name = f"{name}__{suffix[1:]}"
    count = 2
    unique = name
    while unique in taken:
        unique, count = f"{name}__{count}", count + 1
    taken.add(unique)
    return unique


def _relative(path: Path, folder: Path) -> str:
    """The path within the folder, or the file's name where it is not there."""
    full, root = os.fspath(path), f"{folder}{os.sep}"
    if full.startswith(root):
        return full[len(root) :]  # pathlib says the same, and takes ten times as long
    try:
        return os.fspath(path.relative_to(folder))
    except ValueError:
        return path.name


def link_name(image: DatasetImage) -> str:
    """The file name of a converted image, with a suffix that every framework lists."""
    suffix = image.path.suffix.lower()
    return f"{image.name}{_usual_suffixes.get(suffix, suffix)}"


def _short(name: str) -> str:
    """A folder's path as one name may be longer than file systems allow: such a name ends in a hash of the whole."""
    content = name.encode(errors="surrogateescape")
    if len(content) <= _LONGEST_NAME:
        return name
    return f"{content[: _LONGEST_NAME - 11].decode(errors='ignore')}-{hashlib.sha256(content).hexdigest()[:10]}"
