"""Modules for samples on a grid: series, images, volumes."""

from collections.abc import Callable, Iterator
from math import gcd, prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from isthmus.part import Part

Shape = tuple[int, ...]

# Largest number of groups in group normalization. Wu and He, 2018, use 32 for more channels.
N_GROUPS = 8
NORMS: dict[str | None, Callable[[int], list[nn.Module]]] = {
    None: lambda width: [],
    "layer": lambda width: [nn.GroupNorm(1, width)],
    # At least two channels per group, because one channel at one position would always be normalized to 0.
    "group": lambda width: [nn.GroupNorm(gcd(N_GROUPS, width, width // 2), width)],
}
# Memory format in which convolutions over this number of axes are fastest: the channels of a position are adjacent.
LAYOUTS = {2: torch.channels_last, 3: torch.channels_last_3d}


class Grid(NamedTuple):
    """Channels of the encoded sample and of the decoder's output, and the sizes of the axes that both share."""

    channels_in: int
    channels_out: int
    sizes: Shape

    @classmethod
    def from_shapes(cls, part: Part, input_shape: Shape, parameter_shape: Shape, max_axes: int) -> "Grid":
        """Return the grid of the shapes that a backbone is built for.

        Samples of shape (d,) have one channel. Flags of missing values are channels after those of the values.

        Raises
        ------
        ValueError
            If the values of a sample are not on a grid of at most ``max_axes`` axes.
        """
        shape = parameter_shape[1:]
        channels, sizes = (1, shape) if len(shape) < 2 else (shape[0], shape[1:])
        channels_in, rest = divmod(prod(input_shape), max(1, prod(sizes)))
        if not 1 <= len(sizes) <= max_axes or rest:
            expected = ["(channels, time)", "(channels, height, width)", "(channels, depth, height, width)"][:max_axes]
            raise ValueError(
                f"{part.role} {type(part).__name__} needs samples of shape {', '.join(expected)}, or (time,) for one "
                f"channel, with numeric values; got encoded input {input_shape} and output {parameter_shape}"
            )
        return cls(channels_in, parameter_shape[0] * channels, sizes)


class Stage(nn.Sequential):
    """Layers whose weights are applied at ``n_positions`` positions of each row."""

    def __init__(self, n_positions: int, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.n_positions = n_positions


def weight_uses(module: nn.Module, times: int = 1) -> Iterator[tuple[Tensor, int]]:
    """Yield all weights and how often each is used for one row: once, or once per position in a ``Stage``."""
    times = module.n_positions if isinstance(module, Stage) else times
    yield from ((weight, times) for weight in module.parameters(recurse=False))
    for child in module.children():
        yield from weight_uses(child, times)


class Reshape(nn.Module):
    """Changes the shape of each row, in the memory format that is fastest for convolutions."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """Map values (n, ...) to (n, *shape)."""
        # Not len(x), which tracing for export would turn into a constant.
        n, (channels, *sizes) = x.shape[0], self.shape
        layout = LAYOUTS.get(len(sizes))
        if layout is not None and channels == 1:
            # One channel has both memory formats at once. Convolutions choose by the strides, so these are set here.
            return x.reshape(n, *sizes, 1).movedim(-1, 1)
        x = x.reshape(n, *self.shape)
        return x if layout is None else x.contiguous(memory_format=layout)


class OneChannelConvTranspose(nn.ConvTranspose2d):
    """A transposed convolution to one channel, as a matrix product and a sum of overlapping patches.

    The results are the same, in half the time on CPUs, where convolutions are optimized for many channels.
    """

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map values (n, channels, height, width) to (n, 1, height, width)."""
        patches = self.weight.flatten(1).t() @ x.flatten(2)
        padding: Any = self.padding
        settings = zip(x.shape[2:], self.stride, padding, self.kernel_size, self.output_padding, strict=True)
        sizes = tuple((size - 1) * stride - 2 * pad + kernel + extra for size, stride, pad, kernel, extra in settings)
        image = nn.functional.fold(patches, sizes, self.kernel_size, 1, padding, self.stride)
        return image if self.bias is None else image + self.bias[:, None, None]


class Residual(nn.Module):
    """Adds the output of layers to their input (He, Zhang, Ren and Sun, CVPR 2016)."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map values to values of the same shape."""
        return x + self.layers(x)
