"""Where a config is: in mmdet's package by its name, or a file. Found without importing mmdet, which takes long."""

from __future__ import annotations

import difflib
import importlib.util
from pathlib import Path


def package_configs() -> Path | None:
    """The folder of the configs that come with mmdet."""
    spec = importlib.util.find_spec("mmdet")
    places = [Path(place, ".mim", "configs") for place in (spec.submodule_search_locations or [])] if spec else []
    return next((place for place in places if place.is_dir()), None)


def find_config(config: str) -> Path | None:
    """The file of a config given by its name or path; None if there is none."""
    path = Path(config).expanduser()
    if path.suffix == ".py" and path.is_file():
        return path
    folder = package_configs()
    if folder is None:
        return None
    name = config.removesuffix(".py")
    if "/" in name:
        file = folder / f"{name}.py"
        return file if file.is_file() else None
    return next(iter(sorted(folder.glob(f"*/{name}.py"))), None)


def config_problem(config: str) -> str | None:
    """Why `config` cannot be used, as a clause."""
    if find_config(config):
        return None
    folder = package_configs()
    if folder is None:
        return "is not a file, and mmdet with its configs is not installed"
    names = sorted({file.stem for file in folder.glob("*/*.py")})
    near = difflib.get_close_matches(config.removesuffix(".py").split("/")[-1], names, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"is neither a config file on this worker nor one of the {len(names)} configs of mmdet{hint}"
