"""The estimator that scores rows by their distance to normal rows."""

from collections.abc import Sequence
from math import inf
from numbers import Real
from typing import Any, Self, cast

import numpy as np
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils import Tags

from isthmus.ambient import with_own_settings
from isthmus.anomaly.bagged_autoencoders import BaggedAutoencoders, check_estimator
from isthmus.anomaly.coordinates import Points, RankGaussian, Standardisation, find_frequent_tokens, to_points
from isthmus.anomaly.distances import View, ViewScorer
from isthmus.anomaly.robust_scale import RobustScale
from isthmus.autoencoder import Autoencoder, Values
from isthmus.backbones import MLP
from isthmus.corruptions import Masking
from isthmus.data import Source
from isthmus.data.new_rows import check_feature_names, read_new_rows
from isthmus.data.streams.stream import Stream
from isthmus.data.validation import check_largest, complete_schema, compute_statistics
from isthmus.data.weights import split_off_weights
from isthmus.errors import InputTypeError
from isthmus.likelihoods import Gaussian
from isthmus.part import Configurable
from isthmus.randomness import mix, seed_of
from isthmus.schema import Schema
from isthmus.training import name_fit

# Training steps of the nets, and rows per net and step. Chosen on ADBench: more steps score the same within noise, see
# benchmarks/anomalies.py.
N_STEPS, BATCH_SIZE = 120, 128
# Units of the hidden layers on both sides of the code, which is not larger: a linear map between two layers has at most
# this rank. 64 is not tuned.
HIDDEN = 64
# Quantiles of held-out distances whose difference is the unit. Anomalies that are fewer than half hardly change them.
QUANTILES = (0.1, 0.5)
# Names of the views: checkpoints and files use them.
VIEWS = ("plain", "rank_gaussian")


@with_own_settings
class ExemplarDistance(MetaEstimatorMixin, Configurable):
    """Scores rows by their distance to normal rows, at two scales; in each view the larger distance decides.

    The coarse scale is the mean of two kinds of distances that work if many training rows are anomalies. One is the
    distance to small groups of training rows as nets reconstruct them, from the half of the rows that is most normal,
    as in robust estimates of a covariance. The other sums squared normal scores of the values, and is large in the
    tails of the columns. The fine scale is the distance to the nearest of all training rows. It finds more anomalies,
    but none that occur in groups. Distances are measured in two views, of standardised values and of values with normal
    scores, which have lighter tails. Each distance is standardised by the smaller half of the distances of held-out
    training rows, which anomalies hardly change.

    Parameters
    ----------
    estimator : Autoencoder or None, default=None
        Reconstructs rows; not conditional. None is a small masked autoencoder whose code has half as many components as
        the data, and at most 64. The kinds of columns in its ``schema`` are used; the nets get numbers.
    n_estimators : int, default=4
        Number of nets per view, at least 2; each is trained on half of the rows.
    weight : float, default=1.2
        Weight of the fine scale, at least 0. The default is a compromise between training rows with and without
        anomalies. A larger weight is better if no training row is an anomaly.
    random_state : int, RandomState or None, default=None
        Source of all random numbers.

    Attributes
    ----------
    held_out_scores_ : ndarray of shape (n_samples,)
        Score of every training row, by nets that were not trained on it and relative to other rows.
    schema_ : Schema
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if the data have column names.

    References
    ----------
    Liu, Ting and Zhou, Isolation forest, ICDM 2008: small samples isolate anomalies better. Ramaswamy, Rastogi and
    Shim, Efficient algorithms for mining outliers from large data sets, SIGMOD 2000: distances to nearest rows.
    Norouzi, Fleet and Norouzi, Exemplar VAE, NeurIPS 2020, arXiv:2004.04795: reconstructed training rows as centres.
    Rousseeuw, Least median of squares regression, Journal of the American Statistical Association 79, 1984: estimates
    from the half of the rows that fits best. Li et al., ECOD, IEEE TKDE 2022, arXiv:2201.00382: tails of columns.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import ExemplarDistance
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> model = ExemplarDistance(random_state=0).fit(X)
    >>> bool(model.score_samples([[0.0, 0.0, 0.0, 0.0]])[0] > model.score_samples([[0.0, 9.0, 0.0, 0.0]])[0])
    True
    """

    held_out_scores_: Values
    schema_: Schema
    n_features_in_: int
    _tokens: Values
    _view_scorers: tuple[ViewScorer, ...]
    _scale: RobustScale

    def __init__(
        self,
        estimator: Autoencoder | None = None,
        n_estimators: int = 4,
        *,
        weight: float = 1.2,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.weight = weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the nets, and keep training rows.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            In memory; NaN means missing. All values of an image or a window are coordinates, and the counts of
            frequent tokens of ``Texts``.
        y : ignored
            Not used; present for pipelines.
        sample_weight : array of shape (n_samples,), float or None, default=None
            Rows of weight 0 are left out, and have no held-out score. All other weights must be equal: distances to
            rows have no weights.

        Returns
        -------
        ExemplarDistance
            The fitted estimator itself.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid. Overlapping windows are not valid, because each has near
            neighbors.
        TypeError
            If the estimator is not an autoencoder, or the rows are a stream.
        """
        self._check_parameters()
        seed = seed_of(self.random_state)
        X, _, weight = split_off_weights(X, None, sample_weight)
        if weight is not None:
            raise ValueError(
                f"sample_weight of ExemplarDistance must be equal for all rows of a weight above 0, got weights from "
                f"{weight.min():g} to {weight.max():g}: distances to rows have no weights; use BaggedAutoencoders"
            )
        source, _ = (self.estimator or Autoencoder()).read_training_rows(X)
        _check_disjoint(source)
        statistics = compute_statistics(source)
        check_largest(source, statistics)
        schema = complete_schema(source.schema, statistics, False, None)
        tokens = find_frequent_tokens(source, schema)
        points = to_points(source, schema, tokens)
        standardisation = Standardisation.fit(points)
        ranks = RankGaussian.fit(points, standardisation)
        views: tuple[View, ...] = (standardisation, ranks)
        fitted = [
            ViewScorer.fit(view, points, self._make_ensemble(points, name), mix(seed, i))
            for i, (name, view) in enumerate(zip(VIEWS, views, strict=True))
        ]
        scorers, distances = zip(*fitted, strict=True)
        held_out = _stack_distances(ranks.tail_distances(points), distances)
        check_feature_names(self, X, reset=True)
        self.n_features_in_, self.schema_ = len(schema.fields) or schema.shape[0], schema
        self._tokens, self._view_scorers, self._scale = tokens, scorers, RobustScale.fit(held_out, *QUANTILES)
        self.held_out_scores_ = self._combine(held_out)
        return self

    def _check_parameters(self) -> None:
        check_estimator(self.estimator)
        if not (isinstance(self.weight, Real) and 0 <= float(self.weight) < inf):
            raise ValueError(f"weight must be a number >= 0, got {self.weight!r}")

    def _make_ensemble(self, points: Points, name: str) -> BaggedAutoencoders:
        """Make the nets of one view."""
        net = _small_net(*points.shape) if self.estimator is None else clone(self.estimator)
        return BaggedAutoencoders(name_fit(net, name), self.n_estimators)

    # Application

    def score_samples(self, X: Any) -> Values:
        """Score rows.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. NaN means missing.

        Returns
        -------
        ndarray of shape (n_samples,)
            Higher is more normal. Held-out training rows score about 0 at the median and 1 at the upper decile.
        """
        return self._combine(self._distances(to_points(self.read_rows(X), self.schema_, self._tokens)))

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
            Mean score.
        """
        return float(self.score_samples(X).mean())

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
        return read_new_rows(self, X)

    @property
    def _ranks(self) -> RankGaussian:
        return cast(RankGaussian, self._view_scorers[1].view)

    def _distances(self, points: Points) -> Points:
        """Return distances of new rows, (n, n_views, n_scales)."""
        tails = self._ranks.tail_distances(points)
        return _stack_distances(tails, [scorer.distances(points) for scorer in self._view_scorers])

    def _combine(self, distances: Points) -> Values:
        """Combine distances (n, n_views, n_scales) to scores: the mean over views of the larger of the two scales."""
        standardised = self._scale(distances)
        coarse, fine = standardised[..., :-1].mean(-1), standardised[..., -1]
        scores: Values = -np.maximum(coarse, self.weight * fine).mean(1)
        return scores

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags


def _stack_distances(tails: Points, views: Sequence[Points]) -> Points:
    """Put the distances (n,) of tails before those of each view, (n, n_views, n_scales)."""
    return np.stack([np.column_stack([tails, distances]) for distances in views], 1)


def _check_disjoint(source: Source) -> None:
    """Raise an error for rows that share values with others, or that are not in memory."""
    if isinstance(source, Stream):
        name = type(source).__name__
        raise InputTypeError(f"ExemplarDistance keeps rows in memory, and {name} is a stream; load its rows first")
    others = source.disjoint_from(np.array([len(source) // 2]))
    if len(others) < len(source) - 1:
        raise ValueError(
            f"rows of {type(source).__name__} share values with neighbouring rows, so that all are near another row; "
            "use windows that do not overlap, or score them by an Autoencoder or by BaggedAutoencoders"
        )


def _small_net(n_rows: int, n_coordinates: int) -> Autoencoder:
    """Make the default net, which is trained for about N_STEPS steps on any number of rows."""
    batch_size = max(1, min(BATCH_SIZE, n_rows // 2))
    return Autoencoder(
        min(HIDDEN, max(2, n_coordinates // 2)),
        backbone=MLP((HIDDEN,)),
        likelihood=Gaussian(),
        corruption=Masking((0.0, 0.8)),
        batch_size=batch_size,
        max_epochs=max(1, round(N_STEPS * batch_size / max(1, n_rows // 2))),
        learning_rate=5e-3,
    )
