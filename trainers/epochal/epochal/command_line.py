"""The verbs of a trainer's file: `describe`, `check`, `train` and `preview`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from epochal import stdout_guard
from epochal.trainer import Check

if TYPE_CHECKING:
    from epochal.trainer import Trainer


def main(trainer: Trainer) -> None:
    """Run the verb of the command line: `describe`, `check`, `preview` or `train`, which is also meant by none.

    A trainer's file ends with `epochal.main(trainer)`. `train` does not return: it ends the process as
    `app.stop()` does.
    """
    arguments = sys.argv[1:]
    if arguments[:1] == ["describe"]:
        stdout_guard.answer(json.dumps(trainer.describe()))
    elif arguments[:1] == ["check"]:
        stdout_guard.answer(json.dumps(_check(trainer, sys.stdin.read())))
    elif arguments[:1] == ["preview"]:
        from epochal.ui.preview import preview

        preview(trainer, arguments)
    else:
        _train(trainer, arguments)


def _check(trainer: Trainer, text: str) -> dict[str, Any]:
    try:
        asked = json.loads(text)
    except ValueError as error:
        problem = {"field": "", "value": text[:80], "message": f"must be JSON ({error})"}
        return {"problems": [problem], "parameters": {}}
    known = {"epochs", "parameters", "data", "seed", "deep"}
    unknown = set(asked) - known if isinstance(asked, dict) else {"?"}
    if unknown:
        message = 'must be an object with "epochs", "parameters" and "data", and maybe "seed" and "deep"'
        return {"problems": [{"field": "", "value": text[:80], "message": message}], "parameters": {}}
    seed, deep = asked.get("seed", 0), asked.get("deep", False)
    if isinstance(seed, bool) or not isinstance(seed, int) or not isinstance(deep, bool):
        message = "must have a whole number as its seed, and true or false for deep"
        return {"problems": [{"field": "", "value": text[:80], "message": message}], "parameters": {}}
    check = Check(seed=seed, deep=deep)
    return trainer.check(asked.get("epochs"), asked.get("parameters"), asked.get("data"), check)


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
            raise RuntimeError(f"the trainer exited with code {exit_.code}") from exit_
        raise
    app.stop()
