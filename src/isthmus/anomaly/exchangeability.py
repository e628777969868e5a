"""A sequential test whether the distribution of arriving rows has changed; its result may be read after every row.

If nothing changes, the rank of each value among all earlier ones is uniform and independent of earlier ranks, for any
distribution: a conformal p-value against a reference that the value then joins. Bets at fair odds against uniform
p-values rarely win: the probability that a capital of 1 ever reaches 1 / level is at most the level (Ville, 1939).
Repeated reading therefore needs no correction, and the stopping time may be chosen freely [1, 2]. At every row a share
of the capital is reserved for a change from this row on, so that a long stream without change does not use up the
capital [3].

References
----------
[1] Vovk, Nouretdinov and Gammerman, Testing exchangeability on-line, ICML 2003.
[2] Vovk, Testing randomness online, Statistical science 36, 2021.
[3] Shin, Ramdas and Rinaldo, E-detectors: a nonparametric framework for sequential change detection, New England
journal of statistics in data science, 2023.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import betaln

from isthmus.anomaly.rows import Values

# Parameters of beta densities to bet on: low, high, extreme and central p-values, for large and for small changes.
BETS = np.array([[0.5, 1], [1, 0.5], [0.5, 0.5], [2, 2], [0.8, 1], [1, 0.8], [0.8, 0.8], [1.3, 1.3]])
# The first rows are all tested. Row n > N_ALL is tested with probability N_ALL / n, so that the references grow with
# the logarithm of the stream.
N_ALL = 20_000
# Values that are compared with each other at once: memory and time of a comparison grow with the square.
CHUNK = 256
# Smallest p-value: the log odds of 0 are infinite.
MIN_P = 1e-12


@dataclass
class ExchangeabilityTest:
    """Bets on several kinds of values of the same rows, each against the earlier values of its kind.

    Parameters
    ----------
    references : list of ndarray
        Sorted earlier values of each kind; may be empty.
    rng : Generator
        Breaks ties, and selects the rows of a long stream that are tested.
    """

    references: list[Values]
    rng: np.random.Generator
    n_seen: int = 0
    n_tested: int = 0
    # Logarithm of the capital of each bet on each kind, (n_bets, n_kinds).
    log_stakes: Values = field(init=False)
    # Logarithm of the highest capital so far: of each kind, and of their mean.
    log_peaks: Values = field(init=False)
    log_peak: float = 0.0

    def __post_init__(self) -> None:
        self.log_stakes = np.full((len(BETS), len(self.references)), -np.inf)
        self.log_peaks = np.zeros(len(self.references))

    @property
    def p_value(self) -> float:
        """Upper bound of the probability that exchangeable values ever give such a capital."""
        return float(np.exp(-self.log_peak))

    @property
    def p_values(self) -> Values:
        """P-value of each kind, with Bonferroni's correction for the number of kinds."""
        return np.minimum(1.0, len(self.log_peaks) * np.exp(-self.log_peaks))

    def observe(self, values: Values) -> None:
        """Bet on the values (n, n_kinds) of arriving rows, one row after the other, and add them to the references.

        The result does not depend on how the rows are split into calls.
        """
        arrived = np.arange(self.n_seen, self.n_seen + len(values)) + 1
        self.n_seen += len(values)
        uniforms = self.rng.random((len(values), 1 + len(self.references)))
        tested = uniforms[:, 0] * arrived < N_ALL
        values, uniforms = values[tested], uniforms[tested, 1:]
        for start in range(0, len(values), CHUNK):
            self._bet(self._rank(values[start : start + CHUNK], uniforms[start : start + CHUNK]))

    def _rank(self, values: Values, uniforms: Values) -> Values:
        p = np.empty_like(uniforms)
        for kind, reference in enumerate(self.references):
            p[:, kind] = relative_ranks(values[:, kind], reference, uniforms[:, kind])
            arrived = np.sort(values[:, kind])
            self.references[kind] = np.insert(reference, np.searchsorted(reference, arrived), arrived)
        return p

    def _bet(self, p: Values) -> None:
        tested = np.arange(self.n_tested, self.n_tested + len(p) + 1)
        self.n_tested += len(p)
        reserve = 1 / (1 + np.log1p(tested))
        log_invested = np.log((reserve[:-1] - reserve[1:]) / len(BETS))[:, None, None]
        # capital[i] = (capital[i - 1] + invested[i]) * odds[i], for all rows of the batch at once
        log_growth = np.cumsum(log_odds(p), axis=0)
        before = np.concatenate([np.zeros_like(log_growth[:1]), log_growth[:-1]])
        discounted = np.concatenate([self.log_stakes[None], log_invested - before])
        log_stakes = log_growth + np.logaddexp.accumulate(discounted)[1:]
        capital = np.logaddexp(np.log(reserve[1:])[:, None], np.logaddexp.reduce(log_stakes, axis=1))
        self.log_stakes = log_stakes[-1]
        self.log_peaks = np.maximum(self.log_peaks, capital.max(0))
        self.log_peak = max(self.log_peak, float(np.logaddexp.reduce(capital, axis=1).max() - np.log(p.shape[1])))


def relative_ranks(values: Values, reference: Values, uniforms: Values) -> Values:
    """Rank each value (n,) among the sorted reference (m,), the values before it and itself, relative to their number.

    ``uniforms`` (n,), in [0, 1), choose the rank among equal values.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.anomaly.exchangeability import relative_ranks
    >>> relative_ranks(np.array([5.0, 1.0]), np.array([2.0, 3.0]), np.array([0.5, 0.5]))
    array([0.83333333, 0.125     ])
    """
    below = np.searchsorted(reference, values, side="left")
    equal = np.searchsorted(reference, values, side="right") - below
    earlier = np.tri(len(values), k=-1, dtype=bool)
    below = below + (earlier & (values < values[:, None])).sum(1)
    equal = equal + (earlier & (values == values[:, None])).sum(1)
    return (below + uniforms * (equal + 1)) / (len(reference) + np.arange(len(values)) + 1)


def log_odds(p: Values) -> Values:
    """Return the log density of each bet at p-values (n, n_kinds), (n, n_bets, n_kinds); densities make fair odds."""
    p = np.clip(p, MIN_P, 1 - MIN_P)[:, None]
    low, high = BETS[:, :1], BETS[:, 1:]
    return (low - 1) * np.log(p) + (high - 1) * np.log1p(-p) - betaln(low, high)
