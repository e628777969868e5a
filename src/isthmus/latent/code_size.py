"""How wide a code should be: the error of every size from one training."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from isthmus import bottlenecks
from isthmus.autoencoder import Autoencoder
from isthmus.bottlenecks import Bottleneck, Nested
from isthmus.data import Source, as_source, hold_out
from isthmus.data.validation import compute_statistics
from isthmus.inference import run
from isthmus.likelihoods import StudentT
from isthmus.model import Model
from isthmus.part import is_count, resolve
from isthmus.randomness import mix, seed_of
from isthmus.schema import Schema
from isthmus.statistics import Statistics

Values = np.ndarray[Any, Any]

# The widest code that is tried if nobody says; rows set aside to measure; resamples of them for the interval.
WIDEST, ASIDE, N_RESAMPLES = 32, 0.2, 400


@dataclass(frozen=True, eq=False)
class CodeSizes:
    """What codes of every size leave unexplained on rows that the net has not seen.

    Parameters
    ----------
    n_components : int
        The size to take: the elbow.
    interval : tuple of int
        Where nine of ten elbows lie if the rows are drawn anew.
    sizes : ndarray of shape (n_sizes,)
        1, 2, ...
    errors, standard_errors : ndarray of shape (n_sizes,)
        Mean squared error of a value, in the likelihood's scaling, and its standard error.
    noise : ndarray of shape (n_sizes,)
        The error for each direction that the code leaves free: level from the elbow on, if all that is left is noise.
    """

    n_components: int
    interval: tuple[int, int]
    sizes: Values
    errors: Values
    standard_errors: Values
    noise: Values


def suggest_n_components(
    X: Any,
    estimator: Autoencoder | None = None,
    *,
    max_components: int | str = "auto",
    tolerance: float = 0.5,
    random_state: Any = None,
) -> CodeSizes:
    """Find the smallest code beyond which only noise would be kept.

    One training with nested dropout [1] yields the error of every size. Noise fills all directions alike, so what a
    code of k components leaves, divided by the directions that it leaves free, stops falling at the right size, while
    the error itself goes on falling: wider codes copy noise. The comparison of residual variances is Bartlett's [2].

    Parameters
    ----------
    X : array, data frame or Source of shape (n_samples, ...)
    estimator : Autoencoder or None, default=None
        Parts and settings to train with; its bottleneck is nested, and labels and regularizers are left out. None is an
        MLP with heavy-tailed errors, since the large errors of codes that are too small would dominate squared errors.
    max_components : int or "auto", default="auto"
        The widest code that is tried; "auto" is one less than the number of values that vary, at most 32.
    tolerance : float, default=0.5
        Share by which the noise may exceed its smallest estimate: higher for smaller codes. Where the error falls
        without a knee, as that of real data often does, this decides: look at ``isthmus.plots.code_sizes``.
    random_state : int, RandomState or None, default=None

    Returns
    -------
    CodeSizes

    Raises
    ------
    ValueError
        If a parameter is out of its range, or there are too few rows to set some aside.

    Warns
    -----
    UserWarning
        If the widest code that was tried is the best.

    References
    ----------
    [1] Rippel, Gelbart and Adams, Learning ordered representations with nested dropout, ICML 2014, arXiv:1402.0915.
    [2] Bartlett, Tests of significance in factor analysis, British Journal of Psychology 3, 1950.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.latent import suggest_n_components
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 8)) + 0.1 * rng.normal(size=(500, 8))
    >>> suggest_n_components(X, random_state=0).n_components
    2
    """
    seed, source = seed_of(random_state), as_source(X)
    rows, held_out = hold_out(source, ASIDE, mix(seed, 3))
    if held_out is None:
        raise ValueError(f"X has {len(source)} rows, too few to set some aside and measure errors on them")
    if not tolerance > 0:
        raise ValueError(f"tolerance must be a number > 0, got {tolerance!r}")
    statistics = compute_statistics(rows)
    n_varying = int((~statistics.constant).sum())
    widest = _widest(max_components, n_varying)
    estimator = _robust(statistics, source.schema) if estimator is None else estimator
    model = _nested(estimator, widest).set_params(random_state=seed).fit(rows).module_
    errors = _errors(model, held_out, widest)
    return _judge(errors, n_varying, tolerance, np.random.default_rng(mix(seed, 4)))


def _widest(max_components: int | str, n_varying: int) -> int:
    most = max(1, n_varying - 1)
    if max_components == "auto":
        return min(WIDEST, most)
    if not (is_count(max_components) and int(max_components) <= most):
        raise ValueError(f'max_components must be "auto" or an integer from 1 to {most}, got {max_components!r}')
    return int(max_components)


def _robust(statistics: Statistics, schema: Schema) -> Autoencoder:
    """Make an estimator of heavy-tailed errors; what has levels has errors of its own."""
    # Errors of pixels count the same wherever they fall, as with the "auto" likelihood.
    of_numbers = StudentT(scale="shared", scaling="center") if statistics.are_pixels else StudentT()
    return Autoencoder(likelihood="auto" if schema.categorical else of_numbers)


def _nested(estimator: Autoencoder, widest: int) -> Autoencoder:
    """Return the estimator with a nested bottleneck, without labels and regularizers.

    Regularizers assume that all components are in use, but nested dropout sets some of them to 0.
    """
    whole = resolve(estimator.bottleneck, bottlenecks, Bottleneck)
    nested = whole if isinstance(whole, Nested) else Nested(whole)
    return clone(estimator).set_params(n_components=widest, bottleneck=nested, regularizers=(), conditional=False)


def _errors(model: Model, source: Source, widest: int) -> Values:
    """Mean squared error of the values of each row, by size, (n, n_sizes)."""

    def of_batch(x: Tensor, y: Tensor | None) -> Tensor:
        codes = model.centre(model.look(model.read(x)))
        kept = torch.ones(widest, widest, device=codes.device).tril()
        return torch.stack([_error(model, x, model.decode(codes * cut, y)) for cut in kept], 1)

    return run(model, of_batch, source)[0].astype(np.float64)


def _error(model: Model, x: Tensor, rebuilt: Tensor) -> Tensor:
    """Mean squared difference of each row in the likelihood's scaling, missing values left out."""
    known = torch.where(x.isnan(), rebuilt, x)
    wanted, got = (model.likelihood.encode(model.read(values)) for values in (known, rebuilt))
    return (wanted - got).square().flatten(1).mean(1)


def _judge(errors: Values, n_varying: int, tolerance: float, rng: np.random.Generator) -> CodeSizes:
    """Find the elbow of errors (n, n_sizes) of single rows, and how sure it is."""
    n, widest = errors.shape
    sizes = np.arange(1, widest + 1)
    free = 1 - sizes / n_varying if n_varying > 1 else np.ones(1)
    resamples = rng.multinomial(n, np.full(n, 1 / n), N_RESAMPLES) @ errors / n
    elbows = [_elbow(mean / free, tolerance) for mean in (errors.mean(0), *resamples)]
    low, high = np.quantile(elbows[1:], [0.05, 0.95], method="nearest")
    if elbows[0] == widest < n_varying - 1:
        what = f"the error still falls at {widest} components, the most that were tried; raise max_components"
        warnings.warn(what, stacklevel=3)
    means, stds = errors.mean(0), errors.std(0) / np.sqrt(n)
    return CodeSizes(elbows[0], (int(low), int(high)), sizes, means, stds, means / free)


def _elbow(noise: Values, tolerance: float) -> int:
    """Find the first size whose noise comes close to the least."""
    return 1 + int(np.argmax(noise <= (1 + tolerance) * noise.min()))
