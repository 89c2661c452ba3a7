"""`trainer.py preview`: a layout with sample values, for its author's browser alone."""

from __future__ import annotations

import http.client
import importlib.util
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from epochal import ui
from epochal.ui.preview import PreviewServer
from epochal.ui.samples import EPOCHS, show_samples
from trainer_process import REPOSITORY

WEB = {"index.html": b'<!doctype html><html lang="en">', "assets/page.js": b"1"}


def _layout() -> ui.Container:
    """Of the example, which has every widget."""
    spec = importlib.util.spec_from_file_location("my_pages", REPOSITORY / "trainers" / "examples" / "my_pages.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pydantic looks for the types of its parameters
    spec.loader.exec_module(module)
    return module.layout


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PreviewServer]:
    folder, notes = tmp_path_factory.mktemp("preview"), []
    show_samples(_layout(), folder, notes.append)
    assert notes == []
    with PreviewServer(0, folder, WEB) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join(60)


def _ask(server: PreviewServer, address: str, host: str | None = None) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    try:
        connection.request("GET", address, headers={"host": host or f"127.0.0.1:{server.server_port}"})
        answer = connection.getresponse()
        return answer.status, answer.headers.get_content_type(), answer.read()
    finally:
        connection.close()


def test_every_widget_has_a_sample_value_for_each_epoch(server: PreviewServer) -> None:
    status, _, content = _ask(server, "/api/runs/preview/pages")
    assert status == 200
    pages = json.loads(content)
    assert pages["layout"]["kind"] == "container"
    assert [row for row in pages["rows"] if "problem" in row] == []
    shown: dict[str, list[int]] = {}
    for row in pages["rows"]:
        shown.setdefault(row["widget"], []).append(row["epoch"])
    # All but the text, which says from the beginning what it has to say.
    assert len(shown) == 15
    assert all(epochs == list(range(1, EPOCHS + 1)) for epochs in shown.values()), shown
    grid = next(row for row in pages["rows"] if row["widget"] == "imageGrid-1")
    value = grid.get("value") or json.loads(_ask(server, f"/api/runs/preview/file?path={grid['file']}")[2])
    images = value["images"]
    assert {mark["kind"] for image in images for mark in image["marks"]} == {"box", "polygon", "keypoints"}
    assert all(_ask(server, f"/api/runs/preview/file?path={image['file']}")[1] == "image/png" for image in images)


def test_it_serves_the_page_and_nothing_else(server: PreviewServer) -> None:
    assert _ask(server, "/") == (200, "text/html", b'<!doctype html><html data-preview lang="en">')
    assert _ask(server, "/assets/page.js") == (200, "text/javascript", b"1")
    for wrong in ("/../pages.jsonl", "/pages.jsonl", "/api/runs/preview/file?path=pages.jsonl", "/api/runs"):
        assert _ask(server, wrong)[0] == 404, wrong
    # A page of another name that leads here must not read it.
    assert _ask(server, "/api/runs/preview/pages", host="example.com")[0] == 421


def test_a_trainer_without_pages_says_so(tmp_path: Path) -> None:
    script = REPOSITORY / "test" / "trainers" / "counter.py"
    environment = {"PYTHONPATH": str(REPOSITORY / "trainers" / "epochal"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, str(script), "preview"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1
    assert "has no pages" in done.stderr
