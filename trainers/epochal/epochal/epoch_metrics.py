"""The metrics of complete epochs: their rows in `metrics.jsonl`, and which epoch is the best."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from epochal.checkpoints import now
from epochal.metrics_file import MetricsFile
from epochal.place import Place
from epochal.progress import MetricNames, finite
from epochal.protocol import EventSink
from epochal.ranks import NoMetricsFile, Ranks
from epochal.stopwatch import PartOf, Stopwatch


class EpochMetrics:
    """Those of the last epoch, of the best one, and all of them on disk."""

    def __init__(
        self, folder: Path, best: tuple[str, Literal["min", "max"]] | None, sink: EventSink, ranks: Ranks
    ) -> None:
        """`best` is the metric that tells the best epoch, and its direction."""
        #: Of the last complete epoch.
        self.last: dict[str, float] = {}
        #: `{"metric", "value", "epoch"}`
        self.best: dict[str, Any] | None = None
        self._best_rule = best
        self._names = MetricNames(sink, always=best[0] if best else None)
        self._file = NoMetricsFile() if ranks.rank else MetricsFile(folder / "metrics.jsonl")

    def cut_back(self, epochs: int) -> None:
        """Forget the rows of epochs that are trained anew."""
        self._file.cut_back(epochs)

    def append(self, place: Place, metrics: Mapping[str, Any], watch: Stopwatch, held_up: PartOf) -> dict[str, Any]:
        """The epoch under way ends with `metrics`; answers its row. `NotFinite` for a NaN or infinity among them."""
        numbers = self._names.reported(finite(metrics))
        row = {
            "epoch": place.epoch,
            "batches": place.batches,
            "seconds": watch.seconds,
            "validationSeconds": watch.validation.take(),
            "savingSeconds": held_up.take(),
            "metrics": numbers,
            "at": now(),
        }
        self._file.append(row)
        self.last = numbers
        self._note_best(numbers, place.epoch)
        return row

    def _note_best(self, metrics: dict[str, float], epoch: int) -> None:
        if self._best_rule and self._best_rule[0] in metrics:
            name, mode = self._best_rule
            value = metrics[name]
            old = self.best["value"] if self.best else None
            if old is None or (value < old if mode == "min" else value > old):
                self.best = {"metric": name, "value": value, "epoch": epoch}
