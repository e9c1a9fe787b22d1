"""Segment everything in a very large picture: in overlapping windows and as a whole, and join what they found."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

import numpy as np

from .filters import SHOW_ALL, apply_filters
from .geometry import Tiles
from .images import ImageInput, read_image
from .progress import Progress, only_progress, run_to_end
from .prompts import Sampler
from .request import Request
from .results import SegmentationResult
from .seams import Window, WindowMasks, joined, placed
from .segmenter import Segmenter
from .stopwatch import Stopwatch
from .types import Masks, Prompts

DEFAULT_TILES = Tiles()


def segment_in_tiles(
    segmenter: Segmenter,
    image: ImageInput,
    request: Request | Sampler | None = None,
    *,
    tiles: Tiles = DEFAULT_TILES,
) -> SegmentationResult:
    """Find masks of everything in a picture, small things too: a picture is encoded at the model's own size, so that
    in a very large one small things are seen only by windows.

    Args:
        segmenter: the model.
        image: a picture in any form that `images.read_image` takes.
        request: what is asked of each window and of the whole picture, so that budgets hold for each of them; what its
            view filters leave out is left out of the joined masks. Or a sampler of one's own.
        tiles: where the windows are.

    Returns:
        Masks of the whole picture and of the windows, best first, those of one object joined; all prompts in pixels of
        the picture; seconds of all windows together. A picture that fits into one window is segmented as usual.

    Raises:
        InvalidImageError: if the image cannot be read.
        PromptError: if the request needs a detector and there is none.
    """
    return run_to_end(tile_steps(segmenter, image, request, tiles=tiles))


def tile_steps(
    segmenter: Segmenter,
    image: ImageInput,
    request: Request | Sampler | None = None,
    *,
    tiles: Tiles = DEFAULT_TILES,
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress, None, SegmentationResult]:
    """As `segment_in_tiles`, pausing after every stage and chunk. Closing the generator stops the work.

    Args:
        stop: as for `Segmenter.steps`; the result has what was found by then.

    Yields:
        `Progress("tiles", done, total)` before each window, and the window's own progress.
    """
    watch = Stopwatch(segmenter.device)
    with watch.stage("preprocess"):
        read = read_image(image)
    picture, size_hw = read.picture, (read.picture.shape[0], read.picture.shape[1])
    whole: Window = (0, 0, size_hw[1], size_hw[0])
    windows = [whole, *(window for window in tiles.windows(size_hw) if window != whole)]
    asked = Request() if request is None else request
    of_each = replace(asked, view=SHOW_ALL) if isinstance(asked, Request) else asked
    results: list[SegmentationResult] = []
    for done, (x0, y0, x1, y1) in enumerate(windows):
        yield Progress("tiles", done, len(windows))
        steps = segmenter.steps(picture[y0:y1, x0:x1], of_each, stop=stop)
        results.append((yield from only_progress(steps)))
        if not results[-1].is_complete:
            break
    with watch.stage("filter"):
        found, prompts = _of_all(results, windows, size_hw)
        view = asked.view if isinstance(asked, Request) else SHOW_ALL
        masks = apply_filters(found, view=view)[0]
    for result in results:
        watch.add(result.timings)
    return replace(
        results[0],
        masks=masks,
        prompts=prompts,
        timings=watch.seconds,
        masks_decoded=sum(result.masks_decoded for result in results),
        duplicates_removed=sum(result.duplicates_removed for result in results),
        is_complete=len(results) == len(windows) and results[-1].is_complete,
        request=asked if isinstance(asked, Request) else None,
        scaled_to_own_range=read.scaled_to_own_range,
        tiles=tiles,
    )


def _of_all(
    results: list[SegmentationResult], windows: list[Window], size_hw: tuple[int, int]
) -> tuple[Masks, Prompts]:
    """Masks of all windows, joined, and all prompts, in pixels of the whole picture."""
    parts: list[WindowMasks] = []
    asked, before = [], 0
    for result, window in zip(results, windows, strict=False):
        masks = placed(result.masks, window, size_hw)
        masks = replace(masks, prompt_index=masks.prompt_index + before)
        parts.append(WindowMasks(window, masks, is_whole=len(parts) == 0))
        if len(result.prompts):
            asked.append(_moved(result.prompts, window))
        before += len(result.prompts)
    return joined(parts), Prompts.concatenate(asked) if asked else results[0].prompts


def _moved(prompts: Prompts, window: Window) -> Prompts:
    """Prompts of a window's own picture, in pixels of the whole picture."""
    corner = np.array(window[:2], dtype=np.float32)
    return replace(
        prompts,
        points=None if prompts.points is None else prompts.points + corner,
        boxes_xyxy=None if prompts.boxes_xyxy is None else prompts.boxes_xyxy + np.tile(corner, 2),
    )
