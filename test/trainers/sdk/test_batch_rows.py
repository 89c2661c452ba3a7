"""`batches.jsonl`: what batches logged is there after the end, once for each position, and never too much of it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import Start
from epochal import batch_rows
from epochal.batch_rows import BatchRows
from epochal.checkpoints import Position


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "batches.jsonl").read_text().splitlines()]


def test_rows_are_those_batches_that_are_told_and_none_is_there_twice(start: Start) -> None:
    first = start(epochs=2, parameters={"batches": 2000, "validation_batches": 3})
    assert first.end() == 0
    told = [e for e in first.of("batch") if e["phase"] == "train"]
    keys = ("epoch", "batch", "batches", "metrics")
    rows = [tuple(row[key] for key in keys) for row in _rows(first.folder)]
    # The last batch of an epoch may be told again where nobody has heard of it; what is dropped is a row all the same.
    assert set(map(str, rows)) >= {str(tuple(event[key] for key in keys)) for event in told}
    places = [row[:2] for row in rows]
    assert places == sorted(set(places))
    assert (places[0], places[-1]) == ((1, 1), (2, 2000))
    assert rows[0][3] == {"loss": 1}
    # Trained again from the first epoch on: the rows of the second are those of this time.
    before = _rows(first.folder)
    with open(first.folder / "batches.jsonl", "a") as file:
        file.write('{"epoch": 3, "ba')  # killed while it wrote
    checkpoint = str(first.folder / "checkpoints" / "epoch-0001")
    again = start(epochs=2, resumeFrom=checkpoint, parameters={"batches": 2000}, grant=None)
    again.wait_for("ready")
    assert _rows(again.folder) == [row for row in before if row["epoch"] == 1]
    again.grant(2)
    assert again.end() == 0
    after = _rows(again.folder)
    places = [(row["epoch"], row["batch"]) for row in after]
    assert places == sorted(set(places))
    assert (places[-1], after[: len(before)] == before) == ((2, 2000), False)


def test_rows_of_the_batches_that_are_saved_are_there(start: Start) -> None:
    """Also of an epoch that is under way; those after the checkpoint are not, once it resumes."""
    first = start(epochs=2, parameters={"batches": 6, "batch_seconds": 0.15}, everyBatches=2)
    first.wait_for(lambda event: event["type"] == "checkpoint" and event["checkpoint"]["batch"] == 4)
    first.kill()
    assert [row["batch"] for row in _rows(first.folder)][:4] == [1, 2, 3, 4]
    checkpoint = str(first.folder / "checkpoints" / "epoch-0000-batch-000002")
    again = start(epochs=2, resumeFrom=checkpoint, grant=None)
    again.wait_for("ready")
    assert [row["batch"] for row in _rows(again.folder)] == [1, 2]


def test_a_file_that_is_full_has_every_second_row_and_so_has_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_rows, "MOST_ROWS", 100)
    monkeypatch.setattr(batch_rows, "_SECONDS_BETWEEN", 0.0)
    rows = BatchRows(tmp_path / "batches.jsonl")
    rows.cut_back(Position(0, 0))
    for batch in range(1, 1001):
        rows.add(1, batch, None, {"loss": batch})
        if batch % 100 == 0:
            assert len(_rows(tmp_path)) <= 100
    kept = [row["batch"] for row in _rows(tmp_path)]
    assert 50 <= len(kept) <= 100
    steps = {later - earlier for earlier, later in pairwise(kept)}
    assert steps <= {16}
    # A session that goes on does so as sparsely.
    after = BatchRows(tmp_path / "batches.jsonl")
    after.cut_back(Position(0, 500))
    assert [row["batch"] for row in _rows(tmp_path)] == [batch for batch in kept if batch <= 500]
    for batch in range(501, 533):
        after.add(1, batch, None, {"loss": batch})
    assert [row["batch"] for row in _rows(tmp_path) if row["batch"] > 500] == [501, 517]


def test_its_bytes_have_a_bound_too_and_a_disk_that_takes_nothing_costs_rows_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_rows, "MOST_BYTES", 10_000)
    rows = BatchRows(tmp_path / "batches.jsonl")
    for batch in range(1, 1001):
        rows.add(1, batch, None, {f"metric-{name}": 1.0 for name in range(10)})
        rows.flush()
    assert 2_000 < (tmp_path / "batches.jsonl").stat().st_size <= 10_000
    lost = BatchRows(tmp_path / "no-such-folder" / "batches.jsonl")
    lost.add(1, 1, None, {"loss": 1.0})
    lost.flush()
    lost.cut_back(Position(0, 0))


@pytest.mark.parametrize(
    "damaged",
    [
        b'{"epoch": "1", "batch": 2}',
        b'{"epoch": 1, "batch": null}',
        b'{"epoch": [1], "batch": {}}',
        b'{"epoch": 1, "batch": 2, "stride": 99999999999}',
        b'{"epoch": 1, "batch": 2, "stride": "2"}',
        b"[1]",
        b"[" * 100_000,
        b"\x00\xff" * 100,
    ],
)
def test_a_damaged_row_goes_and_the_training_goes_on(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "batches.jsonl"
    row = b'{"epoch": 1, "batch": %d, "metrics": {}}\n'
    path.write_bytes(row % 1 + damaged + b"\n" + row % 3)
    rows = BatchRows(path)
    rows.cut_back(Position(1, 0))
    for batch in (4, 5):
        rows.add(1, batch, None, {"loss": 1.0})
    rows.flush()
    assert [row["batch"] for row in _rows(tmp_path)] == [1, 3, 4, 5]


def test_a_row_that_is_larger_than_the_file_may_be_goes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_rows, "MOST_BYTES", 1_000)
    (tmp_path / "batches.jsonl").write_text(json.dumps({"epoch": 1, "batch": 1, "more": "x" * 2_000}) + "\n")
    BatchRows(tmp_path / "batches.jsonl").cut_back(Position(1, 0))
    assert _rows(tmp_path) == []


def test_rows_that_cannot_be_cut_back_cost_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "batches.jsonl"
    path.write_bytes(b'{"epoch": 2, "batch": 1}\n')

    def full(_path: Path, _content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batch_rows, "replace_synced", full)
    BatchRows(path).cut_back(Position(1, 0))
    assert path.read_bytes() == b'{"epoch": 2, "batch": 1}\n'
