"""YOLO txt: `data.yaml`, pictures in `images/…`, and a text file each in `labels/…` with a line an object."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from epochal.datasets.frames import frame_of
from epochal.datasets.masks import box_of_points
from epochal.datasets.model import Box, DataSet, Findings, Keypoint, Object, Picture, Point, Polygon
from epochal.datasets.outlines import counted, outline_of
from epochal.datasets.pictures import inside_of, link_name, named, pictures_in, unique_name
from epochal.datasets.splits import Split
from epochal.errors import DataError

CONFIG_NAMES = ("data.yaml", "data.yml", "dataset.yaml")
_MOST_KEYPOINTS = 1000
_BEYOND = 0.002  # of the picture: writers round to a few digits


def config_of(folder: Path) -> Path | None:
    """The data set's yaml file."""
    return next((folder / name for name in CONFIG_NAMES if (folder / name).is_file()), None)


def read(folder: Path) -> DataSet:
    """Read a data set."""
    file = config_of(folder)
    if file is None:
        return _read_plain(folder)
    config = _load(file)
    findings = Findings()
    root = folder
    if isinstance(config.get("path"), str) and (folder / config["path"]).is_dir():
        # Else it is a `path` of the machine where it was made.
        root = named(config["path"], folder, [folder], findings, f"path of {file}") or folder
    classes = _classes(config, file)
    shape = _shape(config, file)
    pictures: list[Picture] = []
    taken: set[str] = set()
    for split in ("train", "val", "test"):
        wanted = config.get(split)
        for written in [wanted] if isinstance(wanted, str) else wanted or []:
            where = f"{split} of {file}"
            place = _relocated(folder, root, written, findings, where)
            if split == "test" and isinstance(place, str) and not os.path.exists(root / place):
                findings.add("missing test split", f"{where} is {place}, which is not there; training does not need it")
                continue
            found = _listed(folder, root, place, findings, where)
            if not found and isinstance(place, str):
                findings.add("empty split", f"{split} of {file} is {place}, where there is no picture")
            for path in found:
                if picture := _picture(path, folder, split, classes, shape, taken, findings):
                    pictures.append(picture)
    names = [f"point {index + 1}" for index in range(shape[0])] if shape else []
    return DataSet("yolo", folder, classes, pictures, findings, names, config.get("flip_idx") or [])


def write(data_set: DataSet, split: Split, folder: Path, task: str = "detect", changed: Findings | None = None) -> Path:
    """Write `data.yaml`, links to the pictures and labels for `detect`, `segment` or `pose`; answers the yaml file.

    `changed` gets what cannot be written as it was marked.
    """
    changed = Findings() if changed is None else changed
    numbers = {name: index for index, name in enumerate(data_set.classes)}
    for part, pictures in split.parts.items():
        for kind in ("images", "labels"):
            (folder / kind / part).mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            os.symlink(picture.path.resolve(), folder / "images" / part / link_name(picture))
            # A crowd is not one object: YOLO's formats have no way to say so, and ultralytics' converters leave it out.
            objects = [one for one in picture.objects if not one.crowd]
            lines = [line for one in objects for line in _lines(one, numbers, picture, task, data_set, changed)]
            (folder / "labels" / part / f"{picture.name}.txt").write_text("".join(f"{line}\n" for line in lines))
    config: dict[str, Any] = {
        "path": str(folder.resolve()),
        **{part: f"images/{part}" for part in split.parts},
        "names": dict(enumerate(data_set.classes)),
    }
    if task == "pose":
        config["kpt_shape"] = [len(data_set.keypoint_names), 3]
        if data_set.keypoint_flip:  # ultralytics mirrors no image where it is left out
            config["flip_idx"] = data_set.keypoint_flip
    file = folder / "data.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    return file


def _read_plain(folder: Path) -> DataSet:
    """`images/`, `labels/` and `classes.txt`, as labelling tools export them."""
    classes = (folder / "classes.txt").read_text().split("\n")
    classes = [name.strip() for name in classes if name.strip()]
    findings = Findings()
    taken: set[str] = set()
    read_one = [
        _picture(path, folder, None, classes, None, taken, findings)
        for path in pictures_in(folder / "images", findings)
    ]
    return DataSet("yolo", folder, classes, [one for one in read_one if one], findings)


def _load(file: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(file.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"{file} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise DataError(f"{file} is not a mapping of names to values")
    return config


def _classes(config: dict[str, Any], file: Path) -> list[str]:
    names = config.get("names")
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names)]
    if not isinstance(names, list) or not names:
        raise DataError(f"{file} has no list of class names (names:)")
    wrong = next((name for name in names if not isinstance(name, (str, int, float))), None)
    if wrong is not None:
        raise DataError(f"{file} has something of the type {type(wrong).__name__} among its class names (names:)")
    return [str(name) for name in names]


def _shape(config: dict[str, Any], file: Path) -> list[int] | None:
    shape = config.get("kpt_shape")
    if shape is None:
        return None
    if isinstance(shape, list) and len(shape) == 2 and all(type(one) is int for one in shape):
        count, each = shape
        if 1 <= count <= _MOST_KEYPOINTS and each in (2, 3):
            return [count, each]
    raise DataError(f"kpt_shape of {file} must be [number of keypoints, 1 to {_MOST_KEYPOINTS}, and 2 or 3]")


def _relocated(folder: Path, root: Path, place: Any, findings: Findings, where: str) -> Any:
    """`x` for a `../x` that is not there, if `x` is: Roboflow writes its exports so, and ultralytics reads them so."""
    if not isinstance(place, str) or not place.startswith("../") or os.path.exists(root / place):
        return place
    path = inside_of(folder, root / place.removeprefix("../"))
    if path is None or not path.exists():
        return place
    findings.add("relocated path", f"{where} is {place}, which is not there; {path} was read instead")
    return place.removeprefix("../")


def _listed(folder: Path, root: Path, place: Any, findings: Findings, where: str) -> list[Path]:
    """Pictures of a split: of a folder, or of a text file with one path per line."""
    path = named(place, folder, [root], findings, where)
    if path is None:
        return []
    if path.is_dir():
        return pictures_in(path, findings)
    if path.suffix == ".txt" and path.is_file():
        lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
        listed = [named(line, folder, [root], findings, str(path)) for line in lines]
        return [one for one in listed if one]
    findings.add("missing folder", f"{path} is not there")
    return []


def _picture(
    path: Path,
    folder: Path,
    split: str | None,
    classes: list[str],
    shape: list[int] | None,
    taken: set[str],
    findings: Findings,
) -> Picture | None:
    frame = frame_of(path, None, findings, str(path))
    if frame is None:
        return None
    picture = Picture(path, unique_name(path, folder, taken), frame.width, frame.height, split=split)
    parts = list(path.parts)
    if "images" in parts:
        last = len(parts) - 1 - parts[::-1].index("images")
        labels = Path(*parts[:last], "labels", *parts[last + 1 :]).with_suffix(".txt")
    else:
        labels = path.with_suffix(".txt")
    if not labels.is_file():
        findings.add("picture without labels", f"{labels} is not there", path)
        return picture
    for number, line in enumerate(labels.read_text(errors="replace").splitlines(), 1):
        if line.strip():
            try:
                picture.objects.append(_object(line, picture, classes, shape))
            except ValueError as error:
                findings.add(*_told(error, f"{labels}:{number}"), path)
    return picture


class _Wrong(ValueError):
    """A line that is wrong: kind and detail."""


def _told(error: ValueError, where: str) -> tuple[str, str]:
    if isinstance(error, _Wrong):
        kind, detail = error.args
        return kind, f"{where} {detail}"
    return "unreadable label", f"{where} is not a line of numbers"


def _object(line: str, picture: Picture, classes: list[str], shape: list[int] | None) -> Object:
    number, *values = [float(word) for word in line.split()]
    if not 0 <= number < len(classes) or number != int(number):
        raise _Wrong("unknown class", f"has class {number:g}, but there are {len(classes)} classes")
    if len(values) < 4 or (len(values) % 2 and not shape):
        raise _Wrong("unreadable label", f"has {len(values)} numbers after the class")
    name = classes[int(number)]
    keypoints_begin = 4 if shape else len(values)
    outside = [value for value in values[:keypoints_begin] if not -_BEYOND <= value <= 1 + _BEYOND]
    if outside:
        raise _Wrong("box outside", f"has {outside[0]:g}, which is not between 0 and 1")
    width, height = picture.width, picture.height
    if len(values) == 4 or shape:
        x, y, w, h = values[:4]
        box = Box((x - w / 2) * width, (y - h / 2) * height, w * width, h * height)
        if min(x - w / 2, y - h / 2) < -_BEYOND or max(x + w / 2, y + h / 2) > 1 + _BEYOND:
            raise _Wrong("box outside", f"has a box that is not within the picture ({x:g} {y:g} {w:g} {h:g})")
        if w <= 0 or h <= 0:
            raise _Wrong("box outside", "has a box without an area")
        return Object(name, box, keypoints=_keypoints(values[4:], shape, width, height) if shape else [])
    points = [(x * width, y * height) for x, y in zip(values[::2], values[1::2], strict=True)]
    return Object(name, box_of_points(points), polygons=[Polygon(points)])


def _keypoints(values: list[float], shape: list[int], width: int, height: int) -> list[Keypoint]:
    count, each = shape
    if len(values) != count * each:
        raise _Wrong("unreadable label", f"has {len(values)} numbers for {count} keypoints")
    return [
        Keypoint(one[0] * width, one[1] * height, int(one[2]) if each == 3 else 2)
        for one in (values[start : start + each] for start in range(0, len(values), each))
    ]


def _lines(
    one: Object, numbers: dict[str, int], picture: Picture, task: str, data_set: DataSet, changed: Findings
) -> list[str]:
    width, height = picture.width, picture.height

    def text(values: list[float]) -> str:
        return " ".join(f"{min(max(value, 0.0), 1.0):.6f}" for value in values)

    number = numbers[one.class_name]
    if task == "segment":
        ring = _told_outline(one, picture, changed)
        return [f"{number} {text([v for x, y in ring for v in (x / width, y / height)])}"] if len(ring) > 2 else []
    x, y, w, h = one.box
    line = f"{number} {text([(x + w / 2) / width, (y + h / 2) / height, w / width, h / height])}"
    if task == "pose":
        points = one.keypoints or [Keypoint(0, 0, 0)] * len(data_set.keypoint_names)
        line += "".join(f" {text([p.x / width, p.y / height])} {p.visible}" for p in points)
    return [line]


def _told_outline(one: Object, picture: Picture, findings: Findings) -> list[Point]:
    """The one outline that a line can have, and findings for what it changes."""
    outline = outline_of(one, picture.width, picture.height)
    where = f"a {one.class_name} on {picture.path}"
    if outline.parts > 1:
        findings.add("parts joined", f"{where} has {outline.parts} parts, joined to one outline by seams", picture.path)
    if outline.holes:
        findings.add(
            "holes cut", f"{where} has {counted(outline.holes, 'hole')}, kept by seams from its outline", picture.path
        )
    if outline.specks:
        findings.add(
            "specks left out",
            f"{where} has {counted(outline.specks, 'speck')} of a few pixels, left out or filled",
            picture.path,
        )
    if len(outline.ring) < 3:
        findings.add("no outline", f"{where} has no pixel left, and was left out", picture.path)
    return outline.ring
