# /// script
# requires-python = ">=3.10"
# dependencies = ["numpy==2.4.6", "pillow==13.0.0", "PyYAML==6.0.3"]
# ///
"""A trainer for tests of data sets: it reads one as the built-in trainers do, reports it, and counts its images."""

from __future__ import annotations

from pathlib import Path

import epochal
from epochal import ui
from epochal.datasets.parameters import SplitParameters


class Parameters(SplitParameters):
    """The split alone, and what the images are for."""

    task: str = epochal.parameter("detect", description="detect, segment, pose or classify")
    classes: list[str] = epochal.parameter([], description="Nobody looks at them")


trainer = epochal.Trainer(
    name="looker",
    title="Looker",
    description="Looks at a data set and counts its images.",
    metrics=[epochal.Metric("images", "Images of the training split")],
    best=("images", "max"),
    parameters=Parameters,
    datasets=[
        epochal.Dataset("images", "any data set of images"),
        epochal.Dataset("yolo", "a folder with data.yaml, images and labels as ultralytics has them"),
    ],
    form=ui.Container([ui.DataPicker(), ui.ClassPicker("classes"), ui.Field("task")]),
)


@trainer.check_data
def check_data(data: str | None, parameters: Parameters, check: epochal.Check) -> list[epochal.Problem]:
    """The data set."""
    from epochal.datasets.checking import examine

    examine(check, data, parameters.task, parameters)
    return []


@trainer.train
def train(app: epochal.Application) -> None:
    """An epoch is a look at every image's name."""
    from epochal.datasets.checking import prepare
    from epochal.datasets.images import link_name
    from epochal.datasets.loaded import compared

    prepared = prepare(app, app.parameters.task, app.parameters)
    split = prepared.split
    # Like a framework that wants no images without objects.
    marks = {part: {link_name(one): len(one.objects) for one in images} for part, images in split.parts.items()}
    kept = {part: [(name, count) for name, count in images.items() if count] for part, images in marks.items()}
    why = {name: "it has no objects" for images in marks.values() for name, count in images.items() if not count}
    prepared.loaded(app, [compared("looker", part, marks[part], kept[part], why) for part in marks])
    app.state(
        save=lambda folder: (folder / "count").write_text(str(len(split.parts["train"]))),
        load=lambda folder: (folder / "count").read_text(),
    )
    for _epoch in app.epochs():
        seen = [Path(image.path).name for image in app.batches(split.parts["train"])]
        app.end_epoch({"images": len(seen)})


if __name__ == "__main__":
    epochal.main(trainer)
