"""Widgets of images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from epochal.ui.keeping import Keep
from epochal.ui.layout import Widget
from epochal.ui.marks import MOST_MARKS, MarkedImage, Mask
from epochal.ui.values import first, named, text

MOST_IMAGES = 64


class Image(Widget):
    """One image."""

    kind = "image"

    def show(self, image: Any, caption: str = "") -> None:
        """An array, a tensor, a Pillow image, the bytes or the path of an image file."""
        self._tell(lambda keep: {"image": keep.image(image), "caption": text(caption, 300)})


class ImagePair(Widget):
    """Two images of one size over each other, with a slider between them: before and after."""

    kind = "imagePair"

    def show(self, before: Any, after: Any, caption: str = "") -> None:
        """Each as `Image` takes it."""

        def make(keep: Keep) -> dict[str, Any]:
            return {"before": keep.image(before), "after": keep.image(after), "caption": text(caption, 300)}

        self._tell(make)


class ImageGrid(Widget):
    """Up to 64 images with what was found in them, by epoch: `ui.MarkedImage(image, caption, [ui.Box(...)])`."""

    kind = "imageGrid"

    def __init__(self, title: str = "", *, classes: Sequence[str] = (), id: str | None = None) -> None:
        """`classes` get their colours in this order; others after them."""
        super().__init__(title, id=id)
        self._classes = named(classes, 500)

    def options(self) -> dict[str, Any]:
        return {"classes": self._classes}

    def show(self, images: Iterable[Any]) -> None:
        """`MarkedImage`s, or images alone."""

        def make(keep: Keep) -> dict[str, Any]:
            kept, of = first(images, MOST_IMAGES)
            return {"images": [_marked(one, keep) for one in kept], "of": of}

        self._tell(make)


def _marked(given: Any, keep: Keep) -> dict[str, Any]:
    one = given if isinstance(given, MarkedImage) else MarkedImage(given)
    marks = []
    for mark in list(one.marks)[:MOST_MARKS]:
        if isinstance(mark, Mask):
            # The same dictionary, which is completed when the mask is a file.
            told: dict[str, Any] | None = keep.mask(mark.pixels)
            told |= {"kind": "mask", "class": text(mark.class_, 100)}
        else:
            told = mark.told()
        if told:
            marks.append(told)
    image = keep.image(one.image)
    image |= {"caption": text(one.caption, 300), "marks": marks, "marksOf": len(one.marks)}
    return image
