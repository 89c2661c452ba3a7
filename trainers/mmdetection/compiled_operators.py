"""Which of mmcv's compiled operators a config needs, and whether they are there. Told without importing torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: What a config may name that runs by mmcv's compiled operators alone.
_COMPILED_ONLY = {
    "BorderAlign",
    "BRPool",
    "CARAFE",
    "CornerPool",
    "DCN",
    "DCNv2",
    "DeformConv",
    "DeformConv2d",
    "DeformConv2dPack",
    "DeformRoIPool",
    "DeformRoIPoolPack",
    "GuidedAnchorHead",
    "MaskedConv2d",
    "ModulatedDeformConv2d",
    "ModulatedDeformConv2dPack",
    "ModulatedDeformRoIPoolPack",
    "PrRoIPool",
    "RoIPool",
    "carafe",
    "soft_nms",
}
#: These have a slow way for CPUs, written in torch.
_COMPILED_ON_GPU = {"MultiScaleDeformableAttention"}


def are_compiled() -> bool:
    """Whether mmcv with its compiled operators is installed."""
    # Not by the module's own spec: to find it, Python would import mmcv, and torch with it.
    spec = importlib.util.find_spec("mmcv")
    places = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    return any(any(place.glob("_ext.*")) for place in places)


def missing(config: Any, on_gpu: bool) -> list[str]:
    """Names in the config that cannot run with the stand-in."""
    names = _COMPILED_ONLY | (_COMPILED_ON_GPU if on_gpu else set())
    return sorted({name for name in _types(config) if name in names})


def use_torchvision(config: Any) -> None:
    """RoIAlign has torchvision's built in: choose it."""
    if isinstance(config, dict):
        if config.get("type") == "RoIAlign":
            config["use_torchvision"] = True
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        for part in config:
            use_torchvision(part)


def _types(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if isinstance(config.get("type"), str):
            yield config["type"].rsplit(".", 1)[-1]
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        for part in config:
            yield from _types(part)
