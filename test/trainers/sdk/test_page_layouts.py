"""The layout of a trainer's own pages: what `describe` says of it, and which are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import epochal
import pytest
from epochal import ui
from epochal.trainer import Metric, Trainer
from epochal.ui.layout import DEEPEST, LARGEST_LAYOUT, MOST_WIDGETS


def test_describe_has_the_layout_and_a_trainer_without_one_says_nothing_of_it() -> None:
    common: dict[str, Any] = {"title": "T", "description": "d", "metrics": [Metric("m", "m")], "best": ("m", "max")}
    layout = ui.Container([ui.Text("Hello"), ui.Card([ui.Table(id="worst"), ui.Table()], title="Tables", columns=2)])
    described = Trainer(name="t", layout=layout, **common).describe()["layout"]
    card = described["children"][1]
    assert (described["uiVersion"], described["kind"], card["columns"]) == (1, "container", 2)
    assert [one["id"] for one in card["children"]] == ["worst", "table-1"]
    assert "layout" not in Trainer(name="t", **common).describe()
    with pytest.raises(TypeError, match="Container"):
        Trainer(name="t", layout=[ui.Text("Hello")], **common)  # type: ignore[arg-type]


def test_a_form_arranges_parameters_that_there_are() -> None:
    class Parameters(epochal.Parameters):
        optimizer: str = epochal.parameter("SGD", description="d")
        momentum: float = epochal.parameter(0.9, description="d")
        classes: list[str] = epochal.parameter([], description="d")

    def trainer(*nodes: Any, **more: Any) -> Trainer:
        common: dict[str, Any] = {"title": "T", "description": "d", "metrics": [Metric("m", "m")], "best": ("m", "max")}
        return Trainer(name="t", parameters=Parameters, form=ui.Container(list(nodes)), **common, **more)

    described = trainer(ui.Field("optimizer"), ui.Fields(["momentum"], title="M", when={"optimizer": "SGD"})).describe()
    assert described["form"]["children"] == [
        {"kind": "fields", "title": "", "names": ["optimizer"], "when": {}},
        {"kind": "fields", "title": "M", "names": ["momentum"], "when": {"optimizer": ["SGD"]}},
    ]
    for wrong, said in (
        ([ui.Field("lr")], "lr, which is no parameter"),
        ([ui.Field("momentum", when={"lr": 1})], "lr, which is no parameter"),
        ([ui.Field("momentum"), ui.Field("momentum")], "momentum is in it twice"),
        ([ui.ClassPicker("classes"), ui.Field("classes")], "classes is in it twice"),
        ([ui.ClassPicker("momentum")], r"type list\[str\]"),
        ([ui.DataPicker()], "datasets is empty"),
        ([ui.Table("T")], "Table shows nothing before a run"),
    ):
        with pytest.raises(TypeError, match=said):
            trainer(*wrong)
    data = [epochal.Dataset("coco", "d")]
    pickers = trainer(ui.DataPicker(), ui.ClassPicker("classes", title="C"), datasets=data).describe()["form"][
        "children"
    ]
    assert pickers == [
        {"kind": "dataPicker", "title": "Data set"},
        {"kind": "classPicker", "title": "C", "name": "classes", "when": {}},
    ]
    with pytest.raises(TypeError, match="several DataPickers"):
        trainer(ui.DataPicker(), ui.DataPicker(), datasets=data)
    with pytest.raises(TypeError, match="Field is for a new run"):
        trainer(layout=ui.Container([ui.Field("momentum")]))
    with pytest.raises(TypeError, match="list of names"):
        ui.Fields("momentum")


def _nested(depth: int) -> ui.Container:
    layout = ui.Container([ui.Text("x")])
    for _ in range(depth):
        layout = ui.Container([layout])
    return layout


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        (lambda: ui.Container([ui.Table(id="a"), ui.Text("x", id="a")]), "same id"),
        (lambda: ui.Container([table := ui.Table(), table]), "twice"),
        (lambda: ui.Container([ui.Text("x")] * 1 + [ui.Text("y") for _ in range(MOST_WIDGETS)]), "100 widgets"),
        (lambda: _nested(DEEPEST + 1), "deep"),
        (lambda: ui.Container([ui.Text("x" * 4_000) for _ in range(LARGEST_LAYOUT // 4_000 + 1)]), "bytes"),
        (lambda: ui.Container([ui.Text("x" * 4_001)]), "4,000 characters"),
        (lambda: ui.Container(ui.Text("x")), "list of widgets"),  # type: ignore[arg-type]
        (lambda: ui.Container([ui.Table(id="../x")]), "id is"),
        (lambda: ui.Card([], columns=9), "columns"),
        (lambda: ui.Html("", height=10**9), "height"),
    ],
)
def test_a_layout_that_is_wrong_or_too_large_is_refused_where_it_is_made(
    layout: Callable[[], ui.Container], said: str
) -> None:
    with pytest.raises((ValueError, TypeError), match=said):
        layout().described()
