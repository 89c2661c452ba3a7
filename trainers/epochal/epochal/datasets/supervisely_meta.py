"""`meta.json` of a Supervisely project: its kind, its classes, and the keypoints of graphs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from epochal.datasets.splits import split_name
from epochal.errors import DataError

#: Types of projects that hold no images, and what such a project is made of.
_OTHER_TYPES = {
    "videos": "videos",
    "volumes": "volumes",
    "point_clouds": "point clouds",
    "point_cloud_episodes": "episodes of point clouds",
    "meshes": "meshes",
    "audio": "audio recordings",
}


class Wrong(ValueError):
    """What is wrong with a part of a file, as the end of a sentence that begins with where it is."""


@dataclass(frozen=True)
class Skeleton:
    """The keypoints of a class, in their order: as objects name them, and as people do."""

    keys: tuple[str, ...]
    names: tuple[str, ...]


@dataclass
class Meta:
    """Classes by name with their shape, and the keypoints of those whose shape is a graph."""

    shapes: dict[str, str] = field(default_factory=dict)
    skeletons: dict[str, Skeleton] = field(default_factory=dict)
    #: Tags without a value that are not names of splits: classes of whole images, where there are no others.
    tags: list[str] = field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """Of objects, or of whole images in a project that only has such."""
        return list(self.shapes) or self.tags


def is_meta(file: Path) -> bool:
    """Whether a file is a `meta.json` of Supervisely, also of a project that cannot be trained on."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    if not isinstance(content, dict):
        return False
    classes = content.get("classes")
    titled = isinstance(classes, list) and any(isinstance(one, dict) and "title" in one for one in classes)
    return "projectType" in content or titled


def read_meta(file: Path) -> Meta:
    """Read it; `DataError` for what is not one, or of a project that no trainer here can train on."""
    try:
        content = load(file)
        _check_type(content)
        meta = Meta()
        for index, one in enumerate(list_in(content, "classes")):
            _add_class(meta, one, f"class {index + 1}")
        meta.tags = [*dict.fromkeys(filter(None, map(_class_of_images, list_in(content, "tags", []))))]
    except Wrong as error:
        raise DataError(f"{file} {error}") from error
    if not meta.classes:
        raise DataError(
            f"{file} has no classes (classes: []) and no tags to take for them, so there is nothing to learn"
        )
    return meta


def load(file: Path) -> dict[str, Any]:
    """The object in a json file; `Wrong` where there is none."""
    try:
        content = json.loads(file.read_bytes())
    except RecursionError as error:
        raise Wrong("cannot be read: it is nested too deeply") from error
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise Wrong(f"cannot be read: {words}") from error
    if not isinstance(content, dict):
        raise Wrong(f"is {shown(content)}, and must be an object")
    return content


def list_in(content: dict[str, Any], name: str, default: list[Any] | None = None) -> list[Any]:
    """The list that an object has under a name."""
    value = content.get(name, default)
    if not isinstance(value, list):
        raise Wrong(
            f"has {shown(value)} as {name}, which must be a list" if name in content else f"has no list of {name}"
        )
    return value


def text_of(value: object, what: str) -> str:
    """Text that is not empty, and that can be written again."""
    if not isinstance(value, str) or not value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise Wrong(f"has {shown(value)} as {what}, which must be text")
    return value


def shown(value: object) -> str:
    """A value in a sentence: as it is where that is short."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if value is None:
        return "nothing"
    if isinstance(value, int) and abs(value) > 10**20:
        return "a very large number"
    return repr(value if not isinstance(value, str) else value[:80])


def _check_type(content: dict[str, Any]) -> None:
    kind = content.get("projectType")
    if isinstance(kind, str) and kind in _OTHER_TYPES:
        raise Wrong(f"describes a project of {_OTHER_TYPES[kind]}: only a project of images can be trained on")
    if kind is not None and kind != "images":
        raise Wrong(f"has the projectType {shown(kind)}: only a project of images can be trained on")
    settings = content.get("projectSettings")
    if isinstance(settings, dict) and settings.get("labelingInterface") == "multispectral":
        raise Wrong(
            "describes a multispectral project, whose images are the channels of one: no trainer here joins them"
        )


def _add_class(meta: Meta, one: object, where: str) -> None:
    if not isinstance(one, dict):
        raise Wrong(f"has {shown(one)} as {where}, which must be an object with title and shape")
    title = text_of(one.get("title"), f"title of {where}")
    shape = text_of(one.get("shape"), f"shape of the class {title}")
    if title in meta.shapes:
        raise Wrong(f"has two classes called {title}")
    meta.shapes[title] = shape
    config = one.get("geometry_config")
    if shape == "graph" or (shape == "any" and isinstance(config, dict) and config.get("nodes")):
        meta.skeletons[title] = _skeleton(config, title, shape)


def _class_of_images(tag: object) -> str | None:
    if not isinstance(tag, dict) or tag.get("value_type") != "none":
        return None
    name = text_of(tag.get("name"), "name of a tag")
    return None if split_name(name) else name


def _skeleton(config: object, title: str, shape: str) -> Skeleton:
    nodes = config.get("nodes") if isinstance(config, dict) else None
    if not isinstance(nodes, dict) or not nodes:
        raise Wrong(f"has no nodes in the geometry_config of {title}, whose shape is {shape}")
    # A project of the web application calls nodes by ids, and has what people call them beside.
    labels = [node.get("label") if isinstance(node, dict) else None for node in nodes.values()]
    named = all(isinstance(label, str) and label for label in labels) and len(set(labels)) == len(labels)
    names = [text_of(name, f"name of a node of {title}") for name in (labels if named else nodes)]
    return Skeleton(tuple(nodes), tuple(names))
