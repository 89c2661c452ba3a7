"""Where what can be made again is kept on this machine (contracts/folders.ts)."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The service's cache folder."""
    if said := os.environ.get("EPOCHAL_CACHE_DIR"):
        return Path(said)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "epochal"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "epochal"
