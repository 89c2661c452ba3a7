"""What was found out about files, kept until a file is another one: by path, size and time of change."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from epochal.cache_folder import cache_folder

#: Files that are asked for at a time: variables of a query, and what is lost of the work when the process is killed.
AT_A_TIME = 400


class Stamp(NamedTuple):
    """A file that is overwritten has another one."""

    size: int
    changed: int


def stamp(path: Path) -> Stamp | None:
    """None for a file that is not there."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    return Stamp(state.st_size, state.st_mtime_ns)


class FileFacts:
    """One fact a file. What cannot be kept or read is found out again: a cache that cannot be used is none."""

    def __init__(self, name: str) -> None:
        """`name` is that of the facts' own file in the cache folder."""
        file = cache_folder() / "data-sets" / f"{name}.sqlite"
        self._database: sqlite3.Connection | None = None
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(file, timeout=10)
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS facts (path BLOB PRIMARY KEY, size INTEGER, changed INTEGER, fact) "
                "WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error):
            self.close()

    def known(self, files: Iterable[tuple[Path, Stamp | None]]) -> dict[Path, str | bytes]:
        """The facts of those of at most `AT_A_TIME` files that have not changed since."""
        if self._database is None:
            return {}
        asked = {_name(path): (path, stamp) for path, stamp in files}
        query = f"SELECT path, size, changed, fact FROM facts WHERE path IN ({','.join('?' * len(asked))})"
        try:
            rows = self._database.execute(query, list(asked)).fetchall()
        except sqlite3.Error:
            return {}
        return {asked[name][0]: fact for name, size, changed, fact in rows if asked[name][1] == (size, changed)}

    def keep(self, facts: Iterable[tuple[Path, Stamp, str | bytes]]) -> None:
        """In the place of what was known of these files."""
        if self._database is None:
            return
        rows = [(_name(path), *stamp, fact) for path, stamp, fact in facts]
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error:
            return

    def close(self) -> None:
        """No more is asked."""
        if self._database:
            self._database.close()
        self._database = None


def _name(path: Path) -> bytes:
    return os.fsencode(os.path.abspath(path))
