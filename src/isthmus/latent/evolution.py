"""Search for rows with given properties among all rows that a model can generate."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.latent.codes import Values, check_model, code_moments, decode
from isthmus.part import is_count
from isthmus.randomness import seed_of

if TYPE_CHECKING:
    from isthmus.autoencoder import Autoencoder

# Number of children per parent, the ratio of Schwefel's (15, 100) strategy; initial and smallest step in standard
# deviations of the codes. A larger initial step explores more; not tuned. The smallest step prevents underflow.
N_CHILDREN, FIRST_STEP, MIN_STEP = 7, 0.5, 1e-6


class SearchResult(NamedTuple):
    """The best row of a search.

    Parameters
    ----------
    row : array or data frame of one row
        The row, in the container of the rows of ``fit``.
    code : ndarray of shape (n_components,)
        Its code.
    value : float
        Value of the objective.
    n_evaluations : int
        Number of rows for which the objective was evaluated.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.latent import SearchResult
    >>> found = SearchResult(np.ones((1, 4)), np.zeros(2), value=4.0, n_evaluations=112)
    >>> found.value
    4.0
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
    """Search the codes of a model for the row that maximizes an objective.

    The search is a (mu, lambda) evolution strategy with self-adaptive step sizes [1]: the best rows become parents, the
    codes of their children are drawn around those of the parents, and the best children are the next parents. The
    objective does not have to be smooth; it can be a count or a rule.

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    objective : callable
        Takes rows (n, ...) in the container of ``sample`` and returns a number for each; higher is better.
    X : array or data frame of shape (n_samples, ...) or None, default=None
        Initial rows; None draws them with ``sample``.
    y : label or None, default=None
        Label with which rows are decoded.
    target_value : float, default=inf
        The search stops at the first row with at least this value.
    n_parents : int, default=16
        Each step evaluates seven rows per parent. Few parents converge faster, many find better optima.
    n_steps : int, default=100
        Largest number of steps.
    random_state : int, RandomState or None, default=None
        Source of all random numbers; None uses that of the model.

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
    check_model(model)
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
    """Mutate step sizes with the learning rate 1 / sqrt(n_components) [1], and codes with these steps."""
    steps = np.maximum(steps * np.exp(rng.normal(size=steps.shape) / np.sqrt(codes.shape[1])), MIN_STEP)
    return codes + steps * unit * rng.normal(size=codes.shape), steps


def _values(objective: Callable[[Any], Any], rows: Any) -> Values:
    """Evaluate the objective; NaN counts as the worst value."""
    values = np.asarray(objective(rows), dtype=float)
    if values.shape != (len(rows),):
        raise ValueError(f"objective must return one number per row, ({len(rows)},), got shape {values.shape}")
    return np.where(np.isnan(values), -np.inf, values)
