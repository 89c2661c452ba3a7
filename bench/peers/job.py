"""The job that all of them train: the digits network of the `pytorch` trainer, with a line for every trained batch.

Nothing in here knows who drives it. `folder` takes `stamps`, whose lines are `pid epoch:batch seconds`, and `weights`,
the hash of the network's weights after the last epoch.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[2] / "trainers" / "pytorch"))

import torch
from model import DigitsNetwork, load_digits
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import default_collate

BATCH_SIZE = 24
#: What a batch waits for, as for a GPU: what is compared does not hang on one core more or less.
BATCH_SECONDS = 0.02


class Job:
    """Network, optimizer, schedule and images."""

    def __init__(self, folder: Path, epochs: int) -> None:
        torch.manual_seed(0)
        torch.use_deterministic_algorithms(True)
        self.epochs = epochs
        self.folder = folder
        self.train_set, self.val_set = load_digits(0.2, 0, 0)
        self.network = DigitsNetwork(16, 0.1)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=0.003)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, epochs)
        self._stamps = open(folder / "stamps", "ab", buffering=0)  # noqa: SIM115  (as long as the process)

    def batches(self, epoch: int) -> Iterator[list[int]]:
        """Indices of images, in an order that the epoch's number decides."""
        order = torch.randperm(len(self.train_set), generator=torch.Generator().manual_seed(epoch)).tolist()
        return (order[first : first + BATCH_SIZE] for first in range(0, len(order), BATCH_SIZE))

    def images(self, chosen: list[int]) -> tuple[Tensor, Tensor]:
        """Images and digits of a batch."""
        return default_collate([self.train_set[index] for index in chosen])

    def step(self, batch: tuple[Tensor, Tensor]) -> float:
        """Train a batch; its loss."""
        images, digits = batch
        self.optimizer.zero_grad(set_to_none=True)
        loss = cross_entropy(self.network(images), digits)
        loss.backward()
        self.optimizer.step()
        time.sleep(BATCH_SECONDS)
        return loss.item()

    def stamp(self, epoch: int, batch: int) -> None:
        """Batch and epoch count from 1. What no crash can take back, and no bookkeeping can embellish."""
        self._stamps.write(f"{os.getpid()} {epoch}:{batch} {time.time():.3f}\n".encode())

    def accuracy(self) -> float:
        """Fraction of the validation images that is read correctly."""
        self.network.eval()
        images, digits = default_collate(list(self.val_set))
        with torch.no_grad():
            right = (self.network(images).argmax(dim=1) == digits).float().mean().item()
        self.network.train()
        return right

    def state(self) -> dict[str, Any]:
        """What a training loop saves, by the tutorials of PyTorch."""
        parts = {"network": self.network, "optimizer": self.optimizer, "schedule": self.schedule}
        return {name: part.state_dict() for name, part in parts.items()}

    def load(self, state: dict[str, Any]) -> None:
        """The opposite of `state`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])

    def ended(self) -> None:
        """After the last epoch."""
        sums = hashlib.sha256()
        for name, tensor in sorted(self.network.state_dict().items()):
            sums.update(name.encode())
            sums.update(tensor.contiguous().numpy().tobytes())
        (self.folder / "weights").write_text(sums.hexdigest())
