"""The trainer's own state: the functions that it registered to save and load it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from epochal.errors import SetUpError

SaveOrLoad = Callable[[Path], object]


class TrainingState:
    """What `app.state(...)` registered. Several parts share one checkpoint folder, under file names of their own."""

    def __init__(self) -> None:
        self._parts: list[tuple[SaveOrLoad, SaveOrLoad, SaveOrLoad | None]] = []

    def add(self, save: SaveOrLoad, load: SaveOrLoad, load_weights: SaveOrLoad | None) -> None:
        """A part of the state."""
        self._parts.append((save, load, load_weights))

    def save(self, folder: Path) -> None:
        """Write every part into `folder`."""
        if not self._parts:
            raise RuntimeError("nothing to save: call app.state(save=..., load=...) before app.epochs()")
        for save, _, _ in self._parts:
            save(folder)

    def load(self, folder: Path) -> None:
        """Read every part from `folder`."""
        for _, load, _ in self._parts:
            _load(load, folder)

    def load_weights(self, folder: Path) -> None:
        """Read the weights alone; `SetUpError` for a trainer that cannot."""
        loaders = [load_weights for _, _, load_weights in self._parts if load_weights]
        if not loaders:
            raise SetUpError("this trainer cannot start from weights alone: it gave app.state(...) no load_weights")
        for load_weights in loaders:
            _load(load_weights, folder)


def _load(load: SaveOrLoad, folder: Path) -> None:
    """`SetUpError` where a file, or something in it, is missing: such a checkpoint is not better the next time."""
    try:
        load(folder)
    except (FileNotFoundError, KeyError) as error:
        what = f"no {Path(error.filename).name}" if isinstance(error, OSError) and error.filename else f"no {error}"
        raise SetUpError(f"the checkpoint {folder} has {what}: it is not this trainer's, or not whole") from error
