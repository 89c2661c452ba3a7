"""Which json files of a folder are COCO's, which of them are read, and where their images may be."""

from __future__ import annotations

import re
from pathlib import Path

from epochal.datasets.json_lists import JsonLists
from epochal.datasets.junk import is_junk
from epochal.datasets.model import Findings
from epochal.datasets.splits import split_name
from epochal.errors import DataError

LISTS = ("images", "annotations", "categories")
#: Of a file up to this size all names at the top are read to recognise it, of a larger one those before its first list.
_SMALL = 1 << 20


def annotation_files(folder: Path) -> list[Path]:
    """Json files that are, or were meant to be, COCO's: in the folder, in `annotations/`, or beside each split."""
    places = [folder, folder / "annotations"]
    places += [child for child in sorted(folder.iterdir()) if split_name(child.name) and child.is_dir()]
    found = [file for place in places if place.is_dir() for file in sorted(place.glob("*.json"))]
    return [file for file in dict.fromkeys(found) if not is_junk(file.name) and _is_coco(file)]


def files_to_read(folder: Path, task: str | None, findings: Findings) -> list[Path]:
    """Those of them that a task needs. COCO's own folder has the same images with other marks in several files."""
    files = annotation_files(folder)
    poses = [file for file in files if "keypoints" in file.name]
    instances = [file for file in files if file.name.startswith("instances")]
    if task == "pose" and poses:
        chosen = poses
    else:
        chosen = instances or [file for file in files if not file.name.startswith("captions")]
    if {"train", "val"} <= {split_of(file, folder) for file in chosen}:
        chosen = [file for file in chosen if split_of(file, folder)]
    for file in files:
        if file not in chosen:
            read = " and ".join(one.name for one in chosen[:3]) + (" …" if len(chosen) > 3 else "")
            findings.add("unused annotation file", f"{file} is not read, because {read} are there")
    return chosen


def split_of(file: Path, folder: Path) -> str | None:
    """The split that a file is named for, or lies in the folder of. The name of the data set itself says nothing."""
    return split_name(file.stem) or (split_name(file.parent.name) if file.parent != folder else None)


def places_of(file: Path, folder: Path) -> list[Path]:
    """Folders where the images of a file may be; what is nowhere is missing from the data set's own folder."""
    split = split_of(file, folder)
    # FiftyOne has them in data/, beside labels.json.
    places = [file.parent, folder / "images", folder / "data", file.parent / "images", file.parent / "data"]
    places.append(folder / file.stem)
    # CVAT has those of instances_default.json in images/default/.
    named = [re.sub("^(instances|person_keypoints)_", "", file.stem)]
    if split:
        named += [split, f"{split}2017", f"{split}2014"]
    places += [place / name for name in named for place in (folder, folder / "images", folder / "data")]
    return [*(place for place in dict.fromkeys(places) if place.is_dir() and place != folder), folder]


def _is_coco(file: Path) -> bool:
    """Whether it has at least two of COCO's lists, or is broken where it could have had them."""
    found = set()
    try:
        is_small = file.stat().st_size <= _SMALL
        for name, is_list in JsonLists(file).names():
            if name in LISTS and is_list:
                found.add(name)
                if not is_small:
                    return True
    except OSError:
        return False
    except DataError:
        # A part of a download, say: reading it says what is wrong.
        return bool(found) or file.parent.name == "annotations"
    return len(found) > 1
