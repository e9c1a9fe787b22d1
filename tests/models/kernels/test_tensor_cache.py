"""What is kept must be worked out once, and again after every change of what it came from."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mobilesamv2.models.kernels.tensor_cache import DerivedTensors
from mobilesamv2.models.layers import folded


class Doubled(nn.Module):
    """Twice its weight, and how often that was computed."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(3.0))
        self.derived = DerivedTensors()
        self.times = 0

    def _double(self) -> tuple[Tensor]:
        self.times += 1
        return (2 * self.weight,)

    def forward(self) -> Tensor:
        (doubled,) = self.derived(self._double, self.weight)
        return doubled


def test_it_is_computed_once() -> None:
    module = Doubled()
    with torch.inference_mode():
        assert torch.equal(module(), 2 * module.weight)
        assert module() is module()
    with torch.no_grad():
        module()
    assert module.times == 1


def write(module: Doubled) -> None:
    with torch.no_grad():
        module.weight.add_(1)


def load(module: Doubled) -> None:
    module.load_state_dict({"weight": torch.full((3,), 7.0)})


def assign(module: Doubled) -> None:
    module.load_state_dict({"weight": torch.full((3,), 7.0)}, assign=True)


def replace(module: Doubled) -> None:
    module.weight.data = torch.full((3,), 7.0)


def learn(module: Doubled) -> None:
    (module.weight**2).sum().backward()
    torch.optim.SGD(module.parameters(), lr=0.1).step()


@pytest.mark.parametrize("change", [write, load, assign, replace, learn])
def test_a_change_of_the_source_is_seen(change: Callable[[Doubled], None]) -> None:
    module = Doubled()
    with torch.inference_mode():
        module()
    change(module)
    with torch.inference_mode():
        assert torch.equal(module(), 2 * module.weight)
    assert module.times == 2


def test_another_number_format_and_back_is_seen() -> None:
    module = Doubled()
    with torch.no_grad():
        module.weight.add_(1 / 3)
    with torch.inference_mode():
        module()
        assert module.to(torch.bfloat16)().dtype == torch.bfloat16
        assert torch.equal(module.to(torch.float32)(), 2 * module.weight)  # rounded on its way


def test_with_gradients_nothing_is_kept() -> None:
    module = Doubled()
    with torch.inference_mode():
        module()
    module().sum().backward()
    assert module.weight.grad is not None
    assert module.times == 2


def test_tensors_of_inference_mode_are_computed_from_each_time() -> None:
    with torch.inference_mode():
        module = Doubled()
        module()
        module.weight.add_(1)
        assert torch.equal(module(), 2 * module.weight)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_a_copy_of_a_module_has_its_own(again: Callable[[Doubled], Doubled]) -> None:
    module = Doubled()
    with torch.inference_mode():
        module()
    other = again(module)
    write(other)
    with torch.inference_mode():
        assert torch.equal(other(), 2 * other.weight)
        assert torch.equal(module(), 2 * module.weight)
    assert (module.times, other.times) == (1, 2)


def test_statistics_that_training_changes_are_folded_anew() -> None:
    convolution, norm, cache = nn.Conv2d(2, 3, 1, bias=False), nn.BatchNorm2d(3), DerivedTensors()
    with torch.inference_mode():
        folded(convolution, norm.eval(), cache=cache)
    norm.train()(convolution(torch.randn(4, 2, 5, 5) + 3))
    with torch.inference_mode():
        for now, anew in zip(folded(convolution, norm.eval(), cache=cache), folded(convolution, norm), strict=True):
            assert torch.equal(now, anew)
