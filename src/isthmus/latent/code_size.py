"""Choice of the size of a code, from the errors of all sizes after one training."""

import warnings
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from isthmus import bottlenecks
from isthmus.autoencoder import Autoencoder
from isthmus.bottlenecks import Bottleneck, Nested
from isthmus.data import Source, as_source, hold_out
from isthmus.data.validation import compute_statistics
from isthmus.errors import require_type
from isthmus.inference import run
from isthmus.likelihoods import StudentT
from isthmus.metrics.text_table import format_table
from isthmus.model import Model
from isthmus.part import is_count, passes, resolve
from isthmus.randomness import mix, seed_of
from isthmus.schema import Schema
from isthmus.statistics import Statistics

Values = np.ndarray[Any, Any]

# Largest code size that is tried by default; fraction of rows held out to measure errors; number of bootstrap resamples
# for the interval, whose quantiles then have a standard error of about one percentage point.
MAX_SIZE, HOLDOUT, N_RESAMPLES = 32, 0.2, 400
# Share of resamples in which no code has less noise than none above which there may be no common structure.
UNSURE = 0.05
# Number of rows from which the typical value of each column is computed, for the error without a code.
N_TYPICAL = 1000


@dataclass(frozen=True, eq=False)
class CodeSizes:
    """Errors of codes of every size on held-out rows.

    Parameters
    ----------
    n_components : int
        Suggested size: the elbow.
    interval : tuple of int
        From the 5 % bootstrap quantile of the elbow with twice the tolerance to the 95 % quantile of the size with the
        smallest noise. Held-out rows alone vary less than another net would, and a vague elbow has a wide interval.
    sizes : ndarray of shape (n_sizes,)
        1, 2, ...
    errors, standard_errors : ndarray of shape (n_sizes,)
        Mean squared error per value, in the scale of the likelihood, and its standard error.
    noise : ndarray of shape (n_sizes,)
        Error per direction that the code does not represent: constant beyond the elbow if only noise is left.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.latent import CodeSizes
    >>> errors = np.array([0.5, 0.08, 0.06])
    >>> found = CodeSizes(2, (2, 2), np.array([1, 2, 3]), errors, errors / 10, errors / [0.75, 0.5, 0.25])
    >>> found.n_components, found.interval
    (2, (2, 2))
    """

    n_components: int
    interval: tuple[int, int]
    sizes: Values
    errors: Values
    standard_errors: Values
    noise: Values

    def __str__(self) -> str:
        """Return the suggested size and its interval, and the errors of some sizes."""
        low, high = self.interval
        shown = [i for i, size in enumerate(self.sizes) if size & (size - 1) == 0 or size == self.n_components]
        rows = [[str(self.sizes[i]), f"{self.errors[i]:.4g}", f"{self.standard_errors[i]:.2g}"] for i in shown]
        table = format_table([["size", "error", "standard error"], *rows], left=())
        return f"{self.n_components} components, interval {low} to {high}\n{table}"


def suggest_n_components(
    X: Any,
    estimator: Autoencoder | None = None,
    *,
    max_components: int | str = "auto",
    tolerance: float = 0.125,
    random_state: Any = None,
) -> CodeSizes:
    """Suggest the smallest code beyond which additional components represent only noise.

    One training with nested dropout [1] gives the error of every size. The error itself falls with every component. The
    error divided by the fraction of directions that the code does not represent stops falling at the right size,
    because noise has the same variance in all directions. Bartlett's test compares residual variances in this way [2].
    A column with more noise than others, in the scale of the likelihood, counts as a direction of its own.
    The elbow is the smallest size that has nearly all of the fall of this noise, on a log scale, from no code to its
    minimum: nets approximate curved data slowly, so that the noise falls a little beyond the right size.

    Parameters
    ----------
    X : array, data frame or Source of shape (n_samples, ...)
        Rows; some are held out to measure errors.
    estimator : Autoencoder or None, default=None
        Parts and settings of the training; its bottleneck is nested, and labels, regularizers and prior are left out.
        None is an MLP with heavy-tailed errors, because the large errors of codes that are too small would dominate
        squared errors.
    max_components : int or "auto", default="auto"
        Largest size that is tried; "auto" is one less than the number of values that vary, and at most 32.
    tolerance : float, default=0.125
        Share of the fall of the log noise that a code may lack: higher values suggest smaller codes. If the error has
        no clear elbow, as is common with real data, the result depends on it: see ``isthmus.plots.code_sizes``. Chosen
        on simulated data of 2 to 12 dimensions, see benchmarks/latent.py.
    random_state : int, RandomState or None, default=None
        Source of all random numbers.

    Returns
    -------
    CodeSizes
        The suggested size, and the errors of all sizes.

    Raises
    ------
    ValueError
        If a parameter is out of range, or there are too few rows to hold some out.

    Warns
    -----
    UserWarning
        If the largest size that was tried is the best, or if the columns have so little in common that no size is.

    References
    ----------
    [1] Rippel, Gelbart and Adams, Learning ordered representations with nested dropout, ICML 2014, arXiv:1402.0915.
    [2] Bartlett, Tests of significance in factor analysis, British Journal of Psychology 3, 1950.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.latent import suggest_n_components
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 8))
    >>> X = signal / signal.std(0) + 0.1 * rng.normal(size=(500, 8))
    >>> suggest_n_components(X, random_state=0).n_components
    2
    """
    require_type("estimator", estimator, Autoencoder | None, "an Autoencoder or None")
    seed, source = seed_of(random_state), as_source(X)
    rows, held_out = hold_out(source, HOLDOUT, mix(seed, 3))
    if held_out is None:
        raise ValueError(f"X has {len(source)} rows, too few to hold some out and measure errors on them")
    if not passes(lambda value: 0 < value < 1, tolerance):
        raise ValueError(f"tolerance must be a number between 0 and 1, got {tolerance!r}")
    statistics = compute_statistics(rows)
    n_varying = int((~statistics.constant).sum())
    widest = _choose_largest(max_components, n_varying)
    estimator = _make_robust(statistics, source.schema) if estimator is None else estimator
    model = _nest(estimator, widest).set_params(random_state=seed).fit(rows).module_
    errors = _measure_errors(model, held_out, widest)
    return _find_size(errors, n_varying, tolerance, np.random.default_rng(mix(seed, 4)))


def _choose_largest(max_components: int | str, n_varying: int) -> int:
    most = max(1, n_varying - 1)
    if max_components == "auto":
        return min(MAX_SIZE, most)
    if not (is_count(max_components) and int(max_components) <= most):
        raise ValueError(f'max_components must be "auto" or an integer from 1 to {most}, got {max_components!r}')
    return int(max_components)


def _make_robust(statistics: Statistics, schema: Schema) -> Autoencoder:
    """Return an estimator with heavy-tailed errors, or with the automatic likelihood if there are categories."""
    # Errors of all pixels have one scale, as with the automatic likelihood.
    of_numbers = StudentT(scale="shared", scaling="center") if statistics.are_pixels else StudentT()
    return Autoencoder(likelihood="auto" if schema.categorical else of_numbers)


def _nest(estimator: Autoencoder, widest: int) -> Autoencoder:
    """Return the estimator with a nested bottleneck, without labels, regularizers and prior.

    Regularizers and learned priors assume that all components are in use, but nested dropout sets some of them to 0.
    """
    inner = resolve(estimator.bottleneck, bottlenecks, Bottleneck)
    nested = inner if isinstance(inner, Nested) else Nested(inner)
    changes = {"bottleneck": nested, "prior": None, "regularizers": (), "conditional": False}
    return clone(estimator).set_params(n_components=widest, **changes)


def _measure_errors(model: Model, source: Source, widest: int) -> Values:
    """Return the mean squared error of each row without a code and for each size, (n, 1 + n_sizes)."""
    typical = torch.nanmedian(next(source.batches(N_TYPICAL)).x, 0).values

    def of_batch(x: Tensor, y: Tensor | None) -> Tensor:
        z = model.code_mean(model.encode_input(model.to_model(x)))
        sizes = torch.ones(widest, widest, dtype=torch.bool, device=z.device).tril()
        truncate = cast(Nested, model.bottleneck).truncate
        rebuilt = (model.decode_latent(truncate(z, kept[None]), y) for kept in sizes)
        return torch.stack([_error(model, x, rows) for rows in (typical.to(x).expand_as(x), *rebuilt)], 1)

    return run(model, of_batch, source)[0].astype(np.float64)


def _error(model: Model, x: Tensor, rebuilt: Tensor) -> Tensor:
    """Return the mean squared error of each row in the scale of the likelihood, 0 for missing values."""
    known = torch.where(x.isnan(), rebuilt, x)
    expected, found = (model.likelihood.encode(model.to_model(values)) for values in (known, rebuilt))
    return (expected - found).square().flatten(1).mean(1)


def _find_size(errors: Values, n_varying: int, tolerance: float, rng: np.random.Generator) -> CodeSizes:
    """Find the elbow of errors (n, 1 + n_sizes) of rows without a code and for each size, and its interval."""
    n, widest = len(errors), errors.shape[1] - 1
    free = 1 - np.arange(widest + 1) / max(2, n_varying)
    means, stds = errors.mean(0), errors.std(0) / np.sqrt(n)
    resamples = rng.multinomial(n, np.full(n, 1 / n), N_RESAMPLES) @ errors / n / free
    elbow = _elbow(means / free, tolerance)
    low = np.quantile([_elbow(noise, min(1.0, 2 * tolerance)) for noise in resamples], 0.05, method="nearest")
    high = np.quantile([_elbow(noise, 0.0) for noise in resamples], 0.95, method="nearest")
    if elbow == widest < n_varying - 1:
        message = f"the error still falls at {widest} components, the largest size tried; raise max_components"
        warnings.warn(message, stacklevel=3)
    if np.mean(resamples[:, 1:].min(1) >= resamples[:, 0]) > UNSURE:
        best = f"the error falls up to {_end_of_fall(means, stds)} components"
        cause = "the columns have little in common, or the net learned too little"
        warnings.warn(f"no code has clearly less error per direction than none, and {best}: {cause}", stacklevel=3)
    interval = min(elbow, int(low)), max(elbow, int(high))
    return CodeSizes(elbow, interval, np.arange(1, widest + 1), means[1:], stds[1:], (means / free)[1:])


def _end_of_fall(means: Values, stds: Values) -> int:
    """Return the smallest size whose error is within one standard error of the smallest error."""
    best = 1 + int(np.argmin(means[1:]))
    return 1 + int(np.argmax(means[1:] <= means[best] + stds[best]))


def _elbow(noise: Values, tolerance: float) -> int:
    """Return the smallest size that lacks at most a share of the fall of the log noise from no code to its minimum.

    If no size has less noise than no code, it is 1.
    """
    logs = np.log(noise + np.finfo(float).tiny)
    lowest = logs[1:].min()
    return 1 + int(np.argmax(logs[1:] <= lowest + tolerance * (logs[0] - lowest)))
