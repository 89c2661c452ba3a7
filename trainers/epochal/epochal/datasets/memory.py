"""What was read of a large data set, kept in the cache folder until a file of it is another one.

Two things are kept: what a check said, and the headers of the images, which cost most of the reading. Each is a file
that can be removed at any time, and a cache that cannot be written or read is none.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from epochal.cache_folder import cache_folder
from epochal.datasets import headers
from epochal.datasets.headers import Header

#: Files of a data set that is worth it.
_LARGE = 2000
#: For how long nobody must have asked for it before it is removed, in seconds.
_KEPT_FOR = 30 * 24 * 3600


def remembered(folder: Path, asked: list[Any], work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer of `work`, or what it answered before when `asked` was the same and so was every file in `folder`."""
    stamp, files = stamp_of(folder)
    if files < _LARGE:
        return work()
    kept = _file("checks", [os.path.abspath(folder), asked])
    known = _load(kept)
    if isinstance(known, dict) and known.get("stamp") == stamp and isinstance(known.get("answer"), dict):
        return known["answer"]
    answer = work()
    # Not what was read of files that changed meanwhile.
    if stamp_of(folder)[0] == stamp:
        _save(kept, {"stamp": stamp, "answer": answer})
    return answer


def stamp_of(folder: Path) -> tuple[str, int]:
    """A hash over the name, size and time of change of every file in a folder and below, and how many there are.

    Of what a link leads to, too. An image whose pixels were changed is another one then, without being opened.
    """
    digest = hashlib.sha256(_version().encode())
    waiting, seen, files = [os.fspath(folder)], set(), 0
    while waiting:
        place = waiting.pop()
        try:
            state = os.stat(place)
            if (state.st_dev, state.st_ino) in seen:
                continue  # a link to a folder above it
            seen.add((state.st_dev, state.st_ino))
            with os.scandir(place) as entries:
                found = sorted(entries, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            digest.update(f"{place}\0{error.errno}\n".encode(errors="surrogateescape"))
            continue
        lines = []
        # Each is forgotten when it was looked at: it keeps what was asked of it.
        while found:
            entry = found.pop()
            try:
                if entry.is_dir():
                    waiting.append(entry.path)
                    continue
                state = entry.stat()
                lines.append(f"{entry.path}\0{state.st_size}\0{state.st_mtime_ns}\n")
            except OSError as error:
                lines.append(f"{entry.path}\0{error.errno}\n")
        files += len(lines)
        digest.update("".join(lines).encode(errors="surrogateescape"))
    return digest.hexdigest(), files


@contextmanager
def known_headers(folder: Path) -> Iterator[None]:
    """Headers of the images in `folder` that were read before are known within, and those read are kept after it."""
    kept = _file("headers", [os.path.abspath(folder)])
    content = _load(kept)
    known = headers.Known()
    if isinstance(content, dict):
        for path, entry in content.items():
            if isinstance(entry, list) and len(entry) == 5 and all(type(value) is int for value in entry):
                known.before[path] = (entry[0], entry[1], Header(*entry[2:]))
    outer, headers.known = headers.known, known
    try:
        yield
    finally:
        headers.known = outer
    # Each file that is gone leaves what is kept with the next reading; nothing is written where nothing changed.
    if len(known.now) >= _LARGE and known.now != known.before:
        _save(kept, {path: [size, time, *header] for path, (size, time, header) in known.now.items()})


def _file(kind: str, key: list[Any]) -> Path:
    name = hashlib.sha256(json.dumps([_version(), key]).encode()).hexdigest()[:32]
    return cache_folder() / "data-sets" / kind / f"{name}.json"


def _version() -> str:
    """Of what reads: another version may find something else in the same files."""
    here = Path(__file__).parent
    files = [*sorted(here.glob("*.py")), here.parent / "data_report.py"]
    content = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(content).hexdigest()


def _load(file: Path) -> Any:
    try:
        content = json.loads(file.read_bytes())
        os.utime(file)
    except (OSError, ValueError, RecursionError):
        return None
    return content


def _save(file: Path, content: Any) -> None:
    """Beside, then renamed: who reads it finds it whole."""
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(content))
        beside.replace(file)
        for old in file.parent.iterdir():
            if old.stat().st_mtime < file.stat().st_mtime - _KEPT_FOR:
                old.unlink(missing_ok=True)
    except (OSError, ValueError):
        beside.unlink(missing_ok=True)
