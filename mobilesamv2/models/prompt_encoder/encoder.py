"""Turns points, boxes and masks into tokens, as SAM's prompt encoder does (arXiv 2304.02643, appendix A)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import LayerNorm2d
from ..nano.drawn_prompts import draw_boxes, draw_points, grown
from ..nano.similarity import Similarity
from ..nano.windows import box_windows, pasted, point_windows
from .dense_prompts import DensePrompts, on_patches
from .position_encoding import PositionEncoding


@dataclass(frozen=True)
class PromptEncoderConfig:
    """Sizes of a prompt encoder. The defaults are SAM's.

    Args:
        width: channels of every token and of the image embedding.
        input_side: side of the model's square input in pixels.
        stride: input pixels per embedding pixel.
        mask_channels: channels inside the mask prompt's convolutions.
        dense_prompts: also draw every box and point into the mask prompt. Published checkpoints were trained without.
            A Fourier code tells an image position where a corner is only within about 8 % of the picture, so a
            network learns "inside the box" many times faster when it is told.
        likeness_channels: with `dense_prompts`, channels in which pixels are compared for a first guess at each mask
            (`Similarity`); 0: no guess.
        window_detail: with `likeness_channels`, channels of the fine features that guesses in windows are made from
            (`RoiMaskHead`); 0: no such guess.
    """

    width: int = 256
    input_side: int = 1024
    stride: int = 16
    mask_channels: int = 16
    dense_prompts: bool = False
    likeness_channels: int = 0
    window_detail: int = 0

    @property
    def embedding_side(self) -> int:
        """Side of the square image embedding."""
        return self.input_side // self.stride


@dataclass(frozen=True, eq=False)
class FirstGuess:
    """Guesses at the masks of N prompts, for the decoder to correct.

    Args:
        cells: logits (N, h, w) at the embedding's resolution, by likeness.
        masks: logits (N, G, 4h, 4w), by windows: one for a prompt with a box, three for points alone, of small,
            middling and large objects; None where the model makes none.
        drawn: the prompts that they are for, as `PromptEncoder.draw` drew them.
    """

    cells: Tensor
    masks: Tensor | None
    drawn: dict[str, Tensor]


class PromptEncoder(nn.Module):
    """Encode N prompts as sparse tokens and a dense map.

    Knows nothing of the original picture: coordinates are pixels of the model's square input.
    """

    def __init__(self, config: PromptEncoderConfig) -> None:
        super().__init__()
        self.config = config
        width, inner = config.width, config.mask_channels
        self.pe_layer = PositionEncoding(width)
        # background point, foreground point, top left corner, bottom right corner
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, width) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, width)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, inner // 4, kernel_size=2, stride=2),
            LayerNorm2d(inner // 4),
            nn.GELU(),
            nn.Conv2d(inner // 4, inner, kernel_size=2, stride=2),
            LayerNorm2d(inner),
            nn.GELU(),
            nn.Conv2d(inner, width, kernel_size=1),
        )
        self.no_mask_embed = nn.Embedding(1, width)
        self.likeness = (
            Similarity(width=width, channels=config.likeness_channels) if config.likeness_channels else None
        )
        self.windows: nn.Module | None = None
        # how a guess in the window of a box, and those in the windows of a point, are shown to the decoder
        self.guess_embed = nn.Embedding(4, width) if config.window_detail else None

    def position_grid(self, height: int, width: int) -> Tensor:
        """Position code of an embedding of that size, (1, channels, height, width)."""
        return self.pe_layer.grid(height, width)

    def forward(
        self,
        *,
        embedding_hw: tuple[int, int],
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes_xyxy: Tensor | None = None,
        masks: Tensor | None = None,
        guess: FirstGuess | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Encode N prompts of one kind.

        Args:
            embedding_hw: height and width of the image embedding.
            points: (N, P, 2) in input pixels, or None.
            labels: (N, P), 1 foreground, 0 background, -1 padding; comes with `points`.
            boxes_xyxy: (N, 4) in input pixels, or None.
            masks: (N, 1, 4h, 4w) low-resolution logits, or None.
            guess: first guesses at the prompts' masks (`first_guess`), or None.

        Returns:
            Sparse tokens (N, T, width), points before corners, and a dense map (N or 1, width, h, w): one map
            for all prompts where none of them has a mask.
        """
        sparse, dense = self.encode(
            embedding_hw=embedding_hw,
            points=points,
            labels=labels,
            boxes_xyxy=boxes_xyxy,
            masks=masks,
            guess=guess,
        )
        return sparse, dense.written_out(embedding_hw)

    def encode(
        self,
        *,
        embedding_hw: tuple[int, int],
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes_xyxy: Tensor | None = None,
        masks: Tensor | None = None,
        guess: FirstGuess | None = None,
    ) -> tuple[Tensor, DensePrompts]:
        """As `forward`, without writing the dense prompts out."""
        # Coordinates may come in float64 and stay so until they are divided, as in SAM's mask generator.
        input_size = torch.tensor(
            [embedding_hw[1] * self.config.stride, embedding_hw[0] * self.config.stride],
            device=self.no_mask_embed.weight.device,
        )
        tokens = []
        if points is not None and labels is not None:
            padded, padded_labels = points, labels
            if (
                boxes_xyxy is None
            ):  # a point that is none, so that points alone have as many tokens as with a box
                padded = torch.cat([points, points.new_zeros(len(points), 1, 2)], dim=1)
                padded_labels = torch.cat([labels, -labels.new_ones(len(labels), 1)], dim=1)
            tokens.append(self._embed_points((padded + 0.5) / input_size, padded_labels))
        if boxes_xyxy is not None:
            corners = self.pe_layer((boxes_xyxy.reshape(-1, 2, 2) + 0.5) / input_size)
            tokens.append(corners + torch.stack([self._point_weight(2)[0], self._point_weight(3)[0]]))
        count = len(tokens[0]) if tokens else (1 if masks is None else len(masks))
        weight = self.no_mask_embed.weight
        sparse = torch.cat(tokens, dim=1) if tokens else weight.new_zeros(count, 0, self.config.width)

        if masks is None and self.config.dense_prompts and tokens:
            drawn = (
                self.draw(embedding_hw, points=points, labels=labels, boxes_xyxy=boxes_xyxy)
                if guess is None
                else guess.drawn
            )
            masks = torch.stack(list(drawn.values())).sum(0)[:, None]
        return sparse, self._dense(masks, guess)

    def dense_basis(self, *, masked: bool) -> tuple[Tensor, Tensor]:
        """What dense prompts are mixed from, for prompts with a mask or without: see `DensePrompts`.

        Returns:
            The constant (width,) and the vectors (D, width). Models that draw every prompt have masks always.
        """
        last = cast(nn.Conv2d, self.mask_downscaling[-1])
        if not masked and not self.config.dense_prompts:
            weight = self.no_mask_embed.weight
            return weight[0], weight[:0]
        vectors = [last.weight[:, :, 0, 0].T]
        if self.likeness is not None:
            vectors.append(self.likeness.embed.weight)
        if self.guess_embed is not None:
            vectors.append(self.guess_embed.weight)
        assert last.bias is not None
        return last.bias, torch.cat(vectors)

    def _dense(self, masks: Tensor | None, guess: FirstGuess | None) -> DensePrompts:
        """Dense prompts of masks (N, 1, 4h, 4w), given or drawn, and of first guesses."""
        if masks is None:
            weight = self.no_mask_embed.weight
            return DensePrompts(constant=weight[0], vectors=weight[:0], shares=None)
        constant, vectors = self.dense_basis(masked=True)
        x = masks.to(vectors.dtype)
        for layer in list(self.mask_downscaling)[:-1]:
            x = on_patches(x, layer) if isinstance(layer, nn.Conv2d) else layer(x)
        shares = x.new_zeros(len(x), len(vectors), *x.shape[2:])
        shares[:, : x.shape[1]] = x
        if guess is not None:
            shares[:, x.shape[1]] = guess.cells.tanh()
            if guess.masks is not None:  # one for a prompt with a box; three for points, told apart
                seen = F.avg_pool2d(guess.masks, 4).tanh()  # (N, G, h, w)
                start = x.shape[1] + (1 if seen.shape[1] == 1 else 2)
                shares[:, start : start + seen.shape[1]] = seen
        return DensePrompts(constant=constant, vectors=vectors, shares=shares)

    def compare(self, image: Tensor) -> Tensor | None:
        """What guesses on an image embedding (B, width, h, w) need, once per picture; None where none are made."""
        return None if self.likeness is None else self.likeness.kernel(image)

    def first_guess(
        self,
        kernel: Tensor,
        detail: Tensor | None,
        *,
        embedding_hw: tuple[int, int],
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes_xyxy: Tensor | None = None,
    ) -> FirstGuess:
        """Guess the masks of N prompts.

        Args:
            kernel: (B, h * w, h * w / 4), how alike the pixels of B pictures are (`compare`).
            detail: (B, C, H, W), their fine features, or None.
            embedding_hw: h and w.
            points, labels, boxes_xyxy: as for `forward`, N / B prompts on each picture in turn.
        """
        drawn = self.draw(embedding_hw, points=points, labels=labels, boxes_xyxy=boxes_xyxy)
        cells = self.guess_cells(kernel, **drawn)
        if self.windows is None or detail is None:
            return FirstGuess(cells=cells, masks=None, drawn=drawn)
        windows, kinds = self.place_windows(embedding_hw, points=points, labels=labels, boxes_xyxy=boxes_xyxy)
        count, each = windows.shape[:2]
        guess = self.guess_windows(
            detail,
            windows.flatten(0, 1),
            kinds.flatten(),
            cells=cells.repeat_interleave(each, 0),
            points=None if points is None else points.repeat_interleave(each, 0),
            labels=None if labels is None else labels.repeat_interleave(each, 0),
            boxes=boxes_xyxy is not None,
        )
        size_hw = (4 * embedding_hw[0], 4 * embedding_hw[1])
        masks = pasted(
            guess, windows.flatten(0, 1), size_hw=size_hw, stride=self.config.stride / 4, outside=-3.0
        )
        return FirstGuess(cells=cells, masks=masks.view(count, each, *size_hw), drawn=drawn)

    def place_windows(
        self,
        embedding_hw: tuple[int, int],
        *,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes_xyxy: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Windows (N, G, 4) of N prompts in input pixels, and their kinds (N, G)."""
        if boxes_xyxy is not None:
            windows = box_windows(boxes_xyxy.float())[:, None]
            return windows, windows.new_zeros(len(windows), 1, dtype=torch.long)
        assert points is not None  # no other kind of prompt is drawn
        assert labels is not None
        side = float(max(embedding_hw) * self.config.stride)
        windows = point_windows(points.float(), labels, side=side)
        return windows, torch.arange(1, 4, device=windows.device).expand(len(windows), -1)

    def guess_windows(
        self,
        detail: Tensor,
        windows: Tensor,
        kinds: Tensor,
        *,
        cells: Tensor,
        points: Tensor | None,
        labels: Tensor | None,
        boxes: bool,
    ) -> Tensor:
        """Logits over windows (N, 4) of those kinds (N,), as `RoiMaskHead` makes them."""
        assert self.windows is not None  # only called where there is one
        side = float(max(cells.shape[-2:]) * self.config.stride)
        return torch.as_tensor(
            self.windows(
                detail,
                windows=windows,
                kind=kinds,
                alike=cells,
                side=side,
                boxes=boxes,
                points=None if points is None else points.float(),
                labels=labels,
            )
        )

    def guess_cells(
        self, kernel: Tensor, *, boxes: Tensor | None = None, points: Tensor | None = None
    ) -> Tensor:
        """Logits (N, h, w) of a first guess, by likeness, at the masks of prompts that `draw` drew."""
        assert self.likeness is not None  # only called where there is one
        inside: Tensor | float = 0.0
        outside: Tensor | float = 0.0
        if boxes is not None:
            cells = F.avg_pool2d(boxes[:, None], 4)[:, 0]  # (N, h, w), -1 outside
            inside = ((cells + 1) / 2) ** 2
            # What surrounds a box: cells outside it, nearer than about two fifths of its sides.
            outside = grown(cells > -1) * (-cells).clamp(min=0)
        if points is not None:
            cells = F.avg_pool2d(points[:, None], 4)[:, 0]
            inside = inside + (2 * cells - 1).clamp(min=0)
            outside = outside + (-2 * cells - 1).clamp(min=0)
            if boxes is None:  # around a point nothing is known: it is told from the whole picture
                inside, outside = inside + 1e-3 * cells.clamp(min=0), outside + 1e-3
        return torch.as_tensor(self.likeness(kernel, inside=inside, outside=outside))

    def _point_weight(self, index: int) -> Tensor:
        return cast(nn.Embedding, self.point_embeddings[index]).weight  # (1, width)

    def _embed_points(self, xy: Tensor, labels: Tensor) -> Tensor:
        code = self.pe_layer(xy)
        background, foreground = self._point_weight(0), self._point_weight(1)
        kind = labels[..., None]
        code = torch.where(kind == -1, self.not_a_point_embed.weight, code)
        code = torch.where(kind == 0, code + background, code)
        return torch.where(kind == 1, code + foreground, code)

    def draw(
        self,
        embedding_hw: tuple[int, int],
        *,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes_xyxy: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Draw the prompts there are at mask resolution: "boxes" and "points", (N, 4h, 4w) each."""
        size_hw = (4 * embedding_hw[0], 4 * embedding_hw[1])
        scale = 4 / self.config.stride  # mask pixels per input pixel
        drawn = {}
        if boxes_xyxy is not None:
            drawn["boxes"] = draw_boxes(boxes_xyxy.float() * scale, size_hw)
        if points is not None and labels is not None:
            drawn["points"] = draw_points((points.float() + 0.5) * scale, labels, size_hw)
        return drawn
