"""Every equation against a reference that is slow and plainly written."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import numpy as np
import pytest
import torch
from class_mix import StrongAugmentation, class_mask, mixed
from class_statistics import ClassStatistics
from feature_distance import class_of_patches, feature_distance, thing_distance
from losses import multi_resolution_loss, weighted_cross_entropy
from metrics import ConfusionMatrix
from multi_resolution import DetailBox, Segmented, fuse, inserted
from rare_classes import RareClassSampler, class_probabilities
from schedule import rate_factor
from self_training import make_teacher, pseudo_labels, teacher_decay, update_teacher
from sliding_window import positions, slide
from torch import Tensor, nn


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
    random.seed(0)


def bilinear_twice(maps: list[list[float]]) -> list[list[float]]:
    """Twice as large, pixel by pixel: the four nearest centres, weighted by how near they are."""
    height, width = len(maps), len(maps[0])

    def at(row: float, column: float) -> float:
        row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
        top, left = int(row), int(column)
        bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
        down, across = row - top, column - left
        above = maps[top][left] * (1 - across) + maps[top][right] * across
        below = maps[bottom][left] * (1 - across) + maps[bottom][right] * across
        return above * (1 - down) + below * down

    return [[at((y + 0.5) / 2 - 0.5, (x + 0.5) / 2 - 0.5) for x in range(2 * width)] for y in range(2 * height)]


@pytest.mark.parametrize("by_class", [True, False])
def test_attention_fusion(by_class: bool) -> None:
    context, detail = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 8, 10)
    attention = torch.rand(2, 3 if by_class else 1, 4, 5)
    fused = fuse(context, attention, detail)
    for image in range(2):
        for channel in range(3):
            trust = attention[image, channel if by_class else 0]
            rest = ((1 - trust) * context[image, channel]).tolist()
            left, looked = bilinear_twice(rest), bilinear_twice(trust.tolist())
            for y in range(8):
                for x in range(10):
                    expected = left[y][x] + looked[y][x] * float(detail[image, channel, y, x])
                    assert float(fused[image, channel, y, x]) == pytest.approx(expected, abs=1e-5)


def test_the_detail_has_its_place() -> None:
    box = DetailBox(top=8, left=16, size=16)
    detail = torch.randn(1, 2, 4, 4)
    whole = inserted(detail, box, (8, 10))
    for y in range(8):
        for x in range(10):
            is_inside = 2 <= y < 6 and 4 <= x < 8
            expected = detail[0, :, y - 2, x - 4] if is_inside else torch.zeros(2)
            assert torch.equal(whole[0, :, y, x], expected)
    pixels = torch.arange(32 * 40).view(1, 32, 40)
    assert torch.equal(box.within(pixels, 1), pixels[:, 8:24, 16:32])


@pytest.mark.parametrize(("length", "window", "stride"), [(10, 4, 2), (11, 4, 2), (4, 4, 2), (3, 4, 2), (64, 24, 12)])
def test_windows_cover_everything(length: int, window: int, stride: int) -> None:
    found = positions(length, window, stride)
    covered = {pixel for start in found for pixel in range(start, min(start + window, length))}
    assert covered == set(range(length))
    assert found == sorted(set(found))
    assert all(0 <= start <= max(length - window, 0) for start in found)
    assert all(later - earlier <= stride for earlier, later in pairwise(found))


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("output_stride", [1, 4])
def test_sliding_window_average(together: bool, output_stride: int) -> None:
    images = torch.randn(2, 3, 20, 28)

    def predict(crops: Tensor) -> Tensor:
        """Depends on where in the window a pixel is, so that windows disagree."""
        maps = crops[:, :2, ::output_stride, ::output_stride]
        return maps * torch.arange(1.0, maps.shape[-1] + 1) + torch.arange(maps.shape[-2]).view(-1, 1)

    averaged = slide(images, 12, 8, predict, output_stride=output_stride, together=together)
    rows, columns = [0, 8], [0, 8, 16]
    for y in range(20 // output_stride):
        for x in range(28 // output_stride):
            said = []
            for top in rows:
                for left in columns:
                    v, u = y - top // output_stride, x - left // output_stride
                    if 0 <= v < 12 // output_stride and 0 <= u < 12 // output_stride:
                        pixel = images[:, :2, y * output_stride, x * output_stride]
                        said.append(pixel * (u + 1) + v)
            expected = sum(said) / len(said)
            assert torch.allclose(averaged[:, :, y, x], expected, atol=1e-5), (y, x)


def test_pseudo_labels_and_their_weight() -> None:
    logits = torch.randn(2, 4, 5, 6) * 3
    labels, quality = pseudo_labels(logits, 0.8)
    for image in range(2):
        sure = 0
        for y in range(5):
            for x in range(6):
                powers = [math.exp(float(logits[image, c, y, x])) for c in range(4)]
                likelihoods = [power / sum(powers) for power in powers]
                assert int(labels[image, y, x]) == likelihoods.index(max(likelihoods))
                sure += max(likelihoods) > 0.8
        assert float(quality[image]) == pytest.approx(sure / 30)
    assert 0 < float(quality.min()) < 1


def test_teacher_schedule() -> None:
    """The mean of all students while 1 - 1/(t + 1) is the smaller, then a moving average."""
    assert teacher_decay(0, 0.99) == 0
    assert teacher_decay(1, 0.99) == 0.5
    assert teacher_decay(98, 0.99) == pytest.approx(98 / 99)
    assert teacher_decay(5000, 0.99) == 0.99
    student = nn.BatchNorm1d(3)
    teacher = make_teacher(student)  # type: ignore[arg-type]
    said = student.weight.tolist()
    for iteration in range(8):
        nn.init.normal_(student.weight)
        student.running_mean.fill_(iteration)
        student.num_batches_tracked.fill_(iteration)
        decay = teacher_decay(iteration, 0.7)
        update_teacher(teacher, student, decay)  # type: ignore[arg-type]
        said = [decay * old + (1 - decay) * new for old, new in zip(said, student.weight.tolist(), strict=True)]
        assert teacher.weight.tolist() == pytest.approx(said, abs=1e-6)
    assert not teacher.weight.requires_grad
    assert not teacher.training
    assert 0 < float(teacher.running_mean[0]) < 7
    assert int(teacher.num_batches_tracked) == 7


def test_class_mix() -> None:
    labels = torch.tensor([[0, 0, 1, 255], [2, 2, 3, 4], [4, 4, 4, 255]])
    seen = set()
    for _ in range(200):
        mask = class_mask(labels)
        pasted = {int(one) for one in labels[mask]}
        left = {int(one) for one in labels[~mask]}
        assert len(pasted) == 3  # a half of five, rounded up
        assert not pasted & left
        assert 255 in left
        seen |= {frozenset(pasted)}
    assert len(seen) == 10  # every choice of three
    source, target = torch.randn(1, 3, 3, 4), torch.randn(1, 3, 3, 4)
    mask = class_mask(labels)
    image = mixed(mask[None], source, target)
    classes = mixed(mask[None], labels[None], torch.full_like(labels[None], 7))
    for y in range(3):
        for x in range(4):
            assert torch.equal(image[0, :, y, x], (source if mask[y, x] else target)[0, :, y, x])
            assert int(classes[0, y, x]) == (int(labels[y, x]) if mask[y, x] else 7)
    assert not class_mask(torch.full((2, 2), 255)).any()


def test_strong_augmentation_is_drawn_for_each_image() -> None:
    images = torch.rand(1, 3, 24, 24).expand(6, -1, -1, -1)
    assert torch.equal(StrongAugmentation(0.2, 0, 0)(images), images)
    changed = StrongAugmentation(0.2, 1, 1)(images)
    assert changed.shape == images.shape
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1
    assert len({tuple(one.flatten().tolist()) for one in changed}) == 6
    blurred = StrongAugmentation(0, 1, 1)(images)
    assert float(blurred.var()) < float(images.var())
    assert blurred.mean().item() == pytest.approx(images.mean().item(), abs=0.01)


def test_rare_class_probabilities() -> None:
    frequencies = np.array([0.5, 0.3, 0.199, 0.0, 0.001])
    temperature = 0.1
    found = class_probabilities(frequencies, temperature)
    powers = [math.exp((1 - f) / temperature) if f > 0 else 0 for f in frequencies]
    assert found.tolist() == pytest.approx([power / sum(powers) for power in powers])
    assert found[3] == 0
    assert list(np.argsort(found)) == [3, 0, 1, 2, 4]
    assert class_probabilities(frequencies, 1e-5)[4] == 1  # nothing overflows


def test_rare_class_sampling_draws_by_them() -> None:
    counts = np.array([[90, 10, 0], [100, 0, 0], [80, 15, 5], [98, 0, 2]])
    sampler = RareClassSampler(ClassStatistics(counts), 0.5, least_pixels=5)
    drawn = [sampler.draw() for _ in range(4000)]
    expected = class_probabilities(counts.sum(0) / counts.sum(), 0.5)
    for index in range(3):
        assert sum(one == index for one, _ in drawn) / 4000 == pytest.approx(expected[index], abs=0.03)
    assert {image for one, image in drawn if one == 1} == {0, 2}
    assert {image for one, image in drawn if one == 2} == {2}  # the other has too few pixels of it
    lenient = RareClassSampler(ClassStatistics(counts), 0.5, least_pixels=50)
    assert {image for one, image in (lenient.draw() for _ in range(500)) if one == 2} == {2, 3}


def test_class_weights_by_median_frequency() -> None:
    counts = np.array([[90, 10, 0, 0], [60, 0, 40, 0]])
    parts = [150 / 200, 10 / 100, 40 / 100]
    median = sorted(parts)[1]
    assert ClassStatistics(counts).weights().tolist() == pytest.approx([*(median / part for part in parts), 1])


def cross_entropy_of(logits: Tensor, label: int) -> float:
    powers = [math.exp(float(one)) for one in logits]
    return -math.log(powers[label] / sum(powers))


def test_weighted_cross_entropy() -> None:
    logits, weights = torch.randn(2, 3, 4, 4), torch.rand(2, 4, 4)
    labels = torch.randint(0, 3, (2, 4, 4))
    labels[0, 0] = 255
    total = 0.0
    for image in range(2):
        for y in range(4):
            for x in range(4):
                if (label := int(labels[image, y, x])) != 255:
                    total += float(weights[image, y, x]) * cross_entropy_of(logits[image, :, y, x], label)
    assert float(weighted_cross_entropy(logits, labels, weights)) == pytest.approx(total / 32, rel=1e-5)


def test_loss_at_both_resolutions() -> None:
    box = DetailBox(8, 0, 8)
    segmented = Segmented(torch.randn(2, 3, 4, 4), torch.randn(2, 3, 2, 2), torch.zeros(1))
    labels, weights = torch.randint(0, 3, (2, 16, 16)), torch.rand(2, 16, 16)
    loss = multi_resolution_loss(segmented, labels, box, 0.3, weights)
    fused = weighted_cross_entropy(segmented.logits, labels, weights)
    detail = weighted_cross_entropy(segmented.detail, labels[:, 8:16, 0:8], weights[:, 8:16, 0:8])
    assert float(loss) == pytest.approx(0.7 * float(fused) + 0.3 * float(detail))
    assert float(multi_resolution_loss(segmented, labels, None, 0.3, weights)) == pytest.approx(float(fused))


def test_learning_rate() -> None:
    total, warmup = 100, 10
    for iteration in range(total + 1):
        left = 1 - iteration / total
        rising = min(iteration / warmup + 1e-6 * max(1 - iteration / warmup, 0), 1)
        assert rate_factor(iteration, total, warmup, 0.9) == pytest.approx(left**0.9 * rising)
    assert rate_factor(50, 100, 0, 0) == 1
    assert rate_factor(100, 100, 10, 1) == 0
    assert 0 < rate_factor(0, 100, 10, 1) < 1e-5


def test_feature_distance_of_things() -> None:
    features, pretrained = torch.randn(2, 5, 2, 3), torch.randn(2, 5, 2, 3)
    labels = torch.zeros(2, 8, 12, dtype=torch.long)
    labels[0, 0:4, 0:4] = 2
    labels[0, 0:4, 4:7] = 2  # three quarters of a patch
    labels[1, 4:8, 8:10] = 1  # a half of one
    labels[1, 0:4, 0:4] = 255
    patches = class_of_patches(labels, 4, 3)
    assert patches.tolist() == [[[2, 2, 0], [0, 0, 0]], [[255, 0, 0], [0, 0, 255]]]
    distance = thing_distance(features, pretrained, labels, torch.tensor([1, 2]), 3)
    expected = [
        math.sqrt(sum((float(features[0, c, 0, x]) - float(pretrained[0, c, 0, x])) ** 2 for c in range(5)))
        for x in (0, 1)
    ]
    assert float(distance) == pytest.approx(sum(expected) / 2, rel=1e-5)
    nowhere = features.clone().requires_grad_(True)
    nothing = feature_distance(nowhere, pretrained, torch.zeros(2, 2, 3, dtype=torch.bool))
    nothing.backward()
    assert nothing.item() == 0
    assert torch.equal(nowhere.grad, torch.zeros_like(nowhere))


def test_intersection_over_union() -> None:
    labels, predicted = torch.randint(0, 3, (4, 6, 6)), torch.randint(0, 3, (4, 6, 6))
    labels[0, 0] = 255
    matrix = ConfusionMatrix(["a", "b", "c", "nowhere"])
    matrix.add(predicted[:2], labels[:2])
    matrix.add(predicted[2:], labels[2:])
    pairs = [(int(a), int(b)) for a, b in zip(labels.flatten(), predicted.flatten(), strict=True) if a != 255]
    by_class = []
    for index, name in enumerate("abc"):
        both = sum(a == b == index for a, b in pairs)
        either = sum(index in pair for pair in pairs)
        by_class.append(both / either)
        assert matrix.metrics[f"IoU_{name}"] == pytest.approx(both / either)
    assert matrix.metrics["mIoU"] == pytest.approx(sum(by_class) / 3)
    assert matrix.metrics["pixel_accuracy"] == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    assert "IoU_nowhere" not in matrix.metrics
    half = ConfusionMatrix(["a", "b", "c", "nowhere"])
    half.add(predicted[:2], labels[:2])
    half.gather(lambda counts: [2 * one for one in counts])
    assert half.counts.sum() == 2 * (labels[:2] != 255).sum()
