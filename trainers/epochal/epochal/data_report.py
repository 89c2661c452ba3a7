"""The data report: what a data set holds and what is wrong with it, told before a run and kept with its results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field

from epochal import contracts
from epochal.contracts import (
    DATA_REPORT_FILE,
    LARGEST_DATA_REPORT,
    ClassCounts,
    Decoded,
    Duplicates,
    FindingExample,
    ImageSizes,
    ReportFinding,
    SplitCounts,
)

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


class DataReport(contracts.DataReport):
    """What a run is about to train on. Counts are exact; names and examples are the first ones."""

    model_config = ConfigDict(extra="forbid")

    report_version: Literal[1] = 1
    #: How the split was made; null where there is none.
    split_by: str | None = None
    #: Of the images' names in each split; null where there is no split.
    split_sha256: str | None = None
    splits: list[SplitCounts] = Field(default_factory=list)
    class_count: int = Field(default=0, ge=0)
    classes: list[ClassCounts] = Field(default_factory=list)
    sizes: ImageSizes | None = None
    findings: list[ReportFinding] = Field(default_factory=list)
    #: Null: not checked.
    duplicates: Duplicates | None = None
    #: Null: not checked.
    decoded: Decoded | None = None

    def add(self, kind: str, effect: Effect, examples: list[FindingExample], count: int) -> None:
        """One more finding; one without a place is none."""
        if count:
            self.findings.append(ReportFinding(kind=kind, effect=effect, count=count, examples=examples))

    def as_json(self) -> dict[str, Any]:
        """The report in at most `LARGEST_DATA_REPORT` bytes: examples go first, then classes, never a count."""
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
            if len(json.dumps(told)) <= LARGEST_DATA_REPORT:
                break
        return told

    def write(self, folder: Path) -> None:
        """Write it into a run folder."""
        path = folder / DATA_REPORT_FILE
        beside = path.with_name(f"{DATA_REPORT_FILE}.tmp")
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
    """Also without what is not text: a name of a file may have bytes that are none."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= length else f"{text[: length - 1]}…"
