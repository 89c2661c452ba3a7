"""The data report: what a data set holds and what is wrong with it, told before a run and kept with its results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

#: The report travels in the answer of a check, and lies in the run folder under this name.
FILE_NAME = "data-report.json"
#: Bytes of a report as JSON. What does not fit is shortened: examples first, then classes, never a count.
LARGEST_REPORT = 64 * 1024
#: A class beyond these is counted in `class_count` alone.
MOST_CLASSES = 200
MOST_FINDINGS = 60
MOST_EXAMPLES = 20
_LONGEST_TEXT = 300
_LONGEST_NAME = 120

#: `train` and `validate` are what a run reads; `unused` is not trained on, such as a test split.
Role = Literal["train", "validate", "unused"]
#: `leftOut`: it is not trained on (or the data set is refused); `noted`: it makes no difference, or was mended.
Effect = Literal["leftOut", "noted"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class LoadedCounts(_Part):
    """What the framework that trains has loaded of a split."""

    images: int = Field(ge=0)
    objects: int = Field(ge=0)


class SplitCounts(_Part):
    """A part of the data set: what one split holds."""

    name: str
    role: Role
    images: int = Field(ge=0)
    #: Marked objects; a class of a whole image counts as one.
    objects: int = Field(ge=0)
    #: Images with nothing marked on them: negatives.
    unmarked: int = Field(default=0, ge=0)
    #: Null: nothing was loaded yet, or nobody compared it.
    loaded: LoadedCounts | None = None


class ClassCounts(_Part):
    """How often a class occurs in each split, in the order of the report's splits."""

    name: str
    images: list[int]
    objects: list[int]


class ImageSize(_Part):
    """Width and height in pixels, as they are seen (after EXIF orientation)."""

    width: int
    height: int


class SizeCount(ImageSize):
    """Images of one size."""

    images: int


class ImageSizes(_Part):
    """Sizes of a data set's images, by their area."""

    smallest: ImageSize
    median: ImageSize
    largest: ImageSize
    #: How many different sizes there are.
    distinct: int
    #: The most frequent ones.
    common: list[SizeCount] = []


class FindingExample(_Part):
    """One place of a finding."""

    detail: str
    #: The image's path inside the data set, where the place is in an image of it.
    image: str | None = None


class ReportFinding(_Part):
    """Something about the data that a person should know, how often, and its first places."""

    kind: str
    effect: Effect
    count: int = Field(ge=1)
    examples: list[FindingExample] = []


class Duplicates(_Part):
    """Images with the content of another one, byte for byte."""

    #: Beyond the first of each.
    images: int = Field(ge=0)
    #: Those of them whose first is in another split: what is validated with was trained on.
    across_splits: int = Field(ge=0)


class Decoded(_Part):
    """Images that were read to their last pixel; fewer than there are where time ran out."""

    images: int = Field(ge=0)
    #: Those that cannot be; a finding names them.
    failed: int = Field(ge=0)


class DataReport(_Part):
    """What a run is about to train on. Counts are exact; names and examples are the first ones."""

    report_version: Literal[1] = 1
    kind: str
    folder: str
    images: int = Field(ge=0)
    objects: int = Field(ge=0)
    #: How the split was made; null where there is none.
    split_by: str | None = None
    #: Of the images' names in each split; null where there is no split.
    split_sha256: str | None = None
    splits: list[SplitCounts] = []
    class_count: int = Field(default=0, ge=0)
    classes: list[ClassCounts] = []
    sizes: ImageSizes | None = None
    findings: list[ReportFinding] = []
    #: Null: not checked.
    duplicates: Duplicates | None = None
    #: Null: not checked.
    decoded: Decoded | None = None

    def add(self, kind: str, effect: Effect, examples: list[FindingExample], count: int) -> None:
        """One more finding; one without a place is none."""
        if count:
            self.findings.append(ReportFinding(kind=kind, effect=effect, count=count, examples=examples))

    def as_json(self) -> dict[str, Any]:
        """The report in at most `LARGEST_REPORT` bytes."""
        report = self.model_copy(deep=True)
        report.classes = _extremes(report.classes, MOST_CLASSES)
        report.findings = report.findings[:MOST_FINDINGS]
        report.folder = _cut(report.folder, 4096)
        for finding in report.findings:
            finding.kind = _cut(finding.kind, _LONGEST_NAME)
            finding.examples = finding.examples[:MOST_EXAMPLES]
            for example in finding.examples:
                example.detail = _cut(example.detail, _LONGEST_TEXT)
                # A name that is not text cannot be asked for.
                if example.image is not None and (len(example.image) > 1024 or not _is_text(example.image)):
                    example.image = None
        for one in (*report.classes, *report.splits):
            one.name = _cut(one.name, _LONGEST_NAME)
        # Whoever has many findings of many kinds still sees where each of them is.
        for examples, classes in ((20, 200), (10, 200), (5, 200), (3, 100), (1, 50), (1, 20), (0, 0)):
            report.classes = _extremes(report.classes, classes)
            for finding in report.findings:
                finding.examples = finding.examples[:examples]
            told = report.model_dump(mode="json", by_alias=True)
            if len(json.dumps(told)) <= LARGEST_REPORT:
                break
        return told

    def write(self, folder: Path) -> None:
        """Write it into a run folder."""
        path = folder / FILE_NAME
        beside = path.with_name(f"{FILE_NAME}.tmp")
        beside.write_text(json.dumps(self.as_json()) + "\n", encoding="utf-8")
        beside.replace(path)


def _extremes(classes: list[ClassCounts], most: int) -> list[ClassCounts]:
    """At most so many classes, the most and the least frequent: balance is seen in them. Their order stays."""
    if len(classes) <= most:
        return classes
    ranked = sorted(range(len(classes)), key=lambda index: -sum(classes[index].objects))
    kept = sorted(ranked[: most - most // 2] + ranked[len(ranked) - most // 2 :])
    return [classes[index] for index in kept]


def _is_text(name: str) -> bool:
    return name == name.encode("utf-8", "replace").decode()


def _cut(text: str, length: int) -> str:
    """Also without what is no text: a name of a file may have bytes that are none."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= length else f"{text[: length - 1]}…"
