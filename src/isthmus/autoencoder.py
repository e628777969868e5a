"""The estimator, which connects data, model and training."""

import math
import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from numbers import Real
from typing import Any, Self, cast

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from isthmus.ambient import with_own_settings
from isthmus.assembly import build_model, check_parameters, choose_likelihood
from isthmus.data import Source, as_source, decode, hold_out, with_labels
from isthmus.data.new_rows import check_feature_names, read_new_rows
from isthmus.data.tables.frames import label_columns
from isthmus.data.tables.given import encode_given
from isthmus.data.tables.parseable import find_parseable_columns
from isthmus.data.tables.rules import find_rules
from isthmus.data.validation import check_cells, check_distance, check_source, complete_schema, compute_statistics
from isthmus.data.weights import split_off_weights
from isthmus.formatting import list_texts
from isthmus.generation import decode_codes, draw_missing, draw_rows, expect_missing, finalize, mask_values
from isthmus.inference import rows_at_once, run
from isthmus.likelihoods.base import MAX_DEVIATIONS
from isthmus.model import Model, scoring
from isthmus.part import Configurable, is_count
from isthmus.problem import Problem, Reservoir
from isthmus.randomness import mix, seed_of, seeded
from isthmus.schema import Condition, Schema
from isthmus.schema.implications import intersect_rules
from isthmus.statistics import Statistics
from isthmus.training import (
    SINGLE_PROCESS,
    Group,
    TrainSettings,
    TrainState,
    choose_batch_size,
    choose_device,
    choose_learning_rate,
    choose_max_epochs,
    choose_n_steps,
    choose_patience,
    copy_weights,
    make_optimizer,
    show_progress,
    start_callbacks,
    train,
)
from isthmus.training.fit_tasks import CallbackSupportMixin, FitTasks, with_callbacks

Values = np.ndarray[Any, Any]

# Draws of the code in ``score``. More draws take longer and make the bound tighter; with 8, it is at most 0.16 nats
# below the exact log likelihood of probabilistic PCA (tests/test_score.py).
N_SCORE_DRAWS = 8


@with_own_settings
class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, CallbackSupportMixin, Configurable):
    """Autoencoder: encodes data as low-dimensional codes and reconstructs data from codes.

    The estimator is composed of parts; ``isthmus.zoo`` has well-known compositions by name. Parts are given by name
    (``"gaussian"``) or as instances (``Gaussian(beta=4.0)``). Their parameters are nested parameters, such as
    ``bottleneck__beta``.

    Parameters
    ----------
    n_components : int, default=2
        Number of components of the code.
    backbone : str or Backbone, default="mlp"
        Encoder and decoder nets: ``isthmus.backbones``. "auto" chooses ``MLP`` for vectors, ``Conv`` for series, images
        and volumes, and ``Recurrent`` for tokens.
    bottleneck : str or Bottleneck, default="deterministic"
        Distribution of the code and its cost: ``isthmus.bottlenecks``.
    likelihood : str or Likelihood, default="auto"
        Distribution of the values given the code: ``isthmus.likelihoods``. "auto" chooses ``Bernoulli`` for values in
        {0, 1}, ``Gaussian`` with one shared scale for values with a common range (pixels), ``Gaussian`` with one scale
        per feature for other arrays, and a likelihood per column for data frames. With a deterministic bottleneck and
        without regularizers and corruption, errors of numbers have similar weights (``Gaussian.beta``); "density"
        maximizes log densities there too, as detectors need.
    schema : dict, Schema or None, default=None
        Kinds of columns of a data frame by name, such as ``{"zip": "category"}``, which override detection from the
        values; or a complete schema. Kinds are "real", "positive", "count", "binary", "category", "ordered", "date",
        and for columns to leave out "identifier", "constant", "text".
    regularizers : Regularizer or tuple of them, default=()
        Additional terms of the loss: ``isthmus.regularizers``.
    corruption : str, Corruption, callable or None, default=None
        Corruption of the encoder input in training: ``isthmus.corruptions``.
    conditional : bool, default=False
        Whether the decoder receives the label ``y`` in addition to the code. The encoder never receives it.
    prior : str, Prior, estimator or None, default=None
        Distribution of codes in ``sample``: ``isthmus.priors``. None uses the default of the bottleneck: the standard
        normal distribution, or for deterministic codes a normal distribution with their moments; ``Adversarial`` makes
        it standard normal. "mixture", "kde", "flow" and density estimators of scikit-learn are fitted to the codes
        after training, in conditional models for each label.
    trim : float, default=0.0
        Fraction of the rows of each batch, those with the largest loss, that training ignores. Robust to contaminated
        rows (least trimmed squares: Rousseeuw, JASA 79, 1984).
    optimizer : {"adamw", "adam", "sgd"} or callable, default="adamw"
    schedule : {"one_cycle", "constant"}, default="one_cycle"
        Schedule of the learning rate.
    max_epochs : int or "auto", default="auto"
        "auto" makes about 3,500 steps, or fewer, but at least 1,000, for larger learning rates without noise.
    batch_size : int or "auto", default="auto"
        Rows of a training step. "auto" is between 16 for few rows and 4,096 for 10 million rows.
    learning_rate : float or "auto", default="auto"
        Largest learning rate of the schedule. "auto" is 1 / width for fully connected nets, between 2e-3 and 2e-2,
        3.5e-3 for convolutional nets, and 2e-3 for others.
    weight_decay : float, default=0.0
        Strength of the decay of weights; biases, norms and log scales do not decay.
    validation_fraction : float, default=0.1
        Fraction of the rows held out for validation; fewer than 5 such rows are not held out.
    patience : int, "auto" or None, default="auto"
        Epochs without improvement before training stops. "auto" is a quarter of the epochs, at least 10; None never
        stops early.
    device : str or torch.device, default="auto"
        "auto" takes an accelerator that torch finds (CUDA, XPU or MPS) if training on it is estimated to be faster than
        on the processor, where small nets stay.
    precision : {"auto", "float32", "float64", "bfloat16"}, default="auto"
        "auto" trains in bfloat16 on hardware that is faster with it. Results are always computed in float32, or in
        float64 with "float64".
    compile : bool, default=False
        Whether to compile the training step with ``torch.compile``.
    callbacks : sequence of callables, default=()
        Called with the ``TrainState`` after every epoch; a true return value stops the training. Those that are
        ``isthmus.training.Callback``, such as ``isthmus.Checkpoint`` and the classes of ``isthmus.tracking``, also know
        its start and end. Callbacks of scikit-learn 1.9 are set by ``set_callbacks``.
    random_state : int, RandomState or None, default=None
        Source of all random numbers. Global generators are not changed.
    verbose : int, default=0
        1 shows a progress bar, 2 prints one line per epoch.

    Attributes
    ----------
    schema_ : Schema
        Shape, columns and kinds of values of a sample.
    history_ : list of dict
        One entry per epoch: loss terms in nats per sample, learning rate, seconds.
    n_features_in_ : int
    n_samples_fit_ : int
        Number of rows that were given to ``fit``, or to all calls of ``partial_fit``.
    feature_names_in_ : ndarray of str
        Column names; only defined if the data had them.
    likelihood_ : Likelihood
        The likelihood that was chosen.
    module_ : Model
        The fitted torch module.

    References
    ----------
    Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 313, 2006.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder
    >>> X = load_digits().data
    >>> model = Autoencoder(8, max_epochs=5, random_state=0).fit(X)
    >>> model.transform(X).shape
    (1797, 8)
    >>> model.reconstruct(X).shape
    (1797, 64)
    """

    schema_: Schema
    history_: list[dict[str, float]]
    n_features_in_: int
    n_samples_fit_: int
    module_: Model
    _state: TrainState | None
    _reservoir: Reservoir

    def __init__(
        self,
        n_components: int = 2,
        *,
        backbone: Any = "mlp",
        bottleneck: Any = "deterministic",
        likelihood: Any = "auto",
        schema: Any = None,
        regularizers: Any = (),
        corruption: Any = None,
        conditional: bool = False,
        prior: Any = None,
        trim: float = 0.0,
        optimizer: Any = "adamw",
        schedule: str = "one_cycle",
        max_epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        weight_decay: float = 0.0,
        validation_fraction: float = 0.1,
        patience: int | str | None = "auto",
        device: Any = "auto",
        precision: str = "auto",
        compile: bool = False,
        callbacks: Sequence[Callable[[TrainState], Any]] = (),
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.backbone = backbone
        self.bottleneck = bottleneck
        self.likelihood = likelihood
        self.schema = schema
        self.regularizers = regularizers
        self.corruption = corruption
        self.conditional = conditional
        self.prior = prior
        self.trim = trim
        self.optimizer = optimizer
        self.schedule = schedule
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.device = device
        self.precision = precision
        self.compile = compile
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    # Fitting

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the autoencoder to rows.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            NaN means missing. ``isthmus.data.Parquet`` and ``Chunks`` are sources larger than memory.
        y : array of shape (n_samples,) or None, default=None
            Labels; only used by a conditional model.
        sample_weight : array of shape (n_samples,), float or None, default=None
            Weights >= 0 of rows in memory. They multiply the contributions of a row to the loss, to the validation
            bound and to the statistics that scale the data. Only their ratios matter. A row of weight 0 has no
            influence; a row of weight 2 counts as two equal rows, on average over the order of training. Terms of a
            whole batch, such as ``KLSparsity``, batch normalization and the codebook of ``VectorQuantized`` do not use
            weights.

        Returns
        -------
        Autoencoder
            The fitted estimator itself.

        Raises
        ------
        ValueError
            If a parameter or the data are invalid; the message names the parameter or column.
        """
        problem = self.prepare(X, y, sample_weight)
        self.train(problem)
        return self.adopt(problem)

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch on rows at a constant learning rate. The first call determines schema and scaling.

        Parameters are as in ``fit``; only ratios of weights within a call matter. The steps after training, such as the
        fit of a prior, use a random sample of the rows of all calls. After ``fit`` or ``load``, these steps are skipped
        until the sample has as many rows as they used before.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. NaN means missing.
        y : array of shape (n_samples,) or None, default=None
            Labels; only used by a conditional model.
        sample_weight : array of shape (n_samples,), float or None, default=None
            Weights of the rows.

        Returns
        -------
        Autoencoder
            The fitted estimator itself.
        """
        prepare = self._prepare_next if "module_" in vars(self) else self._prepare_first
        problem, n_before = prepare(X, y, sample_weight), vars(self).get("n_samples_fit_", 0)
        with problem.state.restore_on_error():
            self.train(problem)
            module, reservoir = cast(Model, problem.state.model), copy(self._reservoir)
            reservoir.add(problem.rows, module.schema, mix(problem.settings.seed, 4))
            sample = reservoir.as_batches(module.schema) if len(reservoir) >= int(module.n_finalized) else None
            self.adopt(problem._replace(finalize_rows=sample))
        self._state, self._reservoir = problem.state, reservoir
        self.n_samples_fit_ += n_before
        return self

    # Training in steps

    def prepare(self, X: Any, y: Any = None, sample_weight: Any = None, validate: bool = True) -> Problem:
        """Read rows as ``fit`` does, and build model and optimizer. ``fit`` calls ``prepare``, ``train`` and ``adopt``.

        Parameters
        ----------
        X : object
            As in ``fit``.
        y, sample_weight : object, default=None
            As in ``fit``.
        validate : bool, default=True
            Whether to hold out rows by ``validation_fraction``.

        Returns
        -------
        Problem
            Model, optimizer, rows and settings. Rows and settings may be replaced before ``train``.
        """
        check_parameters(self)
        group = Group.current()
        seed = group.gather(seed_of(self.random_state))[0]
        source, condition = self.read_training_rows(X, y, sample_weight)
        rows, valid = hold_out(source, self.validation_fraction if validate else 0.0, mix(seed, 1))
        state = self._build_state(rows, valid, condition, seed, group)
        settings = self.make_settings(state.model, len(rows), seed)
        return Problem(state, rows, valid, settings, group, X, y, sample_weight, finalize_rows=rows)

    def make_settings(self, model: torch.nn.Module, n_rows: int, seed: int) -> TrainSettings:
        """Return the settings of training a model on ``n_rows`` rows.

        Parameters
        ----------
        model : Model
            The model to train, which determines learning rate and number of steps.
        n_rows : int
            Number of training rows.
        seed : int
            Seed of all random numbers of the training.

        Returns
        -------
        TrainSettings
            The parameters of the estimator, with numbers instead of "auto".
        """
        batch_size = choose_batch_size(self.batch_size, n_rows, model)
        n_steps = choose_n_steps(model, n_rows, batch_size)
        max_epochs = choose_max_epochs(self.max_epochs, n_rows, batch_size, n_steps)
        return TrainSettings(
            max_epochs=max_epochs,
            batch_size=batch_size,
            learning_rate=choose_learning_rate(self.learning_rate, model),
            schedule=self.schedule,
            patience=choose_patience(self.patience, max_epochs),
            precision=self.precision,
            compile=self.compile,
            seed=seed,
        )

    @with_callbacks
    def train(self, problem: Problem) -> None:
        """Train the model of a problem with the parameters of the estimator.

        Parameters
        ----------
        problem : Problem
            Result of ``prepare``. Its model is changed.
        """
        settings, group = problem.settings, problem.group
        callbacks = () if settings.open_ended else (*self._tasks_of_fit(problem), *self.callbacks)
        verbose = self.verbose if group.rank == 0 and not settings.open_ended else 0
        params = {**self.get_params(), **asdict(settings)}
        with (
            show_progress(verbose, settings.max_epochs) as report,
            start_callbacks(callbacks if group.rank == 0 else (), params),
        ):
            train(problem.state, problem.rows, problem.valid, settings, (*report, *callbacks), group)

    def adopt(self, problem: Problem) -> Self:
        """Store a trained model in the estimator.

        A failed fit thus keeps the model of an earlier fit.

        Parameters
        ----------
        problem : Problem
            A problem that ``train`` has solved.

        Returns
        -------
        Autoencoder
            The fitted estimator itself.
        """
        model, seed = cast(Model, problem.state.model), problem.settings.seed
        if problem.finalize_rows is not None:
            finalize(model, problem.finalize_rows, seed)
        check_feature_names(self, problem.X, reset=True)
        self.n_features_in_ = len(model.schema.fields) or model.schema.shape[0]
        self.n_samples_fit_ = len(problem.rows) + (0 if problem.valid is None else len(problem.valid))
        self.module_, self.history_ = model, problem.state.history
        self.schema_, self.likelihood_ = model.schema, clone(model.likelihood)
        self._n_features_out, self._state, self._reservoir = model.bottleneck.code_size, None, Reservoir()
        # Parameters of the fitted module; ``set_params`` may change those of the estimator later.
        params = self.get_params(deep=False)
        self._fitted_params = {
            name: params[name] if name == "callbacks" else clone(params[name], safe=False) for name in params
        }
        return self

    def read_training_rows(self, X: Any, y: Any = None, sample_weight: Any = None) -> tuple[Source, Condition | None]:
        """Return a source of rows, labels and weights as in ``fit``; warn about columns that are left out.

        Parameters
        ----------
        X : object
            As in ``fit``.
        y, sample_weight : object, default=None
            As in ``fit``.

        Returns
        -------
        source : Source
            Rows with encoded labels and weights.
        condition : Condition or None
            Kind and values of the labels, for a conditional model.
        """
        self._check_weights(sample_weight)
        X, y, weight = split_off_weights(X, y, sample_weight, self.schema)
        source = as_source(X, self.schema)
        source = source if weight is None else source.with_weights(weight)
        if source.schema.left_out:
            warnings.warn(f"left out: {source.schema.left_out}", stacklevel=4)
        stated = source.schema.names if isinstance(self.schema, Schema) else self.schema or ()
        noted = [field.name for field in source.schema.fields if field.note]
        if texts := find_parseable_columns(getattr(source, "frame", None), {*stated, *noted}):
            advice = "isthmus.preparing.prepare makes numbers and dates of them"
            warnings.warn(f"numbers or dates are stored as text: {list_texts(texts)}; {advice}", stacklevel=4)
        if not self.conditional:
            return source, None
        if y is None:
            raise ValueError("a conditional model requires y to be passed, but the target y is None")
        condition = Condition.of(y)
        return with_labels(source, condition, y), condition

    def read_rows(self, X: Any, y: Any = None) -> Source:
        """Return a source of new rows, checked against the schema of ``fit``.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows with the columns of those of ``fit``.
        y : array of shape (n_samples,) or None, default=None
            Labels, for conditional models only.

        Returns
        -------
        Source
            The rows, with encoded labels.
        """
        source = read_new_rows(self, X)
        self._check_labels_used(y)
        condition = self.schema_.condition
        return source if y is None or condition is None else with_labels(source, condition, y)

    def _labels_if_used(self, y: Any) -> Any:
        """Return labels, or None for a model without labels: pipelines and searches pass any target on."""
        check_is_fitted(self)
        return None if self.schema_.condition is None else y

    def _check_labels_used(self, y: Any) -> None:
        if y is not None and self.schema_.condition is None:
            raise ValueError("y must be None for a model without labels; fit with conditional=True to use labels")

    def _tasks_of_fit(self, problem: Problem) -> Sequence[Callable[[TrainState], Any]]:
        """Return the tasks that callbacks of scikit-learn see, if there are such callbacks, in the first process."""
        if not getattr(self, "_skl_callbacks", ()) or problem.group.rank:
            return ()
        weight = problem.sample_weight
        metadata = None if weight is None else {"sample_weight": weight}

        def fitted_attributes() -> dict[str, Any]:
            return dict(vars(copy(self).adopt(problem._replace(state=problem.state.copy_best()))))

        return (FitTasks(self, fitted_attributes, X=problem.X, y=problem.y, metadata=metadata),)

    def _prepare_first(self, X: Any, y: Any, sample_weight: Any) -> Problem:
        check_parameters(self)
        self._reservoir = Reservoir()
        rows, condition = self.read_training_rows(X, y, sample_weight)
        state = self._build_state(rows, None, condition, seed_of(self.random_state), SINGLE_PROCESS)
        return self._prepare_pass(rows, state, X, y, sample_weight)

    def _prepare_next(self, X: Any, y: Any, sample_weight: Any) -> Problem:
        self._check_weights(sample_weight)
        unweighted, y, weight = split_off_weights(X, y, sample_weight, self.schema_)
        rows = self.read_rows(unweighted, self._labels_if_used(y))
        rows = rows if weight is None else rows.with_weights(weight)
        check_source(rows, self.schema_, missing_allowed=self.module_.flags)
        likelihood, origin = self.module_.likelihood, self.module_.origin
        center = likelihood.fill_value if origin is None else likelihood.fill_value + origin
        check_distance(rows, center.cpu(), likelihood.max_distance.cpu() / MAX_DEVIATIONS)
        state = self._state or TrainState(self.module_, self._optimizer(self.module_), list(self.history_))
        state.best = copy_weights(self.module_)
        return self._prepare_pass(rows, state, X, y, sample_weight)

    def _prepare_pass(self, rows: Source, state: TrainState, X: Any, y: Any, sample_weight: Any) -> Problem:
        settings = self.make_settings(state.model, len(rows), mix(seed_of(self.random_state), len(state.history)))
        settings = replace(settings, max_epochs=1, schedule="constant", patience=None, open_ended=True)
        return Problem(state, rows, None, settings, SINGLE_PROCESS, X, y, sample_weight, finalize_rows=None)

    def _check_weights(self, sample_weight: Any) -> None:
        if sample_weight is not None and self.trim:
            raise ValueError(
                f"trim={self.trim!r} and sample_weight cannot be combined: trim weights rows by their loss"
            )

    def _build_state(
        self, rows: Source, valid: Source | None, condition: Condition | None, seed: int, group: Group
    ) -> TrainState:
        """Compute statistics of the training rows, and build model and optimizer."""
        statistics = group.merge(compute_statistics(rows, group.shard), Statistics.merge)
        check_cells(rows, statistics)
        missing = valid is not None and group.merge(compute_statistics(valid, group.shard).missing, operator.or_)
        if valid is not None:
            check_distance(valid, statistics.mean, statistics.deviation)
        schema = complete_schema(rows.schema, statistics, missing, condition)
        schema = replace(
            schema, implications=group.merge(find_rules(rows, schema.missing_columns, group.shard), intersect_rules)
        )
        choice = choose_likelihood(self, statistics, schema)
        with seeded(seed):
            model = build_model(self, schema, statistics, choice)
            if model.backbone.n_initial_rows:
                _initialize(model, rows, mix(seed, 10))
        settings = self.make_settings(model, len(rows), seed)
        size, n_steps = settings.batch_size, settings.n_steps(len(rows))
        model.to(choose_device(self.device, model, size, n_steps, group.size == 1 and rows.plan(size) is not None))
        return TrainState(model, self._optimizer(model))

    def _optimizer(self, model: Model) -> torch.optim.Optimizer:
        learning_rate = choose_learning_rate(self.learning_rate, model)
        return make_optimizer(self.optimizer, model, learning_rate, self.weight_decay)

    # Application

    def transform(self, X: Any, return_std: bool = False) -> Any:
        """Encode rows as codes.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. NaN means missing.
        return_std : bool, default=False
            Whether to return the standard deviations of the codes as well; 0 for deterministic codes.

        Returns
        -------
        ndarray of shape (n_samples, n_components), or two of them
            Means of the codes, and their standard deviations with ``return_std``.
        """
        source = self.read_rows(X)
        if return_std:
            return self._run(self.module_.encode, source)
        return self._run(lambda x, y: self.module_.encode(x)[0], source)[0]

    def inverse_transform(self, Z: Any, y: Any = None, *, sample_values: bool = False, random_state: Any = None) -> Any:
        """Decode codes to data.

        Parameters
        ----------
        Z : array of shape (n_samples, n_components)
            Codes.
        y : array of shape (n_samples,) or None, default=None
            Without labels, a conditional model returns the mean over all labels.
        sample_values : bool, default=False
            Whether values are drawn from the likelihood instead of its mean; a conditional model then needs labels.
            Recommended for tokens: the most probable sequence tends to be generic.
        random_state : int, RandomState or None, default=None
            Random state of drawn values; None uses that of the estimator.

        Returns
        -------
        array or data frame
            Decoded rows, in the container of the rows of ``fit``.
        """
        check_is_fitted(self)
        self._check_labels_used(y)
        Z = check_array(Z, dtype=[np.float64, np.float32])
        if Z.shape[1] != self._n_features_out:
            raise ValueError(f"codes have {Z.shape[1]} columns, expected n_components={self._n_features_out}")
        if sample_values and y is None and self.schema_.condition is not None:
            raise ValueError("sample_values=True needs labels y, as the model is conditional")
        function = self.module_.sample if sample_values else self.module_.decode
        with seeded(self._seed(random_state), self.module_.device):
            return decode(decode_codes(self.module_, Z, y, function), self.schema_, rounded=sample_values)

    def reconstruct(self, X: Any, y: Any = None) -> Any:
        """Reconstruct rows from their codes, in the container of ``X``; missing values are filled.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. NaN means missing.
        y : array of shape (n_samples,) or None, default=None
            Labels. Without them, a conditional model returns the mean over all labels.

        Returns
        -------
        array or data frame
            Means of the values given the codes, in the container of ``X``.
        """
        source = self.read_rows(X, y)
        return source.to_container(self._run(self.module_.reconstruct, source)[0])

    def impute(self, X: Any, y: Any = None, *, n_draws: int | None = None, random_state: Any = None) -> Any:
        """Fill missing values; known values are unchanged.

        Parameters
        ----------
        X : array, tensor, data frame or Source of shape (n_samples, ...)
            Rows. NaN and null mean missing.
        y : array of shape (n_samples,) or None, default=None
            Labels. Without them, a conditional model averages over all labels.
        n_draws : int or None, default=None
            None fills in expected values. An integer returns ``n_draws`` data sets with drawn values (multiple
            imputation [1]): the missing values of a row are drawn one after the other in random order, each given the
            known values and those drawn before, and thus from a joint distribution [2].
            ``isthmus.metrics.pool_estimates`` pools estimates by Rubin's rules. Draws include the uncertainty of values
            given the model, but not the uncertainty of the model.
        random_state : int, RandomState or None, default=None
            Random state of the draws; None uses that of the estimator.

        Returns
        -------
        array or data frame, in the container of X; a list of them if drawn
            The rows without missing values.

        References
        ----------
        [1] Rubin, Multiple imputation for nonresponse in surveys, 1987.
        [2] Uria, Murray and Larochelle, A deep and tractable density estimator, ICML 2014, arXiv:1310.1757.
        """
        if not (n_draws is None or is_count(n_draws)):
            raise ValueError(f"n_draws must be None or a positive integer, got {n_draws!r}")
        source = self.read_rows(X, y)
        if n_draws is None:
            return self._fill(source, partial(expect_missing, self.module_))
        with seeded(self._seed(random_state), self.module_.device):
            return [self._fill(source, partial(draw_missing, self.module_)) for _ in range(n_draws)]

    def sample(
        self,
        n: int = 1,
        *,
        y: Any = None,
        given: Mapping[Any, Any] | None = None,
        temperature: float = 1.0,
        sample_values: bool = True,
        missing: bool = True,
        random_state: Any = None,
    ) -> Any:
        """Draw new rows.

        Rows of data frames follow rules between two columns that hold in all training rows and are unlikely to hold by
        chance, such as 999 days exactly if there was no contact (``schema_.implications``).

        Parameters
        ----------
        n : int, default=1
            Number of rows.
        y : array of shape (n,), one label, or None, default=None
            Labels of the rows, for conditional models only. None draws them with their training frequencies.
        given : dict or None, default=None
            Given values of columns, by name or, for arrays, by position, such as ``{"sex": "F"}``. Codes are drawn
            conditionally on these values by importance resampling (Rubin, 1988).
        temperature : float, default=1.0
            Multiplies the standard deviations of the prior: values below 1 give more typical rows. Density estimators
            ignore it.
        sample_values : bool, default=True
            Whether values are drawn from the likelihood; otherwise they are its means, as usual for images.
        missing : bool, default=True
            Whether values of data frames are missing with the distribution of the training rows, which depends on the
            other values. Otherwise, or with ``sample_values=False``, no value is missing.
        random_state : int, RandomState or None, default=None
            None uses that of the estimator.

        Returns
        -------
        array or data frame
            New rows, in the container of the rows of ``fit``.
        """
        check_is_fitted(self)
        if not is_count(n):
            raise ValueError(f"n must be a positive integer, got {n!r}")
        if not isinstance(temperature, Real) or not temperature >= 0:
            raise ValueError(f"temperature must be a number >= 0, got {temperature!r}")
        self._check_labels_used(y)
        seed = self._seed(random_state)
        row = None if not given else encode_given(given, self.schema_)
        with seeded(seed, self.module_.device):
            values = draw_rows(self.module_, n, y, row, temperature, sample_values, seed)
            values = mask_values(self.module_, values, row) if missing and sample_values else values
        return decode(values, self.schema_, rounded=True)

    def score_samples(self, X: Any, y: Any = None, *, n_draws: int = 0, random_state: Any = None) -> Values:
        """Score rows in nats; higher is more normal.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. Missing values do not contribute to the score.
        y : array of shape (n_samples,) or None, default=None
            Without labels, a conditional model averages over the labels of the training rows.
        n_draws : int, default=0
            0 gives the deterministic score log p(x | decoder(mean of the code)) minus the divergence of the code, which
            is suitable for ranking but is not a bound. A positive integer gives the importance-weighted bound on
            log p(x) with ``n_draws`` samples (arXiv:1509.00519); 1 is the evidence lower bound. p(x) is the
            distribution that ``sample`` draws from, also with a prior that is fitted after training, but before a
            discriminator chooses among drawn rows and categories are drawn again.
        random_state : int, RandomState or None, default=None
            Random state of the draws; None uses that of the estimator.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            Scores in nats.
        """
        if not (is_count(n_draws) or n_draws == 0):
            raise ValueError(f"n_draws must be 0 or a positive integer, got {n_draws!r}")
        source = self.read_rows(X, y)
        if n_draws == 0:
            return self._run(partial(scoring.score, self.module_), source)[0].astype(np.float64)
        self.module_.bottleneck.require_stochastic("n_draws")
        return self._bound(source, n_draws, self._seed(random_state))

    def divergence(self, X: Any) -> Values:
        """Return the divergence of the code of each row from the prior. It needs no decoder.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. NaN means missing.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            Divergences in nats.

        Raises
        ------
        ValueError
            If codes are deterministic.
        """
        source = self.read_rows(X)
        return self._run(partial(scoring.divergence, self.module_), source)[0].astype(np.float64)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of a lower bound on log p(x) in nats, for model selection as with ``GridSearchCV``.

        It is the importance-weighted bound (arXiv:1509.00519) with 8 draws of the code and a fixed seed. It can compare
        models with different ``n_components`` or ``beta``. The mean of ``score_samples`` cannot: it ignores the
        uncertainty of the codes, and so favors large codes. p(x) is the distribution of ``sample``, whose prior was
        learned or fitted after training, before a discriminator chooses among drawn rows and categories are drawn
        again. If codes are deterministic, the draws are from a normal distribution around the code. An index of
        ``VectorQuantized`` costs log(n_codes) with any prior.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. Missing values do not contribute to the score.
        y : array of shape (n_samples,) or None, default=None
            Labels, which only a conditional model uses.

        Returns
        -------
        float
            Mean of ``bounds``.

        Raises
        ------
        ValueError
            If the prior is a density estimator without ``score_samples``.
        """
        return float(self.bounds(X, y).mean())

    def bounds(self, X: Any, y: Any = None) -> Values:
        """Return the lower bound on log p(x) of each row; their mean is ``score``.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. Missing values do not contribute to the bound.
        y : array of shape (n_samples,) or None, default=None
            Labels, which only a conditional model uses.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            Bounds in nats.
        """
        return self._bound(self.read_rows(X, self._labels_if_used(y)), N_SCORE_DRAWS, 0)

    def contributions(self, X: Any, y: Any = None) -> Any:
        """Decompose the score of each row into contributions of its values.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            Rows. NaN means missing.
        y : array of shape (n_samples,) or None, default=None
            Labels. Without them, a conditional model averages over the labels of the training rows.

        Returns
        -------
        ndarray or data frame of shape (n_samples, n_values + 2)
            One column per value: its log probability minus the mean over training rows. "code" is the mean divergence
            of training rows minus that of the row, "base" the score with all means. The sum of a row equals
            ``score_samples``; missing values contribute 0. Values of images are in the order of ``schema_.shape``,
            channels first.
        """
        source = self.read_rows(X, y)
        values = self._run(partial(scoring.contributions, self.module_), source)[0]
        return label_columns(values, source.schema, extra=("code", "base"))

    # Helpers

    def _bound(self, source: Source, n_draws: int, seed: int) -> Values:
        limit = rows_at_once(self.module_)
        with seeded(seed, self.module_.device):
            bound = partial(scoring.bound, self.module_, n_draws=n_draws, at_once=limit)
            return self._run(bound, source, max(1, limit // n_draws))[0].astype(np.float64)

    def _seed(self, random_state: Any) -> int:
        return seed_of(self.random_state if random_state is None else random_state)

    def _fill(self, source: Source, function: Callable[..., Tensor]) -> Any:
        return source.fill_missing(self._run(function, source)[0])

    def _run(self, function: Callable[..., Any], source: Source, size: int | None = None) -> tuple[Values, ...]:
        return run(self.module_, function, source, size)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.target_tags.required = bool(self.conditional)
        tags.transformer_tags.preserves_dtype = ["float64" if self.precision == "float64" else "float32"]
        return tags


def _initialize(model: Model, rows: Source, seed: int) -> None:
    """Let the backbone set its weights by about ``n_initial_rows`` random rows."""
    size = rows_at_once(model)
    batches = rows.resample(seed).batches(size, seed)
    model.initialize(batch.x for batch in islice(batches, math.ceil(model.backbone.n_initial_rows / size)))
