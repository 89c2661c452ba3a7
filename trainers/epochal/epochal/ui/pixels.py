"""Images as small files that a browser shows: from arrays, tensors, Pillow images and image files."""

from __future__ import annotations

import importlib
import io
import os
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from epochal.ui.values import array

#: The longer side of what is kept; an image file stays as it is up to `LARGEST_FILE` and `MOST_PIXELS`.
LONGEST_SIDE = 640
LARGEST_FILE = 1 << 20
MOST_PIXELS = 4_000_000
#: Smaller ones are kept without loss.
_SMALL = 128 * 128
_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg", b"GIF8": "gif"}


class Encoded(NamedTuple):
    """An image file, and the size of what it shows: that of the original where it was scaled down."""

    content: bytes
    suffix: str
    width: int
    height: int


#: Makes the file, on any thread: what it shows is as it was, whatever becomes of the array.
Encode = Callable[[], Encoded]


def encoded(image: Any) -> Encoded:
    """`image` as a file; `ValueError`, `TypeError` or `OSError` with a sentence where it is none that can be shown."""
    return prepared(image)()


def prepared(image: Any) -> Encode:
    """What takes long of `encoded`, left to be done."""
    if isinstance(image, Encoded):
        made = image
        return lambda: made
    if isinstance(image, (str, os.PathLike)):
        path = Path(image)
        size = path.stat().st_size
        if size > 64 << 20:
            raise ValueError(f"{path.name} has {size >> 20} MiB: an image file may have 64")
        image = path.read_bytes()
    if isinstance(image, (bytes, bytearray, memoryview)):
        content = bytes(image)
        pillow = _pillow()
        if pillow and not content.startswith((b"\x89PNG", b"\xff\xd8\xff")):
            pillow.init()  # the other formats are imported when they are first opened
        return lambda: _from_file(content)
    image = array(image)
    if hasattr(image, "tobytes") and hasattr(image, "mode") and hasattr(image, "size"):
        _pillow()
        copy = image.copy()
        return lambda: _from_pillow(copy)
    if not hasattr(image, "dtype"):
        kind = type(image).__name__
        raise TypeError(f"must be an array, a tensor, a Pillow image, or bytes or path of a file: {kind}")
    return _from_array(image)


def encoded_mask(pixels: Any) -> Encoded:
    """As `encoded`, of a mask."""
    return prepared_mask(pixels)()


def prepared_mask(pixels: Any) -> Encode:
    """White where it is true, or more than 0.5, and black elsewhere."""
    import numpy as np

    whole = np.asarray(array(pixels)).squeeze()
    if whole.ndim != 2 or not whole.size:
        raise ValueError(f"a mask must have two dimensions, and has the shape {whole.shape}")
    small = whole[:: _step(whole.shape), :: _step(whole.shape)]
    white = np.where(np.nan_to_num(small.astype(np.float32)) > 0.5, 255, 0).astype(np.uint8)
    height, width = whole.shape
    return lambda: Encoded(_png(white[:, :, None]), "png", width, height)


def _step(shape: Any) -> int:
    return max(1, -(-max(shape[0], shape[1]) // LONGEST_SIDE))


def _from_array(image: Any) -> Encode:
    import numpy as np

    whole = np.asarray(image)
    if whole.ndim == 4 and whole.shape[0] == 1:
        whole = whole[0]
    if whole.ndim == 2:
        whole = whole[:, :, None]
    if whole.ndim != 3 or not whole.size:
        raise ValueError(f"must have two or three dimensions, and has the shape {whole.shape}")
    if whole.shape[0] in (1, 3, 4) and whole.shape[2] not in (1, 3, 4):
        whole = whole.transpose(1, 2, 0)  # as torch has it
    height, width, channels = whole.shape
    if channels not in (1, 3, 4):
        raise ValueError(f"must have 1, 3 or 4 channels, and has the shape {whole.shape}")
    step = _step(whole.shape)
    small = whole[::step, ::step]
    if small.dtype == bool:
        small = small.astype(np.uint8) * 255
    elif small.dtype.kind == "f":
        small = np.nan_to_num(small.astype(np.float32), nan=0.0, posinf=1e6, neginf=0.0)
        small = np.clip(small * (255 if small.max() <= 1 else 1), 0, 255).astype(np.uint8)
    elif small.dtype.kind in "iu":
        small = np.clip(small, 0, 255).astype(np.uint8)
    else:
        raise TypeError(f"must have numbers, and has {small.dtype}")
    small = np.ascontiguousarray(small)
    pillow = _pillow() if channels == 3 and small.shape[0] * small.shape[1] > _SMALL else None
    if pillow:
        return lambda: Encoded(_jpeg(pillow.fromarray(small)), "jpg", width, height)
    return lambda: Encoded(_png(small), "png", width, height)


def _from_pillow(image: Any) -> Encoded:
    width, height = image.size
    small = image.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    if small.width * small.height > _SMALL:
        return Encoded(_jpeg(small.convert("RGB")), "jpg", width, height)
    buffer = io.BytesIO()
    small.convert("RGBA" if "A" in small.getbands() else "RGB").save(buffer, "PNG")
    return Encoded(buffer.getvalue(), "png", width, height)


def _from_file(content: bytes) -> Encoded:
    suffix = next((suffix for start, suffix in _SIGNATURES.items() if content.startswith(start)), None)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        suffix = "webp"
    if suffix == "png" and len(content) <= LARGEST_FILE and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        if 0 < width * height <= MOST_PIXELS:
            return Encoded(content, "png", width, height)
    pillow = _pillow()
    if suffix is None or not pillow:
        what = "must be a PNG, JPEG, WebP or GIF file" if suffix is None else "needs Pillow to be read"
        raise ValueError(f"an image file {what}{'' if suffix else ', and is none'}")
    with pillow.open(io.BytesIO(content), formats=["PNG", "JPEG", "WEBP", "GIF"]) as image:
        if image.width * image.height > 100_000_000:
            raise ValueError(f"an image of {image.width} × {image.height} pixels is too large")
        if len(content) <= LARGEST_FILE and image.width * image.height <= MOST_PIXELS and suffix != "gif":
            return Encoded(content, suffix, image.width, image.height)
        return _from_pillow(image)


def _pillow() -> Any:
    try:
        pillow = importlib.import_module("PIL.Image")
    except ImportError:
        return None
    # Not later, on another thread: a data loader that is forked meanwhile would wait for that import for ever.
    pillow.preinit()
    return pillow


def _jpeg(image: Any) -> bytes:
    # Into memory Pillow encodes with all of Python standing still, into a file it does not.
    with tempfile.TemporaryFile() as file:
        image.save(file, "JPEG", quality=85)
        file.seek(0)
        return file.read()


def _png(array: Any) -> bytes:
    """Each byte as its difference to the pixel on the left: that of photos takes less room."""
    import numpy as np

    height, width, channels = array.shape
    lines = np.empty((height, width * channels + 1), np.uint8)
    lines[:, 0] = 1
    flat = array.reshape(height, width * channels)
    lines[:, 1 : channels + 1] = flat[:, :channels]
    lines[:, channels + 1 :] = flat[:, channels:] - flat[:, :-channels]
    color = {1: 0, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
