"""Whether a file can be weights to start from, told from its pickle without running it, and without torch."""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path


def weights_problem(path: str) -> str | None:
    """Why `path` cannot be used, as a clause; None if it looks right."""
    file = Path(path).expanduser()
    if not file.is_file():
        return "is not a file on this worker"
    if not zipfile.is_zipfile(file):
        return "is not a PyTorch checkpoint (a .pth file that torch.save wrote)"
    try:
        with zipfile.ZipFile(file) as archive:
            pickle = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
            if pickle is None:
                return "is not a PyTorch checkpoint (it has no data.pkl)"
            names = [
                argument for _, argument, _ in pickletools.genops(archive.read(pickle)) if isinstance(argument, str)
            ]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        return f"cannot be read: {error}"
    if any(name.startswith("ultralytics") for name in names):
        return "is a file of ultralytics, not of mmdet"
    if not any(name.startswith(("backbone.", "module.backbone.")) for name in names):
        return "is a PyTorch file of another framework: it holds no weights of a backbone as mmdet names them"
    return None
