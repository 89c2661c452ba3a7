"""`data.yaml` of a YOLO data set: its classes by number, its splits, its keypoints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from epochal.datasets.model import Findings
from epochal.datasets.splits import SPLIT_NAMES
from epochal.datasets.text_files import text_of
from epochal.errors import DataError

#: What ultralytics and exporters write beside the splits.
_OTHER_KEYS = {
    "path",
    "names",
    "nc",
    "kpt_shape",
    "flip_idx",
    "kpt_names",
    "download",
    "roboflow",
    "channels",
    "yaml_file",
}
_MOST_KEYPOINTS = 1000
_MOST_CLASSES = 100_000


@dataclass(frozen=True)
class Config:
    """What the file says."""

    file: Path
    path: str
    #: By the number that labels have; names may be the same.
    names: dict[int, str]
    #: For each split the key that names it, and what it names: folders, or lists of images.
    splits: dict[str, tuple[str, list[Any]]]
    #: Number of keypoints, and how many numbers each has.
    shape: tuple[int, int] | None
    keypoint_names: list[str]
    flip: list[int]


def config(file: Path, findings: Findings) -> Config:
    """Read it; `DataError` for what is not as it has to be."""
    content = _loaded(file)
    shape = _shape(content.get("kpt_shape"), file)
    names = _keypoint_names(content.get("kpt_names"), shape, file, findings)
    flip = _flip(content.get("flip_idx"), shape, file)
    if shape and not names:
        names = [f"point {index + 1}" for index in range(shape[0])]
    classes = _names(content, file, findings)
    path = content.get("path")
    return Config(
        file, path if isinstance(path, str) else "", classes, _splits(content, file, findings), shape, names, flip
    )


def numbered(names: Any, where: str, findings: Findings) -> dict[int, str]:
    """Names by number, of a list or of a mapping of numbers; `where` is what has them."""
    pairs = list(names.items()) if isinstance(names, dict) else list(enumerate(names))
    found: dict[int, str] = {}
    for key, name in pairs:
        if not isinstance(name, str):
            kind = {list: "list", dict: "mapping"}.get(type(name), type(name).__name__)
            raise DataError(f"{where} has something of the type {kind} among its class names (for {key})")
        if isinstance(key, str) and not re.fullmatch(r"[0-9]{1,9}", key):
            raise DataError(f"{where} has a class numbered {key[:80]!r}: it must be a whole number")
        if not name.strip():
            raise DataError(f"{where} has no name for the class {key}")
        if int(key) in found:
            raise DataError(f"{where} has two names for the class {int(key)}: {found[int(key)]} and {name}")
        found[int(key)] = name.strip()
    found = dict(sorted(found.items()))
    if list(found) != list(range(len(found))):
        missing = next(number for number in range(len(found) + 1) if number not in found)
        findings.add(
            "class numbers",
            f"{where} has no {missing} (it has {listed(found)}): a label's class is the one that has its number there, "
            f"{_example(found)}",
        )
    by_name: dict[str, int] = {}
    for number, name in found.items():
        if (first := by_name.setdefault(name, number)) != number:
            findings.add("same class name", f"{where} has {name} for {first} and for {number}: it is one class")
    return found


def listed(numbers: dict[int, str]) -> str:
    """The numbers, if there are a few."""
    shown = ", ".join(map(str, list(numbers)[:10]))
    return f"{shown}, …" if len(numbers) > 10 else shown


def _example(names: dict[int, str]) -> str:
    number, name = next(iter(names.items()))
    return f"{number} is {name}"


class _Loader(yaml.BaseLoader):
    """Leaves all as it is written: `no` and `007` are names of classes. Of a key that is there twice YAML keeps one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping whose keys are text, each there once."""
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key that is not text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _loaded(file: Path) -> dict[str, Any]:
    text = text_of(file)
    try:
        content = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{file} is not YAML that can be read: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(content, dict):
        raise DataError(f"{file} is not a mapping of names to values")
    return content


def _names(content: dict[str, Any], file: Path, findings: Findings) -> dict[int, str]:
    names, count = content.get("names"), content.get("nc")
    if count is not None and (not isinstance(count, str) or not re.fullmatch(r"[0-9]{1,6}", count)):
        raise DataError(f"nc of {file} is {_said(count)}, which must be the number of classes")
    if not names and count and 0 < int(count) <= _MOST_CLASSES:
        findings.add("class names", f"{file} has no names:, so its {count} classes are called class_0, class_1, …")
        return {number: f"class_{number}" for number in range(int(count))}
    if not names or not isinstance(names, (list, dict)):
        said = f": it is {_said(names)}" if names else ""
        raise DataError(f"{file} has no list of class names (names:){said}")
    found = numbered(names, f"names of {file}", findings)
    if count and int(count) != len(found):
        findings.add("class count", f"nc of {file} is {int(count)}, but names: has {len(found)} classes")
    return found


def _splits(content: dict[str, Any], file: Path, findings: Findings) -> dict[str, tuple[str, list[Any]]]:
    found: dict[str, tuple[str, list[Any]]] = {}
    for key, value in content.items():
        split = SPLIT_NAMES.get(str(key).lower())
        if split and not _is_nothing(value):
            own = content.get(split)
            if key != split and not _is_nothing(own):
                findings.add("unread key", f"{key} of {file} is not read, because {split}: is there")
                continue
            if key != split:
                findings.add("renamed key", f"{key} of {file} is read as {split}:")
            if isinstance(value, dict):
                raise DataError(f"{key} of {file} must be a folder, a list of images, or several of these")
            found[split] = (str(key), value if isinstance(value, list) else [value])
        elif not split and key not in _OTHER_KEYS and _names_something(value, file):
            findings.add("unread key", f"{key} of {file} names {_said(value)}, which is not read")
    if "train" not in found:
        keys = ", ".join(str(key)[:40] for key in list(content)[:20])
        raise DataError(f"{file} has no train:, which names the images to train with (it has {keys})")
    return found


def _is_nothing(value: Any) -> bool:
    return value is None or value in ("", "~", "null", "None") or value == []


def _names_something(value: Any, file: Path) -> bool:
    places = value if isinstance(value, list) else [value]
    try:
        return any(isinstance(one, str) and one not in ("", ".") and (file.parent / one).exists() for one in places)
    except (OSError, ValueError):  # no path
        return False


def _shape(shape: Any, file: Path) -> tuple[int, int] | None:
    if _is_nothing(shape):
        return None
    if isinstance(shape, list) and len(shape) == 2 and all(isinstance(one, str) and one.isdecimal() for one in shape):
        count, each = (int(one[:9]) for one in shape)
        if 1 <= count <= _MOST_KEYPOINTS and each in (2, 3):
            return count, each
    raise DataError(
        f"kpt_shape of {file} must be [number of keypoints, 1 to {_MOST_KEYPOINTS}, and 2 or 3]: it is {_said(shape)}"
    )


def _keypoint_names(names: Any, shape: tuple[int, int] | None, file: Path, findings: Findings) -> list[str]:
    """The same for all classes, as the number of keypoints is."""
    if isinstance(names, dict):
        names = next(iter(names.values()), None)
    if shape is None or _is_nothing(names):
        return []
    if isinstance(names, list) and len(names) == shape[0] and all(isinstance(name, str) for name in names):
        return names
    findings.add("keypoint names", f"kpt_names of {file} must be a list of {shape[0]} names: they are not read")
    return []


def _flip(flip: Any, shape: tuple[int, int] | None, file: Path) -> list[int]:
    if shape is None or _is_nothing(flip):
        return []
    if isinstance(flip, list) and all(isinstance(one, str) and re.fullmatch("[0-9]{1,9}", one) for one in flip):
        numbers = [int(one) for one in flip]
        if sorted(numbers) == list(range(shape[0])):
            return numbers
    raise DataError(
        f"flip_idx of {file} must be a list of the numbers 0 to {shape[0] - 1}, each of them once: it is {_said(flip)}"
    )


def _said(value: Any) -> str:
    """In a few words: YAML's references make objects that are small to keep, and without end to print."""
    if isinstance(value, str):
        return value[:80]
    if isinstance(value, list) and len(value) <= 10 and all(isinstance(one, str) for one in value):
        return f"[{', '.join(one[:40] for one in value)}]"
    return f"a {'list' if isinstance(value, list) else 'mapping' if isinstance(value, dict) else type(value).__name__}"
