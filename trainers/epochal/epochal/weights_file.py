"""What a file of weights is, told from its first bytes, so that a wrong one is refused before training."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

_LONGEST_HEADER = 100 << 20  # of the format itself


def weights_problem(path: str) -> str | None:
    """Why `path` is not a safetensors file, as a clause that follows "<field> is <value>: "; None if it is one.

    Reads the header alone and imports nothing heavy.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        return "must be a file that is there on the host that trains"
    size = file.stat().st_size
    with open(file, "rb") as content:
        first = content.read(8)
        if zipfile.is_zipfile(file):
            return f"must be a safetensors file; this is {_kind_of_zip(file)}"
        if first[:1] == b"\x80":
            return "must be a safetensors file; this is a Python pickle, which runs code when it is loaded"
        length = int.from_bytes(first, "little")
        if len(first) < 8 or not 2 <= length <= min(_LONGEST_HEADER, size - 8):
            return "must be a safetensors file; this is another format, or it is damaged"
        try:
            header = json.loads(content.read(length))
            end = max((one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"), default=0)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            return "must be a safetensors file; this is another format, or it is damaged"
    missing = 8 + length + end - size
    return f"must be a whole safetensors file; {missing} bytes are missing from this one" if missing > 0 else None


def _kind_of_zip(file: Path) -> str:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
    if any(name.endswith("data.pkl") for name in names):
        return "a checkpoint of torch.save (as ultralytics, mmengine and Lightning write them)"
    if any(name.endswith(".npy") for name in names):
        return "a NumPy archive"
    return "a zip archive"
