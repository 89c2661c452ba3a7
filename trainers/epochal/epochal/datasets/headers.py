"""What the header of an image file says, and whether the file is whole: nothing is decoded that looks whole."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image, ImageFile

from epochal.datasets.jpeg_sizes import size_of_plain_jpeg
from epochal.datasets.model import Findings

#: What every trainer's framework reads; anything else is refused, whatever the suffix says.
_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: ultralytics discards images with a shorter side.
_SMALLEST_SIDE = 10


Image.init()  # else Pillow knows only the most usual formats


class Header(NamedTuple):
    """An image's size as it is shown and as every framework loads it: turned as its EXIF orientation says."""

    width: int
    height: int
    #: How the stored rows are turned to be shown: 1 (not at all) to 8, as EXIF has it.
    orientation: int


class Known:
    """Size in bytes, time of change and header of images: those read before, and those that were asked for now."""

    def __init__(self) -> None:
        self.before: dict[str, tuple[int, int, Header]] = {}
        self.now: dict[str, tuple[int, int, Header]] = {}


#: Set by `memory.known_headers` while it is in use.
known: Known | None = None


def header_of(path: Path, findings: Findings) -> Header | None:
    """The header, or None for what is missing or cannot be trained on, which is then among the findings."""
    if known is None:
        return _read_header(path, findings)
    try:
        state = os.stat(path)
    except OSError:
        return _read_header(path, findings)
    name = os.fspath(path)
    before = known.before.get(name)
    if before and before[:2] == (state.st_size, state.st_mtime_ns):
        known.now[name] = before
        return before[2]
    count = findings.count
    header = _read_header(path, findings)
    # What there is to tell about an image is told each time.
    if header and findings.count == count:
        known.now[name] = (state.st_size, state.st_mtime_ns, header)
    return header


def _read_header(path: Path, findings: Findings) -> Header | None:
    size = size_of_plain_jpeg(path)
    if size and min(size) >= _SMALLEST_SIDE:
        return Header(*size, 1)
    try:
        with open(path, "rb") as file, Image.open(file, formats=_FORMATS) as image:
            orientation = _orientation(image)
            width, height = image.size
            # Pillow has turned the size of a TIFF already.
            if orientation > 4 and image.format != "TIFF":
                width, height = height, width
            if problem := _unreadable_pixels(image):
                findings.add("unreadable pixels", f"{path} has {problem}", path)
                return None
            if image.format == "TIFF" and getattr(image, "is_animated", False):
                pages = getattr(image, "n_frames", 1)
                findings.add("several pages", f"{path} has {pages} pages, of which only the first is used", path)
            _check_whole(image, file)
    except FileNotFoundError:
        if path.is_symlink():
            findings.add("broken link", f"{path} is a link to {os.readlink(path)}, which is not there")
        else:
            findings.add("missing image", f"{path} is not there")
        return None
    except Image.UnidentifiedImageError:
        findings.add("unreadable image", f"{path} is not an image: it must be JPEG, PNG, BMP, TIFF or WebP", path)
        return None
    except Exception as error:
        # Pillow's readers raise whatever a broken file makes them stumble over.
        findings.add("unreadable image", f"{path}: {str(error) or type(error).__name__}", path)
        return None
    if min(width, height) < _SMALLEST_SIDE:
        what = f"ultralytics discards images with a side of less than {_SMALLEST_SIDE}"
        findings.add("tiny image", f"{path} has {width} × {height} pixels; {what}", path)
    return Header(width, height, orientation)


def upright(image: Image.Image) -> Image.Image:
    """The image as it is shown, and as every framework loads it."""
    if image.format == "TIFF":
        image.load()  # which turns it
        return image
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """As OpenCV finds it, which loads the images for most frameworks: in EXIF, not in XMP, not behind the pixels."""
    if image.format == "TIFF":
        value = getattr(image, "tag_v2", {}).get(_ORIENTATION, 1)
    elif content := image.info.get("exif"):
        exif = Image.Exif()
        try:
            exif.load(content)
            value = exif.get(_ORIENTATION, 1)
        except (SyntaxError, ValueError, KeyError, TypeError, OSError, struct.error):
            value = 1  # frameworks pass over EXIF that cannot be read, too
    else:
        value = 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _unreadable_pixels(image: Image.Image) -> str | None:
    """Values of pixels that frameworks clip or refuse: they are made for 8 bits, and 16 are brought down to those."""
    if image.mode == "F":
        return "floating-point pixels: they must have 8 or 16 bits a channel"
    if image.mode == "I" and image.format == "TIFF":
        return "pixels of 32 bits: they must have 8 or 16 bits a channel"
    return None


def _check_whole(image: Image.Image, file: BinaryIO) -> None:
    """Raise for a file that is cut off. Only one that does not end as its format does is read to find out."""
    size = file.seek(0, io.SEEK_END)
    is_whole = True
    if image.format in ("JPEG", "MPO"):
        # Cameras append data to a whole image.
        if _tail(file, size, 2) != b"\xff\xd9":
            _decode(file)
    elif image.format == "PNG":
        if _tail(file, size, 8) != b"IEND\xae\x42\x60\x82":
            file.seek(0)
            with Image.open(file, formats=_FORMATS) as again:
                again.verify()
    elif image.format == "WEBP":
        file.seek(4)
        is_whole = int.from_bytes(file.read(4), "little") + 8 <= size
    elif image.format == "BMP":
        file.seek(2)
        said = int.from_bytes(file.read(4), "little")
        is_packed = image.info.get("compression", 0) != 0
        is_whole = said <= size and (is_packed or image.width * image.height <= 8 * size)
    else:
        tags = getattr(image, "tag_v2", {})
        for offsets, counts in ((273, 279), (324, 325)):  # strips, tiles
            if offsets in tags and counts in tags:
                parts = zip(_numbers(tags[offsets]), _numbers(tags[counts]), strict=False)
                is_whole = all(start + length <= size for start, length in parts)
    if not is_whole:
        raise OSError("image file is truncated")


def _decode(file: BinaryIO) -> None:
    """Raise what Pillow raises for a JPEG that is cut off, also where a package told it not to."""
    tolerant, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        file.seek(0)
        with Image.open(file, formats=_FORMATS) as image:
            image.draft("L", (1, 1))  # all of the file, an eighth of the pixels
            image.load()
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant


def _tail(file: BinaryIO, size: int, length: int) -> bytes:
    file.seek(max(size - length, 0), os.SEEK_SET)
    return file.read(length)


def _numbers(value: object) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,) if isinstance(value, int) else ()
