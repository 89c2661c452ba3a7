"""What a trainer runs on: versions and devices for the protocol's `hello`, without importing anything heavy."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
from typing import Any


def versions(packages: list[str]) -> dict[str, str]:
    """Versions of Python, the SDK's protocol partners and `packages`; what is not installed is left out."""
    found = {"python": platform.python_version()}
    for name in ["pydantic", *packages]:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def devices() -> list[dict[str, Any]]:
    """The GPUs that this process may use, or the CPU where there is none."""
    return _gpus() or [{"name": f"CPU ({os.cpu_count() or 1} cores)"}]


def _gpus() -> list[dict[str, Any]]:
    program = shutil.which("nvidia-smi")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not program or visible in ("", "-1"):
        return []
    query = [program, "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    gpus = []
    for line in answer.splitlines():
        index, uuid, name, megabytes = (part.strip() for part in line.split(","))
        if visible is None or any(one in (index, uuid) for one in visible.split(",")):
            gpu: dict[str, Any] = {"name": name}
            if megabytes.isdigit():
                gpu["memoryBytes"] = int(megabytes) << 20
            gpus.append(gpu)
    return gpus
