"""One iteration: learn from the source, label the target, learn from a mix of both.

HRDA (arXiv 2204.13132) trains as DAFormer (arXiv 2111.14887, section 3) and DACS (arXiv 2007.08702, section 3) do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from class_mix import StrongAugmentation, class_masks, mixed
from epochal.torch_parts import parts_of
from epochal.torch_state import bare
from feature_distance import thing_distance
from losses import IGNORED, multi_resolution_loss
from multi_resolution import DetailBox, MultiResolutionNetwork
from self_training import pseudo_labels, teacher_decay, update_teacher
from torch import Tensor, nn

if TYPE_CHECKING:
    from epochal.pytorch import Torch
    from parameters import Parameters

Batch = dict[str, Tensor]


class Adaptation:
    """The student's steps, and the teacher that follows it."""

    def __init__(
        self,
        torch_: Torch,
        parameters: Parameters,
        model: nn.Module,
        teacher: MultiResolutionNetwork | None,
        optimizer: torch.optim.Optimizer,
        *,
        classes: int,
        parts: int = 1,
        class_weights: Callable[[], Tensor | None] = lambda: None,
        pretrained: nn.Module | None = None,
        things: Tensor | None = None,
    ) -> None:
        """`model` may be wrapped for several processes. `parts`: what a batch is computed in, after out-of-memory.

        `pretrained` is the frozen encoder of the feature distance over the classes `things`; None: none.
        """
        self._torch = torch_
        self._parameters = parameters
        self._model = model
        self._student: MultiResolutionNetwork = bare(model)  # type: ignore[assignment]
        self._teacher = teacher
        self._optimizer = optimizer
        self._classes = classes
        self._parts = parts
        self._class_weights = class_weights
        self._pretrained = pretrained
        self._things = things
        self._strong = StrongAugmentation(
            parameters.color_jitter, parameters.color_jitter_probability, parameters.blur_probability
        )
        self._losses: dict[str, float] = {}

    def step(self, batch: Batch, iteration: int) -> dict[str, float]:
        """One step of the optimizer; its losses by name. `iteration` counts from 0 over the whole run."""
        self._losses = {}
        if self._teacher is not None:
            self._torch.processes.same_buffers(self._student)
            update_teacher(self._teacher, self._student, teacher_decay(iteration, self._parameters.teacher_decay))
        self._optimizer.zero_grad(set_to_none=True)
        passes = [self._source_loss] if self._teacher is None else [self._source_loss, self._mixed_loss]
        parts = parts_of(batch, self._parts)
        # Each pass goes backward before the next goes forward: one graph in memory at a time (HRDA's implementation).
        todo = [(part, share, loss_of) for part, share in parts for loss_of in passes]
        for number, (part, share, loss_of) in enumerate(todo, start=1):
            on_device = self._torch.to_device(part)
            with self._torch.processes.accumulating(number < len(todo)):
                with self._torch.autocast():
                    loss = loss_of(on_device, share) * share
                self._torch.scaler.scale(loss).backward()
        self._optimize()
        self._losses["train_loss"] = sum(
            self._losses.get(name, 0.0) for name in ("source_loss", "mixed_loss", "feature_loss")
        )
        return self._losses

    def _optimize(self) -> None:
        scaler = self._torch.scaler
        if self._parameters.clip_norm:
            scaler.unscale_(self._optimizer)
            nn.utils.clip_grad_norm_(self._model.parameters(), self._parameters.clip_norm)
        scaler.step(self._optimizer)
        scaler.update()

    def _source_loss(self, batch: Batch, share: float) -> Tensor:
        images, labels = batch["images"].float() / 255, batch["labels"].long()
        box = self._detail_box(images)
        segmented = self._model(images, box)
        loss = multi_resolution_loss(
            segmented, labels, box, self._parameters.detail_weight, class_weights=self._class_weights()
        )
        self._note("source_loss", loss, share)
        if self._pretrained is None or self._things is None:
            return loss
        with torch.no_grad():
            features = self._student.context_features(images, self._pretrained)
        distance = self._parameters.feature_distance * thing_distance(
            segmented.features, features, labels, self._things, self._classes
        )
        self._note("feature_loss", distance, share)
        return loss + distance

    def _mixed_loss(self, batch: Batch, share: float) -> Tensor:
        """DACS, section 3: student on strongly augmented mixes, teacher on plain target images."""
        assert self._teacher is not None
        images, labels = batch["images"].float() / 255, batch["labels"].long()
        target = batch["target"].float() / 255
        with torch.no_grad():
            wanted, quality = pseudo_labels(self._teacher.infer(target).logits, self._parameters.pseudo_threshold)
            weights = quality[:, None, None] * batch["trusted"]
            if self._parameters.class_mix:
                masks = class_masks(labels)
                target = mixed(masks, images, target)
                wanted = mixed(masks, labels, wanted)
                weights = mixed(masks, self._weights_of(labels), weights)
            target = self._strong(target)
        box = self._detail_box(target)
        loss = multi_resolution_loss(self._model(target, box), wanted, box, self._parameters.detail_weight, weights)
        self._note("mixed_loss", loss, share)
        self._note("pseudo_quality", quality.mean(), share)
        return loss

    def _weights_of(self, labels: Tensor) -> Tensor:
        """Weights of true labels (N, H, W). Pseudo-labels get none by class: what a teacher that was taught to look for
        rare classes takes for one is too often none, and would count for more each time.
        """
        by_class = self._class_weights()
        if by_class is None:
            return torch.ones(labels.shape, device=labels.device)
        return by_class[torch.where(labels == IGNORED, 0, labels)]

    def _detail_box(self, images: Tensor) -> DetailBox | None:
        """Drawn evenly among the places on the grid ("Context and Detail Crop")."""
        size, grid = self._student.detail_size, self._student.grid
        if size is None:
            return None
        top, left = (int(torch.randint((side - size) // grid + 1, ())) * grid for side in images.shape[-2:])
        return DetailBox(top, left, size)

    def _note(self, name: str, value: Tensor, share: float) -> None:
        self._losses[name] = self._losses.get(name, 0.0) + float(value.detach()) * share
