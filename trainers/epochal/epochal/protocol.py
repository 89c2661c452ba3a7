"""What a trainer and its worker say to each other, as `contracts/protocol.ts` has it: events there, commands here."""

from __future__ import annotations

from typing import Any, Protocol

#: Its version.
PROTOCOL = 1

#: One line of JSON: an event or a command, by its `type`.
Event = dict[str, Any]


class EventSink(Protocol):
    """Where events go: a worker, or a terminal."""

    def send(self, event: Event, *, may_drop: bool = False) -> None:
        """Tell of `event`. Never raises, whatever became of the other end."""
