"""PyTorch in a plain training loop: devices, precision, batches and a state that continues exactly.

    from epochal.pytorch import Torch

    torch_ = Torch(app, device=parameters.device, precision=parameters.precision)
    model = torch_.model(make_model())
    torch_.state(model=model, optimizer=optimizer, scheduler=scheduler)
    batches = torch_.batches(train_set, parameters.batch_size, shuffle=True)
    for epoch in app.epochs():
        for batch in app.batches(batches):
            loss.add(torch_.step(batch, loss_of, optimizer))

torch is imported by `Torch(...)`, not by importing this module.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from epochal import torch_processes, torch_state
from epochal.errors import GpuMissing
from epochal.torch_batches import Batches
from epochal.torch_parts import parts_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from epochal.application import Application
    from epochal.averages import Average

Precision = Literal["float32", "float16", "bfloat16"]


class Torch:
    """What a training on PyTorch needs besides its model, its loss and its data."""

    def __init__(
        self,
        app: Application,
        *,
        device: str = "auto",
        precision: Precision = "float32",
        deterministic: bool = True,
    ) -> None:
        """Imports torch, chooses the device and seeds every generator.

        `device` is "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1" or "mps"; `GpuMissing` where it is not
        there. `precision` is that of the forward pass on a GPU; a CPU computes float16 as float32, and says so.
        `deterministic` asks torch for algorithms that sum in the same order every time, at some cost on a GPU.
        """
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the first GPU computation starts
        import torch

        self._app = app
        self.processes = torch_processes.join(app)
        self.device: torch.device = _device(device, self.processes.local_rank)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        if precision == "float16" and self.device.type == "cpu":
            app.note("float16 needs a GPU: this training computes in float32")
            precision = "float32"
        self.precision = precision
        if deterministic:
            torch.use_deterministic_algorithms(True, warn_only=True)
            torch.backends.cudnn.benchmark = False
        app.seed_everything()
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")

    # Model and state

    def model(self, model: nn.Module) -> nn.Module:
        """`model` on the device, and under several processes in DistributedDataParallel."""
        return self.processes.wrap(model.to(self.device), self.device)

    def state(self, model: nn.Module, **parts: Any) -> None:
        """Keep `model` and `parts` in every checkpoint; call it before `app.epochs()`.

        The model's weights are `weights.safetensors`. Another module (an average of the weights, a discriminator) is
        `<name>.safetensors`; what has a `state_dict` besides (optimizer, scheduler) goes into `training.pt`, with the
        gradient scaler of a float16 training. The shared random generators are the SDK's own part.
        """
        import torch

        modules = {name: part for name, part in parts.items() if isinstance(part, torch.nn.Module)}
        rest = {name: part for name, part in parts.items() if name not in modules and part is not None}
        if self.scaler.is_enabled():
            rest["gradient_scaler"] = self.scaler
        files = {torch_state.WEIGHTS: model, **{f"{name}.safetensors": module for name, module in modules.items()}}

        def save(folder: Path) -> None:
            for name, module in files.items():
                torch_state.save_weights(module, folder / name)
            torch_state.save_training(rest, folder / torch_state.TRAINING)

        def load(folder: Path) -> None:
            for name, module in files.items():
                torch_state.load_weights(module, folder / name)
            torch_state.load_training(rest, folder / torch_state.TRAINING, self._app)

        def load_weights(folder: Path) -> None:
            for name, module in files.items():
                if name == torch_state.WEIGHTS or (folder / name).exists():
                    torch_state.load_weights(module, folder / name)

        self._app.state(save=save, load=load, load_weights=load_weights)

    # Batches

    def batches(
        self,
        samples: Any,
        batch_size: int,
        *,
        shuffle: bool = True,
        drop_last: bool = False,
        workers: int = 0,
        collate: Callable[[list[Any]], Any] | None = None,
    ) -> Batches:
        """Training batches of a map-style data set for `app.batches`: see `Batches`."""
        return Batches(
            self._app,
            samples,
            batch_size,
            shuffle=shuffle,
            drop_last=drop_last,
            workers=workers,
            collate=collate,
            pin_memory=self.device.type == "cuda",
            rank=self.processes.rank,
            world_size=self.processes.count,
        )

    def validation_batches(self, samples: Any, batch_size: int, **options: Any) -> Batches:
        """Batches in the order of the data set, each sample once, for `app.validation_batches`."""
        return self.batches(samples, batch_size, shuffle=False, **options)

    def to_device(self, batch: Any) -> Any:
        """The tensors in `batch` (a tensor, or tuples, lists and dictionaries of them) on the device."""
        import torch

        if isinstance(batch, torch.Tensor):
            return batch.to(self.device, non_blocking=True)
        if isinstance(batch, Mapping):
            return {name: self.to_device(one) for name, one in batch.items()}
        if isinstance(batch, tuple) and hasattr(batch, "_fields"):
            return type(batch)(*map(self.to_device, batch))
        return type(batch)(map(self.to_device, batch)) if isinstance(batch, (list, tuple)) else batch

    # Computing

    def autocast(self) -> AbstractContextManager[Any]:
        """Compute in the training's precision within this block."""
        import torch

        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, getattr(torch, self.precision))

    def step(
        self,
        batch: Any,
        loss_of: Callable[[Any], Tensor],
        optimizer: torch.optim.Optimizer,
        *,
        clip_norm: float | None = None,
    ) -> Tensor:
        """One step of `optimizer` on `batch`; the mean loss before it, detached, on the device.

        `loss_of(part)` is the mean loss of a part of the batch. After out-of-memory the batch is computed in
        `app.batch_divisor` parts whose gradients add up to those of the whole, but for sums in another order and for
        layers that look at the whole batch (batch norm). `clip_norm` bounds the norm of the gradients.
        """
        optimizer.zero_grad(set_to_none=True)
        total: Tensor | None = None
        parts = parts_of(batch, self._app.batch_divisor)
        for number, (part, share) in enumerate(parts, start=1):
            with self.processes.accumulating(number < len(parts)):
                with self.autocast():
                    loss = loss_of(self.to_device(part)) * share
                self.scaler.scale(loss).backward()
            total = loss.detach() if total is None else total + loss.detach()
        assert total is not None
        if clip_norm is not None:
            import torch

            self.scaler.unscale_(optimizer)
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            torch.nn.utils.clip_grad_norm_(weights, clip_norm)
        self.scaler.step(optimizer)
        self.scaler.update()
        return total

    def evaluating(self, model: nn.Module) -> AbstractContextManager[nn.Module]:
        """`with torch_.evaluating(model) as bare_model:` in evaluation mode, without gradients, then as it was."""
        bare = torch_state.bare(model)
        self.processes.same_buffers(bare)
        return _evaluating(bare)

    def mean(self, average: Average) -> float:
        """The value of an `app.average` over all processes; each adds what it saw, and all get the same number."""
        total, count = self.processes.sum([average.total, average.count], self.device)
        return total / count if count else 0.0

    def memory(self) -> dict[str, float]:
        """`{"gpu_memory_bytes": the most that this process had allocated}` for `app.log`; nothing on a CPU."""
        import torch

        if self.device.type != "cuda":
            return {}
        return {"gpu_memory_bytes": float(torch.cuda.max_memory_allocated(self.device))}


def _evaluating(model: nn.Module) -> AbstractContextManager[nn.Module]:
    from contextlib import contextmanager

    @contextmanager
    def evaluating() -> Iterator[nn.Module]:
        import torch

        was_training = model.training
        model.eval()
        try:
            with torch.no_grad():
                yield model
        finally:
            model.train(was_training)

    return evaluating()


def _device(name: str, local_rank: int) -> torch.device:
    """The device with this name; `GpuMissing` where it is not there."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda":
        index = local_rank if device.index is None else device.index
        if not torch.cuda.is_available():
            raise GpuMissing(f"the device {name} was asked for, but torch finds no GPU here")
        if index >= torch.cuda.device_count():
            raise GpuMissing(f"GPU {index} was asked for, but there are {torch.cuda.device_count()}")
        return torch.device("cuda", index)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise GpuMissing("the device mps was asked for, but torch finds none here")
    return device
