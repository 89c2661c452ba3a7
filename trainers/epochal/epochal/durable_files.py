"""Files that are there whole, or not at all, also after a power cut."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Large: beside a thread that computes in Python, each block waits for its turn with the interpreter, up to 5 ms.
_BLOCK = 16 << 20


_descriptors: set[int] = set()
#: Held while a file is opened or closed: a fork finds each open file in `_descriptors`.
_changing = threading.Lock()


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """For this process alone: a data loader that is forked meanwhile would hold the room of a file that is removed."""
    with _changing:
        descriptor = os.open(path, os.O_RDONLY)
        _descriptors.add(descriptor)
    try:
        yield descriptor
    finally:
        with _changing:
            _descriptors.discard(descriptor)
            os.close(descriptor)


def _close_in_child() -> None:
    for descriptor in _descriptors:
        os.close(descriptor)
    _descriptors.clear()
    _changing.release()


os.register_at_fork(before=_changing.acquire, after_in_parent=_changing.release, after_in_child=_close_in_child)


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    with _opened(path) as descriptor:
        os.fsync(descriptor)


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file and flush it."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_synced(path: Path, content: bytes) -> None:
    """Replace a file at once: a reader sees the old content or the new."""
    beside = path.with_name(f".{path.name}.tmp")
    write_synced(beside, content)
    os.replace(beside, path)
    sync(path.parent)


def sha256_and_sync(path: Path, *, durable: bool = True) -> tuple[int, str]:
    """Size and sha256 of a file; flushed to the disk if `durable`. The interpreter is free while it hashes."""
    digest = hashlib.sha256()
    size = 0
    with _opened(path) as descriptor:
        block = memoryview(bytearray(max(1, min(_BLOCK, os.fstat(descriptor).st_size))))  # Zeroing it takes time, too.
        while count := os.readv(descriptor, [block]):
            digest.update(block[:count])
            size += count
        if durable:
            os.fsync(descriptor)
    return size, digest.hexdigest()
