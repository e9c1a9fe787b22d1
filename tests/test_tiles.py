"""Very large pictures: small things are found, cut ones joined, and the record says how."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mobilesamv2
from mobilesamv2.cli import main
from mobilesamv2.errors import PromptError
from mobilesamv2.filters import ViewFilters
from mobilesamv2.geometry import Tiles
from mobilesamv2.progress import Progress, run_to_end
from mobilesamv2.request import Request
from mobilesamv2.tiles import segment_in_tiles, tile_steps
from mobilesamv2.types import Masks, Picture
from tests.drawn import DrawnSegmenter, scene
from tests.tiny import picture, tiny_segmenter

SIZE = (200, 320)
SMALL = [(x, y, x + 7, y + 6) for y in range(5, 190, 24) for x in range(4, 310, 22)]
LARGE = [(10, 8, 150, 60), (120, 90, 300, 180), (4, 70, 30, 196)]
TILES = Tiles(side=64, overlap=0.25)
WINDOWS = len(TILES.windows(SIZE))


def looked(drawn: Picture) -> set[bytes]:
    """Every colour but black as a mask."""
    return {shape.tobytes() for shape in DrawnSegmenter().shapes(drawn)}


def shapes_of(masks: Masks) -> set[bytes]:
    return {mask.tobytes() for mask in masks}


@pytest.mark.parametrize("length", [1, 31, 32, 33, 56, 57, 320])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_windows_cover_the_picture_and_overlap(length: int, overlap: float) -> None:
    windows = Tiles(side=32, overlap=overlap).windows((20, length))
    assert (windows[0][0], windows[-1][2]) == (0, length)
    assert all(x1 - x0 == min(32, length) and (y0, y1) == (0, 20) for x0, y0, x1, y1 in windows)
    for one, other in itertools.pairwise(windows):
        assert 32 * overlap <= one[2] - other[0] < 32


@pytest.mark.parametrize("wrong", [{"side": 31}, {"overlap": -0.1}, {"overlap": 0.6}])
def test_tiles_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(PromptError, match="tile"):
        Tiles(**wrong)


def test_tiles_find_the_small_things_that_the_whole_picture_hides() -> None:
    drawn = scene(SIZE, [*LARGE, *SMALL])
    segmenter = DrawnSegmenter(sees=64, least=6)
    whole = run_to_end(segmenter.steps(drawn))
    tiled = segment_in_tiles(segmenter, drawn, tiles=TILES)  # type: ignore[arg-type]
    assert shapes_of(tiled.masks) == looked(drawn)
    assert len(whole.masks) < len(tiled.masks) / 10
    assert segmenter.looked_at[0] == SIZE
    assert set(segmenter.looked_at[2:]) == {(64, 64)}


def test_masks_that_are_a_little_wrong_are_joined_all_the_same() -> None:
    drawn = scene(SIZE, LARGE)
    tiled = segment_in_tiles(DrawnSegmenter(skewed=2), drawn, tiles=TILES)  # type: ignore[arg-type]
    assert len(tiled.masks) == len(LARGE)
    truth = np.stack(DrawnSegmenter().shapes(drawn))
    for mask in tiled.masks:
        ious = (truth & mask).sum(axis=(1, 2)) / (truth | mask).sum(axis=(1, 2))
        assert ious.max() > 0.9


def test_a_picture_that_fits_into_one_window_is_segmented_as_usual() -> None:
    segmenter, given = tiny_segmenter(), picture()
    asked = Request("grid", points_per_side=4)
    expected = segmenter.segment_everything(given, request=asked)
    found = segment_in_tiles(segmenter, given, asked, tiles=Tiles(side=64))
    assert found.masks.rles == expected.masks.rles
    assert found.to_record()["tiles"] == {"side": 64, "overlap": 0.25, "windows": 1}
    assert expected.to_record()["tiles"] is None


@pytest.mark.parametrize("sampler", ["grid", "object-aware"])
def test_prompts_and_masks_are_in_pixels_of_the_whole_picture(sampler: str) -> None:
    given = picture(height=50, width=90)
    asked = Request(sampler, max_prompts=9, view=ViewFilters(min_area=3))
    found = segment_in_tiles(tiny_segmenter(boxes=[(2, 3, 25, 20)]), given, asked, tiles=Tiles(side=40))
    windows = Tiles(side=40).windows((50, 90))
    assert len(found.prompts) == (9 if sampler == "grid" else 1) * (1 + len(windows))
    assert found.masks.size_hw == (50, 90)
    assert (found.masks.areas >= 3).all()
    assert (np.diff(found.masks.scores) <= 0).all()
    if sampler == "grid":
        assert found.prompts.points is not None
        last = found.prompts.points[-9:, 0]
        assert (last > np.array(windows[-1][:2])).all()
    else:
        assert found.prompts.boxes_xyxy is not None
        corners = [(0, 0), *(window[:2] for window in windows)]
        expected = [[2 + x, 3 + y, 25 + x, 20 + y] for x, y in corners]
        assert found.prompts.boxes_xyxy.tolist() == expected
    record = found.to_record()
    assert record["request"] == asked.to_record()
    assert record["total_seconds"] == pytest.approx(sum(found.timings.values()), abs=1e-5)
    json.dumps(record)


def test_view_filters_look_at_the_joined_masks() -> None:
    drawn = scene(SIZE, [LARGE[1], *SMALL[:20]])
    least = ViewFilters(min_area_percent=10)  # more than any window of it is
    found = segment_in_tiles(DrawnSegmenter(), drawn, Request(view=least), tiles=TILES)  # type: ignore[arg-type]
    assert len(found.masks) == 1
    assert found.masks.areas[0] > 64 * 64


def test_progress_counts_the_windows_and_a_stop_leaves_what_was_found() -> None:
    drawn, segmenter = scene(SIZE, SMALL), DrawnSegmenter()
    steps = tile_steps(segmenter, drawn, tiles=TILES, stop=lambda: len(segmenter.looked_at) > 4)  # type: ignore[arg-type]
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as stop:
            result = stop.value
            break
    assert [item.done for item in told if item.stage == "tiles"] == [0, 1, 2, 3, 4]
    assert told[0] == Progress("tiles", 0, WINDOWS + 1)
    assert {item.stage for item in told} == {"tiles", "encode", "decode"}
    assert not result.is_complete
    assert len(result.masks) > 0


def test_a_run_that_is_stopped_at_once_has_no_masks() -> None:
    given = picture(height=50, width=90)
    result = run_to_end(tile_steps(tiny_segmenter(), given, tiles=Tiles(side=40), stop=lambda: True))
    assert (len(result.masks), len(result.prompts), result.is_complete) == (0, 0, False)


def test_tiles_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = tiny_segmenter(boxes=[(2, 3, 25, 20)])
    segmenter.name = "nano"
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: segmenter)
    Image.fromarray(picture(height=50, width=90)).save(tmp_path / "a.png")

    def record(*options: str) -> dict[str, Any]:
        call = ["segment", str(tmp_path / "a.png"), "-o", str(tmp_path / "out"), *options]
        assert main(call) == 0
        (photo,) = json.loads((tmp_path / "out" / "summary.json").read_text())["photos"]
        return dict(photo)

    assert record()["tiles"] is None
    tiled = record("--tiles", "40")
    assert tiled["tiles"] == {"side": 40, "overlap": 0.25, "windows": 6}
    assert tiled["prompts"] == 7
    assert record("--tiles", "40", "--resume")["seconds"] == tiled["seconds"]  # not done again
    assert record("--tiles", "48", "--resume")["tiles"]["side"] == 48
    assert record("--tiles")["tiles"] == {"side": 1024, "overlap": 0.25, "windows": 1}
    assert record("--resume")["tiles"] is None


def test_a_side_that_is_too_small_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: tiny_segmenter())
    Image.fromarray(picture()).save(tmp_path / "a.png")
    assert main(["segment", str(tmp_path / "a.png"), "-o", str(tmp_path / "out"), "--tiles", "8"]) == 1
    assert "at least 32 pixels; got 8." in capsys.readouterr().err
