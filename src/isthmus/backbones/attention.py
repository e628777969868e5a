"""Modules of transformers: patches, attention blocks, and the encoder and decoder of patches."""

from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.backbones.base import State
from isthmus.backbones.grids import Grid, Shape

# Hidden units per channel of the feed-forward net, as in Vaswani et al., 2017.
EXPANSION = 4


def to_patches(x: Tensor, patch: int) -> Tensor:
    """Split values (n, channels, *sizes) into patches (n, positions, channels * patch ** axes), padded with zeros."""
    n_axes = x.ndim - 2
    x = nn.functional.pad(x, list(chain.from_iterable((0, -size % patch) for size in x.shape[:1:-1])))
    for axis in range(n_axes):
        x = x.unflatten(2 + 2 * axis, (-1, patch))
    positions, within = range(2, 2 + 2 * n_axes, 2), range(3, 3 + 2 * n_axes, 2)
    return x.permute(0, *positions, 1, *within).flatten(1, n_axes).flatten(2)


def from_patches(x: Tensor, patch: int, sizes: Shape) -> Tensor:
    """Join patches to values (n, channels, *sizes): the inverse of ``to_patches``."""
    n_axes = len(sizes)
    x = x.unflatten(2, (-1, *[patch] * n_axes)).unflatten(1, n_patches(sizes, patch))
    interleaved = chain.from_iterable((1 + axis, 2 + n_axes + axis) for axis in range(n_axes))
    x = x.permute(0, 1 + n_axes, *interleaved)
    for axis in range(n_axes):
        x = x.flatten(2 + axis, 3 + axis)
    within: Any = (..., *map(slice, sizes))
    return x[within]


def n_patches(sizes: Shape, patch: int) -> Shape:
    """Return the number of patches along each axis."""
    return tuple(-(-size // patch) for size in sizes)


class AttentionBlock(nn.Module):
    """Self-attention and a feed-forward net, each after layer normalization and with a residual connection."""

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        hidden = EXPANSION * width
        self.feed_forward = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, mask: Tensor | None = None, causal: bool = False, past: State = ()
    ) -> tuple[Tensor, State]:
        """Map positions (n, positions, width) to the same shape; also return keys and values of all positions."""
        qkv = self.qkv(self.attention_norm(x)).unflatten(-1, (3 * self.n_heads, -1)).transpose(1, 2)
        query, *new = qkv.chunk(3, 1)
        keys, values = (torch.cat(pair, 2) for pair in zip(past, new, strict=True)) if past else new
        attended = nn.functional.scaled_dot_product_attention(query, keys, values, mask, is_causal=causal and not past)
        x = x + self.dropout(self.projection(attended.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x))), (keys, values)


class AttentionStack(nn.Module):
    """Attention blocks over positions with learned position embeddings."""

    def __init__(self, n_positions: int, width: int, n_layers: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(n_positions, width))
        self.blocks = nn.ModuleList(AttentionBlock(width, n_heads, dropout) for _ in range(n_layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map positions (n, positions, width) to the same shape."""
        x = x + self.positions
        for block in self.blocks:
            x = block(x, mask)[0]
        return self.norm(x)


class CausalAttentionStack(AttentionStack):
    """Attention to earlier positions only, which can continue from a state."""

    def forward(self, x: Tensor, state: State = ()) -> tuple[Tensor, State]:  # type: ignore[override]
        """Map positions (n, positions, width) to the same shape; also return the state, all keys and values."""
        start = state[0].shape[2] if state else 0
        x, new_state = x + self.positions[start : start + x.shape[1]], []
        for i, block in enumerate(self.blocks):
            x, keys_and_values = block(x, causal=True, past=state[2 * i : 2 * i + 2])
            new_state += keys_and_values
        return self.norm(x), tuple(new_state)


class PatchEncoder(nn.Module):
    """Encodes patches of values (n, channels, *sizes) to (n, positions, width); 0 if all values of a patch are missing.

    The last ``n_flags`` channels mark missing values.
    """

    def __init__(self, net: AttentionStack, grid: Grid, patch: int, n_flags: int) -> None:
        super().__init__()
        self.net, self.patch, self.n_flags = net, patch, n_flags
        self.embed = nn.Linear(grid.channels_in * patch ** len(grid.sizes), net.positions.shape[1])

    def forward(self, x: Tensor) -> Tensor:
        """Map values to features of each patch."""
        patches = self.embed(to_patches(x, self.patch))
        if not self.n_flags:
            return self.net(patches)
        known = (to_patches(1 - x[:, -self.n_flags :], self.patch) > 0).any(-1)
        visible = known | ~known.any(1, keepdim=True)  # without any visible position, softmax would be NaN
        return self.net(patches, visible[:, None, None]) * known[..., None]


class PatchDecoder(nn.Module):
    """Decodes features (n, positions, width) of patches to values (n, channels, *sizes)."""

    def __init__(self, net: AttentionStack, grid: Grid, patch: int) -> None:
        super().__init__()
        self.net, self.patch, self.sizes = net, patch, grid.sizes
        self.head = nn.Linear(net.positions.shape[1], grid.channels_out * patch ** len(grid.sizes))

    def forward(self, x: Tensor) -> Tensor:
        """Map features to values."""
        return from_patches(self.head(self.net(x)), self.patch, self.sizes)
