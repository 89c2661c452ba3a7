"""What the trainer's pages show: predictions on validation images, curves, confusion, class balance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epochal import ui
from epochal.ui.encoded_images import EncodedImages

if TYPE_CHECKING:
    import numpy as np

#: Predictions below it are not shown, nor counted in the confusion matrix: ultralytics' own for both.
CONFIDENCE = 0.25
MOST_IMAGES = 16
MOST_OBJECTS = 30
#: Of the objects of an image: a mask is a file.
MOST_MASKS = 8
#: Of the 1,000 points of ultralytics' curves every tenth is shown.
EVERY = 10


class PredictionPages:
    """Sees each batch that is validated, and keeps counts of all of them and the first images."""

    def __init__(self) -> None:
        self._predictions = ui.ImageGrid("Predictions on validation images", id="predictions")
        self._confusion = ui.ConfusionMatrix("Confusion on validation images", id="confusion")
        self._balance = ui.BarChart("Class balance", y="objects, or images (classify)", id="class-balance")
        self._precision = ui.PrCurve("Precision and recall at an IoU of 0.5", id="precision-recall")
        self._f1 = ui.LineChart("F1 at an IoU of 0.5", x="confidence", y="F1", id="f1")
        curves = ui.Collapse([self._precision, self._f1], title="Curves of boxes", opened=True, columns=2)
        below = ui.Container([self._confusion, self._balance], columns=2)
        self.layout = ui.Container([self._predictions, curves, below])
        self._counts: Any = None
        self._shown: list[ui.MarkedImage] = []
        self._images = EncodedImages()

    # While it validates

    def watch(self, validator: Any, is_first: bool) -> None:
        """See what `validator` validates. Images are those of the process that `is_first`."""
        begin, update = validator.init_metrics, validator.update_metrics

        def init_metrics(model: Any) -> None:
            begin(model)
            self._begin(validator)

        def update_metrics(predictions: Any, batch: dict[str, Any]) -> None:
            update(predictions, batch)
            if validator.args.task == "classify":
                self._take_classes(validator, predictions, batch, is_first)
            else:
                self._take_objects(validator, predictions, batch, is_first)

        validator.init_metrics, validator.update_metrics = init_metrics, update_metrics

    def _begin(self, validator: Any) -> None:
        from ultralytics.utils.metrics import ConfusionMatrix

        # ultralytics fills its own in some epochs alone, where it plots.
        self._counts = ConfusionMatrix(names=validator.names, task=validator.args.task)
        self._shown = []

    def _take_classes(self, validator: Any, predictions: Any, batch: dict[str, Any], is_first: bool) -> None:
        scores, best = predictions.float().max(dim=1)
        wanted, best, scores = batch["cls"].cpu(), best.cpu(), scores.cpu()
        self._counts.process_cls_preds([best[:, None]], [wanted])
        for index in range(len(wanted)):
            if not is_first or len(self._shown) >= MOST_IMAGES:
                return
            name, taken = validator.names[int(wanted[index])], validator.names[int(best[index])]
            caption = f"{name}, taken for {taken} ({float(scores[index]):.0%})"
            number = f"image {len(self._shown) + 1}"
            self._shown.append(ui.MarkedImage(self._image(number, batch["img"][index]), caption))

    def _take_objects(
        self, validator: Any, predictions: list[dict[str, Any]], batch: dict[str, Any], is_first: bool
    ) -> None:
        import torch
        from ultralytics.utils.ops import xywh2xyxy

        height, width = batch["img"].shape[2:]
        of_image, classes = batch["batch_idx"].cpu(), batch["cls"].reshape(-1).cpu()
        boxes = xywh2xyxy(batch["bboxes"].cpu().float()) * torch.tensor([width, height, width, height])
        for index, predicted in enumerate(predictions):
            is_likely = predicted["conf"] > CONFIDENCE
            # Small, and all of it at once from the GPU.
            columns = [predicted["bboxes"], predicted["conf"][:, None], predicted["cls"][:, None]]
            rows = torch.cat([one.float() for one in columns], dim=1)[is_likely].cpu()
            found = {"bboxes": rows[:, :4], "conf": rows[:, 4], "cls": rows[:, 5]}
            is_own = of_image == index
            self._counts.process_batch(found, {"cls": classes[is_own], "bboxes": boxes[is_own]}, conf=CONFIDENCE)
            if is_first and len(self._shown) < MOST_IMAGES:
                file = str(batch["im_file"][index])
                marks = self._marks(validator.names, rows.tolist(), predicted, is_likely)
                caption = f"{Path(file).name}: {len(rows)} found, {int(is_own.sum())} labelled"
                self._shown.append(ui.MarkedImage(self._image(file, batch["img"][index]), caption, marks))

    def _image(self, name: str, image: Any) -> Any:
        # Batches of another shape have it with other edges.
        return self._images.of(f"{name} {tuple(image.shape)}", image)

    def _marks(
        self, names: dict[int, str], rows: list[list[float]], predicted: dict[str, Any], is_likely: Any
    ) -> list[Any]:
        """The surest objects of an image, in its pixels."""
        marks: list[Any] = []
        masks, points = (
            predicted[name][is_likely][:MOST_OBJECTS].cpu() if name in predicted else ()
            for name in ("masks", "keypoints")
        )
        for index, (left, top, right, bottom, score, number) in enumerate(rows[:MOST_OBJECTS]):
            name = names[int(number)]
            marks.append(ui.Box(left, top, right - left, bottom - top, name, score))
            if index < min(len(masks), MOST_MASKS):
                marks.append(ui.Mask(masks[index], name, score))
            if index < len(points):
                # One that is not visible has no place.
                places = [
                    (x, y) if not seen or seen[0] > 0.5 else (None, None) for x, y, *seen in points[index].tolist()
                ]
                marks.append(ui.Keypoints(places, class_=name, score=score))
        return marks

    # After it

    def show_balance(self, trainer: Any) -> None:
        """How many objects, or images, of each class there are to train and to validate with."""
        parts = {"train": trainer.train_loader.dataset, "val": trainer.test_loader.dataset}
        counts = {part: class_counts(dataset, trainer.args.task) for part, dataset in parts.items()}
        names = trainer.data["names"]
        numbers = sorted(names, key=lambda number: -counts["train"].get(number, 0))
        self._balance.show({names[one]: {part: of.get(one, 0) for part, of in counts.items()} for one in numbers})

    def show(self, validator: Any, gather: Any) -> None:
        """The validation is complete. Each process calls this."""
        counts = [one for one in gather(None if self._counts is None else self._counts.matrix) if one is not None]
        if not counts:
            return
        classes = list(validator.names.values())
        # Rows of ultralytics' are what was predicted.
        self._confusion.show_counts(sum(counts).T, [*classes, *["background"] * (len(counts[0]) - len(classes))])
        self._predictions.show(self._shown)
        box = getattr(validator.metrics, "box", None)
        if box is not None and len(box.ap_class_index):
            self._show_curves(validator, box)

    def _show_curves(self, validator: Any, box: Any) -> None:
        by_frequency = sorted(
            range(len(box.ap_class_index)),
            key=lambda row: -int(validator.metrics.nt_per_class[box.ap_class_index[row]]),
        )
        names = {row: validator.names[int(box.ap_class_index[row])] for row in by_frequency}
        x = box.px[::EVERY]
        precision, f1 = (_with_mean(values[:, ::EVERY], names) for values in (box.prec_values, box.f1_curve))
        ap = {"all classes": float(box.ap50.mean()), **{name: float(box.ap50[row]) for row, name in names.items()}}
        self._precision.show({name: (values, x) for name, values in precision.items()}, ap)
        self._f1.show(f1, x)


def _with_mean(values: np.ndarray, names: dict[int, str]) -> dict[str, np.ndarray]:
    return {"all classes": values.mean(axis=0), **{name: values[row] for row, name in names.items()}}


def class_counts(dataset: Any, task: str) -> dict[int, int]:
    """By class number, of one of ultralytics' data sets."""
    counts: dict[int, int] = {}
    for part in getattr(dataset, "datasets", [dataset]):
        for number in _class_numbers(part, task):
            counts[number] = counts.get(number, 0) + 1
    return counts


def _class_numbers(dataset: Any, task: str) -> Sequence[int]:
    if task == "classify":
        return [int(sample[1]) for sample in dataset.samples]
    return [int(number) for label in dataset.labels for number in label["cls"].reshape(-1)]
