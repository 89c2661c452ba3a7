"""What is read in a quick way is read as in the slow one, and takes little memory."""

from __future__ import annotations

import io
import json
import os
import random
import tracemalloc
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from epochal.datasets import headers, json_lists
from epochal.datasets.jpeg_sizes import size_of_plain_jpeg
from epochal.datasets.json_lists import JsonLists
from epochal.datasets.model import Findings
from epochal.datasets.reading import read
from epochal.errors import DataError
from PIL import Image, ImageCms

_KINDS: list[dict[str, Any]] = [
    {},
    {"progressive": True},
    {"optimize": True, "quality": 100},
    {"comment": b"taken in the garden"},
    {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()},
    {"xmp": b"<x:xmpmeta/>"},
    {"restart_marker_blocks": 2, "dpi": (300, 300)},
    {"exif": True},
]


def _jpeg(chance: random.Random, index: int) -> tuple[bytes, bool]:
    """A JPEG, and whether it is a plain one."""
    options = dict(_KINDS[index % len(_KINDS)])
    mode = chance.choice(["RGB", "RGB", "L", "CMYK"])
    size = chance.randrange(10, 70), chance.randrange(10, 70)
    if is_turned := options.pop("exif", False):
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = chance.randrange(1, 9)
    content = io.BytesIO()
    Image.new(mode, size, chance.choice([0, 90])).save(content, "JPEG", **options)
    return content.getvalue(), not is_turned and mode != "CMYK"


def test_the_size_of_a_plain_jpeg_is_what_pillow_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "size_of_plain_jpeg", lambda _path: None)
    chance = random.Random(0)
    answered = 0
    for index in range(800):
        content, is_plain = _jpeg(chance, index)
        is_whole = index % 4 == 0
        if not is_whole:
            damaged = bytearray(content)
            for _ in range(chance.randrange(1, 4)):
                at = chance.randrange(min(len(damaged), 700))
                what = chance.randrange(3)
                if what == 0:
                    damaged[at] = chance.choice([0, 1, 0xFF, 0xD8, 0xDA, chance.randrange(256)])
                elif what == 1:
                    del damaged[at : at + chance.randrange(1, 30)]
                else:
                    del damaged[-chance.randrange(1, len(damaged)) :]
            content = bytes(damaged)
        path = tmp_path / "image.jpg"
        path.write_bytes(content)
        size = size_of_plain_jpeg(path)
        if is_whole:
            assert (size is not None) == is_plain
        if size:
            answered += 1
            findings = Findings()
            assert headers.header_of(path, findings) == (*size, 1), content
            assert set(findings.sentences()) == set() or min(size) < 10
    assert answered > 150


@pytest.mark.parametrize("chunk", [1, 2, 7, 64, 1 << 20])
def test_a_list_that_is_passed_over_ends_where_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(json_lists, "_CHUNK", chunk)
    chance = random.Random(chunk)
    texts = ["", "]", "[{", '"', '\\"', "\\", "\\\\", '"]', "\\]", "ä]", "\u2028", "x" * 40, 'a\\"]}']

    def some(depth: int) -> Any:
        if depth and (what := chance.randrange(3)):
            inner = [some(depth - 1) for _ in range(chance.randrange(4))]
            return inner if what == 1 else {f"{chance.choice(texts)}{index}": one for index, one in enumerate(inner)}
        return chance.choice([*texts, 1.5, -3, None, True])

    path = tmp_path / "lists.json"
    for _ in range(60):
        content = {"before": some(2), "other": [some(3) for _ in range(chance.randrange(6))], "wanted": [1, some(2)]}
        indent, ascii_only = chance.choice([None, 1]), chance.random() < 0.5
        path.write_text(json.dumps(content, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
        found = [value for _, _, value in JsonLists(path).entries(("wanted",), elsewhere=("other", "before"))]
        assert found == content["wanted"]


@pytest.mark.parametrize("annotations", ['[{"id": 1 "a": 2}]', "[1, 2", '[{"a": "b}]', '[{"a": [1}, 2]]', "[}]"])
def test_what_is_wrong_in_a_list_that_is_passed_over_is_said_of_it(tmp_path: Path, annotations: str) -> None:
    path = tmp_path / "instances.json"
    path.write_text(f'{{"images": [], "annotations": {annotations}, "categories": []}}')
    said = []
    for elsewhere in ((), ("annotations",)):
        lists = JsonLists(path)
        both = chain(lists.entries(("images", "categories"), elsewhere), lists.entries(("annotations",)))
        with pytest.raises(DataError) as error:
            list(both)
        said.append(str(error.value))
    assert said[0] == said[1]


def _coco(folder: Path, names: list[str], outlines: int = 1) -> None:
    chance = random.Random(0)
    images = [{"id": index, "file_name": name, "width": 64, "height": 48} for index, name in enumerate(names)]
    annotations = []
    for index in range(len(names) * outlines):
        ring = [chance.uniform(1, 47) for _ in range(24)]
        annotations.append(
            {
                "id": index,
                "image_id": index % len(names),
                "category_id": 1,
                "bbox": [1, 1, 46, 46],
                "segmentation": [ring],
            }
        )
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / "annotations" / "instances_all.json").write_text(json.dumps(content))


def _image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 48)).save(path)


def test_an_image_is_the_first_that_is_there(tmp_path: Path) -> None:
    """Also where links are in between, which lead somewhere or nowhere, and where names are paths."""
    names = ["plain.png", "link.png", "broken.png", "inner/deep.png", "./inner/dotted.png", "inner/../up.png"]
    for name in ("plain.png", "link.png", "broken.png", "inner/deep.png", "inner/dotted.png", "up.png"):
        _image(tmp_path / "images" / name)
    _image(tmp_path / "elsewhere" / "one.png")
    os.symlink(tmp_path / "elsewhere" / "one.png", tmp_path / "link.png")
    _coco(tmp_path, names)
    # Before `images`, where files are looked for first.
    os.symlink(tmp_path / "elsewhere" / "one.png", tmp_path / "annotations" / "link.png")
    os.symlink(tmp_path / "nowhere.png", tmp_path / "annotations" / "broken.png")
    _image(tmp_path / "annotations" / "inner" / "deep.png")
    found = [str(one.path.relative_to(tmp_path)) for one in read(tmp_path).images]
    assert found == [
        "images/plain.png",
        "annotations/link.png",
        "images/broken.png",
        "annotations/inner/deep.png",
        "images/inner/dotted.png",
        "images/up.png",
    ]


def test_an_outline_takes_little_memory(tmp_path: Path) -> None:
    """Of a million of them, one kilobyte each is one gigabyte."""
    outlines = 2000
    _image(tmp_path / "images" / "one.png")
    _coco(tmp_path, ["one.png"], outlines)
    tracemalloc.start()
    data_set = read(tmp_path)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(data_set.images[0].objects) == outlines
    assert used / outlines < 1000
