"""Who hears of a training, and may tell it to stop: a worker, the terminal of a run by hand, or nobody."""

from __future__ import annotations

from collections.abc import Callable

from epochal.channel import log
from epochal.control import Control
from epochal.errors import SetUpError
from epochal.protocol import EventSink
from epochal.ranks import Ranks, Silent
from epochal.session import Session
from epochal.worker_link import Address, WorkerLink


def worker_link(control: Control, has_ended: Callable[[], bool]) -> WorkerLink:
    """Where workers connect; `SetUpError` where nobody can. A training whose end was reported minds none of them."""

    def has_left() -> None:
        if not has_ended():
            log("no worker is connected any more: the training goes on, and waits for another one")

    def nobody_came() -> None:
        if not has_ended():
            control.leave_unattended()
            log("the worker is lost, and no other one came: the training is saved at the next batch boundary, and ends")

    address = Address.read()
    try:
        return WorkerLink(address, control.obey, has_left, nobody_came)
    except OSError as error:
        raise SetUpError(f"the trainer cannot listen on the socket {address.socket}: {error}") from error


def without_worker(control: Control, session: Session | None, ranks: Ranks) -> EventSink:
    """For a run by hand, which may train all its epochs; the first process of several speaks for the others."""
    if session is None or ranks.rank:
        return Silent()
    from epochal.stand_alone import Terminal

    control.grant(session.epochs)
    return Terminal(session)
