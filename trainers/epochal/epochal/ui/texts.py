"""Widgets of words."""

from __future__ import annotations

from typing import Any, Literal

from epochal.ui.layout import Widget
from epochal.ui.values import number, text

Color = Literal["info", "success", "warning", "error"]
LONGEST_TEXT = 20_000
LONGEST_HTML = 200_000


class _Words(Widget):
    most = LONGEST_TEXT

    def __init__(self, text: str = "", *, title: str = "", id: str | None = None) -> None:
        """`text` is there from the beginning; `show` replaces it."""
        super().__init__(title, id=id)
        self._text = _within(text, 4_000)

    def options(self) -> dict[str, Any]:
        return {"text": self._text}

    def show(self, words: str) -> None:
        """Show this instead, in up to 20,000 characters."""
        self._tell(lambda _keep: {"text": text(words, self.most)})


def _within(words: str, most: int) -> str:
    if len(words) > most:
        raise ValueError(f"a text in a layout may have {most:,} characters, and this one has {len(words):,}")
    return text(words, most)


class Text(_Words):
    """Plain text."""

    kind = "text"


class Markdown(_Words):
    """Text with headings, lists, links, emphasis and code. HTML in it is shown as it is written."""

    kind = "markdown"


class Alert(_Words):
    """Something to notice."""

    kind = "alert"

    def __init__(self, text: str = "", *, title: str = "", color: Color = "info", id: str | None = None) -> None:
        """Without a text it is not there until one is shown."""
        super().__init__(text, title=title, id=id)
        self._color = _color(color)

    def options(self) -> dict[str, Any]:
        return {**super().options(), "color": self._color}

    def show(self, words: str, color: Color | None = None) -> None:
        """An empty text takes the alert away."""
        shown = self._color if color is None else _color(color)
        self._tell(lambda _keep: {"text": text(words, self.most), "color": shown})


def _color(color: str) -> str:
    if color not in ("info", "success", "warning", "error"):
        raise ValueError(f"color is {color!r}: must be info, success, warning or error")
    return color


class Html(_Words):
    """HTML in a frame of its own, where no script runs and nothing is loaded: styles and `data:` images work."""

    kind = "html"
    most = LONGEST_HTML

    def __init__(self, html: str = "", *, title: str = "", height: int = 300, id: str | None = None) -> None:
        """`height` of the frame in pixels, 40 to 2,000."""
        super().__init__(html, title=title, id=id)
        if not 40 <= height <= 2_000:
            raise ValueError(f"height is {height}: must be between 40 and 2,000")
        self._height = int(height)

    def options(self) -> dict[str, Any]:
        return {**super().options(), "height": self._height}

    def show(self, html: str) -> None:
        """Show this instead, in up to 200,000 characters."""
        super().show(html)


class Progress(Widget):
    """How far something is."""

    kind = "progress"

    def show(self, done: float, total: float, words: str = "") -> None:
        """`done` of `total`, with a word about it."""
        self._tell(lambda _keep: {"done": number(done), "total": number(total), "text": text(words, 200)})
