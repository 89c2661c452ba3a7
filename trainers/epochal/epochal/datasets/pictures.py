"""Picture files: which there are, and how large they are, without decoding them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from epochal.datasets.model import PICTURE_SUFFIXES, Findings


def pictures_in(folder: Path) -> Iterator[Path]:
    """Picture files in a folder and those below it, in the same order on every machine."""
    return iter(
        sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file())
    )


def size_of(path: Path, findings: Findings) -> tuple[int, int] | None:
    """Width and height, or None for what is missing or no picture, which is then among the findings."""
    try:
        with Image.open(path) as picture:
            return picture.size
    except FileNotFoundError:
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
