import pytest
import torch

from mobilesamv2.models.nano.mask_head import (
    CELLS,
    OUTSIDE,
    POINT_WINDOWS,
    RoiMaskHead,
    box_windows,
    pasted,
    point_windows,
)


def test_a_boxs_window_is_the_box_with_a_quarter_more_on_each_side():
    assert box_windows(torch.tensor([[10.0, 20.0, 50.0, 40.0]])).tolist() == [[0.0, 15.0, 60.0, 45.0]]


def test_a_box_without_an_area_has_a_window_with_one():
    x0, y0, x1, y1 = box_windows(torch.tensor([[10.0, 20.0, 10.0, 20.0]]))[0].tolist()
    assert x1 - x0 == y1 - y0 > 0
    assert (x0 + x1, y0 + y1) == (20.0, 40.0)


def test_the_windows_of_a_point_are_centred_on_its_pixel():
    windows = point_windows(torch.tensor([[[99.5, 49.5]]]), torch.tensor([[1]]), side=200.0)
    assert windows.shape == (1, 3, 4)
    assert ((windows[..., :2] + windows[..., 2:]) / 2).flatten().tolist() == [100.0, 50.0] * 3
    assert torch.allclose(windows[0, :, 2] - windows[0, :, 0], 200 * torch.tensor(POINT_WINDOWS))


def test_the_windows_of_several_points_show_all_foreground_points_and_ignore_the_others():
    points = torch.tensor([[[20.0, 50.0], [120.0, 50.0], [500.0, 500.0], [0.0, 0.0]]])
    windows = point_windows(points, torch.tensor([[1, 1, 0, -1]]), side=200.0)[0]
    assert (windows[:, 0] < 20).all()
    assert (windows[:, 2] > 120).all()
    assert (windows[0] < 200).all()


def test_background_points_alone_have_windows_too():
    windows = point_windows(torch.tensor([[[20.0, 50.0]]]), torch.tensor([[0]]), side=200.0)
    assert windows.isfinite().all()


@pytest.mark.parametrize(
    "window", [(8.0, 16.0, 40.0, 32.0), (-20.0, -20.0, 150.0, 150.0), (3.0, 3.0, 9.0, 7.0)]
)
def test_a_guess_is_pasted_where_its_window_is(window):
    guess = torch.full((1, 64, 64), 5.0)
    picture = pasted(guess, torch.tensor([window]), size_hw=(32, 48), stride=2.0)[0]
    assert picture.shape == (32, 48)
    rows, columns = torch.arange(32) * 2 + 1.0, torch.arange(48) * 2 + 1.0
    x0, y0, x1, y1 = window
    within = ((rows > y0) & (rows < y1))[:, None] & ((columns > x0) & (columns < x1))[None]
    far = ((rows < y0 - 4) | (rows > y1 + 4))[:, None] | ((columns < x0 - 4) | (columns > x1 + 4))[None]
    assert (picture[within] > 0).all()
    assert (picture[far] == OUTSIDE).all()


def test_pasting_keeps_what_varies_slowly():
    ramp = torch.linspace(-4, 4, 64)
    guess = ramp[None, None, :].expand(1, 64, 64)
    picture = pasted(guess, torch.tensor([[0.0, 0.0, 64.0, 64.0]]), size_hw=(64, 64), stride=1.0)[0]
    assert torch.allclose(picture[10:-10, 2:-2], ramp[2:-2].expand(44, 60), atol=1e-4)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return RoiMaskHead(detail=4, width=8).eval()


def guesses(network, windows, *, detail, boxes=True, points=None):
    return network(
        detail,
        windows=windows,
        kind=torch.full((len(windows),), 0 if boxes else 2),
        alike=torch.zeros(len(windows), 8, 8),
        side=64.0,
        boxes=boxes,
        points=points,
        labels=None if points is None else torch.ones(points.shape[:2]),
    )


WINDOWS = torch.tensor(
    [[0.0, 0.0, 20.0, 20.0], [10.0, 10.0, 70.0, 50.0], [-5.0, 30.0, 20.0, 40.0], [0, 0, 64, 64]]
)


def test_guesses_do_not_depend_on_the_prompts_beside_them(network):
    detail = torch.randn(1, 4, 16, 16)
    together = guesses(network, WINDOWS, detail=detail)
    alone = torch.cat([guesses(network, window[None], detail=detail) for window in WINDOWS])
    assert together.shape == (4, 2 * CELLS, 2 * CELLS)
    assert torch.allclose(together, alone, atol=1e-5)


def test_each_prompt_reads_the_features_of_its_own_picture(network):
    first, second = torch.randn(2, 1, 4, 16, 16).unbind()
    both = guesses(network, WINDOWS, detail=torch.cat([first, second]))
    assert torch.allclose(both[:2], guesses(network, WINDOWS[:2], detail=first), atol=1e-5)
    assert torch.allclose(both[2:], guesses(network, WINDOWS[2:], detail=second), atol=1e-5)
    assert not torch.allclose(both[2:], guesses(network, WINDOWS[2:], detail=first), atol=1e-3)


def test_a_guess_around_a_point_depends_on_where_the_point_is(network):
    detail = torch.zeros(1, 4, 16, 16)
    here, there = (
        guesses(network, WINDOWS[:1], detail=detail, boxes=False, points=torch.tensor([[[x, 10.0]]]))
        for x in (4.0, 16.0)
    )
    assert not torch.allclose(here, there, atol=1e-3)


def test_no_prompts_give_no_guesses(network):
    assert guesses(network, WINDOWS[:0], detail=torch.zeros(1, 4, 16, 16)).shape == (0, 64, 64)
