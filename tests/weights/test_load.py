"""Copying tensors into a network: all of them, or a sentence that says which do not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mobilesamv2.errors import WeightsError
from mobilesamv2.weights import load_strictly


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return list(found) == list(expected) and all(torch.equal(found[key], expected[key]) for key in expected)


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


def test_a_fitting_state_is_loaded_whole() -> None:
    ours, theirs = network(), network()
    load_strictly(ours, theirs.state_dict(), source="it")
    assert same(dict(ours.state_dict()), dict(theirs.state_dict()))


def test_the_prefix_of_distributed_training_is_taken_off() -> None:
    ours, theirs = network(), network()
    load_strictly(ours, {f"module.{key}": value for key, value in theirs.state_dict().items()}, source="it")
    assert same(dict(ours.state_dict()), dict(theirs.state_dict()))


def test_half_precision_weights_are_loaded_in_the_precision_of_the_module() -> None:
    ours, theirs = network(), network().half()
    load_strictly(ours, theirs.state_dict(), source="it")
    weight = ours.state_dict()["0.weight"]
    assert weight.dtype == torch.float32
    assert torch.equal(weight, theirs.state_dict()["0.weight"].float())


def test_counters_of_batch_norms_may_be_missing() -> None:
    state = {key: value for key, value in network().state_dict().items() if "num_batches" not in key}
    ours = network()
    load_strictly(ours, state, source="it")
    assert torch.equal(ours.state_dict()["0.weight"], state["0.weight"])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda state: state.pop("1.bias"), r"other\.pt was made .*: 1 tensors missing \(1\.bias\)"),
        (lambda state: state.update(head=torch.zeros(1)), r"1 tensors left over \(head\)"),
        (
            lambda state: state.update({"0.bias": torch.zeros(5)}),
            r"1 tensors of another shape \(0\.bias \(5,\) instead of \(4,\)\)",
        ),
        (lambda state: state.clear(), r"6 tensors missing \(0\.weight, 0\.bias, 1\.weight, …\)"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change: Callable[[dict[str, Tensor]], Any], expected: str) -> None:
    ours, state = network(), dict(network().state_dict())
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    change(state)
    with pytest.raises(WeightsError, match=expected):
        load_strictly(ours, state, source="other.pt")
    assert same(dict(ours.state_dict()), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2], ids=str)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers_are_refused_with_the_tensor_s_name(value: float, dtype: torch.dtype) -> None:
    ours, state = network(), dict(network().state_dict())
    damaged = state["1.running_var"].clone()
    damaged[2] = value
    state["1.running_var"] = damaged.to(dtype)
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    with pytest.raises(WeightsError, match=r"^mine\.pt holds NaN or infinity in 1 tensors \(1\.running_var\)"):
        load_strictly(ours, state, source="mine.pt")
    assert same(dict(ours.state_dict()), before)


def test_weights_whose_sum_is_larger_than_their_number_format_are_taken() -> None:
    module = nn.Linear(8, 1, bias=False)
    load_strictly(module, {"weight": torch.full((1, 8), 60_000.0).half()}, source="it")
    assert module.weight.detach().max().item() == 60_000
