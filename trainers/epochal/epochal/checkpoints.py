"""Checkpoints: folders that appear whole, with the sha256 of each of their files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from epochal.durable_files import sha256_and_sync, sync, write_synced
from epochal.errors import SetUpError

MANIFEST = "checkpoint.json"
#: The SDK's own file in a checkpoint: random generators, averages, seconds, best so far.
PROGRESS = "epochal.json"
#: What the run remembers of each checkpoint travels with its messages.
MOST_FILES = 200
_HALF_WRITTEN = "."

#: Makes a checkpoint whole whose files are written, and answers its manifest.
Land = Callable[[], dict[str, Any]]


class Position(NamedTuple):
    """`epoch` epochs are complete, and `batch` batches of the epoch after them are trained."""

    epoch: int
    batch: int

    @property
    def name(self) -> str:
        """Name of the checkpoint here: `epoch-0003`, or `epoch-0003-batch-000020`."""
        return f"epoch-{self.epoch:04d}" + (f"-batch-{self.batch:06d}" if self.batch else "")


def now() -> str:
    """This instant, as the contracts write it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def size_of(manifest: dict[str, Any]) -> int:
    """Bytes of a checkpoint's files, as its manifest has them."""
    return sum(file["size"] for file in manifest["files"])


class Checkpoint:
    """A checkpoint to resume from."""

    def __init__(self, folder: Path) -> None:
        """Reads `folder`; `SetUpError` where it is not a complete checkpoint."""
        self.folder = folder
        try:
            manifest = json.loads((folder / MANIFEST).read_bytes())
            self.size = size_of(manifest)
            self.position = Position(manifest["epoch"], manifest["batch"])
            self.metrics: dict[str, float] = manifest["metrics"]
            for file in manifest["files"]:
                size = (folder / file["path"]).stat().st_size
                if size != file["size"]:
                    raise ValueError(f"{file['path']} has {size} bytes instead of {file['size']}")
            self.progress: dict[str, Any] = json.loads((folder / PROGRESS).read_bytes())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SetUpError(f"the checkpoint {folder} cannot be used: {error}") from error


class CheckpointFolder:
    """`checkpoints/` of a run, which one trainer writes at a time, or its `snapshots/`."""

    def __init__(self, folder: Path, session: str, generation: int | None = None, *, durable: bool = True) -> None:
        """Makes the folder, and removes what a trainer that was killed left half-written.

        What is not `durable` outlives the process, not the machine: nothing waits for the disk.
        """
        self._durable = durable
        self._folder = folder
        self._session = session
        self._generation = generation
        self._written: set[Position] = set()
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            if left.name.startswith(_HALF_WRITTEN):
                _remove(left)

    def has(self, position: Position) -> bool:
        """Whether this session landed, or was resumed from, a checkpoint here that is still there."""
        return position in self._written and (self._folder / position.name / MANIFEST).is_file()

    @property
    def has_any(self) -> bool:
        """Whether this session landed a checkpoint, or was resumed from one."""
        return bool(self._written)

    def knows(self, checkpoint: Checkpoint) -> None:
        """`checkpoint` need not be written again if it lies in this folder."""
        if checkpoint.folder.resolve() == (self._folder / checkpoint.position.name).resolve():
            self._written.add(checkpoint.position)

    def write(
        self,
        position: Position,
        metrics: dict[str, float],
        progress: dict[str, Any],
        save: Callable[[Path], None],
    ) -> Land:
        """Write the files of a checkpoint beside its place; what is answered makes it whole, on any thread.

        `save(folder)` writes the trainer's files. When anything fails, here or there, nothing remains of the attempt,
        and an older checkpoint of the same name is untouched. An older one (from a session whose work was rolled
        back) is replaced.
        """
        beside = self._folder / f"{_HALF_WRITTEN}{position.name}.tmp"
        _remove(beside)
        beside.mkdir()
        with _removed_on_error(beside):
            save(beside)
        return lambda: self._land(beside, position, metrics, progress)

    def _land(
        self, beside: Path, position: Position, metrics: dict[str, float], progress: dict[str, Any]
    ) -> dict[str, Any]:
        """Write `progress`, hash the files, flush them if they are to be durable, rename their folder: the manifest."""
        with _removed_on_error(beside):
            (beside / PROGRESS).write_text(json.dumps(progress, allow_nan=False))
            manifest = {
                "name": position.name,
                "epoch": position.epoch,
                "batch": position.batch,
                "metrics": metrics,
                "files": _files(beside, durable=self._durable),
                "createdAt": now(),
                "session": self._session,
                **({} if self._generation is None else {"generation": self._generation}),
            }
            content = json.dumps(manifest, allow_nan=False, indent=1).encode()
            if self._durable:
                write_synced(beside / MANIFEST, content)
                sync(beside)
            else:
                (beside / MANIFEST).write_bytes(content)
            self._put_in_place(beside, self._folder / position.name)
        self._written.add(position)
        return manifest

    def _put_in_place(self, beside: Path, place: Path) -> None:
        if place.exists():
            old = self._folder / f"{_HALF_WRITTEN}{place.name}.old"
            _remove(old)
            os.rename(place, old)
            os.rename(beside, place)
            _remove(old)
        else:
            os.rename(beside, place)
        if self._durable:
            sync(self._folder)


@contextmanager
def _removed_on_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _remove(folder)
        raise


def _files(folder: Path, *, durable: bool) -> list[dict[str, Any]]:
    """Every file in `folder` with its size and sha256; files and the folders between them are flushed if `durable`."""
    files = []
    for parent, folders, names in os.walk(folder):
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_symlink():
                _put_file_in_place_of_link(path, folder)
            if not path.is_file():
                raise ValueError(f"{name} is not a regular file: a checkpoint may hold only regular files")
            if path.parent == folder and name == MANIFEST:
                raise ValueError(f"{MANIFEST} is written by the SDK: give the trainer's file another name")
            size, digest = sha256_and_sync(path, durable=durable)
            files.append({"path": path.relative_to(folder).as_posix(), "size": size, "sha256": digest})
        for name in folders:
            if Path(parent, name).is_symlink():
                raise ValueError(f"{name} is a link: a checkpoint may hold only regular files")
        if durable and Path(parent) != folder:
            sync(Path(parent))
    if len(files) > MOST_FILES:
        raise ValueError(f"a checkpoint of {len(files)} files: it may have {MOST_FILES}; put many into one archive")
    return sorted(files, key=lambda file: file["path"])


def _put_file_in_place_of_link(link: Path, folder: Path) -> None:
    """A link to another file of the checkpoint becomes that file; one that leads out is refused."""
    target = link.resolve()
    if not target.is_relative_to(folder.resolve()):
        raise ValueError(
            f"{link.name} is a link that leads out of the checkpoint: a checkpoint may hold only its own files"
        )
    if not target.is_file():
        raise ValueError(
            f"{link.name} is a link to something that is not a file: a checkpoint may hold only regular files"
        )
    beside = link.with_name(f".{link.name}.tmp")
    try:
        os.link(target, beside)
    except OSError:
        shutil.copyfile(target, beside)
    os.replace(beside, link)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
