"""TinyViT against recorded values of the published encoder (tests/parity), and what must hold at any size."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mobilesamv2.models.encoders.tiny_vit import AttentionBlock, TinyVit, TinyVitConfig
from tests.models.conftest import two_scale_noise
from tests.parity.synthetic_weights import FOLDER, part_of

SMALL = TinyVitConfig(
    widths=(16, 24, 32, 48),
    depths=(1, 1, 2, 1),
    heads=(2, 2, 3),
    windows=(3, 4, 3),
    out_width=20,
    classes=5,
)
STAGES = ["patch_embed", "layers.0", "layers.1", "layers.2", "layers.3", "neck.1"]


@pytest.fixture(scope="module")
def recorded() -> Any:
    return np.load(FOLDER / "tiny_vit.npz")


@pytest.fixture(scope="module")
def outputs(mobile_sam_weights: dict[str, Tensor], recorded: Any) -> dict[str, Tensor]:
    """What each stage makes of the recorded input, and the embedding as `out`."""
    pixels = two_scale_noise(seed=7, channels=3, sides=(64, 1024), weights=(1.0, 0.5))
    assert zlib.crc32(pixels.numpy().tobytes()) == recorded["input_crc32"]
    encoder = TinyVit(TinyVitConfig()).eval()
    encoder.load_state_dict(part_of(mobile_sam_weights, "image_encoder"))
    found: dict[str, Tensor] = {}
    for name in STAGES:
        encoder.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: found.__setitem__(name, output)
        )
    with torch.inference_mode():
        found["out"] = encoder(pixels)
    return found


def small_encoder() -> TinyVit:
    torch.manual_seed(0)
    encoder = TinyVit(SMALL).eval()
    with torch.no_grad():
        for name, value in encoder.named_parameters():
            if name.endswith(("attention_biases", "norm.bias", "bn.bias")):
                value.normal_()
    return encoder


def test_keys_and_shapes_are_those_of_the_published_checkpoint(mobile_sam_weights: dict[str, Tensor]) -> None:
    published = part_of(mobile_sam_weights, "image_encoder")
    own = TinyVit(TinyVitConfig()).state_dict()
    assert list(own) == list(published)
    assert {key: value.shape for key, value in own.items()} == {key: value.shape for key, value in published.items()}


def test_embedding_agrees_with_the_recorded_one(outputs: dict[str, Tensor], recorded: Any) -> None:
    out = outputs["out"].numpy()
    assert out.shape == (1, 256, 64, 64)
    np.testing.assert_allclose(out[0, ::4, ::4, ::4], recorded["tinyvit/out_s"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(out[0, [0, 100, 255]], recorded["tinyvit/out_full_ch"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_agrees_with_the_recorded_one(stage: str, outputs: dict[str, Tensor], recorded: Any) -> None:
    output = outputs[stage]
    if stage.startswith("layers"):  # recorded as (1, H * W, C)
        output = output.flatten(2).transpose(1, 2)
    assert output.shape == tuple(recorded[f"tinyvit/stage/{stage}/shape"])
    flat = output[0].reshape(-1).numpy()
    sampled = flat[:: max(1, len(flat) // 2000)][:2000]
    np.testing.assert_allclose(sampled, recorded[f"tinyvit/stage/{stage}/flat_s"], rtol=1e-4, atol=1e-4)


def test_embedding_is_not_the_one_of_forgotten_position_biases(outputs: dict[str, Tensor], recorded: Any) -> None:
    without_biases = recorded["tinyvit_stale_bias/out_s"]
    assert np.abs(outputs["out"].numpy()[0, ::16, ::4, ::4] - without_biases).max() > 0.1


@pytest.mark.parametrize("size_hw", [(64, 64), (64, 128), (112, 80)])
def test_any_size_of_whole_cells_gives_one_embedding_vector_per_cell(size_hw: tuple[int, int]) -> None:
    with torch.inference_mode():
        out = small_encoder()(torch.zeros(2, 3, *size_hw))
    assert out.shape == (2, SMALL.out_width, size_hw[0] // 16, size_hw[1] // 16)


def test_no_pictures_give_no_embeddings() -> None:
    with torch.inference_mode():
        assert small_encoder()(torch.zeros(0, 3, 64, 64)).shape == (0, SMALL.out_width, 4, 4)


def test_a_side_that_is_no_multiple_of_the_stride_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 16; got \\(64, 70\\)"):
        small_encoder()(torch.zeros(1, 3, 64, 70))


def test_a_batch_is_encoded_as_its_pictures_one_by_one() -> None:
    encoder, pixels = small_encoder(), torch.randn(3, 3, 64, 96)
    with torch.inference_mode():
        alone = torch.cat([encoder(picture[None]) for picture in pixels])
        torch.testing.assert_close(encoder(pixels), alone, rtol=1e-4, atol=1e-5)


def test_merge_strides_set_the_stride_of_the_embedding() -> None:
    config = TinyVitConfig(widths=SMALL.widths, depths=(1, 1, 1, 1), heads=SMALL.heads, merge_strides=(2, 1, 1))
    assert config.stride == 8
    with torch.inference_mode():
        assert TinyVit(config).eval()(torch.zeros(1, 3, 64, 64)).shape[-2:] == (8, 8)


def test_folded_batch_norm_computes_what_the_two_layers_do() -> None:
    pair: Any = small_encoder().patch_embed.seq[0]
    pair.bn.running_mean.normal_()
    pair.bn.running_var.uniform_(0.5, 1.5)
    pixels = torch.randn(1, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(pair(pixels), pair.bn(pair.c(pixels)), rtol=1e-5, atol=1e-5)


def plain_stages(encoder: Any, pixels: Tensor) -> Tensor:
    """The stages as they are described: every layer by itself, on the whole picture."""
    x = encoder.patch_embed.seq(pixels)
    for stage in encoder.layers:
        for block in stage.blocks:
            if isinstance(block, AttentionBlock):
                x = plain_attention_block(block, x)
            else:
                convolved = [(pair.c, pair.bn) for pair in (block.conv1, block.conv2, block.conv3)]
                (c1, b1), (c2, b2), (c3, b3) = convolved
                x = F.gelu(x + b3(c3(F.gelu(b2(c2(F.gelu(b1(c1(x)))))))))
        if stage.downsample is not None:
            merge = stage.downsample
            x = F.gelu(merge.conv1.bn(merge.conv1.c(x)))
            x = F.gelu(merge.conv2.bn(merge.conv2.c(x)))
            x = merge.conv3.bn(merge.conv3.c(x))
    return torch.as_tensor(x)


def plain_attention_block(block: Any, x: Tensor) -> Tensor:
    attention, side = block.attn, block.window
    height, width = x.shape[2:]
    cells = F.pad(x, (0, -width % side, 0, -height % side)).permute(0, 2, 3, 1)
    found = torch.zeros_like(cells)
    for top in range(0, cells.shape[1], side):
        for left in range(0, cells.shape[2], side):
            window = cells[:, top : top + side, left : left + side].flatten(1, 2)
            qkv = attention.qkv(attention.norm(window)).unflatten(-1, (attention.heads, 3, -1))
            q, k, v = qkv.permute(3, 0, 2, 1, 4)
            scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
            scores = scores + attention.attention_biases[:, attention.bias_index]
            mixed = attention.proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
            found[:, top : top + side, left : left + side] = mixed.unflatten(1, (side, side))
    x = x + found[:, :height, :width].permute(0, 3, 1, 2)
    cells = block.local_conv.bn(block.local_conv.c(x)).permute(0, 2, 3, 1)
    hidden = F.gelu(block.mlp.fc1(block.mlp.norm(cells)))
    return torch.as_tensor(cells + block.mlp.fc2(hidden)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("band_bytes", [1, 3000, 20_000, 1 << 30])
def test_stages_in_bands_are_the_plain_stages(monkeypatch: pytest.MonkeyPatch, band_bytes: int) -> None:
    monkeypatch.setattr("mobilesamv2.models.kernels.tiling.BAND_BYTES", band_bytes)
    encoder, pixels = small_encoder(), torch.randn(2, 3, 112, 80)
    with torch.inference_mode():
        for name, value in encoder.named_buffers():
            if name.endswith("running_mean"):
                value.normal_()
            if name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
        torch.testing.assert_close(
            encoder.layers(encoder.patch_embed(pixels)), plain_stages(encoder, pixels), rtol=1e-4, atol=1e-4
        )


def test_training_sees_the_statistics_of_whole_pictures_even_without_gradients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder, pixels = small_encoder().train(), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        whole = encoder(pixels)
        monkeypatch.setattr("mobilesamv2.models.kernels.tiling.BAND_BYTES", 1)
        assert torch.equal(encoder(pixels), whole)


def test_gradients_in_evaluation_mode_are_those_of_the_plain_stages() -> None:
    encoder: Any = small_encoder()
    pixels = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        encoder(pixels)  # what is kept of this must not be what gradients flow through
    weights = [encoder.patch_embed.seq[0].c.weight, encoder.layers[1].blocks[0].attn.attention_biases]
    found = torch.autograd.grad(encoder.layers(encoder.patch_embed(pixels)).square().sum(), weights)
    expected = torch.autograd.grad(plain_stages(encoder, pixels).square().sum(), weights)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-2)


def test_biases_loaded_after_eval_are_used() -> None:
    encoder: Any = small_encoder()
    pixels = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before = encoder(pixels)
        encoder.layers[1].blocks[0].attn.attention_biases.add_(torch.arange(9.0))
        assert not torch.allclose(encoder(pixels), before)


def test_cells_attend_inside_their_window_only() -> None:
    torch.manual_seed(0)
    block = AttentionBlock(8, heads=2, window=4, mlp_ratio=2.0, local_conv_side=1).eval()
    features = torch.randn(1, 8, 8, 8)
    changed = features.clone()
    changed[..., 0, 0] = torch.randn(1, 8)  # a constant would vanish in the norm
    with torch.inference_mode():
        difference = (block(changed) - block(features)).abs().amax(dim=(0, 1))
    assert (difference[:4, :4] > 1e-5).all()
    assert (difference[4:] == 0).all()
    assert (difference[:, 4:] == 0).all()


def test_gradients_reach_every_weight_but_the_unused_classifier() -> None:
    encoder = TinyVit(SMALL).train()
    encoder(torch.randn(2, 3, 64, 64)).square().sum().backward()
    without = {name.split(".")[0] for name, value in encoder.named_parameters() if value.grad is None}
    assert without == {"norm_head", "head"}


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of its heads; got 24 and 5"):
        TinyVit(TinyVitConfig(widths=SMALL.widths, heads=(5, 2, 3)))


def test_half_precision_changes_the_embedding_only_by_rounding() -> None:
    encoder, pixels = small_encoder(), torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        exact = encoder(pixels)
        rounded = encoder.to(torch.bfloat16)(pixels.bfloat16())
    assert rounded.dtype == torch.bfloat16
    assert (rounded.float() - exact).square().mean().sqrt() < 0.05 * exact.std()
