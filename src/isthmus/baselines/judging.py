"""Comparison of a fitted model with simple methods at its task: imputation, denoising, reconstruction, the bound."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from isthmus.ambient import own_settings
from isthmus.autoencoder import Autoencoder
from isthmus.baselines.bounds import bound_of, log_likelihood_without_code
from isthmus.baselines.columns import ColumnErrors, compare_columns
from isthmus.baselines.comparison import EXPLAINED, Comparison
from isthmus.baselines.differences import compare_means
from isthmus.baselines.reconstruction import (
    HIDDEN,
    Method,
    Task,
    Training,
    Values,
    cell_errors,
    error_rates,
    fit_mean,
    fit_pca,
    fit_regression,
    hide_cells,
    read_values,
    squared_errors,
    sum_cell_errors,
)
from isthmus.corruptions import predicts_hidden_cells
from isthmus.data import Array, Source, as_source
from isthmus.data.tables.codec import decode_plain
from isthmus.errors import require_type
from isthmus.metrics import column_fidelity, detection_score, pair_fidelity
from isthmus.metrics.learning import MIN_ROWS
from isthmus.priors import Density
from isthmus.randomness import seed_of, seeded


def judge(estimator: Any, train: Any, test: Any, random_state: Any = None) -> list[Comparison]:
    """Compare a fitted model with simple methods at the task that it was trained for.

    - A model that was trained to fill missing cells: errors in cells that are hidden from it.
    - A model that was trained to denoise: errors in rows that are corrupted as in training.
    - Any other model: reconstruction errors. PCA has a code of the same size. It is left out if the code is as large as
      the row, because its error would be 0.
    - In addition, for tables: the same for each column, relative to its standard deviation, and the accuracy of each
      column of categories. Every fifth known cell is hidden if the model takes missing cells.
    - In addition, for a model that was trained on the evidence lower bound: the bound, and the log likelihood of one
      distribution of the same family for all rows.
    - In addition, for a generator of tables: the fidelity of new rows, and that of the test rows.

    The note of a comparison of errors names the methods that are clearly better than the model: the paired t test over
    rows rejects at 5 % that they are equal. Numbers and categories count together: an error of 1 is that of the mean or
    of the most frequent category. Comparisons by column name the better method in ``better``, by the same test over
    cells.

    Parameters
    ----------
    estimator : Autoencoder
        Fitted on ``train``.
    train, test : array, data frame or Source of shape (n_samples, ...)
        Rows of the fit, and rows that the model has not seen.
    random_state : int, RandomState or None, default=None
        Random state of hidden cells and other corruption.

    Returns
    -------
    list of Comparison
        One for each measure.

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
    require_type("estimator", estimator, Autoencoder, "a fitted Autoencoder")
    seed = seed_of(random_state)
    source, unseen = (as_source(X, estimator.schema_) for X in (train, test))
    training, clean = Training.of(source), read_values(unseen)
    trial = _try_methods(estimator, training, clean, seed)
    comparisons = [_compare_answers(training, trial)]
    if isinstance(estimator.module_.prior, Density) and estimator.schema_.template and len(unseen) >= MIN_ROWS:
        comparisons.insert(0, _compare_samples(estimator, training.rows, clean, seed))
    elif _maximizes_bound(estimator.module_):
        comparisons.insert(0, _compare_bounds(estimator, source, unseen, seed))
    errors = _measure_columns(estimator, training, clean, seed, trial)
    return comparisons if errors is None else [*comparisons, *compare_columns(errors)]


def row_errors(estimator: Any, training: Training, test: Any, seed: int) -> Values:
    """Return the error of each row at the task that the model was trained for, (n,).

    Parameters
    ----------
    estimator : Autoencoder
        Fitted.
    training : Training
        The units of errors.
    test : array, data frame or Source of shape (n_samples, ...)
    seed : int
        Seed of hidden cells and other corruption.

    Returns
    -------
    ndarray of shape (n_samples,)
        Squared errors of numbers and wrong categories, both in the units of ``training``, summed over the cells of a
        row and divided by the mean number of compared cells per row.
    """
    task = _make_task(estimator, read_values(as_source(test, estimator.schema_)), seed)
    answer = answer_rows(estimator, task.given, predicts_hidden_cells(estimator.module_.corruption))
    return sum_cell_errors(training, task, answer)


class Errors(NamedTuple):
    """Errors by method: of each row (n,), as in ``row_errors``, and of each column of a table."""

    rows: dict[str, Values]
    columns: ColumnErrors | None


def errors_by_method(estimator: Any, training: Training, test: Any, seed: int) -> Errors:
    """Return the errors of the model and of the simple methods of ``judge``, which are fitted to ``training``.

    Parameters are as in ``row_errors``.
    """
    clean = read_values(as_source(test, estimator.schema_))
    trial = _try_methods(estimator, training, clean, seed)
    rows = {name: sum_cell_errors(training, trial.task, answer) for name, answer in trial.answers.items()}
    return Errors(rows, _measure_columns(estimator, training, clean, seed, trial))


def _maximizes_bound(module: Any) -> bool:
    """Whether a model was trained on the unweighted bound, and one distribution for all rows is a baseline for it."""
    weighted = getattr(module.bottleneck, "beta", 1.0) != 1.0
    return module.bottleneck.stochastic and not weighted and not module.backbone.autoregressive


def _compare_bounds(estimator: Any, train: Source, test: Source, seed: int) -> Comparison:
    figures = {
        "model": bound_of(estimator, test, seed),
        "no code": float(log_likelihood_without_code(estimator.module_, train, test).mean()),
    }
    return Comparison("lower bound on the log likelihood, in nats per row: higher is better", {"bound": figures})


def _compare_samples(estimator: Any, train: Values, test: Values, seed: int) -> Comparison:
    """Compare new rows and test rows with training rows, in the columns that the model has learned."""
    schema = estimator.schema_
    samples = read_values(as_source(estimator.sample(len(test), random_state=seed), schema))
    known, new, unseen = (decode_plain(values, schema) for values in (train, samples, test))
    measured = {"model": _fidelity(known, new, seed), "test rows": _fidelity(known, unseen, seed)}
    figures = {name: {method: values[name] for method, values in measured.items()} for name in measured["model"]}
    title = (
        "new rows compared with training rows: similarity of columns and of pairs of columns (1 is best), area under "
        "the ROC curve of a classifier that detects the new rows (0.5 is best)"
    )
    return Comparison(title, figures)


def _fidelity(known: Any, rows: Any, seed: int) -> dict[str, float]:
    columns, pairs = column_fidelity(known, rows), pair_fidelity(known, rows)
    return {
        "columns": float(np.mean(list(columns.values()))),
        "pairs": float(np.mean(list(pairs.values()) or [1.0])),
        "detection": detection_score(known, rows, seed),
    }


class _Trial(NamedTuple):
    """Results of the model and of simple methods for rows, which are corrupted if training rows were."""

    kind: str
    task: Task
    answers: dict[str, Values]
    note: str


def _try_methods(estimator: Any, training: Training, clean: Values, seed: int, hides: bool = False) -> _Trial:
    """Try the task that the model was trained for, or if ``hides`` the imputation of hidden cells."""
    corruption = estimator.module_.corruption
    imputes = hides or predicts_hidden_cells(corruption)
    task = hide_cells(clean, seed) if hides else _make_task(estimator, clean, seed)
    methods, note = _imputers(training) if imputes else _rebuilders(training, estimator.n_components)
    answers = {"model": answer_rows(estimator, task.given, imputes)}
    answers |= {name: method(task.given) for name, method in methods.items()}
    if corruption is not None and not np.isnan(task.given).any():
        answers["as corrupted"] = task.given
    if hides:
        return _Trial(f"hidden cells (one in {round(1 / HIDDEN)} known cells)", task, answers, note)
    kind = "hidden cells" if imputes else "reconstruction" if corruption is None else "clean values of corrupted rows"
    return _Trial(kind, task, answers, note)


def _measure_columns(
    estimator: Any, training: Training, clean: Values, seed: int, trial: _Trial
) -> ColumnErrors | None:
    """Measure errors by column, of hidden cells if the model takes missing cells; None unless rows are a table."""
    schema, module = estimator.schema_, estimator.module_
    imputes = predicts_hidden_cells(module.corruption)
    if len(schema.shape) != 1 or schema.n_categories or training.are_pixels or not (schema.fields or imputes):
        return None
    if module.flags and not (imputes or module.labels.width):
        trial = _try_methods(estimator, training, clean, seed, hides=True)
    are_categories = np.isin(np.arange(clean.shape[1]), schema.categorical)
    scale = np.where(are_categories, training.unit, 1.0)
    cells = {name: cell_errors(training, trial.task, answer) * scale for name, answer in trial.answers.items()}
    names = [field.name for field in schema.used] or list(range(clean.shape[1]))
    return ColumnErrors.of(trial.kind, names, are_categories, cells, training.unit)


def _compare_answers(training: Training, trial: _Trial) -> Comparison:
    """Compare the errors of the model and of simple methods."""
    kind, task, answers, note = trial
    error, wrong = squared_errors(training, task, answers), error_rates(training, task, answers)
    measures = [training.error_name] if error else []
    measures += ["share of wrong categories"] if wrong else []
    figures = {name: values for name, values in {"error": error, "wrong": wrong}.items() if values}
    rows = {name: sum_cell_errors(training, task, answer) for name, answer in answers.items()}
    if training.are_pixels and error.get("mean"):
        measures.append("share of the variance that is explained")
        figures[EXPLAINED] = {name: 1 - value / error["mean"] for name, value in error.items()}
    return Comparison(f"{kind}: {'; '.join(measures)}", figures, note or _name_better_methods(rows))


def _name_better_methods(errors: dict[str, Values]) -> str:
    """Return a remark that names the methods whose errors of rows are clearly smaller than the model's, or ""."""
    better = [name for name, each in errors.items() if compare_means(errors["model"], each).low > 0]
    if not better:
        return ""
    return f"clearly smaller errors than the model: {', '.join(better)}; the model may need more rows or epochs"


def _imputers(training: Training) -> tuple[dict[str, Method], str]:
    regression, mean = fit_regression(training), {"mean": fit_mean(training)}
    return ({"iterative regression": regression, **mean} if regression else mean), ""


def _rebuilders(training: Training, n_components: int) -> tuple[dict[str, Method], str]:
    n_values, mean = training.rows.shape[1], {"mean": fit_mean(training)}
    if n_components < n_values:
        return {"PCA": fit_pca(training, n_components).rebuild, **mean}, ""
    return mean, f"PCA is left out: a code of {n_components} numbers can store all {n_values} values of a row"


def _make_task(estimator: Any, clean: Values, seed: int) -> Task:
    """Return rows that are corrupted if training rows were, and the values that the model should return."""
    return Task(clean, clean) if estimator.module_.corruption is None else _corrupt(estimator, clean, seed)


@own_settings()
def _corrupt(estimator: Any, clean: Values, seed: int) -> Task:
    """Corrupt rows as in training."""
    module = estimator.module_
    with seeded(seed, module.device), torch.inference_mode():
        x = torch.from_numpy(clean).reshape(-1, *module.schema.shape).to(module.device)
        corrupted, expected = module.corrupt(x)
    return Task(*(values.flatten(1).cpu().double().numpy() for values in (corrupted, expected)))


def draw_rows(estimator: Any, values: Values, n_draws: int, seed: int) -> Values:
    """Impute rows of encoded values at random by the model, (n_draws, n, n_values)."""
    drawn = estimator.impute(_as_source(estimator, values), n_draws=n_draws, random_state=seed)
    return np.array(drawn, np.float64).reshape(n_draws, *values.shape)


def answer_rows(estimator: Any, values: Values, imputes: bool) -> Values:
    """Impute or rebuild rows of encoded values by the model."""
    schema, rows = estimator.schema_, _as_source(estimator, values)
    answer = np.array((estimator.impute if imputes else estimator.reconstruct)(rows), np.float64).reshape(values.shape)
    # The mean of a binary column is a probability.
    answer[:, schema.categorical] = np.rint(answer[:, schema.categorical])
    return answer


def _as_source(estimator: Any, values: Values) -> Source:
    schema = estimator.schema_
    return Array(torch.from_numpy(values).reshape(-1, *schema.shape), replace(schema, dtype="float64"))
