"""Images as the training and the validation take them: scaled, cropped, flipped."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from domains import IGNORED, Domain
from PIL import Image
from rare_classes import RareClassSampler
from torch import Tensor
from torch.utils.data import Dataset

#: Attempts for a crop that is not nearly all of one class, or that has enough of the rare class.
_ATTEMPTS = 10
#: ImageNet's mean colour: what lies outside an image that is smaller than the crop.
_OUTSIDE = (124, 116, 104)

#: An image (H, W, 3) and its labels or trust (H, W).
Pair = tuple[np.ndarray, np.ndarray]


class TrainingSamples(Dataset[dict[str, Tensor]]):
    """A labelled crop of the source, and a crop of the target, drawn anew for every sample of every batch.

    The index means nothing: random numbers of `random` decide, which Epochal seeds for each batch.
    """

    def __init__(
        self,
        count: int,
        source: Domain,
        target: Domain | None,
        *,
        crop: int,
        source_width: int | None = None,
        target_width: int | None = None,
        flip: bool = True,
        largest_part: float = 0.75,
        rare_classes: RareClassSampler | None = None,
        rare_pixels: int = 0,
        margins: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> None:
        """`count` samples are an epoch. `rare_pixels` of the drawn class should be in the crop.

        `margins` (top, bottom, left, right) of target images are not trusted: `trusted` is False there.
        """
        self._count = count
        self._source, self._target = source, target
        self._crop = crop
        self._source_width, self._target_width = source_width, target_width
        self._flip = flip
        self._largest_part = largest_part
        self._rare_classes, self._rare_pixels = rare_classes, rare_pixels
        self._margins = margins

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        image, labels = self._flipped(self._source_crop())
        sample = {"images": _channels_first(image), "labels": torch.from_numpy(labels)}
        if self._target is not None:
            image, trusted = self._flipped(self._target_crop(self._target))
            sample |= {"target": _channels_first(image), "trusted": torch.from_numpy(trusted).bool()}
        return sample

    def _source_crop(self) -> Pair:
        wanted, number = None, 0
        if self._rare_classes:
            wanted, number = self._rare_classes.draw()
        else:
            number = random.randrange(len(self._source))
        image = scaled(self._source.image(number), self._source_width)
        labels = scaled(Image.fromarray(self._source.labels(number)), self._source_width, nearest=True)
        whole = _padded(np.asarray(image), np.asarray(labels), self._crop, IGNORED)
        for _attempt in range(_ATTEMPTS):
            cut = random_crop(*whole, self._crop)
            if self._is_good(cut[1], wanted):
                break
        return cut

    def _is_good(self, labels: np.ndarray, wanted: int | None) -> bool:
        """Whether a crop has enough of the class it was drawn for, or else is not nearly all of one class."""
        if wanted is not None and self._rare_pixels:
            return int((labels == wanted).sum()) >= self._rare_pixels
        counts = np.bincount(labels[labels != IGNORED], minlength=2)
        return bool(np.count_nonzero(counts) > 1 and counts.max() < self._largest_part * counts.sum())

    def _target_crop(self, target: Domain) -> Pair:
        image = np.asarray(scaled(target.image(random.randrange(len(target))), self._target_width))
        trusted = np.zeros(image.shape[:2], np.uint8)
        top, bottom, left, right = self._margins
        trusted[top : trusted.shape[0] - bottom, left : trusted.shape[1] - right] = 1
        return random_crop(*_padded(image, trusted, self._crop, 0), self._crop)

    def _flipped(self, pair: Pair) -> Pair:
        if self._flip and random.random() < 0.5:
            pair = pair[0][:, ::-1], pair[1][:, ::-1]
        return pair[0].copy(), pair[1].copy()


class ValidationSamples(Dataset[dict[str, Any]]):
    """Whole images with their labels at the labels' own size: predictions are brought to that."""

    def __init__(self, domain: Domain, width: int | None) -> None:
        self._domain, self._width = domain, width

    def __len__(self) -> int:
        return len(self._domain)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image = np.array(scaled(self._domain.image(index), self._width))
        return {
            "images": _channels_first(image),
            "labels": torch.from_numpy(np.array(self._domain.labels(index))),
            "names": self._domain.entries[index].name,
        }


def scaled(image: Image.Image, width: int | None, *, nearest: bool = False) -> Image.Image:
    """The image at this width, its proportions kept; as it is without one."""
    if width is None or width == image.width:
        return image
    size = width, round(image.height * width / image.width)
    return image.resize(size, Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR)


def random_crop(image: np.ndarray, labels: np.ndarray, size: int) -> Pair:
    """A square anywhere in an image that is at least as large."""
    height, width = labels.shape
    top, left = random.randint(0, height - size), random.randint(0, width - size)
    return image[top : top + size, left : left + size], labels[top : top + size, left : left + size]


def _padded(image: np.ndarray, labels: np.ndarray, size: int, outside: int) -> Pair:
    height, width = (max(size, side) for side in labels.shape)
    if (height, width) == labels.shape:
        return image, labels
    whole = np.empty((height, width, 3), np.uint8)
    whole[...] = _OUTSIDE
    whole_labels = np.full((height, width), outside, np.uint8)
    rows, columns = labels.shape
    whole[:rows, :columns] = image
    whole_labels[:rows, :columns] = labels
    return whole, whole_labels


def _channels_first(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1).contiguous()
