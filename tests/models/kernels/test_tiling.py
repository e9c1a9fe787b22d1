"""Bands of rows must give what the whole picture gives, wherever they end."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mobilesamv2.models.kernels.tiling import in_row_bands, rows_that_fit


def two_convolutions(x: Tensor) -> Tensor:
    """Looks at two rows on either side, and sees zeros outside the picture each time."""
    kernels = torch.arange(18.0).reshape(2, 1, 3, 3) - 8
    for _ in range(2):
        x = F.relu(F.conv2d(x, kernels, bias=torch.tensor([0.5, -0.5]), padding=1, groups=2))
    return x


def shrinking(x: Tensor) -> Tensor:
    """A row of the result for four rows, and it looks at three beyond them."""
    kernels = torch.arange(18.0).reshape(2, 1, 3, 3) - 8
    for _ in range(2):
        x = F.relu(F.conv2d(x, kernels, bias=torch.tensor([0.5, -0.5]), stride=2, padding=1, groups=2))
    return x


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 11, 12, 13, None])
def test_bands_give_what_the_whole_picture_gives(rows: int | None) -> None:
    x = torch.randn(2, 2, 12, 8)
    torch.testing.assert_close(
        in_row_bands(x, two_convolutions, rows=rows, margin=2), two_convolutions(x), rtol=1e-5, atol=1e-3
    )


@pytest.mark.parametrize("rows", [1, 2, 3, 4, None])
def test_bands_of_a_result_of_lower_resolution_give_it(rows: int | None) -> None:
    x = torch.randn(1, 2, 20, 8)
    torch.testing.assert_close(
        in_row_bands(x, shrinking, rows=rows, stride=4, margin=1), shrinking(x), rtol=1e-5, atol=1e-3
    )


def test_without_margin_every_row_is_done_once() -> None:
    seen = []

    def double(x: Tensor) -> Tensor:
        seen.append(x.shape[2])
        return 2 * x

    x = torch.randn(1, 2, 7, 3)
    assert torch.equal(in_row_bands(x, double, rows=3), 2 * x)
    assert seen == [3, 3, 1]


def test_the_order_of_memory_is_kept() -> None:
    x = torch.randn(1, 2, 7, 3).contiguous(memory_format=torch.channels_last)
    assert in_row_bands(x, lambda band: 2 * band, rows=3).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("shape", [(0, 2, 7, 3), (1, 2, 0, 3)])
def test_an_empty_picture_stays_one(shape: tuple[int, ...]) -> None:
    assert in_row_bands(torch.zeros(shape), lambda band: 2 * band, rows=3).shape == shape


def test_a_band_has_at_least_one_row_and_whole_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mobilesamv2.models.kernels.tiling.BAND_BYTES", 4 * 1000)
    x = torch.zeros(1, 1, 1, 1)
    with torch.inference_mode():
        assert rows_that_fit(x, columns=10, channels=10) == 10
        assert rows_that_fit(x, columns=10, channels=10, multiple_of=7) == 7
        assert rows_that_fit(x, columns=100, channels=100) == 1
        assert rows_that_fit(x, columns=100, channels=100, multiple_of=7) == 7
        assert rows_that_fit(x.bfloat16(), columns=10, channels=10) == 20
        assert (rows_that_fit(x, columns=0, channels=10) or 0) > 0


def test_with_gradients_and_on_accelerators_pictures_are_whole() -> None:
    assert rows_that_fit(torch.zeros(1, 1, 1, 1), columns=10, channels=10) is None
    with torch.inference_mode():
        assert rows_that_fit(torch.zeros(1, device="meta"), columns=10, channels=10) is None
