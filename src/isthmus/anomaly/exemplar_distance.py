"""The estimator that scores rows by how near they are to others."""

from math import inf
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import Tags

from isthmus.ambient import with_own_settings
from isthmus.anomaly.bagged_autoencoders import BaggedAutoencoders, check_net
from isthmus.anomaly.coordinates import Points, Scaling, Taming, points_of
from isthmus.anomaly.view_scorer import Side, Units, View
from isthmus.autoencoder import Autoencoder, Values
from isthmus.backbones import MLP
from isthmus.corruptions import Masking
from isthmus.data import Source
from isthmus.data.new_rows import check_feature_names, read_new_rows
from isthmus.data.streams.stream import Stream
from isthmus.data.validation import check_largest, complete_schema, compute_statistics
from isthmus.errors import InputTypeError
from isthmus.likelihoods import Gaussian
from isthmus.randomness import mix, seed_of
from isthmus.schema import Schema
from isthmus.training import with_checkpoint_folder

# Steps of the nets, and rows of each at a time.
N_STEPS, BATCH_SIZE = 120, 128


@with_own_settings
class ExemplarDistance(MetaEstimatorMixin, BaseEstimator):
    """Scores rows by how far they are off others, at two scales, of which the one that finds a row odder decides.

    Coarse: how far a row lies from a few training rows as nets rebuild them. A handful of rows rarely holds an anomaly,
    so this works where many anomalies are among the training rows. Fine: how far it lies from the nearest of all
    training rows, which sees more, but nothing of anomalies that come in groups. Each is measured in two views, with
    values as they are and with tamed tails, and in units of its own scatter on training rows that it has not seen.

    Parameters
    ----------
    estimator : Autoencoder or None, default=None
        The kind of net that rebuilds rows; not conditional. None is a small masked autoencoder whose code is half as
        wide as the data. Its ``schema`` says what the columns of a data frame are; the nets see numbers.
    n_estimators : int, default=4
        Nets of each view, from 2 on; each is trained on half of the rows.
    weight : float, default=1.15
        Of the fine scale, from 0 on. More is right where the training rows are known to be clean.
    random_state : int, RandomState or None, default=None
        Decides everything random.

    Attributes
    ----------
    held_out_scores_ : ndarray of shape (n_samples,)
        Score of every training row, by nets that have not seen it and by other rows.
    schema_ : Schema
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where the data had column names.

    References
    ----------
    Liu, Ting and Zhou, Isolation forest, ICDM 2008: why few rows at a time see more. Ramaswamy, Rastogi and Shim,
    Efficient algorithms for mining outliers from large data sets, SIGMOD 2000: the nearest row. Norouzi, Fleet and
    Norouzi, Exemplar VAE, NeurIPS 2020, arXiv:2004.04795: rebuilt training rows as the centres of a density.

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
    _sides: tuple[Side, ...]
    _units: Units

    def __init__(
        self,
        estimator: Autoencoder | None = None,
        n_estimators: int = 4,
        *,
        weight: float = 1.15,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.weight = weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn where rows are.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            In memory; NaN means missing. All values of an image or a window are coordinates.
        y : ignored

        Raises
        ------
        ValueError
            If a parameter or the data are not usable; the message names which. Windows that overlap are near to each
            other whatever they hold.
        TypeError
            If the estimator is not an autoencoder, or the rows are a stream.
        """
        self._check_parameters()
        seed = seed_of(self.random_state)
        source, _ = (self.estimator or Autoencoder())._read_to_fit(X, None)
        _check_apart(source)
        statistics = compute_statistics(source)
        check_largest(source, statistics)
        schema = complete_schema(source.schema, statistics, False, None)
        points = points_of(source, schema)
        plain = Scaling.of(points)
        views: list[View] = [plain, Taming.of(points, plain)]
        fitted = [
            Side.of(view, points, self._ensemble(points, type(view).__name__.lower()), mix(seed, i))
            for i, view in enumerate(views)
        ]
        sides, measured = zip(*fitted, strict=True)
        check_feature_names(self, X, reset=True)
        self.n_features_in_, self.schema_ = len(schema.fields) or schema.shape[0], schema
        self._sides, self._units = sides, Units.of(np.stack(measured, 1))
        self.held_out_scores_ = self._combine(np.stack(measured, 1))
        return self

    def _check_parameters(self) -> None:
        check_net(self.estimator)
        if not (isinstance(self.weight, Real) and 0 <= float(self.weight) < inf):
            raise ValueError(f"weight must be a number >= 0, got {self.weight!r}")

    def _ensemble(self, points: Points, name: str) -> BaggedAutoencoders:
        """Make the nets of one view."""
        net = _small_net(*points.shape) if self.estimator is None else clone(self.estimator)
        return BaggedAutoencoders(with_checkpoint_folder(net, name), self.n_estimators)

    # Using

    def score_samples(self, X: Any) -> Values:
        """Score rows.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,)
            Higher is more normal. 0 is usual, and -1 where the outer quarter of the training rows begins.
        """
        points = points_of(self._read(X), self.schema_)
        return self._combine(np.stack([side.measure(points) for side in self._sides], 1))

    def score(self, X: Any, y: Any = None) -> float:
        """Mean of ``score_samples``."""
        return float(self.score_samples(X).mean())

    def _read(self, X: Any) -> Source:
        return read_new_rows(self, X)

    def _combine(self, measured: Points) -> Values:
        """Join distances (n, n_sides, n_scales) to scores: in each view, the scale decides that finds a row odder."""
        odd = self._units(measured)
        coarse, fine = odd[..., :-1].mean(-1), odd[..., -1]
        scores: Values = -np.maximum(coarse, self.weight * fine).mean(1)
        return scores

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags


def _check_apart(source: Source) -> None:
    """Raise an error for rows that are near to others whatever they hold, or that are not in memory."""
    if isinstance(source, Stream):
        raise InputTypeError(
            f"ExemplarDistance keeps rows in memory, and {type(source).__name__} is a stream; load its rows first"
        )
    others = source.disjoint_from(np.array([len(source) // 2]))
    if len(others) < len(source) - 1:
        raise ValueError(
            f"rows of {type(source).__name__} share values with those beside them, so that none is far from all "
            "others; let them not overlap, or score them by an Autoencoder or BaggedAutoencoders"
        )


def _small_net(n_rows: int, n_coordinates: int) -> Autoencoder:
    """Make the net that rebuilds rows, and makes about as many steps on any number of them."""
    batch_size = max(1, min(BATCH_SIZE, n_rows // 2))
    return Autoencoder(
        max(2, n_coordinates // 2),
        backbone=MLP((64,)),
        likelihood=Gaussian(),
        corruption=Masking((0.0, 0.8)),
        batch_size=batch_size,
        max_epochs=max(1, round(N_STEPS * batch_size / max(1, n_rows // 2))),
        learning_rate=5e-3,
    )
