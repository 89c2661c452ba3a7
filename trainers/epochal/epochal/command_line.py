"""The verbs of a trainer's file: `describe`, `check` and `train`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from epochal import stdout_guard

if TYPE_CHECKING:
    from epochal.trainer import Trainer


def main(trainer: Trainer) -> None:
    """Do what the command line asks for. `train` does not return: it ends the process as `app.stop()` does."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["describe"]:
        stdout_guard.answer(json.dumps(trainer.describe()))
    elif arguments[:1] == ["check"]:
        stdout_guard.answer(json.dumps(_check(trainer, sys.stdin.read())))
    else:
        _train(trainer, arguments)


def _check(trainer: Trainer, text: str) -> dict[str, Any]:
    try:
        asked = json.loads(text)
    except ValueError as error:
        problem = {"field": "", "value": text[:80], "message": f"must be JSON ({error})"}
        return {"problems": [problem], "parameters": {}}
    unknown = set(asked) - {"epochs", "parameters", "data"} if isinstance(asked, dict) else {"?"}
    if unknown:
        message = 'must be an object with "epochs", "parameters" and "data"'
        return {"problems": [{"field": "", "value": text[:80], "message": message}], "parameters": {}}
    return trainer.check(asked.get("epochs"), asked.get("parameters"), asked.get("data"))


def _train(trainer: Trainer, arguments: list[str]) -> None:
    from epochal.application import Application
    from epochal.peers import start_peers

    if "EPOCHAL_SESSION" not in os.environ:
        from epochal import stand_alone

        session = stand_alone.session_from(trainer, arguments)
    else:
        session = None
        parser = argparse.ArgumentParser()
        parser.add_argument("verb", choices=["train"], nargs="?")
        parser.parse_args(arguments)
    app = Application(trainer, session=session, peers=start_peers(trainer, session))
    try:
        trainer.run(app)
    except SystemExit as exit_:
        if exit_.code not in (None, 0) and not app.has_ended:
            raise RuntimeError(f"the trainer ended itself with exit code {exit_.code}") from exit_
        raise
    app.stop()
