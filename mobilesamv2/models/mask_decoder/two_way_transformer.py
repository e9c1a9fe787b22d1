"""The transformer of SAM's mask decoder: prompt tokens and image tokens attend to each other in turns.

Image tokens may come with a batch of one that all prompts share; they stay shared until the first block writes
into them, so that an embedding is never copied per prompt.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Multi-head attention whose inner width may be smaller than the tokens'."""

    def __init__(self, *, width: int, heads: int, downsample: int = 1) -> None:
        super().__init__()
        inner = width // downsample
        if inner % heads:
            raise ValueError(f"The inner width {inner} must be a multiple of the {heads} heads.")
        self.heads = heads
        self.q_proj = nn.Linear(width, inner)
        self.k_proj = nn.Linear(width, inner)
        self.v_proj = nn.Linear(width, inner)
        self.out_proj = nn.Linear(inner, width)

    def forward(self, *, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend from (N or 1, Q, width) to (N or 1, K, width); a batch of one is shared, not copied."""
        q, k, v = (
            self.split(self.q_proj(query)),
            self.split(self.k_proj(key)),
            self.split(self.v_proj(value)),
        )
        batch = max(q.shape[0], k.shape[0])
        q, k, v = (part.expand(batch, -1, -1, -1) for part in (q, k, v))
        out = F.scaled_dot_product_attention(q, k, v)  # (N, heads, Q, inner / heads)
        return torch.as_tensor(self.out_proj(out.transpose(1, 2).flatten(2)))

    def few_to_many(self, *, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """As `forward`, for few queries (N, Q, width) and many keys (N or 1, K, width).

        Projecting thousands of keys and values costs more than everything else. A score is (query · W) times the
        unprojected key, a context is (attention times the unprojected values) · W, so the weights are applied to the
        few instead. The key's bias adds the same to all scores of a query and cancels in the softmax.
        """
        q = self.scaled(self.q_proj(query))  # (N, heads, Q, inner / heads)
        weights = _product(self.folded(q, self.k_proj), key.transpose(1, 2)).softmax(-1)  # (N, heads * Q, K)
        context = _product(weights, value).view(*q.shape[:3], value.shape[2])  # (N, heads, Q, width)
        return self.projected(context @ self._by_head(self.v_proj.weight).transpose(1, 2))

    def many_to_few(self, *, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """As `forward`, for many queries (N or 1, Q, width) and few keys (N, K, width), folded likewise."""
        k, v = self.scaled(self.k_proj(key)), self.split(self.v_proj(value))  # (N, heads, K, inner / heads)
        bias = (k * self.q_proj.bias.view(1, self.heads, 1, -1)).sum(-1)  # (N, heads, K)
        scores = _product(self.folded(k, self.q_proj), query.transpose(1, 2))
        scores = scores.view(*k.shape[:3], query.shape[1]) + bias[..., None]
        weights = scores.softmax(2).flatten(1, 2)  # (N, heads * K, Q): long axis contiguous
        return torch.as_tensor(weights.transpose(1, 2) @ self.answers(v) + self.out_proj.bias)

    def scaled(self, projected: Tensor) -> Tensor:
        """Projected tokens (N, S, inner) by head, with the scale of attention scores."""
        few = self.split(projected)
        return torch.as_tensor(few * few.shape[-1] ** -0.5)

    def folded(self, few: Tensor, layer: nn.Linear) -> Tensor:
        """Projected tokens (N, heads, S, d) times the weights of a layer for the many: (N, heads * S, width).

        Its product with unprojected tokens of the many are scores, but for the bias of `layer`.
        """
        return torch.as_tensor((few @ self._by_head(layer.weight)).flatten(1, 2))

    def answers(self, values: Tensor) -> Tensor:
        """Values (N, heads, S, d) times the output weights of their head: (N, heads * S, width), to be weighed."""
        return torch.as_tensor((values @ self._by_head(self.out_proj.weight.T)).flatten(1, 2))

    def projected(self, context: Tensor) -> Tensor:
        """Output (N, Q, width) of weighed values (N, heads, Q, d) without their bias, as weights sum to 1."""
        return torch.as_tensor(self.out_proj(context.transpose(1, 2).flatten(2) + self.v_proj.bias))

    def _by_head(self, weight: Tensor) -> Tensor:
        return weight.reshape(self.heads, -1, weight.shape[1])  # (heads, inner / heads, width)

    def split(self, x: Tensor) -> Tensor:
        """(..., S, inner) to (..., heads, S, inner / heads)."""
        return x.reshape(*x.shape[:-1], self.heads, x.shape[-1] // self.heads).transpose(-2, -3)


def _product(rows: Tensor, shared: Tensor) -> Tensor:
    """(N, R, A) times (N or 1, A, B), one large product where the second is shared."""
    if shared.shape[0] == 1:
        return rows @ shared[0]
    return rows @ shared


class FeedForward(nn.Module):
    """Two linear layers with ReLU between them."""

    def __init__(self, *, width: int, hidden_width: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden_width)
        self.lin2 = nn.Linear(hidden_width, width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.lin2(F.relu(self.lin1(x))))


class TwoWayBlock(nn.Module):
    """Self-attention of the tokens, tokens to image, feed-forward, image to tokens; a norm after each."""

    def __init__(self, *, width: int, heads: int, hidden_width: int, attention_downsample: int, is_first: bool) -> None:
        super().__init__()
        self.self_attn = Attention(width=width, heads=heads)
        self.norm1 = nn.LayerNorm(width)
        self.cross_attn_token_to_image = Attention(width=width, heads=heads, downsample=attention_downsample)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width=width, hidden_width=hidden_width)
        self.norm3 = nn.LayerNorm(width)
        self.norm4 = nn.LayerNorm(width)
        self.cross_attn_image_to_token = Attention(width=width, heads=heads, downsample=attention_downsample)
        self.is_first = is_first

    def forward(
        self, *, tokens: Tensor, image: Tensor, token_code: Tensor, image_code: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Update tokens (N, T, width) and image (N or 1, K, width); the codes are added to queries and keys."""
        tokens = self.attend_to_tokens(tokens, token_code)
        image_placed = image + image_code
        tokens = tokens + self.cross_attn_token_to_image.few_to_many(
            query=tokens + token_code, key=image_placed, value=image
        )
        tokens = self.norm2(tokens)
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = image + self.cross_attn_image_to_token.many_to_few(
            query=image_placed, key=tokens + token_code, value=tokens
        )
        return tokens, self.norm4(image)

    def attend_to_tokens(self, tokens: Tensor, token_code: Tensor) -> Tensor:
        """The first part of `forward`: tokens (N, T, width) look at each other."""
        if self.is_first:  # the first block has no positions yet, and no residual to keep
            tokens = self.self_attn(query=tokens, key=tokens, value=tokens)
        else:
            placed = tokens + token_code
            tokens = tokens + self.self_attn(query=placed, key=placed, value=tokens)
        return torch.as_tensor(self.norm1(tokens))


class TwoWayTransformer(nn.Module):
    """`depth` two-way blocks and a last look of the tokens at the image."""

    def __init__(
        self, *, width: int, heads: int, hidden_width: int, depth: int = 2, attention_downsample: int = 2
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayBlock(
                width=width,
                heads=heads,
                hidden_width=hidden_width,
                attention_downsample=attention_downsample,
                is_first=index == 0,
            )
            for index in range(depth)
        )
        self.final_attn_token_to_image = Attention(width=width, heads=heads, downsample=attention_downsample)
        self.norm_final_attn = nn.LayerNorm(width)

    def forward(self, *, image: Tensor, image_code: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Let N sets of tokens and the image look at each other.

        Args:
            image: (N or 1, K, width), the image tokens.
            image_code: (1, K, width), their position code.
            tokens: (N, T, width), output tokens and prompt tokens.

        Returns:
            Tokens (N, T, width) and image (N, K, width).
        """
        token_code = tokens  # the tokens themselves serve as their position code
        for layer in self.layers:
            tokens, image = layer(tokens=tokens, image=image, token_code=token_code, image_code=image_code)
        attended = self.final_attn_token_to_image.few_to_many(
            query=tokens + token_code, key=image + image_code, value=image
        )
        return self.norm_final_attn(tokens + attended), image
