"""Validation: windows over whole images, intersection over union, and images for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from daformer_head import resized
from metrics import ConfusionMatrix
from multi_resolution import Inferred, MultiResolutionNetwork
from sample_images import file_of, palette, side_by_side
from segmentation_pages import SegmentationPages
from sliding_window import slide
from torch import Tensor

if TYPE_CHECKING:
    import epochal
    from epochal.pytorch import Torch


def predict(network: MultiResolutionNetwork, images: Tensor, window: int) -> Inferred:
    """Whole images by windows that overlap by a half, as HRDA's implementation tests; mean of their logits."""

    def of_window(crops: Tensor) -> Tensor:
        return torch.cat(network.infer(crops), dim=1)

    maps = slide(images, window, window // 2, of_window)
    return Inferred(maps[:, :-1], maps[:, -1:])


class Validation:
    """Validates one network, and shows what another says of the same images."""

    def __init__(
        self,
        app: epochal.Application,
        torch_: Torch,
        classes: list[str],
        pages: SegmentationPages,
        *,
        window: int,
        images: int,
    ) -> None:
        self._app = app
        self._torch = torch_
        self._classes = classes
        self._pages = pages
        self._window = window
        self._colours = palette(classes)
        self._images = images if torch_.processes.rank == 0 else 0

    def run(
        self, batches: Any, network: MultiResolutionNetwork, labeller: MultiResolutionNetwork | None, epoch: int
    ) -> dict[str, float]:
        """The metrics of an epoch. `labeller` makes the pseudo-labels that are shown: the teacher."""
        confusion = ConfusionMatrix(self._classes)
        self._pages.begin(self._classes)
        shown = 0
        for batch in self._app.validation_batches(batches):
            images = self._torch.to_device(batch["images"]).float() / 255
            inferred = self._predicted(network, images)
            labels = batch["labels"]
            predicted = resized(inferred.logits, labels.shape[-2:]).argmax(dim=1).cpu()
            confusion.add(predicted, labels)
            self._app.log({"mIoU": confusion.metrics["mIoU"]})
            for index, name in enumerate(batch["names"]):
                if shown < self._images:
                    shown += 1
                    pseudo = None
                    if labeller is not None:
                        pseudo = self._predicted(labeller, images[index : index + 1]).logits.argmax(dim=1)[0].cpu()
                    maps = [labels[index], *([] if pseudo is None else [pseudo]), predicted[index]]
                    attention = inferred.attention[index, 0].cpu() if network.detail_size else None
                    self._keep(batch["images"][index], maps, attention, name, epoch)
                    self._pages.add(name, batch["images"][index], labels[index], predicted[index], pseudo, attention)
        confusion.gather(lambda counts: self._torch.processes.sum(counts, self._torch.device))
        metrics = confusion.metrics
        self._pages.show(confusion.counts, metrics)
        return metrics

    def _predicted(self, network: MultiResolutionNetwork, images: Tensor) -> Inferred:
        with torch.no_grad(), self._torch.autocast():
            return predict(network, images, self._window)

    def _keep(self, image: Tensor, maps: list[Tensor], attention: Tensor | None, name: str, epoch: int) -> None:
        path = file_of(Path(self._app.get_synced_data_dir()), name, epoch)
        path.parent.mkdir(parents=True, exist_ok=True)
        side_by_side(image, maps, attention, self._colours).save(path)
