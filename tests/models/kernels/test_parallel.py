from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest
import torch

from mobilesamv2.models.kernels import parallel as module
from mobilesamv2.models.kernels.parallel import in_parallel


@pytest.fixture(autouse=True)
def two_cores() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=[True, False], ids=["set by thread", "cannot be set"])
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        monkeypatch.setattr(module, "_thread_settings", tuple)


def test_results_come_in_the_order_of_the_pieces(settings: None) -> None:
    assert in_parallel([partial(int, number) for number in range(7)]) == list(range(7))
    assert in_parallel([]) == []


def test_pieces_really_run_at_the_same_time() -> None:
    if not module._thread_settings():
        pytest.skip("this build of torch cannot give a thread one core, so pieces follow each other")
    meeting = threading.Barrier(2, timeout=20)
    in_parallel([meeting.wait, meeting.wait])  # each waits for the other


def test_torch_works_on_one_core_within_a_piece_and_as_before_elsewhere() -> None:
    within = in_parallel([torch.get_num_threads] * 4)
    assert within == ([1] * 4 if module._thread_settings() else [2] * 4)
    assert torch.get_num_threads() == 2
    found = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert found == [2]


def test_an_error_in_a_piece_reaches_the_caller(settings: None) -> None:
    def fail() -> None:
        raise ValueError("in a piece")

    with pytest.raises(ValueError, match="in a piece"):
        in_parallel([lambda: 1, fail])


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_gradients_are_off_as_in_the_caller(settings: None, mode: type[torch.no_grad | torch.inference_mode]) -> None:
    weight = torch.ones(2, requires_grad=True)

    def piece() -> tuple[bool, bool]:
        return (weight * 2).requires_grad, torch.is_inference_mode_enabled()

    with mode():
        assert in_parallel([piece] * 3) == [(False, mode is torch.inference_mode)] * 3
