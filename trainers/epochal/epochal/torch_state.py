"""Weights and training state of PyTorch objects on disk. torch and safetensors are imported when they are used."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from epochal import schedules
from epochal.errors import SetUpError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from epochal.application import Application

WEIGHTS = "weights.safetensors"
#: Optimizers, schedules, scalers: whatever has a `state_dict`, by name.
TRAINING = "training.pt"


class Stateful(Protocol):
    """Anything of PyTorch that resumes from a dictionary: an optimizer, a scheduler, a scaler, a metric."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


def bare(model: nn.Module) -> nn.Module:
    """The module within DistributedDataParallel, DataParallel or torch.compile, whose names carry no prefix."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and type(model).__name__ in ("DistributedDataParallel", "DataParallel"):
            inner = model.module
        if inner is None:
            return model
        model = inner


def save_weights(model: nn.Module, path: Path) -> None:
    """Write parameters and buffers as safetensors: equal weights give equal bytes, so equal sha256.

    Tensors that share memory (tied weights) are written once, under the first of their names.
    """
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {}
    written = set()
    for name, tensor in _first_names(bare(model).state_dict()).items():
        copy = tensor.detach().to("cpu").contiguous()
        place = copy.untyped_storage().data_ptr()
        tensors[name] = copy.clone() if place in written else copy  # a view of another one
        written.add(place)
    # One entry only: safetensors writes several in an order that changes from process to process.
    save_file(tensors, path, metadata={"format": "pt"})


def load_weights(model: nn.Module, path: Path) -> None:
    """Copy weights into `model`; `SetUpError` names the first tensor that is not there, or has another shape."""
    from safetensors.torch import load_file

    model = bare(model)
    wanted = model.state_dict()
    needed = _first_names(wanted)
    try:
        saved = load_file(path)
    except Exception as error:  # safetensors has an error of its own for every damage
        raise SetUpError(f"the weights {path} cannot be read: {error}") from error
    for name in sorted({*needed, *saved}):
        if name not in saved:
            raise SetUpError(f"the weights {path} are of another model: they have no {name}")
        if name not in wanted:
            raise SetUpError(f"the weights {path} are of another model: this one has no {name}")
        if saved[name].shape != wanted[name].shape:
            shapes = f"{list(saved[name].shape)} instead of {list(wanted[name].shape)}"
            raise SetUpError(f"the weights {path} are of another model: {name} has the shape {shapes}")
    missing, _ = model.load_state_dict(saved, strict=False)
    shared = {_memory(wanted[name]) for name in saved}
    for name in missing:
        if _memory(wanted[name]) not in shared:
            raise SetUpError(f"the weights {path} are of another model: they have no {name}")


def save_training(parts: dict[str, Stateful], path: Path) -> None:
    """Write the state of optimizers, schedules and scalers."""
    import torch

    torch.save({name: part.state_dict() for name, part in parts.items()}, path)


def load_training(parts: dict[str, Stateful], path: Path, app: Application | None = None) -> None:
    """The opposite of `save_training`. Nothing in the file is executed; `SetUpError` where it does not fit.

    In an `app` that was extended, schedules continue as those of the new length.
    """
    import torch

    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise SetUpError(f"the training state {path} cannot be read: {error}") from error
    if set(saved) != set(parts):
        has, needs = ", ".join(sorted(saved)) or "nothing", ", ".join(sorted(parts)) or "nothing"
        raise SetUpError(f"the training state {path} has {has}; this trainer needs {needs}")
    scheduled = [name for name, part in parts.items() if schedules.is_schedule(part)]
    states = [saved[name] for name in scheduled]
    with schedules.over_new_total(app, [parts[name] for name in scheduled], states) if app else nullcontext():
        for name, part in parts.items():
            try:
                part.load_state_dict(saved[name])
            except (ValueError, KeyError, RuntimeError) as error:
                raise SetUpError(f"the state of {name} in {path} does not fit: {error}") from error


def _first_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every memory once, under its first name in the order of names."""
    found: dict[Any, str] = {}
    for name in sorted(tensors):
        found.setdefault(_memory(tensors[name]) if tensors[name].numel() else name, name)
    return {name: tensors[name] for name in found.values()}


def _memory(tensor: Tensor) -> tuple[Any, ...]:
    """What two names of one tensor have in common."""
    return tensor.device, tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype
