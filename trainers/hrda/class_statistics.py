"""How many pixels of each class each image has: counted once, and kept."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from epochal import DataError, load_arrays, save_arrays
from epochal.cache_folder import cache_folder

if TYPE_CHECKING:
    from domains import Domain


#: Counts that were kept by another way of counting are not read.
_COUNTING = 2


class ClassStatistics:
    """Pixels by image and class: `counts` (images, classes)."""

    def __init__(self, counts: np.ndarray) -> None:
        self.counts = counts.astype(np.int64)

    @property
    def frequencies(self) -> np.ndarray:
        """The part of all labelled pixels that each class has."""
        by_class = self.counts.sum(axis=0)
        return by_class / max(by_class.sum(), 1)

    def images_with(self, index: int, least: int) -> list[int]:
        """Images with at least so many pixels of a class."""
        return np.flatnonzero(self.counts[:, index] >= least).tolist()

    def weights(self) -> np.ndarray:
        """Median frequency balancing (Eigen, Fergus, ICCV 2015, section 6.3.2): median f / f_c, 1 where c is absent.

        f_c is the part that a class has of the pixels of the images that have it.
        """
        has = self.counts > 0
        of_images = (has * self.counts.sum(axis=1, keepdims=True)).sum(axis=0)
        parts = self.counts.sum(axis=0) / np.maximum(of_images, 1)
        occurring = parts > 0
        return np.where(occurring, np.median(parts[occurring]) / np.where(occurring, parts, 1), 1)

    def save(self, folder: Path) -> None:
        """Into a checkpoint: what was drawn by these continues to be, even if the data set is edited."""
        save_arrays(folder / "class_statistics.npz", {"counts": self.counts})

    def load(self, folder: Path) -> None:
        """From a checkpoint; `DataError` where the data set is another one."""
        counts = load_arrays(folder / "class_statistics.npz")["counts"]
        if counts.shape != self.counts.shape:
            was, now = (" × ".join(map(str, one.shape)) for one in (counts, self.counts))
            raise DataError(f"the source had {was} images and classes when this run began, and has {now} now")
        self.counts[...] = counts


def known(domain: Domain) -> ClassStatistics | None:
    """What was counted before for the same files: then nothing was wrong with them."""
    kept = _file(domain)
    return ClassStatistics(load_arrays(kept)["counts"]) if kept.is_file() else None


def keep(domain: Domain, statistics: ClassStatistics) -> None:
    """For the next time. Beside, then renamed: who reads it finds it whole. A cache that cannot be written is none."""
    path = _file(domain)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_arrays(beside, {"counts": statistics.counts})
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)


def _file(domain: Domain) -> Path:
    return cache_folder() / "hrda" / f"{_key(domain)}.npz"


def _key(domain: Domain) -> str:
    """Of the label files as they are: an edited one is counted anew. And of the classes that their values mean."""
    files = [(entry.name, *_stamp(entry.annotation)) for entry in domain.entries]
    tables = {entry.table.tobytes().hex() for entry in domain.entries if entry.table is not None}
    said = [_COUNTING, domain.layout, domain.classes, domain.unmarked, sorted(tables), files]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def _stamp(path: Path | None) -> tuple[str, int, int]:
    if path is None:
        return "", 0, 0
    state = path.stat()
    return str(path.resolve()), state.st_size, state.st_mtime_ns
