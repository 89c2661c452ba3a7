"""Pages of a trainer that tells classes of images: which class is taken for which, and the worst mistakes.

    pages = ClassificationPages(["cat", "dog"])
    trainer = epochal.Trainer(..., layout=pages.layout)

and in each validation `pages.begin()`, for its batches `pages.add(logits, wanted, images)`, and at last `pages.show()`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from epochal import ui
from epochal.ui.values import array

#: What every process has, by rank.
Gather = Callable[[Any], list[Any]]


class ClassificationPages:
    """Keeps of a validation two numbers per image, and the images that are shown."""

    def __init__(self, classes: Sequence[str], *, images: int = 12) -> None:
        """`images`: how many mistakes are shown, those made with the most certainty."""
        self._classes = list(classes)
        self._most = images
        self._confusion = ui.ConfusionMatrix("Confusion on validation images", classes=classes, id="confusion")
        self._mistakes = ui.ImageGrid("Wrong with the most certainty", id="mistakes")
        words = ui.Text("What the network makes of the validation images after each epoch.")
        self.layout = ui.Container([words, self._mistakes, self._confusion])
        self.begin()

    def begin(self) -> None:
        """A validation begins, maybe again."""
        self._wanted: list[int] = []
        self._predicted: list[int] = []
        #: Certainty, image and caption, the worst first.
        self._worst: list[tuple[float, Any, str]] = []

    def add(self, logits: Any, wanted: Any, images: Any) -> None:
        """A batch: scores (N, classes) before softmax, class numbers (N,), and what has each of its images by index."""
        scores, numbers = _array(logits), _array(wanted)
        rows = range(len(scores))
        predicted = scores.argmax(axis=1)
        certainty = _softmax(scores)[rows, predicted]
        self._wanted += [int(number) for number in numbers]
        self._predicted += [int(number) for number in predicted]
        wrong = [row for row in rows if predicted[row] != numbers[row]]
        # Only those that may be shown are copied.
        for row in sorted(wrong, key=lambda one: -certainty[one])[: self._most]:
            caption = f"{self._name(numbers[row])} taken for {self._name(predicted[row])}, {certainty[row]:.0%} certain"
            self._worst.append((float(certainty[row]), _array(images[row]).copy(), caption))
        self._worst = sorted(self._worst, key=lambda one: -one[0])[: self._most]

    def show(self, gather: Gather = lambda own: [own]) -> None:
        """The validation is complete. Of several processes each calls this, with `app.ranks.gather`."""
        parts = gather((self._wanted, self._predicted, self._worst))
        worst = sorted((one for part in parts for one in part[2]), key=lambda one: -one[0])[: self._most]
        wanted, predicted = ([number for part in parts for number in part[index]] for index in (0, 1))
        self._confusion.show(wanted=wanted, predicted=predicted)
        self._mistakes.show([ui.MarkedImage(image, caption) for _, image, caption in worst])

    def _name(self, number: Any) -> str:
        return self._classes[int(number)]


def _array(values: Any) -> Any:
    import numpy as np

    return np.asarray(array(values))


def _softmax(scores: Any) -> Any:
    import numpy as np

    exponentials = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
