"""What a trainer and its worker say to each other: events there, commands here. Their fields are in `contracts.py`."""

from __future__ import annotations

from typing import Any, Protocol

#: One line of JSON: an event or a command, by its `type`.
Event = dict[str, Any]


class EventSink(Protocol):
    """Where events go: a worker, or a terminal."""

    def send(self, event: Event, *, may_drop: bool = False) -> None:
        """Tell of `event`. Never raises, whatever became of the other end."""
