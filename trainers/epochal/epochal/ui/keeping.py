"""Puts what a value shows beside it: files named by their content, so that what is shown again is there once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from epochal.ui.pixels import Encode, prepared, prepared_mask
from epochal.ui.values import text

FOLDER = "pages"
#: Bytes of the files of one value.
MOST_BYTES_SHOWN = 8 << 20
#: A value that is larger is a file of its own.
_INLINE = 2 << 10
LARGEST_VALUE = 512 << 10


class Keep:
    """Of one value."""

    def __init__(self, folder: Path, *, later: bool = False) -> None:
        """`folder` is the run's. `later`: images are made into files by `finish`, on any thread."""
        self._folder = folder
        #: What was told of an image, to be completed.
        self._waiting: list[tuple[dict[str, Any], Encode]] | None = [] if later else None
        #: Paths in the run folder, with their sizes.
        self.files: dict[str, int] = {}
        #: Those that were not there before.
        self._made: list[Path] = []

    def undo(self) -> None:
        """The value is not shown: what was put beside it goes, as no row would ever say that it may."""
        for path in self._made:
            path.unlink(missing_ok=True)
        self._waiting = None
        self._made.clear()
        self.files.clear()

    def image(self, image: Any) -> dict[str, Any]:
        """Where it is, and its size; `problem` says why one cannot be shown."""
        return self._kept(prepared, image)

    def mask(self, pixels: Any) -> dict[str, Any]:
        """The same of a mask."""
        return self._kept(prepared_mask, pixels)

    @property
    def has_work(self) -> bool:
        """Whether images wait for `finish`."""
        return bool(self._waiting)

    def finish(self) -> None:
        """Make what waits into files; what `image` and `mask` have answered says then where they are."""
        for told, encode in self._waiting or ():
            self._complete(told, encode)
        self._waiting = None

    def value(self, value: dict[str, Any]) -> dict[str, Any]:
        """What a row has of it: `value` itself, or the `file` that it is in."""
        content = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
        if len(content) <= _INLINE:
            return {"value": value}
        if len(content) > LARGEST_VALUE:
            raise ValueError(f"has {len(content):,} bytes as JSON: {LARGEST_VALUE:,} at most")
        return {"file": self._put(content, "json")}

    def _kept(self, prepare: Callable[[Any], Encode], image: Any) -> dict[str, Any]:
        told: dict[str, Any] = {}
        try:
            encode = prepare(image)
        except Exception as error:
            return _untold(told, error)
        if self._waiting is None:
            self._complete(told, encode)
        else:
            self._waiting.append((told, encode))
        return told

    def _complete(self, told: dict[str, Any], encode: Encode) -> None:
        try:
            made = encode()
        except Exception as error:
            _untold(told, error)
            return
        told.update(file=None, width=made.width, height=made.height)
        if sum(self.files.values()) + len(made.content) > MOST_BYTES_SHOWN:
            told["problem"] = f"not kept: what is shown at once may have {MOST_BYTES_SHOWN >> 20} MiB of images"
        else:
            told["file"] = self._put(made.content, made.suffix)

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


def _untold(told: dict[str, Any], error: Exception) -> dict[str, Any]:
    why = error.strerror or error if isinstance(error, OSError) else error
    told.update(file=None, width=0, height=0, problem=text(why, 300))
    return told
