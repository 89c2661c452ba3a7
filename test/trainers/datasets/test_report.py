"""The data report counts what is there, says what is not used and why, and never grows beyond its bound."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cases import supervisely
from conftest import Make
from epochal.contracts import LARGEST_DATA_REPORT, Decoded, Duplicates, LoadedCounts
from epochal.data_report import DataReport
from epochal.datasets import decoding, reading, yolo_writing
from epochal.datasets.checking import Look, checked, prepare
from epochal.datasets.images import link_name
from epochal.datasets.loaded import compared
from epochal.datasets.model import Box, DataSet, DatasetImage, Findings, Object
from epochal.datasets.parameters import SplitParameters
from epochal.datasets.report import report_of
from epochal.datasets.splits import split
from epochal.errors import DataError


@pytest.mark.parametrize("kind", ["coco", "yolo", "supervisely", "images"])
def test_it_counts_what_is_split(shapes: Make, kind: str) -> None:
    data_set = reading.read(shapes(kind))
    chosen = split(data_set)
    told = report_of(data_set, chosen).as_json()
    assert (told["kind"], told["images"], told["splitSha256"]) == (kind, 12, chosen.sha256)
    assert {one["name"]: one["images"] for one in told["splits"]} == {name: len(x) for name, x in chosen.parts.items()}
    assert told["objects"] == sum(len(one.objects) + len(one.labels) for one in data_set.images)
    assert told["objects"] == sum(sum(one["objects"]) for one in told["classes"])
    assert [one["name"] for one in told["classes"]] == data_set.classes
    assert told["sizes"]["common"] == [{"width": 64, "height": 64, "images": 12}]
    assert (told["duplicates"], told["decoded"]) == (None, None)


def test_what_no_split_takes_is_named(shapes: Make) -> None:
    data_set = reading.read(shapes("yolo"))
    data_set.images[0].split = "test"
    data_set.images[1].split = None
    told = report_of(data_set, split(data_set, "folder"))
    assert {(one.name, one.role): one.images for one in told.splits if one.role == "unused"} == {
        ("test", "unused"): 1,
        ("all", "unused"): 1,
    }
    assert sum(one.images for one in told.splits) == 12


def test_findings_have_their_places_and_say_what_follows(shapes: Make) -> None:
    folder = shapes("coco")
    gone = sorted((folder / "images" / "train").iterdir())[:3]
    for path in gone:
        path.unlink()
    data_set = reading.read(folder)
    shown = data_set.images[0].path
    data_set.findings.add("scaled marks", "two sizes", shown)
    data_set.findings.add("scaled marks", "elsewhere", folder.parent / "elsewhere.png")
    missing, other = report_of(data_set).findings
    assert (missing.kind, missing.effect, missing.count) == ("missing image", "leftOut", 3)
    assert [path.name in one.detail for path, one in zip(gone, missing.examples, strict=True)] == [True] * 3
    assert (other.effect, [one.image for one in other.examples]) == (
        "noted",
        [shown.relative_to(folder).as_posix(), None],
    )


def test_a_class_that_is_not_learned_or_not_measured(shapes: Make) -> None:
    data_set = reading.read(shapes("yolo"))
    chosen = split(data_set)
    for image in chosen.parts["val"]:
        image.objects = [one for one in image.objects if one.class_name != "circle"]
    data_set.classes.append("hexagon")
    learned, measured = report_of(data_set, chosen).findings
    assert (learned.kind, learned.count) == ("class without training objects", 1)
    assert learned.examples[0].detail == "hexagon: 0 objects, none of them in train"
    assert [one.detail.split(":")[0] for one in measured.examples] == ["circle", "hexagon"]


def test_a_refused_data_set_is_reported_all_the_same(shapes: Make) -> None:
    folder = shapes("coco")
    next((folder / "images" / "train").iterdir()).unlink()
    told: list[DataReport] = []
    with pytest.raises(DataError, match="missing image"):
        checked(str(folder), "detect", SplitParameters(), tell=told.append)
    with pytest.raises(DataError, match="no keypoints"):
        checked(str(shapes("yolo")), "pose", SplitParameters(), tell=told.append)
    checked(str(folder), "detect", SplitParameters(skip_bad_images=True), tell=told.append)
    assert [one.split_sha256 is None for one in told] == [True, True, False]
    assert [one.findings[0].kind for one in (told[0], told[2])] == ["missing image"] * 2


def _large() -> DataSet:
    """Many classes and many findings, all with long names."""
    classes = [f"class {number:04} {'ä' * 100}" for number in range(3000)]
    images = [
        DatasetImage(
            Path(f"/data/{number}.png"), str(number), 10, 10, split="train" if number % 2 else "val",
            objects=[Object(name, Box(0, 0, 5, 5)) for name in (classes[0], classes[number])],
        )
        for number in range(2000)
    ]  # fmt: skip
    data_set = DataSet("coco", Path("/data"), classes, images)
    for kind in range(100):
        for number in range(50):
            data_set.findings.add(f"kind {kind}", f"{number} \udcff {'x' * 2000}", Path(f"/data/{'y' * 1100}.png"))
    return data_set


def test_it_never_grows_beyond_its_bound(tmp_path: Path) -> None:
    data_set = _large()
    report = report_of(data_set, split(data_set))
    told = report.as_json()
    assert len(json.dumps(told)) <= LARGEST_DATA_REPORT
    assert told["classCount"] == 3000
    # Counts stay whole, and of the classes the most and the least frequent are there.
    assert {one["count"] for one in told["findings"] if one["kind"].startswith("kind")} == {50}
    assert max(sum(one["objects"]) for one in told["classes"]) == 2001
    assert min(sum(one["objects"]) for one in told["classes"]) == 0
    report.write(tmp_path)
    assert json.loads((tmp_path / "data-report.json").read_text("utf-8")) == told
    assert (tmp_path / "data-report.json").stat().st_size <= LARGEST_DATA_REPORT + 1
    assert DataReport.model_validate(told).images == 2000


def test_a_look_at_every_image(shapes: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is damaged behind its header, and what is there twice; the second time nothing is read again."""
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(tmp_path / "cache"))
    folder = shapes("yolo")
    train = sorted((folder / "images" / "train").iterdir())
    val = sorted((folder / "images" / "val").iterdir())
    content = bytearray(train[0].read_bytes())
    content[len(content) // 2 - 4 : len(content) // 2 + 4] = b"damaged!"
    train[0].write_bytes(content)
    val[0].write_bytes(train[1].read_bytes())
    told: list[DataReport] = []
    steps: list[str] = []
    look = Look(lambda doing, _done, _total: steps.append(doing))

    with pytest.raises(DataError, match=f"damaged image: .*{train[0].name} cannot be decoded"):
        checked(str(folder), "detect", SplitParameters(), tell=told.append, look=look)
    parameters = SplitParameters(skip_bad_images=True)
    data_set, chosen = checked(str(folder), "detect", parameters, tell=told.append, look=look)
    assert train[0] not in [image.path for image in data_set.images]
    refused, trained = told
    assert (refused.images, refused.duplicates, refused.decoded) == (11, None, Decoded(images=12, failed=1))
    assert (trained.duplicates, trained.images) == (Duplicates(images=1, across_splits=1), 11)
    assert trained.split_sha256 == chosen.sha256
    effects = {one.kind: (one.effect, one.examples[0].image) for one in trained.findings}
    assert effects == {
        "damaged image": ("leftOut", train[0].relative_to(folder).as_posix()),
        "duplicate across splits": ("noted", val[0].relative_to(folder).as_posix()),
    }
    assert set(steps) == {"Looking at images", "Comparing images"}
    # Without a look nothing is claimed.
    checked(str(folder), "detect", parameters, tell=told.append)
    assert (told[-1].duplicates, told[-1].decoded) == (None, None)

    monkeypatch.setattr(decoding, "_problem", lambda path: pytest.fail(f"{path} is decoded again"))
    checked(str(folder), "detect", parameters, tell=told.append, look=look)
    assert told[-1].decoded == Decoded(images=12, failed=1)


def test_a_look_ends_when_its_time_is_over(shapes: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(tmp_path / "cache"))
    told: list[DataReport] = []
    look = Look(lambda _doing, _done, _total: None, seconds=-1)
    checked(str(shapes("yolo")), "detect", SplitParameters(), tell=told.append, look=look)
    assert told[0].decoded == Decoded(images=0, failed=0)


class Told:
    """What a run keeps of what a trainer tells it."""

    seed = 0
    parameters = SplitParameters()

    def __init__(self, data: Path) -> None:
        self.data = str(data)
        self.notes: list[str] = []
        self.note = self.notes.append
        self.reports: list[DataReport] = []
        self.steps: list[tuple[str, int, int]] = []

    def set_up_progress(self, doing: str, done: int, total: int) -> None:
        """How far the look at the images is."""
        self.steps.append((doing, done, total))

    def report_data(self, report: DataReport) -> None:
        """Reports may be added to after they were told."""
        self.reports.append(report.model_copy(deep=True))


def test_what_the_conversion_changes_is_in_the_run_s_report(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    supervisely.meta(tmp_path / "data", ("ring", "polygon"))
    hole = [[20, 20], [40, 20], [40, 40], [20, 40]]
    ring = supervisely.polygon("ring", [[10, 10], [60, 10], [60, 50], [10, 50]], hole)
    supervisely.items(tmp_path / "data" / "ds", 4, [ring])
    run = Told(tmp_path / "data")
    prepared = prepare(run, "segment", run.parameters)
    changed = Findings()
    yolo_writing.write(prepared.data_set, prepared.split, tmp_path / "written", "segment", changed)
    prepared.converted(run, changed)
    before, after = run.reports
    (added,) = [one for one in after.findings if one not in before.findings]
    assert (added.kind, added.effect, added.count) == ("holes cut", "noted", 4)
    assert added.examples[0].image.startswith("ds/img/")
    assert any("holes cut" in note for note in run.notes)


def test_what_a_framework_does_not_load_is_in_the_run_s_report(shapes: Make) -> None:
    """What was promised and what is loaded stand side by side; each difference is a finding with its places."""
    run = Told(shapes("coco"))
    prepared = prepare(run, "detect", run.parameters)
    names = {part: [link_name(one) for one in images] for part, images in prepared.split.parts.items()}
    promised = {part: dict.fromkeys(some, 3) for part, some in names.items()}
    gone, poorer, mended, *rest = names["train"]
    train = [(poorer, 1), (mended, 3), *((name, 3) for name in rest)]
    why = {gone: "it is too small", mended: "it was mended"}
    of_val = compared("it", "val", promised["val"], promised["val"].items())
    parts = [compared("a framework", "train", promised["train"], train, why), of_val]
    prepared.loaded(run, parts)
    told = run.reports[-1]
    loaded = {one.name: one.loaded for one in told.splits}
    assert loaded["train"] == LoadedCounts(images=len(names["train"]) - 1, objects=3 * len(names["train"]) - 5)
    assert loaded["val"] == LoadedCounts(images=len(names["val"]), objects=3 * len(names["val"]))
    paths = {link_name(one): one.path for one in prepared.split.parts["train"]}
    added = {one.kind: one for one in told.findings if "a framework" in one.kind}
    assert {kind: (one.effect, one.count, one.examples[0].detail) for kind, one in added.items()} == {
        "image discarded by a framework (train)": ("leftOut", 1, f"{paths[gone]}: it is too small"),
        "object discarded by a framework (train)": ("leftOut", 2, f"{paths[poorer]}: 2 of 3 objects"),
        "image changed by a framework (train)": ("noted", 1, f"{paths[mended]}: it was mended"),
    }
    assert all(one.examples[0].image for one in added.values())
    assert sum("a framework" in note for note in run.notes) == 3
    # Whoever waits for the first epoch was told how far the look at all images is.
    images = len(prepared.data_set.images)
    assert ("Looking at images", images, images) in run.steps
    assert not any(note.startswith("it ") for note in run.notes)
