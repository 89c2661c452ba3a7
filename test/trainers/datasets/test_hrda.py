"""HRDA's domains, made at random: a mask is read as it was meant, or refused in a sentence that names it."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cases import supervisely
from cases.train import read_hrda
from epochal import DataError, DataReport
from epochal.datasets.checking import Look
from images import save_turned
from PIL import Image

if TYPE_CHECKING:
    from data_set import DataSet

_CLASSES = 5


def mask_of(labels: np.ndarray, kind: str) -> Image.Image:
    """The labels in one of the ways in which tools write them."""
    if kind == "palette":
        mask = Image.fromarray(labels)
        mask.putpalette([value % 256 for value in range(0, 768)])
        return mask
    if kind == "16 bits":
        return Image.fromarray(labels.astype(np.uint16))
    if kind == "colours":
        return Image.fromarray(np.stack([labels * 40] * 3, axis=-1))
    if kind == "grey and alpha":
        return Image.fromarray(np.stack([labels, np.full_like(labels, 255)], axis=-1), "LA")
    if kind == "floating point":
        return Image.fromarray(labels.astype(np.float32))
    return Image.fromarray(labels)


@pytest.mark.parametrize("seed", range(60))
def test_a_mask_is_read_as_it_was_meant_or_refused(seed: int, tmp_path: Path) -> None:
    random = np.random.default_rng(seed)
    width, height = (int(side) for side in random.integers(16, 40, 2))
    if width == height:
        width += 1
    labels = random.integers(0, _CLASSES, (height, width)).astype(np.uint8)
    labels[random.random((height, width)) < 0.2] = 255
    colours = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
    kind = str(
        random.choice(
            ["plain", "palette", "16 bits", "colours", "grey and alpha", "floating point"],
            p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.1],
        )
    )
    of_image, of_mask = (int(one) for one in random.integers(1, 9, 2))
    wrong = str(random.choice(["nothing", "value", "size", "turned"], p=[0.55, 0.15, 0.15, 0.15]))
    written = labels.copy()
    value = 0
    if wrong == "value":
        value = int(random.integers(_CLASSES, 255))
        written[int(random.integers(height)), int(random.integers(width))] = value
    elif wrong == "size":
        written = written[: height - int(random.integers(1, 5))]
    elif wrong == "turned":
        written = written.T.copy()
    for role in ("source", "target", "validation"):
        save_turned(tmp_path / role / "images" / "a.png", Image.fromarray(colours), of_image)
    for role in ("source", "validation"):
        suffix = ".tif" if kind == "floating point" else ".png"
        save_turned(
            tmp_path / role / "labels" / f"a{suffix}", mask_of(written, kind), 1 if suffix == ".tif" else of_mask
        )
    (tmp_path / "classes.txt").write_text("\n".join(f"class {index}" for index in range(_CLASSES)))
    if wrong == "nothing" and kind in ("plain", "palette", "16 bits"):
        data = read_hrda(tmp_path)
        assert (data.source.labels(0) == labels).all()
        assert (np.asarray(data.source.image(0)) == colours).all()
        assert bool(len(data.source.findings)) == (of_image > 1)
        return
    with pytest.raises(DataError) as refused:
        read_hrda(tmp_path)
    message = str(refused.value)
    assert str(tmp_path / "source" / "labels" / "a") in message
    if kind in ("plain", "palette", "16 bits"):
        told = {"value": f"has the value {value}, but there are 5 classes: 0 … 4", "size": "they must be equal"}
        assert told.get(wrong, "they must be equal") in message
    else:
        assert "one" in message
        assert "channel" in message


def test_what_is_wrong_is_left_out_where_that_was_asked_for(tmp_path: Path) -> None:
    labels = (np.arange(24 * 20).reshape(20, 24) % 3).astype(np.uint8)
    for role in ("source", "target", "validation"):
        for name in "abcdef":
            save_turned(tmp_path / role / "images" / f"{name}.png", Image.new("RGB", (24, 20)), 1)
            if role != "target":
                save_turned(tmp_path / role / "labels" / f"{name}.png", Image.fromarray(labels), 1)
    (tmp_path / "classes.txt").write_text("road\nsky\ncar\nsign\n")
    Image.new("L", (24, 20), 77).save(tmp_path / "source" / "labels" / "b.png")
    Image.new("L", (12, 10)).save(tmp_path / "source" / "labels" / "c.png")
    (tmp_path / "source" / "labels" / "d.png").unlink()
    (tmp_path / "target" / "images" / "e.png").write_bytes(b"none")
    with pytest.raises(DataError, match="skip_bad_images: true"):
        read_hrda(tmp_path)
    for _ in range(2):  # what is wrong is told again, also when the rest was counted before
        data = read_hrda(tmp_path, skip_bad_images=True)
        assert [entry.name for entry in data.source.entries] == ["a", "e", "f"]
        assert [entry.name for entry in data.target.entries] == ["a", "b", "c", "d", "f"]
        assert data.statistics.counts.tolist() == [[160, 160, 160, 0]] * 3
        told = "\n".join(data.sentences)
        for words in ("has the value 77", "12 × 10", "d.png has none", "e.png is not an image", "pixel of the source"):
            assert words in told


def test_an_image_that_nobody_annotated_is_not_all_background(tmp_path: Path) -> None:
    labels = [supervisely.rectangle(), supervisely.rectangle("other", 60, 10, 80, 40)]
    for role in ("source", "target", "validation"):
        (tmp_path / role).mkdir()
        supervisely.meta(tmp_path / role, ("thing", "rectangle"), ("other", "rectangle"))
        supervisely.items(tmp_path / role / "ds", 3, labels)
    supervisely.annotation(tmp_path / "source" / "ds", "p1.png", [])
    read_hrda(tmp_path)
    (tmp_path / "source" / "ds" / "ann" / "p2.png.json").unlink()
    with pytest.raises(DataError, match=r"missing mask: .*p2\.png has no annotation"):
        read_hrda(tmp_path)
    data = read_hrda(tmp_path, skip_bad_images=True)
    assert [entry.name for entry in data.source.entries] == ["ds__img__p0", "ds__img__p1"]


def test_a_check_ends_in_time_and_a_training_reads_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = (np.arange(24 * 20).reshape(20, 24) % 2).astype(np.uint8)
    for role in ("source", "target", "validation"):
        for index in range(100):
            save_turned(tmp_path / role / "images" / f"{index}.png", Image.new("RGB", (24, 20)), 1)
            if role != "target":
                save_turned(tmp_path / role / "labels" / f"{index}.png", Image.fromarray(labels), 1)
    (tmp_path / "classes.txt").write_text("road\nsky\n")
    read_hrda(tmp_path, self_training=False)
    import data_set
    import inspection
    from parameters import Parameters

    Image.new("L", (24, 20), 9).save(tmp_path / "source" / "labels" / "99.png")
    clock = iter(range(10_000))
    monkeypatch.setattr(inspection.time, "monotonic", lambda: float(next(clock)))
    for_check = data_set.read_data_set(str(tmp_path), Parameters(), for_check=True)
    assert for_check.statistics is None
    with pytest.raises(DataError, match=r"99\.png has the value 9"):
        read_hrda(tmp_path)


def domains(folder: Path, images: int = 4) -> None:
    """Three domains with two classes, in images that are all different."""
    labels = (np.arange(24 * 20).reshape(20, 24) % 2).astype(np.uint8)
    for number, role in enumerate(("source", "target", "validation")):
        for index in range(images):
            image = folder / role / "images" / f"{index}.png"
            save_turned(image, Image.new("RGB", (24, 20), (number * 80, index * 40, 0)), 1)
            if role != "target":
                save_turned(folder / role / "labels" / f"{index}.png", Image.fromarray(labels * (index % 2)), 1)
    (folder / "classes.txt").write_text("road\nsky\ncar\n")


def damage(image: Path) -> None:
    """Its header stays whole."""
    content = bytearray(image.read_bytes())
    begin = content.index(b"IDAT") + 6
    content[begin : begin + 8] = b"damaged!"
    image.write_bytes(content)


def looked_at(folder: Path, **parameters: object) -> tuple[DataSet | None, dict[str, Any]]:
    """What is read where every image is looked at (None where it is refused), and the report."""
    read_hrda(folder, skip_bad_images=True)  # makes its modules known
    from data_set import read_data_set
    from parameters import Parameters

    told: list[DataReport] = []
    look = Look(lambda doing, done, of: None)
    read = None
    try:
        read = read_data_set(str(folder), Parameters(**parameters), look=look, tell=told.append)
    except DataError:
        assert len(told) == 1
    return read, told[-1].as_json()


def test_images_are_decoded_and_compared_before_the_first_epoch(tmp_path: Path) -> None:
    domains(tmp_path)
    read, told = looked_at(tmp_path)
    assert told["decoded"] == {"images": 12, "failed": 0}
    assert told["duplicates"] == {"images": 0, "acrossSplits": 0}
    assert [(one["name"], one["images"]) for one in told["classes"]] == [
        ("road", [4, 0, 4]),
        ("sky", [2, 0, 2]),
        ("car", [0, 0, 0]),
    ]
    images = {role: tmp_path / role / "images" for role in ("source", "target", "validation")}
    for role in ("source", "target"):
        damage(images[role] / "1.png")
    (images["validation"] / "3.png").write_bytes((images["source"] / "3.png").read_bytes())
    (images["target"] / "0.png").write_bytes((images["source"] / "0.png").read_bytes())
    read, told = looked_at(tmp_path)
    assert read is None
    assert (told["splitSha256"], told["duplicates"], told["decoded"]["failed"]) == (None, None, 1)
    read, told = looked_at(tmp_path, skip_bad_images=True)
    assert [entry.name for entry in read.source.entries] == ["0", "2", "3"]
    assert {str(path.relative_to(tmp_path)) for path in read.damaged} == {"source/images/1.png", "target/images/1.png"}
    assert (told["images"], told["decoded"], told["duplicates"]) == (
        10,
        {"images": 12, "failed": 2},
        {"images": 2, "acrossSplits": 1},
    )
    found = {one["kind"]: (one["effect"], one["examples"][0]["image"]) for one in told["findings"]}
    assert found["damaged image (source)"] == ("leftOut", "source/images/1.png")
    assert found["duplicate across splits"] == ("noted", "validation/images/3.png")
    assert any("duplicate image: " in sentence for sentence in read.sentences)


def test_what_one_process_could_not_decode_no_other_trains_on(tmp_path: Path) -> None:
    domains(tmp_path)
    damage(tmp_path / "target" / "images" / "2.png")
    read, _ = looked_at(tmp_path, skip_bad_images=True)
    from data_set import read_data_set
    from parameters import Parameters

    other = read_data_set(str(tmp_path), Parameters(skip_bad_images=True), damaged=read.damaged)
    assert [one.name for one in other.target.entries] == [one.name for one in read.target.entries] == ["0", "1", "3"]


def test_a_data_set_that_is_refused_is_reported_as_far_as_it_was_read(tmp_path: Path) -> None:
    domains(tmp_path)
    (tmp_path / "source" / "images" / "0.png").write_bytes(b"none")
    read, told = looked_at(tmp_path)
    assert read is None
    assert [(one["name"], one["images"]) for one in told["splits"]] == [
        ("source", 3),
        ("target", 4),
        ("validation", 4),
    ]
    (finding,) = [one for one in told["findings"] if one["effect"] == "leftOut"]
    assert finding["examples"][0]["image"] == "source/images/0.png"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"road\n\nsky\n", "line 2 of .* is empty"),
        (b"road\nsky\nroad\n", "line 3 of .* names road again"),
        ("дорога\nнебо\n".encode("cp1251"), "must be text in UTF-8"),
        (b"road\n", "the source has 1 classes"),
    ],
)
def test_class_names_that_do_not_say_which_value_is_which(content: bytes, words: str, tmp_path: Path) -> None:
    for role in ("source", "target", "validation"):
        save_turned(tmp_path / role / "images" / "a.png", Image.new("RGB", (24, 20)), 1)
        save_turned(tmp_path / role / "labels" / "a.png", Image.new("L", (24, 20)), 1)
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_hrda(tmp_path)


def test_a_byte_order_mark_is_no_part_of_a_class(tmp_path: Path) -> None:
    labels = (np.arange(24 * 20).reshape(20, 24) % 2).astype(np.uint8)
    for role in ("source", "target", "validation"):
        save_turned(tmp_path / role / "images" / "a.png", Image.new("RGB", (24, 20)), 1)
        save_turned(tmp_path / role / "labels" / "a.png", Image.fromarray(labels), 1)
    (tmp_path / "classes.txt").write_bytes("road\r\nsky\r\n\r\n".encode("utf-8-sig"))
    assert read_hrda(tmp_path).source.classes == ["road", "sky"]


def test_values_of_a_validation_with_other_classes_are_checked_too(tmp_path: Path) -> None:
    labels = (np.arange(24 * 20).reshape(20, 24) % 2).astype(np.uint8)
    for role in ("source", "target", "validation"):
        save_turned(tmp_path / role / "images" / "a.png", Image.new("RGB", (24, 20)), 1)
        save_turned(tmp_path / role / "labels" / "a.png", Image.fromarray(labels), 1)
    (tmp_path / "classes.txt").write_text("road\nsky\ncar\n")
    (tmp_path / "validation" / "classes.txt").write_text("sky\nroad\n")
    assert (read_hrda(tmp_path).validation.labels(0) == 1 - labels).all()
    Image.fromarray(labels * 2).save(tmp_path / "validation" / "labels" / "a.png")
    with pytest.raises(DataError, match=r"has the value 2, but there are 2 classes: 0 … 1,"):
        read_hrda(tmp_path)


def test_archives_are_read_as_the_folders_in_them(tmp_path: Path) -> None:
    """Of the data set, also one folder deeper, and of a domain alone."""
    domains(tmp_path / "data")
    wanted = read_hrda(tmp_path / "data")
    with tarfile.open(tmp_path / "all.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "data", "export/data")
    apart = tmp_path / "apart"
    shutil.copytree(tmp_path / "data", apart)
    shutil.copy(apart / "classes.txt", apart / "source" / "classes.txt")
    with tarfile.open(apart / "source.tar", "w") as tar:
        tar.add(apart / "source", "source")
    shutil.rmtree(apart / "source")
    for read in (read_hrda(tmp_path / "all.tar.gz"), read_hrda(apart, source="source.tar")):
        for role in ("source", "target", "validation"):
            one, other = getattr(read, role), getattr(wanted, role)
            assert [entry.name for entry in one.entries] == [entry.name for entry in other.entries]
        assert read.source.classes == wanted.source.classes
        assert (read.source.labels(1) == wanted.source.labels(1)).all()
    (tmp_path / "all.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"all\.zip is an archive of a kind that cannot be read"):
        read_hrda(tmp_path / "all.zip")
