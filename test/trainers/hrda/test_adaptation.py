"""One iteration of the adaptation, with every switch."""

from __future__ import annotations

from contextlib import nullcontext
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from adaptation import Adaptation
from conftest import SMALL
from epochal.torch_processes import Processes
from losses import multi_resolution_loss
from multi_resolution import MultiResolutionNetwork
from parameters import Parameters
from self_training import make_teacher
from torch import Tensor
from training import make_network

CLASSES = 5
#: The coarsest map of the detail has four places then: with one, attention would have nothing to choose from.
SIDE = 128


def helpers() -> Any:
    """What the adaptation needs of `epochal.pytorch.Torch`: one process on the CPU."""
    return SimpleNamespace(
        processes=Processes(),
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        autocast=nullcontext,
        to_device=lambda batch: batch,
    )


def batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images, target = torch.randint(0, 256, (2, 2, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, CLASSES, (2, 8, 8), generator=generator)
    labels = labels.repeat_interleave(SIDE // 8, 1).repeat_interleave(SIDE // 8, 2)
    return {
        "images": images,
        "labels": labels.to(torch.uint8),
        "target": target,
        "trusted": torch.ones(2, SIDE, SIDE, dtype=torch.bool),
    }


def adaptation(*, parts: int = 1, **changed: Any) -> tuple[Adaptation, MultiResolutionNetwork, Any]:
    torch.manual_seed(0)
    parameters = Parameters(
        **{**SMALL, "dropout": 0, "drop_path": 0, "crop_size": SIDE, "detail_size": SIDE // 2, **changed}
    )
    network = make_network(parameters, CLASSES)
    network.train()
    teacher = make_teacher(network) if parameters.self_training else None
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    options = {}
    if parameters.feature_distance == 1:
        options = {"pretrained": make_network(parameters, CLASSES).encoder.eval(), "things": torch.tensor([1, 2])}
    if parameters.class_weights != "none":
        options["class_weights"] = lambda: torch.arange(1.0, CLASSES + 1)
    made = Adaptation(helpers(), parameters, network, teacher, optimizer, classes=CLASSES, parts=parts, **options)
    return made, network, teacher


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"high_resolution": False},
        {"scale_attention": False},
        {"self_training": False},
        {"class_mix": False},
        {"color_jitter": 0, "blur_probability": 0},
        {"decoder_dilations": []},
        {"feature_distance": 1},
        {"class_weights": "median_frequency"},
        {"clip_norm": 0.1},
    ],
)
def test_every_switch(changed: dict[str, Any]) -> None:
    made, network, _ = adaptation(**changed)
    before = deepcopy(network.state_dict())
    losses = made.step(batch(), 0)
    expected = {"train_loss", "source_loss"}
    expected |= set() if changed.get("self_training") is False else {"mixed_loss", "pseudo_quality"}
    expected |= {"feature_loss"} if changed.get("feature_distance") else set()
    assert set(losses) == expected
    assert losses["train_loss"] == pytest.approx(
        sum(losses.get(name, 0) for name in ("source_loss", "mixed_loss", "feature_loss"))
    )
    still = [
        name
        for name, one in network.named_parameters()
        # Batch norm takes away what the biases before it add.
        if torch.equal(one, before[name]) and "embeddings" not in name
    ]
    assert still == [], "every weight has learned"


def test_gradients_are_those_of_the_sum_of_losses() -> None:
    """Two passes, one after the other, add up to what one backward pass of both losses gives."""
    made, network, _ = adaptation(self_training=False, high_resolution=False)
    other = deepcopy(network)
    one = batch()
    loss = multi_resolution_loss(other(one["images"].float() / 255, None), one["labels"].long(), None, 0.1)
    loss.backward()
    made.step(one, 0)
    for (name, weight), expected in zip(network.named_parameters(), other.parameters(), strict=True):
        assert torch.allclose(weight.grad, expected.grad, atol=1e-6), name


def test_the_teacher_follows_and_is_never_trained() -> None:
    made, network, teacher = adaptation()
    made.step(batch(), 0)
    student = {name: one.clone() for name, one in network.state_dict().items()}
    made.step(batch(), 1)  # before its step the teacher becomes the mean of itself, the first student, and this one
    first = adaptation()[1].state_dict()
    for name, one in teacher.named_parameters():
        assert torch.allclose(one, (first[name] + student[name]) / 2, atol=1e-6), name
        assert one.grad is None
    assert not teacher.training
    assert network.training


def test_untrusted_and_unsure_pixels_teach_nothing() -> None:
    one = batch()
    quiet = {"class_mix": False, "color_jitter": 0, "blur_probability": 0}
    unsure, _, _ = adaptation(**quiet, pseudo_threshold=0.999999)
    losses = unsure.step(one, 0)
    assert losses["pseudo_quality"] == losses["mixed_loss"] == 0
    one["trusted"][:] = False
    untrusted, _, _ = adaptation(**quiet, pseudo_threshold=0)
    losses = untrusted.step(one, 0)
    assert losses["pseudo_quality"] == 1
    assert losses["mixed_loss"] == 0


def test_class_weights_are_of_true_labels_alone() -> None:
    one = batch()
    quiet = {"color_jitter": 0, "blur_probability": 0, "pseudo_threshold": 0}
    weighed = {**quiet, "class_weights": "median_frequency"}
    target_alone = [adaptation(**options, class_mix=False)[0].step(one, 0) for options in (quiet, weighed)]
    assert target_alone[0]["mixed_loss"] == target_alone[1]["mixed_loss"]
    assert target_alone[0]["source_loss"] < target_alone[1]["source_loss"]
    with_source = [adaptation(**options)[0].step(one, 0) for options in (quiet, weighed)]
    assert with_source[0]["mixed_loss"] < with_source[1]["mixed_loss"]


def test_parts_add_up_to_the_batch() -> None:
    """After out-of-memory: as many losses as before, up to batch norm's smaller parts."""
    one = batch()
    whole = adaptation(self_training=False)[0].step(one, 0)
    parts = adaptation(self_training=False, parts=2)[0].step(one, 0)
    assert parts["source_loss"] == pytest.approx(whole["source_loss"], rel=0.1)
