from __future__ import annotations

import pytest
import torch

from mobilesamv2.models.nano.windows import (
    POINT_WINDOWS,
    SCALES,
    FeatureSheet,
    box_windows,
    paste,
    pasted,
    point_windows,
    read_logits,
    scale_of,
)

OUTSIDE = -3.0


def test_a_boxs_window_is_the_box_with_a_quarter_more_on_each_side() -> None:
    assert box_windows(torch.tensor([[10.0, 20.0, 50.0, 40.0]])).tolist() == [[0.0, 15.0, 60.0, 45.0]]


def test_a_box_without_an_area_has_a_window_with_one() -> None:
    x0, y0, x1, y1 = box_windows(torch.tensor([[10.0, 20.0, 10.0, 20.0]]))[0].tolist()
    assert x1 - x0 == y1 - y0 > 0
    assert (x0 + x1, y0 + y1) == (20.0, 40.0)


def test_the_windows_of_a_point_are_centred_on_its_pixel() -> None:
    windows = point_windows(torch.tensor([[[99.5, 49.5]]]), torch.tensor([[1]]), side=200.0)
    assert windows.shape == (1, 3, 4)
    assert ((windows[..., :2] + windows[..., 2:]) / 2).flatten().tolist() == [100.0, 50.0] * 3
    assert torch.allclose(windows[0, :, 2] - windows[0, :, 0], 200 * torch.tensor(POINT_WINDOWS))


def test_the_windows_of_several_points_show_all_foreground_points_and_ignore_the_others() -> None:
    points = torch.tensor([[[20.0, 50.0], [120.0, 50.0], [500.0, 500.0], [0.0, 0.0]]])
    windows = point_windows(points, torch.tensor([[1, 1, 0, -1]]), side=200.0)[0]
    assert (windows[:, 0] < 20).all()
    assert (windows[:, 2] > 120).all()
    assert (windows[0] < 200).all()


def test_background_points_alone_have_windows_that_padding_does_not_change() -> None:
    alone = point_windows(torch.tensor([[[20.0, 50.0]]]), torch.tensor([[0]]), side=200.0)
    padded = point_windows(torch.tensor([[[20.0, 50.0], [0.0, 0.0]]]), torch.tensor([[0, -1]]), side=200.0)
    assert alone.isfinite().all()
    assert torch.equal(alone, padded)


@pytest.mark.parametrize("window", [(8.0, 16.0, 40.0, 32.0), (-20.0, -20.0, 150.0, 150.0), (3.0, 3.0, 9.0, 7.0)])
def test_a_mask_is_pasted_where_its_window_is(window: list[float]) -> None:
    logits = torch.full((1, 64, 64), 5.0)
    picture = pasted(logits, torch.tensor([window]), size_hw=(32, 48), stride=2.0, outside=OUTSIDE)[0]
    assert picture.shape == (32, 48)
    rows, columns = torch.arange(32) * 2 + 1.0, torch.arange(48) * 2 + 1.0
    x0, y0, x1, y1 = window
    within = ((rows > y0) & (rows < y1))[:, None] & ((columns > x0) & (columns < x1))[None]
    far = ((rows < y0 - 4) | (rows > y1 + 4))[:, None] | ((columns < x0 - 4) | (columns > x1 + 4))[None]
    assert (picture[within] > 0).all()
    assert (picture[far] == OUTSIDE).all()


def test_pasting_keeps_what_varies_slowly() -> None:
    ramp = torch.linspace(-4, 4, 64)
    logits = ramp[None, None, :].expand(1, 64, 64)
    window = torch.tensor([[0.0, 0.0, 64.0, 64.0]])
    picture = pasted(logits, window, size_hw=(64, 64), stride=1.0, outside=OUTSIDE)[0]
    assert torch.allclose(picture[10:-10, 2:-2], ramp[2:-2].expand(44, 60), atol=1e-4)


def test_pasting_window_by_window_gives_the_same_also_outside_of_the_picture() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = 160 * torch.rand(60, 2, generator=generator) - 30
    halves = torch.exp2(8 * torch.rand(60, 2, generator=generator) - 1)
    windows = torch.cat([centres - halves, centres + halves], dim=1)
    windows = torch.cat([windows, torch.tensor([[-90.0, -90.0, -50.0, -50.0], [500.0, 20.0, 600.0, 60.0]])])
    logits = torch.randn(len(windows), 16, 16, generator=generator)
    into = torch.full((len(windows), 40, 52), torch.nan)
    paste(logits, windows, into=into, stride=2.0, outside=OUTSIDE)
    whole = pasted(logits, windows, size_hw=(40, 52), stride=2.0, outside=OUTSIDE)
    torch.testing.assert_close(into, whole, atol=1e-4, rtol=1e-5)


def test_what_is_pasted_is_read_again() -> None:
    logits = torch.randn(2, 1, 8, 8).repeat_interleave(4, 2).repeat_interleave(4, 3)  # (2, 1, 32, 32)
    windows = torch.tensor([[0.0, 0.0, 64.0, 64.0], [16.0, 32.0, 48.0, 64.0]])
    whole = pasted(logits[:, 0], windows, size_hw=(64, 64), stride=1.0, outside=OUTSIDE)
    again = read_logits(whole[:, None], windows, cells=8, stride=1.0)
    torch.testing.assert_close(again, logits[:, :, 1::4, 1::4], atol=0.4, rtol=0)


def ramps(height: int, width: int) -> torch.Tensor:
    """(2, 2, h, w): two pictures whose features are each pixel's x and y, in pixels of the first scale."""
    x = torch.arange(width).float().expand(height, width)
    y = torch.arange(height).float()[:, None].expand(height, width)
    one = torch.stack([x, y])
    return torch.stack([one, 1000 + one])


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("scale", range(SCALES))
def test_a_window_reads_its_own_picture_where_it_lies_at_any_scale(gradients: bool, scale: int) -> None:
    sheet = FeatureSheet.of(ramps(16, 24), stride=4)
    windows = torch.tensor([[20.0, 8.0, 52.0, 40.0], [16.0, 16.0, 80.0, 32.0]])
    with torch.set_grad_enabled(gradients):
        seen = sheet.read(windows, picture=torch.tensor([1, 0]), scale=torch.full((2,), scale), cells=4)
    assert seen.shape == (2, 2, 4, 4)
    # the centre of a cell at 24 pixels lies between features 5 and 6
    expected_x = torch.tensor([[24.0, 32.0, 40.0, 48.0], [24.0, 40.0, 56.0, 72.0]]) / 4 - 0.5
    expected_y = torch.tensor([[12.0, 20.0, 28.0, 36.0], [18.0, 22.0, 26.0, 30.0]]) / 4 - 0.5
    offset = torch.tensor([1000.0, 0.0])[:, None, None]
    torch.testing.assert_close(seen[:, 0], expected_x[:, None, :] + offset + torch.zeros(2, 4, 4))
    torch.testing.assert_close(seen[:, 1], expected_y[:, :, None] + offset + torch.zeros(2, 4, 4))


def test_reading_with_gradients_equals_reading_without_also_beyond_the_picture() -> None:
    sheet = FeatureSheet.of(torch.randn(3, 5, 16, 8), stride=4)
    windows = torch.tensor([[-30.0, -9.0, 50.0, 90.0], [3.0, 5.0, 9.0, 8.0], [30.0, 60.0, 95.0, 70.0]])
    picture, scale = torch.tensor([2, 0, 1]), torch.tensor([2, 0, 1])
    with torch.enable_grad():
        sampled = sheet.read(windows, picture=picture, scale=scale, cells=8)
    with torch.no_grad():
        gathered = sheet.read(windows, picture=picture, scale=scale, cells=8)
    torch.testing.assert_close(sampled, gathered, atol=1e-4, rtol=1e-4)
    assert gathered.is_contiguous(memory_format=torch.channels_last)


def test_large_windows_read_coarse_features() -> None:
    sides = torch.tensor([4.0, 128.0, 250.0, 520.0, 5000.0])
    windows = torch.stack([0 * sides, 0 * sides, sides, sides], dim=1)
    assert scale_of(windows, cells=32, stride=4).tolist() == [0, 0, 1, 2, 2]
