"""What the trainer's pages show: predictions, pseudo-labels and attention on validation images, IoU by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from epochal import ui
from epochal.ui.encoded_images import EncodedImages

if TYPE_CHECKING:
    from torch import Tensor

MOST_IMAGES = 8
#: Of an image, those that cover the most of it: each is a file.
MOST_CLASSES = 12
#: The longer side of a mask in pixels: the page stretches it over the image.
MASK_SIDE = 320
#: As `domains.IGNORED`: a pixel without a class. A manifest is made without numpy, which that needs.
_IGNORED = 255


class SegmentationPages:
    """Keeps of a validation what is shown of its first images."""

    def __init__(self) -> None:
        self._predictions = ui.ImageGrid("Predictions on validation images", id="predictions")
        self._pseudo = ui.ImageGrid("The teacher's labels of the same images", id="pseudo-labels")
        self._labels = ui.ImageGrid("Labels of the same images", id="labels")
        self._attention = ui.ImageGrid("Where the detail counts: white is 1", id="attention")
        self._iou = ui.BarChart("Intersection over union by class", y="IoU", id="iou")
        self._confusion = ui.ConfusionMatrix("Pixels of validation images", id="confusion")
        tabs = {
            "Predictions": [self._predictions],
            "Pseudo-labels": [self._pseudo],
            "Labels": [self._labels],
            "Attention": [self._attention],
        }
        self.layout = ui.Container([ui.Tabs(tabs), ui.Container([self._iou, self._confusion], columns=2)])
        self._images = EncodedImages()
        self.begin([])

    def begin(self, classes: Sequence[str]) -> None:
        """A validation begins, maybe again."""
        self._classes = list(classes)
        self._shown: dict[ui.ImageGrid, list[ui.MarkedImage]] = {}

    def add(
        self,
        name: str,
        image: Tensor,
        labels: Tensor,
        predicted: Tensor,
        pseudo: Tensor | None,
        attention: Tensor | None,
    ) -> None:
        """An image (3, H, W) as bytes, with its classes (H, W) and its attention (H, W) in 0 … 1."""
        if len(self._shown.get(self._predictions, [])) >= MOST_IMAGES:
            return
        photo = self._images.of(name, image)
        for grid, map_ in ((self._predictions, predicted), (self._pseudo, pseudo), (self._labels, labels)):
            if map_ is not None:
                self._shown.setdefault(grid, []).append(ui.MarkedImage(photo, name, self._masks(map_)))
        if attention is not None:
            grey = _small(attention).float().clip(0, 1)
            self._shown.setdefault(self._attention, []).append(ui.MarkedImage(grey, name))

    def show(self, counts: Tensor, metrics: dict[str, float]) -> None:
        """The validation is complete: its pixels, by what is and what was predicted, and its metrics."""
        for grid, images in self._shown.items():
            grid.show(images)
        found = {name: metrics.get(f"IoU_{name}") for name in self._classes}
        self._iou.show({name: value for name, value in found.items() if value is not None})
        self._confusion.show_counts(counts, self._classes)

    def _masks(self, classes: Tensor) -> list[ui.Mask]:
        small = _small(classes)
        numbers, pixels = small.unique(return_counts=True)
        by_area = sorted(zip(pixels.tolist(), numbers.tolist(), strict=True), reverse=True)
        kept = [number for _, number in by_area if number != _IGNORED][:MOST_CLASSES]
        return [ui.Mask(small == number, self._classes[int(number)]) for number in kept]


def _small(map_: Tensor) -> Tensor:
    step = -(-max(map_.shape) // MASK_SIDE)
    return map_[::step, ::step]
