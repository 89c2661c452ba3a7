"""`pages.jsonl`: what the widgets of a trainer's pages have shown, of as many moments as there is room for.

A widget's newest value is always there. Of those before it every n-th is: with more than `MOST_ROWS_EACH`, or where all
of them take more room than there is, n doubles.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from epochal.checkpoints import Position, now
from epochal.durable_files import replace_synced
from epochal.ui.background import Background
from epochal.ui.keeping import FOLDER, Keep
from epochal.ui.layout import Container, Make, Widget
from epochal.ui.values import text

LAYOUT_FILE = "pages.json"
ROWS_FILE = "pages.jsonl"
MOST_ROWS_EACH = 100
#: Of rows and files together.
MOST_BYTES = 64 << 20
#: A file counts as having at least this many: a store takes each by itself, and some thousands of them take long.
LEAST_FILE_BYTES = 16 << 10

_MOST_STRIDE = 1 << 20


def _counted(size: int) -> int:
    return max(size, LEAST_FILE_BYTES)


@dataclass
class _Row:
    line: bytes
    files: dict[str, int]
    #: The widget's values are counted; every `stride`-th stays.
    turn: int
    stride: int

    @property
    def size(self) -> int:
        return len(self.line) + sum(map(_counted, self.files.values()))


@dataclass
class _Shown:
    """A value on its way into the file."""

    widget: str
    epoch: int
    position: Position
    at: str
    keep: Keep
    told: dict[str, Any] = field(default_factory=dict)
    #: `told` says why there is no value.
    is_problem: bool = False


def _finished(shown: _Shown) -> dict[str, Any]:
    shown.keep.finish()
    return shown.keep.value(shown.told)


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _stride(rows: dict[tuple[int, Position], _Row]) -> int:
    return max(row.stride for row in rows.values())


class Pages:
    """Rows of all widgets of one layout, from any thread; no error of a disk or a value ends a training."""

    def __init__(
        self,
        folder: Path,
        layout: Container,
        place: Callable[[], tuple[int, Position]],
        note: Callable[[str], None],
        background: Background | None = None,
    ) -> None:
        """`place` tells the epoch under way (1-based) and the position; `note` is told once what people should know.

        With a `background` images are made into files there.
        """
        self._folder = folder
        self._background = background
        self._place = place
        self._note = note
        self._noted: set[str] = set()
        self._lock = threading.Lock()
        self._process = os.getpid()
        #: By widget, and by epoch and position: the newest is the last.
        self._rows: dict[str, dict[tuple[int, Position], _Row]] = {}
        self._lines_in_file = 0
        described = layout.described()
        for widget in layout.named_widgets().values():
            widget.shown_by(self._shown)
        with self._forgiving("the layout"):
            content = json.dumps(described).encode()
            path = folder / LAYOUT_FILE
            if not path.exists() or path.read_bytes() != content:
                replace_synced(path, content)

    def cut_back(self, position: Position) -> None:
        """Keep what was shown up to `position`: what came after it is trained again, or by another run."""
        with self._forgiving("pages.jsonl"):
            with suppress(FileNotFoundError):
                lines = (self._folder / ROWS_FILE).read_bytes().split(b"\n")
                self._lines_in_file = len(lines)
                for line in lines:
                    self._take(line, position)
            for name in self._rows:
                self._thin(name)
            # Lines that no longer counted were still in the file.
            self._fit()
            if self._lines_in_file or (self._folder / FOLDER).exists():
                self._rewrite()

    def _take(self, line: bytes, until: Position) -> None:
        """A row of the file; one that is damaged goes."""
        with suppress(ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            row = json.loads(line)
            position = Position(int(row["position"]["epoch"]), int(row["position"]["batch"]))
            turn, stride = int(row["turn"]), int(row.get("stride", 1))
            files = {str(name): int(size) for name, size in row.get("files", {}).items()}
            if position <= until and turn >= 0 and 1 <= stride <= _MOST_STRIDE:
                rows = self._rows.setdefault(str(row["widget"]), {})
                key = (int(row["epoch"]), position)
                rows.pop(key, None)
                rows[key] = _Row(line + b"\n", files, turn, stride)

    def _shown(self, widget: Widget, make: Make) -> None:
        if os.getpid() != self._process:
            return  # A worker of a data loader has rows of its own, and would write over those of the training.
        shown = _Shown(widget.id or "", *self._place(), now(), Keep(self._folder, later=True))
        with self._forgiving(shown):
            # Not under the lock: what makes a value, rows of a table for one, may show others. It writes no files yet.
            shown.told = self._told(shown, lambda: make(shown.keep))
            if self._background and (shown.keep.has_work or self._background.is_busy):
                self._background.put(lambda: self._write(shown))
            else:
                self._write(shown)

    def finish(self, seconds: float = 60.0) -> None:
        """All that was shown is in the run folder when this returns, unless that takes longer."""
        if self._background and os.getpid() == self._process:
            self._background.finish(seconds)

    def _told(self, shown: _Shown, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `make` answers, or why there is none."""
        try:
            return make()
        except OSError:
            shown.keep.undo()
            raise
        except Exception as error:
            problem = text(f"This value cannot be shown: {error}", 500)
            self._tell_once(shown.widget, f"the widget {shown.widget} of the trainer's pages: {problem}")
            shown.keep.undo()
            shown.is_problem = True
            return {"problem": problem}

    def _write(self, shown: _Shown) -> None:
        """The row, on any thread."""
        name = shown.widget
        with self._lock, self._forgiving(shown):
            told = shown.told
            if not shown.is_problem:
                told = self._told(shown, lambda: _finished(shown))
            self._add(shown, told)
            self._thin(name)
            self._fit()
            # Lines that no longer count are taken away now and then, and their files with them.
            if self._lines_in_file > self._count + 32 or self._has_room_to_gain():
                self._rewrite()

    def _add(self, shown: _Shown, told: dict[str, Any]) -> None:
        name, epoch, position, files = shown.widget, shown.epoch, shown.position, shown.keep.files
        rows = self._rows.setdefault(name, {})
        again = rows.pop((epoch, position), None)
        stride = max((row.stride for row in (again, *rows.values()) if row), default=1)
        turn = again.turn if again else max((row.turn for row in rows.values()), default=-1) + 1
        row = {
            "widget": name,
            "epoch": epoch,
            "position": {"epoch": position.epoch, "batch": position.batch},
            "at": shown.at,
            "turn": turn,
            **({"stride": stride} if stride > 1 else {}),
            **told,
            "files": files,
        }
        line = _line(row)
        rows[epoch, position] = _Row(line, files, turn, stride)
        with open(self._folder / ROWS_FILE, "ab") as file:
            file.write(line)
        self._lines_in_file += 1

    # The bound

    def _thin(self, name: str) -> None:
        """The newest, and of the others every n-th, so that there are `MOST_ROWS_EACH`."""
        rows = self._rows[name]
        self._keep_every(name, _stride(rows))
        while len(rows) > MOST_ROWS_EACH:
            self._keep_every(name, 2 * _stride(rows))

    def _fit(self) -> None:
        """Into `MOST_BYTES`: the widget that takes the most room has fewer; a widget's only value is the last to go."""
        while self._bytes() > MOST_BYTES:
            sizes = {name: sum(row.size for row in rows.values()) for name, rows in self._rows.items() if len(rows) > 1}
            if sizes:
                name = max(sizes, key=lambda one: sizes[one])
                rows = self._rows[name]
                if len(rows) > 2:
                    self._keep_every(name, 2 * _stride(rows))
                else:
                    # The first is every n-th whatever n is.
                    rows.pop(next(iter(rows)))
            else:
                self._rows.pop(next(iter(self._rows)))

    def _keep_every(self, name: str, stride: int) -> None:
        rows = self._rows[name]
        newest = next(reversed(rows))
        for key in list(rows):
            if key != newest and rows[key].turn % stride:
                rows.pop(key)
        last = rows[newest]
        if last.stride != stride:
            # Whoever reads the file later goes on as sparsely.
            last.line = _line({**json.loads(last.line), "stride": stride})
            last.stride = stride

    @property
    def _count(self) -> int:
        return sum(len(rows) for rows in self._rows.values())

    def _bytes(self) -> int:
        all_ = [row for rows in self._rows.values() for row in rows.values()]
        files = {name: size for row in all_ for name, size in row.files.items()}
        return sum(len(row.line) for row in all_) + sum(map(_counted, files.values()))

    def _has_room_to_gain(self) -> bool:
        """Whether files that no row has any longer take a quarter of the room."""
        folder = self._folder / FOLDER
        if self._lines_in_file == self._count or not folder.exists():
            return False
        return sum(_counted(one.stat().st_size) for one in folder.iterdir()) > self._bytes() + MOST_BYTES // 4

    def _rewrite(self) -> None:
        all_ = [row for rows in self._rows.values() for row in rows.values()]
        replace_synced(self._folder / ROWS_FILE, b"".join(row.line for row in all_))
        self._lines_in_file = len(all_)
        named = {name for row in all_ for name in row.files}
        folder = self._folder / FOLDER
        for path in folder.iterdir() if folder.exists() else ():
            if path.is_file() and f"{FOLDER}/{path.name}" not in named:
                path.unlink(missing_ok=True)

    # What goes wrong

    def _forgiving(self, what: str | _Shown) -> _Forgiving:
        return _Forgiving(self, what if isinstance(what, str) else f"what {what.widget} shows")

    def failed(self, what: str, error: OSError) -> None:
        """The disk did not take something: said once."""
        self._tell_once("disk", f"the trainer's pages: {what} could not be written ({error.strerror or error})")

    def _tell_once(self, about: str, message: str) -> None:
        if about not in self._noted:
            self._noted.add(about)
            self._note(message)


class _Forgiving:
    """An error of the disk costs what was to be shown, and not the training."""

    def __init__(self, pages: Pages, what: str) -> None:
        self._pages, self._what = pages, what

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if isinstance(error, OSError):
            self._pages.failed(self._what, error)
            return True
        return False


def begin_pages(
    folder: Path,
    layout: Container,
    place: Callable[[], tuple[int, Position]],
    note: Callable[[str], None],
    rank: int,
    background: Background | None = None,
) -> Pages | None:
    """From now on the widgets of `layout` show what they are told to, if this is the process that writes: rank 0."""
    if rank:
        for widget in layout.named_widgets().values():
            widget.shown_by(lambda _widget, _make: None)
        return None
    _, position = place()
    pages = Pages(folder, layout, place, note, background)
    pages.cut_back(position)
    return pages
