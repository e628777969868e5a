"""The errors of an autoencoder beside those of simple methods with codes of the same size, on the same rows."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isthmus.baselines.columns import ColumnErrors, compare_columns
from isthmus.baselines.comparison import BETTER
from isthmus.baselines.differences import compare_means
from isthmus.baselines.judging import Errors, errors_by_method
from isthmus.baselines.reconstruction import Training
from isthmus.data import Source, as_source
from isthmus.formatting import format_percent, join_limits
from isthmus.reporting.blocks import Block, Figure, Interval, Quantity, Section, Table, Text
from isthmus.reporting.drawing import ACCENT, INK, MUTED, WIDTH, draw
from isthmus.reporting.intervals import estimate
from isthmus.reporting.subject import Subject, Values, once
from isthmus.reporting.texts import show_limits, show_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MODEL = "model"
# Names of methods in a report; n is the number of components of the code, and mean the name of the mean row.
NAMES = {
    MODEL: "this model",
    "PCA": "PCA of {n} components",
    "mean": "{mean}",
    "as corrupted": "corrupted rows, unchanged",
    "iterative regression": "iterative regression",
}
# What is measured, by task.
MEASURES = {
    "imputer": "Error in hidden cells",
    "autoencoder": "Reconstruction error",
    "generator": "Reconstruction error",
}
# Heading of errors in the unit of a column.
ABSOLUTE = "mean absolute error"
# What the names of better methods mean in tables by column.
COLUMNS_NOTE = (
    "The column with the largest error relative to that of the mean or the most frequent category comes first. "
    "The mean absolute error is that of the model, in the unit of the column (days for dates). "
    "The model is compared with the best other method of each column by a paired t test at 5 %. Of 20 columns without "
    "a difference, about one gets a name by chance."
)


@dataclass(frozen=True)
class Judgement:
    """Errors of several methods, and their ratios, with intervals.

    Parameters
    ----------
    means : mapping of str to Interval
        By method; the first one is the model.
    differences : mapping of str to Interval
        For each other method, the error of the model relative to it, minus 1: negative if the model is better.
    columns : ColumnErrors or None
        Errors by column of a table.
    """

    means: Mapping[str, Interval]
    differences: Mapping[str, Interval]
    columns: ColumnErrors | None = None


@once
def judge_methods(subject: Subject) -> Judgement:
    """Compute the errors of the model and of simple methods, on rows that no simple method was fitted to."""
    training, judge = read_training(subject), _judge_with_train if subject.train is not None else _judge_by_halves
    errors = judge(subject, training)
    return judge_errors(errors.rows, np.ones(len(subject.source)), subject.seed, errors.columns)


def judge_errors(
    sums: Mapping[str, Values], counts: Values, seed: int, columns: ColumnErrors | None = None
) -> Judgement:
    """Return errors of methods and their ratios, with intervals.

    Parameters
    ----------
    sums : mapping of str to ndarray of shape (n,)
        Sums of the errors in each row, text or stretch, by method; the first one is the model.
    counts : ndarray of shape (n,)
        Numbers of errors in each sum.
    seed : int
    columns : ColumnErrors or None
    """
    values, names = np.column_stack([*sums.values(), counts]), [*sums]
    means = estimate(values, seed, lambda mean: mean[..., :-1] / mean[..., -1:])
    # The same test as that of ``judge``, so that a report and ``isthmus fit`` agree on which method is better.
    differences = {name: Interval(*compare_means(sums[names[0]], sums[name])) for name in names[1:]}
    return Judgement(dict(zip(names, means, strict=True)), differences, columns)


def compare_methods(subject: Subject) -> Section | None:
    """Return the errors of the model and of simple methods."""
    if subject.net is None or subject.schema.n_categories:
        return None
    judgement = judge_methods(subject)
    mean = "column means" if subject.data == "table" else f"mean {subject.noun}"
    names = {name: NAMES[name].format(n=subject.net.n_components, mean=mean) for name in judgement.means}
    columns = [] if judgement.columns is None else [*list_columns(judgement.columns)]
    blocks: list[Block] = [
        draw_methods(judgement, names, MEASURES[subject.task]),
        list_methods(judgement, names, _explain_measure(subject)),
        *columns,
        *([Text(COLUMNS_NOTE)] if columns else []),
        Text(_explain_methods(subject)),
    ]
    values = {
        "n_rows": len(subject.source),
        "errors": judgement.means,
        "relative_differences": judgement.differences,
        "columns": [dict(zip(table.columns, row, strict=True)) for table in columns for row in table.rows],
    }
    lead = summarize_methods(judgement, names, MEASURES[subject.task])
    return Section("comparison", "Compared with simple methods", lead, blocks, values, "quality")


def list_columns(errors: ColumnErrors) -> Iterator[Table]:
    """Yield a table of errors by column of numbers, and one by column of categories."""
    n_cells = dict(zip(errors.names, errors.counts.tolist(), strict=True))
    absolute = errors.average_absolute()
    for comparison in compare_columns(errors):
        records = [
            {"column": str(name), "cells": n_cells[name]}
            | {method: each[name] for method, each in comparison.figures.items()}
            | ({ABSOLUTE: Quantity(absolute[name])} if name in absolute else {})
            | {BETTER: comparison.better[name]}
            for name in comparison.figures[MODEL]
        ]
        yield Table.of(records, f"{comparison.title[0].upper()}{comparison.title[1:]}")


def list_methods(judgement: Judgement, names: Mapping[str, str], caption: str, unit: str = "error") -> Table:
    """Return a table of the errors of methods, and of the differences of the model from them."""
    differences = judgement.differences
    records = [
        {"method": names[name], unit: mean, "model, relative to the method": describe_difference(differences.get(name))}
        for name, mean in judgement.means.items()
    ]
    return Table.of(records, caption)


@once
def read_training(subject: Subject) -> Training:
    """Read the training rows, or the judged rows if the training rows are not known."""
    return Training.of(subject.source if subject.train is None else as_source(subject.train, subject.schema))


def _judge_with_train(subject: Subject, training: Training) -> Errors:
    return errors_by_method(subject.net, training, subject.source, subject.seed)


def _judge_by_halves(subject: Subject, training: Training) -> Errors:
    """Fit the simple methods to each half of the rows, and judge them on the other half."""
    n, unit = len(subject.source), training.unit
    order = np.random.default_rng(subject.seed).permutation(n)
    halves = np.sort(order[: n // 2]), np.sort(order[n // 2 :])
    parts = [
        _errors_of(subject, subject.source.take(fitted), subject.source.take(judged), unit)
        for fitted, judged in (halves, halves[::-1])
    ]
    place = np.argsort(np.concatenate(halves[::-1]))
    rows = {name: np.concatenate([part.rows[name] for part in parts])[place] for name in parts[0].rows}
    columns = [part.columns for part in parts if part.columns is not None]
    return Errors(rows, columns[0].join(columns[1]) if columns else None)


def _errors_of(subject: Subject, fitted: Source, judged: Source, unit: Values) -> Errors:
    training = Training.of(fitted)._replace(unit=unit)
    return errors_by_method(subject.net, training, judged, subject.seed)


def describe_difference(difference: Interval | None) -> str:
    """Return a relative difference in words: ``"43 % larger (23 % to 65 %)"``."""
    if difference is None:
        return ""
    is_open = math.isinf(difference.high)
    if difference.includes_zero:
        return "no clear difference" if is_open else f"no clear difference ({_join(difference)})"
    if is_open:
        return f"{format_percent(difference.value)} larger (at least {format_percent(difference.low)})"
    word, size = ("larger", difference) if difference.low > 0 else ("smaller", -difference)
    return f"{show_value(size.as_share())} {word} ({_join(size)})"


def _join(difference: Interval) -> str:
    return join_limits(*show_limits(difference.as_share()))


def summarize_methods(judgement: Judgement, names: Mapping[str, str], measure: str) -> str:
    """Compare the model with the best simple method in one sentence."""
    best = max(judgement.differences, key=lambda name: judgement.differences[name].value)
    difference, start = judgement.differences[best], f"The {measure[0].lower()}{measure[1:]}"
    if difference.includes_zero:
        return f"{start} does not differ clearly from that of {names[best]}, the best simple method."
    value, _, limits = describe_difference(difference).partition(" (")
    limits = limits.removesuffix(")")
    return f"{start} is {value} than that of {names[best]}, the best simple method (95 % interval {limits})."


def _explain_measure(subject: Subject) -> str:
    categories = (
        ", and wrong categories relative to those of the most frequent category" if subject.schema.categorical else ""
    )
    return f"{MEASURES[subject.task]}: {read_training(subject).error_name}{categories}; 95 % intervals"


def _explain_methods(subject: Subject) -> str:
    if subject.train is not None:
        return f"The simple methods were fitted to the training {subject.nouns}."
    return (
        f"The training {subject.nouns} were not given. The simple methods were therefore fitted to one half of the "
        f"judged {subject.nouns} and judged on the other half, and the reverse. If the judged {subject.nouns} were "
        "used in training, the comparison favors the model."
    )


def draw_methods(judgement: Judgement, names: Mapping[str, str], measure: str) -> Figure:
    """Draw the errors of methods, with their intervals."""
    means = judgement.means

    def paint(ax: "Axes") -> None:
        for place, (name, (value, low, high)) in enumerate(means.items()):
            colour = ACCENT if name == MODEL else MUTED
            ax.plot([low, high], [place, place], color=colour, linewidth=1.5, solid_capstyle="butt")
            ax.plot(value, place, "o", color=colour, markersize=6)
        ax.set_yticks(range(len(means)), [names[name] for name in means], color=INK)
        ax.set_ylim(len(means) - 0.5, -0.5)
        ax.set_xlim(0, None)
        ax.set_xlabel(f"{measure[0].lower()}{measure[1:]}")
        ax.grid(axis="x")
        ax.set_axisbelow(True)
        ax.spines["left"].set_visible(False)

    shown = ", ".join(f"{names[name]} {show_value(mean)}" for name, mean in means.items())
    return draw(paint, f"{measure} by method: {shown}", size=(WIDTH, 0.75 + 0.32 * len(means)))
