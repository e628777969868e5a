"""Images and series as pictures: worst and best reconstructions, new rows, traversals, and heat maps of alarms."""

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus import plots
from isthmus.anomaly import AnomalyDetector, BaggedAutoencoders
from isthmus.anomaly.rows import take_rows
from isthmus.autoencoder import Autoencoder
from isthmus.data import ImageFolder
from isthmus.plots.grids import draw_grid, draw_signed
from isthmus.plots.samples import Samples, make_samples
from isthmus.priors import Density
from isthmus.reporting.blocks import Block, Figure, Section, Text
from isthmus.reporting.drawing import WIDTH, draw
from isthmus.reporting.fitted import are_training_rows
from isthmus.reporting.intervals import estimate
from isthmus.reporting.sections.alarms import share_by_label, summarize_labels
from isthmus.reporting.subject import Subject, Values, once
from isthmus.reporting.texts import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Number of images and of curves beside each other.
N_IMAGES, N_CURVES = 6, 4
# Width of the names and of the colour bar beside a grid, and height of a curve and of the margins, in inches.
NAMES, CURVE, MARGINS = 1.6, 0.55, 0.25
# Largest number of components that are varied, and their values in standard deviations.
N_COMPONENTS, STEPS = 6, (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)


@once
def measure_errors(subject: Subject) -> Values:
    """Return the mean squared error of the values of each row, (n,); missing values do not count."""
    squares = np.square(subject.numbers - subject.reconstructions).reshape(len(subject.numbers), -1)
    return np.asarray(np.nanmean(squares, axis=1))


def show_pictures(subject: Subject) -> Section | None:
    """Return the rows with the largest and the smallest errors, their reconstructions, and the residuals."""
    if not isinstance(subject.estimator, Autoencoder | BaggedAutoencoders):
        return None
    errors, n, unit = measure_errors(subject), _count(subject), _name(subject)
    order = np.argsort(-errors, kind="stable")
    groups = {"largest": order[:n], "smallest": order[-n:][::-1]}
    blocks: list[Block] = [
        _draw_residuals(subject, rows, f"{unit} with the {name} errors") for name, rows in groups.items()
    ]
    blocks.append(Text(_explain_ranking(subject)))
    median, highest = float(np.median(errors)), float(errors.max())
    mean = estimate(errors[:, None], subject.seed)[0]
    lead = (
        f"The mean squared error in squared units of the values is {show(mean)}; half of the {unit} have an error "
        f"below {show(median)}, and the worst has {show(highest)}."
    )
    rows = {name: [{"row": subject.name_row(i), "error": errors[i]} for i in chosen] for name, chosen in groups.items()}
    values = {"n_rows": len(errors), "error": mean, "median": median, "highest": highest, **rows}
    return Section("reconstructions", "Worst and best reconstructions", lead, blocks, values)


def _explain_ranking(subject: Subject) -> str:
    """Say which rows were ranked, and how to rank the others."""
    unit = _name(subject)
    if are_training_rows(subject):
        return (
            f"Some of these {unit} were in the fit and have smaller errors for this reason, so the order says little: "
            f"the largest errors are mostly those of {unit} that fit held out."
        )
    return (
        f"Only the judged {unit} are ranked, and those with similar errors change places with another seed of the fit. "
        f"`isthmus detect` ranks all {unit} of a file or folder, each by nets that have not seen it."
    )


def show_samples(subject: Subject) -> Section | None:
    """Return new rows beside judged ones."""
    if not _can_sample(subject) or subject.net is None:
        return None
    n, unit = _count(subject), _name(subject)
    chosen = np.sort(np.random.default_rng(subject.seed).permutation(len(subject.numbers))[:n])
    new = subject.net.sample(2 * n, sample_values=False, random_state=subject.seed)
    rows = {"judged": _as_samples(subject, take_rows(subject.X, chosen))}
    made = _as_samples(subject, new)
    rows |= {"new": made._replace(values=made.values[:n]), "new ": made._replace(values=made.values[n:])}
    figure = draw(
        lambda ax: draw_grid(rows, ax),
        f"A row of {n} judged {unit}, and two rows of {n} new ones",
        f"Top: judged {unit}, chosen at random. Below: new {unit}; each is the mean of the likelihood at a drawn code.",
        _measure(subject, 3),
    )
    title, lead = f"New {unit}", f"The model draws new {unit} from its prior; none of them is chosen by hand."
    return Section("samples", title, lead, [figure], {"judged": chosen, "n_new": 2 * n})


def show_traversals(subject: Subject) -> Section | None:
    """Return what the components with the largest spread do, one row of pictures for each."""
    if not _can_sample(subject) or subject.net is None:
        return None
    spread = np.std(subject.codes, axis=0)
    chosen = np.argsort(-spread, kind="stable")[:N_COMPONENTS].tolist()
    figure = draw(
        lambda ax: plots.traversal(subject.net, components=chosen, values=STEPS, ax=ax),
        f"Decoded codes in which one of the components {', '.join(str(i + 1) for i in chosen)} varies from -3 to 3 "
        "standard deviations",
        "The other components keep their means.",
        _measure(subject, len(chosen), len(STEPS), axis=0.4),
    )
    lead = f"Each row of pictures varies one of the {len(chosen)} components of the code with the largest spread."
    values = {"components": [{"component": i + 1, "deviation": spread[i]} for i in chosen]}
    return Section("traversals", "What the code means", lead, [figure], values)


def show_heat_maps(subject: Subject) -> Section | None:
    """Return the most anomalous rows of a detector, and which values make them anomalous."""
    if not isinstance(subject.model, AnomalyDetector):
        return None
    scores, unit = subject.scores, _name(subject)
    alarms = scores < subject.model.offset_
    chosen = np.argsort(scores, kind="stable")[: _count(subject)]
    rate = estimate(alarms[:, None].astype(float), subject.seed)[0]
    lead = summarize_labels(subject)
    lead = lead or f"{int(alarms.sum()):,} of {len(scores):,} {unit} are alarms; below are the most anomalous ones."
    figure = _draw_contributions(subject, chosen)
    values = {
        "n_rows": len(scores),
        "n_alarms": int(alarms.sum()),
        "rate": rate,
        "share_by_label": share_by_label(subject),
        "threshold": float(subject.model.offset_),
        "rows": [{"row": subject.name_row(i), "score": scores[i], "alarm": alarms[i]} for i in chosen],
    }
    note = Text(f"The threshold of the score is {show(float(subject.model.offset_))}; lower scores are alarms.")
    return Section("heat_maps", f"The most anomalous {unit}", lead, [figure, note], values)


def _count(subject: Subject) -> int:
    return min(N_CURVES if subject.data == "series" else N_IMAGES, len(subject.numbers))


def _name(subject: Subject) -> str:
    return "series" if subject.data == "series" else "images"


def _can_sample(subject: Subject) -> bool:
    module = subject.net.module_ if subject.net is not None else None
    return module is not None and (module.bottleneck.stochastic or isinstance(module.prior, Density))


def _as_samples(subject: Subject, rows: Any) -> Samples:
    return make_samples(subject.net, plots.inputs.to_numbers(subject.net, rows), None)


def _measure(subject: Subject, n_rows: int, n: int | None = None, axis: float = 0.0) -> tuple[float, float]:
    """Return the size of a grid in inches."""
    if subject.data == "series":
        return WIDTH, MARGINS + axis + CURVE * n_rows
    height, width = make_samples(subject.estimator, subject.numbers[:1], _shape(subject)).values.shape[1:3]
    return WIDTH, MARGINS + axis + n_rows * (WIDTH - NAMES) / (n or _count(subject)) * height / width


def _shape(subject: Subject) -> tuple[int, ...] | None:
    """Return the shape of flattened images, which is inferred from many rows."""
    if subject.data != "flat images":
        return None
    return make_samples(subject.estimator, subject.numbers, None).values.shape[1:]


def _draw_residuals(subject: Subject, rows: Values, what: str) -> Figure:
    errors = _list_named(subject, rows, measure_errors(subject)[rows])
    shown, shape = take_rows(subject.X, rows), _shape(subject)
    return draw(
        lambda ax: plots.residuals(subject.estimator, shown, shape=shape, n=len(rows), ax=ax),
        f"The {len(rows)} {what}, their reconstructions, and the residuals",
        f"The {what}: {errors}. In residuals, red is too large and blue too small."
        if subject.data != "series"
        else f"The {what}: {errors}. Time runs from left to right.",
        _measure(subject, 3),
    )


def _draw_contributions(subject: Subject, rows: Values) -> Figure:
    shown, scores = take_rows(subject.X, rows), subject.scores[rows]
    heat = -subject.model.explain(shown, n_nearest=1).by_value.reshape(len(rows), *subject.schema.shape)
    samples = make_samples(subject.estimator, subject.numbers[rows], _shape(subject))

    def paint(ax: "Axes") -> None:
        if samples.are_images:
            per_pixel = heat.sum(1) if heat.ndim == 4 else heat.reshape(len(heat), *samples.values.shape[1:3])
            draw_signed({"image": samples.values}, "less normal", per_pixel, ax)
        else:
            draw_grid({"series": samples, "less normal": Samples(heat.reshape(samples.values.shape), False)}, ax)

    what = f"The {len(rows)} {_name(subject)} with the lowest scores, and the contribution of each value to the score"
    listed = f"Scores: {_list_named(subject, rows, scores)}."
    caption = f"{listed} Red values make a row less normal, and blue values more normal."
    return draw(paint, what, caption if samples.are_images else listed, _measure(subject, 2))


def _list_named(subject: Subject, rows: Values, numbers: Values) -> str:
    """List numbers with the rows that they belong to: ``600 (row 12), 465 (row 7)``."""
    noun = "" if isinstance(subject.X, ImageFolder) else "row "
    pairs = zip(rows.tolist(), numbers.tolist(), strict=True)
    return ", ".join(f"{show(number)} ({noun}{subject.name_row(row)})" for row, number in pairs)
