"""Quality of generated levels: whether they are playable, how realistic their tile patterns are, and novelty."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from isthmus.part import is_count

Values = np.ndarray[Any, Any]
Place = tuple[int, int]
# Row, column, and node of the tree of jumps; node 0 means that the player does not jump.
State = tuple[int, int, int]

__all__ = ["Divergence", "Platformer", "novelty", "pattern_divergence"]

# Largest number of comparisons of tiles in memory at once.
CHUNK = 2**24


class Platformer:
    """The rules of a platform game: which tiles are solid, and how the player jumps.

    The player walks on solid tiles and jumps from them along one of several arcs. A solid tile ends a jump. The player
    can also stop a jump at any place, and then falls vertically or diagonally. A player who falls below the lowest row
    has lost. The space above the highest row is empty.

    Parameters
    ----------
    solid : iterable of int
        Tiles that cannot be entered.
    jumps : sequence of arcs
        An arc is a sequence of positions (right, down) relative to the start of the jump.

    References
    ----------
    Summerville, Philip and Mateas, MCMCTS PCG 4 SMB: Monte Carlo tree search to guide platformer level generation,
    AIIDE 2015.

    Examples
    --------
    >>> from isthmus.contrib.level_metrics import Platformer
    >>> rules = Platformer(solid=[1], jumps=[[(0, -1), (1, -1), (2, 0)]])
    >>> rules.are_playable([[[0, 0, 0, 0], [1, 0, 1, 1]], [[0, 0, 0, 0], [1, 0, 0, 0]]], margin=1).tolist()
    [True, False]
    """

    def __init__(self, solid: Iterable[int], jumps: Sequence[Sequence[Sequence[int]]]) -> None:
        self.solid, self.jumps = sorted(set(solid)), jumps
        self._steps: list[list[tuple[int, int, int]]] = [[]]
        for arc in jumps:
            self._add(arc)
        self._height = -min((down for arc in jumps for _, down in arc), default=0)

    def _add(self, arc: Sequence[Sequence[int]]) -> None:
        """Add an arc to the tree of steps, in which arcs share their common beginning."""
        node, (x, y) = 0, (0, 0)
        for right, down in arc:
            dx, dy = right - x, down - y
            x, y = right, down
            known = next((after for *step, after in self._steps[node] if step == [dx, dy]), None)
            if known is None:
                known = len(self._steps)
                self._steps[node].append((dx, dy, known))
                self._steps.append([])
            node = known

    def are_playable(self, levels: Any, margin: int = 4) -> Values:
        """Return for each level whether it has a path, (n_levels,); see ``find_path``."""
        return np.array([self.find_path(level, margin, shortest=False) is not None for level in levels], dtype=bool)

    def find_path(self, level: Any, margin: int = 4, *, shortest: bool = True) -> list[Place] | None:
        """Find a path from the ground near the left edge to the ground near the right edge.

        The ground of a column is its lowest place to stand on, so that a path cannot run along the top of a ceiling.

        Parameters
        ----------
        level : array of shape (height, width)
        margin : int, default=4
            Number of columns that count as near the edge: a segment of a level can begin or end with a gap.
        shortest : bool, default=True
            Whether to find the shortest path (breadth-first search). Depth-first search finds some path faster.

        Returns
        -------
        list of (row, column), or None if there is no path
            Rows above the level have negative numbers.
        """
        near_end = max(np.shape(level)[1] - margin, 0)
        for state, lowest, came_from in self._explore(level, margin, shortest):
            y, x, _ = state
            if x >= near_end and y == lowest[x]:
                return self._trace(came_from, state)
        return None

    def mark_reachable(self, level: Any, margin: int = 4) -> Values:
        """Mark the places that the player can reach from the ground near the left edge, (height, width)."""
        reached = np.zeros(np.shape(level), dtype=bool)
        for (y, x, _), _, _ in self._explore(level, margin, near_first=False):
            if y >= self._height:
                reached[y - self._height, x] = True
        return reached

    def _explore(
        self, level: Any, margin: int, near_first: bool
    ) -> Iterator[tuple[State, Values, dict[State, State | None]]]:
        """Yield all states that can be reached, with the ground of every column and the predecessor of each state."""
        free = np.pad(~np.isin(level, self.solid), ((self._height, 0), (0, 0)), constant_values=True)
        ground = free[:-1] & ~free[1:]
        lowest = np.where(ground.any(0), len(ground) - 1 - ground[::-1].argmax(0), -1)
        came_from: dict[State, State | None] = {
            (y, x, 0): None for x, y in enumerate(lowest[:margin].tolist()) if y >= 0
        }
        ahead = deque(came_from)
        while ahead:
            state = ahead.popleft() if near_first else ahead.pop()
            yield state, lowest, came_from
            for after in self._after(state, free, ground):
                if after not in came_from:
                    came_from[after] = state
                    ahead.append(after)

    def _after(self, state: State, free: Values, ground: Values) -> Iterator[State]:
        """Yield the states that can follow a state."""
        y, x, node = state
        if y + 1 >= len(free):
            return
        stands = ground[y, x]
        ways = [(-1, 0, 0), (1, 0, 0)] if stands else [(-1, 1, 0), (1, 1, 0), (0, 1, 0)]
        steps = (self._steps[node] if node else []) + (self._steps[0] if stands else [])
        for dx, dy, after in (*ways, *steps):
            if y + dy >= 0 and 0 <= x + dx < free.shape[1] and free[y + dy, x + dx]:
                yield y + dy, x + dx, after

    def _trace(self, came_from: dict[State, State | None], state: State | None) -> list[Place]:
        places = []
        while state is not None:
            places.append((state[0] - self._height, state[1]))
            state = came_from[state]
        return places[::-1]


class Divergence(NamedTuple):
    """Divergence of the tile patterns of generated levels from those of real levels, in nats.

    Attributes
    ----------
    jensen_shannon : float
        From 0 (equal frequencies) to log 2 (no common pattern).
    missing : float
        Kullback-Leibler divergence KL(real || generated): large if patterns of real levels are never generated.
    invented : float
        KL(generated || real): large if generated patterns do not occur in real levels.
    """

    jensen_shannon: float
    missing: float
    invented: float


def pattern_divergence(real: Any, generated: Any, size: int = 2, smoothing: float = 1e-5) -> Divergence:
    """Compare the frequencies of the patterns of tiles in windows of ``size`` by ``size`` tiles.

    Parameters
    ----------
    real, generated : sequence of arrays of shape (height, width)
        The divergence decreases with the number of levels: compare results for equal numbers only.
    size : int, default=2
    smoothing : float, default=1e-5
        Added to the counts for the two Kullback-Leibler divergences, which would be infinite if a pattern occurs on one
        side only. Their values depend on it. The Jensen-Shannon divergence uses the counts as they are.

    Raises
    ------
    ValueError
        If all levels are smaller than a pattern.

    References
    ----------
    Lucas and Volz, Tile pattern KL-divergence for analysing and evolving game levels, GECCO 2019, arXiv:1905.05077.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.contrib.level_metrics import pattern_divergence
    >>> stripes = np.tile([[0, 1], [1, 0]], (4, 4))
    >>> pattern_divergence([stripes], [stripes])
    Divergence(jensen_shannon=0.0, missing=0.0, invented=0.0)
    """
    wanted, found = _patterns(real, size), _patterns(generated, size)
    names = wanted.keys() | found.keys()
    p, q = (np.array([counts[name] for name in names], dtype=float) for counts in (wanted, found))
    both = p / p.sum() + q / q.sum()
    jensen_shannon = (_relative_entropy(p, both) + _relative_entropy(q, both)) / 2
    p, q = p + smoothing, q + smoothing
    return Divergence(jensen_shannon, _relative_entropy(p, q), _relative_entropy(q, p))


def _relative_entropy(p: Values, q: Values) -> float:
    """Return the Kullback-Leibler divergence KL(p || q) of two arrays of counts."""
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum(p[p > 0] * np.log(p[p > 0] / q[p > 0])))


def novelty(train: Any, generated: Any) -> Values:
    """Return for each generated level the share of its tiles that differ from the nearest training level, (n,).

    Parameters
    ----------
    train, generated : array of shape (n, height, width)

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.contrib.level_metrics import novelty
    >>> novelty(np.zeros((3, 2, 2)), np.array([[[0, 0], [0, 1]]])).tolist()
    [0.25]
    """
    train, generated = np.asarray(train), np.asarray(generated)
    n_at_once = max(1, CHUNK // train.size)
    parts = [generated[i : i + n_at_once, None] != train for i in range(0, len(generated), n_at_once)]
    return np.concatenate([part.mean((2, 3)).min(1) for part in parts])


def _patterns(levels: Any, size: int) -> Counter[tuple[Any, ...]]:
    """Count the patterns of levels."""
    if not is_count(size):
        raise ValueError(f"size must be a positive integer, got {size!r}")
    counts: Counter[tuple[Any, ...]] = Counter()
    for level in levels:
        level = np.asarray(level)
        if min(level.shape) >= size:
            windows = np.lib.stride_tricks.sliding_window_view(level, (size, size)).reshape(-1, size * size)
            counts.update(map(tuple, windows.tolist()))
    if not counts:
        raise ValueError(f"size must be at most the height and width of a level, got {size}")
    return counts
