"""The model as its composition: which parts, and how many numbers flow between them."""

from collections import Counter
from math import log, prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from isthmus.autoencoder import Autoencoder
from isthmus.backbones import MLP
from isthmus.formatting import pluralize
from isthmus.likelihoods import Mixed
from isthmus.reporting.blocks import Block, Facts, Figure, Section
from isthmus.reporting.drawing import ACCENT, INK, MUTED, draw
from isthmus.reporting.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = ("corruption", "backbone", "bottleneck", "prior", "likelihood", "regularizers")
# Characters of a part that are shown; the list of the columns of a mixed likelihood can be long.
N_CHARACTERS = 160
# Additional distance of the rows from the nets in the picture.
OUTER = 0.5


class Stage(NamedTuple):
    """Numbers between two parts of a model: their name, and how many there are for a row."""

    name: str
    size: int


def show_composition(subject: Subject) -> Section:
    """Return the parts of a model, a picture of an autoencoder, and its size."""
    net, blocks = subject.net, list[Block]()
    parts = {"model": type(subject.model).__name__ if net is not None else _describe(subject.model)}
    stages = list[Stage]()
    if net is not None:
        stages = list_stages(net)
        # Who fills gaps does not use the code.
        blocks += [_draw(stages, subject.noun)] if subject.task != "imputer" else []
        parts |= {name: _describe(getattr(net.module_, name, None)) for name in PARTS}
        parts["prior"] = _describe(net.module_.fitted_prior or net.module_.bottleneck.prior)
        parts["regularizers"] = ", ".join(map(_describe, net.module_.regularizers)) or "none"
    n_weights = 0 if net is None else sum(parameter.numel() for parameter in net.module_.parameters())
    facts = parts | ({"learned numbers": n_weights} if n_weights else {})
    lead = _summarize(subject, stages, n_weights)
    values = {"parts": parts, "stages": {stage.name: stage.size for stage in stages}, "n_weights": n_weights}
    return Section("composition", "The model", lead, [*blocks, Facts(facts)], values)


def list_stages(net: Autoencoder) -> list[Stage]:
    """Return what flows through an autoencoder, from rows to rows."""
    module, backbone = net.module_, net.module_.backbone
    n_values, hidden = prod(module.schema.shape), backbone.widths() if isinstance(backbone, MLP) else []
    is_linear = isinstance(backbone, MLP) and backbone.linear_part() == "encoder"
    n_input = prod(module.likelihood.encoded_shape) + module.flags * prod(module.flag_shape)
    return [
        Stage("row", n_values),
        Stage("encoder input", n_input),
        *(Stage(f"encoder layer {i}", size) for i, size in enumerate([] if is_linear else hidden, 1)),
        Stage("code", module.bottleneck.code_size),
        *(Stage(f"decoder layer {i}", size) for i, size in enumerate(hidden[::-1], 1)),
        Stage("parameters of the likelihood", prod(module.likelihood.parameter_shape)),
        Stage("reconstruction", n_values),
    ]


def _describe(part: Any) -> str:
    if isinstance(part, Mixed):
        counts = Counter[str]()
        for each, own in zip(part.parts, part.columns, strict=True):
            counts[type(each).__name__] += len(own)
        return ", ".join(f"{name} for {pluralize(n, 'column')}" for name, n in counts.items())
    text = "none" if part is None else " ".join(repr(part).split())
    return text if len(text) <= N_CHARACTERS else f"{text[: N_CHARACTERS - 1]}…"


def _summarize(subject: Subject, stages: list[Stage], n_weights: int) -> str:
    if not stages:
        kinds = dict.fromkeys(type(each).__name__ for each in (subject.model, subject.estimator))
        return f"The model: {' of '.join(kinds)}."
    sizes = {stage.name: stage.size for stage in stages}
    code = pluralize(sizes["code"], "number")
    values = pluralize(sizes["row"], "value")
    article = "an" if subject.noun == "image" else "a"
    return f"{values} of {article} {subject.noun} become a code of {code}; the nets have {n_weights:,} weights."


def _draw(stages: list[Stage], noun: str) -> Figure:
    """Draw each stage as a bar whose length is the log of its size, and the nets as the areas between them."""
    heights = [0.25 + log(stage.size) for stage in stages]
    top = max(heights) / 2
    code = next(i for i, stage in enumerate(stages) if stage.name == "code")
    last = len(stages) - 1
    # The rows are farther from the nets, so that their names have room.
    places = [-OUTER, *range(1, last), last + OUTER]
    names = {0: noun, 1: "input", code: "code", last - 1: "likelihood", last: noun}

    def paint(ax: "Axes") -> None:
        for start, stop, name in ((1, code, "encoder"), (code, last - 1, "decoder")):
            half = np.array(heights[start : stop + 1]) / 2
            ax.fill_between(range(start, stop + 1), half, -half, color=ACCENT, alpha=0.14, linewidth=0)
            ax.text((start + stop) / 2, -1.12 * top, name, ha="center", va="top", color=MUTED)
        for i, (place, stage, height) in enumerate(zip(places, stages, heights, strict=True)):
            colour = MUTED if i in (0, last) else ACCENT
            ax.plot([place] * 2, [-height / 2, height / 2], color=colour, linewidth=5, solid_capstyle="butt")
            label = f"{stage.size:,}"
            ax.annotate(label, (place, height / 2), (0, 4), textcoords="offset points", ha="center", color=INK)
            ax.text(place, -1.42 * top, names.get(i, ""), ha="center", va="top", color=INK)
        for place in (places[0], last - 1):
            arrow = {"arrowstyle": "->", "color": MUTED}
            ax.annotate("", (place + 0.85 + OUTER, 0), (place + 0.15, 0), arrowprops=arrow)
        ax.set_ylim(-1.8 * top, 1.25 * top)
        ax.set_xlim(-0.5 - OUTER, last + 0.5 + OUTER)
        ax.set_axis_off()

    shown = ", ".join(f"{stage.name} {stage.size:,}" for stage in stages)
    caption = f"Numbers for each {noun} between the parts, from left to right; lengths are logarithmic."
    return draw(paint, f"Sizes from {noun} to reconstruction: {shown}", caption)
