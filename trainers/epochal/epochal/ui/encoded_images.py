"""Images that are shown again after each epoch, each made into a file once."""

from __future__ import annotations

from typing import Any

from epochal.ui.pixels import Encoded, encoded


class EncodedImages:
    """By what they are called; `most` of them are remembered."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._images: dict[str, Encoded] = {}

    def of(self, name: str, image: Any) -> Any:
        """For `ui.MarkedImage`: `image` as it was when it was first asked for by `name`.

        One that cannot be made into a file is answered as it is: the page says why.
        """
        if name not in self._images:
            if len(self._images) >= self._most:
                self._images.clear()  # they change after all
            try:
                self._images[name] = encoded(image)
            except Exception:
                return image
        return self._images[name]
