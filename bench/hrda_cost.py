"""One step of self-training and one sliding-window inference, `with` or `without` the high-resolution branch: JSON."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parents[1] / "trainers" / "hrda"))

import torch
from adaptation import Adaptation
from epochal.pytorch import Torch
from epochal.torch_processes import Processes
from parameters import Parameters
from self_training import make_teacher
from training import make_network
from validation import predict

CLASSES = 19
REPEATS = 5


def measured(function: Callable[[], object]) -> float:
    """Median seconds, after one time that does not count."""
    function()
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def megabytes() -> float:
    """The most that this process had resident until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def plain_torch() -> Torch:
    """The SDK's helper outside a run: one process on the CPU."""
    one = object.__new__(Torch)
    one.device, one.precision, one.processes = torch.device("cpu"), "float32", Processes()
    one.scaler = torch.amp.GradScaler("cpu", enabled=False)
    one._app = SimpleNamespace(batch_divisor=1)
    return one


def main() -> None:
    """Inference is measured first: its memory is the smaller."""
    is_high = sys.argv[1] == "with"
    torch.manual_seed(0)
    parameters = Parameters(encoder="mit_b0", crop_size=256, detail_size=128, high_resolution=is_high)
    network = make_network(parameters, CLASSES)
    teacher = make_teacher(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=6e-5)
    adaptation = Adaptation(plain_torch(), parameters, network, teacher, optimizer, classes=CLASSES)
    batch = {
        "images": torch.randint(0, 256, (2, 3, 256, 256), dtype=torch.uint8),
        "labels": torch.randint(0, CLASSES, (2, 256, 256), dtype=torch.uint8),
        "target": torch.randint(0, 256, (2, 3, 256, 256), dtype=torch.uint8),
        "trusted": torch.ones(2, 256, 256, dtype=torch.bool),
    }
    image = torch.rand(1, 3, 256, 512)

    def infer() -> None:
        with torch.no_grad():
            predict(teacher, image, 256)

    before = megabytes()
    inference = measured(infer)
    inference_megabytes = megabytes() - before
    network.train()
    step = measured(lambda: adaptation.step(batch, 100))
    print(
        json.dumps(
            {
                "name": "context and detail" if is_high else "low resolution only",
                "step": step,
                "inference": inference,
                "stepMegabytes": megabytes() - before,
                "inferenceMegabytes": inference_megabytes,
            }
        )
    )


if __name__ == "__main__":
    main()
