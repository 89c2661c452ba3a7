"""A trainer by hand: no worker, a folder of one's own, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import COUNTER
from trainer_process import LIMIT, REPOSITORY, verify_checkpoint

_started: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    yield
    while _started:
        process = _started.pop()
        process.kill()
        process.wait(LIMIT)


def _start(folder: Path, *arguments: str, script: Path = COUNTER) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "EPOCHAL_SESSION"}
    process = subprocess.Popen(
        [sys.executable, str(script), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment, "PYTHONPATH": str(REPOSITORY / "trainers" / "epochal")},
    )
    _started.append(process)
    return process


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = _start(folder, *arguments)
    out, err = process.communicate(timeout=LIMIT)
    return subprocess.CompletedProcess(arguments, process.returncode, out.decode(), err.decode())


@pytest.mark.parametrize("verb", [[], ["train"]])
def test_it_trains_in_a_local_folder(tmp_path: Path, verb: list[str]) -> None:
    done = _run(tmp_path, *verb, "--epochs", "5")
    assert done.returncode == 0
    assert "epoch 5/5  loss" in done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    names = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert names == ["epoch-0003", "epoch-0004", "epoch-0005"]
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 5


def test_ctrl_c_saves_and_a_resume_goes_on(tmp_path: Path) -> None:
    process = _start(
        tmp_path, "--folder", "r", "--epochs", "3", "--set", "batch_seconds=0.2", "--set", "print_noise=true"
    )
    assert process.stdout is not None
    process.stdout.readline()  # in a batch
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT) == 0
    process.communicate()
    (checkpoint,) = (tmp_path / "r" / "checkpoints").iterdir()
    assert verify_checkpoint(checkpoint)["batch"] > 0
    refused = _run(tmp_path, "--folder", "r", "--epochs", "3")
    assert refused.returncode == 2
    assert "give --resume" in refused.stderr
    done = _run(tmp_path, "--folder", "r", "--epochs", "3", "--resume")
    assert done.returncode == 0
    assert "from epoch 0, batch" in done.stderr


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    process = _start(tmp_path, "--set", "batch_seconds=3600", "--set", "print_noise=true")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
    process.communicate()
    assert process.returncode not in (0, None)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    done = _run(tmp_path, "--epochs", "0", "--set", "batches=x", "--set", "y=1")
    assert done.returncode == 2
    for sentence in ("epochs is 0: must be", 'parameters.batches is "x": must be a whole number', "parameters.y is 1"):
        assert sentence in done.stderr
    assert not (tmp_path / "runs").exists()


def test_help(tmp_path: Path) -> None:
    done = _run(tmp_path, "--help")
    assert done.returncode == 0
    assert "--resume" in done.stdout


EXAMPLES = REPOSITORY / "trainers" / "examples"


@pytest.mark.parametrize(
    ("file", "module"),
    [("make_shapes.py", "numpy"), ("make_domains.py", "numpy"), ("my_trainer.py", "pydantic")],
)
def test_an_example_says_what_to_install(tmp_path: Path, file: str, module: str) -> None:
    """By a Python without any packages."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY / "trainers" / "epochal")}
    command = [sys.executable, "-S", str(EXAMPLES / file), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert module in last
    assert "`uv run " in last
    assert "`pip install " in last


def test_a_missing_package_is_a_sentence(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text((EXAMPLES / "my_trainer.py").read_text().replace("import numpy as np", "import nunpy as np"))
    process = _start(tmp_path, "--epochs", "1", script=script)
    _, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 1
    last = errors.decode().strip().splitlines()[-1]
    assert last.startswith("failed: the module nunpy is not installed in ")
    assert f"run it by `uv run {script}`" in last
