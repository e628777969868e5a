"""Comparison of a fitted model with simple methods at its task: imputation, denoising, reconstruction, the bound."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from isthmus.ambient import own_settings
from isthmus.autoencoder import Autoencoder
from isthmus.baselines.bounds import bound_of, log_likelihood_without_code
from isthmus.baselines.reconstruction import (
    Method,
    Task,
    Training,
    Values,
    error_rates,
    fit_mean,
    fit_pca,
    fit_regression,
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
from isthmus.metrics.text_table import format_table
from isthmus.priors import Density
from isthmus.randomness import seed_of, seeded

# Name of the share of the variance around the mean image that a method explains: 0 for the mean, 1 without errors.
EXPLAINED = "explained"


class Comparison(NamedTuple):
    """Figures of a model and of simple methods on the same rows.

    Parameters
    ----------
    title : str
        Name and unit of the measure.
    figures : dict of str to dict of str to float
        Figures by name, such as "error", "wrong" (a fraction) and "bound", and by method; "model" is the first method.
    note : str
        A remark for the user, or "".

    Examples
    --------
    >>> from isthmus.baselines import Comparison
    >>> found = Comparison("error of numbers", {"error": {"model": 0.3, "PCA": 0.5}}, "")
    >>> min(found.figures["error"], key=found.figures["error"].get)
    'model'
    """

    title: str
    figures: dict[str, dict[str, float]]
    note: str = ""

    def __str__(self) -> str:
        """Return a table with one line for each method."""
        methods = [*next(iter(self.figures.values()), {})]
        rows = [
            [method, *(format_figure(name, self.figures[name][method]) for name in self.figures)] for method in methods
        ]
        return "\n".join(filter(None, (self.title, format_table([["method", *self.figures], *rows]), self.note)))


def format_figure(name: str, figure: float) -> str:
    """Write a figure of a comparison as text."""
    return f"{figure:.1%}" if name in ("wrong", EXPLAINED) else f"{figure:.4g}"


def judge(estimator: Any, train: Any, test: Any, random_state: Any = None) -> list[Comparison]:
    """Compare a fitted model with simple methods at the task that it was trained for.

    - A model that was trained to fill missing cells: errors in cells that are hidden from it.
    - A model that was trained to denoise: errors in rows that are corrupted as in training.
    - Any other model: reconstruction errors. PCA has a code of the same size. It is left out if the code is as large as
      the row, because its error would be 0.
    - In addition, for a model that was trained on the evidence lower bound: the bound, and the log likelihood of one
      distribution of the same family for all rows.
    - In addition, for a generator of tables: the fidelity of new rows, and that of the test rows.

    The note of a comparison of errors names the methods that are better than the model. Numbers and categories count
    together: an error of 1 is that of the mean or of the most frequent category.

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
    comparisons = [_compare_answers(estimator, training, clean, seed)]
    if isinstance(estimator.module_.prior, Density) and estimator.schema_.template and len(unseen) >= MIN_ROWS:
        comparisons.insert(0, _compare_samples(estimator, training.rows, clean, seed))
    elif _maximizes_bound(estimator.module_):
        comparisons.insert(0, _compare_bounds(estimator, source, unseen, seed))
    return comparisons


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


def row_errors_by_method(estimator: Any, training: Training, test: Any, seed: int) -> dict[str, Values]:
    """Return the errors of ``row_errors`` for the model and for the simple methods of ``judge``, each (n,).

    Parameters are as in ``row_errors``; the simple methods are fitted to ``training``.
    """
    trial = _try_methods(estimator, training, read_values(as_source(test, estimator.schema_)), seed)
    return {name: sum_cell_errors(training, trial.task, answer) for name, answer in trial.answers.items()}


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


def _try_methods(estimator: Any, training: Training, clean: Values, seed: int) -> _Trial:
    corruption = estimator.module_.corruption
    imputes = predicts_hidden_cells(corruption)
    task = _make_task(estimator, clean, seed)
    methods, note = _imputers(training) if imputes else _rebuilders(training, estimator.n_components)
    answers = {"model": answer_rows(estimator, task.given, imputes)}
    answers |= {name: method(task.given) for name, method in methods.items()}
    if corruption is not None and not np.isnan(task.given).any():
        answers["as corrupted"] = task.given
    kind = "hidden cells" if imputes else "reconstruction" if corruption is None else "clean values of corrupted rows"
    return _Trial(kind, task, answers, note)


def _compare_answers(estimator: Any, training: Training, clean: Values, seed: int) -> Comparison:
    """Compare the errors of the model and of simple methods."""
    kind, task, answers, note = _try_methods(estimator, training, clean, seed)
    error, wrong = squared_errors(training, task, answers), error_rates(training, task, answers)
    measures = [f"mean squared error of numbers, relative to {training.unit_name}"] if error else []
    measures += ["share of wrong categories"] if wrong else []
    figures = {name: values for name, values in {"error": error, "wrong": wrong}.items() if values}
    row_means = {name: sum_cell_errors(training, task, answer).mean() for name, answer in answers.items()}
    if training.are_pixels and error.get("mean"):
        measures.append("share of the variance that is explained")
        figures[EXPLAINED] = {name: 1 - value / error["mean"] for name, value in error.items()}
    return Comparison(f"{kind}: {'; '.join(measures)}", figures, note or _name_better_methods(row_means))


def _name_better_methods(errors: dict[str, float]) -> str:
    """Return a remark that names the methods whose mean error over all cells is smaller than the model's, or ""."""
    better = [name for name, error in errors.items() if error < errors["model"]]
    if not better:
        return ""
    return f"smaller errors than the model: {', '.join(better)}; the model may need more rows or epochs"


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


def answer_rows(estimator: Any, values: Values, imputes: bool) -> Values:
    """Impute or rebuild rows of encoded values by the model."""
    schema = estimator.schema_
    rows: Source = Array(torch.from_numpy(values).reshape(-1, *schema.shape), replace(schema, dtype="float64"))
    answer = np.array((estimator.impute if imputes else estimator.reconstruct)(rows), np.float64).reshape(values.shape)
    # The mean of a binary column is a probability.
    answer[:, schema.categorical] = np.rint(answer[:, schema.categorical])
    return answer
