from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobilesamv2.models.efficientnet_lite import (
    LEVEL_CHANNELS,
    LEVEL_STRIDES,
    NORM_EPS,
    ConvNorm,
    EfficientNetLite,
    SameConv,
    Stage,
    fold_norms,
    normalise,
    same_padding,
)

TINY = (
    Stage(expansion=1, kernel=3, stride=1, channels=8, repeats=1),
    Stage(expansion=2, kernel=5, stride=2, channels=8, repeats=2),
)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def trained(network: nn.Module) -> nn.Module:
    """Give every norm statistics, scales and shifts of its own, as training would."""
    for seed, norm in enumerate(m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
        for values in (norm.weight.data, norm.running_var):
            assert values is not None
            values.copy_(0.5 + drawn(len(values), seed=seed).abs())
        for values in (norm.bias.data, norm.running_mean):
            assert values is not None
            values.copy_(0.1 * drawn(len(values), seed=seed + 1))
    return network.eval()


@pytest.mark.parametrize(
    ("size_hw", "kernel", "stride", "left_right_top_bottom"),
    [
        ((8, 8), 3, 1, (1, 1, 1, 1)),
        ((8, 8), 3, 2, (0, 1, 0, 1)),
        ((7, 9), 3, 2, (1, 1, 1, 1)),
        ((8, 7), 5, 2, (2, 2, 1, 2)),
        ((5, 5), 1, 1, (0, 0, 0, 0)),
    ],
)
def test_padding_is_that_of_tensorflow(
    size_hw: tuple[int, int], kernel: int, stride: int, left_right_top_bottom: tuple[int, ...]
) -> None:
    assert same_padding(size_hw, kernel, stride) == left_right_top_bottom


@pytest.mark.parametrize("side", [7, 8])
def test_an_even_side_is_padded_at_its_far_end(side: int) -> None:
    conv = SameConv(1, 1, 3, stride=2)
    picture = drawn(1, 1, side, side)
    padded = F.pad(picture, (1, 1, 1, 1) if side % 2 else (0, 1, 0, 1))
    torch.testing.assert_close(conv(picture), F.conv2d(padded, conv.weight, stride=2))


def test_it_has_the_parameters_of_lite0_without_its_classifier() -> None:
    with torch.device("meta"):
        network = EfficientNetLite()
    assert sum(parameter.numel() for parameter in network.parameters()) == 2_958_848
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {norm.eps for norm in norms} == {NORM_EPS}


@pytest.mark.parametrize("size_hw", [(64, 96), (50, 33)])
def test_maps_have_their_strides_and_channels(size_hw: tuple[int, int]) -> None:
    with torch.device("meta"):
        maps = EfficientNetLite().eval().features(torch.zeros(2, 3, *size_hw))
    assert [tuple(level.shape) for level in maps] == [
        (2, channels, -(-size_hw[0] // stride), -(-size_hw[1] // stride))
        for channels, stride in zip(LEVEL_CHANNELS, LEVEL_STRIDES, strict=True)
    ]


def test_deeper_stages_than_the_last_level_are_not_run() -> None:
    network = EfficientNetLite(stages=TINY, levels=(0,)).eval()
    network.stages[1].register_forward_hook(lambda *_: pytest.fail("The second stage was run."))
    (only,) = network.features(drawn(1, 3, 16, 16))
    assert only.shape == (1, 8, 8, 8)


@torch.inference_mode()
def test_pictures_do_not_change_each_other() -> None:
    network = trained(EfficientNetLite(stages=TINY, levels=(0, 1)))
    pictures = drawn(3, 3, 32, 40)
    together = network(pictures)
    for index in range(3):
        for whole, alone in zip(together, network(pictures[index : index + 1]), strict=True):
            torch.testing.assert_close(whole[index : index + 1], alone)


@torch.inference_mode()
def test_folding_norms_changes_nothing_and_can_be_done_twice() -> None:
    network = trained(EfficientNetLite(stages=TINY, levels=(0, 1)))
    folded = fold_norms(fold_norms(copy.deepcopy(network)))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    pictures = drawn(2, 3, 32, 32)
    for before, after in zip(network(pictures), folded(pictures), strict=True):
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


def test_only_what_is_active_is_cut_at_six() -> None:
    for active, (least, most) in ((True, (0, 6)), (False, (-9, 9))):
        layer = ConvNorm(1, 1, 1, active=active).eval()
        layer.conv.weight.data.fill_(1)
        assert layer(torch.tensor([[[[-9.0]]]])).item() == pytest.approx(least, abs=0.01)
        assert layer(torch.tensor([[[[9.0]]]])).item() == pytest.approx(most, abs=0.01)


def test_pixels_are_scaled_as_in_its_training() -> None:
    pixels = torch.tensor([0.0, 127 / 255, 1.0])
    torch.testing.assert_close(normalise(pixels), torch.tensor([-127 / 128, 0.0, 1.0]))
