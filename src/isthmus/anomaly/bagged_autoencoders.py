"""An ensemble of autoencoders that are trained on different rows."""

from collections.abc import Callable
from dataclasses import replace
from numbers import Real
from typing import Any, Self, cast

import numpy as np
import torch
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from isthmus import backbones
from isthmus.ambient import with_own_settings
from isthmus.anomaly.parallel import Parallel, find_consensus
from isthmus.assembly import check_parameters
from isthmus.autoencoder import Autoencoder, Values
from isthmus.data.base import Source
from isthmus.data.bootstrap import make_bootstrap
from isthmus.data.tables.frames import label_columns
from isthmus.errors import require_type
from isthmus.inference import rows_at_once, run
from isthmus.model import Model, scoring
from isthmus.part import Configurable, is_count, resolve
from isthmus.priors import resolve_prior
from isthmus.randomness import mix, seed_of
from isthmus.schema import Schema

# Training rows from which the usual contribution of each value is estimated: its standard error is 2 % of a deviation.
N_REFERENCE = 2_000


def check_estimator(estimator: Any) -> None:
    """Raise an error unless the estimator is None or an autoencoder that scores rows without labels."""
    require_type("estimator", estimator, Autoencoder | None, "an Autoencoder or None")
    if estimator is not None and estimator.conditional:
        raise ValueError("estimator must not be conditional: rows are scored without labels")


@with_own_settings
class BaggedAutoencoders(MetaEstimatorMixin, Configurable):
    """Autoencoders of one kind, trained at the same time on different rows, whose scores are averaged.

    The mean over nets with different errors is more accurate than a single net. Each row is left out by some of the
    nets, which score it as they score new rows. All nets make each training step together: the weights of fully
    connected backbones are stacked. Each net has its own pseudo-inputs of ``Vamp`` and dead components of ``TopK``. The
    nets share what other parts learn: scaling and noise scales of the likelihood, the codebook of ``VectorQuantized``,
    the prior of ``Ladder``, and the discriminator of ``Adversarial``, which reads the codes of all nets.

    Parameters
    ----------
    estimator : Autoencoder or None, default=None
        The net, its training and its device; not conditional. "auto" values depend on the number of rows of one net;
        that of ``likelihood`` is "density". ``validation_fraction``, ``patience`` and ``random_state`` are ignored, and
        so is a ``prior`` that is fitted after training, which only ``sample`` and bounds use.
    n_estimators : int, default=8
        Number of nets, at least 2.
    max_samples : float or int, default=0.5
        Rows of each net: a share below 1, or a number, at most half of the rows. Rows are assigned by folds, so that
        every row is left out by some net.
    random_state : int, RandomState or None, default=None
        Source of all random numbers.

    Attributes
    ----------
    estimator_ : Autoencoder
        All fitted nets as one autoencoder. Row i of its input goes through net i % n_estimators.
    held_out_scores_ : ndarray of shape (n_samples,)
        Score of each training row: the mean over the nets that were not trained on it.
    left_out_ : ndarray of bool of shape (n_estimators, n_samples)
        Rows that each net was not trained on.
    module_ : Model
    schema_ : Schema
    history_ : list of dict
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if the data have column names.

    References
    ----------
    Breiman, Bagging predictors, Machine Learning 24, 1996. Chen, Sathe, Aggarwal and Turaga, Outlier detection with
    autoencoder ensembles, SDM 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder, BaggedAutoencoders
    >>> X = load_digits().data
    >>> model = BaggedAutoencoders(Autoencoder(4, max_epochs=5), 4, random_state=0).fit(X)
    >>> model.score_samples(X).shape
    (1797,)
    """

    estimator_: Autoencoder
    held_out_scores_: Values
    left_out_: Values
    n_features_in_: int

    def __init__(
        self,
        estimator: Autoencoder | None = None,
        n_estimators: int = 8,
        *,
        max_samples: float = 0.5,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.max_samples = max_samples
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train the nets.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            In memory; NaN means missing.
        y : ignored
            Not used; present for pipelines.
        sample_weight : array of shape (n_samples,), float or None, default=None
            As in ``Autoencoder.fit``. Rows of weight 0 are left out, and have no held-out score.

        Returns
        -------
        BaggedAutoencoders
            The fitted estimator itself.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid.
        TypeError
            If the estimator is not an autoencoder, or the rows are a stream.
        """
        source = self._fit_nets(X, sample_weight)
        scores = self._run(self._scores, source)[0].astype(np.float64)
        self.held_out_scores_ = np.average(scores, axis=1, weights=self.left_out_.T)
        seed = self.estimator_.random_state
        sample = np.sort(np.random.default_rng(mix(seed, 5)).permutation(len(source))[:N_REFERENCE])
        values, rest = self._run(self._addends, source.take(sample).resample(mix(seed, 6)))
        self._expected = np.nanmean(values, 0), rest.mean()
        return self

    def _fit_nets(self, X: Any, sample_weight: Any = None) -> Source:
        """Train the nets, and return the training rows."""
        self._check_parameters()
        seed = seed_of(self.random_state)
        nets = self._make_parallel(seed)
        problem = nets.prepare(X, None, sample_weight, validate=False)
        source = cast(Source, problem.rows)
        bags = make_bootstrap(source, self.n_estimators, self.max_samples, mix(seed, 3))
        settings = nets.make_settings(problem.state.model, len(bags) // self.n_estimators, seed)
        settings = replace(settings, batch_size=settings.batch_size * self.n_estimators)
        problem = problem._replace(rows=bags, finalize_rows=bags, settings=settings)
        nets.train(problem)
        self.estimator_ = nets.adopt(problem)
        self.estimator_.n_samples_fit_ = len(source)
        for name in {"n_features_in_", "feature_names_in_"} & set(vars(nets)):
            setattr(self, name, getattr(nets, name))
        self.left_out_ = bags.left_out.numpy()
        return source

    def _check_parameters(self) -> None:
        check_estimator(self.estimator)
        share = self.max_samples
        expectations = {
            "n_estimators": (is_count(self.n_estimators) and self.n_estimators > 1, "an integer >= 2"),
            "max_samples": (
                is_count(share) or (isinstance(share, Real) and 0 < share < 1),
                "a share in (0, 1) or a positive integer",
            ),
        }
        for name, (holds, expected) in expectations.items():
            if not holds:
                raise ValueError(f"{name} must be {expected}, got {getattr(self, name)!r}")

    def _make_parallel(self, seed: int) -> Autoencoder:
        """Make one autoencoder whose backbone holds all nets."""
        one = Autoencoder() if self.estimator is None else self.estimator
        check_parameters(one)
        backbone = Parallel(resolve(one.backbone, backbones, backbones.Backbone), self.n_estimators)
        prior = None if one.prior is None else resolve_prior(one.prior)
        prior = prior if prior is None or prior.joint else None
        return clone(one).set_params(backbone=backbone, prior=prior, random_state=seed)

    # Application

    def score_samples(self, X: Any) -> Values:
        """Score rows in nats; higher is more normal.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. NaN means missing.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            Mean over the nets of ``Autoencoder.score_samples``.
        """
        return self._run(lambda x: self._scores(x).mean(1), self.read_rows(X))[0].astype(np.float64)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of ``score_samples``.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. NaN means missing.
        y : object, default=None
            Not used; present for pipelines.

        Returns
        -------
        float
            Mean score in nats.
        """
        return float(self.score_samples(X).mean())

    def contributions(self, X: Any) -> Any:
        """Return the contribution of each value to the score.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. NaN means missing.

        Returns
        -------
        ndarray or data frame of shape (n_samples, n_values + 2)
            For each value its log probability, as a mean over the nets, minus its mean over training rows; "code", the
            same for the divergence of the code; "base", the means. Each row adds up to ``score_samples``; missing
            values contribute 0.
        """
        source = self.read_rows(X)
        values, rest = self._run(self._addends, source)
        expected, expected_rest = self._expected
        known = ~np.isnan(values)
        base = (known * expected).reshape(len(values), -1).sum(1) + expected_rest
        addends = np.where(known, values - expected, 0.0).reshape(len(values), -1)
        addends = np.column_stack([addends, rest - expected_rest, base])
        return label_columns(addends, source.schema, extra=("code", "base"))

    def divergence(self, X: Any) -> Values:
        """Return the mean over the nets of the divergence of the code from its prior.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. NaN means missing.

        Returns
        -------
        ndarray of shape (n_samples,)
            Divergences in nats.

        Raises
        ------
        ValueError
            If codes are deterministic.
        """
        rows = self.read_rows(X)
        return self._run(lambda x: self._split_nets(scoring.divergence(self.module_, self._repeat(x))).mean(1), rows)[0]

    def reconstruct(self, X: Any) -> Any:
        """Reconstruct rows by the mean over the nets, or the most frequent category; missing values are filled.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. NaN means missing.

        Returns
        -------
        array or data frame
            Reconstructions, in the container of ``X``.
        """
        source = self.read_rows(X)
        rebuilt = self._run(lambda x: find_consensus(self._reconstruct(x), self.schema_), source)[0]
        return source.to_container(rebuilt)

    def reconstruct_each(self, X: Any) -> Values:
        """Reconstruct rows by each net.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. NaN means missing.

        Returns
        -------
        ndarray of shape (n_samples, n_estimators, ...)
            Reconstructions as numbers.
        """
        return self._run(self._reconstruct, self.read_rows(X))[0]

    # Helpers

    @property
    def module_(self) -> Model:
        """The fitted torch module of all nets."""
        return self._fitted().module_

    @property
    def schema_(self) -> Schema:
        """The schema of one sample."""
        return self._fitted().schema_

    @property
    def history_(self) -> list[dict[str, float]]:
        """Means over the nets, one dict per epoch."""
        return self._fitted().history_

    def _fitted(self) -> Autoencoder:
        check_is_fitted(self)
        return self.estimator_

    def read_rows(self, X: Any) -> Source:
        """Make a source of new rows, and compare it with the rows of ``fit``.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows.

        Returns
        -------
        Source
            The rows as tensors.
        """
        return self._fitted().read_rows(X)

    def _run(self, function: Callable[[Tensor], Any], source: Source) -> tuple[Values, ...]:
        """Apply a function of raw values to all rows, in batches that are smaller for more nets."""
        size = max(1, rows_at_once(self.module_) // self.module_.n_nets)
        return run(self.module_, lambda x, y: function(x), source, size)

    def _scores(self, x: Tensor) -> Tensor:
        """Score raw values by each net, (n, n_nets)."""
        return self._split_nets(scoring.score(self.module_, self._repeat(x)))

    def _addends(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the addends of the score, as means over the nets: of each value, NaN if missing, and of the code."""
        values, divergence = map(self._split_nets, scoring.log_prob_at_mean(self.module_, self._repeat(x)))
        return torch.where(x.isnan(), torch.nan, values.mean(1)), -divergence.mean(1)

    def _reconstruct(self, x: Tensor) -> Tensor:
        return self._split_nets(self.module_.reconstruct(self._repeat(x)))

    def _repeat(self, x: Tensor) -> Tensor:
        return x.repeat_interleave(self.module_.n_nets, 0)

    def _split_nets(self, results: Tensor) -> Tensor:
        return results.unflatten(0, (-1, self.module_.n_nets))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags
