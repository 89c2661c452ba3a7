# /// script
# requires-python = ">=3.10"
# dependencies = ["pydantic==2.14.3"]
# ///
"""A trainer for tests: its "weights" are a chain of hashes, one link a batch, and it can fail in every way.

The chain takes in the batch's indices and a number from the shared random generator, so it is equal to that of an
uninterrupted run only if no batch was left out, trained twice, shuffled otherwise, or given other random numbers.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import BinaryIO

import epochal
from ways_to_fail import Failing, FailKind, print_noise, wait_for_landing


class Parameters(epochal.Parameters):
    """What a test can ask for."""

    batches: int = epochal.parameter(5, ge=1, le=1_000_000, description="Training batches in an epoch")
    validation_batches: int = epochal.parameter(2, ge=0, le=1_000_000, description="Validation batches in an epoch")
    batch_seconds: float = epochal.parameter(0.0, ge=0, le=3600, unit="s", description="Sleep in every batch")
    score_peak: int = epochal.parameter(
        0, ge=0, description="Epoch with the highest score; 0: the score rises for ever"
    )
    fail_at: str = epochal.parameter(
        "", pattern=r"^(\d+:\d+|\d+:v\d+|set_up|finish|)$", description="epoch:batch, epoch:v<batch>, set_up or finish"
    )
    fail_kind: FailKind = epochal.parameter("error", description="How it fails there")
    fail_times: int = epochal.parameter(1, ge=0, description="How often it fails there; 0: every time")
    marker: str = epochal.parameter("", path=True, description="Folder that counts the failures; empty: the run folder")
    checkpoint_bytes: int = epochal.parameter(0, ge=0, unit="bytes", description="Size of another file to save")
    save_seconds: float = epochal.parameter(0.0, ge=0, le=3600, unit="s", description="Sleep in every save")
    early_end: str = epochal.parameter(
        "", pattern=r"^(\d+:(call|break|exit|stop)|)$", description="epoch:how it ends after that epoch"
    )
    set_up_images: int = epochal.parameter(0, ge=0, description="Steps of a set-up that tells how far it is")
    set_up_seconds: float = epochal.parameter(0.0, ge=0, le=3600, unit="s", description="Sleep before training")
    finish_seconds: float = epochal.parameter(0.0, ge=0, le=3600, unit="s", description="Sleep after training")
    holds: str = epochal.parameter(
        "",
        path=True,
        description="Folder; where it has a file epoch:batch, finish, export or set_up:step, it waits until that goes",
    )
    ignore_stop: str = epochal.parameter(
        "", pattern=r"^(\d+:\d+|)$", description="epoch:batch in which it hangs for ever, whatever it is told"
    )
    ignore_sigterm: bool = epochal.parameter(False, description="SIGTERM does nothing")
    artifacts: int = epochal.parameter(0, ge=0, le=100_000, description="Files to leave in the synced folder")
    children: int = epochal.parameter(0, ge=0, le=100, description="Child processes that sleep for ever")
    escaped: int = epochal.parameter(0, ge=0, le=100, description="Child processes that leave the process group")
    draw: bool = epochal.parameter(False, description="Save an image among the artifacts after every epoch")
    print_noise: bool = epochal.parameter(False, description="Print in every batch, by Python and by C")
    stamps: str = epochal.parameter(
        "", path=True, description="File that gets a line for every trained batch; empty: none"
    )


trainer = epochal.Trainer(
    name="counter",
    title="Counter",
    description="A trainer for tests that learns nothing and can fail in every way.",
    parameters=Parameters,
    metrics=[
        epochal.Metric("loss", "Falls with every batch"),
        epochal.Metric("score", "Rises to its peak, and falls after it"),
    ],
    best=("score", "max"),
    can_shrink_batch=True,
)


class Chain:
    """The weights: the number of batches, and a hash of all that went into them."""

    def __init__(self) -> None:
        self.count = 0
        self.link = "0" * 64

    def train(self, batch: object) -> None:
        """Add a link."""
        self.count += 1
        text = f"{self.link} {self.count} {batch} {random.random()}"
        self.link = hashlib.sha256(text.encode()).hexdigest()


@trainer.train
def train(app: epochal.Application) -> None:
    """Train."""
    parameters: Parameters = app.parameters
    chain = Chain()
    failing = Failing(app, parameters.fail_kind, parameters.fail_at, parameters.fail_times, parameters.marker)
    prepare(parameters)
    app.state(
        save=lambda folder: save(chain, parameters, failing, folder),
        load=lambda folder: load(chain, folder),
        load_weights=lambda folder: load(chain, folder),
    )
    failing.at("set_up")
    time.sleep(parameters.set_up_seconds)
    for image in range(parameters.set_up_images):
        app.set_up_progress("Looking at images", image + 1, parameters.set_up_images)
        hold(app, parameters, f"set_up:{image + 1}")
        time.sleep(0.02)
    mean_loss = app.average("loss")
    stamps = open(parameters.stamps, "ab", buffering=0) if parameters.stamps else None  # noqa: SIM115

    for epoch in app.epochs():
        for batch in app.batches(app.shuffled_batches(parameters.batches * 2, 2)):
            number = chain.count % parameters.batches + 1
            work(parameters, f"{epoch}:{number}")
            hold(app, parameters, f"{epoch}:{number}")
            failing.at(f"{epoch}:{number}")
            chain.train(batch)
            if stamps:
                stamp(stamps, f"{epoch}:{number}")
            mean_loss.add(1 / chain.count)
            app.log({"loss": 1 / chain.count})

        for number in app.validation_batches(range(1, parameters.validation_batches + 1)):
            work(parameters, f"{epoch}:v{number}")
            hold(app, parameters, f"{epoch}:v{number}")
            failing.at(f"{epoch}:v{number}")
            random.random()

        peak = parameters.score_peak
        score = float(epoch if not peak or epoch <= peak else 2 * peak - epoch)
        app.end_epoch({"loss": mean_loss.value, "score": score})
        if parameters.draw:
            draw(Path(app.get_synced_data_dir(), "plots"), epoch)
        if ends_early(app, parameters, epoch):
            break

    hold(app, parameters, "finish")
    hold(app, parameters, "export", is_whole=True)
    failing.at("finish")
    time.sleep(parameters.finish_seconds)
    for number in range(parameters.artifacts):
        Path(app.get_synced_data_dir(), f"{number:06d}.txt").write_text(str(number))
    Path(app.get_synced_data_dir(), "final.json").write_text(json.dumps({"count": chain.count, "link": chain.link}))


def ends_early(app: epochal.Application, parameters: Parameters, epoch: int) -> bool:
    """End after this epoch, where that was asked for; whether by leaving the loop."""
    at, _, how = parameters.early_end.partition(":")
    if not at or epoch != int(at):
        return False
    if how == "call":
        app.end_early("asked to end early")
    elif how == "exit":
        sys.exit()
    elif how == "stop":
        app.stop()
    return how == "break"


def prepare(parameters: Parameters) -> None:
    """Children and signals, as asked."""
    if parameters.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(parameters.children):
        ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(10**6)"
        subprocess.Popen([sys.executable, "-c", ignore])
    for _ in range(parameters.escaped):
        subprocess.Popen(["sleep", "1000000"], start_new_session=True)


def work(parameters: Parameters, where: str) -> None:
    """What a batch costs."""
    if parameters.print_noise:
        print_noise(where)
    time.sleep(parameters.batch_seconds)
    while parameters.ignore_stop == where:
        time.sleep(3600)


def hold(app: epochal.Application, parameters: Parameters, where: str, *, is_whole: bool = False) -> None:
    """Wait here until the test lets go, or the training is told to end at its next boundary.

    What is done whole has no such boundary.
    Whoever breaks something then knows what was trained and what was saved: all that was saved before has landed.
    """
    file = Path(parameters.holds, where)
    if not parameters.holds or not file.exists():
        return
    wait_for_landing(Path(app.get_synced_data_dir()).parent)
    file.with_name(f"{where} is reached").touch()
    while file.exists() and (is_whole or not app.is_stopped()):
        time.sleep(0.01)


def draw(folder: Path, epoch: int) -> None:
    """A PNG with a bar for every epoch."""
    folder.mkdir(exist_ok=True)
    size = 64
    rows = b"".join(b"\0" + bytes(200 if x // 8 < epoch else 40 for x in range(size)) for _ in range(size))
    chunks = [
        (b"IHDR", struct.pack(">2I5B", size, size, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    (folder / f"epoch-{epoch:04}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def stamp(stamps: BinaryIO, where: str) -> None:
    """Who trained which batch, and when: what no crash can take back, and no bookkeeping can embellish."""
    stamps.write(f"{os.getpid()} {where} {time.time():.3f}\n".encode())


def save(chain: Chain, parameters: Parameters, failing: Failing, folder: Path) -> None:
    """Write the chain, and the ballast that was asked for."""
    (folder / "weights.json").write_text(json.dumps({"count": chain.count, "link": chain.link}))
    if parameters.checkpoint_bytes:
        with open(folder / "ballast.bin", "wb") as file:
            file.truncate(parameters.checkpoint_bytes)
    time.sleep(parameters.save_seconds)
    failing.in_save()


def load(chain: Chain, folder: Path) -> None:
    """Read the chain."""
    saved = json.loads((folder / "weights.json").read_text())
    chain.count, chain.link = saved["count"], saved["link"]


if __name__ == "__main__":
    epochal.main(trainer)
