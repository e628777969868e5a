"""Simple models that a fitted one should surpass: one distribution for all rows, and PCA with codes of its size."""

from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm
from sklearn.decomposition import PCA

from isthmus.autoencoder import Autoencoder
from isthmus.baselines.bounds import log_likelihood_without_code
from isthmus.bottlenecks import Deterministic
from isthmus.bottlenecks import Gaussian as GaussianCode
from isthmus.corruptions import predicts_hidden_cells
from isthmus.data import Source
from isthmus.doctor.rows import Values
from isthmus.likelihoods import Gaussian
from isthmus.priors import Normal

# Standard errors on both sides of a mean in an interval.
N_ERRORS = 3.0
# Nats per value by which a simple model must be better. Chosen on synthetic data.
MIN_GAIN = 0.02
# Smallest standard deviation of noise, relative to that of the column: that of the likelihoods of isthmus.
MIN_NOISE = 0.01


class BetterModel(NamedTuple):
    """A simple model, and how much higher the mean log likelihood of rows is under it, with an interval, in nats."""

    name: str
    gain: float
    low: float
    high: float


def list_better_models(model: Autoencoder, known: Source, rows: Source) -> list[BetterModel]:
    """Return the simple models, fitted to known rows, under which other rows are clearly more likely."""
    module = model.module_
    if not is_compared(model):
        return []
    own = model.bounds(rows) if module.bottleneck.stochastic else model.score_samples(rows)
    others = {"one distribution for all rows": log_likelihood_without_code(module, known, rows)}
    if _is_nonlinear_pca(model):
        others["PCA with a code of the same size"] = _log_likelihood_of_pca(model, known, rows)
    compared = [_compare(name, other - own) for name, other in others.items()]
    return [each for each in compared if each.low > MIN_GAIN * np.prod(module.schema.shape)]


def is_compared(model: Autoencoder) -> bool:
    """Whether simple models have the same aim.

    Models that are trained to fill hidden cells or on a weighted divergence have not, and neither have decoders that
    read earlier values.
    """
    module = model.module_
    weighted = getattr(module.bottleneck, "beta", 1.0) != 1.0
    return not (module.backbone.autoregressive or weighted or predicts_hidden_cells(module.corruption))


def _compare(name: str, gains: Values) -> BetterModel:
    mean, half = float(gains.mean()), float(N_ERRORS * gains.std() / np.sqrt(len(gains)))
    return BetterModel(name, mean, mean - half, mean + half)


def _is_nonlinear_pca(model: Autoencoder) -> bool:
    """Whether rows are complete, noise is normal, and the code is smaller than a row and not penalized otherwise."""
    module = model.module_
    bottleneck, size = module.bottleneck, np.prod(module.schema.shape)
    plain = isinstance(bottleneck, Deterministic) and bottleneck.activation is None
    normal = isinstance(bottleneck, GaussianCode) and isinstance(bottleneck.prior, Normal)
    changed = len(module.regularizers) or module.corruption is not None or module.has_missing or module.labels.width
    # A fixed scale is not compared with one that is fitted.
    is_normal = isinstance(module.likelihood, Gaussian) and isinstance(module.likelihood.scale, str)
    return bool((plain or normal) and is_normal and bottleneck.code_size < size and not (changed or module.trim))


def _log_likelihood_of_pca(model: Autoencoder, known: Source, rows: Source) -> Values:
    """Return the log likelihood of rows under PCA, (n,), with the noise of the model's likelihood.

    With deterministic codes it is conditional on the principal components, as the score of the model. With random codes
    it is that of probabilistic PCA (Tipping and Bishop, Probabilistic principal component analysis, JRSS B 61, 1999).
    """
    matrix, values = _read_values(known), _read_values(rows)
    matrix = matrix[::2] if rows is known else matrix  # some rows must be new to PCA
    shared = model.module_.likelihood.scale == "shared"
    deviation = matrix.std() if shared else matrix.std(0)
    center, unit = matrix.mean(0), np.where(deviation > 0, deviation, 1.0) * np.ones(matrix.shape[1])
    matrix, values = (matrix - center) / unit, (values - center) / unit
    pca = PCA(min(model.module_.bottleneck.code_size, len(matrix) - 1), random_state=0).fit(matrix)
    if model.module_.bottleneck.stochastic:
        return np.asarray(pca.score_samples(values) - np.log(unit).sum())
    errors, own = (each - pca.inverse_transform(pca.transform(each)) for each in (values, matrix))
    noise = np.maximum(own.std() if shared else own.std(0), MIN_NOISE)
    return np.asarray(norm.logpdf(errors, scale=noise).sum(1) - np.log(unit).sum())


def _read_values(rows: Source) -> Any:
    return next(rows.batches(len(rows))).x.flatten(1).double().numpy()
