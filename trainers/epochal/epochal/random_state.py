"""The state of the random generators that Python, numpy and torch share within a process."""

import base64
import hashlib
import importlib
import random
import sys
from typing import Any

RandomState = dict[str, Any]


def capture() -> RandomState:
    """The state of every generator that is in use. Cheap: nothing is encoded yet."""
    state: RandomState = {"python": random.getstate()}
    if numpy := sys.modules.get("numpy"):
        state["numpy"] = numpy.random.get_state(legacy=True)
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_rng_state"):
        state["torch"] = torch.get_rng_state()
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore(state: RandomState) -> None:
    """Set the generators to a captured or decoded state."""
    random.setstate(state["python"])
    if "numpy" in state:
        importlib.import_module("numpy").random.set_state(state["numpy"])
    if "torch" in state:
        torch = importlib.import_module("torch")
        torch.set_rng_state(state["torch"])
        if "cuda" in state and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda"][: torch.cuda.device_count()])


def encode(state: RandomState) -> dict[str, Any]:
    """The state as JSON."""
    version, words, gauss = state["python"]
    encoded: dict[str, Any] = {"python": [version, list(words), gauss]}
    if "numpy" in state:
        kind, keys, position, has_gauss, cached = state["numpy"]
        encoded["numpy"] = [kind, [int(key) for key in keys], int(position), int(has_gauss), float(cached)]
    if "torch" in state:
        encoded["torch"] = _from_tensor(state["torch"])
    if "cuda" in state:
        encoded["cuda"] = [_from_tensor(one) for one in state["cuda"]]
    return encoded


def decode(encoded: dict[str, Any]) -> RandomState:
    """The opposite of `encode`."""
    version, words, gauss = encoded["python"]
    state: RandomState = {"python": (version, tuple(words), gauss)}
    if "numpy" in encoded:
        kind, keys, position, has_gauss, cached = encoded["numpy"]
        numpy = importlib.import_module("numpy")
        state["numpy"] = (kind, numpy.array(keys, dtype=numpy.uint32), position, has_gauss, cached)
    if "torch" in encoded:
        state["torch"] = _to_tensor(encoded["torch"])
    if "cuda" in encoded:
        state["cuda"] = [_to_tensor(one) for one in encoded["cuda"]]
    return state


def seed_everything(seed: int) -> None:
    """Seed every generator that is in use."""
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed % 2**32)
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "manual_seed"):
        torch.manual_seed(seed)


def derived_seed(seed: int, *path: object) -> int:
    """A seed of 32 bits for one purpose, e.g. one epoch; the same on every machine."""
    text = ":".join(str(part) for part in (seed, *path))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _from_tensor(tensor: Any) -> str:
    return base64.b64encode(tensor.numpy().tobytes()).decode()


def _to_tensor(text: str) -> Any:
    torch = importlib.import_module("torch")
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
