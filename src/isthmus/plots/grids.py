"""Grids of images or curves."""

from typing import Any, NamedTuple

import numpy as np

from isthmus.plots.samples import Samples
from isthmus.plots.style import PALETTE, Axes, new_axes

Values = np.ndarray[Any, Any]

# Size of a cell and largest width of a figure, in inches.
CELL, MAX_WIDTH = 0.75, 14.0
# Gap between curves as a share of a cell; images are separated by one pixel.
GAP = 0.2
# Largest number of values of a curve that are drawn with markers.
N_MARKED = 16


class Grid(NamedTuple):
    """Axes, and centres of the cells in data coordinates."""

    ax: "Axes"
    columns: list[float]
    rows: list[float]

    def name_columns(self, names: list[str]) -> None:
        """Label each column below the grid."""
        self.ax.set_xticks(self.columns[: len(names)], names)


def draw_grid(rows: dict[str, Samples], ax: "Axes | None", limits: tuple[float, float] | None = None) -> Grid:
    """Draw samples, one row of cells per name; the intensity limits of images default to the range of the first row."""
    first, values = next(iter(rows.values())), [samples.values for samples in rows.values()]
    if not first.are_images:
        return _draw_curves(list(rows), values, ax)
    limits = limits or (float(np.nanmin(first.values)), float(np.nanmax(first.values)))
    return draw_images(list(rows), values, limits, ax)


def draw_images(names: list[str], rows: list[Values], limits: tuple[float, float], ax: "Axes | None") -> Grid:
    """Draw rows of images; the upper limit is white."""
    height, width = rows[0].shape[1:3]
    n = max(map(len, rows))
    ax = new_axes(ax, *_figure_size(n, len(rows), CELL * min(max(width / height, 0.5), 3.0), CELL))
    low, high = limits
    high = high if high > low else low + 1
    shown = np.concatenate([join_images(row, n) for row in rows])
    if shown.ndim == 3:
        shown = _with_opacity((shown - low) / (high - low), has_opacity=rows[0].shape[-1] == 4)
    ax.imshow(shown, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    grid = Grid(ax, _middles(n, width), _middles(len(rows), height))
    _label(grid, names)
    return grid


def draw_signed(rows: dict[str, Values], name: str, signed: Values, ax: "Axes | None") -> Grid:
    """Draw rows of images, and below them numbers per pixel (n, height, width): red if positive, blue if negative."""
    first = next(iter(rows.values()))
    limits = float(np.nanmin(first)), float(np.nanmax(first))
    blank = np.full_like(first, np.nan, dtype=float)
    grid = draw_images([*rows, name], [*rows.values(), blank], limits, ax)
    shown, height = join_images(signed), first.shape[1] + 1
    largest, top, bottom = float(np.nanmax(np.abs(signed))) or 1.0, len(rows) * height - 0.5, grid.ax.get_ylim()[0]
    below = (-0.5, shown.shape[1] - 0.5, top + height, top)
    picture = grid.ax.imshow(shown, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest", extent=below)
    grid.ax.set_ylim(bottom, -0.5)
    grid.ax.figure.colorbar(picture, ax=grid.ax, fraction=0.03, pad=0.01)
    return grid


def join_images(images: Values, n: int | None = None) -> Values:
    """Join n images side by side, with a blank line below and to the right of each; missing ones are blank."""
    missing = 0 if n is None else n - len(images)
    blank = [(0, missing), (0, 1), (0, 1), *[(0, 0)] * (images.ndim - 3)]
    padded = np.pad(np.asarray(images, dtype=float), blank, constant_values=np.nan)
    return np.concatenate(list(padded), axis=1)


def _with_opacity(shown: Values, has_opacity: bool) -> Values:
    """Make blank pixels of a colour image transparent."""
    colours = np.clip(np.nan_to_num(shown, nan=1.0), 0.0, 1.0)
    opacity = colours[..., 3:] if has_opacity else np.ones_like(colours[..., :1])
    return np.concatenate([colours[..., :3], np.where(np.isnan(shown[..., :1]), 0.0, opacity)], axis=-1)


def _draw_curves(names: list[str], rows: list[Values], ax: "Axes | None") -> Grid:
    """Draw rows of curves (n, channels, time), one colour per channel, each scaled by its range."""
    n, (n_channels, length) = max(map(len, rows)), rows[0].shape[1:]
    ax = new_axes(ax, *_figure_size(n, len(rows), 1.2, 0.9))
    together = np.concatenate(rows)
    # Columns of tables have different units, and so have channels of series.
    axes = (0,) if n_channels == 1 and length < 2 * N_MARKED else (0, 2)
    low, high = (function(together, axis=axes, keepdims=True) for function in (np.nanmin, np.nanmax))
    span = np.where(high > low, high - low, 1.0)
    place = np.append(np.linspace(0, 1, length), np.nan) if length > 1 else np.array([0.5, np.nan])
    marker = "." if length <= N_MARKED else ""
    for i, row in enumerate(rows):
        heights = np.pad((row - low) / span, [(0, 0), (0, 0), (0, 1)], constant_values=np.nan) - i * (1 + GAP)
        across = np.concatenate([place + j * (1 + GAP) for j in range(len(row))])
        for channel in range(n_channels):
            colour = PALETTE[channel % len(PALETTE)]
            ax.plot(across, heights[:, channel].ravel(), color=colour, linewidth=1, marker=marker, markersize=3)
    ax.set_xlim(-GAP, n * (1 + GAP))
    columns, middles = ([0.5 + i * (1 + GAP) for i in range(count)] for count in (n, len(rows)))
    grid = Grid(ax, columns, [1 - middle for middle in middles])
    _label(grid, names)
    return grid


def _figure_size(n: int, n_rows: int, width: float, height: float) -> tuple[float, float]:
    shrunk = min(1.0, (MAX_WIDTH - 0.8) / (n * width))
    return max(2.0, 0.8 + n * width * shrunk), 0.45 + n_rows * height * shrunk


def _middles(n: int, pixels: int) -> list[float]:
    return [pixels / 2 - 0.5 + i * (pixels + 1) for i in range(n)]


def _label(grid: Grid, names: list[str]) -> None:
    grid.ax.set_yticks(grid.rows, names)
    grid.ax.set_xticks([])
    grid.ax.tick_params(length=0)
    grid.ax.spines[:].set_visible(False)
