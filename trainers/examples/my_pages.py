# /// script
# requires-python = ">=3.10"
# dependencies = ["pydantic>=2.7,<3", "numpy>=1.26,<3"]
# ///
"""Softmax regression on small drawings, with pages of its own: every widget that there is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import epochal
from epochal import ui

if TYPE_CHECKING:
    import numpy as np

SIZE, CLASSES = 24, ["square", "bar", "cross"]


class Parameters(epochal.Parameters):
    """What can be set."""

    learning_rate: float = epochal.parameter(0.01, gt=0, le=1, title="Learning rate", description="Size of a step")
    schedule: Literal["constant", "falling"] = epochal.parameter(
        "constant", title="Schedule", description="Whether the learning rate stays or falls"
    )
    half_life: int = epochal.parameter(
        2, ge=1, title="Half-life", unit="epochs", description="After how many epochs it has fallen to a half"
    )


form = ui.Container(
    [
        ui.Text("Drawings are made anew for each run: there is no data set to choose."),
        ui.Card(
            [ui.Fields(["learning_rate", "schedule"]), ui.Field("half_life", when={"schedule": "falling"})],
            title="Steps",
        ),
    ]
)

images = ui.ImageGrid("Validation drawings", classes=CLASSES)
confusion = ui.ConfusionMatrix("Confusion", classes=CLASSES)
precision = ui.PrCurve("Precision and recall")
worst = ui.Table("Least certain", columns=["drawing", "right", "predicted", "certainty"])
losses = ui.LineChart("Loss of batches", x="batch", y="cross-entropy")
certainty = ui.Histogram("Certainty", x="probability of the predicted class")
points = ui.ScatterChart("Size and certainty", x="pixels drawn", y="certainty")
balance = ui.BarChart("Class balance", y="drawings")
weights_map = ui.HeatMap("Weights of the first class")
mean = ui.Image("Mean drawing")
denoised = ui.ImagePair("A drawing, and what the weights see in it")
done = ui.Progress("Right in the last epoch")
status = ui.Alert()
summary = ui.Markdown()
report = ui.Html(title="Report", height=80)

layout = ui.Container(
    [
        ui.Text("Drawings of three kinds, 24 × 24 pixels each."),
        status,
        ui.Tabs(
            {
                "Predictions": [images, worst],
                "Quality": [ui.Container([confusion, precision, certainty, points], columns=2), done],
            }
        ),
        ui.Card([losses, balance, weights_map, mean], title="Training", columns=2),
        ui.Collapse([denoised, summary, report], title="Details"),
    ]
)

trainer = epochal.Trainer(
    name="my_pages",
    title="My pages",
    description="Softmax regression on generated drawings, which shows what it does.",
    parameters=Parameters,
    metrics=[epochal.Metric("accuracy", "Part of the validation drawings that got the right class")],
    best=("accuracy", "max"),
    layout=layout,
    form=form,
)


@trainer.train
def train(app: epochal.Application) -> None:
    import numpy as np

    parameters: Parameters = app.parameters
    drawings, classes = draw(np.random.default_rng(app.seed), 400)
    flat = drawings.reshape(len(drawings), -1)
    weights = np.zeros((flat.shape[1], len(CLASSES)))

    def load(folder: Path) -> None:
        weights[...] = epochal.load_arrays(folder / "weights.npz")["weights"]

    app.state(save=lambda folder: epochal.save_arrays(folder / "weights.npz", {"weights": weights}), load=load)
    balance.show({name: int((classes == index).sum()) for index, name in enumerate(CLASSES)})
    mean.show(drawings.mean(axis=0), caption="Mean of all drawings")

    for epoch in app.epochs():
        batch_losses = []
        halved = (epoch - 1) // parameters.half_life if parameters.schedule == "falling" else 0
        rate = parameters.learning_rate * 0.5**halved
        for chosen in app.batches(app.shuffled_batches(300, 20)):
            rows = np.array(chosen) + 100
            probabilities = softmax(flat[rows] @ weights)
            batch_losses.append(-np.log(probabilities[np.arange(len(rows)), classes[rows]]).mean())
            probabilities[np.arange(len(rows)), classes[rows]] -= 1
            weights -= rate * flat[rows].T @ probabilities / len(rows)

        probabilities = softmax(flat[:100] @ weights)
        predicted, certain = probabilities.argmax(axis=1), probabilities.max(axis=1)
        right = predicted == classes[:100]

        images.show(marked(drawings[i], CLASSES[predicted[i]], certain[i]) for i in range(8))
        confusion.show(wanted=classes[:100], predicted=predicted)
        precision.show({name: curve(probabilities[:, k], classes[:100] == k) for k, name in enumerate(CLASSES)})
        worst.show([[int(i), CLASSES[classes[i]], CLASSES[predicted[i]], certain[i]] for i in certain.argsort()[:10]])
        losses.show({"loss": batch_losses})
        certainty.show(certain)
        points.show({name: (flat[:100].sum(axis=1)[classes[:100] == k], certain[classes[:100] == k])
                     for k, name in enumerate(CLASSES)})  # fmt: skip
        weights_map.show(weights[:, 0].reshape(SIZE, SIZE))
        denoised.show(drawings[0], drawings[0] * (weights[:, classes[0]].reshape(SIZE, SIZE) > 0))
        done.show(int(right.sum()), len(right), f"epoch {epoch} of {app.planned_epochs}")
        status.show("Every drawing is right." if right.all() else "", color="success")
        summary.show(f"**{right.mean():.0%}** right after epoch {epoch}, by `softmax`.")
        report.show(f"<h3 style='color: teal'>{right.mean():.0%} right</h3>")
        app.end_epoch({"accuracy": right.mean()})


def draw(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with a square, a bar or a cross in it."""
    import numpy as np

    drawings, classes = random.random((count, SIZE, SIZE)) * 0.6, random.integers(len(CLASSES), size=count)
    for drawing, kind in zip(drawings, classes, strict=True):
        square, cross = np.ones((8, 8)), np.eye(8) + np.eye(8)[::-1]
        drawing[8:16, 8:16] += 0.4 * [square, square * (np.arange(8) < 3), cross][kind]
    return drawings, classes


def marked(drawing: np.ndarray, name: str, score: float) -> ui.MarkedImage:
    """A drawing with all marks that there are."""
    return ui.MarkedImage(
        drawing,
        caption=f"taken for {name}",
        marks=[
            ui.Box(8, 8, 8, 8, name, score),
            ui.Mask(drawing > 0.7, name),
            ui.Polygon([(4, 4), (20, 4), (12, 8)], name),
            ui.Keypoints([(8, 8), (16, 8), (16, 16)], links=[(0, 1), (1, 2)], class_=name),
        ],
    )


def curve(scores: np.ndarray, is_right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall, from the most certain to the least."""
    import numpy as np

    hits = np.cumsum(is_right[(-scores).argsort()])
    return hits / np.arange(1, len(hits) + 1), hits / max(1, hits[-1])


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities of classes."""
    import numpy as np

    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    epochal.main(trainer)
