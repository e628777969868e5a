"""Helpers of backbones whose places look at each other: patches, blocks of attention, readers and writers of them."""

from itertools import chain
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.backbones.base import State
from isthmus.backbones.grids import Grid, Shape

# Hidden units of a block for each channel, as everywhere.
EXPANSION = 4


def to_patches(x: Tensor, patch: int) -> Tensor:
    """Values (n, channels, *sizes) to patches (n, places, channels * patch ** axes); what lies beyond is 0."""
    n_axes = x.ndim - 2
    x = nn.functional.pad(x, list(chain.from_iterable((0, -size % patch) for size in x.shape[:1:-1])))
    for axis in range(n_axes):
        x = x.unflatten(2 + 2 * axis, (-1, patch))
    places, within = range(2, 2 + 2 * n_axes, 2), range(3, 3 + 2 * n_axes, 2)
    return x.permute(0, *places, 1, *within).flatten(1, n_axes).flatten(2)


def from_patches(x: Tensor, patch: int, sizes: Shape) -> Tensor:
    """Undo ``to_patches``: patches to values (n, channels, *sizes)."""
    n_axes = len(sizes)
    x = x.unflatten(2, (-1, *[patch] * n_axes)).unflatten(1, n_patches(sizes, patch))
    beside = chain.from_iterable((1 + axis, 2 + n_axes + axis) for axis in range(n_axes))
    x = x.permute(0, 1 + n_axes, *beside)
    for axis in range(n_axes):
        x = x.flatten(2 + axis, 3 + axis)
    within: Any = (..., *map(slice, sizes))
    return x[within]


def n_patches(sizes: Shape, patch: int) -> Shape:
    """Count the patches along each axis."""
    return tuple(-(-size // patch) for size in sizes)


class AttentionBlock(nn.Module):
    """Attention among places, then a net at each place, both added to what was there and normalised before."""

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        hidden = EXPANSION * width
        self.feed_forward = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, mask: Tensor | None = None, causal: bool = False, past: State = ()
    ) -> tuple[Tensor, State]:
        """Places (n, places, width) to the same, and what later places look at: keys and values of all so far."""
        looks = self.qkv(self.first(x)).unflatten(-1, (3 * self.n_heads, -1)).transpose(1, 2)
        query, *seen = looks.chunk(3, 1)
        keys, values = (torch.cat(pair, 2) for pair in zip(past, seen, strict=True)) if past else seen
        found = nn.functional.scaled_dot_product_attention(query, keys, values, mask, is_causal=causal and not past)
        x = x + self.dropout(self.projection(found.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.feed_forward(self.second(x))), (keys, values)


class AttentionStack(nn.Module):
    """Blocks on top of each other over places that know where they are."""

    def __init__(self, n_positions: int, width: int, n_layers: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(n_positions, width))
        self.blocks = nn.ModuleList(AttentionBlock(width, n_heads, dropout) for _ in range(n_layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Places (n, places, width) to the same."""
        x = x + self.positions
        for block in self.blocks:
            x = block(x, mask)[0]
        return self.norm(x)


class CausalAttentionStack(AttentionStack):
    """Places that look at none after them, and can go on from where they stopped."""

    def forward(self, x: Tensor, state: State = ()) -> tuple[Tensor, State]:  # type: ignore[override]
        """Places (n, places, width) to the same, and what is needed to go on: keys and values of each block."""
        start = state[0].shape[2] if state else 0
        x, seen = x + self.positions[start : start + x.shape[1]], []
        for i, block in enumerate(self.blocks):
            x, known = block(x, causal=True, past=state[2 * i : 2 * i + 2])
            seen += known
        return self.norm(x), tuple(seen)


class PatchEncoder(nn.Module):
    """Reads patches of values (n, channels, *sizes): (n, places, width), 0 where nothing is known.

    Where values are missing, the last ``n_flags`` channels say so.
    """

    def __init__(self, net: AttentionStack, grid: Grid, patch: int, n_flags: int) -> None:
        super().__init__()
        self.net, self.patch, self.n_flags = net, patch, n_flags
        self.embed = nn.Linear(grid.channels_in * patch ** len(grid.sizes), net.positions.shape[1])

    def forward(self, x: Tensor) -> Tensor:
        """Values to what each place makes of all."""
        places = self.embed(to_patches(x, self.patch))
        if not self.n_flags:
            return self.net(places)
        known = (to_patches(1 - x[:, -self.n_flags :], self.patch) > 0).any(-1)
        seen = known | ~known.any(1, keepdim=True)  # something must be looked at
        return self.net(places, seen[:, None, None]) * known[..., None]


class PatchDecoder(nn.Module):
    """Writes patches: places (n, places, width) to values (n, channels, *sizes)."""

    def __init__(self, net: AttentionStack, grid: Grid, patch: int) -> None:
        super().__init__()
        self.net, self.patch, self.sizes = net, patch, grid.sizes
        self.head = nn.Linear(net.positions.shape[1], grid.channels_out * patch ** len(grid.sizes))

    def forward(self, x: Tensor) -> Tensor:
        """Places to values."""
        return from_patches(self.head(self.net(x)), self.patch, self.sizes)


def n_positions(grid: Grid, patch: int) -> int:
    """Count the patches of a sample."""
    return prod(n_patches(grid.sizes, patch))
