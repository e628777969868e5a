"""Search for a row with asked properties among all that a model can make."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.latent.codes import Values, code_moments, decode
from isthmus.part import is_count
from isthmus.randomness import seed_of

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder

# Children of a parent, deviations of the codes that the first children lie apart, and the narrowest search there is.
N_CHILDREN, FIRST_STEP, LEAST_STEP = 7, 0.5, 1e-6


class SearchResult(NamedTuple):
    """The best row of a search.

    Attributes
    ----------
    row : array or data frame of one row
    code : ndarray of shape (n_components,)
    value : float
        What the objective says of the row.
    n_evaluations : int
        Rows that the objective was asked about.
    """

    row: Any
    code: Values
    value: float
    n_evaluations: int


def search(
    model: "Autoencoder",
    objective: Callable[[Any], Any],
    X: Any = None,
    *,
    y: Any = None,
    target_value: float = np.inf,
    n_parents: int = 16,
    n_steps: int = 100,
    random_state: Any = None,
) -> SearchResult:
    """Search the codes of a model for the row that an objective likes best.

    An evolution strategy [1]: of some rows the best are the first parents; each has some children nearby in the code,
    the best of which are the next parents. How far children go is inherited too, and varied, so that the search narrows
    by itself. The objective need not be smooth: counts and rules are welcome.

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    objective : callable
        Of rows (n, ...) as ``sample`` gives them without noise; returns a number for each, higher is better.
    X : array or data frame of shape (n_samples, ...) or None, default=None
        Rows to begin with; None draws them by ``sample``.
    y : label or None, default=None
        What the rows are decoded for.
    target_value : float, default=inf
        The search ends with the first row of at least this value.
    n_parents : int, default=16
        Seven times as many rows are tried in each step. Few find the next optimum sooner, many find a better one.
    n_steps : int, default=100
    random_state : int, RandomState or None, default=None

    Returns
    -------
    SearchResult
        The best row of all steps.

    Raises
    ------
    ValueError
        If a number is not positive, or the objective does not return one number for each row.

    References
    ----------
    [1] Beyer and Schwefel, Evolution strategies: a comprehensive introduction, Natural Computing 1, 2002.
    Volz et al., Evolving Mario levels in the latent space of a deep convolutional GAN, GECCO 2018, arXiv:1805.00728.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import zoo
    >>> from isthmus.latent import search
    >>> model = zoo.vae(4, max_epochs=5, random_state=0).fit(load_digits().data)
    >>> found = search(model, lambda X: X[:, :32].sum(1) - X[:, 32:].sum(1), n_steps=5, random_state=0)
    >>> found.row.shape
    (1, 64)
    """
    for name, number in {"n_parents": n_parents, "n_steps": n_steps}.items():
        if not is_count(number):
            raise ValueError(f"{name} must be a positive integer, got {number!r}")
    seed, n = seed_of(random_state), N_CHILDREN * n_parents
    codes: Values = model.transform(model.sample(n, y=y, random_state=seed) if X is None else X)
    rng, unit, steps = np.random.default_rng(seed), code_moments(model)[1], np.full((len(codes), 1), FIRST_STEP)
    best, n_evaluations = (-np.inf, codes[0]), 0
    for step in range(1, n_steps + 1):
        values = _values(objective, decode(model, codes, y))
        first, *_ = order = np.argsort(-values, kind="stable")
        n_evaluations += len(codes)
        best = max(best, (float(values[first]), codes[first]), key=lambda pair: pair[0])
        if best[0] >= target_value or step == n_steps:
            break
        parents = rng.choice(order[:n_parents], n)
        codes, steps = _children(codes[parents], steps[parents], unit, rng)
    value, code = best
    return SearchResult(decode(model, code[None], y), code, value, n_evaluations)


def _children(codes: Values, steps: Values, unit: Values, rng: np.random.Generator) -> tuple[Values, Values]:
    """Vary steps, by the rate that suits the number of components, and then codes by them."""
    steps = np.maximum(steps * np.exp(rng.normal(size=steps.shape) / np.sqrt(codes.shape[1])), LEAST_STEP)
    return codes + steps * unit * rng.normal(size=codes.shape), steps


def _values(objective: Callable[[Any], Any], rows: Any) -> Values:
    """Ask the objective, for which NaN is the worst answer."""
    values = np.asarray(objective(rows), dtype=float)
    if values.shape != (len(rows),):
        raise ValueError(f"objective must return one number a row, ({len(rows)},), got shape {values.shape}")
    return np.where(np.isnan(values), -np.inf, values)
