"""Linear layers with an activation or a sum, fused by oneDNN: on many processors faster than `F.linear`.

The operators are called by their full names, because PyTorch's choice between overloads reads a bias number by number.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F


def activated_linear(
    x: Tensor, weight: Tensor, bias: Tensor | None, activation: Literal["none", "relu", "gelu"] = "none"
) -> Tensor:
    """A linear layer and its activation in one pass: `activation(F.linear(x, weight, bias))`.

    Args:
        x: (..., in).
        weight: (out, in).
        bias: (out,).
        activation: exact GELU, ReLU or none.

    Returns:
        (..., out), the same numbers but for rounding, whether or not there is a fused kernel for them.
    """
    if _is_fused(x):
        algorithm = "none" if activation == "gelu" else ""
        return torch.as_tensor(torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, activation, [], algorithm))
    y = F.linear(x, weight, bias)
    if activation == "none":
        return y
    return F.gelu(y) if activation == "gelu" else F.relu(y)


def linear_plus(x: Tensor, weight: Tensor, bias: Tensor | None, plus: Tensor) -> Tensor:
    """A linear layer beside a shortcut, in one pass: `F.linear(x, weight, bias) + plus`.

    Args:
        x: (..., in).
        weight: (out, in).
        bias: (out,).
        plus: (..., out).
    """
    if _is_fused(x):
        return torch.as_tensor(torch.ops.mkldnn._linear_pointwise.binary(x, plus, weight, bias, "add"))
    return F.linear(x, weight, bias) + plus


def _is_fused(x: Tensor) -> bool:
    """Whether there is a kernel of oneDNN's for this tensor. None of them knows gradients."""
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_grad_enabled()
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )
