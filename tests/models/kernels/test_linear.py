"""Fused layers must compute what the plain ones do, wherever they are and whatever they get."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mobilesamv2.models.kernels.linear import activated_linear, linear_plus

ACTIVATIONS = {"none": lambda x: x, "relu": F.relu, "gelu": F.gelu}
SHAPES = [(6,), (1, 6), (0, 6), (2, 0, 6), (2, 3, 5, 6)]


def layer(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(4, 6, generator=generator).to(dtype),
        torch.randn(4, generator=generator).to(dtype),
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("activation", ["none", "relu", "gelu"])
@pytest.mark.parametrize("with_bias", [True, False])
def test_a_fused_layer_is_the_layer_and_its_activation(
    shape: tuple[int, ...], activation: Literal["none", "relu", "gelu"], with_bias: bool
) -> None:
    weight, bias = layer()
    x = 3 * torch.randn(shape)
    expected = ACTIVATIONS[activation](F.linear(x, weight, bias if with_bias else None))
    with torch.inference_mode():
        found = activated_linear(x, weight, bias if with_bias else None, activation)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_fused_sum_is_the_layer_and_the_sum(shape: tuple[int, ...]) -> None:
    weight, bias = layer()
    x, plus = torch.randn(shape), torch.randn(*shape[:-1], 4)
    with torch.inference_mode():
        found = linear_plus(x, weight, bias, plus)
    torch.testing.assert_close(found, F.linear(x, weight, bias) + plus, rtol=1e-5, atol=1e-5)


def test_what_is_added_is_not_written_to() -> None:
    weight, bias = layer()
    plus = torch.randn(5, 4)
    before = plus.clone()
    with torch.inference_mode():
        linear_plus(torch.randn(5, 6), weight, bias, plus)
    assert torch.equal(plus, before)


def test_memory_in_any_order_gives_the_same() -> None:
    weight, bias = layer()
    x, plus = torch.randn(6, 7, 2).permute(2, 1, 0), torch.randn(4, 7, 2).permute(2, 1, 0)
    weight = weight.t().contiguous().t()
    with torch.inference_mode():
        torch.testing.assert_close(activated_linear(x, weight, bias), F.linear(x, weight, bias), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(
            linear_plus(x, weight, bias, plus), F.linear(x, weight, bias) + plus, rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_number_formats_take_the_plain_layer(dtype: torch.dtype) -> None:
    weight, bias = layer(dtype)
    x, plus = torch.randn(5, 6).to(dtype), torch.randn(5, 4).to(dtype)
    with torch.inference_mode():
        assert torch.equal(activated_linear(x, weight, bias, "gelu"), F.gelu(F.linear(x, weight, bias)))
        assert torch.equal(linear_plus(x, weight, bias, plus), F.linear(x, weight, bias) + plus)


def test_gradients_are_those_of_the_plain_layer() -> None:
    weight, bias = layer()
    weight.requires_grad_()
    x = torch.randn(5, 6, requires_grad=True)
    found = torch.autograd.grad(activated_linear(x, weight, bias, "gelu").sum(), [x, weight])
    expected = torch.autograd.grad(F.gelu(F.linear(x, weight, bias)).sum(), [x, weight])
    torch.testing.assert_close(found, expected)


def test_without_fused_kernels_the_plain_layer_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    weight, bias = layer()
    x, plus = torch.randn(5, 6), torch.randn(5, 4)
    with torch.inference_mode():
        assert torch.equal(activated_linear(x, weight, bias, "relu"), F.relu(F.linear(x, weight, bias)))
        assert torch.equal(linear_plus(x, weight, bias, plus), F.linear(x, weight, bias) + plus)
