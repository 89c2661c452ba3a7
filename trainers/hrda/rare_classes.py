"""Rare class sampling (DAFormer, arXiv 2111.14887, section 3.3)."""

from __future__ import annotations

import random
from functools import cached_property

import numpy as np
from class_statistics import ClassStatistics


def class_probabilities(frequencies: np.ndarray, temperature: float) -> np.ndarray:
    """P(c) = exp((1 - f_c)/T) / Σ exp((1 - f_c')/T), over the classes that occur; 0 for the others.

    f_c is the part of all labelled pixels that have class c. The smaller T, the likelier are rare classes.
    """
    exponents = np.where(frequencies > 0, (1 - frequencies) / temperature, -np.inf)
    powers = np.exp(exponents - exponents.max())
    return powers / powers.sum()


class RareClassSampler:
    """Draws a class, and an image that has it. Random numbers are those of `random`."""

    def __init__(self, statistics: ClassStatistics, temperature: float, least_pixels: int) -> None:
        """`least_pixels` of the class make an image one that has it; where none has so many, any of it does."""
        self._statistics = statistics
        self._temperature = temperature
        self._least_pixels = least_pixels

    def draw(self) -> tuple[int, int]:
        """A class and the index of an image."""
        images, weights = self._table
        (drawn,) = random.choices(list(images), weights)
        return drawn, random.choice(images[drawn])

    @cached_property
    def _table(self) -> tuple[dict[int, list[int]], list[float]]:
        """The images of each class that occurs, and how likely it is; made when it is first drawn from.

        By then a checkpoint's statistics are loaded.
        """
        probabilities = class_probabilities(self._statistics.frequencies, self._temperature)
        with_it = self._statistics.images_with
        images = {
            index: with_it(index, self._least_pixels) or with_it(index, 1)
            for index in np.flatnonzero(probabilities).tolist()
        }
        return images, [float(probabilities[index]) for index in images]
