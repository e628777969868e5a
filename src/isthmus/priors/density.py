"""Density estimators as priors."""

from copy import copy
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.part import Shape, Shapes, is_count
from isthmus.priors.base import Prior, Values
from isthmus.priors.estimators import ESTIMATORS, MIN_PER_CLUSTER, fit_estimator, is_estimator
from isthmus.randomness import N_SEEDS, numpy_seeded


class Density(Prior):
    """Density estimator that is fitted to codes after training.

    Conditional models have one estimator per label, because codes may depend on labels. A label with fewer than 10 rows
    uses an estimator of all rows. Models with continuous labels have a single estimator.

    Parameters
    ----------
    estimator : {"mixture", "kde", "flow"} or estimator, default="mixture"
        "mixture" is a mixture of 20 normal distributions, "kde" a kernel density with a cross-validated bandwidth,
        "flow" ``isthmus.priors.Flow``. Other estimators need ``fit(codes)``, ``sample(n)`` and ``get_params``;
        ``Autoencoder.score`` also needs ``score_samples(codes)``.
    n_candidates : int, default=1
        Number of rows that are drawn for each new row. With more than one, a discriminator is fitted to training rows
        and drawn rows after training, and chooses the new row among them [2]. Then ``log_prob`` is the density of the
        codes of all drawn rows, and not only of the chosen ones.
    n_sweeps : int, default=0
        Number of times that each category of a new row is drawn again given its other values, by a net that is fitted
        to training rows after training [3]. It has no effect on models with labels.

    Raises
    ------
    ValueError
        At ``build``, if the estimator is none of these, ``n_candidates`` is not a positive integer, or ``n_sweeps`` is
        not an integer of at least 0; in ``log_prob``, if the estimator has no ``score_samples``.

    References
    ----------
    [1] Ghosh et al., From variational to deterministic autoencoders, ICLR 2020, arXiv:1903.12436.
    [2] Azadi et al., Discriminator rejection sampling, ICLR 2019, arXiv:1810.06758.
    [3] Heckerman et al., Dependency networks for inference and data visualization, JMLR 1, 2000.

    Examples
    --------
    >>> from isthmus.priors import Density
    >>> from sklearn.mixture import GaussianMixture
    >>> Density(GaussianMixture(3))
    Density(estimator=GaussianMixture(n_components=3))
    """

    joint = False
    # One estimator for all rows or one for each label, and the fraction of rows of each.
    fitted: list[Any]
    frequencies: list[float]

    def __init__(self, estimator: Any = "mixture", n_candidates: int = 1, n_sweeps: int = 0) -> None:
        super().__init__()
        self.estimator = estimator
        self.n_candidates = n_candidates
        self.n_sweeps = n_sweeps

    def build(self, z_shape: Shape, shapes: Shapes) -> None:
        """Check the estimator."""
        expected = f"one of {sorted(ESTIMATORS)} or an estimator with fit, sample and get_params"
        self.require("estimator", lambda v: v in ESTIMATORS if isinstance(v, str) else is_estimator(v), expected)
        self.require("n_candidates", is_count, "a positive integer")
        self.require("n_sweeps", lambda v: is_count(v) or v == 0, "an integer of at least 0")
        self.z_shape, self.n_labels = z_shape, shapes.n_labels
        self.fitted, self.frequencies = [], []

    def fit(self, z: Tensor, y: Tensor | None, seed: int) -> None:
        """Fit an estimator to the codes, or one to the codes of each label."""
        # In float32, covariances can become singular by rounding.
        codes = z.flatten(1).cpu().numpy().astype(np.float64)
        if not self.n_labels or y is None:
            self.fitted, self.frequencies = [fit_estimator(self.estimator, codes, seed)], [1.0]
            return
        labels = y.argmax(-1).cpu().numpy()
        by_label = [codes[labels == label] for label in range(self.n_labels)]
        is_rare = [len(own) < MIN_PER_CLUSTER for own in by_label]
        pooled = fit_estimator(self.estimator, codes, seed) if any(is_rare) else None
        pairs = zip(by_label, is_rare, strict=True)
        self.fitted = [pooled if rare else fit_estimator(self.estimator, own, seed) for own, rare in pairs]
        self.frequencies = [len(own) / len(codes) for own in by_label]

    def log_prob(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return the log density, (n_draws, n), of the estimator of the label, or of the mixture over labels."""
        if getattr(self.fitted[0], "score_samples", None) is None:
            kind = type(self.fitted[0]).__name__
            raise ValueError(f"the density of prior {kind} is not known: it has no method score_samples, only sample")
        codes = z.flatten(2).flatten(0, 1).numpy(force=True).astype(np.float64)
        each = np.stack([estimator.score_samples(codes) for estimator in self.fitted], -1)
        log_probs = torch.from_numpy(each).to(z).unflatten(0, z.shape[:2])
        if y is None or len(self.fitted) == 1:
            return torch.logsumexp(log_probs + torch.tensor(self.frequencies).log().to(z), -1)
        return log_probs.gather(-1, y.argmax(-1).expand(z.shape[:2])[..., None])[..., 0]

    def sample(self, n: int, y: Tensor | None = None, temperature: float = 1.0) -> Tensor:
        """Draw z (n, *z_shape) with a seed from the global generator of torch; the temperature has no effect."""
        seed = int(torch.randint(N_SEEDS, ()))
        if len(self.fitted) == 1:
            codes = _draw(self.fitted[0], n, seed)
        else:
            codes = _draw_by_label(self.fitted, _draw_labels(self.frequencies, n, y, seed), seed)
        return torch.from_numpy(codes).unflatten(1, self.z_shape)


def _draw_labels(frequencies: list[float], n: int, y: Tensor | None, seed: int) -> Values:
    """Return given labels, or draw labels with their frequencies."""
    if y is not None:
        return y.argmax(-1).cpu().numpy()
    return np.random.default_rng(seed).choice(len(frequencies), size=n, p=frequencies)


def _draw_by_label(fitted: list[Any], labels: Values, seed: int) -> Values:
    groups = [(np.flatnonzero(labels == label), fitted[label]) for label in np.unique(labels)]
    codes = [_draw(estimator, len(rows), seed + i) for i, (rows, estimator) in enumerate(groups)]
    order = np.concatenate([rows for rows, _ in groups])
    drawn: Values = np.concatenate(codes)[np.argsort(order)]
    return drawn


def _draw(estimator: Any, n: int, seed: int) -> Values:
    """Draw codes (n, n_components) in random order from a fitted estimator with any signature of ``sample``."""
    if "random_state" in estimator.get_params(deep=False):
        drawn = copy(estimator).set_params(random_state=seed).sample(n)
    elif "random_state" in signature(estimator.sample).parameters:
        drawn = estimator.sample(n, random_state=seed)
    else:
        with numpy_seeded(seed):
            drawn = estimator.sample(n)
    # Mixtures return codes sorted by cluster, together with the cluster labels.
    codes: Values = np.asarray(drawn[0] if isinstance(drawn, tuple) else drawn)
    return np.random.default_rng(seed).permutation(codes)
