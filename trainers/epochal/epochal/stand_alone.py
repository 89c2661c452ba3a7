"""Training by hand: no worker, the run folder of one's choice, progress on the terminal."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epochal.checkpoints import MANIFEST
from epochal.contracts import PROTOCOL
from epochal.protocol import Event
from epochal.session import Session
from epochal.trainer import Check

if TYPE_CHECKING:
    from epochal.trainer import Trainer


def session_from(trainer: Trainer, arguments: list[str]) -> Session:
    """A session from the command line; prints what is wrong with it and exits with 2."""
    parser = argparse.ArgumentParser(description=f"{trainer.title}. {trainer.description}")
    parser.add_argument("verb", nargs="?", choices=["train", "describe", "check", "preview"], default="train")
    parser.add_argument("--epochs", type=int, default=trainer.default_epochs, help="default: %(default)s")
    parser.add_argument("--data", help="path or name of the data set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="run folder (default: runs/<trainer>-<time>)")
    parser.add_argument("--resume", action="store_true", help="resume from the newest checkpoint in --folder")
    parser.add_argument("--every-batches", type=int, default=0, help="save within an epoch too")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter, its value as JSON or text"
    )
    asked = parser.parse_args(arguments)
    if "RANK" in os.environ and not asked.folder:
        parser.error("several processes need --folder: they have to agree on one")
    if asked.resume and not asked.folder:
        parser.error("--resume needs --folder")
    parameters = dict(_assignment(parser, text) for text in asked.set)
    checked = trainer.check(asked.epochs, parameters, asked.data, Check(seed=max(asked.seed, 0)))
    if checked["problems"]:
        parser.error("\n".join("{field} is {value}: {message}".format(**one) for one in checked["problems"]))
    folder: Path = asked.folder or Path("runs") / f"{trainer.name}-{datetime.now():%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True, exist_ok=True)
    newest = _newest_checkpoint(folder / "checkpoints")
    if newest and not asked.resume:
        parser.error(f"{folder} has checkpoints already: give --resume, or another --folder")
    return Session(
        protocol=PROTOCOL,
        run=folder.name,
        session=f"by-hand-{datetime.now():%Y%m%d-%H%M%S}",
        run_folder=str(folder.resolve()),
        epochs=asked.epochs,
        ends_after=None,
        parameters=checked["parameters"],
        data=asked.data,
        seed=max(asked.seed, 0),
        every_batches=max(asked.every_batches, 0),
        resume_from=str(newest.resolve()) if newest else None,
        keep_progress=True,
        batch_divisor=1,
    )


class Terminal:
    """Shows events to the person at the terminal, and keeps the disk from filling up."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._checkpoints = Path(session.run_folder, "checkpoints")
        self._rewrites = sys.stderr.isatty()
        self._lock = threading.RLock()  # a signal may interrupt its holder, and end the training

    def send(self, event: Event, *, may_drop: bool = False) -> None:
        """Show `event`."""
        with self._lock:
            self._show(event)

    def _show(self, event: Event) -> None:
        kind = event["type"]
        if kind == "ready":
            start = event["resumedFrom"]
            since = f"from epoch {start['epoch']}, batch {start['batch']}" if start else "from scratch"
            self._line(f"training {self._session.epochs} epochs {since} in {self._session.run_folder}")
        elif kind == "setUpProgress" and self._rewrites:
            text = f"{event['doing']}: {event['done']:,} of {event['total']:,}"
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        elif kind == "batch" and self._rewrites:
            of = f"/{event['batches']}" if event["batches"] else ""
            text = f"epoch {event['epoch']}/{self._session.epochs} {event['phase']} {event['batch']}{of}"
            print(f"\r\x1b[K{text}  {_metrics(event['metrics'])}", end="", file=sys.stderr, flush=True)
        elif kind == "epoch":
            text = f"epoch {event['epoch']}/{self._session.epochs}  {_metrics(event['metrics'])}"
            self._line(f"{text}  ({event['seconds']:.1f} s)")
        elif kind == "checkpoint":
            self._remove_older(event["checkpoint"]["name"])
        elif kind == "note":
            self._line(event["message"])
        elif kind == "endedEarly":
            self._line(f"ends early, after {event['epoch']} epochs: {event['reason']}")
        elif kind == "failed":
            self._line(f"failed: {event['message']}")
        elif kind == "stopped":
            self._line(f"ended after {event['epoch']} epochs and {event['batch']} batches")

    def _line(self, text: str) -> None:
        print(f"\r\x1b[K{text}" if self._rewrites else text, file=sys.stderr, flush=True)

    def _remove_older(self, newest: str) -> None:
        """Without a worker nobody retires checkpoints: keep the three that were written last."""
        others = [path for path in self._checkpoints.glob("epoch-*") if path.name != newest]
        for path in sorted(others, key=lambda path: path.stat().st_mtime)[:-2]:
            shutil.rmtree(path, ignore_errors=True)


def _metrics(metrics: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def _assignment(parser: argparse.ArgumentParser, text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator:
        parser.error(f"--set {text}: must be NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _newest_checkpoint(folder: Path) -> Path | None:
    found: list[tuple[int, int, Path]] = []
    for manifest in folder.glob(f"epoch-*/{MANIFEST}"):
        content = json.loads(manifest.read_bytes())
        found.append((content["epoch"], content["batch"], manifest.parent))
    return max(found)[2] if found else None
