"""EfficientViT-SAM's encoder against recorded values (tests/parity), and what must hold at any size."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mobilesamv2.models.encoders.efficientvit import (
    ConvLayer,
    EfficientVit,
    EfficientVitConfig,
    LinearAttention,
)
from mobilesamv2.zoo.segmentation import EFFICIENTVIT
from tests.models.conftest import RECORDED_ENCODERS, sampled
from tests.parity.synthetic_weights import manifest_of, synthetic_state

SMALL = EfficientVitConfig(
    widths=(4, 8, 8, 16, 16),
    depths=(1, 1, 1, 1, 1),
    neck_depth=1,
    neck_width=12,
    head_width=8,
    out_width=20,
    input_side=64,
)
STAGES = [*(f"backbone.stages.{index}" for index in range(5)), "neck.input_ops.2", "neck.middle"]


@pytest.fixture(scope="module")
def outputs(recorded_pixels: Tensor) -> dict[str, Tensor]:
    """What each stage of L0 makes of the recorded input, and the embedding as `out`."""
    with torch.device("meta"):
        encoder = EfficientVit(dataclasses.replace(EFFICIENTVIT["l0"], squeezed_from=1024)).eval()
    encoder.load_state_dict(synthetic_state(manifest_of("efficientvit_l0_encoder")), assign=True)
    found: dict[str, Tensor] = {}
    for name in STAGES:
        encoder.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: found.__setitem__(name, output)
        )
    with torch.inference_mode():
        found["out"] = encoder(recorded_pixels)
    return found


def small_encoder(config: EfficientVitConfig = SMALL) -> EfficientVit:
    torch.manual_seed(0)
    encoder = EfficientVit(config).eval()
    for name, value in encoder.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(std=0.1)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    return encoder


@pytest.mark.parametrize("size", ["l0", "l1", "l2"])
def test_keys_and_shapes_are_those_of_the_published_checkpoint(size: str) -> None:
    with torch.device("meta"):
        own = EfficientVit(EFFICIENTVIT[size]).state_dict()
    published = manifest_of(f"efficientvit_{size}_encoder")
    assert list(own) == list(published)
    assert [list(value.shape) for value in own.values()] == [entry["shape"] for entry in published.values()]


def test_embedding_agrees_with_the_recorded_one(outputs: dict[str, Tensor]) -> None:
    out = outputs["out"].numpy()
    assert out.shape == (1, 256, 64, 64)
    expected, channels = (RECORDED_ENCODERS[f"efficientvit_l0/{part}"] for part in ("out_s", "out_full_ch"))
    np.testing.assert_allclose(out[0, ::4, ::4, ::4], expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(out[0, [0, 100, 255]], channels, rtol=0, atol=1e-4)


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_agrees_with_the_recorded_one(stage: str, outputs: dict[str, Tensor]) -> None:
    recorded = {part: RECORDED_ENCODERS[f"efficientvit_l0/stage/{stage}/{part}"] for part in ("shape", "flat_s")}
    assert outputs[stage].shape == tuple(recorded["shape"])
    np.testing.assert_allclose(sampled(outputs[stage]), recorded["flat_s"], rtol=1e-4, atol=1e-4)


def test_squeezed_pixels_give_what_the_small_square_itself_gives() -> None:
    squeezing = small_encoder(EfficientVitConfig(**{**vars(SMALL), "squeezed_from": 128}))
    pixels = torch.randn(1, 3, 128, 128)
    with torch.inference_mode():
        squeezed = F.interpolate(pixels, size=(64, 64), mode="bilinear", align_corners=False)
        assert torch.equal(squeezing(pixels), small_encoder()(squeezed))


def test_squeezing_is_told_to_the_outside_as_another_side_of_the_picture() -> None:
    assert EFFICIENTVIT["l2"].picture_side == 512
    assert dataclasses.replace(EFFICIENTVIT["l2"], squeezed_from=1024).picture_side == 1024
    assert dataclasses.replace(EFFICIENTVIT["l2"], squeezed_from=1024).embedding_side == 64


@pytest.mark.parametrize("size_hw", [(128, 128), (64, 96), (32, 64)])
def test_another_size_is_refused(size_hw: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"takes 64 x 64 pixels; got \\({size_hw[0]}, {size_hw[1]}\\)"):
        small_encoder()(torch.zeros(1, 3, *size_hw))


def test_a_square_that_was_to_be_squeezed_is_refused_where_it_is_small_already() -> None:
    squeezing = small_encoder(EfficientVitConfig(**{**vars(SMALL), "squeezed_from": 128}))
    with pytest.raises(ValueError, match="takes 128 x 128 pixels"):
        squeezing(torch.zeros(1, 3, 64, 64))


def test_linear_attention_weighs_values_by_products_of_rectified_queries_and_keys() -> None:
    torch.manual_seed(0)
    attention = LinearAttention(4, head_width=2).eval()
    x = torch.randn(1, 4, 3, 3)
    with torch.inference_mode():
        qkv = attention.qkv(x)
        tokens = torch.cat([qkv, attention.aggreg[0](qkv)], dim=1).flatten(2)[0].T  # (cells, 4 heads * 6)
        attended = []
        for head in range(4):
            queries, keys, values = tokens[:, 6 * head : 6 * head + 6].split(2, dim=1)
            weights = queries.relu() @ keys.relu().T  # (cells, cells)
            attended.append(weights @ values / (weights.sum(1, keepdim=True) + 1e-15))
        expected = attention.proj(torch.cat(attended, dim=1).T.reshape(1, 8, 3, 3))
        torch.testing.assert_close(attention(x), expected, rtol=1e-4, atol=1e-5)


def test_a_query_that_likes_no_key_gets_zeros_and_not_a_division_by_zero() -> None:
    attention = LinearAttention(4, head_width=2).eval()
    with torch.inference_mode():
        assert torch.isfinite(attention(torch.zeros(1, 4, 3, 3))).all()


def test_a_layer_folds_its_norm_exactly() -> None:
    torch.manual_seed(0)
    layer = ConvLayer(3, 5, 3, stride=2, bias=True, activation=False).eval()
    assert layer.norm is not None
    assert layer.norm.running_mean is not None
    assert layer.norm.running_var is not None
    layer.norm.running_mean.normal_()
    layer.norm.running_var.uniform_(0.5, 1.5)
    x = torch.randn(1, 3, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), layer.norm(layer.conv(x)), rtol=1e-5, atol=1e-5)


def test_a_batch_is_encoded_as_its_pictures_one_by_one() -> None:
    encoder, pixels = small_encoder(), torch.randn(3, 3, 64, 64)
    with torch.inference_mode():
        alone = torch.cat([encoder(picture[None]) for picture in pixels])
        torch.testing.assert_close(encoder(pixels), alone, rtol=1e-4, atol=1e-5)


def test_no_pictures_give_no_embeddings() -> None:
    with torch.inference_mode():
        assert small_encoder()(torch.zeros(0, 3, 64, 64)).shape == (0, SMALL.out_width, 8, 8)


@pytest.mark.parametrize(("dtype", "share"), [(torch.bfloat16, 0.1), (torch.float16, 0.05)])
def test_half_precision_changes_the_embedding_only_by_rounding(dtype: torch.dtype, share: float) -> None:
    encoder, pixels = small_encoder(), torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        exact = encoder(pixels)
        rounded = encoder.to(dtype)(pixels.to(dtype))
    assert rounded.dtype == dtype
    assert (rounded.float() - exact).square().mean().sqrt() < share * exact.std()


def test_sums_over_many_cells_do_not_overflow_float16() -> None:
    attention = LinearAttention(8, head_width=8).eval()
    torch.nn.init.constant_(attention.qkv.conv.weight, 1.0)
    with torch.inference_mode():
        out = attention.to(torch.float16)(torch.full((1, 8, 16, 16), 2.0, dtype=torch.float16))
    assert torch.isfinite(out).all()


def test_gradients_reach_every_weight() -> None:
    encoder = EfficientVit(SMALL).train()
    encoder(torch.randn(2, 3, 64, 64)).square().sum().backward()
    assert [name for name, value in encoder.named_parameters() if value.grad is None] == []


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of the heads' width; got 20 and 8"):
        LinearAttention(20, head_width=8)
