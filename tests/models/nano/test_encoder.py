from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mobilesamv2.models.nano.encoder import NanoEncoder, NanoEncoderConfig, NanoFeatures

CONFIG = NanoEncoderConfig(
    widths=(8, 12, 16, 16), depths=(1, 2, 1, 1), head_width=8, parts_width=12, detail_width=6, context_width=8
)


def small_encoder(config: NanoEncoderConfig = CONFIG) -> NanoEncoder:
    torch.manual_seed(0)
    encoder = NanoEncoder(config)
    for name, value in encoder.named_buffers():
        if name.endswith("running_mean"):
            value.normal_()
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    return encoder.eval()


@pytest.mark.parametrize("size_hw", [(64, 64), (64, 128), (192, 64)])
def test_features_have_a_quarter_an_eighth_and_a_sixteenth_of_the_pictures_sides(
    size_hw: tuple[int, int],
) -> None:
    height, width = size_hw
    features = small_encoder()(torch.zeros(2, 3, height, width))
    assert features.detail.shape == (2, 6, height // 4, width // 4)
    assert features.parts.shape == (2, 12, height // 8, width // 8)
    assert features.context.shape == (2, 8, height // 16, width // 16)


def test_packed_features_are_one_tensor_and_are_unpacked_as_they_were() -> None:
    features = small_encoder()(torch.randn(2, 3, 64, 128))
    packed = features.packed()
    assert packed.shape == (2, CONFIG.channels, 8, 16)
    again = NanoFeatures.unpacked(packed, CONFIG)
    for name, value in vars(features).items():
        assert torch.equal(getattr(again, name), value), name


def plain_pair(x: Tensor, layers: Iterable[Any]) -> Tensor:
    convolution, norm, _ = layers
    return F.relu(norm(convolution(x)))


def plain_encoder(encoder: Any, x: Tensor) -> NanoFeatures:
    """The encoder as it is described, one layer after the other."""

    def at(level: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(level, like.shape[-2:], mode="bilinear", align_corners=False)

    known = encoder.pretrained(x)
    x = plain_pair(x, encoder.stem)
    levels = []
    for first, *blocks in encoder.stages:
        x = plain_pair(x, first)
        for block in blocks:
            x = F.relu(x + block.norm(block.second(plain_pair(x, block.first))))
        levels.append(x)
    x = x + encoder.pretrained_context(known[2])
    for block in encoder.context:
        x = x + block.position(x)
        tokens = x.flatten(2).transpose(1, 2)
        q, k, v = block.qkv(block.norm1(tokens)).unflatten(-1, (3, block.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        tokens = tokens + block.proj((weights @ v).transpose(1, 2).flatten(2))
        tokens = tokens + block.fc2(F.relu(block.fc1(block.norm2(tokens))))
        x = tokens.transpose(1, 2).reshape(x.shape)
    levels[-1] = x
    total = encoder.detail(levels[0])
    for level, lateral in zip(levels[1:], encoder.laterals, strict=True):
        total = total + at(lateral(level), total)
    for level, lateral in zip(known, encoder.pretrained_laterals, strict=True):
        total = total + at(lateral(level), total)
    parts = encoder.neck[4](encoder.neck[3](plain_pair(F.relu(encoder.neck[0](total)), encoder.neck[2])))
    detail = encoder.detail_lateral(levels[0]) + F.interpolate(encoder.detail_context(parts), scale_factor=2)
    detail = plain_pair(F.relu(encoder.detail_neck[0](detail)), encoder.detail_neck[2])
    wide = encoder.wide_laterals[0](levels[2])
    for level, lateral in zip((levels[3], known[2]), encoder.wide_laterals[1:], strict=True):
        wide = wide + at(lateral(level), wide)
    return NanoFeatures(detail=detail, parts=parts, context=F.relu(encoder.wide_neck[0](wide)))


def test_folded_and_fused_layers_compute_what_the_plain_ones_do() -> None:
    encoder, pixels = small_encoder(), torch.randn(2, 3, 64, 128)
    with torch.inference_mode():
        found, expected = encoder(pixels), plain_encoder(encoder, pixels)
    for name, value in vars(expected).items():
        torch.testing.assert_close(getattr(found, name), value, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_those_of_the_plain_layers(training: bool) -> None:
    encoder, pixels = small_encoder(), torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        encoder(pixels)
    encoder.train(training)
    weights = [value for name, value in encoder.named_parameters() if name.endswith("weight") and value.requires_grad]
    found, expected = (
        torch.autograd.grad(sum(part.square().mean() for part in vars(features).values()), weights)
        for features in (encoder(pixels), plain_encoder(encoder, pixels))
    )
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-3)


def test_imagenets_layers_are_never_trained() -> None:
    encoder = small_encoder().train()
    before = {name: value.clone() for name, value in encoder.pretrained.state_dict().items()}
    features = encoder(torch.randn(2, 3, 64, 64))
    sum(part.sum() for part in vars(features).values()).backward()
    assert all(parameter.grad is None for parameter in encoder.pretrained.parameters())
    after = encoder.pretrained.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_the_defaults_are_small() -> None:
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in NanoEncoder(NanoEncoderConfig()).parameters())
    assert parameters * 2 < 8e6  # bytes in float16
    assert dataclasses.replace(CONFIG, detail_width=8).channels == 12 + 32 + 2
