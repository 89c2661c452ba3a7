"""What the check says that mmdet will load of a data set is what it loads: the same images and objects."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import MMDET
from epochal.data_report import DataReport
from epochal.datasets import coco
from epochal.datasets.checking import Foresight, checked
from epochal.datasets.images import link_name
from epochal.errors import DataError
from hostile_data_sets import data_sets, write
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from test_loading import loaded, operators  # noqa: F401

sys.path.insert(0, str(MMDET.parent))

import comparison
from comparison import Filter
from parameters import Parameters

_filters = st.builds(Filter, min_size=st.sampled_from([0, 10, 32]), filter_empty_gt=st.booleans())


@pytest.mark.parametrize("task", ["detect", "segment"])
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(images=data_sets, train_filter=_filters)
def test_what_is_accepted_is_loaded_as_promised(task: str, images: list[dict[str, Any]], train_filter: Filter) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder, run = Path(scratch, "data"), Path(scratch, "run")
        write(folder, images)
        told: list[DataReport] = []
        filters = {"train": [train_filter], "val": [Filter()]}
        foresight = Foresight(lambda split: comparison.foreseen(split, filters))
        parameters = Parameters(task=task, skip_bad_images=True)
        try:
            data_set, split = checked(str(folder), task, parameters, 0, told.append, foresight=foresight)
        except DataError as refusal:
            event(f"refused: {str(refusal).replace(scratch, '')[:60]}")
            return
        coco.write(data_set, split, run, task)
        promised = comparison.promised(split)
        for foreseen in comparison.foreseen(split, filters):
            part = foreseen.part
            dataset = loaded(run, part, data_set.classes, filter_cfg=filters[part][0]._asdict())
            assert comparison.compare(part, promised[part], dataset).loaded == foreseen.loaded
            assert promised[part] == foreseen.promised
            counts = next(one for one in told[-1].splits if one.name == part)
            assert (counts.loaded.images, counts.loaded.objects) == (len(dataset), foreseen.objects)
            marked = {link_name(one): one for one in split.parts[part]}
            for info in (dataset.get_data_info(index) for index in range(len(dataset))):
                classes = Counter(data_set.classes[one["bbox_label"]] for one in info["instances"])
                objects = marked[Path(info["img_path"]).name].objects
                assert classes == Counter(one.class_name for one in objects if min(one.box.width, one.box.height) >= 1)
        event("loaded")
