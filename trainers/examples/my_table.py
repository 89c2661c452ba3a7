# /// script
# requires-python = ">=3.10"
# dependencies = ["pydantic>=2.7,<3", "numpy>=1.26,<3", "pyarrow>=18"]
# ///
"""Softmax regression on a table, CSV or Parquet: a trainer for data in a format of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import epochal

if TYPE_CHECKING:
    import numpy as np

SUFFIXES = (".csv", ".parquet")


class Parameters(epochal.Parameters):
    """What can be set."""

    target: str = epochal.parameter("class", description="Column of the classes; all others hold numbers")
    learning_rate: float = epochal.parameter(0.1, gt=0, le=10, description="Step size of gradient descent")
    batch_size: int = epochal.parameter(50, ge=1, le=100_000, description="Rows in a training batch", unit="rows")


trainer = epochal.Trainer(
    name="my_table",
    title="My table",
    description="Softmax regression on the columns of a table.",
    parameters=Parameters,
    datasets=[
        epochal.Dataset("csv", "a folder with train.csv and val.csv: a column of classes, the others numbers"),
        epochal.Dataset("parquet", "the same as train.parquet and val.parquet"),
    ],
    metrics=[
        epochal.Metric("train_loss", "Mean cross-entropy over the epoch's training batches"),
        epochal.Metric("accuracy", "Part of the validation rows that got the right class"),
    ],
    best=("accuracy", "max"),
    packages=["numpy", "pyarrow"],
)


@trainer.check_data
def check_data(data: str, parameters: Parameters) -> Iterator[epochal.Problem]:
    """All that training would stumble over. A `DataError` of what reads the tables is a problem with `data`, too."""
    columns, classes, _, _ = table(Path(data), "train", parameters.target)
    theirs, validated, _, _ = table(Path(data), "val", parameters.target)
    if columns != theirs:
        other = sorted(set(columns) ^ set(theirs))
        yield epochal.Problem("data", data, f"train and val must have the same columns: {', '.join(other)} is in one")
    if unknown := sorted(set(validated) - set(classes)):
        yield epochal.Problem("data", data, f"val has the classes {', '.join(unknown)}, which train has not")


def table(folder: Path, part: str, target: str) -> tuple[list[str], list[str], np.ndarray, list[str]]:
    """Columns by name, classes, a row of numbers for each row of the table, and the class of each."""
    import numpy as np  # here, not above: `describe` must answer quickly
    import pyarrow
    from pyarrow import csv, parquet

    files = [file for suffix in SUFFIXES if (file := folder / f"{part}{suffix}").is_file()]
    if len(files) != 1:
        found = "both" if files else "none of both"
        raise epochal.DataError(f"{folder} must have {part}.csv or {part}.parquet: it has {found}")
    (file,) = files
    try:
        read = csv.read_csv(file) if file.suffix == ".csv" else parquet.read_table(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise epochal.DataError(f"{file} cannot be read: {' '.join(str(error).split())}") from error
    if target not in read.column_names or not read.num_rows:
        what = "no row" if target in read.column_names else f"no column {target}"
        raise epochal.DataError(f"{file} has {what} (columns: {', '.join(read.column_names[:20])})")
    columns = sorted(set(read.column_names) - {target})
    for name in [*columns, target]:
        column = read[name]
        is_number = pyarrow.types.is_integer(column.type) or pyarrow.types.is_floating(column.type)
        if name != target and not is_number:
            raise epochal.DataError(f"the column {name} of {file} is {column.type}: it must hold numbers")
        missing = [row for row, value in enumerate(column.to_pylist(), 1) if value is None or value != value]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise epochal.DataError(f"the column {name} of {file} has no value in row {missing[0]}{more}")
    rows = np.column_stack([read[name].to_numpy().astype(float) for name in columns] + [np.ones(read.num_rows)])
    labels = [str(value) for value in read[target].to_pylist()]
    return columns, sorted(set(labels)), rows, labels


@trainer.train
def train(app: epochal.Application) -> None:
    import numpy as np

    parameters: Parameters = app.parameters
    columns, classes, rows, labels = table(Path(app.data), "train", parameters.target)
    _, _, held_out, wanted = table(Path(app.data), "val", parameters.target)
    app.note(f"{len(rows)} rows to train with, {len(held_out)} to validate with, {len(classes)} classes")
    numbers = {name: index for index, name in enumerate(classes)}
    targets = np.array([numbers[label] for label in labels])
    weights = np.zeros((len(columns) + 1, len(classes)))

    def save(folder: Path) -> None:
        epochal.save_arrays(folder / "weights.npz", {"weights": weights})

    def load(folder: Path) -> None:
        weights[...] = epochal.load_arrays(folder / "weights.npz")["weights"]

    app.state(save=save, load=load, load_weights=load)
    train_loss, accuracy = app.average("train_loss"), app.average("accuracy")
    for _epoch in app.epochs():
        for chosen in app.batches(app.shuffled_batches(len(rows), parameters.batch_size)):
            scores = rows[chosen] @ weights
            probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
            probabilities /= probabilities.sum(axis=1, keepdims=True)
            right = np.arange(len(chosen)), targets[chosen]
            train_loss.add(-np.log(np.maximum(probabilities[right], 1e-12)).mean(), len(chosen))
            probabilities[right] -= 1
            weights -= parameters.learning_rate * rows[chosen].T @ probabilities / len(chosen)
        for start in app.validation_batches(range(0, len(held_out), 1000)):
            found = np.argmax(held_out[start : start + 1000] @ weights, axis=1)
            hits = [classes[index] == name for index, name in zip(found, wanted[start : start + 1000], strict=True)]
            accuracy.add(sum(hits) / len(hits), len(hits))
        app.end_epoch({"train_loss": train_loss.value, "accuracy": accuracy.value})


if __name__ == "__main__":
    epochal.main(trainer)
