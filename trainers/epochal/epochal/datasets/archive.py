"""A data set in a tar archive: unpacked once, into the cache folder, before it is read.

Frameworks open images by their paths, so there have to be files. Only ordinary files and folders are unpacked: what
leads out of the folder, and links, which could lead there, are refused.

`<key>.lock` beside an unpacked folder has its bytes, was changed when the folder was last asked for, and is locked by
the processes that use it. What nobody uses is removed: after a time, and where there are too many.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tarfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from epochal.cache_folder import cache_folder
from epochal.datasets.junk import is_junk
from epochal.errors import DataError

_TAR = (".tar", ".tar.gz", ".tgz")
_OTHERS = (".zip", ".7z", ".rar", ".tar.bz2", ".tar.xz", ".tar.zst")
_MOST_FILES = 5_000_000
_BLOCK = 512
#: What nobody has asked for since is removed, and so is what is longest unused where all together is more than this.
_LONGEST_UNUSED = 30 * 24 * 3600.0
_MOST_BYTES = 100 << 30

#: Locks of this process, shared with others, until it ends: it reads images by their paths for as long.
_held: dict[Path, IO[str]] = {}


def is_archive(path: Path) -> bool:
    """Whether a file is an archive that can be unpacked here, by its name."""
    return path.name.lower().endswith(_TAR) and path.is_file()


def advice_for(path: Path) -> str:
    """What to do with a file that is not a data set."""
    name = path.name.lower()
    if re.search(r"\.tar\.\d+$", name):
        whole = path.name.rpartition(".")[0]
        return f"{path} is a part of an archive: put its parts together (cat {whole}.* > {whole})"
    if name.endswith(_OTHERS):
        return f"{path} is an archive of a kind that cannot be read: unpack it, and give the folder"
    return f"{path} is a file: a data set is a folder, or an archive ({', '.join(_TAR)}) of one"


def unpacked(archive: Path) -> Path:
    """The folder that an archive was unpacked to, now or before; `DataError` for one that cannot be."""
    state = archive.stat()
    key = hashlib.sha256(f"{archive.resolve()}\0{state.st_size}\0{state.st_mtime_ns}".encode()).hexdigest()[:16]
    folder = cache_folder() / "unpacked" / key
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = _held.pop(folder, None) or open(folder.with_name(f"{key}.lock"), "a+")  # noqa: SIM115 (held on)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            if not folder.is_dir():
                fcntl.flock(lock, fcntl.LOCK_EX)  # another trainer may be at it
                if not folder.is_dir():
                    _evict(folder.parent, state.st_size)
                    _unpack_whole(archive, folder, lock)
                fcntl.flock(lock, fcntl.LOCK_SH)
            os.utime(lock.fileno())
        except BaseException:
            lock.close()
            raise
        _held[folder] = lock
    except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError) as error:
        raise DataError(f"the archive {archive} cannot be unpacked: {error}") from error
    return folder


def in_one_folder(folder: Path, is_data_set: Callable[[Path], bool]) -> Path:
    """The data set itself, where a folder has nothing but one with it."""
    while True:
        inside = [entry for entry in folder.iterdir() if not is_junk(entry.name)]
        if len(inside) != 1 or not inside[0].is_dir() or is_data_set(folder):
            return folder
        folder = inside[0]


def _unpack_whole(archive: Path, folder: Path, lock: IO[str]) -> None:
    """Beside, then renamed: whoever finds the folder finds all of it."""
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)  # of one that was stopped
    try:
        size = _unpack(archive, part)
        lock.truncate(0)
        lock.write(str(size))
        lock.flush()
        os.rename(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _evict(parent: Path, wanted: int) -> None:
    """Remove what nobody uses, the longest unused first, until there is room for so many bytes more."""
    locks = sorted(parent.glob("*.lock"), key=lambda path: path.stat().st_mtime)
    sizes = {path: _size(path) for path in locks if path.with_suffix("").is_dir()}
    total = sum(sizes.values()) + wanted
    for path in locks:
        is_old = time.time() - path.stat().st_mtime > _LONGEST_UNUSED
        is_too_much = total > _MOST_BYTES or shutil.disk_usage(parent).free < wanted
        with open(path, "a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # in use
            shutil.rmtree(path.with_suffix(".part"), ignore_errors=True)
            if path in sizes and (is_old or is_too_much):
                # Renamed first: nobody finds a half of it, should this be stopped.
                os.rename(path.with_suffix(""), path.with_suffix(".part"))
                shutil.rmtree(path.with_suffix(".part"), ignore_errors=True)
                total -= sizes[path]


def _size(lock: Path) -> int:
    text = lock.read_text()
    return int(text) if text.isdecimal() else 0


def _unpack(archive: Path, folder: Path) -> int:
    """Answers how many bytes there were."""
    room = shutil.disk_usage(folder.parent).free
    folder.mkdir()
    size = count = 0
    with tarfile.open(archive) as tar:
        for member in tar:
            place = _place(member, archive)
            size, count = size + member.size, count + 1
            if size > room or count > _MOST_FILES:
                raise DataError(
                    f"the archive {archive} holds more than the {room} bytes free in {folder.parent}, or more than "
                    f"{_MOST_FILES} files"
                )
            if member.isdir():
                (folder / place).mkdir(parents=True, exist_ok=True)
                continue
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            if content is None:
                raise DataError(f"{member.name!r} in the archive {archive} has no content")
            with content, open(folder / place, "wb") as file:
                shutil.copyfileobj(content, file, 1 << 20)
        # An archive that was cut off between two files would otherwise just have fewer of them.
        source = tar.fileobj
        source.seek(tar.offset)
        if source.read(_BLOCK) != bytes(_BLOCK):
            raise DataError(f"the archive {archive} is cut off or damaged after {count} entries")
    return size


def _place(member: tarfile.TarInfo, archive: Path) -> PurePosixPath:
    place = PurePosixPath(member.name)
    if place.is_absolute() or ".." in place.parts or "\0" in member.name:
        raise DataError(f"{member.name!r} in the archive {archive} leads out of its folder: it is not unpacked")
    if not (member.isreg() or member.isdir()):
        raise DataError(
            f"{member.name!r} in the archive {archive} is not a file but a link or a device: unpack it yourself "
            "(tar -xf), and give the folder"
        )
    return place
