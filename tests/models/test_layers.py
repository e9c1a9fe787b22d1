"""The layers that encoders and decoder share."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mobilesamv2.models.layers import LayerNorm2d, convolve_and_normalise, convolve_with, in_windows


def norm_of_three() -> LayerNorm2d:
    norm = LayerNorm2d(3)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -2.0, 0.5]))
        norm.bias.copy_(torch.tensor([0.0, 1.0, -1.0]))
    return norm


def test_each_pixel_is_normalised_over_its_channels() -> None:
    norm, x = norm_of_three(), torch.randn(2, 3, 4, 5)
    expected = F.layer_norm(x.permute(0, 2, 3, 1), (3,), norm.weight, norm.bias, 1e-6).permute(0, 3, 1, 2)
    torch.testing.assert_close(norm(x), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(norm.over_last_axis(x.permute(0, 2, 3, 1)), expected.permute(0, 2, 3, 1))
    in_other_memory = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(norm(in_other_memory), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_large_features_are_normalised_in_half_precision_as_in_full(dtype: torch.dtype) -> None:
    norm = norm_of_three()
    x = torch.tensor([3000.0, -2000.0, 500.0]).reshape(1, 3, 1, 1)
    half = norm_of_three().to(dtype)(x.to(dtype))
    assert half.dtype == dtype
    torch.testing.assert_close(half.float(), norm(x), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("bias", [True, False])
def test_a_folded_batch_norm_computes_what_the_two_layers_do(bias: bool) -> None:
    convolution, norm = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=bias), nn.BatchNorm2d(6).eval()
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 1.5)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = torch.randn(2, 4, 9, 8)
    with torch.inference_mode():
        folded = convolve_and_normalise(x, convolution, norm)
        torch.testing.assert_close(folded, norm(convolution(x)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_pointwise_convolution_is_itself_in_any_memory(bias: bool, memory_format: torch.memory_format) -> None:
    convolution, x = nn.Conv2d(4, 6, 1, bias=bias), torch.randn(2, 4, 5, 3)
    with torch.inference_mode():
        found = convolve_with(
            x.contiguous(memory_format=memory_format), convolution.weight, convolution.bias, like=convolution
        )
        torch.testing.assert_close(found, convolution(x), rtol=1e-5, atol=1e-5)
    assert found.is_contiguous(memory_format=memory_format)


def test_a_batch_norm_in_training_uses_and_updates_its_statistics() -> None:
    convolution, norm = nn.Conv2d(2, 3, 1, bias=False), nn.BatchNorm2d(3).train()
    out = convolve_and_normalise(torch.randn(8, 2, 5, 5), convolution, norm)
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-5)
    assert norm.num_batches_tracked == 1


@pytest.mark.parametrize("size_hw", [(4, 6), (5, 7), (1, 1), (2, 2)])
def test_windows_are_put_back_where_they_were(size_hw: tuple[int, int]) -> None:
    x, seen = torch.randn(2, *size_hw, 3), []

    def double(windows: torch.Tensor) -> torch.Tensor:
        seen.append(windows)
        return 2 * windows

    assert torch.equal(in_windows(x, 2, double), 2 * x)
    rows, columns = -(-size_hw[0] // 2), -(-size_hw[1] // 2)
    assert seen[0].shape == (2 * rows * columns, 2, 2, 3)
    # The padding is zeros, and the first window of the first picture is its upper left corner.
    assert seen[0].abs().sum() == pytest.approx(float(x.abs().sum()), rel=1e-4)
    corner = x[0, :2, :2]
    assert torch.equal(seen[0][0, : corner.shape[0], : corner.shape[1]], corner)
