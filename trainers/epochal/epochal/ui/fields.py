"""Parameters in the form of a new run, where their trainer wants them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from epochal.ui.layout import Container, Node
from epochal.ui.values import text


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


def form_problem(form: Container, parameters: Iterable[str]) -> str | None:
    """What is wrong with the form of a trainer that has these parameters."""
    known, placed = set(parameters), set[str]()
    for fields in _fields_in(form):
        for name in [*fields.names, *fields.when]:
            if name not in known:
                return f"it names {name}, which is no parameter"
        for name in fields.names:
            if name in placed:
                return f"{name} is in it twice"
            placed.add(name)
    return None


def _fields_in(node: Node) -> Iterable[Fields]:
    if isinstance(node, Fields):
        yield node
    for child in node.children():
        yield from _fields_in(child)
