"""The rules by which an estimator is chosen: one table, from the use and the kind of data to estimators and reasons."""

from collections.abc import Callable
from dataclasses import dataclass, field
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

# Kinds of data with the same rules.
ROWS = ("table", "stream", "flat images")
IMAGES, SERIES, COUNTS = ("images",), ("series", "windows"), ("counts", "texts")
GRIDS = (*IMAGES, *SERIES)


class Rule(NamedTuple):
    """An estimator for some kinds of data: a function of the zoo and its options, or the name of one in ``OTHERS``.

    A ``labelled`` rule applies only if there are labels.
    """

    kinds: tuple[str, ...]
    variant: str
    reason: str
    options: dict[str, Any] = {}
    labelled: bool = False


MIXTURE = "it draws codes of new rows from a mixture that is fitted to the training codes"
# The rules of each use. Those of one kind of data are in order of preference, by docs/figures.md where it has figures.
RULES = {
    "reduce": (
        Rule(ROWS, "autoencoder", "it learns short codes from which it reconstructs rows with small errors"),
        Rule(
            ROWS, "linear", "a linear net suits few rows and linear relations between columns", {"likelihood": "auto"}
        ),
        Rule(GRIDS, "convolutional", "convolutions make use of similar neighbouring values"),
        Rule(SERIES, "tcn", "it keeps the full time resolution of a series"),
        Rule(COUNTS, "mult_vae", "its multinomial likelihood suits counts that are mostly 0"),
        Rule((*ROWS, *IMAGES), "vae", "its codes are close to a normal distribution, so it can also generate rows"),
        Rule((*IMAGES, "counts"), "autoencoder", "a dense net does not depend on the order of the values"),
    ),
    "features": (
        Rule(
            ROWS,
            "autoencoder",
            "it learns to undo swaps of values, so its codes represent relations between columns",
            {"corruption": Swap(0.3)},
        ),
        Rule(ROWS, "autoencoder", "its codes represent what varies most between rows"),
        Rule(GRIDS, "convolutional", "convolutions make use of similar neighbouring values"),
        Rule(GRIDS, "autoencoder", "a dense net does not depend on the order of the values"),
        Rule(COUNTS, "mult_vae", "its multinomial likelihood suits counts that are mostly 0"),
        Rule((*ROWS, *IMAGES, *COUNTS), "vae", "all numbers of its codes have a similar scale"),
    ),
    "detect": (
        Rule(("table", "flat images", "series", "counts"), "detector", "distances to the nearest rows need no tuning"),
        Rule(
            ("images", "windows"), "detector of convolutional", "convolutions make use of similar neighbouring values"
        ),
        Rule(("stream",), "detector of autoencoder", "it reads rows that do not fit into memory"),
        Rule(
            ("texts",),
            "detector of sequence_vae",
            "it predicts each word, and alarms are explained by words",
        ),
        Rule(("texts",), "detector", "it compares counts of words, and its fit takes seconds instead of minutes"),
        Rule(("time points",), "detector of a series", "each time point is scored in windows of several lengths"),
        Rule(("table", "flat images", "series"), "detector of vae", "its score is a bound on the log likelihood"),
    ),
    "impute": (
        Rule((*ROWS, "counts"), "imputer", "it learns to impute cells that are hidden in training"),
        Rule(ROWS, "vae", "it draws the missing cells of a row jointly", {"corruption": Masking(0.3)}),
        Rule(IMAGES, "imputer", "it learns to impute pixels that are hidden in training", {"backbone": Conv()}),
        Rule(
            ("time points", "series"), "imputer of series", "it imputes gaps from other time points and other channels"
        ),
    ),
    "generate": (
        Rule(ROWS, "conditional_vae", "it generates rows for a given label", labelled=True),
        Rule(GRIDS, "conditional_vae", "it generates rows for a given label", {"backbone": Conv()}, labelled=True),
        Rule(("table", "stream"), "tabular_vae", MIXTURE),
        Rule(("flat images",), "vae", MIXTURE, {"prior": "mixture"}),
        Rule(("table", "flat images"), "vamp_vae", "it learns its prior, which suits rows that form clusters"),
        Rule(
            GRIDS,
            "vae",
            "convolutions make use of similar neighbouring values",
            {"prior": "mixture", "backbone": Conv()},
        ),
        Rule(("counts",), "mult_vae", "it generates counts", {"prior": "mixture"}),
        Rule(("texts",), "sequence_vae", "it generates one word after the other"),
    ),
    "topics": (Rule(COUNTS, "topic_model", "each number of its code is the share of a topic"),),
}
# Sizes of codes by use and by kind of data: those of the zoo's defaults and of docs/figures.md. SIZE, for images and
# series, was chosen on Frey faces, see cli/detecting_images.py.
SIZES = {"generate": 16, "impute": 16, "topics": 20, "table": 8, "stream": 8, "counts": 32, "texts": 32}
SIZE = 16


@dataclass(frozen=True, eq=False)
class Choice:
    """An estimator that suits some data for a use.

    Parameters
    ----------
    name : str
        A name for messages, such as "vae with Conv".
    estimator : estimator
        Not fitted.
    reason : str
        Why it suits, as the end of a sentence that begins with the name.
    variant : str, default=""
        The function of the zoo that makes the estimator; "" if there is none.
    options : dict, default={}
        Its parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import suggest
    >>> suggest(np.random.default_rng(0).normal(size=(100, 6))).choices[0].variant
    'autoencoder'
    """

    name: str
    estimator: Any
    reason: str
    variant: str = ""
    options: dict[str, Any] = field(default_factory=dict)


def list_choices(use: str, traits: Traits, labelled: bool) -> list[Choice]:
    """List the estimators for a use of some data, the best first.

    Raises
    ------
    ValueError
        If the use is not known, or no estimator has this use for the kind of data.
    """
    if use not in RULES:
        raise ValueError(f"use must be one of {', '.join(RULES)}, got {use!r}{did_you_mean(use, RULES)}")
    rules = [rule for rule in RULES[use] if traits.kind in rule.kinds and rule.labelled <= labelled]
    if not rules:
        kinds = dict.fromkeys(kind for rule in RULES[use] for kind in rule.kinds)
        known = [each for each in RULES if any(traits.kind in rule.kinds for rule in RULES[each])]
        message = f"use={use!r} takes {', '.join(kinds)}, but X has {traits}"
        raise ValueError(f"{message}; expected use to be one of {', '.join(known)}")
    size = choose_size(use, traits)
    return [_make(rule, traits, size, in_words=traits.kind == "texts" and use != "generate") for rule in rules]


def choose_size(use: str, traits: Traits) -> int:
    """Return the number of components of codes, which is smaller than a row."""
    size = SIZES.get(use, SIZES.get(traits.kind, SIZE))
    return size if not traits.shape or use == "topics" else max(1, min(size, traits.n_values - 1))


def _make(rule: Rule, traits: Traits, size: int, in_words: bool) -> Choice:
    """Make the estimator of a rule; it reads texts as counts of words, or as they are."""
    if rule.variant in OTHERS:
        return Choice(rule.variant, OTHERS[rule.variant](traits, size), rule.reason)
    options = {"n_components": size, **rule.options}
    estimator = getattr(zoo, rule.variant)(**{name: clone(value, safe=False) for name, value in options.items()})
    parts = [type(value).__name__ for value in rule.options.values() if not isinstance(value, str)]
    name = " with ".join([rule.variant, *parts])
    if in_words:
        return Choice(name, make_pipeline(CountVectorizer(), estimator), rule.reason)
    return Choice(name, estimator, rule.reason, rule.variant, options)


# Estimators that are not functions of the zoo, by name, from the traits of data and the size of codes.
OTHERS: dict[str, Callable[[Traits, int], Any]] = {
    "detector": lambda traits, size: AnomalyDetector(),
    "detector of a series": lambda traits, size: AnomalyDetector(SlidingWindows(time=traits.time)),
    "detector of autoencoder": lambda traits, size: AnomalyDetector(zoo.autoencoder(size)),
    "detector of convolutional": lambda traits, size: AnomalyDetector(zoo.convolutional(size)),
    "detector of sequence_vae": lambda traits, size: AnomalyDetector(zoo.sequence_vae(size)),
    "detector of vae": lambda traits, size: AnomalyDetector(zoo.vae(size)),
    "imputer of series": lambda traits, size: SeriesImputer(time=traits.time),
}
