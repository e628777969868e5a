"""Generation of new rows, and the steps after training that it needs."""

import math
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.ambient import own_settings
from isthmus.data import as_source, with_labels
from isthmus.data.base import Batches
from isthmus.data.tables.rules import list_missing_rules, list_value_rules
from isthmus.data.tables.values import round_to_valid
from isthmus.decoding import decode_parameters
from isthmus.implications import N_SWEEPS, apply_rules, order_columns, violates
from isthmus.imputation import draw_missing
from isthmus.inference import rows_at_once, run
from isthmus.model import Model
from isthmus.randomness import mix, seeded

Values = np.ndarray[Any, Any]

# Number of rows for mean scores, and rows per batch. Bound the time after training; chosen by hand.
N_FINALIZE, FINALIZE_SIZE = 10_000, 256
# Rows to whose codes the distribution around plain codes is fitted.
N_PROPOSAL = 1000

# Importance resampling: candidate codes per row, smallest number of candidates, and effective sample size below which
# a warning is shown. Chosen by hand.
N_CANDIDATES, MIN_CANDIDATES, MIN_EFFECTIVE = 16, 8192, 50
# Largest number of redraws of one value that breaks a rule between columns. Bounds the time; chosen by hand.
N_REDRAWS = 100
# Largest number of draws of a whole row if redraws of values were not enough. Bounds the time; chosen by hand.
N_ROUNDS = 20
# Number of drawn rows for the calibration of missing rates: a rate has a standard error of at most 0.011.
N_CALIBRATE = 2000


@own_settings()
def finalize(model: Model, rows: Batches, seed: int) -> None:
    """Fit to training rows what gradients do not learn: mean scores, densities of codes, missing values."""
    rows = rows.resample(mix(seed, 4))
    with torch.inference_mode():
        model.finalize(_some_batches(model, rows, N_FINALIZE, mix(seed, 2)))
    fit_prior(model, rows, mix(seed, 3))
    with torch.inference_mode():
        model.fit_proposal(list(_some_batches(model, rows, N_PROPOSAL, mix(seed, 6))))
    fit_missingness(model, rows, mix(seed, 5))


def fit_prior(model: Model, rows: Batches, seed: int) -> None:
    """Fit the prior to codes drawn from q(z | x), the decoder input in training; means have a smaller variance."""
    with seeded(seed, model.device), torch.inference_mode():
        pairs = [(model.draw(x, y), y) for x, y in _some_batches(model, rows, model.prior.max_rows, seed)]
        labels = [y for _, y in pairs if y is not None]
        model.prior.fit(torch.cat([z for z, _ in pairs]), torch.cat(labels) if labels else None, seed)


def _some_batches(model: Model, rows: Batches, n: int | None, seed: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield about ``n`` random rows, or all in order, with their labels, on the device of the model."""
    size = min(FINALIZE_SIZE * model.n_nets, rows_at_once(model))
    batches = rows.batches(size, seed=None if n is None else seed)
    for x, y, _ in islice(batches, None if n is None else math.ceil(n / size)):
        yield x.to(model.device), None if y is None else y.to(model.device)


@own_settings()
def fit_missingness(model: Model, rows: Batches, seed: int) -> None:
    """Fit the model of missingness to rows whose missing values are imputed by draws."""
    if model.missingness is None:
        return
    size = model.missingness.max_rows()
    x = next(iter(rows.batches(min(size, len(rows)), seed=seed))).x.to(model.device)
    with seeded(seed, model.device), torch.no_grad():
        model.missingness.fit(model.to_model(draw_missing(model, x)), x[:, list(model.schema.missing_columns)].isnan())
        drawn = draw_rows(model, N_CALIBRATE, None, None, 1.0, True, seed)
        model.missingness.calibrate(_to_model(model, drawn))


@own_settings()
def decode_codes(model: Model, codes: Values, y: Any, function: Callable[..., Tensor]) -> Values:
    """Apply a function of codes and encoded labels to codes (n, n_components) and raw labels."""
    source, condition = as_source(codes), model.schema.condition
    if y is not None and condition is not None:
        source = with_labels(source, condition, y)
    return run(model, lambda z, y: function(z.to(model.dtype), y), source, schema=source.schema)[0]


@own_settings()
def draw_rows(
    model: Model, n: int, y: Any, row: Values | None, temperature: float, sample_values: bool, seed: int
) -> Values:
    """Draw rows (n, *shape), with the global generator of torch, which the caller has seeded.

    Parameters
    ----------
    model : Model
    n : int
    y : array of shape (n,), one label, or None
        None draws labels with their frequencies in the training rows.
    row : ndarray of shape (n_values,) or None
        Given values of the rows; NaN for values that are drawn.
    temperature : float
        Multiplies the standard deviations of the prior.
    sample_values : bool
        Whether values are drawn from the likelihood; otherwise they are its means.
    seed : int
        Seed of the labels.
    """
    y = np.asarray(y) if y is not None and np.ndim(y) else y
    values = _draw_once(model, n, y, row, temperature, sample_values, seed)
    if row is not None and violates(row[None], list_value_rules(model.schema)).any():
        warnings.warn("given values break rules that hold in all training rows", stacklevel=3)
        return values
    for attempt in range(1, N_ROUNDS):
        broken = np.flatnonzero(violates(values, list_value_rules(model.schema)))
        if not len(broken):
            break
        labels = y[broken] if isinstance(y, np.ndarray) else y
        values[broken] = _draw_once(model, len(broken), labels, row, temperature, sample_values, mix(seed, attempt))
    return values


def _draw_once(
    model: Model, n: int, y: Any, row: Values | None, temperature: float, sample_values: bool, seed: int
) -> Values:
    """Draw rows; see ``draw_rows``. A few rows may break a rule."""
    if row is None:
        y = _complete_labels(model, y, n, seed)
        codes = draw_codes(model, n, temperature, y)
    else:
        codes, y = _draw_codes_given(model, n, y, row, temperature, seed)
    values = decode_codes(model, codes, y, model.sample if sample_values else model.decode)
    values = values if row is None else np.where(np.isnan(row), values, row)
    return _enforce_rules(model, codes, y, values, row) if list_value_rules(model.schema) else values


def _enforce_rules(model: Model, codes: Values, y: Any, x: Values, row: Values | None) -> Values:
    """Enforce the rules between columns in drawn rows, one column after the other.

    A value is replaced by the value that earlier columns imply. If a value contradicts earlier columns, it is drawn
    again from the same code. Thus the first columns keep their distribution, whereas rejection of whole rows would
    favor codes that rarely break rules.
    """
    rules = list_value_rules(model.schema)
    x, done = round_to_valid(x, model.schema), list[int]()
    given = [] if row is None else np.flatnonzero(~np.isnan(row)).tolist()
    for column in [
        *given,
        *(column for column in order_columns(rules, model.schema.categorical) if column not in given),
    ]:
        before = [rule for rule in rules if rule.target == column and rule.column in done]
        after = [rule for rule in rules if rule.column == column and rule.target in done]
        done.append(column)
        if column in given:
            continue
        x = apply_rules(x, before, np.ones(x.shape, dtype=bool))
        for _ in range(N_REDRAWS):
            broken = np.flatnonzero(violates(x, after) & ~violates(x, before))
            if not len(broken):
                break
            fresh = decode_codes(model, codes[broken], None if y is None else y[broken], model.sample)
            x[broken, column] = round_to_valid(fresh, model.schema)[:, column]
            x = apply_rules(x, before, np.ones(x.shape, dtype=bool))
    return x


def mask_values(model: Model, x: Values, row: Values | None) -> Values:
    """Set values of drawn rows (n, n_used) to NaN by the model of missingness, except for given values in ``row``."""
    if model.missingness is None:
        return x
    columns, rules = list(model.schema.missing_columns), list_missing_rules(model.schema)
    missing = model.missingness.draw(_to_model(model, x)).numpy(force=True)
    for _ in range(N_SWEEPS if rules else 1):
        masked = x.copy()
        masked[:, columns] = np.where(missing, np.nan, x[:, columns])
        values_and_mask = np.hstack([masked, missing])
        missing = apply_rules(values_and_mask, rules, np.ones(values_and_mask.shape, dtype=bool))[:, x.shape[1] :] == 1
    given = np.zeros(x.shape[1], dtype=bool) if row is None else ~np.isnan(row)
    x = x.copy()
    x[:, columns] = np.where(missing & ~given[columns], np.nan, x[:, columns])
    return x


def _to_model(model: Model, values: Values) -> Tensor:
    return model.to_model(torch.from_numpy(values).to(model.device))


@own_settings()
def draw_codes(model: Model, n: int, temperature: float, y: Any = None) -> Values:
    """Draw codes (n, code_size) from the prior with the global generator of torch; see ``draw_rows``."""
    condition = model.schema.condition
    labels = None if y is None or condition is None else torch.from_numpy(condition.encode(y))
    return model.sample_codes(n, labels, temperature).cpu().numpy()


def _draw_codes_given(model: Model, n: int, y: Any, row: Values, temperature: float, seed: int) -> tuple[Values, Any]:
    """Draw codes from their distribution given some values of a row, and their labels.

    Codes for a label are chosen among candidates with this label. Without labels, code and label are chosen together.
    """
    group = np.zeros(n, dtype=np.intp)
    if y is not None and model.schema.condition is not None:
        y, group = np.unique(_complete_labels(model, y, n, seed), return_inverse=True)
    counts = np.bincount(group)
    sizes = np.maximum(MIN_CANDIDATES // len(counts), N_CANDIDATES * counts)
    y = _complete_labels(model, None if y is None else np.repeat(y, sizes), int(sizes.sum()), seed)
    codes = draw_codes(model, int(sizes.sum()), temperature, y)
    chosen = np.empty(n, dtype=np.intp)
    chosen[np.argsort(group, kind="stable")] = _resample(model, codes, y, row, counts, sizes)
    return codes[chosen], None if y is None else y[chosen]


def _complete_labels(model: Model, y: Any, n: int, seed: int) -> Any:
    """Return labels of ``n`` rows, drawn if none are given."""
    condition = model.schema.condition
    if condition is None:
        return None
    if y is None:
        return condition.draw(n, np.random.default_rng(seed))
    y = np.repeat(y, n) if np.ndim(y) == 0 else np.asarray(y)
    if len(y) != n:
        raise ValueError(f"y must be one label or {n} labels, one for each row, got {len(y)}")
    return y


def _resample(model: Model, codes: Values, y: Any, row: Values, counts: Values, sizes: Values) -> Values:
    """Choose ``counts`` codes from consecutive groups of ``sizes`` candidates, weighted by p(given values | code).

    Rubin, Using the SIR algorithm to simulate posterior distributions, 1988.
    """
    log_likelihood = partial(_log_prob_of_known, model, row=torch.from_numpy(row).to(model.device))
    log_weights = torch.from_numpy(decode_codes(model, codes, y, log_likelihood)).double()
    weights = [group.softmax(0) for group in log_weights.split(sizes.tolist())]
    if any(1 / w.square().sum() < min(n, MIN_EFFECTIVE) for w, n in zip(weights, counts.tolist(), strict=True)):
        warnings.warn("few drawn codes fit the given values, so many rows share one code", stacklevel=5)
    starts = (np.cumsum(sizes) - sizes).tolist()
    chosen = [
        start + torch.multinomial(w, n, replacement=True)
        for start, w, n in zip(starts, weights, counts.tolist(), strict=True)
    ]
    return torch.cat(chosen).numpy()


def _log_prob_of_known(model: Model, z: Tensor, y: Tensor | None, row: Tensor) -> Tensor:
    """Log p(row | z) of the values of one raw row that are not missing, for each code, (n,)."""
    z = model.bottleneck.from_code(z)
    x = model.to_model(row[None]).expand(len(z), *row.shape)
    theta = decode_parameters(model.backbone, model.likelihood, z, y, x)
    log_prob = model.likelihood.log_prob(theta, model.likelihood.fill(x))
    return torch.where(x.isnan(), 0.0, log_prob).flatten(1).sum(-1)
