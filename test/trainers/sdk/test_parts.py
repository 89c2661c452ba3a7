"""Parts of the SDK by themselves."""

from __future__ import annotations

import hashlib
import random
import time
from pathlib import Path

import epochal
import numpy
import pytest
from epochal import random_state
from epochal.averages import Averages
from epochal.control import Control
from epochal.durable_files import sha256_and_sync
from epochal.errors import failure_traceback, shortened
from epochal.metrics_file import MetricsFile
from epochal.progress import MOST_NAMES, MetricNames
from epochal.shuffled_batches import ShuffledBatches
from epochal.stopwatch import PartOf, Stopwatch


def test_arrays_have_the_same_bytes_every_time(tmp_path: Path) -> None:
    arrays = {"b": numpy.arange(6.0).reshape(2, 3).T, "a": numpy.array(3), "c": numpy.zeros((0, 2))}
    epochal.save_arrays(tmp_path / "one.npz", arrays)
    time.sleep(0.01)
    epochal.save_arrays(tmp_path / "two.npz", dict(reversed(arrays.items())))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    loaded = epochal.load_arrays(tmp_path / "one.npz")
    assert {name: array.tolist() for name, array in loaded.items()} == {n: a.tolist() for n, a in arrays.items()}
    assert loaded["a"].shape == ()


def test_arrays_never_hold_objects(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"pickle|[Oo]bject"):
        epochal.save_arrays(tmp_path / "x.npz", {"a": numpy.array([object()])})


def test_random_state_goes_through_json() -> None:
    random.gauss(0, 1)
    numpy.random.standard_normal()
    encoded = random_state.encode(random_state.capture())
    drawn = [random.random(), random.gauss(0, 1), numpy.random.rand(), numpy.random.standard_normal()]
    random_state.seed_everything(1)
    random_state.restore(random_state.decode(encoded))
    assert [random.random(), random.gauss(0, 1), numpy.random.rand(), numpy.random.standard_normal()] == drawn


def test_averages() -> None:
    averages = Averages()
    loss = averages.get("loss")
    assert loss.value == 0
    loss.add(1.0, 3)
    loss.add(numpy.float32(5.0))
    assert loss.value == 2.0
    snapshot = averages.snapshot()
    averages.restore({})
    assert loss.value == 0
    averages.restore(snapshot)
    assert averages.get("loss") is loss
    assert loss.value == 2.0


def test_shuffled_batches() -> None:
    batches = ShuffledBatches([4, 2, 0, 1, 3], 2)
    assert list(batches) == [[4, 2], [0, 1], [3]]
    assert len(batches) == 3
    assert batches[-1] == [3]
    assert batches[1:] == [[0, 1], [3]]
    assert len(ShuffledBatches([], 2)) == 0
    with pytest.raises(IndexError):
        batches[3]
    with pytest.raises(ValueError, match="at least 1"):
        ShuffledBatches([], 0)


def test_a_derived_seed_is_the_same_everywhere() -> None:
    assert random_state.derived_seed(7, "epoch", 3) == int(hashlib.sha256(b"7:epoch:3").hexdigest()[:8], 16)
    assert random_state.derived_seed(7, "epoch", 3) != random_state.derived_seed(7, "epoch", 4)


def test_control() -> None:
    control = Control()
    control.batches_begun = 3
    control.stop("epoch", "first")
    control.batches_begun = 5
    assert control.batches_after_stop == 0
    control.stop("batch", "second")
    control.batches_begun = 6
    control.stop("epoch", "third")
    assert control.stops_at_batch
    assert control.stop_reason == "first"
    assert control.batches_after_stop == 1
    control.grant(3)
    control.grant(2)
    assert control.granted_through == 3


def test_stopwatch() -> None:
    watch = Stopwatch()
    watch.reset(5.0)
    assert watch.seconds == 5.0
    watch.start()
    watch.start()
    watch.pause()
    seconds = watch.seconds
    assert seconds >= 5.0
    assert watch.seconds == seconds


def test_what_fails_ends_its_count_and_the_pause() -> None:
    watch, standing = Stopwatch(), Stopwatch()
    held_up = PartOf(standing)
    standing.start()
    watch.start()
    with pytest.raises(OSError, match="full"), held_up.counted(), watch.paused():
        raise OSError("full")
    assert held_up._since is None
    assert watch._since is not None


def test_hashing(tmp_path: Path) -> None:
    content = random.randbytes(3 * 1024 * 1024 + 17)
    (tmp_path / "x").write_bytes(content)
    assert sha256_and_sync(tmp_path / "x") == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("limit", [10, 11])
@pytest.mark.parametrize("keep_end", [True, False])
def test_shortened_counts_as_the_worker_does(limit: int, keep_end: bool) -> None:
    for text in ("short", "a" * 50, "😀" * 50, "a" + "😀" * 50, "\ud800" * 50):
        short = shortened(text, limit, keep_end=keep_end)
        assert len(short.encode("utf-16-le", "surrogatepass")) // 2 <= limit
    assert shortened("0123456789abcdef", 4, keep_end=True) == "…def"


def test_the_end_of_a_traceback_is_kept() -> None:
    def fails(text: str) -> None:
        raise KeyError(text)

    with pytest.raises(KeyError) as raised:
        fails("start" + "x" * 20_000 + "end")
    traceback = failure_traceback(raised.value)
    assert len(traceback) <= 16_000
    assert traceback.startswith("…x")
    assert traceback.rstrip().endswith("end'")


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ("", []),
        ('{"epoch": 1}\n{"epoch": 2}\n{"epoch": 3}\n', [1, 2]),
        ('{"epoch": 1}\n{"epoch": 2', [1]),
        ('{"epoch": 2}\n{"epoch": 1}\n{"epoch": 2}\n', [1, 2]),
        ("garbage\n[]\n3\n{}\n", []),
    ],
)
def test_metrics_file_is_cut_back(tmp_path: Path, content: str, kept: list[int]) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(content)
    MetricsFile(path).cut_back(2)
    assert path.read_text() == "".join(f'{{"epoch": {epoch}}}\n' for epoch in kept)


def test_a_trainer_says_what_it_lacks() -> None:
    class NoDescription(epochal.Parameters):
        size: int = 3

    metrics = [epochal.Metric("m", "")]
    with pytest.raises(TypeError, match="size of x has no description"):
        epochal.Trainer("x", "", "", metrics, ("m", "min"), NoDescription)
    with pytest.raises(TypeError, match="none of the metrics"):
        epochal.Trainer("x", "", "", metrics, ("other", "min"))


def test_names_of_metrics_are_bounded() -> None:
    """Many at once, and one more in every epoch: what the run remembers has an end, and the best is always told."""
    told: list[dict[str, object]] = []

    class Sink:
        def send(self, event: dict[str, object], *, may_drop: bool = False) -> None:
            told.append(event)

    names = MetricNames(Sink(), always="accuracy")
    assert len(names.reported({f"layer_{number}": 1.0 for number in range(100_000)})) == MOST_NAMES
    assert names.reported({"layer_0": 2.0, "loss_epoch_7": 1.0, "accuracy": 0.5}) == {"layer_0": 2.0, "accuracy": 0.5}
    (note,) = told
    assert note["type"] == "note"
    assert f"the metric layer_{MOST_NAMES} is left out" in str(note["message"])
