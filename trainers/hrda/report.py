"""The data report of the three domains, from what is known of them so far."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from class_statistics import ClassStatistics
from domains import Domain, Role
from epochal import DataReport
from epochal.data_report import ClassCounts, Decoded, Duplicates, SplitCounts
from epochal.datasets.decoding import Outcome
from epochal.datasets.model import Findings
from epochal.datasets.report import add_findings


class Known:
    """What a reader knows of a data set, at any time: of one that is refused, what was read until then."""

    def __init__(self, folder: Path) -> None:
        self.domains: dict[Role, Domain] = {}
        #: Whether all that is trained on was read, and nothing refused.
        self.is_whole = False
        #: Images that are there twice; None: not looked for.
        self.twice: Findings | None = None
        self._folder = folder
        self._statistics: dict[Role, ClassStatistics] = {}
        self._decoded: dict[Role, Outcome] = {}

    def add(
        self, role: Role, domain: Domain, decoded: Outcome | None = None, statistics: ClassStatistics | None = None
    ) -> Domain:
        """What is known of a domain now, which is answered."""
        self.domains[role] = domain
        if decoded:
            self._decoded[role] = decoded
        if statistics:
            self._statistics[role] = statistics
        return domain

    @property
    def damaged(self) -> frozenset[Path]:
        """Images that cannot be decoded."""
        return frozenset(one.path for outcome in self._decoded.values() for one in outcome.failed)

    def report(self) -> DataReport:
        """What each domain holds, and what was found in it. Pixels are marked here, not objects: none are counted."""
        names = {role: sorted(entry.name for entry in domain.entries) for role, domain in self.domains.items()}
        sha256 = hashlib.sha256(json.dumps(names, sort_keys=True).encode()).hexdigest()
        report = DataReport(
            kind="domains",
            folder=str(self._folder),
            images=sum(map(len, names.values())),
            objects=0,
            split_by="domain" if self.is_whole else None,
            split_sha256=sha256 if self.is_whole else None,
            splits=[
                SplitCounts(
                    name=role,
                    role="validate" if role == "validation" else "train",
                    images=len(domain),
                    objects=0,
                    unmarked=sum(not one.annotation for one in domain.entries),
                )
                for role, domain in self.domains.items()
            ],
            class_count=len(self.domains["source"].classes),
            classes=self._balance(),
        )
        if self._decoded:
            outcomes = self._decoded.values()
            report.decoded = Decoded(images=sum(one.images for one in outcomes), failed=len(self.damaged))
        for role, domain in self.domains.items():
            add_findings(report, domain.findings, self._folder, f" ({role})")
        if self.twice is not None:
            counts = {one.kind: one.count for one in self.twice}
            across = counts.get("duplicate across splits", 0)
            report.duplicates = Duplicates(images=across + counts.get("duplicate image", 0), across_splits=across)
            add_findings(report, self.twice, self._folder)
        return report

    def _balance(self) -> list[ClassCounts]:
        """Of each class the images that have a pixel of it; empty where a check did not read all masks in its time."""
        labelled = [role for role in self.domains if role != "target"]
        if not all(role in self._statistics for role in labelled):
            return []
        counts = {role: (one.counts > 0).sum(axis=0).tolist() for role, one in self._statistics.items()}
        return [
            ClassCounts(
                name=name,
                images=[counts[role][index] if role in counts else 0 for role in self.domains],
                objects=[0] * len(self.domains),
            )
            for index, name in enumerate(self.domains["source"].classes)
        ]
