"""What a page takes of a run folder, where values are large, cannot be shown, or come from another process."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from epochal import ui
from epochal.checkpoints import Position
from epochal.ui import pages
from epochal.ui.pages import begin_pages


def _lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "pages.jsonl").read_text().splitlines()]


def test_where_two_values_of_each_widget_have_no_room_the_newest_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_BYTES", 6_000)
    epoch = 1
    texts = [ui.Text(id=f"text-{number}") for number in range(3)]
    notes: list[str] = []

    def place() -> tuple[int, Position]:
        return epoch, Position(epoch - 1, 5)

    begin_pages(tmp_path, ui.Container(texts), place, notes.append, 0)
    for epoch in range(1, 5):
        for text in texts:
            text.show(f"{epoch}" + "x" * 1_500)
    epoch = 5
    begin_pages(tmp_path, ui.Container(texts), place, notes.append, 0)
    assert {row["widget"]: row["epoch"] for row in _lines(tmp_path)} == {f"text-{number}": 4 for number in range(3)}
    assert (tmp_path / "pages.jsonl").stat().st_size <= 6_000
    assert notes == []


def test_a_value_that_cannot_be_shown_leaves_none_of_its_files(tmp_path: Path) -> None:
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (2).to_bytes(4, "big") * 2
    grid = ui.ImageGrid(id="grid")
    begin_pages(tmp_path, ui.Container([grid]), lambda: (1, Position(0, 0)), lambda _note: None, 0)
    grid.show([png + b"shown"])
    corners = [(number + 0.5, 1e9) for number in range(200)]
    outlines = [ui.Polygon(corners)] * 100
    grid.show([ui.MarkedImage(png + last, "", outlines) for last in (b"shown", b"other", b"third")])
    assert "524,288 at most" in str(_lines(tmp_path)[-1]["problem"])
    assert [path.read_bytes()[-5:] for path in (tmp_path / "pages").iterdir()] == [b"shown"]


def test_a_forked_process_shows_nothing(tmp_path: Path) -> None:
    text = ui.Text(id="text")
    begin_pages(tmp_path, ui.Container([text]), lambda: (1, Position(0, 0)), lambda _note: None, 0)
    text.show("of the training")
    child = os.fork()
    if child == 0:
        try:
            text.show("of a data loader")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert [row["value"] for row in _lines(tmp_path)] == [{"text": "of the training"}]


def test_a_number_that_is_none_costs_its_row(tmp_path: Path) -> None:
    position = {"epoch": 0, "batch": 0}
    row = {"widget": "text", "epoch": 1, "position": position, "turn": 0, "value": {"text": "a"}, "files": {}}
    lines = [json.dumps(row), json.dumps({**row, "turn": float("inf")}), json.dumps({**row, "epoch": 2, "turn": 1})]
    (tmp_path / "pages.jsonl").write_text("\n".join(lines) + "\n")
    text = ui.Text(id="text")
    begin_pages(tmp_path, ui.Container([text]), lambda: (3, Position(2, 0)), lambda _note: None, 0)
    assert [row["epoch"] for row in _lines(tmp_path)] == [1, 2]


def test_what_makes_a_value_may_show_another(tmp_path: Path) -> None:
    text, table = ui.Text(id="text"), ui.Table(id="table", columns=["n"])
    begin_pages(tmp_path, ui.Container([text, table]), lambda: (1, Position(0, 0)), lambda _note: None, 0)

    def rows() -> Iterator[list[int]]:
        text.show("counting")
        yield [1]

    shown = threading.Thread(target=lambda: table.show(rows()), daemon=True)
    shown.start()
    shown.join(60)
    assert [row["widget"] for row in _lines(tmp_path)] == ["text", "table"]
