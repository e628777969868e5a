"""Steps after training: mean scores, the prior, the proposal, two small nets, and the model of missing values."""

import math
from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor

from isthmus.ambient import own_settings
from isthmus.data.base import Batches
from isthmus.generation.gibbs import fit_conditionals
from isthmus.generation.imputation import draw_missing
from isthmus.generation.rows import draw_candidates, draw_rows
from isthmus.inference import rows_at_once
from isthmus.model import Model
from isthmus.model.discriminator import MAX_ROWS, MAX_VALUES
from isthmus.model.scoring import fit_proposal, store_mean_scores
from isthmus.randomness import mix, seeded

# Number of rows for mean scores, and rows per batch. They bound the time after training and are not tuned.
N_FINALIZE, FINALIZE_SIZE = 10_000, 256
# Number of rows to whose codes the proposal around deterministic codes is fitted. Bounds the time; not tuned.
N_PROPOSAL = 1000
# Number of drawn rows for the calibration of missing rates: a rate has a standard error of at most 0.011.
N_CALIBRATE = 2000
# Number of passes that draw the missing values of a row for the model of missingness. Bounds the time; not tuned.
N_PASSES = 8


@own_settings()
def finalize(model: Model, rows: Batches, seed: int) -> None:
    """Fit mean scores, the prior, the proposal, two small nets and the model of missing values to training rows."""
    rows = rows.resample(mix(seed, 4))
    with torch.inference_mode():
        store_mean_scores(model, _some_batches(model, rows, N_FINALIZE, mix(seed, 2)))
    fit_prior(model, rows, mix(seed, 3))
    with torch.inference_mode():
        fit_proposal(model, list(_some_batches(model, rows, N_PROPOSAL, mix(seed, 6))))
    fit_small_nets(model, rows, mix(seed, 7))
    fit_missingness(model, rows, mix(seed, 5))


def fit_prior(model: Model, rows: Batches, seed: int) -> None:
    """Fit the prior to codes drawn from q(z | x), as the decoder gets in training; means have a smaller variance."""
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
def fit_small_nets(model: Model, rows: Batches, seed: int) -> None:
    """Fit the discriminator and the conditionals to rows whose missing values are imputed by draws."""
    if model.discriminator is None and model.conditionals is None:
        return
    n = max(64, min(len(rows), MAX_ROWS, MAX_VALUES // math.prod(model.schema.shape)))
    x = next(iter(rows.batches(min(n, len(rows)), seed=seed))).x.to(model.device)
    with seeded(seed, model.device), torch.no_grad():
        drawn = torch.from_numpy(draw_candidates(model, len(x), None, None, 1.0, True, seed)).to(model.device)
        real = draw_missing(model, x)
        if model.discriminator is not None:
            model.discriminator.fit(real, drawn, model.encode_raw)
        if model.conditionals is not None:
            fit_conditionals(model, real)


@own_settings()
def fit_missingness(model: Model, rows: Batches, seed: int) -> None:
    """Fit the model of missingness to rows whose missing values are imputed by draws."""
    if model.missingness is None:
        return
    size = model.missingness.max_rows()
    x = next(iter(rows.batches(min(size, len(rows)), seed=seed))).x.to(model.device)
    with seeded(seed, model.device), torch.no_grad():
        filled = model.to_model(draw_missing(model, x, max_passes=N_PASSES))
        model.missingness.fit(filled, x[:, list(model.schema.missing_columns)].isnan())
        drawn = draw_rows(model, N_CALIBRATE, None, None, 1.0, True, seed)
        model.missingness.calibrate(model.to_model(torch.from_numpy(drawn).to(model.device)))
