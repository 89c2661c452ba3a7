"""What cannot be trained is refused before it starts, with a sentence that says why."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import HRDA, SMALL
from data_set import read_data_set
from epochal import DataError, DataReport
from heavy_trainers import check, check_form_and_page
from make_domains import make
from parameters import Parameters
from PIL import Image


def problems(data: Path | str, **parameters: Any) -> list[dict[str, str]]:
    """What `check` says of the small configuration with these changes."""
    return check(HRDA, data, **{**SMALL, **parameters})


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Three images in each domain, to break."""
    return make(tmp_path / "domains", source=3, target=3, validation=3, size=48)


def test_a_good_configuration(domains: Path) -> None:
    assert problems(domains) == []


def test_the_report_says_what_each_domain_holds(broken: Path) -> None:
    (broken / "source" / "images" / "junk.gif").write_bytes(b"")
    reports: list[DataReport] = []
    read = read_data_set(str(broken), Parameters(), for_check=True, tell=reports.append)
    told = reports[0].as_json()
    assert [(one["name"], one["role"], one["images"], one["unmarked"]) for one in told["splits"]] == [
        ("source", "train", 3, 0),
        ("target", "train", 3, 3),
        ("validation", "validate", 3, 0),
    ]
    assert (told["images"], told["classCount"], told["duplicates"]) == (9, len(read.source.classes), None)
    found = {one["kind"]: one for one in told["findings"]}
    assert found["image format not read (source)"]["examples"][0]["image"] == "source/images/junk.gif"


@pytest.mark.parametrize(
    ("parameters", "field", "sentence"),
    [
        ({"crop_size": 100}, "crop_size", "must be a multiple of 8"),
        ({"detail_size": 72}, "detail_size", "must be at most crop_size, 64"),
        ({"batch_size": 3, "processes": 2}, "batch_size", "must divide by the 2 processes"),
        ({"encoder": "resnet"}, "encoder", "must match"),
        ({"encoder_weights": "/nowhere"}, "encoder_weights", "must be a folder or file that is there"),
        ({"weights": "/nowhere"}, "weights", "must be a file that is there"),
        ({"pseudo_margins": [0, 0]}, "pseudo_margins", "must have at least 4 elements"),
        ({"pseudo_margins": [0, 0, 0, -1]}, "pseudo_margins", "must not have negative numbers"),
        ({"decoder_dilations": [0]}, "decoder_dilations", "at least 1"),
        ({"thing_classes": ["lamp"]}, "thing_classes", "lamp is not a class of the source"),
        ({"mix": True}, "mix", "unknown field"),
    ],
)
def test_a_bad_parameter(domains: Path, parameters: dict[str, Any], field: str, sentence: str) -> None:
    (problem,) = problems(domains, **parameters)
    assert problem["field"] == f"parameters.{field}"
    assert sentence in problem["message"]


def test_domains_that_are_not_there(domains: Path, tmp_path: Path) -> None:
    assert "there is no data set at" in problems(tmp_path / "nowhere")[0]["message"]
    assert "there is no folder" in problems(domains, target="rain")[0]["message"]
    outward = f"../{domains.name}/target"
    assert f"{outward} leads out of the data set" not in str(problems(domains, target=outward))
    assert "../elsewhere leads out of the data set" in problems(domains, target="../elsewhere")[0]["message"]
    assert problems(domains, target="rain", self_training=False) == []
    (tmp_path / "source").mkdir()
    assert "in no layout that is known here" in problems(tmp_path)[0]["message"]


def test_labels_that_are_missing(broken: Path) -> None:
    (broken / "source" / "labels" / "0001.png").unlink()
    (problem,) = problems(broken)
    assert "the source" in problem["message"]
    assert f"missing mask: {broken / 'source' / 'images' / '0001.png'} has none" in problem["message"]
    assert problems(broken, skip_bad_images=True) == []


def test_classes_that_differ(broken: Path) -> None:
    (broken / "validation" / "classes.txt").write_text("sky\nriver\n")
    (problem,) = problems(broken)
    assert "the validation has the class river, which the source has not" in problem["message"]
    (broken / "classes.txt").unlink()
    assert "no classes.txt" in problems(broken)[0]["message"]


def test_masks_that_are_none(broken: Path) -> None:
    """A check reads as many masks as its time allows; a training reads all of them, and says the same."""
    Image.new("L", (48, 48), 99).save(broken / "source" / "labels" / "0002.png")
    sentence = "0002.png has the value 99, but there are 8 classes: 0 … 7, and 255 where a pixel has none"
    (problem,) = problems(broken)
    assert sentence in problem["message"]
    with pytest.raises(DataError, match=re.escape(sentence)):
        read_data_set(str(broken), Parameters(**SMALL))


def test_every_parameter_has_a_form_and_is_documented() -> None:
    check_form_and_page(HRDA)


def test_the_example_is_a_good_configuration(tmp_path: Path) -> None:
    example = yaml.safe_load((HRDA.parent / "example.yaml").read_text())
    data = make(tmp_path / "domains", source=1, target=1, validation=1)
    assert check(HRDA, data, **example["parameters"]) == []
