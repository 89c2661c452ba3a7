# /// script
# requires-python = ">=3.10"
# dependencies = ["pydantic>=2.7,<3", "numpy>=1.26,<3"]
# ///
"""Softmax regression on points around a few centres: a whole trainer in one file."""

from pathlib import Path

import epochal


class Parameters(epochal.Parameters):
    """What can be set. Ranges, defaults and descriptions become the form, the check and the help."""

    samples: int = epochal.parameter(2000, ge=100, le=1_000_000, description="Points to generate", unit="points")
    classes: int = epochal.parameter(5, ge=2, le=100, description="Centres that the points lie around")
    learning_rate: float = epochal.parameter(0.1, gt=0, le=10, description="Step size of gradient descent")
    batch_size: int = epochal.parameter(50, ge=1, le=10_000, description="Points in a training batch", unit="points")


trainer = epochal.Trainer(
    name="my_trainer",
    title="My trainer",
    description="Softmax regression on generated points.",
    parameters=Parameters,
    metrics=[
        epochal.Metric("train_loss", "Mean cross-entropy over the epoch's training batches"),
        epochal.Metric("accuracy", "Part of the validation points that got the right class"),
    ],
    best=("accuracy", "max"),
    packages=["numpy"],
)


@trainer.train
def train(app: epochal.Application) -> None:
    import numpy as np  # here, not above: `describe` and `check` must answer quickly

    parameters: Parameters = app.parameters
    random = np.random.default_rng(app.seed)
    centres = random.normal(scale=4, size=(parameters.classes, 2))
    classes = random.integers(parameters.classes, size=parameters.samples)
    points = np.c_[centres[classes] + random.normal(size=(parameters.samples, 2)), np.ones(parameters.samples)]
    held_out = parameters.samples // 5
    weights = np.zeros((3, parameters.classes))
    velocity = np.zeros_like(weights)

    def save(folder: Path) -> None:
        epochal.save_arrays(folder / "weights.npz", {"weights": weights})
        epochal.save_arrays(folder / "optimizer.npz", {"velocity": velocity})

    def load_weights(folder: Path) -> None:
        weights[...] = epochal.load_arrays(folder / "weights.npz")["weights"]

    def load(folder: Path) -> None:
        load_weights(folder)
        velocity[...] = epochal.load_arrays(folder / "optimizer.npz")["velocity"]

    app.state(save=save, load=load, load_weights=load_weights)
    train_loss, accuracy = app.average("train_loss"), app.average("accuracy")

    with app.handle_stop(graceful=True):
        for _epoch in app.epochs():
            for chosen in app.batches(app.shuffled_batches(parameters.samples - held_out, parameters.batch_size)):
                rows = np.array(chosen) + held_out
                scores = points[rows] @ weights
                probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
                probabilities /= probabilities.sum(axis=1, keepdims=True)
                loss = -np.log(probabilities[np.arange(len(rows)), classes[rows]]).mean()
                probabilities[np.arange(len(rows)), classes[rows]] -= 1
                velocity[...] = 0.9 * velocity - parameters.learning_rate * points[rows].T @ probabilities / len(rows)
                weights += velocity
                train_loss.add(loss, len(rows))
                app.log({"train_loss": loss})

            for start in app.validation_batches(range(0, held_out, 200)):
                rows = np.arange(start, min(start + 200, held_out))
                accuracy.add((np.argmax(points[rows] @ weights, axis=1) == classes[rows]).mean(), len(rows))

            app.end_epoch({"train_loss": train_loss.value, "accuracy": accuracy.value})

    # Runs after the last epoch and after a stop: what is written here is published with the run.
    summary = f"accuracy {accuracy.value:.3f}, stopped early: {app.is_stopped()}\n"
    Path(app.get_synced_data_dir(), "summary.txt").write_text(summary)
    app.stop()


if __name__ == "__main__":
    epochal.main(trainer)
