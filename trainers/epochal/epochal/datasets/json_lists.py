"""A large json file of lists, read entry by entry: never more of it is in memory than one entry needs."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from epochal.errors import DataError

_CHUNK = 1 << 20  # characters
#: Of one entry, or of one value that is not in a list.
_LONGEST_ENTRY = 1 << 26
#: An error nearer than this to the end of what was read may be one of reading too little.
_LONGEST_LITERAL = 16
_space = re.compile(r"[ \t\n\r]*")
_between = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")


#: How much deeper a character leads.
_steps = np.zeros(256, np.int8)
_steps[list(b"[{")] = 1
_steps[list(b"]}")] = -1


class JsonLists:
    """The lists of the json object in `file`. Whatever is wrong with it is a `DataError` that says where."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def names(self) -> Iterator[tuple[str, bool]]:
        """The names at the top, each with whether it is a list; what follows a name is read after it."""
        with self._text() as text:
            for name in text.names():
                yield name, text.peek() == "["
                text.skip()

    def entries(self, wanted: Collection[str], elsewhere: Collection[str] = ()) -> Iterator[tuple[str, int, Any]]:
        """Name, index and value of the entries of the lists named `wanted`; the rest of the file is passed over.

        All lists that are wanted must be there, once. Those that are read `elsewhere` are passed over much faster,
        without a look at whether they are json.
        """
        try:
            yield from self._entries(wanted, elsewhere)
        except DataError:
            # In a list that was not looked at may be something that is wrong before what was found.
            for _ in self.names():
                pass
            raise

    def _entries(self, wanted: Collection[str], elsewhere: Collection[str]) -> Iterator[tuple[str, int, Any]]:
        with self._text() as text:
            missing = set(wanted)
            for name in text.names():
                if name not in wanted:
                    if name in elsewhere:
                        text.pass_over()
                    else:
                        text.skip()
                    continue
                if name not in missing:
                    raise DataError(f"{self.file} has two lists {name}: there must be one")
                if text.peek() != "[":
                    raise DataError(f"{name} of {self.file} is not a list")
                missing.remove(name)
                for index, value in enumerate(text.values()):
                    yield name, index, value
            if missing:
                raise DataError(f"{self.file} has no list {min(missing)}: COCO needs images, annotations, categories")

    def _text(self) -> _Text:
        try:
            with open(self.file, "rb") as file:
                start = file.read(4)
            encoding = json.detect_encoding(start)
            return _Text(self.file, open(self.file, encoding=encoding))
        except OSError as error:
            raise DataError(f"{self.file} cannot be read: {error.strerror or error}") from error


class _Text:
    """A window that moves over the file."""

    def __init__(self, file: Path, handle: TextIO) -> None:
        self._file = file
        self._handle = handle
        self._window = ""
        self._at = 0
        self._lines = 0  # before the window
        self._columns = 0  # of the line in which the window begins
        self._is_ended = False
        self._decoder = json.JSONDecoder()

    def __enter__(self) -> _Text:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()

    def peek(self) -> str:
        """The next character that is not a space; none at the end."""
        while True:
            if space := _space.match(self._window, self._at):
                self._at = space.end()
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._read_on():
                return ""

    def names(self) -> Iterator[str]:
        """The names of the object that is the whole file; whoever takes a name reads its value before the next."""
        if self.peek() != "{":
            raise self._wrong("is not an object of names and values")
        self._at += 1
        if self.peek() == "}":
            return
        while True:
            name = self.value()
            if not isinstance(name, str):
                raise self._wrong("has a name that is not in quotation marks")
            self._expect(":")
            yield name
            if self._expect(",", "}") == "}":
                return

    def values(self) -> Iterator[Any]:
        """The values of a list."""
        self._expect("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            # The usual way from an entry to the next, where both are in the window; all else is decided below.
            self.peek()
            try:
                value, end = self._decoder.scan_once(self._window, self._at)
            except (StopIteration, RecursionError, ValueError):
                pass
            else:
                between = _between.match(self._window, end)
                if between and between.end() < len(self._window):
                    self._at = between.end()
                    yield value
                    continue
            yield self.value()
            if self._expect(",", "]") == "]":
                return

    def skip(self) -> None:
        """Pass over a value."""
        if self.peek() == "[":
            for _ in self.values():
                pass
        else:
            self.value()

    def pass_over(self) -> None:
        """`skip` for a list of which another reading says what is wrong with it: only its brackets are counted."""
        if self.peek() != "[":
            self.value()
            return
        depth = 0
        while True:
            rest = self._window[self._at :]
            # An escaped quotation mark is none; what stands for it must be as long.
            plain = rest.replace("\\\\", "__").replace('\\"', "__") if "\\" in rest else rest
            parts = plain.split('"')
            # A text that continues behind the window is looked at again with what follows.
            unended = len(parts.pop()) + 1 if len(parts) % 2 == 0 else 0
            outside = "".join(parts[::2]).encode("ascii", "replace")
            depths = np.cumsum(_steps[np.frombuffer(outside, np.uint8)], dtype=np.int32) + depth
            ends = np.flatnonzero(depths == 0)
            if len(ends):
                self._at += _place_of(int(ends[0]), parts) + 1
                return
            depth = int(depths[-1]) if len(depths) else depth
            self._at += len(rest) - unended
            if not self._read_on():
                raise self._wrong("ends too early", len(self._window))

    def value(self) -> Any:
        """The next value, whole."""
        if not self.peek():
            raise self._wrong("ends too early")
        while True:
            try:
                value, end = self._decoder.raw_decode(self._window, self._at)
            except json.JSONDecodeError as error:
                is_cut = error.pos > len(self._window) - _LONGEST_LITERAL or error.msg.startswith("Unterminated string")
                if is_cut and self._read_on():
                    continue
                if is_cut and len(self._window) - error.pos < _LONGEST_LITERAL:
                    raise self._wrong("ends too early", len(self._window)) from error
                raise self._wrong(f"is not json: {error.msg}", error.pos) from error
            except (RecursionError, ValueError) as error:
                what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
                raise self._wrong(f"cannot be read: {what}") from error
            # A number that ends where the window does may continue behind it, also where `1.` or `1e+` is cut there.
            left = len(self._window) - end
            if (not left or (left < 3 and isinstance(value, (int, float)))) and self._read_on():
                continue
            self._at = end
            return value

    def _expect(self, *wanted: str) -> str:
        found = self.peek()
        if found not in wanted or not found:
            words = "ends too early" if not found else f"is not json: {found} where {' or '.join(wanted)} should be"
            raise self._wrong(words)
        self._at += 1
        return found

    def _read_on(self) -> bool:
        """Whether there was more to read."""
        if self._is_ended:
            return False
        rest = len(self._window) - self._at
        if rest > _LONGEST_ENTRY:
            raise self._wrong(f"has an entry of more than {_LONGEST_ENTRY} characters")
        try:
            more = self._handle.read(max(_CHUNK, rest))
        except UnicodeDecodeError as error:
            raise self._wrong(f"is not text in {codecs.lookup(error.encoding).name}") from error
        except OSError as error:
            raise self._wrong(f"cannot be read: {error.strerror or error}") from error
        if not more:
            self._is_ended = True
            return False
        self._lines, self._columns = self._position(self._at)
        self._window, self._at = self._window[self._at :] + more, 0
        return True

    def _position(self, at: int) -> tuple[int, int]:
        lines = self._window.count("\n", 0, at)
        if not lines:
            return self._lines, self._columns + at
        return self._lines + lines, at - self._window.rindex("\n", 0, at) - 1

    def _wrong(self, words: str, at: int | None = None) -> DataError:
        line, column = self._position(self._at if at is None else at)
        return DataError(f"{self._file} {words} (line {line + 1}, column {column + 1})")


def _place_of(index: int, parts: list[str]) -> int:
    """Where in a text that was split at its quotation marks the character is that has this index outside them."""
    before = 0
    for outside, inside in zip(parts[::2], [*parts[1::2], ""], strict=False):
        if index < len(outside):
            return before + index
        index -= len(outside)
        before += len(outside) + len(inside) + 2
    raise IndexError(index)
