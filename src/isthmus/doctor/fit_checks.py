"""Checks of how well a fitted model describes rows: overfitting, underfitting, and the form of its likelihood."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.stats import skew

from isthmus.corruptions import predicts_hidden_cells
from isthmus.doctor.calibration import distance_from_uniform, draw_ranks, largest_chance_distance
from isthmus.doctor.check_input import Column
from isthmus.doctor.data_checks import as_kind
from isthmus.doctor.fitted_input import FittedInput
from isthmus.finding import Finding, Status
from isthmus.formatting import format_estimate
from isthmus.likelihoods import (
    Date,
    Gaussian,
    Histogram,
    Likelihood,
    LogNormal,
    Mixture,
    NegativeBinomial,
    Poisson,
    StudentT,
)
from isthmus.part import snake_case

# Likelihoods that state the distribution of each value. Others have a fixed form, such as the Bernoulli distribution,
# or are an error measure: a normal distribution with one scale for all pixels is the squared error, and one with
# ``beta`` weighs columns.
STATED = (Date, Gaussian, Histogram, LogNormal, Mixture, NegativeBinomial, Poisson, StudentT)
# Distance of the distribution function of ranks from the uniform one above which a likelihood is wrong, and probability
# of a larger distance by chance in any column. With normal noise, the distance is 0.08 if the noise has Student's t
# distribution with 3 degrees of freedom, and 0.2 to 0.3 if it is log-normal. On synthetic data with normal noise, it is
# at most 0.05.
MAX_DISTANCE, LEVEL = 0.075, 0.01
# The former for a likelihood that isthmus chose. On six tables of ADBench (fault, yeast, cardio, PageBlocks, annthyroid
# and mammography), the largest distance of VAEs is 0.25 to 0.39; with the advised mixture, at most 0.13 on four.
MAX_DISTANCE_OF_CHOICE = 0.15
# Residual standard deviation, as a share of that of the column, below which the code determines a column: its noise is
# that of the net, with a lower limit, and not that of the data. Chosen on synthetic data.
MIN_RESIDUAL = 0.4
# Ratio of the noise of the likelihood to residuals above which a deterministic code explains a column better than the
# likelihood can express. Chosen on synthetic data.
MAX_NOISE = 1.5
# Largest number of different integers of a column of counts; not tuned.
MAX_COUNTS = 50
# Advice if the likelihood is a mixture already.
MORE_NORMALS = "likelihood=isthmus.likelihoods.Mixture(n_normals=20), more rows, or a wider net"


def find_overfitting(data: FittedInput) -> Iterator[Finding]:
    """Find scores that tell training rows from other rows (Yeom, Giacomelli, Fredrikson and Jha, 2018)."""
    for name, auroc in data.overfitted.items():
        detail = f"a row of X scores higher than one of {name} with a probability of {auroc:.2f}; 0.5 is best"
        unless = f", unless {name} has another distribution than X" if name in data.splits else ""
        advice = f"a smaller net, such as backbone=MLP((32,)), weight_decay=0.01, or more rows{unless}"
        yield Finding("overfitting", (), detail, advice)


def find_underfitting(data: FittedInput) -> Iterator[Finding]:
    """Find simple models that are better than the net, unless it overfits: a wider net would then be worse."""
    if data.overfitted:
        return
    for name, gain, low, high in data.better_models:
        detail = f"{name} is better by {format_estimate(gain, low, high)} nats per row"
        advice = f'more epochs, such as max_epochs={4 * len(data.history)}, learning_rate="auto", or a wider net'
        yield Finding("underfitting", (), detail, advice)


def find_likelihood_misfit(data: FittedInput) -> Iterator[Finding]:
    """Find columns whose values are not distributed as the likelihood says, given the code.

    If a simple model is better, the net is wrong and nothing is known about the likelihood. A misfit of a likelihood
    that isthmus chose is a hint: most measurements are not normal, and the choice is a compromise.
    """
    stated = [(part, i) for part, positions in data.column_likelihoods if _is_stated(part) for i in positions]
    if not stated or data.lacks_labels or predicts_hidden_cells(data.estimator.corruption) or data.better_models:
        return
    ranks, residuals, noise = draw_ranks(data, data.labelled_sample if data.module.labels.width else data.judged)
    tested = [(part, i, ranks[~np.isnan(ranks[:, i]), i]) for part, i in stated if residuals[i] >= MIN_RESIDUAL]
    limit = MAX_DISTANCE_OF_CHOICE if data.chooses_likelihood else MAX_DISTANCE
    status: Status = "hint" if data.chooses_likelihood else "warning"
    found: dict[str, list[tuple[float, int]]] = {}
    for part, i, known in tested:
        distance = distance_from_uniform(known)
        is_far = distance > max(limit, largest_chance_distance(len(known), len(tested), LEVEL))
        if is_far and not (_can_copy(data, part) and noise[i] > MAX_NOISE * residuals[i]):
            found.setdefault(_name_better_likelihood(data, part, i), []).append((distance, i))
    for better, places in found.items():
        detail = f"shares of values below quantiles of the likelihood are wrong by up to {max(places)[0]:.2f}"
        positions = [i for _, i in places]
        yield Finding("likelihood misfit", data.labels(positions), detail, _advise(data, better, positions), status)


def _is_stated(part: Likelihood) -> bool:
    return isinstance(part, STATED) and getattr(part, "scale", "") != "shared" and not getattr(part, "beta", 0)


def _can_copy(data: FittedInput, part: Likelihood) -> bool:
    """Whether codes are deterministic, so that residuals can be far smaller than the noise of counts or the floor."""
    return not data.module.bottleneck.stochastic and not isinstance(getattr(part, "scale", ""), float | int)


def _name_better_likelihood(data: FittedInput, part: Likelihood, position: int) -> str:
    """Name a likelihood that suits a column of a table; or all columns of an array, which has one likelihood."""
    columns = [data.columns[position]] if data.schema.fields else data.columns
    suitable = {
        "negative_binomial": all(map(_are_counts, columns)),
        "log_normal": all(map(_has_normal_logs, columns)),
        "mixture": True,
    }
    own = snake_case(type(part).__name__)
    return next((name for name, suits in suitable.items() if suits and name != own), MORE_NORMALS)


def _are_counts(column: Column) -> bool:
    """Whether values are few different integers from 0 whose variance is at least that of a Poisson distribution."""
    values = column.present
    is_count = column.is_integer and values.min() >= 0 and len(column.distinct) <= MAX_COUNTS
    return bool(is_count and values.var() >= values.mean())


def _has_normal_logs(column: Column) -> bool:
    """Whether values are positive, and their logarithms clearly less skewed."""
    values = column.present
    return column.is_number and bool(values.min() > 0 and abs(skew(np.log(values))) < abs(skew(values)) / 2)


def _advise(data: FittedInput, better: str, positions: Sequence[int]) -> str:
    """Return the parameters of a fit without the misfit."""
    kinds = {"negative_binomial": "count", "log_normal": "positive"}
    if better == MORE_NORMALS:
        return better
    if not data.schema.fields or not (better in kinds or data.schema.categorical):
        return f'likelihood="{better}"'
    if better in kinds:
        # Kinds of columns have an effect only if isthmus chooses the likelihood.
        chosen = "" if data.chooses_likelihood else 'likelihood="density", '
        return chosen + as_kind(data.labels(positions), kinds[better])
    return f"{better} for these columns, as a part of isthmus.likelihoods.Mixed"
