"""The network: encoders, decoder, both resolutions, every switch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import SMALL
from daformer_head import DAFormerHead
from encoders import make_encoder, mix_transformer_config
from epochal import SetUpError
from multi_resolution import DetailBox, MultiResolutionNetwork
from parameters import Parameters
from safetensors.torch import save_file
from schedule import parameter_groups
from training import make_network, things
from validation import predict


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def network(**changed: Any) -> MultiResolutionNetwork:
    return make_network(Parameters(**{**SMALL, **changed}), 5)


def test_mix_transformers_are_those_of_the_paper() -> None:
    """Parameters of the encoders in millions (SegFormer, arXiv 2105.15203, table 1a)."""
    for name, millions in (("mit_b0", 3.4), ("mit_b1", 13.1)):
        encoder = make_encoder(name)
        assert sum(one.numel() for one in encoder.parameters()) / 1e6 == pytest.approx(millions, abs=0.4)
    with torch.device("meta"):
        from transformers import SegformerModel

        largest = SegformerModel(mix_transformer_config("mit_b5", 0.1))
    assert sum(one.numel() for one in largest.parameters()) / 1e6 == pytest.approx(81.4, abs=0.6)
    maps = make_encoder("mit_b0")(torch.rand(1, 3, 64, 96))
    assert [tuple(one.shape) for one in maps] == [(1, 32, 16, 24), (1, 64, 8, 12), (1, 160, 4, 6), (1, 256, 2, 3)]


def test_pretrained_weights_from_a_folder(tmp_path: Path) -> None:
    """As a hub has them: a classifier's checkpoint, of which the encoder is a part."""
    from transformers import SegformerForImageClassification

    classifier = SegformerForImageClassification(mix_transformer_config("mit_tiny", 0.0))
    classifier.save_pretrained(tmp_path / "tiny")
    loaded = make_encoder("mit_tiny", str(tmp_path / "tiny"), 0.0).eval()
    images = torch.rand(1, 3, 32, 32)
    expected = classifier.eval().segformer(images, output_hidden_states=True).hidden_states
    for one, other in zip(loaded(images), expected, strict=True):
        assert torch.equal(one, other)
    with pytest.raises(SetUpError, match="mit_b0"):
        make_encoder("mit_b0", str(tmp_path / "tiny"), 0.0)
    with pytest.raises(SetUpError, match="cannot be loaded as mit_tiny"):
        make_encoder("mit_tiny", str(tmp_path / "nothing"), 0.0)


def test_an_encoder_of_timm(tmp_path: Path) -> None:
    encoder = make_encoder("timm:resnet18", drop_path=0.0)
    maps = encoder(torch.rand(1, 3, 64, 64))
    assert [tuple(one.shape[1:]) for one in maps] == [(64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2)]
    whole = network(encoder="timm:resnet18", drop_path=0.0)
    assert whole(torch.rand(2, 3, 64, 64), DetailBox(8, 16, 32)).logits.shape == (2, 5, 16, 16)
    import timm

    save_file(timm.create_model("resnet18").state_dict(), tmp_path / "resnet18.safetensors")
    first = make_encoder("timm:resnet18", str(tmp_path / "resnet18.safetensors"), 0.0)
    second = make_encoder("timm:resnet18", str(tmp_path / "resnet18.safetensors"), 0.0)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(SetUpError, match="timm cannot make the encoder"):
        make_encoder("timm:no_such_network")


def test_the_head_looks_around() -> None:
    """A change in one corner is seen as far as the largest dilation reaches, and not at all by a plain head."""

    def reach(dilations: list[int]) -> int:
        head = DAFormerHead([4, 8], 8, 3, dilations, 0.0).eval()
        maps = [torch.rand(1, 4, 16, 16), torch.rand(1, 8, 8, 8)]
        changed = [maps[0].clone(), maps[1]]
        changed[0][..., 0, 0] += 10
        difference = (head(changed) - head(maps)).abs().sum(1)[0]
        return int((difference > 0).nonzero().max())

    assert reach([]) == 0
    assert reach([1]) == 1  # the bottleneck's 3 × 3
    assert reach([1, 6]) == 7


def test_context_alone_outside_of_the_detail() -> None:
    whole = network().eval()
    images = torch.rand(2, 3, 64, 64)
    box = DetailBox(8, 16, 32)
    with torch.no_grad():
        low = network(high_resolution=False).eval()
        low.load_state_dict({name: one for name, one in whole.state_dict().items() if not name.startswith("attention")})
        fused, context = whole(images, box), low(images, None)
        assert context.detail is None
        differs = (fused.logits - context.logits).abs().sum(dim=(0, 1)) > 1e-6
    assert fused.detail.shape == (2, 5, 8, 8)
    inside = torch.zeros(16, 16, dtype=torch.bool)
    # Attention is resized bilinearly, so that it reaches one pixel of the grid beyond the box.
    inside[1:11, 3:13] = True
    assert differs.any()
    assert not (differs & ~inside).any()


def test_fixed_attention_is_the_mean_of_both() -> None:
    plain = network(scale_attention=False).eval()
    plain.detail_size = 64
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        out = plain(images, DetailBox(0, 0, 64))
        low = network(scale_attention=False, high_resolution=False).eval()
        low.load_state_dict(plain.state_dict())
        context = low(images, None).logits
    assert torch.allclose(out.logits, (context + out.detail) / 2, atol=1e-5)
    assert plain.attention is None


@pytest.mark.parametrize("size", [(64, 64), (70, 90), (32, 32), (20, 133)])
@pytest.mark.parametrize("high_resolution", [True, False])
def test_inference_on_any_size(size: tuple[int, int], high_resolution: bool) -> None:
    whole = network(high_resolution=high_resolution).eval()
    with torch.no_grad():
        inferred = predict(whole, torch.rand(1, 3, *size), 64)
    assert inferred.logits.shape == (1, 5, *size)
    assert inferred.attention.shape == (1, 1, *size)
    assert torch.isfinite(inferred.logits).all()
    assert 0 <= float(inferred.attention.min()) <= float(inferred.attention.max()) <= 1
    assert high_resolution or not inferred.attention.any()


def test_one_window_is_what_training_computes() -> None:
    """Where the detail crop is the whole crop, training and inference agree."""
    whole = network(detail_size=64).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        trained = whole(images, DetailBox(0, 0, 64)).logits
        inferred = whole.infer(images).logits
    again = torch.nn.functional.interpolate(trained, (64, 64), mode="bilinear")
    assert torch.allclose(inferred, again, atol=1e-5)


def test_decoders_learn_faster_and_norms_do_not_decay() -> None:
    whole = network()
    groups = parameter_groups(whole, 0.1, 10, 0.01)
    by_weight = {id(weight): group for group in groups for weight in group["params"]}
    assert len(by_weight) == len(list(whole.parameters()))
    for name, weight in whole.named_parameters():
        group = by_weight[id(weight)]
        assert group["lr"] == (0.1 if name.startswith("encoder.") else 1.0), name
        assert group["weight_decay"] == (0.01 if weight.ndim > 1 else 0), name


def test_things() -> None:
    assert things(Parameters(**SMALL), ["sky", "car", "road", "bus"]) == [1, 3]
    assert things(Parameters(**SMALL), ["cat", "dog"]) == [0, 1]
    assert things(Parameters(**SMALL, thing_classes=["dog"]), ["cat", "dog"]) == [1]
