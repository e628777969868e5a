"""A fitted model judged by what it is for: hidden cells, clean rows, reconstructions, the bound."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from isthmus.ambient import own_settings
from isthmus.baselines.bounds import bound_of, bound_without_code
from isthmus.baselines.reconstruction import (
    Method,
    Task,
    Training,
    Values,
    errors_of_numbers,
    fit_mean,
    fit_pca,
    fit_regression,
    rows_of,
    shares_of_wrong_categories,
    unit_of,
)
from isthmus.containers import open_frame
from isthmus.data import Array, Source, as_source
from isthmus.metrics import column_fidelity, detection_score, pair_fidelity
from isthmus.metrics.learning import MIN_ROWS
from isthmus.randomness import seed_of, seeded


class Comparison(NamedTuple):
    """Figures of a model and of simple methods on the same rows.

    Attributes
    ----------
    title : str
        What is measured, and in which unit.
    figures : dict of str to dict of str to float
        By the name of the figure, such as "error", "wrong" (a share) and "bound"; then by method, of which "model" is
        the first.
    note : str
        What a reader has to know, or "".
    """

    title: str
    figures: dict[str, dict[str, float]]
    note: str = ""


def judge(estimator: Any, train: Any, test: Any, random_state: Any = None) -> list[Comparison]:
    """Compare a fitted model with simple methods at what the model is for.

    A model that was trained to fill hidden cells is judged by cells that are hidden from it, one that was trained to
    denoise by the clean values of rows that are corrupted as in training, all others by their reconstructions. PCA has
    a code of the same size; where that is as large as the row, PCA rebuilds everything and is left out. Models that
    were trained on the evidence lower bound are judged by the bound too, beside one distribution of the same family for
    all rows, and generators of tables by their samples, beside the test rows.

    Parameters
    ----------
    estimator : Autoencoder
        Fitted on ``train``.
    train, test : array or data frame of shape (n_samples, ...)
        Whatever ``fit`` takes.
    random_state : int, RandomState or None, default=None
        Decides which cells are hidden, and other corruption.

    Returns
    -------
    list of Comparison

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus.baselines import judge
    >>> from isthmus.zoo import imputer
    >>> X = load_digits().data
    >>> model = imputer(8, max_epochs=5, random_state=0).fit(X[:1500])
    >>> comparison = judge(model, X[:1500], X[1500:], random_state=0)[0]
    >>> list(comparison.figures["error"])
    ['model', 'iterative regression', 'mean']
    """
    seed = seed_of(random_state)
    unseen = as_source(test, estimator.schema_)
    comparisons = [_judge_rows(estimator, train, rows_of(unseen), seed)]
    if estimator.density is not None and estimator.schema_.template and len(unseen) >= MIN_ROWS:
        comparisons.insert(0, _judge_samples(estimator, train, test, seed))
    elif _maximises_the_bound(estimator.module_):
        comparisons.insert(0, _judge_bound(estimator, as_source(train, estimator.schema_), unseen, seed))
    return comparisons


def _maximises_the_bound(module: Any) -> bool:
    """Whether a model was trained on the bound itself, and one distribution for all rows is a baseline of it."""
    weighted = getattr(module.bottleneck, "beta", 1.0) != 1.0
    return module.bottleneck.stochastic and not weighted and not module.backbone.autoregressive


def _judge_bound(estimator: Any, train: Source, test: Source, seed: int) -> Comparison:
    figures = {
        "model": bound_of(estimator, test, seed),
        "no code": bound_without_code(estimator.module_, train, test),
    }
    return Comparison("lower bound on the log-likelihood, in nats a row: higher is better", {"bound": figures})


def _judge_samples(estimator: Any, train: Any, test: Any, seed: int) -> Comparison:
    """Compare new rows with training rows, in the columns that the model has learned."""
    names = [field.name for field in estimator.schema_.used]
    known, unseen = (open_frame(X).select(names) for X in (train, test))
    made = open_frame(estimator.sample(len(unseen), random_state=seed)).select(names)
    measured = {
        method: _compare_tables(known.to_native(), rows.to_native(), seed)
        for method, rows in {"model": made, "test rows": unseen}.items()
    }
    figures = {name: {method: values[name] for method, values in measured.items()} for name in measured["model"]}
    title = (
        "new rows beside training rows: likeness of columns and of pairs of columns (1 is best), area under the ROC "
        "curve of a classifier that tells the rows apart (0.5 is best)"
    )
    return Comparison(title, figures)


def _compare_tables(known: Any, rows: Any, seed: int) -> dict[str, float]:
    columns, pairs = column_fidelity(known, rows), pair_fidelity(known, rows)
    return {
        "columns": float(np.mean(list(columns.values()))),
        "pairs": float(np.mean(list(pairs.values()) or [1.0])),
        "told apart": detection_score(known, rows, seed),
    }


def _judge_rows(estimator: Any, train: Any, clean: Values, seed: int) -> Comparison:
    corruption = estimator.module_.corruption
    training = Training.of(train, estimator.schema_)
    task = Task(clean, clean) if corruption is None else _corrupt(estimator, clean, seed)
    fills = getattr(corruption, "loss_on", None) == "hidden"
    methods, note = _imputers(training) if fills else _rebuilders(training, estimator.n_components)
    guesses = {"model": _ask(estimator, task.seen, fills), **{name: f(task.seen) for name, f in methods.items()}}
    if corruption is not None and not np.isnan(task.seen).any():
        guesses["as corrupted"] = task.seen
    figures = {
        "error": errors_of_numbers(training, task, guesses),
        "wrong": shares_of_wrong_categories(training, task, guesses),
    }
    what = "hidden cells" if fills else "clean values of corrupted rows" if corruption is not None else "reconstruction"
    return Comparison(_title(what, figures, unit_of(train)), {name: f for name, f in figures.items() if f}, note)


def _title(what: str, figures: Mapping[str, Mapping[str, float]], unit: str) -> str:
    parts = {"error": f"mean squared error of a number in squares of {unit}", "wrong": "share of wrong categories"}
    return f"{what}: {'; '.join(part for name, part in parts.items() if figures[name])}"


def _imputers(training: Training) -> tuple[dict[str, Method], str]:
    regression = fit_regression(training)
    mean = {"mean": fit_mean(training)}
    return ({"iterative regression": regression, **mean} if regression else mean), ""


def _rebuilders(training: Training, n_components: int) -> tuple[dict[str, Method], str]:
    n_values = training.rows.shape[1]
    if n_components < n_values:
        return {"PCA": fit_pca(training, n_components), "mean": fit_mean(training)}, ""
    note = f"PCA is left out: a code of {n_components} numbers holds all {n_values} values of a row"
    return {"mean": fit_mean(training)}, note


@own_settings()
def _corrupt(estimator: Any, clean: Values, seed: int) -> Task:
    """Corrupt rows as in training."""
    module = estimator.module_
    with seeded(seed, module.device), torch.inference_mode():
        x = torch.from_numpy(clean).reshape(-1, *module.schema.shape).to(module.device)
        seen, wanted = module.corrupt(x)
    return Task(_flatten(seen), _flatten(wanted))


def _flatten(x: torch.Tensor) -> Values:
    values: Values = x.flatten(1).cpu().double().numpy()
    return values


def _ask(estimator: Any, seen: Values, fills: bool) -> Values:
    """Let the model fill or rebuild rows of encoded values."""
    schema = estimator.schema_
    rows: Source = Array(torch.from_numpy(seen).reshape(-1, *schema.shape), replace(schema, dtype="float64"))
    values = np.array((estimator.impute if fills else estimator.reconstruct)(rows), np.float64).reshape(seen.shape)
    # The mean of a binary column is a probability.
    values[:, schema.categorical] = np.rint(values[:, schema.categorical])
    return values
