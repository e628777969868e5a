"""Checks of an estimator against the data: its likelihood, scales, net and batches."""

from collections.abc import Iterator

import numpy as np

from isthmus import bottlenecks
from isthmus.anomaly.robust_scale import NORMAL_IQR, RobustScale
from isthmus.assembly import choose_likelihood
from isthmus.backbones import MLP
from isthmus.bottlenecks import Bottleneck, Deterministic
from isthmus.corruptions import predicts_hidden_cells
from isthmus.data.sources import MIN_HELD_OUT
from isthmus.doctor.check_input import CheckInput, Column
from isthmus.finding import Finding
from isthmus.likelihoods import Bernoulli, Gaussian, LogNormal, StudentT
from isthmus.part import resolve
from isthmus.training import choose_batch_size

# Ratio of the largest to the smallest standard deviation above which unscaled columns are a problem: a rule of thumb.
MAX_SCALE_RATIO = 1e3
# Distance from the median above which a value is extreme, in robust standard deviations: a rule of thumb that spares
# columns with heavy tails.
EXTREME = 50.0
# Weights per value above which a net overfits, with early stopping or hidden cells, and without both. Above these
# limits, test rows of several tables lost half a nat or more. The suggested net has at most 1 / REDUCTION of the limit.
MAX_WEIGHTS_RESISTANT, MAX_WEIGHTS, REDUCTION = 50, 5, 5
WIDTHS = (256, 128, 64, 32, 16, 8)


def find_wrong_likelihood(data: CheckInput) -> Iterator[Finding]:
    """Find a numeric likelihood for categorical columns."""
    try:
        choose_likelihood(data.estimator, data.statistics, data.schema)
    except ValueError as error:
        yield Finding("wrong likelihood", (), str(error), 'let isthmus choose: likelihood="auto"', "error")


def find_values_outside_support(data: CheckInput) -> Iterator[Finding]:
    """Find values that a likelihood does not allow, such as values above 1 for Bernoulli."""
    for likelihood, positions in data.column_likelihoods:
        outside = data.outside(likelihood, positions)
        if outside:
            low, high = data.statistics.low.flatten()[outside].min(), data.statistics.high.flatten()[outside].max()
            allowed = "(0, inf)" if isinstance(likelihood, LogNormal) else "[{:g}, {:g}]".format(*likelihood.support)
            values = f"{'integer ' * likelihood.integer_support}values in {allowed}"
            detail = f"{type(likelihood).__name__} needs {values}; these range from {low:g} to {high:g}"
            advice = 'likelihood="gaussian", or let isthmus choose: likelihood="auto"'
            yield Finding("wrong likelihood", data.labels(outside), detail, advice, "error")


def find_grey_values(data: CheckInput) -> Iterator[Finding]:
    """Find values between 0 and 1 under a Bernoulli likelihood."""
    for likelihood, positions in data.column_likelihoods:
        is_binary = isinstance(likelihood, Bernoulli) and not likelihood.binarize
        if is_binary and not data.outside(likelihood, positions):
            grey = [i for i in positions if not np.isin(data.columns[i].distinct, (0, 1)).all()]
            if grey:
                detail = "Bernoulli is for 0 and 1, but values lie between them; its score is not a density then"
                yield Finding("wrong likelihood", data.labels(grey), detail, 'likelihood="continuous_bernoulli"')


def find_different_scales(data: CheckInput) -> Iterator[Finding]:
    """Find columns in very different units that the likelihood does not scale."""
    for likelihood, positions in [] if data.are_pixels or data.chooses_likelihood else data.column_likelihoods:
        if isinstance(likelihood, Gaussian | StudentT) and likelihood.scaling != "standard":
            deviations = data.statistics.deviation.flatten()[positions]
            positive = deviations[deviations > 0].tolist()
            # Without any scaling, the net expects the unit 1.
            sizes = [*positive, *([1.0] if likelihood.scaling == "none" else [])]
            if sizes and max(sizes) > MAX_SCALE_RATIO * min(sizes):
                detail = f"standard deviations range from {min(positive):.3g} to {max(positive):.3g}"
                advice = f'standardise: likelihood={type(likelihood).__name__}(scaling="standard")'
                yield Finding("extreme scales", (), f"{detail}, with scaling={likelihood.scaling!r}", advice)


def find_extreme_values(data: CheckInput) -> Iterator[Finding]:
    """Find numbers far from all others under a Gaussian likelihood."""
    leaves = [] if data.are_pixels else data.column_likelihoods
    gaussian = [i for likelihood, positions in leaves if isinstance(likelihood, Gaussian) for i in positions]
    distances = {i: _max_robust_z(data.columns[i]) for i in gaussian}
    far = [i for i in distances if distances[i] > EXTREME]
    if far:
        detail = (
            f"values up to {max(distances.values()):,.0f} robust standard deviations from the median dominate the fit"
        )
        robust = "density" if data.schema.template else "student_t"
        advice = (
            "keep them if they are the anomalies to detect; correct or remove errors, isthmus prepare --outliers "
            f'remove; otherwise likelihood="{robust}"'
        )
        yield Finding("extreme values", data.labels(far), detail, advice)


def find_few_rows(data: CheckInput) -> Iterator[Finding]:
    """Find a net that is too large for the number of rows."""
    n_rows = len(data.rows)
    if n_rows < 2:
        yield Finding("too few rows", (), f"{n_rows} row, fit needs at least 2", "get more rows", "error")
    if not data.can_be_fitted:
        return
    n_values, n_weights = int(data.statistics.count.sum()), data.count_weights()
    limit = (MAX_WEIGHTS_RESISTANT if _resists_overfitting(data) else MAX_WEIGHTS) * n_values
    if n_weights > limit:
        detail = f"{n_weights:,} weights for {n_values:,} values ({n_rows:,} rows)"
        advice = _suggest_smaller_net(data, min(limit // REDUCTION, n_weights - 1))
        yield Finding("too few rows for the net", (), detail, advice)


def find_wide_code(data: CheckInput) -> Iterator[Finding]:
    """Find a code that is wide enough for a copy of the input."""
    model = data.estimator
    plain = isinstance(resolve(model.bottleneck, bottlenecks, Bottleneck), Deterministic)
    unconstrained = model.corruption is None and model.regularizers in ((), [])
    if plain and unconstrained and model.n_components >= data.n_values:
        detail = f"n_components={model.n_components} for {data.n_values} values per row, which a net can copy"
        fewer = f"n_components={data.n_values // 2}" if data.n_values > 1 else "more columns"
        advice = f'{fewer}, or corruption="gaussian_noise"'
        yield Finding("code not narrower than the data", (), detail, advice)


def find_large_batches(data: CheckInput) -> Iterator[Finding]:
    """Find a batch size larger than the number of rows."""
    given, n_rows = data.estimator.batch_size, len(data.rows)
    size = choose_batch_size(given, n_rows)
    if given != "auto" and size > n_rows:
        detail = f"batch_size={size} for {n_rows} rows: one step per epoch"
        yield Finding("batches larger than the data", (), detail, 'batch_size="auto"')


def _max_robust_z(column: Column) -> float:
    """Return the largest distance from the median in robust standard deviations."""
    z = RobustScale.fit(column.present)(column.present) if len(column.present) else np.zeros(1)
    return NORMAL_IQR * float(np.abs(z).max())


def _resists_overfitting(data: CheckInput) -> bool:
    """Return whether training stops early, or predicts cells that are hidden anew in each step."""
    n_held_out = int(data.estimator.validation_fraction * len(data.rows))
    stops_early = data.estimator.patience is not None and n_held_out >= MIN_HELD_OUT
    return stops_early or predicts_hidden_cells(data.estimator.corruption)


def _suggest_smaller_net(data: CheckInput, max_weights: int) -> str:
    """Name the widest net with at most this number of weights."""
    for width in WIDTHS:
        if data.count_weights(backbone=MLP((width,))) <= max_weights:
            return f"a smaller net, Autoencoder(backbone=MLP(({width},))), or more rows"
    if data.count_weights(backbone="linear") <= max_weights:
        return 'a linear net, Autoencoder(backbone="linear"), or more rows'
    return "fewer components, or more rows"
