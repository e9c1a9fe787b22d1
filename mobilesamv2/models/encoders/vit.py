"""Segment Anything's image encoder: a plain ViT that looks inside windows, and everywhere in a few blocks.

Written from the descriptions in "Segment Anything" (arXiv 2304.02643, appendix A), "Exploring Plain Vision
Transformer Backbones for Object Detection" (arXiv 2203.16527) and, for the relative positions, "MViTv2" (arXiv
2112.01526), and from the shapes of the published state dicts, whose keys it has. For inference: nothing is dropped
out. It knows nothing of pictures, prompts or checkpoint files.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import LayerNorm2d, in_windows

ROWS_AT_ONCE = 16
"""Rows of queries that attend together. Their position biases, one number per head, query and key, are the largest
thing in memory: over a whole picture of 64 x 64 patches they would be 0.8 GB for ViT-B, in float32."""


@dataclass(frozen=True)
class VitConfig:
    """Sizes of SAM's ViT. The defaults are ViT-B's.

    Args:
        width: channels of every block.
        depth: number of blocks.
        heads: attention heads of every block; divides `width`.
        global_blocks: the blocks that attend over the whole picture; the others do inside windows.
        window: side of the attention windows, in patches.
        mlp_ratio: how much wider the hidden layer of a block's MLP is than its ends.
        patch_side: side of a patch in pixels, which is the stride of the embedding.
        input_side: side of the square input in pixels. The position tables are made for it and for nothing else.
        out_width: channels of the embedding.
    """

    width: int = 768
    depth: int = 12
    heads: int = 12
    global_blocks: tuple[int, ...] = (2, 5, 8, 11)
    window: int = 14
    mlp_ratio: float = 4.0
    patch_side: int = 16
    input_side: int = 1024
    out_width: int = 256

    @property
    def embedding_side(self) -> int:
        """Side of the square embedding."""
        return self.input_side // self.patch_side


class Vit(nn.Module):
    """Patches, blocks of one width, then a neck to the width of SAM's embedding.

    Args:
        config: the sizes.
    """

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.config = config
        side = config.embedding_side
        self.patch_embed = PatchEmbed(config.width, side=config.patch_side)
        self.pos_embed = nn.Parameter(torch.zeros(1, side, side, config.width))
        self.blocks = nn.ModuleList(
            Block(
                config.width,
                heads=config.heads,
                grid_side=side,
                window=None if index in config.global_blocks else config.window,
                mlp_ratio=config.mlp_ratio,
            )
            for index in range(config.depth)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(config.width, config.out_width, 1, bias=False),
            LayerNorm2d(config.out_width),
            nn.Conv2d(config.out_width, config.out_width, 3, padding=1, bias=False),
            LayerNorm2d(config.out_width),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode normalised pictures.

        Args:
            pixels: (N, 3, S, S), S the input side of the configuration.

        Returns:
            The embedding (N, out_width, S / patch_side, S / patch_side).

        Raises:
            ValueError: if the pixels have another size.
        """
        side = self.config.input_side
        if pixels.shape[-2:] != (side, side):
            raise ValueError(
                f"This ViT takes {side} x {side} pixels, as its position tables do; got {tuple(pixels.shape[-2:])}."
            )
        x = self.patch_embed(pixels) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        features: Tensor = self.neck(x.permute(0, 3, 1, 2))
        return features


class PatchEmbed(nn.Module):
    """From pixels (N, 3, H, W) to one vector per patch (N, H / side, W / side, C)."""

    def __init__(self, width: int, *, side: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, side, stride=side)

    def forward(self, pixels: Tensor) -> Tensor:
        patches: Tensor = self.proj(pixels).permute(0, 2, 3, 1)
        return patches


class Block(nn.Module):
    """Attention, inside windows or everywhere, and an MLP, each after a norm and beside a shortcut.

    Args:
        width: channels.
        heads: attention heads.
        grid_side: side of the whole grid of patches.
        window: side of the windows; None: attend everywhere.
        mlp_ratio: how much wider the MLP is inside.
    """

    def __init__(self, width: int, *, heads: int, grid_side: int, window: int | None, mlp_ratio: float) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads=heads, side=grid_side if window is None else window)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width, hidden=int(width * mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        normalised = self.norm1(x)
        # Padded *after* the norm: as trained, cells outside the picture are keys that are the bias of `qkv`.
        attended = self.attn(normalised) if self.window is None else in_windows(normalised, self.window, self.attn)
        x = x + attended
        return torch.as_tensor(x + self.mlp(self.norm2(x)))


class Attention(nn.Module):
    """Multi-head self-attention on a square, told how far apart two cells are along each side.

    The bias of a query and a key is the query's product with one learned vector for their distance in rows plus
    its product with another one for their distance in columns.
    """

    def __init__(self, width: int, *, heads: int, side: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"The width must be a multiple of the heads; got {width} and {heads}.")
        self.heads = heads
        self.side = side
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, width // heads))

    def forward(self, x: Tensor) -> Tensor:
        """Let the cells of each square look at each other: (N, side, side, C) to the same shape."""
        count, side, _, width = x.shape
        qkv = self.qkv(x).view(count, side * side, 3, self.heads, width // self.heads)
        queries, keys, values = qkv.permute(2, 0, 3, 1, 4)  # each (N, heads, side², C / heads)
        queries = queries.unflatten(2, (side, side))  # (N, heads, side, side, C / heads)
        rows, columns = _by_distance(self.rel_pos_h), _by_distance(self.rel_pos_w)
        attended = torch.cat(
            [
                F.scaled_dot_product_attention(
                    band.flatten(2, 3), keys, values, attn_mask=_position_bias(band, band_rows, columns)
                )
                # Every query has a softmax of its own: bands of queries give what all at once give.
                for band, band_rows in zip(
                    torch.split(queries, ROWS_AT_ONCE, dim=2), torch.split(rows, ROWS_AT_ONCE), strict=True
                )
            ],
            dim=2,
        )
        projected: Tensor = self.proj(attended.transpose(1, 2).reshape(count, side, side, width))
        return projected


def _by_distance(table: Tensor) -> Tensor:
    """The vector of each pair of cells along one side: (2 * side - 1, D) by distance to (queries, keys, D)."""
    side = (len(table) + 1) // 2
    # The table begins with the distance 1 - side. Query q is q - 0 from key 0, down to q - (side - 1) from the last.
    return table.unfold(0, side, 1).transpose(1, 2).flip(1)


def _position_bias(queries: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The biases (N, heads, queries, keys) of some rows of queries (N, heads, Q, side, D), of all keys.

    `rows` are the vectors (Q, side, D) of these rows of queries and all rows of keys, `columns` (side, side, D).
    """
    along_rows = torch.einsum("nhyxd,ykd->nhyxk", queries, rows)
    along_columns = torch.einsum("nhyxd,xkd->nhyxk", queries, columns)
    bias = along_rows[..., :, None] + along_columns[..., None, :]  # (N, heads, Q, side, side, side)
    return bias.flatten(4).flatten(2, 3)


class Mlp(nn.Module):
    """Two layers on each cell."""

    def __init__(self, width: int, *, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        transformed: Tensor = self.lin2(F.gelu(self.lin1(x)))
        return transformed
