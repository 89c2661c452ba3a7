"""Files that are there whole, or not at all, also after a power cut."""

import hashlib
import os
from pathlib import Path

_BLOCK = 1 << 20


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def sha256_and_sync(path: Path) -> tuple[int, str]:
    """Size and sha256 of a file, flushed to the disk. The lock on the interpreter is free while it hashes."""
    digest = hashlib.sha256()
    size = 0
    block = memoryview(bytearray(_BLOCK))
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(block):
            digest.update(block[:count])
            size += count
        os.fsync(file.fileno())
    return size, digest.hexdigest()
