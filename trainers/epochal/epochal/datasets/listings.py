"""What is in the folders of a data set's images: asking once for a folder is much quicker than for each image."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from epochal.datasets.images import inside_of


class _Listed(NamedTuple):
    folder: Path
    files: frozenset[str]
    links: frozenset[str]


class Listings:
    """Of the data set in `folder`, each read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listed: dict[tuple[Path, str], _Listed | None] = {}

    def find(self, name: object, places: list[Path]) -> Path | None:
        """The file that a simple name stands for in the first of `places` that has it.

        None says nothing: the name may lead through `..` or a link, or nowhere, and has to be looked for.
        """
        if type(name) is not str or "\\" in name:
            return None
        inner, _, file = name.rpartition("/")
        for place in places:
            if (place, inner) not in self._listed:
                self._listed[place, inner] = self._list(place, inner)
            listed = self._listed[place, inner]
            if listed is None or file in listed.links:
                return None
            if file in listed.files:
                return listed.folder / file
        return None

    def _list(self, place: Path, inner: str) -> _Listed | None:
        if inner and not {"", ".", ".."}.isdisjoint(inner.split("/")):
            return None
        try:
            path = inside_of(self._folder, place / inner)
            if path is None:
                return None
            with os.scandir(path) as entries:
                found = {entry.name: entry.is_symlink() for entry in entries}
        except FileNotFoundError:
            return _Listed(place, frozenset(), frozenset())
        except (OSError, ValueError):
            return None
        links = frozenset(file for file, is_link in found.items() if is_link)
        return _Listed(path, frozenset(found.keys() - links), links)
