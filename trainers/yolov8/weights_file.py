"""Whether a file can be weights to start from, told from its pickle without running it, and without torch."""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path

_tasks = {
    "DetectionModel": "detect",
    "SegmentationModel": "segment",
    "PoseModel": "pose",
    "ClassificationModel": "classify",
}


def weights_problem(path: str, task: str) -> str | None:
    """Why `path` cannot be used for `task`, as a clause; None if it looks right."""
    file = Path(path).expanduser()
    if not file.is_file():
        return "is not a file on this worker"
    if not zipfile.is_zipfile(file):
        return "is not a PyTorch checkpoint (a .pt file that torch.save wrote)"
    try:
        with zipfile.ZipFile(file) as archive:
            pickle = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
            if pickle is None:
                return "is not a PyTorch checkpoint (it has no data.pkl)"
            found = _model_class(archive.read(pickle))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        return f"cannot be read: {error}"
    if found is None:
        return "is a PyTorch file of another framework: it holds no ultralytics model"
    if _tasks.get(found) != task:
        return f"holds a {found} (task {_tasks.get(found, 'unknown')}), but the task is {task}"
    return None


def _model_class(pickle: bytes) -> str | None:
    """Name of the first class of `ultralytics.nn.tasks` in the pickle."""
    strings: list[str] = []
    for operation, argument, _ in pickletools.genops(pickle):
        if operation.name == "GLOBAL":
            module, _, name = argument.partition(" ")
            if module == "ultralytics.nn.tasks":
                return name
        elif operation.name == "STACK_GLOBAL" and len(strings) >= 2:
            if strings[-2] == "ultralytics.nn.tasks":
                return strings[-1]
        elif "UNICODE" in operation.name:
            strings.append(argument)
    return None
