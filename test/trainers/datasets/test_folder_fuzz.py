"""Whatever happened to a YOLO data set or to folders of images, it is read or refused in a sentence, in little time."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from damages import Damage, assert_nothing_is_a_traceback, damage_config, damage_text, damage_tree
from epochal import DataReport
from epochal.datasets import image_folder, yolo_writing
from epochal.datasets.checking import checked
from epochal.datasets.parameters import SplitParameters
from PIL import Image

OBJECTS = ["0 0.5 0.5 0.2 0.2", "1 0.1 0.1 0.6 0.1 0.6 0.6", "2 0.2 0.2 0.1 0.1"]
POSES = ["0 0.5 0.5 0.4 0.4 0.4 0.4 2 0.6 0.4 1 0 0 0", "2 0.4 0.4 0.2 0.2 0.4 0.4 2 0.6 0.4 1 0.1 0.1 0"]
CONFIG: dict[str, Any] = {
    "path": ".",
    "train": "images/train",
    "val": ["images/val"],
    "test": "lists/test.txt",
    "nc": 3,
    "names": {0: "a", 1: "b", 2: "c"},
}
KEYPOINTS: dict[str, Any] = {"kpt_shape": [3, 3], "flip_idx": [1, 0, 2], "kpt_names": {0: ["left", "right", "top"]}}


def _yolo(folder: Path, lines: list[str] = OBJECTS, **more: Any) -> None:
    for part in ("train", "val", "test"):
        for kind in ("images", "labels"):
            (folder / kind / part).mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (48, 32), (index, 80, 0)).save(folder / "images" / part / f"{index}.png")
            (folder / "labels" / part / f"{index}.txt").write_text("\n".join(lines) + "\n")
    (folder / "lists").mkdir()
    (folder / "lists" / "test.txt").write_text("".join(f"images/test/{index}.png\n" for index in range(3)))
    (folder / "data.yaml").write_text(yaml.safe_dump({**CONFIG, **more}, sort_keys=False))


def _darknet(folder: Path) -> None:
    _yolo(folder)
    (folder / "data.yaml").unlink()
    (folder / "obj.names").write_text("a\nb\nc\n")
    (folder / "obj.data").write_text(
        "classes = 3\ntrain = data/train.txt\nvalid = data/val.txt\nnames = data/obj.names\n"
    )
    for part in ("train", "val"):
        (folder / f"{part}.txt").write_text("".join(f"data/images/{part}/{index}.png\n" for index in range(3)))


def _classes(folder: Path) -> None:
    for part in ("train", "val"):
        for name in ("a", "b", "train"):
            (folder / part / name).mkdir(parents=True)
            for index in range(2):
                Image.new("RGB", (48, 32), (index, 80, 0)).save(folder / part / name / f"{index}.png")


def _can_be_sent(report: DataReport) -> None:
    json.dumps(report.as_json(), ensure_ascii=False).encode()


_EVERYTHING = [damage_config, damage_config, damage_text, damage_text, damage_tree]


@pytest.mark.parametrize(
    ("make", "damages", "tasks"),
    [
        (_yolo, _EVERYTHING, ["detect", "segment"]),
        (partial(_yolo, lines=POSES, **KEYPOINTS), _EVERYTHING, ["detect", "pose"]),
        (_darknet, [damage_text, damage_text, damage_tree], ["detect"]),
        (_classes, [damage_tree], ["classify"]),
    ],
    ids=["yolo", "yolo-pose", "darknet", "images"],
)
def test_nothing_is_a_traceback(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], None],
    damages: list[Damage],
    tasks: list[str],
) -> None:
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(tmp_path / "cache"))

    def use(folder: Path, number: random.Random) -> None:
        task, skip = number.choice(tasks), number.random() < 0.4
        shutil.rmtree(tmp_path / "written", ignore_errors=True)
        parameters = SplitParameters(skip_bad_images=skip)
        data_set, chosen = checked(str(folder), task, parameters, tell=_can_be_sent)
        if task == "classify":
            image_folder.write(data_set, chosen, tmp_path / "written")
        else:
            yolo_writing.write(data_set, chosen, tmp_path / "written", task)

    assert_nothing_is_a_traceback(tmp_path, make, damages, use, inputs=100)
