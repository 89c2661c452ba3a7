"""YOLO txt: `data.yaml` (or Darknet's `obj.data`), images, and for each a text file with a line per object."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from epochal.datasets import darknet
from epochal.datasets.folders import folders_in, images_beside
from epochal.datasets.frames import frame_of
from epochal.datasets.images import images_in, inside_of, last_parts, named, relocated, unique_name
from epochal.datasets.junk import is_junk
from epochal.datasets.model import IMAGE_SUFFIXES, DataSet, DatasetImage, Findings
from epochal.datasets.outlines import counted
from epochal.datasets.splits import split_name
from epochal.datasets.text_files import text_of
from epochal.datasets.yolo_config import Config, config
from epochal.datasets.yolo_labels import Labels
from epochal.errors import DataError

CONFIG_NAMES = ("data.yaml", "data.yml", "dataset.yaml")
#: What labelling tools write the classes to: the line is the number.
CLASSES_NAME = "classes.txt"
#: Text files among labels that are none.
_NO_LABELS = {CLASSES_NAME, "notes.txt", "readme.txt", "predefined_classes.txt"}


def config_of(folder: Path) -> Path | None:
    """The data set's yaml file: by its usual name, or the only one that names classes and a training split."""
    usual = next((folder / name for name in CONFIG_NAMES if (folder / name).is_file()), None)
    if usual:
        return usual
    others = [file for file in sorted(folder.glob("*.y*ml")) if not is_junk(file.name) and _looks_like_config(file)]
    return others[0] if len(others) == 1 else None


def _looks_like_config(file: Path) -> bool:
    try:
        begin = file.read_bytes()[:100_000]
    except OSError:
        return False
    return all(re.search(rb"^" + key + rb"\s*:", begin, re.MULTILINE) for key in (b"train", b"names"))


def is_yolo(folder: Path) -> bool:
    """Whether there is a yaml file, or Darknet's, or `classes.txt` and labels."""
    if config_of(folder) or darknet.config_of(folder):
        return True
    return bool(_class_files(folder)) and any(
        (place / "labels").is_dir() or any(path.with_suffix(".txt").is_file() for path in images_beside(place))
        for place in (folder, *_split_folders(folder))
    )


def read(folder: Path) -> DataSet:
    """Read a data set."""
    if file := config_of(folder):
        return _Reader(folder).read_config(file)
    if file := darknet.config_of(folder):
        return _Reader(folder).read_darknet(file)
    return _Reader(folder).read_plain()


class _Reader:
    def __init__(self, folder: Path) -> None:
        self._folder = Path(os.path.abspath(folder))
        self._findings = Findings()
        self._images: list[DatasetImage] = []
        self._taken: set[str] = set()
        #: The splits that an image is in already.
        self._splits: dict[Path, list[str | None]] = {}
        #: Label files that belong to an image, by their folder.
        self._used: dict[Path, set[Path]] = {}
        #: Darknet's: lists have paths of a folder above this one, and labels are beside their images.
        self._is_darknet = False

    def read_config(self, file: Path) -> DataSet:
        """What `data.yaml` names."""
        return self._read_splits(config(file, self._findings))

    def read_darknet(self, file: Path) -> DataSet:
        """What `obj.data` names."""
        self._is_darknet = True
        return self._read_splits(darknet.config(file, self._findings))

    def _read_splits(self, content: Config) -> DataSet:
        file = content.file
        labels = Labels(content.names, file, content.shape)
        root = self._root(content)
        for split in ("train", "val", "test"):
            key, places = content.splits.get(split, (split, []))
            where = f"{key} of {file}"
            for written in places:
                place = self._relocated(root, written, where)
                if split == "test" and isinstance(place, str) and not os.path.exists(root / place):
                    told = f"{where} is {place}, which is not there; training does not need it"
                    self._findings.add("missing test split", told)
                    continue
                found = self._listed(root, place, where)
                if not found and isinstance(place, str):
                    self._findings.add("empty split", f"{where} is {place}, where there is no image")
                if split != "test" and found and not any(map(os.path.exists, found)):
                    raise DataError(
                        f"{where} is {place}, which names {counted(len(found), 'image')}, and none of them is there "
                        f"({found[0]}): export the data set with its images (in CVAT: Save images)"
                    )
                for path in found:
                    self._add(path, split, labels)
        return self._data_set(labels, content.keypoint_names if content.shape else [], content.flip)

    def read_plain(self) -> DataSet:
        """`classes.txt` and labels beside the images or in `labels/`, as labelling tools write them."""
        labels = Labels(*self._plain_classes())
        images, splits = self._folder / "images", _split_folders(self._folder)
        if images.is_dir() or not splits:
            root = images if images.is_dir() else self._folder
            for path in images_in(root, self._findings):
                inner = path.relative_to(root).parts
                self._add(path, split_name(inner[0]) if len(inner) > 1 else None, labels)
        else:
            for split in splits:
                for path in images_in(split, self._findings):
                    self._add(path, split_name(split.name), labels)
            for path in images_beside(self._folder):
                self._findings.add("image in no split", f"{path} is beside folders of splits, and not read", path)
        return self._data_set(labels, [], [])

    def _data_set(self, labels: Labels, keypoint_names: list[str], flip: list[int]) -> DataSet:
        self._tell_lost_labels()
        classes = list(dict.fromkeys(labels.names.values()))
        return DataSet("yolo", self._folder, classes, self._images, self._findings, keypoint_names, flip)

    def _plain_classes(self) -> tuple[dict[int, str], Path]:
        found = {file: darknet.names_in(file, self._findings) for file in _class_files(self._folder)}
        (file, names), *others = found.items()
        for other, theirs in others:
            if theirs != names:
                raise DataError(f"{file} and {other} name other classes: they must be the same for all images")
        return names, file

    def _root(self, content: Config) -> Path:
        """Where the splits are: `path`, unless it is one of the machine where the data set was made."""
        if not content.path or not os.path.isdir(self._folder / content.path):
            return self._folder
        real, here = os.path.realpath(self._folder / content.path), os.path.realpath(self._folder)
        if inside_of(Path(here), Path(real)) and not inside_of(self._folder, self._folder / content.path):
            return self._folder / os.path.relpath(real, here)  # the same folder, by another name
        where = f"path of {content.file}"
        return named(content.path, self._folder, [self._folder], self._findings, where) or self._folder

    def _relocated(self, root: Path, place: Any, where: str) -> Any:
        """`x` for a `../x` that is not there, if `x` is: Roboflow writes exports so, and ultralytics reads them so."""
        if not isinstance(place, str) or not place.startswith("../") or os.path.exists(root / place):
            return place
        path = inside_of(self._folder, root / place.removeprefix("../"))
        if path is None or not os.path.exists(path):
            return place
        self._findings.add("relocated path", f"{where} is {place}, which is not there; {path} was read instead")
        return place.removeprefix("../")

    def _listed(self, root: Path, place: Any, where: str) -> list[Path]:
        """Images of a split: of a folder, or of a text file with one path per line."""
        path = named(place, self._folder, [root], self._findings, where)
        if path is None:
            return []
        if path.is_dir():
            return images_in(path, self._findings)
        if not path.is_file():
            self._findings.add("missing folder", f"{where} is {place}: {path} is not there")
            return []
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return [path]
        found = []
        for number, line in enumerate(text_of(path).splitlines(), 1):
            written = line.strip().replace("\\", "/")
            if not written:
                continue
            if is_junk(written.rsplit("/", 1)[-1]):
                self._findings.add("junk", f"{path}:{number} names {written}, which is not a part of the data set")
                continue
            # As ultralytics has it: `./` is the list's own folder.
            places = [path.parent, root] if written.startswith("./") else [root, path.parent]
            above = last_parts(written)[1:] if self._is_darknet and not written.startswith("/") else []
            image = relocated(written, self._folder, places, self._findings, f"{path}:{number}", other=above)
            if image and image.is_dir():
                self._findings.add("unreadable name", f"{path}:{number} names {image}, which is a folder")
            elif image:
                found.append(image)
        return found

    def _add(self, path: Path, split: str | None, labels: Labels) -> None:
        before = self._splits.setdefault(path, [])
        if split in before:
            self._findings.add(
                "image listed twice", f"{path} is in {split or 'the data set'} twice, and counts once", path
            )
            return
        if before:
            told = f"{path} is in {before[0]} and in {split}"
            self._findings.add("image in two splits", told, path)
        before.append(split)
        frame = frame_of(path, None, self._findings, str(path))
        if frame is None:
            self._used.setdefault(self._label_file(path).parent, set()).add(self._label_file(path))
            return
        name = unique_name(path, self._folder, self._taken)
        image = DatasetImage(path, name, frame.width, frame.height, split=split)
        self._images.append(image)
        file = self._label_file(path)
        self._used.setdefault(file.parent, set()).add(file)
        if file.is_file():
            labels.read(file, image, self._findings)
        elif file.is_symlink():
            told = f"{file} is a link to {os.readlink(file)}, which is not there"
            self._findings.add("broken link", told, path)
        else:
            self._findings.add("image without labels", f"{file} is not there", path)

    def _label_file(self, path: Path) -> Path:
        """In `labels/` where the image is in `images/`, else beside it."""
        inner = path.relative_to(self._folder).parts[:-1]
        if "images" not in inner or (self._is_darknet and path.with_suffix(".txt").is_file()):
            return path.with_suffix(".txt")
        last = len(inner) - 1 - inner[::-1].index("images")
        return self._folder.joinpath(*inner[:last], "labels", *inner[last + 1 :], path.name).with_suffix(".txt")

    def _tell_lost_labels(self) -> None:
        for folder, used in self._used.items():
            if "labels" in folder.parts and folder.is_dir():
                for file in sorted(set(folder.glob("*.txt")) - used):
                    if file.name.lower() not in _NO_LABELS and not is_junk(file.name):
                        self._findings.add("label without image", f"{file} belongs to no image")


def _class_files(folder: Path) -> list[Path]:
    places = [folder, folder / "labels"]
    places += [child / "labels" for child in _split_folders(folder)] + _split_folders(folder / "labels")
    return [file for place in places if (file := place / CLASSES_NAME).is_file()]


def _split_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [child for child in folders_in(folder, Findings()) if split_name(child.name)]
