"""Pictures for people: masks and prompts drawn on a photograph. Knows nothing of models or pages.

A drawing may be smaller than the photograph the masks belong to: masks are sampled straight from their run
lengths at the size of the drawing, so 320 masks of 12 megapixels need no full-size array.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from .ops.runs import edge_runs, painted, runs_of, within_columns
from .types import Ints, Masks, Picture, Prompts

_GOLDEN_TURN = (5**0.5 - 1) / 2
"""Share of the hue circle between neighbours in rank: no two of the first hundreds fall close together."""
_LIGHTNESS = (0.74, 0.62, 0.82)
_CHROMA = 0.17
_BACKGROUND_POINT = (226, 60, 60, 255)
_INK = (16, 20, 22, 120)
_CHALK = (255, 255, 255, 255)
_CONTOUR_OPACITY = 0.95
_BAND_ROWS = 256
"""Rows blended at a time, so that floats of the whole picture are never held."""


def fit_within(picture: Picture, longest_side: int) -> Picture:
    """Shrink a picture so that its longer side has at most `longest_side` pixels; never enlarge it.

    Raises:
        ValueError: if `longest_side` < 1.
    """
    if longest_side < 1:
        raise ValueError(f"The longest side must be at least 1 pixel; got {longest_side}.")
    height, width = picture.shape[:2]
    scale = longest_side / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))


def label_colours(count: int) -> npt.NDArray[np.uint8]:
    """Colours for `count` masks by rank: uint8 (count, 3), the same for the same rank on every run.

    Hues advance by the golden section in OKLCH (Ottosson 2020), so they are spread evenly as people see them,
    and lightness takes turns on three levels, so that neighbours differ without colour too.
    """
    rank = np.arange(count)
    hue = 2 * np.pi * ((0.08 + rank * _GOLDEN_TURN) % 1)
    lightness = np.asarray(_LIGHTNESS)[rank % len(_LIGHTNESS)]
    a, b = _CHROMA * np.cos(hue), _CHROMA * np.sin(hue)
    cones = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ],
        axis=1,
    )
    to_linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip(cones**3 @ to_linear.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * encoded), dtype=np.uint8)


def overlay(
    picture: Picture,
    masks: Masks,
    *,
    opacity: float = 0.5,
    contours: bool = True,
    colours: npt.NDArray[np.uint8] | None = None,
    out: Picture | None = None,
) -> Picture:
    """Paint each mask in the colour of its rank, larger ones first, so that parts stay visible on wholes.

    Args:
        picture: the photograph, or a smaller copy of it; the result has its size.
        opacity: of the painted areas, 0 to 1.
        contours: also draw each mask's inner edge, 1 pixel wide up to 800 pixels, wider on larger pictures.
        colours: uint8 (N, 3), one for each mask, instead of the colours of their ranks (`label_colours`).
        out: where to draw, of the picture's size; it may be the picture itself. None: a new array.

    Raises:
        ValueError: if `opacity` is not within 0 to 1, `colours` are not one per mask, or the picture has another
            shape than the masks' one.
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"The opacity must lie within 0 to 1; got {opacity}.")
    if colours is None:
        colours = label_colours(len(masks))
    elif colours.shape != (len(masks), 3):
        raise ValueError(f"Colours must have the shape ({len(masks)}, 3), one per mask; got {colours.shape}.")
    height, width = picture.shape[:2]
    scale = max(height, width) / max(masks.size_hw)
    if any(abs(drawn - full * scale) > 1 for drawn, full in zip((height, width), masks.size_hw, strict=True)):
        raise ValueError(f"A picture of {(height, width)} is no copy of one of {masks.size_hw}.")
    seen = _paint(masks, (height, width), thickness=_line_width((height, width)) if contours else 0)
    lines = np.rint(0.7 * colours + 0.3 * 255).astype(np.uint8)  # lighter, to stand out from its own area
    table = np.concatenate([colours, lines, np.zeros((1, 3), dtype=np.uint8)])  # -1 is the last row: no mask
    line_share = max(opacity, _CONTOUR_OPACITY)
    if out is None:
        out = picture.copy()
    elif out is not picture:
        out[:] = picture
    for top in range(0, height, _BAND_ROWS):
        rows = slice(top, top + _BAND_ROWS)
        band, labels = out[rows], seen[rows]
        paint = table.take(labels, axis=0)
        shares = (opacity, labels >= 0), (line_share, labels >= len(masks))
        mixed = [(cv2.addWeighted(band, 1 - share, paint, share, 0), where) for share, where in shares]
        for of_share, where in mixed:
            cv2.copyTo(of_share, where.view(np.uint8), band)
    return out


def mask_layer(
    masks: Masks,
    size_hw: tuple[int, int],
    *,
    colours: npt.NDArray[np.uint8] | None = None,
    opacity: float = 0.5,
) -> npt.NDArray[np.uint8]:
    """Masks and their contours alone, to lie over a photograph: uint8 (h, w, 4), transparent where no mask is.

    Args:
        size_hw: height and width of the layer: the picture's or those of a smaller copy.
        colours: as for `overlay`.
        opacity: of the areas, 0 to 1; contours are nearly opaque.
    """
    colours = label_colours(len(masks)) if colours is None else colours
    layer = np.zeros((*size_hw, 4), dtype=np.uint8)
    seen = _paint(masks, size_hw, thickness=_line_width(size_hw))
    inside, edges = seen >= 0, seen >= len(masks)
    layer[inside, :3] = np.concatenate([colours, colours])[seen[inside]]
    layer[inside, 3] = round(255 * opacity)
    layer[edges, 3] = round(255 * max(opacity, _CONTOUR_OPACITY))
    return layer


def on_top(masks: Masks, size_hw: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Which mask is seen at each pixel, smaller ones on larger ones: int32 (h, w), -1 for none.

    Args:
        size_hw: height and width of the answer: the picture's or those of a smaller copy.
    """
    return _paint(masks, size_hw, thickness=0).astype(np.int32)


def draw_prompts(picture: Picture, prompts: Prompts, *, size_hw: tuple[int, int] | None = None) -> Picture:
    """Draw boxes as thin lines and points as small dots, light on a dark rim so that any photo shows them.

    Args:
        picture: the photograph, or a smaller copy of it; the result has its size.
        size_hw: height and width of the photograph the prompts belong to; by default the picture's own.
            Foreground points are white, background points red, padding is not drawn.
    """
    drawn_hw = picture.shape[0], picture.shape[1]
    image = Image.fromarray(picture)
    layer = Image.fromarray(prompt_layer(prompts, drawn_hw, size_hw=size_hw or drawn_hw))
    image.paste(layer, mask=layer)
    return np.asarray(image)


def prompt_layer(prompts: Prompts, drawn_hw: tuple[int, int], *, size_hw: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Prompts alone, as `draw_prompts` draws them, to lie over a photograph: uint8 (h, w, 4).

    Args:
        drawn_hw: height and width of the layer.
        size_hw: height and width of the photograph the prompts belong to.
    """
    scale = np.array([drawn_hw[1] / size_hw[1], drawn_hw[0] / size_hw[0]])
    layer = Image.new("RGBA", drawn_hw[::-1])  # a rim that lets the photo through keeps many boxes readable
    draw = ImageDraw.Draw(layer)
    line = _line_width(drawn_hw)
    if prompts.boxes_xyxy is not None:
        boxes = prompts.boxes_xyxy[prompts.has_box] * np.tile(scale, 2)
        # All rims before all lines: no box may hide another's line.
        for colour, stroke in ((_INK, line + 2), (_CHALK, line)):
            grow = (stroke - line) // 2
            for x0, y0, x1, y1 in boxes:
                corners = (x0 - grow, y0 - grow, max(x0, x1 - 1) + grow, max(y0, y1 - 1) + grow)
                draw.rectangle(corners, outline=colour, width=stroke)
    if prompts.points is not None and prompts.labels is not None:
        radius = 1.5 * line + 0.5
        for point, label in zip(prompts.points.reshape(-1, 2), prompts.labels.reshape(-1), strict=True):
            if label < 0:
                continue
            x, y = (point + 0.5) * scale - 0.5
            for colour, r in ((_INK, radius + 1), (_CHALK if label == 1 else _BACKGROUND_POINT, radius)):
                draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    return np.asarray(layer)


def _line_width(size_hw: tuple[int, int]) -> int:
    return max(1, int(max(size_hw) / 800 + 0.5))


def _paint(masks: Masks, size_hw: tuple[int, int], *, thickness: int) -> npt.NDArray[np.signedinteger]:
    """Which of N masks is on top of each pixel, integers (h, w): -1 for none, N more where its contour runs.

    Runs are painted, not pixels: of a mask of megapixels there are a few thousand.
    """
    dtype = np.int16 if 2 * len(masks) < np.iinfo(np.int16).max else np.int32
    layers: list[Ints] = []
    values: list[int] = []
    for index in masks.painting_order():
        runs = _drawn_runs(masks, index, size_hw)
        layers += [runs, edge_runs(runs, size_hw=size_hw, thickness=thickness)]
        values += [index, len(masks) + index]
    return painted(layers, values, size_hw=size_hw, background=-1, dtype=dtype)


def _drawn_runs(masks: Masks, index: int, size_hw: tuple[int, int]) -> Ints:
    """The runs of a mask at the size of the drawing: each drawn pixel has what lies under its centre."""
    runs, (height, width) = runs_of(masks.rles[index]), masks.size_hw
    if size_hw == (height, width):
        return runs
    runs = within_columns(runs, height=height)
    column = runs[:, 0] // height
    rows, columns = _centres(height, size_hw[0]), _centres(width, size_hw[1])
    tops, bottoms = np.searchsorted(rows, (runs - height * column[:, None]).T)
    first = np.searchsorted(columns, column)
    copies = np.searchsorted(columns, column, side="right") - first  # none of a column that is passed over
    copies[tops >= bottoms] = 0
    begun = np.repeat(np.cumsum(copies) - copies, copies)
    drawn = np.repeat(first, copies) + np.arange(len(begun)) - begun
    return np.stack([drawn * size_hw[0] + np.repeat(edge, copies) for edge in (tops, bottoms)], axis=1)


def _centres(full: int, drawn: int) -> Ints:
    """What lies under the centre of each of the drawn pixels along one axis, rising."""
    return ((np.arange(drawn) + 0.5) * full / drawn).astype(np.int64).clip(0, full - 1)
