"""What is wrong with a data set is found: the first of each kind, and how many there are."""

from __future__ import annotations

import base64
import json
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import Make
from epochal.datasets import reading
from epochal.datasets.checking import checked
from epochal.datasets.model import Findings
from epochal.datasets.parameters import SplitParameters
from epochal.errors import DataError


def _kinds(folder: Path) -> dict[str, int]:
    return {one.kind: one.count for one in reading.read(folder).findings}


def _edit(file: Path, change: Any) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_coco(shapes: Make) -> None:
    folder = shapes("coco")
    gone = sorted((folder / "images" / "train").iterdir())[:2]
    for path in gone:
        path.unlink()

    def change(content: Any) -> None:
        kept = {image["id"] for image in content["images"] if image["file_name"] not in {path.name for path in gone}}
        first, second, third = [one for one in content["annotations"] if one["image_id"] in kept][:3]
        first["bbox"][0] = 1000
        second["category_id"] = 99
        third["image_id"] = 12345

    _edit(folder / "annotations" / "train.json", change)
    _edit(folder / "annotations" / "val.json", lambda content: content.update(images=[], annotations=[]))
    assert _kinds(folder) == {
        "missing image": 2,
        "box outside": 1,
        "unknown class": 1,
        "unknown image": 1,
        "empty split": 1,
    }
    first = next(iter(reading.read(folder).findings))
    assert gone[0].name in first.first
    with pytest.raises(DataError, match=r"missing image: .* is not there \(and 1 more\)"):
        checked(str(folder), "detect", SplitParameters())


def test_yolo(shapes: Make) -> None:
    folder = shapes("yolo")
    labels = sorted((folder / "labels" / "train").iterdir())
    labels[0].write_text("7 0.5 0.5 0.1 0.1\n0 0.95 0.5 0.3 0.1\n")
    labels[1].write_text("0 0.5 0.5\nhello\n")
    labels[2].unlink()
    sorted((folder / "images" / "train").iterdir())[3].write_bytes(b"not an image")
    assert _kinds(folder) == {
        "unknown class": 1,
        "box outside": 1,
        "unreadable label": 2,
        "image without labels": 1,
        "unreadable image": 1,
    }
    sentence = next(one for one in reading.read(folder).findings.sentences() if one.startswith("unknown class"))
    assert sentence == f"unknown class: {labels[0]}:1 has class 7, but there are 3 classes"


def test_supervisely(shapes: Make) -> None:
    folder = shapes("supervisely-boxes")
    files = sorted((folder / "train" / "ann").iterdir())
    _edit(files[0], lambda content: content["objects"][0].update(classTitle="hexagon"))
    _edit(files[1], lambda content: content["objects"][0]["points"].update(exterior=[[0, 0], [500, 20]]))
    files[2].write_text("{")
    files[3].unlink()
    (folder / "train" / "img" / files[4].name.removesuffix(".json")).unlink()
    assert _kinds(folder) == {
        "unknown class": 1,
        "box outside": 1,
        "unreadable annotation": 1,
        "image without annotation": 1,
        "missing image": 1,
    }


def test_image_folder(shapes: Make) -> None:
    folder = shapes("images")
    (folder / "train" / "square" / "broken.png").write_bytes(b"")
    for path in (folder / "val" / "circle").iterdir():
        path.unlink()
    assert _kinds(folder) == {"unreadable image": 1, "class without images": 1}


def test_names_that_lead_out_of_the_data_set(shapes: Make, tmp_path: Path) -> None:
    """Nothing outside a data set's folder becomes a part of it, whatever the data set says."""
    outside = tmp_path / "outside"
    outside.mkdir()
    secret = outside / "secret.png"
    secret.write_bytes(next(shapes("coco").glob("images/train/*")).read_bytes())

    coco = tmp_path / "made-coco"
    names = iter(["../../../outside/secret.png", str(secret), "../images/train/\0.png", 7])

    def rename(content: Any) -> None:
        for image, name in zip(content["images"], names, strict=False):
            image["file_name"] = name

    _edit(coco / "annotations" / "train.json", rename)
    yolo = shapes("yolo")
    (yolo / "list.txt").write_text(f"../outside/secret.png\n{secret}\n./images/train/../../../outside/secret.png\n")
    (yolo / "data.yaml").write_text(
        f"path: {outside}\ntrain: [list.txt, ../outside]\nval: images/val\nnames: [a, b, c]\n"
    )
    for folder, kinds in ((coco, {"path outside": 2, "unreadable name": 2}), (yolo, {"path outside": 5})):
        data_set = reading.read(folder)
        found = {one.kind: one.count for one in data_set.findings}
        assert {kind: found.get(kind) for kind in kinds} == kinds
        assert all(image.path.is_relative_to(folder) for image in data_set.images)
        with pytest.raises(DataError, match="is not in the data set's folder"):
            checked(str(folder), "detect", SplitParameters())


def _as_exported(folder: Path) -> None:
    """In the form of Roboflow's exports: `data.yaml` names its folders as if they were beside its own folder."""
    for split, name in (("train", "train"), ("val", "valid")):
        for kind in ("images", "labels"):
            (folder / name).mkdir(exist_ok=True)
            (folder / kind / split).rename(folder / name / kind)
    (folder / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 3\n"
        "names: ['circle', 'square', 'triangle']\n"
    )


def test_an_export_of_roboflow(shapes: Make) -> None:
    folder = shapes("yolo")
    before = reading.read(folder)
    _as_exported(folder)
    data_set, chosen = checked(str(folder), "detect", SplitParameters())
    assert chosen.by == "folder"
    assert {image.split for image in data_set.images} == {"train", "val"}
    assert [len(image.objects) for image in data_set.images] == [len(one.objects) for one in before.images]
    relocated, missing = data_set.findings.sentences()
    images = folder / "train" / "images"
    assert relocated == (
        f"relocated path: train of {folder}/data.yaml is ../train/images, which is not there; {images} was read instead"
        " (and 1 more)"
    )
    assert missing.startswith("missing test split: test of ")


@pytest.mark.parametrize(
    "place", ["../outside", "../../outside", "../../made-yolo/../outside", "..//etc", "../images/../../outside"]
)
def test_an_export_does_not_lead_out_of_its_folder(shapes: Make, tmp_path: Path, place: str) -> None:
    """What is there outside is refused, and a path that leads out is not made to lead out less."""
    folder = shapes("yolo")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.png").write_bytes(next((folder / "images" / "train").iterdir()).read_bytes())
    _as_exported(folder)
    (folder / "data.yaml").write_text(f"train: [../train/images, {place}]\nval: ../valid/images\nnames: [a, b, c]\n")
    data_set = reading.read(folder)
    assert all(image.path.is_relative_to(folder) for image in data_set.images)
    with pytest.raises(DataError, match=r"path outside: .* is not in the data set's folder"):
        checked(str(folder), "detect", SplitParameters())


def test_a_split_is_outside_where_it_is_there(shapes: Make, tmp_path: Path) -> None:
    """`../train/images` is read inside only while it leads nowhere."""
    folder = shapes("yolo")
    _as_exported(folder)
    (tmp_path / "train" / "images").mkdir(parents=True)
    with pytest.raises(DataError, match=r"path outside: train of .* names \.\./train/images"):
        checked(str(folder), "detect", SplitParameters())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("names: [*i]\ntrain: images/train", "has something of the type list among its class names"),
        ("names: [a, b, c]\ntrain: [*i]", "names something of the type list, which is not a path"),
        ("names: [a, b, c]\ntrain: images/train\nkpt_shape: [1000000000, 3]", "kpt_shape of .* must be"),
        ("names: [a, b, c]\ntrain: 7", "missing folder: train of .* is 7: .*7 is not there"),
    ],
)
def test_a_description_that_is_none(shapes: Make, text: str, sentence: str) -> None:
    """Also one whose references, written out, would be more than there is memory."""
    levels = "".join(f"{this}: &{this} [{', '.join([f'*{last}'] * 9)}]\n" for last, this in pairwise("abcdefghi"))
    folder = shapes("yolo")
    (folder / "data.yaml").write_text(f"a: &a [x]\n{levels}{text}\n")
    with pytest.raises(DataError, match=sentence):
        checked(str(folder), "detect", SplitParameters())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (zlib.compress(b"\0" * 50_000_000), "more than the 98304 bytes"),  # 48 kB that unpack to 50 MB
        (zlib.compress(b"not an image"), "cannot identify image"),
        (b"not packed", "not a packed mask"),
        (zlib.compress(b"\x89PNG")[:-4], "cut off"),
    ],
    ids=["bomb", "no image", "no zlib", "cut off"],
)
def test_a_packed_mask_is_no_larger_than_its_image(shapes: Make, data: bytes, words: str) -> None:
    folder = shapes("supervisely")
    file = next((folder / "train" / "ann").iterdir())
    _edit(file, lambda content: content["objects"][0]["bitmap"].update(data=base64.b64encode(data).decode()))
    (finding,) = reading.read(folder).findings
    assert finding.kind == "unreadable annotation"
    assert words in finding.first


def test_run_lengths_are_no_longer_than_their_image(shapes: Make) -> None:
    folder = shapes("coco")
    mask = {"size": [10**6, 10**6], "counts": [10**12]}
    _edit(folder / "annotations" / "train.json", lambda content: content["annotations"][0].update(segmentation=mask))
    sentence = next(iter(reading.read(folder).findings)).first
    assert "a mask of 1000000 × 1000000 pixels on an image of 64 × 64" in sentence


def test_what_a_task_needs(shapes: Make) -> None:
    parameters = SplitParameters()
    for kind, task, words in (
        ("images", "detect", "no marks in a format that is read"),
        ("yolo", "segment", "no masks"),
        ("supervisely", "pose", "no keypoints"),
        ("coco", "classify", "no classes of whole images"),
    ):
        with pytest.raises(DataError, match=words):
            checked(str(shapes(kind)), task, parameters)


def test_findings_can_be_passed_over(shapes: Make) -> None:
    folder = shapes("coco")
    next((folder / "images" / "train").iterdir()).unlink()
    data_set, _ = checked(str(folder), "detect", SplitParameters(skip_bad_images=True))
    assert len(data_set.images) == 11


def test_a_finding_keeps_its_first_twenty_places() -> None:
    findings = Findings()
    for number in range(50):
        findings.add("missing image", f"{number}.png is not there", image=Path(f"{number}.png"))
    findings.add("other size", "a.png")
    missing, other = findings
    assert (missing.count, missing.first) == (50, "0.png is not there")
    assert [one.detail for one in missing.examples] == [f"{number}.png is not there" for number in range(20)]
    assert missing.examples[3].image == Path("3.png")
    assert other.examples[0].image is None
    assert findings.sentences() == ["missing image: 0.png is not there (and 49 more)", "other size: a.png"]
