"""Whether rows still come as they did: a test that may be looked at after every row.

As long as nothing changes, the rank of each value among all before it is uniform and independent of the ranks before,
whatever the distribution: a conformal p-value against a reference that the value then joins. Bets at fair odds that the
p-values are not uniform win little against that: the chance that a fortune, which starts at 1, ever reaches 1 / level
is at most the level (Ville, 1939). So there is nothing to correct for looking often, or for not knowing when to stop
[1, 2]. A change is betted on from every row on, each with a share of the money put by for it, so that quiet years do
not use up what a change is found with [3].

References
----------
[1] Vovk, Nouretdinov and Gammerman, Testing exchangeability on-line, ICML 2003. [2] Vovk, Testing randomness online,
    Statistical science 36, 2021. [3] Shin, Ramdas and Rinaldo, E-detectors: a nonparametric framework for sequential
    change detection, New England journal of statistics in data science, 2023.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import betaln

from isthmus.anomaly.rows import Values

# What is betted on: densities of p-values that are low, high, extreme, central, and these again for small changes.
BETS = np.array([[0.5, 1], [1, 0.5], [0.5, 0.5], [2, 2], [0.8, 1], [1, 0.8], [0.8, 0.8], [1.3, 1.3]])
# Rows that are all tested; from then on fewer and fewer are, so that references grow with the logarithm of the stream.
N_ALL = 20_000
# Values compared with each other at once.
PIECE = 256
SMALLEST = 1e-12


@dataclass
class ExchangeabilityTest:
    """Bets on several kinds of values of the same rows, each against the values of its kind before.

    Parameters
    ----------
    references : list of ndarray
        Sorted values of each kind from before, maybe none.
    rng : Generator
        Breaks ties, and chooses which rows of a long stream are tested.
    """

    references: list[Values]
    rng: np.random.Generator
    n_seen: int = 0
    n_tested: int = 0
    # Of each bet on each kind, what it has won.
    log_stakes: Values = field(init=False)
    # The highest fortune so far: of each kind, and of their mean.
    log_peaks: Values = field(init=False)
    log_peak: float = 0.0

    def __post_init__(self) -> None:
        self.log_stakes = np.full((len(BETS), len(self.references)), -np.inf)
        self.log_peaks = np.zeros(len(self.references))

    @property
    def p_value(self) -> float:
        """Chance, at most, that values which are exchangeable ever look so odd."""
        return float(np.exp(-self.log_peak))

    @property
    def p_values(self) -> Values:
        """The same of each kind, as if it were the oddest of all: by Bonferroni's inequality."""
        return np.minimum(1.0, len(self.log_peaks) * np.exp(-self.log_peaks))

    def observe(self, values: Values) -> None:
        """Bet on the values (n, n_kinds) of arriving rows, one row after the other, and let them join the references.

        How the rows are cut into calls makes no difference.
        """
        arrived = np.arange(self.n_seen, self.n_seen + len(values)) + 1
        self.n_seen += len(values)
        drawn = self.rng.random((len(values), 1 + len(self.references)))
        tested = drawn[:, 0] * arrived < N_ALL
        values, shares = values[tested], drawn[tested, 1:]
        for start in range(0, len(values), PIECE):
            self._bet(self._rank(values[start : start + PIECE], shares[start : start + PIECE]))

    def _rank(self, values: Values, shares: Values) -> Values:
        p = np.empty_like(shares)
        for kind, reference in enumerate(self.references):
            p[:, kind] = ranks(values[:, kind], reference, shares[:, kind])
            arrived = np.sort(values[:, kind])
            self.references[kind] = np.insert(reference, np.searchsorted(reference, arrived), arrived)
        return p

    def _bet(self, p: Values) -> None:
        tested = np.arange(self.n_tested, self.n_tested + len(p) + 1)
        self.n_tested += len(p)
        kept = 1 / (1 + np.log1p(tested))
        log_entering = np.log((kept[:-1] - kept[1:]) / len(BETS))[:, None, None]
        # A stake wins its odds: (stake + what enters now) * odds, for all rows of the batch at once.
        log_won = np.cumsum(log_odds(p), axis=0)
        before = np.concatenate([np.zeros_like(log_won[:1]), log_won[:-1]])
        invested = np.concatenate([self.log_stakes[None], log_entering - before])
        log_stakes = log_won + np.logaddexp.accumulate(invested)[1:]
        fortunes = np.logaddexp(np.log(kept[1:])[:, None], np.logaddexp.reduce(log_stakes, axis=1))
        self.log_stakes = log_stakes[-1]
        self.log_peaks = np.maximum(self.log_peaks, fortunes.max(0))
        self.log_peak = max(self.log_peak, float(np.logaddexp.reduce(fortunes, axis=1).max() - np.log(p.shape[1])))


def ranks(values: Values, reference: Values, shares: Values) -> Values:
    """Rank each value among the reference, the values before it and itself, as a share of their number, (n,).

    Parameters
    ----------
    values : ndarray of shape (n,)
    reference : ndarray of shape (m,)
        Sorted.
    shares : ndarray of shape (n,)
        In [0, 1): where each stands among its equals.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly.exchangeability import ranks
    >>> ranks(np.array([5.0, 1.0]), np.array([2.0, 3.0]), np.array([0.5, 0.5]))
    array([0.83333333, 0.125     ])
    """
    below = np.searchsorted(reference, values, side="left")
    equal = np.searchsorted(reference, values, side="right") - below
    earlier = np.tri(len(values), k=-1, dtype=bool)
    below = below + (earlier & (values < values[:, None])).sum(1)
    equal = equal + (earlier & (values == values[:, None])).sum(1)
    return (below + shares * (equal + 1)) / (len(reference) + np.arange(len(values)) + 1)


def log_odds(p: Values) -> Values:
    """Log density of each bet at p-values (n, n_kinds): (n, n_bets, n_kinds). Fair, for densities integrate to one."""
    p = np.clip(p, SMALLEST, 1 - SMALLEST)[:, None]
    low, high = BETS[:, :1], BETS[:, 1:]
    return (low - 1) * np.log(p) + (high - 1) * np.log1p(-p) - betaln(low, high)
