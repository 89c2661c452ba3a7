"""The `epochal` command: finds Node, installs the service at the first call, and becomes it."""

from __future__ import annotations

import os
import sys

from epochal_service.node import NodeMissing, find_node
from epochal_service.node_package import InstallationFailed, installed_package


def main() -> None:
    """Becomes the service's own command: what it prints, its exit code and its signals are its own."""
    try:
        node = find_node()
        package = installed_package(node)
    except (NodeMissing, InstallationFailed) as error:
        sys.exit(f"epochal: {error}")
    # Environments of trainers are made with the Python that this was installed in.
    environment = {"EPOCHAL_PYTHON": sys.executable, **os.environ}
    os.execve(node.program, [str(node.program), str(package / "bin" / "epochal.mjs"), *sys.argv[1:]], environment)
