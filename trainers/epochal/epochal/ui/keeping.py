"""Puts what a value shows beside it: files named by their content, so that what is shown again is there once."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from epochal.ui.pixels import Encoded, encoded, encoded_mask
from epochal.ui.values import text

FOLDER = "pages"
#: Bytes of the files of one value.
MOST_BYTES_SHOWN = 8 << 20
#: A value that is larger is a file of its own.
_INLINE = 2 << 10
LARGEST_VALUE = 512 << 10


class Keep:
    """Of one value."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the run's."""
        self._folder = folder
        #: Paths in the run folder, with their sizes.
        self.files: dict[str, int] = {}
        #: Those that were not there before.
        self._made: list[Path] = []

    def undo(self) -> None:
        """The value is not shown: what was put beside it goes, as no row would ever say that it may."""
        for path in self._made:
            path.unlink(missing_ok=True)
        self._made.clear()
        self.files.clear()

    def image(self, image: Any) -> dict[str, Any]:
        """Where it is, and its size; `problem` says why one cannot be shown."""
        return self._kept(encoded, image)

    def mask(self, pixels: Any) -> dict[str, Any]:
        """The same of a mask."""
        return self._kept(encoded_mask, pixels)

    def value(self, value: dict[str, Any]) -> dict[str, Any]:
        """What a row has of it: `value` itself, or the `file` that it is in."""
        content = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
        if len(content) <= _INLINE:
            return {"value": value}
        if len(content) > LARGEST_VALUE:
            raise ValueError(f"has {len(content):,} bytes as JSON: {LARGEST_VALUE:,} at most")
        return {"file": self._put(content, "json")}

    def _kept(self, encode: Any, image: Any) -> dict[str, Any]:
        try:
            made: Encoded = encode(image)
        except OSError as error:
            return {"file": None, "width": 0, "height": 0, "problem": text(error.strerror or error, 300)}
        except Exception as error:
            return {"file": None, "width": 0, "height": 0, "problem": text(error, 300)}
        size = {"width": made.width, "height": made.height}
        if sum(self.files.values()) + len(made.content) > MOST_BYTES_SHOWN:
            problem = f"not kept: what is shown at once may have {MOST_BYTES_SHOWN >> 20} MiB of images"
            return {"file": None, **size, "problem": problem}
        return {"file": self._put(made.content, made.suffix), **size}

    def _put(self, content: bytes, suffix: str) -> str:
        name = f"{FOLDER}/{hashlib.sha256(content).hexdigest()[:32]}.{suffix}"
        path = self._folder / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            beside = path.with_name(f"{path.name}.tmp")
            self._made.append(beside)
            beside.write_bytes(content)
            os.replace(beside, path)
            self._made[-1] = path
        self.files[name] = len(content)
        return name
