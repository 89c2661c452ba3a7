"""Hierarchical encoders: feature maps of several resolutions, the finest first."""

from __future__ import annotations

import os
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from epochal import SetUpError
from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers import SegformerConfig

HUB = "hub:"


class _Size(NamedTuple):
    """Of each of the four stages."""

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    heads: tuple[int, ...]
    expansions: tuple[int, ...]
    #: Keys and values of the attention are at 1/reduction of a stage's map.
    reductions: tuple[int, ...] = (8, 4, 2, 1)


_heads, _expansions = (1, 2, 5, 8), (4, 4, 4, 4)
_widths = (64, 128, 320, 512)

#: SegFormer, arXiv 2105.15203, table 6. `mit_tiny` is none of the paper's: it learns from scratch on a CPU.
_mix_transformers = {
    "mit_tiny": _Size((1, 1, 1, 1), (16, 32, 48, 64), (1, 2, 3, 4), (2, 2, 2, 2), (4, 2, 1, 1)),
    "mit_b0": _Size((2, 2, 2, 2), (32, 64, 160, 256), _heads, _expansions),
    "mit_b1": _Size((2, 2, 2, 2), _widths, _heads, _expansions),
    "mit_b2": _Size((3, 4, 6, 3), _widths, _heads, _expansions),
    "mit_b3": _Size((3, 4, 18, 3), _widths, _heads, _expansions),
    "mit_b4": _Size((3, 8, 27, 3), _widths, _heads, _expansions),
    "mit_b5": _Size((3, 6, 40, 3), _widths, _heads, _expansions),
}


class MixTransformer(nn.Module):
    """Segformer's encoder from `transformers`: maps at 1/4, 1/8, 1/16 and 1/32 of the image."""

    def __init__(self, name: str, weights: str, drop_path: float) -> None:
        super().__init__()
        from transformers import SegformerModel

        config = mix_transformer_config(name, drop_path)
        self.channels = list(config.hidden_sizes)
        if not weights:
            self.encoder = SegformerModel(config)
            _initialise_convolutions(self.encoder)
            return
        is_hub = weights.startswith(HUB)
        place = weights.removeprefix(HUB) if is_hub else str(Path(weights).expanduser())
        try:
            self.encoder, loaded = SegformerModel.from_pretrained(
                place, config=config, local_files_only=not is_hub, output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise SetUpError(f"the weights of the encoder {weights} cannot be loaded as {name}: {error}") from error
        if missing := sorted(loaded["missing_keys"]):
            raise SetUpError(f"the weights of the encoder {weights} are none of {name}: they have no {missing[0]}")

    def forward(self, images: Tensor) -> list[Tensor]:
        return list(self.encoder(images, output_hidden_states=True).hidden_states)


def _initialise_convolutions(encoder: nn.Module) -> None:
    """As SegFormer's implementation does, by the number of outputs; transformers' 0.02 learns slowly from scratch."""
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            outputs = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
            nn.init.normal_(module.weight, std=sqrt(2 / outputs))
            nn.init.zeros_(module.bias)


class TimmEncoder(nn.Module):
    """Any encoder of timm that gives feature maps: those of 1/4 and coarser, four at most."""

    def __init__(self, name: str, weights: str, drop_path: float) -> None:
        super().__init__()
        import timm

        pretrained: dict[str, object] = {"pretrained": bool(weights)}
        if weights and not weights.startswith(HUB):
            pretrained["pretrained_cfg_overlay"] = {"file": str(Path(weights).expanduser())}
        try:
            try:
                self.encoder = timm.create_model(name, features_only=True, drop_path_rate=drop_path, **pretrained)
            except TypeError:  # not every network has such
                self.encoder = timm.create_model(name, features_only=True, **pretrained)
        except (RuntimeError, OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise SetUpError(f"timm cannot make the encoder {name} with the weights '{weights}': {error}") from error
        reductions = self.encoder.feature_info.reduction()
        used = [index for index, reduction in enumerate(reductions) if reduction >= 4][-4:]
        if not used:
            raise SetUpError(f"the encoder {name} of timm has no feature map of 1/4 of the image or coarser")
        self._used = used
        self.channels = [self.encoder.feature_info.channels()[index] for index in used]

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.encoder(images)
        return [maps[index] for index in self._used]


def make_encoder(name: str, weights: str = "", drop_path: float = 0.1) -> MixTransformer | TimmEncoder:
    """`mit_tiny`, `mit_b0` … `mit_b5`, or `timm:<name>`. Weights: a local folder or file, `hub:…`, or none."""
    if weights.startswith(HUB):
        os.environ.pop("HF_HUB_OFFLINE", None)
    else:
        os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is looked up, let alone downloaded
    if name.startswith("timm:"):
        return TimmEncoder(name.removeprefix("timm:"), weights, drop_path)
    return MixTransformer(name, weights, drop_path)


def mix_transformer_config(name: str, drop_path: float) -> SegformerConfig:
    """The configuration of a Mix Transformer."""
    from transformers import SegformerConfig

    size = _mix_transformers[name]
    return SegformerConfig(
        depths=list(size.depths),
        hidden_sizes=list(size.widths),
        num_attention_heads=list(size.heads),
        mlp_ratios=list(size.expansions),
        sr_ratios=list(size.reductions),
        drop_path_rate=drop_path,
    )
