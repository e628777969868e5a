"""A Markov chain of tiles, as a baseline for generators of levels."""

from typing import Any, Self

import numpy as np

Values = np.ndarray[Any, Any]

__all__ = ["TileChain"]


class TileChain:
    """A Markov chain that generates levels tile by tile: column by column, from the ground upwards.

    The distribution of a tile depends on its row and on three neighbours: the tile to the left, the tile below, and the
    tile diagonally between them. If the three did not occur together in ``fit``, only left and below are used, then
    only left, then only the row.

    References
    ----------
    Snodgrass and Ontanon, Experiments in map generation using Markov chains, FDG 2014.

    Examples
    --------
    >>> from isthmus.contrib.tile_chain import TileChain
    >>> TileChain().fit([[[0, 0, 1], [1, 1, 1]]]).sample(1, width=3, random_state=0).tolist()
    [[[0, 0, 1], [1, 1, 1]]]
    """

    def fit(self, levels: Any) -> Self:
        """Count the tiles of levels (n, height, width), which are integers from 0."""
        levels = np.asarray(levels)
        n_tiles, height = int(levels.max()) + 1, levels.shape[1]
        # Positions outside the level hold an extra kind of tile.
        padded = np.pad(levels, ((0, 0), (0, 1), (1, 0)), constant_values=n_tiles)
        left, below, corner = padded[:, :-1, :-1], padded[:, 1:, 1:], padded[:, 1:, :-1]
        counts = np.zeros((height, *[n_tiles + 1] * 3, n_tiles))
        np.add.at(counts, (np.arange(height)[:, None], left, below, corner, levels), 1)
        self.counts_ = [counts, counts.sum(3), counts.sum((2, 3)), counts.sum((1, 2, 3))]
        return self

    def sample(self, n: int, width: int, random_state: Any = None) -> Values:
        """Generate levels (n, height, width)."""
        rng, (height, n_tiles) = np.random.default_rng(random_state), self.counts_[-1].shape
        levels = np.full((n, height + 1, width + 1), n_tiles)
        for column in range(1, width + 1):
            for row in range(height - 1, -1, -1):
                left, corner = levels[:, row, column - 1], levels[:, row + 1, column - 1]
                cumulated = self._counts(row, left, levels[:, row + 1, column], corner).cumsum(1)
                levels[:, row, column] = (rng.random((n, 1)) * cumulated[:, -1:] >= cumulated).sum(1)
        return levels[:, :-1, 1:].astype(np.uint8)

    def _counts(self, row: int, left: Values, below: Values, corner: Values) -> Values:
        """Return counts of tiles with these neighbours, (n, n_tiles); with fewer neighbours where all counts are 0."""
        by_three, by_two, by_one, by_none = self.counts_
        counts = by_three[row, left, below, corner]
        for fewer in (by_two[row, left, below], by_one[row, left], by_none[row]):
            counts = np.where(counts.any(1, keepdims=True), counts, fewer)
        return counts
