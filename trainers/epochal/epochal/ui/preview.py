"""`python trainer.py preview`: a trainer's pages with sample values in a browser, without a service."""

from __future__ import annotations

import argparse
import importlib.util
import json
import mimetypes
import re
import sys
import tarfile
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from epochal.ui.pages import LAYOUT_FILE, ROWS_FILE
from epochal.ui.samples import show_samples

if TYPE_CHECKING:
    from epochal.trainer import Trainer

#: As the page calls what it shows.
RUN = "preview"
_FILE = re.compile(r"pages/[0-9a-f]{32}\.(json|png|jpg|webp|gif)")
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def preview(trainer: Trainer, arguments: list[str]) -> None:
    """Serve until somebody interrupts it."""
    parser = argparse.ArgumentParser(description=f"The pages of {trainer.title} with sample values.")
    parser.add_argument("verb", choices=["preview"])
    parser.add_argument("--port", type=int, default=0, help="default: any that is free")
    asked = parser.parse_args(arguments)
    if trainer.layout is None:
        sys.exit(f"{trainer.name} has no pages: give epochal.Trainer a layout (docs/trainer-pages.md)")
    web = web_files()
    if web is None:
        sys.exit("the web UI is not built here: `npm start` in the clone builds it, or install the wheel of Epochal")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        show_samples(trainer.layout, folder, lambda note: print(note, file=sys.stderr))
        with PreviewServer(asked.port, folder, web) as server:
            print(f"{trainer.title}: http://127.0.0.1:{server.server_port}/ (Ctrl-C ends it)", flush=True)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                pass


def web_files() -> dict[str, bytes] | None:
    """The built web UI by path, from the clone that this is in, or else from the installed wheel."""
    built = Path(__file__).resolve().parents[4] / "web" / "dist"
    if (built / "index.html").is_file():
        return {path.relative_to(built).as_posix(): path.read_bytes() for path in built.rglob("*") if path.is_file()}
    service = importlib.util.find_spec("epochal_service")
    archive = Path(service.origin).parent / "packed" / "epochal.tgz" if service and service.origin else None
    if archive is None or not archive.is_file():
        return None
    inside, found = "package/web/dist/", {}
    with tarfile.open(archive) as packed:
        for member in packed:
            content = packed.extractfile(member) if member.isfile() and member.name.startswith(inside) else None
            if content:
                found[member.name.removeprefix(inside)] = content.read()
    return found if "index.html" in found else None


class PreviewServer(ThreadingHTTPServer):
    """For this machine alone: what the page asks of a server about a run, of `folder`."""

    daemon_threads = True

    def __init__(self, port: int, folder: Path, web: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self._folder = folder
        self._web = web

    def answer(self, address: str) -> tuple[str, bytes] | None:
        """Media type and content; None where there is nothing."""
        parts = urlsplit(address)
        if parts.path == "/":
            # The page asks itself what it is there for.
            page = self._web["index.html"].replace(b"<html ", b"<html data-preview ", 1)
            return "text/html; charset=utf-8", page
        if parts.path == f"/api/runs/{RUN}/pages":
            return "application/json", json.dumps(self._pages()).encode()
        if parts.path == f"/api/runs/{RUN}/file":
            return self._file(parse_qs(parts.query).get("path", [""])[0])
        content = self._web.get(parts.path.lstrip("/"))
        return None if content is None else (_media_type(parts.path), content)

    def _pages(self) -> dict[str, Any]:
        """As `contracts/http-pages.ts` has it."""
        rows = (self._folder / ROWS_FILE).read_text().splitlines() if (self._folder / ROWS_FILE).exists() else []
        layout = json.loads((self._folder / LAYOUT_FILE).read_text())
        told = {"source": "host", "layout": layout, "rows": [json.loads(row) for row in rows]}
        return {**told, "isWhole": True, "next": "0-0-0-0"}

    def _file(self, name: str) -> tuple[str, bytes] | None:
        path = self._folder / name
        return (_media_type(name), path.read_bytes()) if _FILE.fullmatch(name) and path.is_file() else None


class _Handler(BaseHTTPRequestHandler):
    server: PreviewServer

    def do_GET(self) -> None:
        """Answer the page, and nobody who came by another name: that may be another page's script."""
        names = {f"{name}:{self.server.server_port}" for name in ("127.0.0.1", "localhost")}
        if self.headers.get("host") not in names:
            self.send_error(421)
            return
        found = self.server.answer(self.path)
        if found is None:
            self.send_error(404)
            return
        media_type, content = found
        self.send_response(200)
        for name, value in {**_HEADERS, "content-type": media_type, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Who looks at it knows."""


def _media_type(path: str) -> str:
    if path.endswith(".js"):
        return "text/javascript"
    return mimetypes.guess_type(path)[0] or "application/octet-stream"
