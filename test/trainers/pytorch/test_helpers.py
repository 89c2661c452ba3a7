"""The helpers for PyTorch, one by one."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
import torch
from epochal import SetUpError
from epochal.random_state import derived_seed
from epochal.torch_batches import Batches
from epochal.torch_parts import parts_of
from epochal.torch_state import bare, load_training, load_weights, save_training, save_weights
from epochal.ui import charts, pixels
from torch import nn
from torch.optim import lr_scheduler as rates


class Tied(nn.Module):
    """Two names for one tensor, as in a language model."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("count", torch.tensor(3))


def test_equal_weights_are_equal_files(tmp_path: Path) -> None:
    model = Tied()
    save_weights(model, tmp_path / "a")
    other = Tied()
    load_weights(other, tmp_path / "a")
    save_weights(torch.compile(other), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert other.head.weight is other.embedding.weight
    assert torch.equal(other.head.weight, model.head.weight)
    assert bare(nn.DataParallel(model)) is model


def test_a_tensor_of_any_precision_is_shown() -> None:
    whole, short = torch.eye(4), torch.eye(4, dtype=torch.bfloat16)
    assert pixels.encoded(short) == pixels.encoded(whole)
    assert pixels.encoded_mask(short) == pixels.encoded_mask(whole)
    assert charts._counted(short, 2)["counts"] == [12, 4]


def test_channels_last_keeps_its_layout(tmp_path: Path) -> None:
    model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    save_weights(model, tmp_path / "a")
    before = model.weight.detach().clone()
    load_weights(model, tmp_path / "a")
    assert torch.equal(model.weight, before)
    assert model.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (nn.Linear(2, 4), "bias has the shape"),
        (nn.Linear(2, 3, bias=False), "this one has no bias"),
        (nn.Sequential(nn.Linear(2, 3)), "of another model"),
    ],
)
def test_weights_of_another_model(tmp_path: Path, other: nn.Module, sentence: str) -> None:
    save_weights(nn.Linear(2, 3), tmp_path / "a")
    with pytest.raises(SetUpError, match=sentence):
        load_weights(other, tmp_path / "a")


def test_optimizer_schedule_and_scaler_go_on(tmp_path: Path) -> None:
    def make() -> dict[str, Any]:
        torch.manual_seed(0)
        model = nn.Linear(2, 1)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=20)
        steps = torch.optim.lr_scheduler.MultiStepLR(torch.optim.SGD(model.parameters(), 0.1), [2, 4])
        return {"model": model, "parts": {"optimizer": optimizer, "schedule": schedule, "steps": steps}}

    def step(of: dict[str, Any], number: int) -> None:
        parts = of["parts"]
        parts["optimizer"].zero_grad()
        of["model"](torch.full((3, 2), float(number))).mean().backward()
        parts["optimizer"].step()
        parts["schedule"].step()

    straight, first, second = make(), make(), make()
    for number in range(10):
        step(straight, number)
    for number in range(5):
        step(first, number)
    save_weights(first["model"], tmp_path / "w")
    save_training(first["parts"], tmp_path / "t")
    load_weights(second["model"], tmp_path / "w")
    load_training(second["parts"], tmp_path / "t")
    for number in range(5, 10):
        step(second, number)
    assert torch.equal(second["model"].weight, straight["model"].weight)
    with pytest.raises(SetUpError, match="has optimizer, schedule, steps; this trainer needs optimizer"):
        load_training({"optimizer": first["parts"]["optimizer"]}, tmp_path / "t")


def _linear_then_cosine(optimizer: Any, total: int) -> Any:
    warm_up = rates.LinearLR(optimizer, 0.1, total_iters=total // 4)
    return rates.SequentialLR(optimizer, [warm_up, rates.CosineAnnealingLR(optimizer, total)], [total // 4])


SCHEDULES: dict[str, Callable[[Any, int], Any]] = {
    "LambdaLR": lambda optimizer, total: rates.LambdaLR(optimizer, lambda step: 1 - step / total),
    "MultiplicativeLR": lambda optimizer, total: rates.MultiplicativeLR(optimizer, lambda step: 1 - step / total / 2),
    "MultiStepLR": lambda optimizer, total: rates.MultiStepLR(optimizer, [total // 3, total // 2]),
    "CosineAnnealingLR": lambda optimizer, total: rates.CosineAnnealingLR(optimizer, total, eta_min=0.01),
    "LinearLR": lambda optimizer, total: rates.LinearLR(optimizer, total_iters=total),
    "PolynomialLR": lambda optimizer, total: rates.PolynomialLR(optimizer, total, power=2.0),
    "OneCycleLR": lambda optimizer, total: rates.OneCycleLR(optimizer, 0.1, total_steps=total + 1),
    "SequentialLR": _linear_then_cosine,
    "ChainedScheduler": lambda optimizer, total: rates.ChainedScheduler(
        [rates.ConstantLR(optimizer, total_iters=total // 3), rates.PolynomialLR(optimizer, total)]
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_goes_on_over_the_new_total(name: str, tmp_path: Path) -> None:
    """Extended from 8 steps to 12 after the 6th, and not extended: the rates of a run that was never interrupted."""

    def make(total: int) -> dict[str, Any]:
        layer = nn.Linear(2, 1)
        groups = [{"params": [layer.weight]}, {"params": [layer.bias], "lr": 0.02}]
        optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
        return {"optimizer": optimizer, "schedule": SCHEDULES[name](optimizer, total)}

    def follow(parts: dict[str, Any], steps: int) -> list[Any]:
        seen = []
        for _ in range(steps):
            parts["optimizer"].step()
            parts["schedule"].step()
            seen.append([(group["lr"], group["momentum"]) for group in parts["optimizer"].param_groups])
        return seen

    for before, now in ((8, 12), (12, 12)):
        notes: list[str] = []
        app = SimpleNamespace(
            extended_from=before if before != now else None,
            planned_epochs=now,
            note=lambda text, to=notes: to.append(text),
        )
        straight, first, second = make(now), make(before), make(now)
        wanted = follow(straight, now)
        follow(first, 6)
        save_training(first, tmp_path / "t")
        load_training(second, tmp_path / "t", app)  # type: ignore[arg-type]
        assert [(group["lr"], group["momentum"]) for group in second["optimizer"].param_groups] == wanted[5]
        assert follow(second, now - 6) == wanted[6:]
        assert second["schedule"].state_dict().keys() == straight["schedule"].state_dict().keys()
        assert len(notes) == (before != now)
        assert before == now or "planned for 8 epochs and has 12 now" in notes[0]


def test_a_warm_up_by_batches_beside_steps_by_epochs(tmp_path: Path) -> None:
    """Two schedules of one optimizer, each stepped as often as it was."""

    def make(epochs: int) -> dict[str, Any]:
        optimizer = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)
        return {
            "steps": rates.MultiStepLR(optimizer, [epochs // 2, epochs * 3 // 4]),
            "optimizer": optimizer,
            "warm_up": rates.LinearLR(optimizer, 0.1, total_iters=7),
        }

    def follow(parts: dict[str, Any], epochs: int) -> float:
        for _ in range(epochs):
            for _ in range(5):
                parts["optimizer"].step()
                parts["warm_up"].step()
            parts["steps"].step()
        return parts["optimizer"].param_groups[0]["lr"]

    first, second = make(4), make(8)
    assert follow(first, 3) == pytest.approx(0.001)
    save_training(first, tmp_path / "t")
    app = SimpleNamespace(extended_from=4, planned_epochs=8, note=lambda _text: None)
    load_training(second, tmp_path / "t", app)  # type: ignore[arg-type]
    assert second["optimizer"].param_groups[0]["lr"] == pytest.approx(0.1)
    assert second["warm_up"].last_epoch == 15
    assert follow(second, 3) == pytest.approx(follow(make(8), 6))


def test_schedules_that_have_no_total_go_on_as_they_are(tmp_path: Path) -> None:
    """A plateau's waiting and restarts at fractions of epochs cannot be stepped again, and need not be."""

    def make() -> dict[str, Any]:
        optimizer = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)
        other = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)
        return {
            "plateau": rates.ReduceLROnPlateau(optimizer, patience=0),
            "restarts": rates.CosineAnnealingWarmRestarts(other, 4),
            "optimizer": optimizer,
            "other": other,
        }

    first, second = make(), make()
    for loss in (1.0, 2.0, 3.0):
        first["plateau"].step(loss)
        first["restarts"].step(loss / 2)
    save_training(first, tmp_path / "t")
    app = SimpleNamespace(extended_from=3, planned_epochs=5, note=lambda text: pytest.fail(text))
    load_training(second, tmp_path / "t", app)  # type: ignore[arg-type]
    for name in ("plateau", "restarts"):
        assert second[name].state_dict() == first[name].state_dict()
        assert second[name].optimizer.param_groups[0]["lr"] == first[name].optimizer.param_groups[0]["lr"]


def test_a_plateau_keeps_its_rate_beside_another_schedule(tmp_path: Path) -> None:
    """What it has lowered is in the optimizer alone, and stepping the warm-up anew would raise that again."""

    def make() -> dict[str, Any]:
        optimizer = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)
        return {
            "warm_up": rates.LinearLR(optimizer, 0.1, total_iters=2),
            "plateau": rates.ReduceLROnPlateau(optimizer, patience=0),
            "optimizer": optimizer,
        }

    first, second = make(), make()
    for loss in (1.0, 1.0, 2.0, 3.0):
        first["optimizer"].step()
        first["warm_up"].step()
        first["plateau"].step(loss)
    rate = first["optimizer"].param_groups[0]["lr"]
    assert rate < 0.01
    save_training(first, tmp_path / "t")
    notes: list[str] = []
    app = SimpleNamespace(extended_from=4, planned_epochs=8, note=notes.append)
    load_training(second, tmp_path / "t", app)  # type: ignore[arg-type]
    assert second["optimizer"].param_groups[0]["lr"] == rate
    (note,) = notes
    assert note.startswith("the schedule LinearLR continues as planned for 4 epochs")


class ByEpoch:
    """As timm's schedules are: it is told the epoch, and does not count."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.rate = 1.0

    def step(self, epoch: int) -> None:
        self.rate = 1 / epoch

    def state_dict(self) -> dict[str, Any]:
        return {"rate": self.rate}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rate = state["rate"]


def test_a_schedule_that_cannot_be_stepped_again_is_noted(tmp_path: Path) -> None:
    first, second = (ByEpoch(torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)) for _ in range(2))
    first.step(4)
    save_training({"schedule": first}, tmp_path / "t")
    notes: list[str] = []
    app = SimpleNamespace(extended_from=4, planned_epochs=8, note=notes.append)
    load_training({"schedule": second}, tmp_path / "t", app)  # type: ignore[arg-type]
    assert second.rate == 0.25
    (note,) = notes
    assert note.startswith("the schedule ByEpoch continues as planned for 4 epochs")


class Noisy(torch.utils.data.Dataset[Any]):
    """Samples with every kind of random augmentation."""

    def __len__(self) -> int:
        return 23

    def __getitem__(self, index: int) -> tuple[int, float, float, float]:
        return index, random.random(), float(numpy.random.rand()), float(torch.rand(()))


def fake_app(epoch: int = 1) -> Any:
    """What `Batches` asks of an application."""
    seed = derived_seed(0, "epoch", epoch)

    def permutation(count: int) -> list[int]:
        order = list(range(count))
        random.Random(seed).shuffle(order)
        return order

    return SimpleNamespace(epoch_seed=seed, permutation=permutation)


def as_lists(batches: Any) -> list[Any]:
    return [[one.tolist() for one in batch] for batch in batches]


def test_batches_are_the_same_whoever_loads_them() -> None:
    here = Batches(fake_app(), Noisy(), 4, shuffle=True)
    elsewhere = Batches(fake_app(), Noisy(), 4, shuffle=True, workers=2)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    all_of_them = as_lists(here)
    assert torch.equal(torch.get_rng_state(), before)  # loading draws nothing from the training's generators
    assert as_lists(elsewhere) == all_of_them
    assert as_lists(here.starting_at(3)) == all_of_them[3:]
    assert as_lists(elsewhere.starting_at(5)) == all_of_them[5:]
    assert as_lists(Batches(fake_app(2), Noisy(), 4, shuffle=True)) != all_of_them
    assert len(here) == len(all_of_them) == 6
    assert len(Batches(fake_app(), Noisy(), 4, shuffle=True, drop_last=True)) == 5


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(("batch_size", "world_size"), [(4, 2), (7, 3), (11, 4), (22, 2)])
def test_processes_share_every_batch(shuffle: bool, batch_size: int, world_size: int) -> None:
    parts = [
        Batches(fake_app(), Noisy(), batch_size, shuffle=shuffle, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    loaded = [as_lists(part) for part in parts]
    assert len({len(batches) for batches in loaded}) == 1
    seen = [index for batches in loaded for batch in batches for index in batch[0]]
    assert set(seen) == set(range(23))
    assert all(batch[0] for batches in loaded for batch in batches)
    if shuffle:
        assert all(len({len(batches[n][0]) for batches in loaded}) == 1 for n in range(len(loaded[0])))
    else:
        assert len(seen) == 23


def test_a_batch_in_parts() -> None:
    batch = (torch.arange(10), {"names": [str(number) for number in range(10)]})
    parts = parts_of(batch, 4)
    assert [len(part[0]) for part, _ in parts] == [2, 3, 2, 3]
    assert sum(share for _, share in parts) == pytest.approx(1)
    assert parts[1][0][1]["names"] == ["2", "3", "4"]
    assert parts_of(torch.arange(2), 8)[1][0].tolist() == [1]
