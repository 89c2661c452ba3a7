"""What the check says that ultralytics will load of a data set is what it loads: the same images and objects."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import YOLO
from epochal.data_report import DataReport
from epochal.datasets import yolo_writing
from epochal.datasets.checking import Foresight, checked
from epochal.datasets.images import link_name
from epochal.errors import DataError
from hostile_data_sets import data_sets, write
from hypothesis import HealthCheck, event, given, settings
from test_loading import loaded, ultralytics  # noqa: F401

sys.path.insert(0, str(YOLO.parent))

import comparison
from parameters import Parameters


@pytest.mark.parametrize("task", ["detect", "segment", "pose"])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(images=data_sets)
def test_what_is_accepted_is_loaded_as_promised(task: str, images: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder, run = Path(scratch, "data"), Path(scratch, "run")
        write(folder, images)
        told: list[DataReport] = []
        foresight = Foresight(lambda split: comparison.foreseen(split, task))
        parameters = Parameters(task=task, skip_bad_images=True)
        try:
            data_set, split = checked(str(folder), task, parameters, 0, told.append, foresight=foresight)
        except DataError as refusal:
            event(f"refused: {str(refusal).replace(scratch, '')[:60]}")
            return
        file = yolo_writing.write(data_set, split, run, task)
        for foreseen in comparison.foreseen(split, task):
            dataset = loaded(file, foreseen.part, task)
            assert comparison.compare(foreseen.part, foreseen.promised, dataset).loaded == foreseen.loaded
            assert comparison.promised(split, run, task)[foreseen.part] == foreseen.promised
            counts = next(one for one in told[-1].splits if one.name == foreseen.part)
            assert (counts.loaded.images, counts.loaded.objects) == (len(dataset.labels), foreseen.objects)
            marked = {link_name(one): one for one in split.parts[foreseen.part]}
            for label in dataset.labels:
                name = Path(label["im_file"]).name
                classes = Counter(data_set.classes[int(number)] for (number,) in label["cls"])
                wanted = Counter(one.class_name for one in marked[name].objects if not one.crowd)
                if foreseen.loaded[name] == wanted.total():
                    assert classes == wanted
                assert not classes - wanted
        event("loaded")
