"""The rules by which an estimator is chosen: one table, from the use and the kind of data to estimators and reasons."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

from isthmus import zoo
from isthmus.anomaly import AnomalyDetector, SlidingWindows
from isthmus.backbones import Conv
from isthmus.corruptions import Masking, Swap
from isthmus.gap_filling import SeriesImputer
from isthmus.part import did_you_mean
from isthmus.suggesting.traits import Traits

USES = ("reduce", "features", "detect", "impute", "generate", "topics")
# Sizes of codes; that of images is from benchmarks/images.py, the others are those of the zoo's defaults and of README.
SIZES = {"table": 8, "stream": 8, "counts": 32, "texts": 32}
SIZES_OF_USES = {"generate": 16, "impute": 16, "topics": 20}
SIZE = 16

ROWS, GRIDS, SERIES, WORDS = ("table", "stream", "flat images"), ("images",), ("series", "windows"), ("counts", "texts")


class Rule(NamedTuple):
    """An estimator for a use of some kinds of data; ``variant`` is a function of the zoo, or a name in ``OTHERS``."""

    use: str
    kinds: tuple[str, ...]
    variant: str
    options: dict[str, Any]
    reason: str
    labelled: bool = False


# For each use, the rules of one kind of data are in order of preference, by the figures in README.
RULES = (
    Rule("reduce", ROWS, "autoencoder", {}, "a plain autoencoder rebuilds rows best from few numbers"),
    Rule("reduce", GRIDS + SERIES, "convolutional", {}, "convolutions use that neighbouring values are alike"),
    Rule("reduce", SERIES, "tcn", {}, "dilated convolutions keep the full resolution of a series"),
    Rule("reduce", WORDS, "mult_vae", {}, "a multinomial likelihood suits counts that are mostly 0"),
    Rule(
        "reduce", ROWS, "linear", {}, "a linear map is as good where few rows or straight dependences leave no curves"
    ),
    Rule("reduce", (*ROWS, *GRIDS), "vae", {}, "codes near a normal distribution can be drawn and interpolated too"),
    Rule("reduce", (*GRIDS, "counts"), "autoencoder", {}, "a plain autoencoder needs no arrangement of the values"),
    Rule(
        "features",
        ROWS,
        "autoencoder",
        {"corruption": Swap(0.3)},
        "values that are swapped in training make codes tell what columns share, which helps classifiers",
    ),
    Rule("features", ROWS, "autoencoder", {}, "codes of a plain autoencoder keep what is large in the rows"),
    Rule("features", GRIDS + SERIES, "convolutional", {}, "convolutions use that neighbouring values are alike"),
    Rule("features", WORDS, "mult_vae", {}, "32 numbers of it classify texts better than 32 components of tf-idf"),
    Rule("features", GRIDS + SERIES, "autoencoder", {}, "a plain autoencoder needs no arrangement of the values"),
    Rule("features", (*ROWS, *GRIDS, *WORDS), "vae", {}, "codes near a normal distribution have one scale"),
    Rule(
        "detect",
        ("table", "flat images", "series", "counts"),
        "detector",
        {},
        "distances to rebuilt and to near rows need no tuning",
    ),
    Rule(
        "detect", (*GRIDS, "windows"), "detector of convolutional", {}, "convolutions know which pixels are neighbours"
    ),
    Rule("detect", ("stream",), "detector of autoencoder", {}, "an autoencoder reads rows that do not fit into memory"),
    Rule("detect", ("time points",), "detector of a series", {}, "windows of several lengths score each time point"),
    Rule(
        "detect",
        ("table", "flat images", "series"),
        "detector of vae",
        {},
        "its bound scores rows by their probability",
    ),
    Rule(
        "impute",
        ROWS + ("counts",),
        "imputer",
        {},
        "cells are hidden in training, so that the model learns to fill them",
    ),
    Rule(
        "impute",
        GRIDS,
        "imputer",
        {"backbone": Conv()},
        "pixels are hidden in training and filled from their neighbours",
    ),
    Rule(
        "impute",
        ("time points", "series"),
        "imputer of series",
        {},
        "gaps are filled from other times and other channels",
    ),
    Rule("impute", ROWS, "vae", {"corruption": Masking(0.3)}, "a prior of codes draws missing cells jointly"),
    Rule("generate", ROWS, "conditional_vae", {}, "rows can be drawn for a label", labelled=True),
    Rule("generate", GRIDS + SERIES, "conditional_vae", {"backbone": Conv()}, "rows can be drawn for a label", True),
    Rule(
        "generate", ("table", "stream"), "tabular_vae", {}, "a mixture of the codes gives rows like those of the table"
    ),
    Rule("generate", ("flat images",), "vae", {"prior": "mixture"}, "codes are drawn from a mixture fitted to them"),
    Rule("generate", GRIDS + SERIES, "vae", {"prior": "mixture", "backbone": Conv()}, "convolutions make sharp detail"),
    Rule("generate", ("texts",), "sequence_vae", {}, "words are generated one after the other"),
    Rule("generate", ("counts",), "mult_vae", {"prior": "mixture"}, "a multinomial likelihood draws counts"),
    Rule("generate", ("table", "flat images"), "vamp_vae", {}, "the prior is learned, for rows that form clusters"),
    Rule("topics", WORDS, "topic_model", {}, "each number of the code is the share of one topic, with its own words"),
)


@dataclass(frozen=True, eq=False)
class Choice:
    """An estimator that suits some data for a use.

    Parameters
    ----------
    name : str
        A name for people, such as "vae".
    estimator : estimator
        Not fitted.
    reason : str
    variant : str
        The function of the zoo that makes the estimator; "" if there is none.
    options : dict
        Its parameters.
    """

    name: str
    estimator: Any
    reason: str
    variant: str = ""
    options: dict[str, Any] | None = None


def list_choices(use: str, traits: Traits, labelled: bool) -> list[Choice]:
    """List the estimators for a use of some data, the best first.

    Raises
    ------
    ValueError
        If the use is not known, or no estimator has this use for the kind of data.
    """
    if use not in USES:
        raise ValueError(f"use must be one of {', '.join(USES)}, got {use!r}{did_you_mean(use, USES)}")
    rules = [rule for rule in RULES if rule.use == use and traits.kind in rule.kinds and rule.labelled <= labelled]
    if not rules:
        known = [each for each in USES if any(rule.use == each and traits.kind in rule.kinds for rule in RULES)]
        raise ValueError(f"no estimator of use={use!r} takes {traits.kind}, expected one of {', '.join(known)}")
    return [_make(rule, traits) for rule in rules]


def choose_size(use: str, traits: Traits) -> int:
    """Return the number of components of codes, which is smaller than a row."""
    size = SIZES_OF_USES.get(use, SIZES.get(traits.kind, SIZE))
    return size if not traits.shape or use == "topics" else max(1, min(size, traits.n_values - 1))


def _make(rule: Rule, traits: Traits) -> Choice:
    if rule.variant in OTHERS:
        return Choice(rule.variant, OTHERS[rule.variant](traits), rule.reason)
    options = {"n_components": choose_size(rule.use, traits), **rule.options}
    estimator = getattr(zoo, rule.variant)(**{name: clone(value, safe=False) for name, value in options.items()})
    parts = [type(value).__name__ for value in rule.options.values() if not isinstance(value, str)]
    name = " with ".join([rule.variant, *parts])
    if traits.kind == "texts" and rule.use != "generate":
        return Choice(name, make_pipeline(CountVectorizer(), estimator), rule.reason)
    return Choice(name, estimator, rule.reason, rule.variant, options)


# Estimators that are not functions of the zoo.
OTHERS: dict[str, Callable[[Traits], Any]] = {
    "detector": lambda traits: AnomalyDetector(),
    "detector of a series": lambda traits: AnomalyDetector(SlidingWindows(time=traits.time)),
    "detector of autoencoder": lambda traits: AnomalyDetector(zoo.autoencoder(choose_size("detect", traits))),
    "detector of convolutional": lambda traits: AnomalyDetector(zoo.convolutional(choose_size("detect", traits))),
    "detector of vae": lambda traits: AnomalyDetector(zoo.vae(choose_size("detect", traits))),
    "imputer of series": lambda traits: SeriesImputer(time=traits.time),
}
