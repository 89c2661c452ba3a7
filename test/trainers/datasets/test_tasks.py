"""What a task makes of a data set, and which keypoints change places in a mirrored image."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import yaml
from epochal import DataError
from epochal.datasets import coco, yolo_writing
from epochal.datasets.checking import checked
from epochal.datasets.loaded import compared
from epochal.datasets.mirrors import mirrored
from epochal.datasets.model import Box, DatasetImage, Object
from epochal.datasets.parameters import SplitParameters
from epochal.datasets.splits import Split
from epochal.datasets.tasks import something_to_learn
from PIL import Image

COCO = ["nose", *(f"{side}_{part}" for part in ("eye", "ear", "knee") for side in ("left", "right"))]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (COCO, [0, 2, 1, 4, 3, 6, 5]),
        (["LeftEye", "RightEye", "Nose"], [1, 0, 2]),
        (["eye-left", "nose", "eye-right"], [2, 1, 0]),
        (["l_hip", "r_hip", "neck"], [1, 0, 2]),
        (["L1 left", "L1 right", "L2 left", "L2 right"], [1, 0, 3, 2]),
        (["a", "b", "c"], []),
        (["left_eye", "nose"], []),
        (["left eye", "left_eye", "right_eye"], []),
        (["point 1", "point 2"], []),
        ([], []),
    ],
)
def test_names_say_what_is_mirrored(names: list[str], wanted: list[int]) -> None:
    assert mirrored(names) == wanted


def test_a_mirror_of_a_mirror_is_the_thing_itself() -> None:
    chance = random.Random(0)
    parts = ["eye", "ear", "hip", "paw 1", "paw 2"]
    for _ in range(300):
        style = chance.choice(["{0}_{1}", "{1}-{0}", "{0} {1}"])
        pairs = chance.sample(parts, chance.randint(1, len(parts)))
        names = [style.format(side, part) for part in pairs for side in ("left", "right")] + ["nose"][
            : chance.randint(0, 1)
        ]
        chance.shuffle(names)
        found = mirrored(names)
        assert [found[one] for one in found] == list(range(len(names)))
        for index, other in enumerate(found):
            assert (names[index] == names[other]) == ("nose" in names[index])
            assert names[other].replace("left", "x").replace("right", "x") == names[index].replace("left", "x").replace(
                "right", "x"
            )


def made(folder: Path, marks: list[dict], categories: list[dict], images: int = 6) -> Path:
    """A COCO data set in which every image has these marks."""
    listed, annotations = [], []
    for index in range(images):
        path = folder / "images" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48)).save(path)
        listed.append({"id": index + 1, "file_name": path.name, "width": 64, "height": 48})
        for mark in marks:
            own = {"id": len(annotations) + 1, "image_id": index + 1, "bbox": [8, 8, 20, 16], "area": 320, "iscrowd": 0}
            annotations.append({**own, **mark})
    (folder / "annotations").mkdir()
    content = {"images": listed, "annotations": annotations, "categories": categories}
    (folder / "annotations" / "person_keypoints.json").write_text(json.dumps(content))
    return folder


def points(count: int) -> list[int]:
    """So many keypoints, as COCO has them."""
    return [value for index in range(count) for value in (10 + index, 12, 2)]


def test_flips_are_written_where_they_are_known_and_told(tmp_path: Path) -> None:
    for names, wanted in ((["left_eye", "right_eye", "nose"], [1, 0, 2]), (["a", "b", "c"], None)):
        data = made(
            tmp_path / names[0],
            [{"category_id": 1, "keypoints": points(3)}],
            [{"id": 1, "name": "person", "keypoints": names}],
        )
        data_set, split = checked(str(data), "pose", SplitParameters())
        file = yolo_writing.write(data_set, split, tmp_path / f"run-{names[0]}", "pose")
        assert yaml.safe_load(file.read_text()).get("flip_idx") == wanted
        (told,) = data_set.findings.sentences()
        assert ("left_eye and right_eye change places" in told) == (wanted is not None)
        assert ("images are not mirrored" in told) == (wanted is None)


def test_a_pose_has_one_number_of_keypoints(tmp_path: Path) -> None:
    marks = [{"category_id": 1, "keypoints": points(3)}, {"category_id": 2, "keypoints": points(2)}]
    categories = [
        {"id": 1, "name": "person", "keypoints": ["a", "b", "c"]},
        {"id": 2, "name": "dog", "keypoints": ["nose", "tail"]},
    ]
    data = made(tmp_path / "two", marks, categories)
    with pytest.raises(DataError, match=r"person has 3 \(on 6 objects\); dog has 2 \(on 6 objects\)"):
        checked(str(data), "pose", SplitParameters())
    checked(str(data), "detect", SplitParameters())
    data = made(tmp_path / "fewer", marks[1:], [categories[0], {"id": 2, "name": "dog"}])
    with pytest.raises(DataError, match=r"have 2 keypoints, but it names 3 \(a, b, c\)"):
        checked(str(data), "pose", SplitParameters())
    data = made(tmp_path / "some", [marks[0], {"category_id": 2}], [categories[0], {"id": 2, "name": "dog"}])
    checked(str(data), "pose", SplitParameters())  # an object without any is fine


def test_boxes_among_masks_become_outlines_and_are_counted(tmp_path: Path) -> None:
    outline = [[8, 8, 28, 8, 28, 24]]
    marks = [
        {"category_id": 1, "segmentation": outline},
        {"category_id": 1, "segmentation": [], "bbox": [30, 20, 10, 12]},
    ]
    data = made(tmp_path / "mixed", marks, [{"id": 1, "name": "thing"}])
    data_set, split = checked(str(data), "segment", SplitParameters())
    (finding,) = data_set.findings
    assert (finding.kind, finding.count) == ("box as outline", 6)
    files = coco.write(data_set, split, tmp_path / "segment", "segment")
    written = [one["segmentation"] for one in json.loads(files["val"].read_text())["annotations"]]
    assert written == [[[8, 8, 28, 8, 28, 24]], [[30, 20, 40, 20, 40, 32, 30, 32]]]
    data_set, split = checked(str(data), "detect", SplitParameters())
    assert not list(data_set.findings)


@pytest.mark.parametrize(
    ("loaded", "objects", "words"),
    [
        (0, 1, r"no train image is left: it discards 8 of 8 train images: 0\.png \(too small\)"),
        (3, 0, "none of the 3 train images has an object"),
        (3, 1, None),
    ],
)
def test_a_split_of_which_nothing_would_be_kept(loaded: int, objects: int, words: str | None) -> None:
    box = Object("thing", Box(1, 1, 5, 5))
    images = [DatasetImage(Path(f"/data/{index}.png"), str(index), 30, 30, objects=[box]) for index in range(10)]
    parts = Split("random", {"train": images[:8], "val": images[8:]})
    promised = {f"{index}.png": 1 for index in range(8)}
    kept = [(name, objects) for name in list(promised)[:loaded]]
    comparison = compared("it", "train", promised, kept, {"0.png": "too small"})
    if words is None:
        something_to_learn(parts, "detect", [comparison])
    else:
        with pytest.raises(DataError, match=words):
            something_to_learn(parts, "detect", [comparison])
    with pytest.raises(DataError, match="none of the 8 train images has an object"):
        something_to_learn(
            Split("random", {"train": [DatasetImage(one.path, one.name, 30, 30) for one in images[:8]]}), "detect"
        )


def test_a_classifier_needs_two_classes() -> None:
    def split_of(*labels: str) -> Split:
        images = [DatasetImage(Path(f"/data/{one}.png"), one, 30, 30, labels=[one] if one else []) for one in labels]
        return Split("random", {"train": images, "val": images[:1]})

    something_to_learn(split_of("cat", "dog"), "classify")
    with pytest.raises(DataError, match="none of the 2 train images has a class"):
        something_to_learn(split_of("", ""), "classify")
    with pytest.raises(DataError, match="only images of cat to train with"):
        something_to_learn(split_of("cat", "cat"), "classify")
