"""Every image read to its last pixel, once: a file whose header is whole may still be damaged behind it.

What was decoded is kept by path, size and time of change, so that only new and changed files are decoded again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageFile

from epochal.datasets.file_facts import AT_A_TIME, FileFacts, stamp
from epochal.datasets.model import DatasetImage, Findings

#: Called with how many of how many images are done.
Progress = Callable[[int, int], None]

KIND = "damaged image"


class Outcome(NamedTuple):
    """What came of it."""

    #: Images that were decoded now or before; fewer than there are where time ran out.
    images: int
    #: Those that cannot be, which are among the findings.
    failed: list[DatasetImage]


def decode_all(
    images: Sequence[DatasetImage],
    findings: Findings,
    progress: Progress = lambda _done, _all: None,
    seconds: float | None = None,
) -> Outcome:
    """Decode every image, at most for so many seconds; one that is damaged is a finding of the kind `damaged image`."""
    end = None if seconds is None else time.monotonic() + seconds
    done, failed = 0, []
    # A package may have told Pillow to fill up what is cut off.
    tolerant, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        with closing(FileFacts("decoded")) as facts, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for start in range(0, len(images), AT_A_TIME):
                if end is not None and time.monotonic() > end:
                    break
                some = images[start : start + AT_A_TIME]
                for image, problem in zip(some, _problems(facts, [one.path for one in some], pool), strict=True):
                    done += 1
                    if problem:
                        failed.append(image)
                        findings.add(KIND, f"{image.path} cannot be decoded: {problem}", image.path)
                progress(done, len(images))
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant
    return Outcome(done, failed)


def _problem(path: Path) -> str:
    """Why a file cannot be decoded; empty for one that can."""
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:
        # Pillow's readers raise whatever a broken file makes them stumble over.
        return str(error)[:200] or type(error).__name__
    return ""


def _problems(facts: FileFacts, paths: list[Path], pool: ThreadPoolExecutor) -> list[str]:
    """For each path why it cannot be decoded, or an empty text."""
    # Before they are decoded: one that is written meanwhile is decoded again the next time.
    stamps = {path: stamp(path) for path in paths}
    found: dict[Path, str] = {path: str(problem) for path, problem in facts.known(stamps.items()).items()}
    fresh = [path for path in stamps if path not in found]
    found.update(zip(fresh, pool.map(_problem, fresh), strict=True))
    facts.keep((path, state, found[path]) for path in fresh if (state := stamps[path]))
    return [found[path] for path in paths]
