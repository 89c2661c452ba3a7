"""A client of Epochal's HTTP API: start a run, watch it, stop it, continue it, and take its results into pandas.

    from epochal.client import Client

    client = Client()  # the server of this machine; Client("https://train.example.org", token="…") for another
    run = client.start({"trainer": "digits", "epochs": 20})
    for update in run.watch():
        print(update.state, update.position, update.metrics)
    print(run.receipt()["outcome"], run.metrics()["val_accuracy"].max())
    longer = run.continue_from("last", epochs=40)

What the API answers is in `docs/server.md` and, as a page, at `/api/docs` of the server.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    import pandas

# Of an answer, and between two signs of life of a stream: the server sends one every 15 s.
_TIMEOUT_SECONDS = 60
_RETRY_SECONDS = 2

Config = Mapping[str, Any] | str | Path


class ApiError(Exception):
    """The server refused, with its sentence as the message. `kind` is one of those in docs/server.md."""

    def __init__(self, kind: str, message: str, problems: list[dict[str, str]]) -> None:
        super().__init__(message)
        self.kind = kind
        self.problems = problems


class ServerUnavailable(Exception):
    """No server answers there; the message says where."""


@dataclass(frozen=True)
class Update:
    """What a run is doing: given when that changes."""

    state: str
    detail: str
    epoch: int
    """Complete epochs."""
    batch: int
    """Complete batches of the epoch after them."""
    metrics: dict[str, float | None] = field(default_factory=dict)
    """Of the newest complete epoch."""
    trouble: str | None = None
    """A sentence while Temporal or the workers do not answer."""


class Client:
    """Talks to one server."""

    def __init__(self, address: str | None = None, token: str | None = None) -> None:
        """The address is that of `EPOCHAL_ADDRESS`, where none is given, else that of the server of this machine.

        The token is that of `EPOCHAL_TOKEN`, where none is given; that of this machine's server is in its data folder.
        Raises ServerUnavailable where no address is known.
        """
        address = address or os.environ.get("EPOCHAL_ADDRESS")
        token = token or os.environ.get("EPOCHAL_TOKEN")
        if not address:
            folder = _data_folder()
            address = _address_of(folder)
            token = token or _text_of(folder / "server-token")
        self.address = address.rstrip("/")
        self._token = token

    def start(self, config: Config, **fields: Any) -> Run:
        """Start a run. `config` is a mapping or the path of a YAML file; `fields` replace its own, as in `epochs=3`.

        Raises ApiError with the problems of a configuration that is refused.
        """
        body = {"config": {**self._config(config), **fields}}
        return Run(self, self._json("POST", "/api/runs", body)["run"])

    def check(self, config: Config) -> dict[str, Any]:
        """What a worker says of a configuration; nothing starts."""
        return self._json("POST", "/api/check", {"config": self._config(config)})

    def run(self, run: str) -> Run:
        """The run with this id, which is not looked up before it is asked for something."""
        return Run(self, run)

    def runs(self, limit: int = 200, **filters: str) -> pandas.DataFrame:
        """Runs as a table, newest first. `filters` are those of `GET /api/runs`: state, outcome, trainer, project, …"""
        import pandas

        rows: list[dict[str, Any]] = []
        cursor: str | None = None
        while len(rows) < limit:
            query = {**filters, "limit": str(min(200, limit - len(rows))), **({"cursor": cursor} if cursor else {})}
            page = self._json("GET", f"/api/runs?{urlencode(query)}")
            rows += page["runs"]
            cursor = page["next"]
            if cursor is None:
                break
        return pandas.DataFrame(rows)

    def _config(self, config: Config) -> dict[str, Any]:
        if isinstance(config, Mapping):
            return dict(config)
        read = self._json("POST", "/api/config/read", {"yaml": Path(config).read_text()})
        if read["config"] is None:
            raise ApiError("invalid", f"{config}: {read['problems'][0]['message']}", read["problems"])
        return read["config"]

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        with self._opened(method, path, body) as response:
            return json.loads(response.read())

    @contextmanager
    def _opened(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Iterator[HTTPResponse]:
        headers = (
            {"accept": "*/*"} if self._token is None else {"accept": "*/*", "authorization": f"Bearer {self._token}"}
        )
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["content-type"] = "application/json"
        request = Request(f"{self.address}{path}", data=data, headers=headers, method=method)
        try:
            with urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
                yield response
        except HTTPError as error:
            raise _refusal(error) from None
        except (URLError, ConnectionError, TimeoutError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise ServerUnavailable(f"no Epochal server answers at {self.address}: {reason}") from error


class Run:
    """One run of a server."""

    def __init__(self, client: Client, id: str) -> None:
        self.client = client
        self.id = id

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    def details(self) -> dict[str, Any]:
        """Summary, view and progress: everything that its page shows."""
        return self._ask("GET", "")

    def watch(self) -> Iterator[Update]:
        """What the run is doing, whenever that changes, until it is over. Ending the loop does not end the run.

        A server that restarts or does not answer for a while is waited for.
        """
        last: Update | None = None
        trouble: str | None = None
        while True:
            try:
                for message in self._live():
                    if message["kind"] == "receipt":
                        return
                    if message["kind"] == "trouble":
                        trouble = message["trouble"]
                    elif message["kind"] == "details" and message["details"]["view"] is not None:
                        last = _update(message["details"]["view"], message["details"]["trouble"])
                        trouble = last.trouble
                        yield last
                    if last is not None and trouble != last.trouble:
                        last = Update(last.state, last.detail, last.epoch, last.batch, last.metrics, trouble)
                        yield last
            except ServerUnavailable as error:
                if last is None:
                    raise
                trouble = str(error)
            time.sleep(_RETRY_SECONDS)

    def wait(self) -> dict[str, Any]:
        """Waits until the run is over, and answers its receipt."""
        for _ in self.watch():
            pass
        return self.receipt()

    def receipt(self) -> dict[str, Any]:
        """What the run left, once it is over: outcome, checkpoints, files. Raises ApiError while there is none."""
        return json.loads(self.read("receipt.json"))

    def stop(self, mode: Literal["epoch", "batch", "now"] = "batch") -> None:
        """Stop: after the epoch, after the batch, or now. Its checkpoints are published in any case."""
        self._ask("POST", "/stop", {"mode": mode})

    def pause(self) -> None:
        """Checkpoint, and free the GPU."""
        self._ask("POST", "/pause", {})

    def resume(self) -> None:
        """Go on after a pause."""
        self._ask("POST", "/resume", {})

    def checkpoints(self) -> list[dict[str, Any]]:
        """The checkpoints that the run retains."""
        return self._ask("GET", "/checkpoints")

    def continue_from(self, checkpoint: str = "last", *, progress: bool = True, **fields: Any) -> Run:
        """Start a new run from a checkpoint of this one: `best`, `last` or a name such as `epoch-0012`.

        With its progress, or (`progress=False`, a fork) from its weights alone. `fields` replace its configuration's.
        """
        query = urlencode({"checkpoint": self._named(checkpoint), "keepProgress": json.dumps(progress)})
        config = self._ask("GET", f"/clone?{query}")["config"]
        return self.client.start(config, **fields)

    def metrics(self) -> pandas.DataFrame:
        """Metrics by epoch, and the time and seconds of each."""
        import pandas

        columns = self._ask("GET", "/metrics")
        shown = {"at": pandas.to_datetime(columns["at"], unit="ms", utc=True), "seconds": columns["seconds"]}
        index = pandas.Index(columns["epoch"], name="epoch")
        return pandas.DataFrame({**shown, **columns["metrics"]}, index=index)

    def log(self, lines: int = 500) -> str:
        """The last lines of the trainer's log."""
        return "\n".join(line["text"] for line in self._ask("GET", f"/log?lines={lines}")["lines"])

    def files(self, folder: str | None = None) -> list[dict[str, Any]]:
        """What is in a folder of the run; without one, in its root."""
        query = "" if folder is None else f"?{urlencode({'folder': folder})}"
        return self._ask("GET", f"/files{query}")["entries"]

    def read(self, path: str) -> bytes:
        """The content of a file of the run."""
        with self.client._opened("GET", self._address(f"/file?{urlencode({'path': path})}")) as response:
            return response.read()

    def download(self, path: str, to: str | Path = ".") -> Path:
        """Copies a file of the run into a folder, and answers where it is."""
        target = Path(to) / Path(path).name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.part")
        address = self._address(f"/file?{urlencode({'path': path})}")
        with self.client._opened("GET", address) as response, part.open("wb") as file:
            shutil.copyfileobj(response, file)
        return part.replace(target)

    def _named(self, checkpoint: str) -> str:
        if checkpoint not in ("best", "last"):
            return checkpoint
        for entry in reversed(self.checkpoints()):
            if checkpoint in entry["reasons"]:
                return entry["name"]
        raise ApiError("notFound", f"run {self.id} retains no checkpoint as {checkpoint}", [])

    def _live(self) -> Iterator[dict[str, Any]]:
        with self.client._opened("GET", self._address("/live")) as response:
            try:
                for line in response:
                    if line.startswith(b"data: "):
                        yield json.loads(line[len(b"data: ") :])
            except (OSError, ValueError) as error:
                raise ServerUnavailable(f"{self.client.address} no longer answers: {error}") from error

    def _address(self, rest: str) -> str:
        return f"/api/runs/{quote(self.id, safe='')}{rest}"

    def _ask(self, method: str, rest: str, body: Mapping[str, Any] | None = None) -> Any:
        return self.client._json(method, self._address(rest), body)


def _update(view: Mapping[str, Any], trouble: str | None) -> Update:
    position = view["position"]
    return Update(view["state"], view["detail"], position["epoch"], position["batch"], dict(view["metrics"]), trouble)


def _refusal(error: HTTPError) -> ApiError:
    try:
        said = json.loads(error.read())
        return ApiError(said["kind"], said["message"], said["problems"])
    except (ValueError, KeyError, TypeError):
        return ApiError("internal", f"{error.url} answered {error.code} {error.reason}", [])


def _data_folder() -> Path:
    """As the service's own (contracts/folders.ts)."""
    for variable in ("EPOCHAL_DATA_DIR", "SLY_APP_DATA_DIR"):
        if said := os.environ.get(variable):
            return Path(said)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "epochal"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "epochal"


def _address_of(folder: Path) -> str:
    said = _text_of(folder / "server.json")
    if said is None:
        raise ServerUnavailable(
            f"no Epochal server is running on the data folder {folder}: start one by `epochal up`, or give an address "
            "(EPOCHAL_ADDRESS) and a token (EPOCHAL_TOKEN)"
        )
    return json.loads(said)["address"]


def _text_of(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except OSError:
        return None
