"""Draws of rows from the model that satisfy the rules between columns."""

import warnings
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.ambient import own_settings
from isthmus.data.tables.rules import list_missing_rules, list_value_rules
from isthmus.data.tables.values import round_to_valid
from isthmus.generation.codes import complete_labels, decode_codes, draw_codes, draw_codes_given
from isthmus.generation.gibbs import redraw_categories
from isthmus.inference import rows_at_once
from isthmus.model import Model
from isthmus.randomness import mix
from isthmus.schema.implications import N_SWEEPS, apply_rules, order_columns, violates

Values = np.ndarray[Any, Any]

# Largest number of redraws of one value that breaks a rule between columns. Bounds the time; not tuned.
N_REDRAWS = 100
# Largest number of draws of a row if it still breaks a rule after the redraws of values. Bounds the time; not tuned.
N_ROUNDS = 20


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
    values = choose_rows(model, n, y, row, temperature, sample_values, seed)
    if model.conditionals is None or not model.conditionals.is_fitted or not sample_values:
        return values
    return redraw_categories(model, values, model.prior.n_sweeps, row)


def choose_rows(
    model: Model, n: int, y: Any, row: Values | None, temperature: float, sample_values: bool, seed: int
) -> Values:
    """Draw rows before categories are drawn again; see ``draw_rows``."""
    if model.discriminator is None or not sample_values:
        return draw_candidates(model, n, y, row, temperature, sample_values, seed)
    draw = partial(draw_candidates, model, n, y, row, temperature, True)
    candidates = np.stack([*map(draw, (mix(seed, N_ROUNDS + i) for i in range(model.discriminator.n_candidates)))])
    log_ratios = torch.stack([_rate(model, values) for values in candidates], -1)
    chosen = torch.multinomial(log_ratios.softmax(-1), 1)[:, 0].numpy()
    return candidates[chosen, np.arange(n)]


def draw_candidates(
    model: Model, n: int, y: Any, row: Values | None, temperature: float, sample_values: bool, seed: int
) -> Values:
    """Draw rows among which no discriminator has chosen; see ``draw_rows``."""
    values = _draw_once(model, n, y, row, temperature, sample_values, seed)
    if row is not None and violates(row[None], list_value_rules(model.schema)).any():
        warnings.warn("given values break rules that hold in all training rows", stacklevel=7)
        return values
    for attempt in range(1, N_ROUNDS):
        broken = np.flatnonzero(violates(values, list_value_rules(model.schema)))
        if not len(broken):
            break
        labels = y[broken] if isinstance(y, np.ndarray) else y
        values[broken] = _draw_once(model, len(broken), labels, row, temperature, sample_values, mix(seed, attempt))
    return values


@torch.inference_mode()
def _rate(model: Model, values: Values) -> Tensor:
    """Return log ratios of the densities of real and of drawn rows, (n,)."""
    batches = torch.from_numpy(values).split(rows_at_once(model))
    discriminator: Any = model.discriminator
    return torch.cat([discriminator(model.encode_raw(x.to(model.device))).cpu() for x in batches])


def _draw_once(
    model: Model, n: int, y: Any, row: Values | None, temperature: float, sample_values: bool, seed: int
) -> Values:
    """Draw rows; see ``draw_rows``. A few rows may break a rule."""
    if row is None:
        y = complete_labels(model, y, n, seed)
        codes = draw_codes(model, n, temperature, y)
    else:
        codes, y = draw_codes_given(model, n, y, row, temperature, seed)
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
            redrawn = decode_codes(model, codes[broken], None if y is None else y[broken], model.sample)
            x[broken, column] = round_to_valid(redrawn, model.schema)[:, column]
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
