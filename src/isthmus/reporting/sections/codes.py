"""The map of the codes."""

from typing import TYPE_CHECKING

import numpy as np
from sklearn.decomposition import PCA

from isthmus.formatting import format_percent, pluralize
from isthmus.reporting.blocks import Figure, Section, Text
from isthmus.reporting.drawing import ACCENT, MAX_POINTS, draw
from isthmus.reporting.sections.detection import find_anomalies
from isthmus.reporting.subject import Subject, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours of classes that are distinct for colour-blind readers and visible on light and dark pages (Okabe and Ito,
# Color universal design, 2008), and the colour of the other classes.
COLOURS, OTHER = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9"), "#8a8a8a"
# The accent where points are drawn as pixels, which do not follow the page.
FIXED_ACCENT = "#2a8c94"
SIZE = (4.6, 3.6)


def show_codes(subject: Subject) -> Section | None:
    """Return a map of the codes of the judged rows, coloured by class or decision if there are some."""
    if subject.net is None or subject.codes.shape[1] < 2:
        return None
    plane, names, kept = _project(subject.codes)
    labels = _get_labels(subject)
    size = subject.codes.shape[1]
    lead = f"{pluralize(len(plane), subject.noun)} as codes of {size} numbers"
    lead += f"; the map shows {format_percent(kept)} of their variance." if size > 2 else "."
    note = (
        "Near points have similar codes."
        if size == 2
        else (
            "The map is the plane of the first two principal components of the codes. Near points can differ in the "
            "other components."
        )
    )
    figure = _draw(plane, names, labels, subject.nouns)
    values = {"n_rows": len(plane), "variance_shown": kept, "n_components": size}
    return Section(
        "codes", "Map of the codes", lead, [figure, Text(f"Each point is one of the {subject.nouns}. {note}")], values
    )


def _project(codes: Values) -> tuple[Values, tuple[str, str], float]:
    """Return two coordinates, their names, and the share of the variance that they have."""
    if codes.shape[1] == 2:
        return codes, ("code 1", "code 2"), 1.0
    pca = PCA(2, random_state=0).fit(codes)
    first, second = pca.explained_variance_ratio_
    names = f"principal component 1 ({format_percent(first)})", f"principal component 2 ({format_percent(second)})"
    return pca.transform(codes), names, float(first + second)


def _get_labels(subject: Subject) -> Values | None:
    if (is_anomaly := find_anomalies(subject)) is not None and subject.task == "detector":
        return np.where(is_anomaly, "anomaly", "no anomaly")
    if subject.y is not None:
        return np.array([str(label) for label in subject.y])
    if subject.task == "detector" and subject.model is not subject.estimator:
        return np.where(subject.model.predict(subject.X, scores=subject.scores) == -1, "alarm", "no alarm")
    return None


def _draw(plane: Values, names: tuple[str, str], labels: Values | None, nouns: str) -> Figure:
    raster = len(plane) > MAX_POINTS
    groups = _group(plane, labels)

    def paint(ax: "Axes") -> None:
        size, alpha = (
            float(np.clip(400 / np.sqrt(len(plane)), 3, 22)),
            float(np.clip(25 / np.sqrt(len(plane)), 0.35, 0.8)),
        )
        for i, (name, points) in enumerate(groups.items()):
            colour = (FIXED_ACCENT if raster else ACCENT) if labels is None else ([*COLOURS, OTHER][i])
            ax.scatter(points[:, 0], points[:, 1], s=size, alpha=alpha, linewidths=0, color=colour, rasterized=raster)
            ax.scatter([], [], s=24, color=colour, linewidths=0, label=name)
        ax.set(xlabel=names[0], ylabel=names[1])
        ax.locator_params(nbins=5)
        if labels is not None:
            ax.figure.legend(loc="outside upper left", ncols=4, handletextpad=0.2, columnspacing=1.2)

    shown = "" if labels is None else f", in the classes {', '.join(groups)}"
    return draw(paint, f"Scatter of the codes of {len(plane)} {nouns}{shown}", size=SIZE)


def _group(plane: Values, labels: Values | None) -> dict[str, Values]:
    """Return the points of each class, the most frequent classes first, and those of the other classes together."""
    if labels is None:
        return {"rows": plane}
    names, counts = np.unique(labels, return_counts=True)
    first = names[np.argsort(-counts, kind="stable")][: len(COLOURS)]
    groups = {str(name): plane[labels == name] for name in first}
    others = ~np.isin(labels, first)
    return groups | ({"others": plane[others]} if others.any() else {})
