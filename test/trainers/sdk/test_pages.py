"""A trainer's own pages: what widgets show is there after the end, once for each position, and never too much of it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import epochal
import numpy as np
import pytest
from conftest import Start
from epochal import ui
from epochal.checkpoints import Position
from epochal.ui import keeping, pages, pixels
from epochal.ui.layout import Widget
from epochal.ui.pages import Pages, begin_pages
from trainer_process import REPOSITORY

MY_PAGES = REPOSITORY / "trainers" / "examples" / "my_pages.py"
#: What every widget says and shows, hostile values too; TypeScript reads the same file.
#: Written by `python test_pages.py`.
SHOWN = REPOSITORY / "test" / "contracts" / "pages.json"


class Moment:
    """Where a training is, and what it noted."""

    def __init__(self) -> None:
        self.epoch, self.position = 1, Position(0, 0)
        self.notes: list[str] = []

    def at(self, epoch: int, batch: int) -> None:
        self.epoch, self.position = epoch, Position(epoch - 1, batch)

    def begin(self, folder: Path, *widgets: Widget, rank: int = 0) -> None:
        begin_pages(folder, ui.Container(list(widgets)), lambda: (self.epoch, self.position), self.notes.append, rank)


@pytest.fixture
def moment() -> Moment:
    return Moment()


def _rows(folder: Path) -> list[dict[str, Any]]:
    """As readers take them: of two with one key the later."""
    rows = [json.loads(line) for line in (folder / "pages.jsonl").read_text().splitlines()]
    return list({(row["widget"], row["epoch"], str(row["position"])): row for row in rows}.values())


def _value(folder: Path, row: dict[str, Any]) -> dict[str, Any]:
    return row["value"] if "value" in row else json.loads((folder / row["file"]).read_text())


def test_the_document_shows_the_example_which_shows_every_widget() -> None:
    document = (REPOSITORY / "docs" / "trainer-pages.md").read_text()
    code = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
    assert [one for one in code if one.startswith("# /// script")] == [MY_PAGES.read_text()]
    for name in ui.__all__:
        assert any(f"ui.{name}(" in one for one in code), name
    (form,) = (one for one in code if "ui.DataPicker(" in one)
    there: dict[str, Any] = {"epochal": epochal, "ui": ui}
    exec(compile(form, "trainer-pages.md", "exec", dont_inherit=True), there)
    assert [node["kind"] for node in there["trainer"].describe()["form"]["children"]] == [
        "dataPicker",
        "classPicker",
        "fields",
    ]


def test_a_training_shows_each_epoch_once_also_one_that_goes_back(start: Start) -> None:
    first = start(MY_PAGES, epochs=3)
    assert first.end() == 0
    rows = _rows(first.folder)
    grids = [row for row in rows if row["widget"] == "imageGrid-1"]
    assert [(row["epoch"], row["position"]) for row in grids] == [
        (epoch, {"epoch": epoch - 1, "batch": 15}) for epoch in (1, 2, 3)
    ]
    assert not [row for row in rows if "problem" in row]
    widgets = {row["widget"] for row in rows}
    assert len(widgets) == 15  # all but the text, which is in the layout
    for row in rows:
        assert all((first.folder / name).stat().st_size == size for name, size in row["files"].items())
    # From the first epoch on again: what the others showed is gone, with the files that nothing else names.
    checkpoint = str(first.folder / "checkpoints" / "epoch-0001")
    again = start(MY_PAGES, epochs=3, resumeFrom=checkpoint, grant=None)
    again.wait_for("ready")
    kept = _rows(again.folder)
    assert {row["epoch"] for row in kept if row["widget"] == "imageGrid-1"} == {1}
    named = {name for row in kept for name in row["files"]}
    assert {f"pages/{path.name}" for path in (again.folder / "pages").iterdir()} == named
    again.grant(3)
    assert again.end() == 0
    values = [(_value(again.folder, row), row["epoch"]) for row in _rows(again.folder) if row["widget"] == "table-1"]
    assert values == [(_value(first.folder, row), row["epoch"]) for row in rows if row["widget"] == "table-1"]


def _million() -> np.ndarray:
    return np.linspace(0, 1, 1_000_000)


def _hostile() -> dict[str, Callable[[Any], None]]:
    """By widget: what shows something that no page could take as it is."""
    nan, half = float("nan"), "\ud800"
    return {
        "text": lambda one: one.show(f"<script>alert(1)</script>{half}" + "x" * 10**6),
        "markdown": lambda one: one.show("# <img src=x onerror=alert(1)>\n[x](javascript:alert(1)) **b** `c`"),
        "alert": lambda one: one.show("<b>", color="error"),
        "html": lambda one: one.show("<script>top.location='//x'</script><img src='//x/y.png'>" + "y" * 10**6),
        "progress": lambda one: one.show(nan, float("inf")),
        "lineChart": lambda one: one.show({"a": _million(), half: [1, nan, "3", None, 10**400]}),
        "scatterChart": lambda one: one.show({str(i): (_million()[:9], [nan] * 9) for i in range(50)}),
        "barChart": lambda one: one.show({f"<b>{i}": {"train": i, "val": nan} for i in range(1_000)}),
        "histogram": lambda one: one.show(np.append(_million(), [nan, np.inf])),
        "heatMap": lambda one: one.show(np.full((1_000, 2_000), np.nan)),
        "confusionMatrix": lambda one: one.show(wanted=list(range(1_000)), predicted=[0] * 1_000),
        "prCurve": lambda one: one.show({"a": (_million(), _million())}, ap={"a": nan}),
        "table": lambda one: one.show([index, nan, "<td>" * 1_000, None, True] for index in range(10**6)),
        "image": lambda one: one.show(np.full((8, 8, 3), nan)),
        "imagePair": lambda one: one.show(b"no image", Path("/no/such/file.png")),
        "imageGrid": lambda one: one.show(_marked(nan)),
    }


def _marked(nan: float) -> list[ui.MarkedImage]:
    marks = [
        ui.Box(nan, 0, 1, 1, "left out"),
        ui.Box(-5, 1e9, 1, 1, "<b>", nan),
        ui.Polygon([(0, 0), (nan, 1), (1, 1), (2, 0)], "p"),
        ui.Keypoints([(0, 0), (nan, nan), (1, 1)], [(0, 1), (0, 2), (7, 8)], "k", 0.5),
        ui.Mask(np.eye(4) > 0, "m"),
        ui.Mask([1, 2, 3], "none"),
    ]
    return [ui.MarkedImage(np.zeros((4, 4)), caption=f"{i}", marks=marks * 100 if i == 0 else []) for i in range(100)]


#: By kind.
_widgets: dict[str, type[Widget]] = {
    one.kind: one for one in vars(ui).values() if isinstance(one, type) and issubclass(one, Widget)
}


def _cut(value: Any) -> Any:
    """The beginning of all that is long."""
    if isinstance(value, dict):
        return {key: _cut(one) for key, one in list(value.items())[:20]}
    if isinstance(value, list):
        return [_cut(one) for one in value[:6]]
    return value[:200] if isinstance(value, str) else value


def _in_short(shown: dict[str, Any]) -> dict[str, Any]:
    return {"layout": shown["layout"], "rows": [_cut({**row, "value": None}) for row in shown["rows"]]}


def _show_all(folder: Path, moment: Moment) -> dict[str, Any]:
    """The layout of all widgets, and a row with its value for each; files are called by their numbers."""
    widgets = {kind: make(id=kind) for kind, make in _widgets.items()}
    moment.begin(folder, *widgets.values())
    for kind, show in _hostile().items():
        show(widgets[kind])
    rows = _rows(folder)
    names = {name: f"pages/{number:032x}.{name.rpartition('.')[2]}" for number, name in enumerate(
        dict.fromkeys(name for row in rows for name in row["files"]))}  # fmt: skip
    shown = [{**row, "at": "2026-01-01T00:00:00.000Z", "shows": _value(folder, row)} for row in rows]
    told = json.dumps({"layout": json.loads((folder / "pages.json").read_text()), "rows": shown})
    for name, number in names.items():
        told = told.replace(name, number)
    told = re.sub(r'(\.(?:json|png)": )\d+', r"\g<1>1", told)
    return json.loads(told)


def test_no_value_harms_a_page_or_the_training_and_every_widget_says_what_the_contract_has(
    tmp_path: Path, moment: Moment
) -> None:
    assert set(_widgets) == set(_hostile())
    shown = _show_all(tmp_path, moment)
    assert not [row for row in shown["rows"] if "problem" in row], moment.notes
    values = {row["widget"]: row["shows"] for row in shown["rows"]}
    assert len(values["text"]["text"]) == 20_000
    assert len(values["html"]["text"]) == 200_000
    assert values["progress"]["done"] is None
    lines = values["lineChart"]["series"]
    assert (lines[0]["of"], len(lines[0]["x"]), lines[0]["y"][-1]) == (1_000_000, 2_000, 1)
    assert lines[1]["y"] == [1, None, 3, None, None]
    assert (len(values["scatterChart"]["series"]), values["scatterChart"]["seriesOf"]) == (20, 50)
    assert (len(values["barChart"]["names"]), values["barChart"]["of"]) == (200, 1_000)
    assert (sum(values["histogram"]["counts"]), values["histogram"]["leftOut"]) == (1_000_000, 2)
    assert (len(values["heatMap"]["values"]), values["heatMap"]["of"]) == (200, [1_000, 2_000])
    confusion = values["confusionMatrix"]
    assert (len(confusion["classes"]), sum(map(sum, confusion["counts"]))) == (100, 1_000)
    assert (len(values["table"]["rows"]), values["table"]["of"], values["table"]["rows"][0][1]) == (500, None, "nan")
    grid = values["imageGrid"]
    assert (len(grid["images"]), grid["of"], grid["images"][0]["marksOf"]) == (64, 100, 600)
    kinds = [mark["kind"] for mark in grid["images"][0]["marks"][:5]]
    assert kinds == ["box", "polygon", "keypoints", "mask", "mask"]
    assert values["imagePair"]["before"]["file"] is None
    assert "No such file" in values["imagePair"]["after"]["problem"]
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 2 << 20
    assert _in_short(shown) == json.loads(SHOWN.read_text()), "python test/trainers/sdk/test_pages.py writes it anew"


def test_a_large_image_is_scaled_down_and_one_that_is_not_an_image_says_so(tmp_path: Path) -> None:
    keep = keeping.Keep(tmp_path)
    large = keep.image(np.zeros((8_000, 8_000, 3), np.uint8))  # 192 MB
    assert (large["width"], large["height"]) == (8_000, 8_000)
    content = (tmp_path / large["file"]).read_bytes()
    assert int.from_bytes(content[16:20], "big") <= pixels.LONGEST_SIDE
    assert len(content) < 100_000
    path = tmp_path / "large.png"
    with open(path, "wb") as file:
        file.truncate(200 << 20)
    assert "200 MiB" in keep.image(path)["problem"]
    bomb = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\0\0\0\0"
    for wrong in (bomb, b"<svg onload=alert(1)>", np.zeros((5, 4, 7)), np.zeros(0), np.array(["a"]), "", 5, None):
        told = keep.image(wrong)
        assert told["file"] is None, wrong
        assert told["problem"], wrong
    # Of what is shown at once the first images are kept, as many as there is room for.
    noise = [np.random.default_rng(i).integers(0, 255, (640, 640, 3), np.uint8) for i in range(9)]
    kept = [keep.image(image)["file"] is not None for image in noise]
    assert kept[0]
    assert not kept[-1]
    assert sum(keep.files.values()) <= keeping.MOST_BYTES_SHOWN


def test_a_png_is_what_was_shown(tmp_path: Path) -> None:
    import struct
    import zlib

    image = np.random.default_rng(1).integers(0, 255, (5, 7, 3), np.uint8)
    content = pixels.encoded(image).content
    assert pixels.encoded(content) == pixels.Encoded(content, "png", 7, 5)
    start = content.index(b"IDAT")
    (length,) = struct.unpack(">I", content[start - 4 : start])
    lines = np.frombuffer(zlib.decompress(content[start + 4 : start + 4 + length]), np.uint8).reshape(5, 22)
    assert (np.cumsum(lines[:, 1:].reshape(5, 7, 3), axis=1, dtype=np.uint8) == image).all()
    as_torch_has_it = pixels.encoded(image.transpose(2, 0, 1) / 255)
    assert (as_torch_has_it.width, as_torch_has_it.height) == (7, 5)


def test_a_widget_has_its_newest_value_and_of_those_before_every_nth(
    tmp_path: Path, moment: Moment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_ROWS_EACH", 10)
    text, other = ui.Text("", id="text"), ui.Text("", id="other")
    moment.begin(tmp_path, text, other)
    other.show("first")
    for epoch in range(1, 101):
        moment.at(epoch, 5)
        text.show(str(epoch))
        epochs = [row["epoch"] for row in _rows(tmp_path) if row["widget"] == "text"]
        assert epochs[-1] == epoch
        assert len(_rows(tmp_path)) <= 10 + 33  # lines that no longer count go now and then
    # The next session knows how sparsely, and has no more than there may be.
    moment.at(100, 5)
    moment.begin(tmp_path, text, other)
    rows = [row for row in _rows(tmp_path) if row["widget"] == "text"]
    assert [row["epoch"] for row in rows] == [1, 17, 33, 49, 65, 81, 97, 100]
    moment.at(101, 5)
    text.show("101")
    moment.begin(tmp_path, text, other)
    assert [row["epoch"] for row in _rows(tmp_path) if row["widget"] == "text"][-2:] == [97, 101]
    assert [row["value"]["text"] for row in _rows(tmp_path) if row["widget"] == "other"] == ["first"]
    # Shown twice at one position: the later counts, and is one of as many.
    text.show("again")
    assert _rows(tmp_path)[-1]["value"]["text"] == "again"
    assert _rows(tmp_path)[-1]["turn"] == 100


def test_all_of_it_has_a_bound(tmp_path: Path, moment: Moment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_BYTES", 200_000)
    image, text = ui.Image(id="image"), ui.Text("", id="text")
    moment.begin(tmp_path, image, text)
    text.show("stays")
    for epoch in range(1, 30):
        moment.at(epoch, 5)
        image.show(np.random.default_rng(epoch).integers(0, 255, (100, 100, 3), np.uint8))
        size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        assert size < 200_000 * 1.25 + 50_000
    rows = _rows(tmp_path)
    assert [row["epoch"] for row in rows if row["widget"] == "text"] == [1]
    newest = rows[-1]
    assert (newest["epoch"], newest["widget"]) == (29, "image")
    assert all((tmp_path / name).exists() for name in newest["files"])
    # Of small files there are not many more: each counts as `LEAST_FILE_BYTES`.
    for epoch in range(30, 60):
        moment.at(epoch, 5)
        image.show(np.full((2, 2), epoch, np.uint8))
        assert len(list((tmp_path / "pages").iterdir())) <= 1.25 * 200_000 / pages.LEAST_FILE_BYTES + 1


def test_only_rank_0_writes_and_only_a_widget_of_the_layout_shows(tmp_path: Path, moment: Moment) -> None:
    text = ui.Text("")
    with pytest.raises(RuntimeError, match="in no layout"):
        text.show("x")
    moment.begin(tmp_path, text, rank=1)
    text.show("x")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_shown_or_written_is_said_once_and_costs_no_training(tmp_path: Path, moment: Moment) -> None:
    chart, text = ui.LineChart("Loss", id="chart"), ui.Text("", id="text")
    moment.begin(tmp_path, chart, text)
    for epoch in (1, 2):
        moment.at(epoch, 1)
        chart.show({"a": 5})  # type: ignore[dict-item]
    problem = "This value cannot be shown: must be a list or an array, and is int"
    assert [row["problem"] for row in _rows(tmp_path)] == [problem] * 2
    assert len(moment.notes) == 1
    (tmp_path / "pages.jsonl").unlink()
    (tmp_path / "pages.jsonl").mkdir()
    text.show("x")
    text.show("y")
    assert len(moment.notes) == 2
    assert "could not be written" in moment.notes[1]
    Pages(tmp_path, ui.Container([text]), lambda: (1, Position(0, 0)), moment.notes.append).cut_back(Position(9, 0))


@pytest.mark.parametrize(
    "damaged",
    [b'{"widget": "text"}', b'{"position": 1}', b"[1]", b"[" * 100_000, b"\x00\xff" * 9, b'{"widget":"text","epo'],
)
def test_a_damaged_row_goes_and_the_others_stay(tmp_path: Path, moment: Moment, damaged: bytes) -> None:
    text = ui.Text("", id="text")
    moment.begin(tmp_path, text)
    text.show("1")
    with open(tmp_path / "pages.jsonl", "ab") as file:
        file.write(damaged + b"\n")
    moment.at(2, 1)
    moment.begin(tmp_path, text)
    text.show("2")
    assert [row["value"]["text"] for row in _rows(tmp_path)] == ["1", "2"]


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        SHOWN.write_text(json.dumps(_in_short(_show_all(Path(scratch), Moment())), indent=2) + "\n")
    sys.exit()
