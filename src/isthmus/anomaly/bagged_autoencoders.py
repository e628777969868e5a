"""The estimator of many nets."""

from collections.abc import Callable
from numbers import Real
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from isthmus import backbones
from isthmus.ambient import with_own_settings
from isthmus.anomaly.parallel import Parallel
from isthmus.autoencoder import Autoencoder, Values
from isthmus.data.base import Source
from isthmus.data.bootstrap import make_bootstrap
from isthmus.data.tables.frames import label_columns
from isthmus.errors import InputTypeError
from isthmus.inference import rows_at_once, run
from isthmus.model import Model
from isthmus.part import is_count, resolve
from isthmus.randomness import mix, seed_of
from isthmus.schema import Schema
from isthmus.training import SINGLE_PROCESS, choose_batch_size, choose_max_epochs

# Rows whose mean addends of the score say what is usual.
N_EXPECT = 2_000


def check_net(estimator: Any) -> None:
    """Raise an error unless the estimator is an autoencoder that judges rows without labels, or None."""
    if not (estimator is None or isinstance(estimator, Autoencoder)):
        raise InputTypeError(f"estimator must be an Autoencoder or None, got {estimator!r}")
    if estimator is not None and estimator.conditional:
        raise ValueError("estimator must not be conditional: rows are scored without labels")


@with_own_settings
class BaggedAutoencoders(MetaEstimatorMixin, BaseEstimator):
    """Many autoencoders of one kind, trained at once on different rows, whose scores are averaged.

    The average of nets that are wrong in different ways is right more often than any of them, and every row is left out
    by some nets, whose scores of it are as those of new rows. All nets make one step together, as products of
    stacked weights where the backbone is fully connected. They share what a likelihood learns: scaling and scales.

    Parameters
    ----------
    estimator : Autoencoder or None, default=None
        The kind of net, how it is trained and on what device; not conditional. "auto" lengths are those for the rows of
        one net. Its ``validation_fraction``, ``patience``, ``density`` and ``random_state`` are not used.
    n_estimators : int, default=8
        Nets, from 2 on.
    max_samples : float or int, default=0.5
        Rows of each net: a share below 1, or a number, which is cut to half of the rows. Rows are dealt to folds, so
        that every row is left out by a net.
    random_state : int, RandomState or None, default=None
        Decides everything random.

    Attributes
    ----------
    estimator_ : Autoencoder
        The fitted nets side by side. Its methods take rows that are meant for one net each in turn.
    held_out_scores_ : ndarray of shape (n_samples,)
        Score of every training row: the mean over the nets that have not seen it.
    left_out_ : ndarray of bool of shape (n_estimators, n_samples)
        Rows that each net knows nothing of.
    module_ : Model
    schema_ : Schema
    history_ : list of dict
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where the data had column names.

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
    >>> bool((model.score_samples(X[:5] + 10) < model.held_out_scores_.min()).all())
    True
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
        """Learn from rows.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            In memory; NaN means missing.
        y : ignored
        sample_weight : array of shape (n_samples,), float or None, default=None
            As of ``Autoencoder.fit``. Rows of weight 0 have no held-out score.

        Raises
        ------
        ValueError
            If a parameter or the data are not usable; the message names which.
        TypeError
            If the estimator is not an autoencoder, or the rows are a stream.
        """
        source = self._fit_nets(X, sample_weight)
        scores = self._run(self._scores, source)[0].astype(np.float64)
        self.held_out_scores_ = np.average(scores, axis=1, weights=self.left_out_.T)
        some = np.random.default_rng(mix(self.estimator_.random_state, 5)).permutation(len(source))[:N_EXPECT]
        values, rest = self._run(
            self._addends, source.take(np.sort(some)).resample(mix(self.estimator_.random_state, 6))
        )
        self._expected = np.nanmean(values, 0), rest.mean()
        return self

    def _fit_nets(self, X: Any, sample_weight: Any = None) -> Source:
        """Train the nets, and return the rows."""
        self._check_parameters()
        seed = seed_of(self.random_state)
        nets = self._side_by_side(seed)
        source, _ = nets._read_to_fit(X, None, sample_weight)
        state = nets._start(source, None, None, seed, SINGLE_PROCESS)
        bags = make_bootstrap(source, self.n_estimators, self.max_samples, mix(seed, 3))
        n_each = len(bags) // self.n_estimators
        batch_size = choose_batch_size(nets.batch_size, n_each)
        max_epochs = choose_max_epochs(nets.max_epochs, n_each, batch_size)
        nets._train(state, bags, None, batch_size * self.n_estimators, max_epochs, seed, SINGLE_PROCESS)
        self.estimator_ = nets._finish(state, bags, seed, X)
        for name in {"n_features_in_", "feature_names_in_"} & set(vars(nets)):
            setattr(self, name, getattr(nets, name))
        self.left_out_ = bags.left_out.numpy()
        return source

    def _check_parameters(self) -> None:
        check_net(self.estimator)
        share = self.max_samples
        expectations = {
            "n_estimators": (is_count(self.n_estimators) and self.n_estimators > 1, "an integer from 2 on"),
            "max_samples": (
                is_count(share) or (isinstance(share, Real) and 0 < share < 1),
                "a share in (0, 1) or a positive integer",
            ),
        }
        for name, (holds, expected) in expectations.items():
            if not holds:
                raise ValueError(f"{name} must be {expected}, got {getattr(self, name)!r}")

    def _side_by_side(self, seed: int) -> Autoencoder:
        """Make the estimator whose backbone is all nets."""
        one = Autoencoder() if self.estimator is None else self.estimator
        one._check_parameters()
        backbone = Parallel(resolve(one.backbone, backbones, backbones.Backbone), self.n_estimators)
        return clone(one).set_params(backbone=backbone, density=None, random_state=seed)

    # Using

    def score_samples(self, X: Any) -> Values:
        """Score rows in nats; higher is more normal.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,), float64
            Mean over the nets of what ``Autoencoder.score_samples`` gives for each.
        """
        return self._run(lambda x: self._scores(x).mean(1), self._read(X))[0].astype(np.float64)

    def score(self, X: Any, y: Any = None) -> float:
        """Mean of ``score_samples``."""
        return float(self.score_samples(X).mean())

    def contributions(self, X: Any) -> Any:
        """Take the score apart: which values make a row odd.

        Returns
        -------
        ndarray or data frame of shape (n_samples, n_values + 2)
            A column a value: its log probability, as the nets have it on average, less what it is on training rows;
            "code", the same of what does not belong to a value; "base", the constants. Rows add up to
            ``score_samples``; missing values contribute 0.
        """
        source = self._read(X)
        values, rest = self._run(self._addends, source)
        expected, expected_rest = self._expected
        known = ~np.isnan(values)
        base = (known * expected).reshape(len(values), -1).sum(1) + expected_rest
        addends = np.where(known, values - expected, 0.0).reshape(len(values), -1)
        addends = np.column_stack([addends, rest - expected_rest, base])
        return label_columns(addends, source.schema, extra=("code", "base"))

    def divergence(self, X: Any) -> Values:
        """Mean divergence of the nets' codes from their prior, (n_samples,) in nats, from the encoders alone."""
        rows = self._read(X)
        return self._run(lambda x: self._by_net(self.module_.divergence(self._for_each(x))).mean(1), rows)[0]

    def reconstruct(self, X: Any) -> Any:
        """Rows as the nets rebuild them: means of numbers, the most frequent levels; missing values are filled."""
        source = self._read(X)
        rebuilt = self._run(lambda x: self._consensus(self._rebuilt(x)), source)[0]
        return source.to_container(rebuilt)

    def reconstruct_each(self, X: Any) -> Values:
        """Rows as each net rebuilds them, (n_samples, n_estimators, ...)."""
        return self._run(self._rebuilt, self._read(X))[0]

    # How

    @property
    def module_(self) -> Model:
        """The fitted torch module, of all nets."""
        return self._fitted().module_

    @property
    def schema_(self) -> Schema:
        """What one sample looks like."""
        return self._fitted().schema_

    @property
    def history_(self) -> list[dict[str, float]]:
        """One row an epoch, means over the nets."""
        return self._fitted().history_

    def _fitted(self) -> Autoencoder:
        check_is_fitted(self)
        return self.estimator_

    def _read(self, X: Any) -> Source:
        return self._fitted()._read(X)

    def _run(self, function: Callable[[Tensor], Any], source: Source) -> tuple[Values, ...]:
        """Apply a function of raw values to all rows, fewer at a time the more often each is looked at."""
        size = max(1, rows_at_once(self.module_) // self.module_.n_nets)
        return run(self.module_, lambda x, y: function(x), source, size)

    def _scores(self, x: Tensor) -> Tensor:
        """Score of raw values by each net, (n, n_nets)."""
        return self._by_net(self.module_.score(self._for_each(x)))

    def _addends(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the score adds up, means over the nets: that of each value, NaN where it is missing, and the rest."""
        values, divergence = map(self._by_net, self.module_.plug_in(self._for_each(x)))
        return torch.where(x.isnan(), torch.nan, values.mean(1)), -divergence.mean(1)

    def _rebuilt(self, x: Tensor) -> Tensor:
        return self._by_net(self.module_.reconstruct(self._for_each(x)))

    def _for_each(self, x: Tensor) -> Tensor:
        return x.repeat_interleave(self.module_.n_nets, 0)

    def _by_net(self, results: Tensor) -> Tensor:
        return results.unflatten(0, (-1, self.module_.n_nets))

    def _consensus(self, each: Tensor) -> Tensor:
        values = each.mean(1)
        values[:, self.schema_.categorical] = each[:, :, self.schema_.categorical].mode(1).values
        return values

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags
