"""What a page is made of: widgets, and what holds them. A layout is data, which `describe` prints as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from epochal.ui.keeping import Keep
from epochal.ui.values import text

MOST_WIDGETS = 100
DEEPEST = 8
#: Bytes of the JSON.
LARGEST_LAYOUT = 64 << 10
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

#: Makes a widget's value, with its images put where they are kept.
Make = Callable[[Keep], dict[str, Any]]
Show = Callable[["Widget", Make], None]


class Node:
    """Anything in a layout."""

    kind = ""

    def children(self) -> Iterator[Node]:
        """What is directly in it."""
        yield from ()

    def as_json(self) -> dict[str, Any]:
        """As `contracts/ui.ts` has it."""
        raise NotImplementedError


class Widget(Node):
    """Something that shows values. `id` tells it from others; without one it is called by its kind and place."""

    def __init__(self, title: str = "", *, id: str | None = None) -> None:
        """`title` is shown above it."""
        if id is not None and not _ID.fullmatch(id):
            raise ValueError(f"id is {id!r}: must be letters, digits, '.', '_' and '-', at most 100")
        self.title = text(title, 200)
        self.id = id
        self._show: Show | None = None

    def options(self) -> dict[str, Any]:
        """Of its kind."""
        return {}

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "id": self.id, "title": self.title, **self.options()}

    def shown_by(self, show: Show) -> None:
        """Values go there from now on."""
        self._show = show

    def _tell(self, make: Make) -> None:
        if self._show is None:
            raise RuntimeError(
                f"{type(self).__name__} {self.title!r} is in no layout of an epochal.Application: "
                "give the layout that has it to epochal.Trainer(layout=...) or epochal.Application(layout=...)"
            )
        self._show(self, make)


def _nodes(children: Sequence[Node], of: str) -> list[Node]:
    if isinstance(children, Node) or not all(isinstance(child, Node) for child in children):
        raise TypeError(f"{of} takes a list of widgets, e.g. ui.{of}([ui.Text('Hello')])")
    return list(children)


class _Group(Node):
    def __init__(self, widgets: Sequence[Node], *, columns: int = 1) -> None:
        """`columns`: how many widgets stand beside each other on a wide screen, 1 to 4."""
        if columns not in (1, 2, 3, 4):
            raise ValueError(f"columns is {columns!r}: must be 1, 2, 3 or 4")
        self._children = _nodes(widgets, type(self).__name__)
        self._columns = columns

    def children(self) -> Iterator[Node]:
        yield from self._children

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "columns": self._columns, "children": [one.as_json() for one in self._children]}


class Card(_Group):
    """Widgets with a border around them."""

    kind = "card"

    def __init__(self, widgets: Sequence[Node], *, title: str = "", columns: int = 1) -> None:
        """`title` is shown above them."""
        super().__init__(widgets, columns=columns)
        self._title = text(title, 200)

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "title": self._title}


class Collapse(Card):
    """Widgets that are folded away until somebody opens them."""

    kind = "collapse"

    def __init__(self, widgets: Sequence[Node], *, title: str, opened: bool = False, columns: int = 1) -> None:
        """`opened`: from the beginning."""
        super().__init__(widgets, title=title, columns=columns)
        self._opened = bool(opened)

    def as_json(self) -> dict[str, Any]:
        return {**super().as_json(), "opened": self._opened}


class Tabs(Node):
    """One page of widgets per tab: `Tabs({"Boxes": [...], "Masks": [...]})`."""

    kind = "tabs"

    def __init__(self, tabs: Mapping[str, Sequence[Node]]) -> None:
        """Titles, and what is in each tab."""
        self._tabs = {text(title, 200): _nodes(widgets, "Tabs") for title, widgets in tabs.items()}

    def children(self) -> Iterator[Node]:
        for widgets in self._tabs.values():
            yield from widgets

    def as_json(self) -> dict[str, Any]:
        tabs = [{"title": title, "children": [one.as_json() for one in all_]} for title, all_ in self._tabs.items()]
        return {"kind": self.kind, "tabs": tabs}


class Container(_Group):
    """The whole layout, or widgets in columns within one."""

    kind = "container"

    def named_widgets(self) -> dict[str, Widget]:
        """All of its widgets by their ids, which those without one get here."""
        found: list[Widget] = []
        _collect(self, found, 0)
        if len(found) > MOST_WIDGETS:
            raise ValueError(f"a layout may have {MOST_WIDGETS} widgets, and this one has {len(found)}")
        named = {widget.id: widget for widget in found if widget.id is not None}
        if len(named) < sum(widget.id is not None for widget in found):
            raise ValueError("two widgets of a layout have the same id, or one widget is in it twice")
        numbers: dict[str, int] = {}
        for widget in found:
            while widget.id is None:
                numbers[widget.kind] = numbers.get(widget.kind, 0) + 1
                candidate = f"{widget.kind}-{numbers[widget.kind]}"
                if candidate not in named:
                    widget.id = candidate
                    named[candidate] = widget
        return named

    def described(self) -> dict[str, Any]:
        """The layout as JSON; `ValueError` for one that has no room in messages and pages."""
        self.named_widgets()
        layout = {"uiVersion": 1, **self.as_json()}
        size = len(json.dumps(layout))
        if size > LARGEST_LAYOUT:
            raise ValueError(f"the layout has {size:,} bytes as JSON: {LARGEST_LAYOUT:,} at most")
        return layout


def _collect(node: Node, found: list[Widget], depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError(f"the layout has containers within each other more than {DEEPEST} deep")
    if isinstance(node, Widget):
        if any(node is one for one in found):
            raise ValueError("two widgets of a layout have the same id, or one widget is in it twice")
        found.append(node)
    for child in node.children():
        _collect(child, found, depth + 1)
