"""Text files as editors on any system save them."""

from __future__ import annotations

import codecs
from pathlib import Path

from epochal.errors import DataError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16's does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def text_of(file: Path) -> str:
    """The text of a file that is UTF-8, or begins with the mark of another Unicode encoding; else `DataError`."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from error
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{file} is not UTF-8: line {line} has the byte 0x{content[error.start]:02x}; save it with this encoding"
        ) from error
    if "\0" in text:
        raise DataError(f"{file} is not a text file in UTF-8: it has bytes that are zero")
    return text
