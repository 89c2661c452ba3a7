"""The data report of the three domains."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from data_set import DataSet
from domains import Domain
from epochal import DataReport
from epochal.data_report import FindingExample, Role, SplitCounts
from epochal.datasets.reading import leaves_out


def report_of(data_set: DataSet, folder: Path) -> DataReport:
    """What each domain holds, and what was found in it. Pixels are marked here, not objects: none are counted."""
    roles: dict[str, tuple[Domain | None, Role]] = {
        "source": (data_set.source, "train"),
        "target": (data_set.target, "train"),
        "validation": (data_set.validation, "validate"),
    }
    domains = {name: (domain, role) for name, (domain, role) in roles.items() if domain is not None}
    names = {name: sorted(entry.name for entry in domain.entries) for name, (domain, _) in domains.items()}
    report = DataReport(
        kind="domains",
        folder=str(folder),
        images=sum(map(len, names.values())),
        objects=0,
        split_by="domain",
        split_sha256=hashlib.sha256(json.dumps(names, sort_keys=True).encode()).hexdigest(),
        splits=[
            SplitCounts(
                name=name,
                role=role,
                images=len(domain),
                objects=0,
                unmarked=sum(not one.annotation for one in domain.entries),
            )
            for name, (domain, role) in domains.items()
        ],
        class_count=len(data_set.source.classes),
    )
    for name, (domain, _) in domains.items():
        for finding in domain.findings:
            examples = [FindingExample(detail=one.detail, image=_inside(one.image, folder)) for one in finding.examples]
            effect = "leftOut" if leaves_out(finding.kind) else "noted"
            report.add(f"{finding.kind} ({name})", effect, examples, finding.count)
    return report


def _inside(image: Path | None, folder: Path) -> str | None:
    path = os.path.relpath(image, folder) if image else ".."
    return None if path.startswith("..") else Path(path).as_posix()
