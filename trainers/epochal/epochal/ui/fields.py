"""Parameters in the form of a new run, where their trainer wants them, and what is chosen beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from epochal.ui.layout import Container, Node, Widget
from epochal.ui.values import text

#: Widgets that are there before anything was shown.
_WORDS = ("text", "markdown", "alert")


class Fields(Node):
    """Parameters by their names, one below the other."""

    kind = "fields"

    def __init__(self, names: Sequence[str], *, title: str = "", when: Mapping[str, Any] | None = None) -> None:
        """`when`: shown only while each of these parameters has this value, or one of a list of values.

        A parameter that is not shown keeps its value.
        """
        if isinstance(names, str):
            raise TypeError(f"Fields takes a list of names, e.g. ui.Fields([{names!r}])")
        self.names = list(names)
        self.when = {name: list(one) if isinstance(one, (list, tuple)) else [one] for name, one in (when or {}).items()}
        self._title = text(title, 200)

    def as_json(self) -> dict[str, Any]:
        return {"kind": "fields", "title": self._title, "names": self.names, "when": self.when}


class Field(Fields):
    """One parameter."""

    def __init__(self, name: str, *, when: Mapping[str, Any] | None = None) -> None:
        """As `Fields`."""
        super().__init__([name], when=when)


class ClassPicker(Fields):
    """A parameter that is a list of class names, chosen among those of the data set."""

    kind = "classPicker"

    def __init__(self, name: str, *, title: str = "", when: Mapping[str, Any] | None = None) -> None:
        """`title` stands above it, in place of the parameter's own."""
        super().__init__([name], title=title, when=when)

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "title": self._title, "name": self.names[0], "when": self.when}


class DataPicker(Node):
    """The data set of the run, with images of it: those that the workers offer and the trainer reads, or a path."""

    kind = "dataPicker"

    def __init__(self, title: str = "Data set") -> None:
        """`title` stands above it."""
        self._title = text(title, 200)

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "title": self._title}


def form_problem(form: Container, schema: Mapping[str, Any], *, takes_data: bool) -> str | None:
    """What is wrong with the form of a trainer whose parameters have this JSON Schema."""
    known, placed = schema.get("properties", {}), set[str]()
    pickers = 0
    for node in _nodes_in(form):
        if isinstance(node, DataPicker):
            pickers += 1
        elif isinstance(node, Widget) and node.kind not in _WORDS:
            return f"{type(node).__name__} shows nothing before a run"
        elif isinstance(node, Fields):
            for name in [*node.names, *node.when]:
                if name not in known:
                    return f"it names {name}, which is no parameter"
            for name in node.names:
                if name in placed:
                    return f"{name} is in it twice"
                placed.add(name)
                if isinstance(node, ClassPicker) and not _lists_texts(known[name]):
                    return f"ClassPicker({name!r}) needs a parameter of the type list[str]"
    if pickers and not takes_data:
        return "it has a DataPicker, and datasets is empty"
    return "it has several DataPickers" if pickers > 1 else None


def layout_problem(layout: Container) -> str | None:
    """What is wrong with the pages of a run."""
    for node in _nodes_in(layout):
        if isinstance(node, (Fields, DataPicker)):
            return f"{type(node).__name__} is for a new run: it belongs in form=ui.Container([…])"
    return None


def _lists_texts(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array" and schema.get("items", {}).get("type") == "string"


def _nodes_in(node: Node) -> Iterable[Node]:
    yield node
    for child in node.children():
        yield from _nodes_in(child)
