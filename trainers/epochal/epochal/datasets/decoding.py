"""Every image read to its last pixel, once: a file whose header is whole may still be damaged behind it.

What was decoded is kept by path, size and time of change, so that only new and changed files are decoded again.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageFile

from epochal.cache_folder import cache_folder
from epochal.datasets.model import Findings, Picture

#: Called with how many of how many images are done.
Progress = Callable[[int, int], None]

KIND = "damaged image"
_AT_A_TIME = 400  # variables of a query; and what is lost of the work when the process is killed


class Outcome(NamedTuple):
    """What came of it."""

    #: Images that were decoded now or before; fewer than there are where time ran out.
    images: int
    #: Those that cannot be, which are among the findings.
    failed: list[Picture]


def decode_all(
    pictures: Sequence[Picture],
    findings: Findings,
    progress: Progress = lambda _done, _all: None,
    seconds: float | None = None,
) -> Outcome:
    """Decode every image, at most for so many seconds; one that is damaged is a finding of the kind `damaged image`."""
    end = None if seconds is None else time.monotonic() + seconds
    done, failed = 0, []
    # A package may have told Pillow to fill up what is cut off.
    tolerant, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        with closing(_Kept()) as kept, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for start in range(0, len(pictures), _AT_A_TIME):
                if end is not None and time.monotonic() > end:
                    break
                some = pictures[start : start + _AT_A_TIME]
                for picture, problem in zip(some, kept.problems([one.path for one in some], pool), strict=True):
                    done += 1
                    if problem:
                        failed.append(picture)
                        findings.add(KIND, f"{picture.path} cannot be decoded: {problem}", picture.path)
                progress(done, len(pictures))
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant
    return Outcome(done, failed)


def _problem(path: Path) -> str:
    """Why a file cannot be decoded; empty for one that can."""
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:
        # Pillow's readers raise whatever a broken file makes them stumble over.
        return str(error)[:200] or type(error).__name__
    return ""


class _Kept:
    """What is known of files. A cache that cannot be used is none."""

    def __init__(self) -> None:
        file = cache_folder() / "data-sets" / "decoded.sqlite"
        self._database: sqlite3.Connection | None = None
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(file, timeout=10)
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS decoded (path BLOB PRIMARY KEY, size INTEGER, changed INTEGER, "
                "problem TEXT) WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error):
            self.close()

    def problems(self, paths: list[Path], pool: ThreadPoolExecutor) -> list[str]:
        """For each path why it cannot be decoded, or an empty text."""
        names = [os.fsencode(os.path.abspath(path)) for path in paths]
        stamps = [_stamp(path) for path in paths]
        known = self._read(names)
        found: dict[bytes, str] = {
            name: known[name][1]
            for name, stamp in zip(names, stamps, strict=True)
            if stamp and name in known and known[name][0] == stamp
        }
        fresh = [index for index, name in enumerate(names) if name not in found]
        for index, problem in zip(fresh, pool.map(_problem, [paths[index] for index in fresh]), strict=True):
            found[names[index]] = problem
        self._write([(names[i], *stamp, found[names[i]]) for i in fresh if (stamp := stamps[i])])
        return [found[name] for name in names]

    def close(self) -> None:
        """No more is asked."""
        if self._database:
            self._database.close()
        self._database = None

    def _read(self, names: list[bytes]) -> dict[bytes, tuple[tuple[int, int], str]]:
        if self._database is None:
            return {}
        query = f"SELECT path, size, changed, problem FROM decoded WHERE path IN ({','.join('?' * len(names))})"
        try:
            rows = self._database.execute(query, names).fetchall()
        except sqlite3.Error:
            return {}
        return {path: ((size, changed), problem) for path, size, changed, problem in rows}

    def _write(self, rows: list[tuple[bytes, int, int, str]]) -> None:
        if self._database is None:
            return
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO decoded VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error:
            return


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns
