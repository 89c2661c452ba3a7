"""Marks lie on what they mark, however the image is stored and whatever size it had when it was marked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from epochal.datasets import reading
from epochal.datasets.frames import Frame, frame_of
from epochal.datasets.headers import Header, header_of
from epochal.datasets.images import unique_name
from epochal.datasets.masks import cropped, full_mask, rle_of_mask
from epochal.datasets.model import Box, Findings, Keypoint, Object, Polygon
from PIL import Image, ImageOps

STORED = (96, 64)
#: x, y, width and height of what is white on the image as it is stored.
WHITE = (8, 16, 24, 12)


def _image(path: Path, orientation: int, size: tuple[int, int] = STORED, **save: Any) -> None:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    x, y, width, height = WHITE
    pixels[y : y + height, x : x + width] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    tags = {"tiffinfo": {0x0112: orientation}} if path.suffix == ".tif" else {"exif": exif}
    Image.fromarray(pixels).save(path, **tags, **save)


def _shown(path: Path) -> np.ndarray:
    """Where it is white on the image as it is shown."""
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("L")) > 128


def _box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1


def _marked(folder: Path, size: tuple[int, int], mask: np.ndarray, box: Any) -> None:
    x, y, width, height = box
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    marks: list[dict[str, Any]] = [
        {"segmentation": rle_of_mask(mask)},
        {"segmentation": [corners], "keypoints": [x, y, 2, 0, 0, 0]},
    ]
    content = {
        "images": [{"id": 1, "file_name": next(folder.glob("image.*")).name, "width": size[0], "height": size[1]}],
        "categories": [{"id": 1, "name": "white", "keypoints": ["corner", "unseen"]}],
        "annotations": [
            {"id": index, "image_id": 1, "category_id": 1, "bbox": [int(one) for one in box], **mark}
            for index, mark in enumerate(marks, 1)
        ],
    }
    (folder / "marks.json").write_text(json.dumps(content, default=int))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_orientation(tmp_path: Path, suffix: str, orientation: int) -> None:
    """Marks are on the image as it is shown; marks of the stored rows are turned where the size tells them."""
    path = tmp_path / f"image{suffix}"
    _image(path, orientation)
    shown = _shown(path)
    stored = np.zeros(STORED[::-1], bool)
    stored[WHITE[1] : WHITE[1] + WHITE[3], WHITE[0] : WHITE[0] + WHITE[2]] = True
    ways = [(shown, "turned image" if 1 < orientation < 5 else None)]
    if orientation > 4:
        ways.append((stored, "turned marks"))
    for mask, told in ways:
        _marked(tmp_path, mask.shape[::-1], mask, _box_of(mask))
        data_set = reading.read(tmp_path)
        assert [one.kind for one in data_set.findings] == ([told] if told else [])
        assert reading.serious(data_set) == []
        (image,) = data_set.images
        assert (image.height, image.width) == shown.shape
        by_mask, by_outline = image.objects
        assert tuple(by_mask.box) == tuple(by_outline.box) == _box_of(shown)
        assert (full_mask(by_mask, image.width, image.height) == shown).all()
        xs, ys = zip(*by_outline.polygons[0].exterior, strict=True)
        assert (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)) == _box_of(shown)
        corner, unseen = by_outline.keypoints
        assert unseen == (0, 0, 0)
        assert (corner.x, corner.y) in by_outline.polygons[0].exterior


@pytest.mark.parametrize("orientation", [1, 6, 8])
@pytest.mark.parametrize("factor", [0.5, 0.37, 1.5, 3])
def test_scaled_since_it_was_marked(tmp_path: Path, factor: float, orientation: int) -> None:
    path = tmp_path / "image.png"
    _image(path, orientation, quality=95)
    shown = _shown(path)
    with Image.open(path) as original:
        pixels = original.resize([round(length * factor) for length in original.size], Image.Resampling.NEAREST)
    pixels.save(path, exif=original.getexif())
    _marked(tmp_path, shown.shape[::-1], shown, _box_of(shown))
    data_set = reading.read(tmp_path)
    assert [one.kind for one in data_set.findings] == ["scaled marks"]
    assert reading.serious(data_set) == []
    (image,) = data_set.images
    by_mask, by_outline = image.objects
    now = _shown(path)
    assert np.allclose(by_mask.box, _box_of(now), atol=1)
    assert np.allclose(by_outline.box, _box_of(now), atol=1)
    assert np.allclose(_box_of(full_mask(by_mask, image.width, image.height)), _box_of(now), atol=1)


@pytest.mark.parametrize("size", [(64, 96), (100, 50), (96, 96), (0, 64), (-96, -64)])
def test_a_size_of_other_proportions_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    """Without an orientation nobody knows which way a turned image was turned."""
    _image(tmp_path / "image.png", 1)
    findings = Findings()
    assert frame_of(tmp_path / "image.png", size, findings, "marks.json") is None
    (sentence,) = findings.sentences()
    assert sentence.startswith(f"other size: {tmp_path}/image.png has 96 × 64 pixels, marks.json says {size[0]} × ")


def test_no_object_is_lost_when_it_becomes_smaller_than_a_pixel() -> None:
    mask = np.zeros((640, 960), bool)
    mask[333, 444] = True
    frame = Frame(Header(96, 64, 1), 960, 640)
    one = frame.placed_bitmap(cropped(mask))
    assert (one.x, one.y, one.mask.tolist()) == (44, 33, [[True]])
    placed = frame.placed(
        Object("a", Box(10, 20, 30, 40), [Polygon([(10, 20), (40, 60)])], keypoints=[Keypoint(10, 20, 1)])
    )
    assert placed.box == pytest.approx((1, 2, 3, 4))
    assert placed.keypoints[0] == pytest.approx((1, 2, 1))


def test_an_image_is_whole_or_refused(tmp_path: Path) -> None:
    """Whatever is cut off; what is appended makes no difference."""
    rng = np.random.default_rng(0)
    pixels = Image.fromarray(rng.integers(0, 255, (64, 96, 3), np.uint8))
    for suffix, options in ((".jpg", {}), (".png", {}), (".webp", {}), (".bmp", {}), (".tif", {}), (".jfif", {})):
        path = tmp_path / f"image{suffix}"
        pixels.save(path, "JPEG" if suffix == ".jfif" else None, **options)
        content = path.read_bytes()
        for length in (len(content), len(content) + 64, *rng.integers(0, len(content) * 0.95, 12)):
            path.write_bytes(content[:length] + b"\0" * max(length - len(content), 0))
            findings = Findings()
            header = header_of(path, findings)
            if length >= len(content):
                assert header == Header(96, 64, 1)
                assert not len(findings)
            else:
                assert header is None
                assert [one.kind for one in findings] == ["unreadable image"]


def test_pixels_that_frameworks_cannot_use(tmp_path: Path) -> None:
    values = np.arange(96 * 64).reshape(64, 96)
    for dtype, kinds in (
        (np.float32, ["unreadable pixels"]),
        (np.int32, ["unreadable pixels"]),
        (np.uint16, []),
        (np.uint8, []),
    ):
        Image.fromarray(values.astype(dtype)).save(tmp_path / "image.tif")
        findings = Findings()
        assert (header_of(tmp_path / "image.tif", findings) is None) == bool(kinds)
        assert [one.kind for one in findings] == kinds


def test_what_is_told_of_an_image(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (96, 64), (60 * page, 90, 40)) for page in range(4)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    Image.new("RGB", (8, 64)).save(tmp_path / "tiny.png")
    Image.new("RGB", (96, 64)).save(tmp_path / "other.jpg", "GIF")
    findings = Findings()
    for path in sorted(tmp_path.iterdir()):
        header_of(path, findings)
    assert {one.kind for one in findings} == {"several pages", "tiny image", "unreadable image"}


def test_long_names_are_cut(tmp_path: Path) -> None:
    """Each part of a path may be as long as the file system allows; together they are one name."""
    taken: set[str] = set()
    parts = ["Разметка дорожных знаков, первая очередь" * 2, "Камера на въезде, дневная съёмка" * 2]
    names = [unique_name(tmp_path.joinpath(*parts, f"{index} {'ж' * 100}.jpg"), tmp_path, taken) for index in range(3)]
    assert len(set(names)) == 3
    assert all(len(name.encode()) <= 180 for name in names)
    assert unique_name(tmp_path / "short.jpg", tmp_path, taken) == "short"
