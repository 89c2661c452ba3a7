"""What operating systems, editors and tools leave among the files of a data set: no format reads it."""

from __future__ import annotations

_NAMES = frozenset(
    {
        "__macosx",  # zip files made on a Mac
        "__pycache__",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "$recycle.bin",
        "system volume information",
        "@eadir",  # Synology's thumbnails
        "#recycle",
        "lost+found",
    }
)


def is_junk(name: str) -> bool:
    """Whether a file or folder of this name is not a part of a data set.

    All hidden ones are: `.DS_Store`, `.ipynb_checkpoints`, and `._cat.jpg`, which is not an image in spite of its name.
    """
    return name.startswith(".") or name.lower() in _NAMES
