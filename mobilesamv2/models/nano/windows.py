"""Windows around prompts, and what they show of feature maps.

A window scales with its prompt, so that in it all objects have about the same size (RoIAlign, arXiv 1703.06870; a mask
around a point at several scales, arXiv 1506.06204). Frames are pixels of the model's square input.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

BOX_MARGIN = 0.25
"""What a window adds to a box on each side, as a share of the box's side."""
SMALLEST_BOX = 8.0
"""Sides below this many pixels are taken for this long."""
POINT_WINDOWS = (0.07, 0.26, 1.0)
"""Sides of the windows around a point, as shares of the input's side: for a small, a middling and a large object."""
SCALES = 3
"""Scales at which feature maps are kept, each half as fine as the one before: large windows read coarser ones, whose
pixels are means, and so miss nothing between the cells."""


def box_windows(boxes_xyxy: Tensor) -> Tensor:
    """Windows (N, 4) around boxes (N, 4)."""
    centre = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    half = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).clamp(min=SMALLEST_BOX) * (0.5 + BOX_MARGIN)
    return torch.cat([centre - half, centre + half], dim=1)


def point_windows(points: Tensor, labels: Tensor, *, side: float) -> Tensor:
    """Windows (N, 3, 4) around sets of points (N, P, 2), the smallest first.

    They are centred on the foreground points, and large enough to show all of these.

    Args:
        points: x before y.
        labels: (N, P), 1 foreground; background is only looked at where a set has no foreground.
        side: of the model's input.
    """
    counted = labels == 1
    for fewer in (labels == 0, labels < 0):  # padding alone is no prompt, but must not make infinity
        counted = counted | (fewer & ~counted.any(1, keepdim=True))
    low = points.masked_fill(~counted[..., None], torch.inf).amin(1)
    high = points.masked_fill(~counted[..., None], -torch.inf).amax(1)
    centre = (low + high) / 2 + 0.5
    sides = side * points.new_tensor(POINT_WINDOWS)
    half = torch.maximum(sides[None] / 2, 0.75 * (high - low).amax(1)[:, None])[..., None]  # (N, 3, 1)
    return torch.cat([centre[:, None] - half, centre[:, None] + half], dim=2)


def cell_centres(windows: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Centres of the cells of windows (N, 4): x of the columns (N, cells) and y of the rows (N, cells)."""
    steps = (torch.arange(cells, device=windows.device, dtype=windows.dtype) + 0.5) / cells
    x = windows[:, :1] + steps * (windows[:, 2:3] - windows[:, :1])
    y = windows[:, 1:2] + steps * (windows[:, 3:] - windows[:, 1:2])
    return x, y


def scale_of(windows: Tensor, *, cells: int, stride: int) -> Tensor:
    """Which scale (N,) of a map of that stride windows (N, 4) read with so many cells along a side."""
    cell = (windows[:, 2:] - windows[:, :2]).clamp(min=1e-3).log2().mean(1)  # of the sides' geometric mean
    exact = cell - torch.log2(cell.new_tensor(float(cells * stride)))
    return exact.round().clamp(0, SCALES - 1).long()


@dataclass(frozen=True, eq=False)
class FeatureSheet:
    """One kind of features of B pictures at `SCALES` scales, side by side on one sheet.

    So windows of any picture and any scale are read in one go.

    Args:
        sheet: (1, C, rows, W), channels last: all pictures at the first scale below each other, then at the next.
        pictures: B.
        size_hw: height and width of one picture at the first scale.
        stride: input pixels per pixel of the first scale.
    """

    sheet: Tensor
    pictures: int
    size_hw: tuple[int, int]
    stride: int

    @classmethod
    def of(cls, features: Tensor, *, stride: int) -> FeatureSheet:
        """Lay out features (B, C, h, w); h and w are multiples of 2 ** (SCALES - 1)."""
        count, _, height, width = features.shape
        parts = []
        for scale in range(SCALES):
            if scale:
                features = F.avg_pool2d(features, 2)
            tall = features.transpose(0, 1).flatten(1, 2)[None]  # (1, C, B * h, w)
            parts.append(F.pad(tall, (0, width - tall.shape[3])))
        sheet = torch.cat(parts, dim=2).contiguous(memory_format=torch.channels_last)
        return cls(sheet=sheet, pictures=count, size_hw=(height, width), stride=stride)

    def read(self, windows: Tensor, *, picture: Tensor, scale: Tensor, cells: int) -> Tensor:
        """What windows (N, 4) show at the centres of cells x cells cells: (N, C, cells, cells), channels last.

        Beyond a picture its border goes on.

        Args:
            windows: float32.
            picture: (N,), which picture each lies on.
            scale: (N,), of `scale_of`.
            cells: along a side.
        """
        steps = range(SCALES)
        height, width = (  # (N,) each
            torch.tensor([side >> step for step in steps], device=scale.device)[scale] for side in self.size_hw
        )
        first = self._first_row(scale) + picture * height
        x, y = cell_centres(windows, cells)
        pixel = (self.stride * 2.0**scale)[:, None]
        across = torch.minimum((x / pixel - 0.5).clamp(min=0), (width - 1)[:, None].to(x.dtype))
        down = torch.minimum((y / pixel - 0.5).clamp(min=0), (height - 1)[:, None].to(x.dtype))
        if torch.is_grad_enabled():
            place = torch.stack(
                [
                    across[:, None, :].expand(-1, cells, -1),
                    (down + first[:, None])[:, :, None].expand(-1, -1, cells),
                ],
                dim=-1,
            )
            size = place.new_tensor([self.sheet.shape[3], self.sheet.shape[2]])
            place = ((2 * place + 1) / size - 1).view(1, -1, cells, 2)
            seen = F.grid_sample(self.sheet.float(), place, align_corners=False, padding_mode="border")
            return seen.view(-1, windows.shape[0], cells, cells).transpose(0, 1)
        return self._gathered(across, down, first, width, height)

    def _first_row(self, scale: Tensor) -> Tensor:
        rows = [self.pictures * (self.size_hw[0] >> before) for before in range(SCALES - 1)]
        return torch.tensor([0, *rows], device=scale.device).cumsum(0)[scale]

    def _gathered(self, across: Tensor, down: Tensor, first: Tensor, width: Tensor, height: Tensor) -> Tensor:
        """Means of the four pixels around each place, as sums over bags of rows: ten times as fast as `grid_sample`."""
        count, cells = across.shape
        left, top = across.int(), down.int()
        share_x, share_y = across - left, down - top
        columns = torch.stack([left, torch.minimum(left + 1, width[:, None].int() - 1)], dim=-1)  # (N, cells, 2)
        rows = torch.stack([top, torch.minimum(top + 1, height[:, None].int() - 1)], dim=-1)
        rows = (rows + first[:, None, None].int()) * self.sheet.shape[3]  # where they begin in the table
        weight_x = torch.stack([1 - share_x, share_x], dim=-1)
        weight_y = torch.stack([1 - share_y, share_y], dim=-1)
        table = self.sheet[0].permute(1, 2, 0).flatten(0, 1)  # (rows * W, C)
        index = rows[:, :, None, :, None] + columns[:, None, :, None, :]
        weight = weight_y[:, :, None, :, None] * weight_x[:, None, :, None, :]
        seen = F.embedding_bag(
            index.view(-1, 4), table, mode="sum", per_sample_weights=weight.view(-1, 4).to(table.dtype)
        )
        return seen.view(count, cells, cells, table.shape[1]).permute(0, 3, 1, 2)


def read_logits(masks: Tensor, windows: Tensor, *, cells: int, stride: float) -> Tensor:
    """What each window (N, 4) shows of a mask of its own (N, 1, h, w), pixels of `stride`: (N, 1, cells, cells)."""
    x, y = cell_centres(windows, cells)
    size = stride * windows.new_tensor([masks.shape[3], masks.shape[2]])
    place = torch.stack([x[:, None, :].expand(-1, cells, -1), y[:, :, None].expand(-1, -1, cells)], dim=-1)
    return F.grid_sample(masks.float(), 2 * place / size - 1, align_corners=False, padding_mode="border")


def pasted(logits: Tensor, windows: Tensor, *, size_hw: tuple[int, int], stride: float, outside: float) -> Tensor:
    """Put logits (N, K, K) where their windows (N, 4) are: (N, height, width), pixels of `stride`.

    Args:
        outside: the logit where a window ends.
    """
    first = windows.new_zeros(len(windows), 2)
    return _patches(logits, windows.float(), first, size_wh=size_hw[::-1], stride=stride, outside=outside)


def paste(logits: Tensor, windows: Tensor, *, into: Tensor, stride: float, outside: float) -> None:
    """Fill `into` (N, height, width) with what `pasted` gives, on the CPU only where windows are: most are small."""
    windows = windows.float()
    height, width = into.shape[1:]
    if into.device.type != "cpu":
        into.copy_(pasted(logits, windows, size_hw=(height, width), stride=stride, outside=outside))
        return
    into.fill_(outside)
    size_wh = windows.new_tensor([width, height])
    cells = windows.new_tensor([logits.shape[2], logits.shape[1]])
    reach = ((windows[:, 2:] - windows[:, :2]) / cells).clamp(min=stride)
    low = torch.minimum(((windows[:, :2] - reach) / stride).floor().clamp(min=0), size_wh)
    high = torch.minimum(((windows[:, 2:] + reach) / stride).ceil().clamp(min=0), size_wh)
    octave = (high - low).amax(1).clamp(min=1).log2().ceil()
    for one in octave.unique():  # windows of about the same size together
        rows = torch.nonzero(octave == one)[:, 0]
        size = (high - low)[rows].amax(0)
        first = torch.minimum(low[rows], size_wh - size)
        across, down = (int(extent) for extent in size)
        patches = _patches(logits[rows], windows[rows], first, size_wh=(across, down), stride=stride, outside=outside)
        for row, (x, y), patch in zip(rows.tolist(), first.int().tolist(), patches, strict=True):
            into[row, y : y + down, x : x + across] = patch


def _patches(
    logits: Tensor, windows: Tensor, first: Tensor, *, size_wh: tuple[int, int], stride: float, outside: float
) -> Tensor:
    """What `pasted` gives in the (N, height, width) pixels from pixel `first` (N, 2) on, x before y."""
    x0, y0, x1, y1 = windows.unbind(1)
    across = _hats(x0, x1, first[:, 0], count=size_wh[0], stride=stride, cells=logits.shape[2])
    down = _hats(y0, y1, first[:, 1], count=size_wh[1], stride=stride, cells=logits.shape[1])  # (N, height, K)
    return (down @ (logits.float() - outside) @ across.transpose(1, 2)).add_(outside)


def _hats(low: Tensor, high: Tensor, first: Tensor, *, count: int, stride: float, cells: int) -> Tensor:
    """Weights (N, count, cells) with which pixels, from `first` (N,) on, read the cells of a window."""
    pixels = (first[:, None] + torch.arange(count, device=low.device) + 0.5) * stride
    scale = cells / (high - low)[:, None]  # cells per input pixel
    place = (pixels - low[:, None]) * scale - 0.5
    # Pixels larger than cells read all that they cover.
    reach = (scale * stride).clamp(min=1)[..., None]
    index = torch.arange(cells, device=low.device)
    return (1 - (place[..., None] - index).abs() / reach).clamp(min=0) / reach
