"""Images of a page: those of a training that goes on meanwhile, and those that are shown again."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from epochal import ui
from epochal.checkpoints import Position
from epochal.classification_pages import ClassificationPages
from epochal.ui import pixels
from epochal.ui.background import MOST_WAITING, Background
from epochal.ui.encoded_images import EncodedImages
from epochal.ui.pages import begin_pages


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "pages.jsonl").read_text().splitlines()]


def test_a_training_does_not_wait_for_its_images_and_shows_them_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    png, go_on = pixels._png, threading.Event()

    def when_told(array: Any) -> bytes:
        assert go_on.wait(60)
        return png(array)

    monkeypatch.setattr(pixels, "_png", when_told)
    image, text = ui.Image(id="image"), ui.Text(id="text")
    epoch = 1
    layout = ui.Container([image, text])
    pages = begin_pages(tmp_path, layout, lambda: (epoch, Position(epoch - 1, 5)), lambda _note: None, 0, Background())
    assert pages
    pixel = np.zeros((4, 4), np.uint8)
    image.show(pixel)
    text.show("after it")
    pixel += 255
    epoch = 2
    image.show(b"no image")
    assert not (tmp_path / "pages.jsonl").exists()
    go_on.set()
    pages.finish()
    rows = _rows(tmp_path)
    assert [(row["widget"], row["epoch"]) for row in rows] == [("image", 1), ("text", 1), ("image", 2)]
    kept = rows[0]["value"]["image"]
    assert (tmp_path / kept["file"]).read_bytes() == png(np.zeros((4, 4, 1), np.uint8))
    assert "problem" in rows[2]["value"]["image"]
    # Nothing is under way: a row is there at once.
    text.show("now")
    assert _rows(tmp_path)[-1]["value"] == {"text": "now"}


def test_whoever_gives_more_than_there_is_room_for_waits_and_an_error_ends_nothing() -> None:
    background, go_on, done = Background(), threading.Event(), []

    def first() -> None:
        assert go_on.wait(60)
        raise RuntimeError("of one value")

    def give() -> None:
        for number in range(MOST_WAITING + 1):
            background.put(lambda number=number: done.append(number))  # type: ignore[misc]
        done.append("given")

    background.put(first)
    giver = threading.Thread(target=give, daemon=True)
    giver.start()
    background.finish(0.01)
    assert background.is_busy
    assert done == []
    go_on.set()
    giver.join(60)
    background.finish(60)
    assert [one for one in done if one != "given"] == list(range(MOST_WAITING + 1))
    assert not background.is_busy


def test_an_image_that_is_shown_again_is_made_into_a_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    images = EncodedImages(most=2)
    first = images.of("a", np.zeros((2, 2)))
    assert pixels.encoded(first) is first
    assert images.of("a", np.ones((2, 2))) is first
    wrong = np.zeros((2, 2, 9))
    assert images.of("wrong", wrong) is wrong
    images.of("b", np.zeros((2, 2)))
    images.of("c", np.zeros((2, 2)))
    assert images.of("a", np.ones((2, 2))) != first


def test_pages_of_classes_count_all_and_show_the_surest_mistakes(tmp_path: Path) -> None:
    pages = ClassificationPages(["cat", "dog"], images=2)
    begin_pages(tmp_path, pages.layout, lambda: (1, Position(0, 5)), lambda _note: None, 0)
    images = np.arange(4 * 9, dtype=np.uint8).reshape(4, 1, 3, 3)
    pages.add([[0, 9]], [0], images)  # before an interruption
    pages.begin()
    pages.add(np.array([[9.0, 0], [0, 1], [3, 0], [0, 2]]), [0, 0, 1, 0], images)
    pages.add(np.array([[1000.0, 0]]), np.array([1]), images)
    # Another process has as many.
    pages.show(lambda own: [own, own])
    rows = {row["widget"]: row["value"] for row in _rows(tmp_path)}
    assert rows["confusion"]["counts"] == [[2, 4], [4, 0]]
    assert [image["caption"] for image in rows["mistakes"]["images"]] == ["dog taken for cat, 100% certain"] * 2
    assert rows["mistakes"]["images"][0]["width"] == 3
