"""The same image file under several names: within a split it counts twice, in two splits it makes validation lie.

Only files that are alike so far are read on: those of one size, of which a part is the same, are read whole. What was
read is kept, so that a data set that has not changed is not read again.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from epochal.cache_folder import cache_folder
from epochal.datasets.model import Findings, Picture
from epochal.datasets.splits import Split, split_name

#: Called with how many of how many steps are done; a step is a file of which a part or all is read.
Progress = Callable[[int, int], None]

_PART = 4096
_AT_A_TIME = 500  # variables of a query


def find(
    pictures: Sequence[Picture], progress: Progress = lambda _done, _all: None, *, chosen: Split | None = None
) -> Findings:
    """Images that are there more than once, byte for byte; what is only alike is not found.

    Kinds of findings: `duplicate across splits`, by the split that was `chosen` or else by the data set's own, and
    `duplicate image`.
    """
    findings = Findings()
    splits = _splits(pictures, chosen)
    for group in _groups(pictures, progress):
        first, *others = sorted(group, key=lambda picture: str(picture.path))
        for other in others:
            here, there = splits.get(id(first)), splits.get(id(other))
            if here != there and here and there:
                what = f"{first.path} in {here} is the same image as {other.path} in {there}"
                findings.add("duplicate across splits", what, other.path)
            else:
                findings.add("duplicate image", f"{first.path} is the same image as {other.path}", other.path)
    return findings


def _splits(pictures: Sequence[Picture], chosen: Split | None) -> dict[int, str]:
    own = {id(picture): split_name(picture.split) or picture.split for picture in pictures if picture.split}
    if chosen is None:
        return own
    drawn = {id(picture): part for part, pictures in chosen.parts.items() for picture in pictures}
    return {**{key: name for key, name in own.items() if name not in chosen.parts}, **drawn}


def _groups(pictures: Sequence[Picture], progress: Progress) -> list[list[Picture]]:
    """Pictures of equal content."""
    states: dict[int, os.stat_result] = {}
    for picture in pictures:
        try:
            states[id(picture)] = os.stat(picture.path)
        except OSError:
            continue  # among the reader's findings
    there = [picture for picture in pictures if id(picture) in states]
    alike = _several(there, lambda picture: states[id(picture)].st_size)
    steps = sum(map(len, alike))
    done = 0
    with closing(_Digests()) as digests:
        for whole in (False, True):
            wanted = [picture for group in alike for picture in group]
            found = {}
            for picture, digest in digests.of(wanted, states, whole):
                found[id(picture)] = digest
                done += 1
                progress(done, max(steps, done))
            alike = [
                equal
                for group in alike
                for equal in _several([one for one in group if found[id(one)]], lambda one, by=found: by[id(one)])
            ]
            steps = done + sum(map(len, alike))
    return alike


def _several(pictures: Iterable[Picture], key: Callable[[Picture], object]) -> list[list[Picture]]:
    groups: dict[object, list[Picture]] = defaultdict(list)
    for picture in pictures:
        groups[key(picture)].append(picture)
    return [group for group in groups.values() if len(group) > 1]


class _Digests:
    """Digests of files, kept by path, size and time of change. A cache that cannot be used is none."""

    def __init__(self) -> None:
        self._kept = _opened(cache_folder() / "data-sets" / "digests.sqlite")

    def of(
        self, pictures: list[Picture], states: dict[int, os.stat_result], whole: bool
    ) -> Iterable[tuple[Picture, bytes | None]]:
        """The digest of each picture's file, or of a part of it; None for one that cannot be read."""
        for start in range(0, len(pictures), _AT_A_TIME):
            some = pictures[start : start + _AT_A_TIME]
            names = {id(picture): os.fsencode(os.path.abspath(picture.path)) for picture in some}
            kept = self._read(list(names.values()), whole)
            fresh = []
            for picture in some:
                state, name = states[id(picture)], names[id(picture)]
                stamp = (state.st_size, state.st_mtime_ns)
                if kept.get(name, (None,))[0] == stamp:
                    yield picture, kept[name][1]
                    continue
                digest = _digest(picture.path, whole)
                if digest:
                    fresh.append((name, whole, *stamp, digest))
                yield picture, digest
            self._write(fresh)

    def close(self) -> None:
        """No more are asked for."""
        if self._kept:
            self._kept.close()

    def _read(self, names: list[bytes], whole: bool) -> dict[bytes, tuple[tuple[int, int], bytes]]:
        if self._kept is None:
            return {}
        marks = ",".join("?" * len(names))
        query = f"SELECT path, size, changed, digest FROM digests WHERE whole = ? AND path IN ({marks})"
        try:
            rows = self._kept.execute(query, [whole, *names]).fetchall()
        except sqlite3.Error:
            return {}
        return {path: ((size, changed), digest) for path, size, changed, digest in rows}

    def _write(self, rows: list[tuple[bytes, bool, int, int, bytes]]) -> None:
        if self._kept is None:
            return
        try:
            with self._kept:
                self._kept.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?)", rows)
        except sqlite3.Error:
            return


def _opened(file: Path) -> sqlite3.Connection | None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(file, timeout=10)
        database.execute(
            "CREATE TABLE IF NOT EXISTS digests (path BLOB, whole INTEGER, size INTEGER, changed INTEGER, digest BLOB, "
            "PRIMARY KEY (path, whole)) WITHOUT ROWID"
        )
    except (OSError, sqlite3.Error):
        return None
    return database


def _digest(path: Path, whole: bool) -> bytes | None:
    """Of all its bytes, or of some in its middle: their beginnings are alike in images of one camera."""
    try:
        with open(path, "rb") as file:
            if not whole:
                file.seek(max(os.fstat(file.fileno()).st_size - _PART, 0) // 2)
                return hashlib.sha256(file.read(_PART)).digest()
            digest = hashlib.sha256()
            while part := file.read(1 << 20):
                digest.update(part)
            return digest.digest()
    except OSError:
        return None
