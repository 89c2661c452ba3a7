"""The Node package that the wheel contains, installed once for each version in the cache folder.

The wheel holds what `npm pack` makes and the lock file of its release: the node modules are those that were tested.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from epochal_service.node import Node

PACKED = Path(__file__).parent / "packed"


class InstallationFailed(Exception):
    """The service could not be installed; the message says why."""


def installed_package(node: Node) -> Path:
    """The folder of the installed Node package.

    The first call takes some seconds, says so on stderr, and needs npm's registry. Raises InstallationFailed.
    """
    archive = PACKED / "epochal.tgz"
    if not archive.exists():
        raise InstallationFailed(
            "this installation has the Python SDK alone: the service is in the wheel that `npm run build:wheel` makes, "
            "and in a clone `npm start` starts it"
        )
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256") if sys.version_info >= (3, 11) else hashlib.sha256(file.read())
    folder = _cache_folder() / "service" / digest.hexdigest()[:16]
    if not folder.exists():
        _install(archive, node, folder)
    return folder


def _install(archive: Path, node: Node, folder: Path) -> None:
    print("installing the service's node modules (once for each version)", file=sys.stderr)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place, where it appears whole by a rename: two calls may install at once.
        fresh = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    except OSError as error:
        raise InstallationFailed(f"{folder.parent} cannot be written ({error}); EPOCHAL_CACHE_DIR names another place")
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(fresh, filter="data") if hasattr(tarfile, "data_filter") else packed.extractall(fresh)
        package = fresh / "package"
        shutil.copy(PACKED / "package-lock.json", package)
        quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"]
        # No package's own scripts: none is needed.
        command = [str(node.npm), "ci", "--omit=dev", "--ignore-scripts", *quiet]
        done = subprocess.run(command, cwd=package, env=node.environment(), capture_output=True, text=True)
        if done.returncode != 0:
            raise InstallationFailed(f"npm ci failed:\n{(done.stderr or done.stdout).strip()}")
        try:
            package.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _cache_folder() -> Path:
    """As the service's own (contracts/folders.ts)."""
    if said := os.environ.get("EPOCHAL_CACHE_DIR"):
        return Path(said)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "epochal"
    said = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(said) if Path(said).is_absolute() else Path.home() / ".cache") / "epochal"
