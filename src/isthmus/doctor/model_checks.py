"""Checks of what the estimator makes of the data: its likelihood, its scales, the size of its net."""

from collections.abc import Iterator

import numpy as np

from isthmus import bottlenecks
from isthmus.backbones import MLP
from isthmus.bottlenecks import Bottleneck, Deterministic
from isthmus.data.sources import MIN_ASIDE
from isthmus.doctor.check_input import CheckInput, Column
from isthmus.finding import Finding
from isthmus.likelihoods import Bernoulli, Gaussian, LogNormal, StudentT
from isthmus.part import resolve
from isthmus.training import choose_batch_size

# How many times deviations may differ where columns are not brought to one.
DIFFERENT_SCALES = 1e3
# Distance from the median that no value of a column without a very long tail reaches, in deviations as the quartiles
# have them, which the tail does not move. The quartiles of a normal column are 1.349 deviations apart.
FAR, QUARTILES = 50.0, 1.349
# Weights a value from which on a net learns rows by heart, where early stopping watches and where nothing does: so many
# cost test rows of several tables half a nat or more. The net to take instead has this many times fewer at least.
WATCHED, UNWATCHED, FEWER = 50, 5, 5
WIDTHS = (256, 128, 64, 32, 16, 8)


def likelihood_of_numbers(case: CheckInput) -> Iterator[Finding]:
    """A likelihood of numbers where there are categories."""
    try:
        case.estimator._choose_likelihood(case.statistics, case.schema)
    except ValueError as error:
        yield Finding("wrong likelihood", (), str(error), 'leave the choice to isthmus: likelihood="auto"', "error")


def outside_the_support(case: CheckInput) -> Iterator[Finding]:
    """Values that a likelihood does not allow, such as a cross entropy beyond [0, 1]."""
    for leaf, positions in case.leaves:
        outside = case.outside(leaf, positions)
        if outside:
            low, high = case.statistics.low.flatten()[outside].min(), case.statistics.high.flatten()[outside].max()
            allowed = "(0, inf)" if isinstance(leaf, LogNormal) else "[{:g}, {:g}]".format(*leaf.support)
            values = f"{'whole ' * leaf.integer_support}values in {allowed}"
            detail = f"{type(leaf).__name__} takes {values}, these reach from {low:g} to {high:g}"
            advice = 'likelihood="gaussian", or leave the choice to isthmus: likelihood="auto"'
            yield Finding("wrong likelihood", case.labels(outside), detail, advice, "error")


def grey_values(case: CheckInput) -> Iterator[Finding]:
    """Cross entropy of values that are not binary."""
    for leaf, positions in case.leaves:
        if isinstance(leaf, Bernoulli) and not leaf.binarize and not case.outside(leaf, positions):
            grey = [i for i in positions if not np.isin(case.columns[i].levels, (0, 1)).all()]
            if grey:
                detail = "Bernoulli is for 0 and 1, these also lie between; its score is no density then"
                yield Finding("wrong likelihood", case.labels(grey), detail, 'likelihood="continuous_bernoulli"')


def scales(case: CheckInput) -> Iterator[Finding]:
    """Columns of very different units that count as they are."""
    for leaf, positions in [] if case.has_common_range or case.chooses_likelihood else case.leaves:
        if isinstance(leaf, Gaussian | StudentT) and leaf.scaling != "standard":
            spread = case.statistics.deviation.flatten()[positions]
            # Without any scaling, 1 is the unit that the net expects.
            sizes = [*spread[spread > 0].tolist(), *([1.0] if leaf.scaling == "none" else [])]
            if sizes and max(sizes) > DIFFERENT_SCALES * min(sizes):
                detail = f"deviations reach from {min(spread[spread > 0]):.3g} to {max(spread):.3g}"
                advice = f'bring all to one: likelihood={type(leaf).__name__}(scaling="standard")'
                yield Finding("extreme scales", (), f"{detail}, with scaling={leaf.scaling!r}", advice)


def tails(case: CheckInput) -> Iterator[Finding]:
    """Numbers far from all others, where the likelihood expects none."""
    gaussian = [i for leaf, positions in case.leaves if isinstance(leaf, Gaussian) for i in positions]
    reach = {i: _reach(case.columns[i]) for i in ([] if case.has_common_range else gaussian)}
    far = [i for i in reach if reach[i] > FAR]
    if far:
        detail = f"values up to {max(reach.values()):,.0f} deviations from the median would decide the fit"
        advice = 'mend or remove what is wrong, isthmus prepare --outliers remove; if right: likelihood="student_t"'
        yield Finding("extreme values", case.labels(far), detail, advice)


def few_rows(case: CheckInput) -> Iterator[Finding]:
    """A net that is too large for its rows."""
    n_rows = len(case.rows)
    if n_rows < 2:
        yield Finding("too few rows", (), f"{n_rows} row, fit needs at least 2", "get more rows", "error")
    if not case.can_be_fitted:
        return
    n_values, n_weights = int(case.statistics.count.sum()), case.count_weights()
    limit = (WATCHED if _is_watched(case) else UNWATCHED) * n_values
    if n_weights > limit:
        detail = f"{n_weights:,} weights for {n_values:,} values ({n_rows:,} rows)"
        yield Finding("too few rows for the net", (), detail, _smaller(case, min(limit // FEWER, n_weights - 1)))


def wide_code(case: CheckInput) -> Iterator[Finding]:
    """A code in which all values have room, so that nothing need be learned."""
    model = case.estimator
    plain = isinstance(resolve(model.bottleneck, bottlenecks, Bottleneck), Deterministic)
    unhindered = model.corruption is None and model.regularizers in ((), [])
    if plain and unhindered and model.n_components >= case.n_values:
        detail = f"n_components={model.n_components} with {case.n_values} values a row, which a net may simply copy"
        fewer = f"n_components={case.n_values // 2}" if case.n_values > 1 else "more columns"
        advice = f'{fewer}, or corruption="gaussian_noise"'
        yield Finding("code not narrower than the data", (), detail, advice)


def large_batches(case: CheckInput) -> Iterator[Finding]:
    """A batch of more rows than there are."""
    given, n_rows = case.estimator.batch_size, len(case.rows)
    size = choose_batch_size(given, n_rows)
    if given != "auto" and size > n_rows:
        detail = f"batch_size={size} for {n_rows} rows: one step an epoch"
        yield Finding("batches larger than the data", (), detail, 'batch_size="auto"')


def _reach(column: Column) -> float:
    """Deviations from the median to the value furthest from it."""
    if not len(column.present):
        return 0.0
    low, middle, high = np.quantile(column.present, [0.25, 0.5, 0.75])
    spread = (high - low) / QUARTILES or column.present.std()
    return float(np.abs(column.present - middle).max() / spread) if spread > 0 else 0.0


def _is_watched(case: CheckInput) -> bool:
    """Whether rows are set aside to stop the training by."""
    n_aside = int(case.estimator.validation_fraction * len(case.rows))
    return case.estimator.patience is not None and n_aside >= MIN_ASIDE


def _smaller(case: CheckInput, most: int) -> str:
    """Name the widest net of a number of weights."""
    for width in WIDTHS:
        if case.count_weights(backbone=MLP((width,))) <= most:
            return f"a smaller net, Autoencoder(backbone=MLP(({width},))), or more rows"
    if case.count_weights(backbone="linear") <= most:
        return 'a linear net, Autoencoder(backbone="linear"), or more rows'
    return "fewer components, or more rows"
