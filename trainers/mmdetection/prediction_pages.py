"""What the trainer's pages show: predictions on validation images, and how each class is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from epochal import ui
from epochal.ui.encoded_images import EncodedImages

#: Predictions below it are not shown, nor counted: mmdet's own for images.
SCORE = 0.3
MOST_IMAGES = 16
MOST_OBJECTS = 30
#: Of the objects of an image: a mask is a file.
MOST_MASKS = 8
#: The longer side of a mask in pixels.
MASK_SIDE = 160
#: What mmdet's metrics are called that are of one class.
_PREFIX, _SUFFIX = "coco/", "_precision"


class PredictionPages:
    """Sees each batch that is validated, and keeps counts of all of them and the first images."""

    def __init__(self) -> None:
        self._predictions = ui.ImageGrid("Predictions on validation images", id="predictions")
        self._precision = ui.BarChart("Average precision by class", y="AP over IoU 0.5 to 0.95", id="precision")
        self._objects = ui.BarChart("Objects of the validation images", y="objects", id="objects")
        below = ui.Container([self._precision, self._objects], columns=2)
        self.layout = ui.Container([self._predictions, below])
        self._images = EncodedImages()
        self.begin()

    def begin(self) -> None:
        """A validation begins, maybe again."""
        self._shown: list[ui.MarkedImage] = []
        #: By class number.
        self._labelled: dict[int, int] = {}
        self._found: dict[int, int] = {}

    def add(self, samples: list[Any], classes: list[str]) -> None:
        """A batch: what mmdet says of its images, with their labels where its pipeline keeps them."""
        for sample in samples:
            predicted = sample.pred_instances
            is_likely = predicted.scores > SCORE
            found = _numbers(predicted.labels[is_likely])
            labelled = _numbers(sample.gt_instances.labels) if "gt_instances" in sample else []
            for counts, numbers in ((self._found, found), (self._labelled, labelled)):
                for number in numbers:
                    counts[number] = counts.get(number, 0) + 1
            path = sample.get("img_path")  # a config may leave it out
            if path and len(self._shown) < MOST_IMAGES:
                caption = f"{Path(path).name}: {len(found)} found, {len(labelled)} labelled"
                # Masks are large: those of the other images stay where they are.
                marks = _marks(predicted[is_likely], classes)
                self._shown.append(ui.MarkedImage(self._images.of(path, path), caption, marks))

    def show(self, metrics: dict[str, Any], classes: list[str]) -> None:
        """The validation is complete."""
        self._predictions.show(self._shown)
        by_class = {name: metrics.get(f"{_PREFIX}{name}{_SUFFIX}") for name in classes}
        self._precision.show({name: value for name, value in by_class.items() if value is not None})
        parts = {"labelled": self._labelled, "found": self._found}
        counts = {name: {part: of.get(number, 0) for part, of in parts.items()} for number, name in enumerate(classes)}
        self._objects.show(dict(sorted(counts.items(), key=lambda one: -one[1]["labelled"])))


def _numbers(labels: Any) -> list[int]:
    return [int(number) for number in labels.tolist()]


def _marks(predicted: Any, classes: list[str]) -> list[Any]:
    """The surest objects of an image, in its pixels."""
    marks: list[Any] = []
    order = predicted.scores.argsort(descending=True)[:MOST_OBJECTS].tolist()
    for place, index in enumerate(order):
        left, top, right, bottom = predicted.bboxes[index].tolist()
        name, score = classes[int(predicted.labels[index])], float(predicted.scores[index])
        marks.append(ui.Box(left, top, right - left, bottom - top, name, score))
        if "masks" in predicted and place < MOST_MASKS:
            mask = predicted.masks[index]
            step = -(-max(mask.shape) // MASK_SIDE)  # the page stretches it over the image
            marks.append(ui.Mask(mask[::step, ::step].cpu(), name, score))
    return marks
