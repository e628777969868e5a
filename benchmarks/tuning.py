"""Tuned parameters beside the default and beside random search in the same time, on rows that no search has seen.

    python benchmarks/tuning.py
    python benchmarks/tuning.py --seconds 300 --rows 100000

Tables, series and faces are those of ``$ISTHMUS_TEST_DATA``. A quarter of the rows of each set is held out of both
searches. Random search draws from the same space, in the same time, without stopping fits early; it does not try the
default. Writes ``benchmarks/results/tuning.md``.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from speed import cpu_name
from tables_data import folder, load

from isthmus import Autoencoder, zoo
from isthmus.anomaly.rows import take_rows
from isthmus.tuning import tune
from isthmus.tuning.measures import Measure, choose_measure
from isthmus.tuning.rows import split_rows
from isthmus.tuning.space import make_space, with_parts

WAYS = ("default", "tuned", "random")
RESULTS = Path(__file__).parent / "results" / "tuning.md"
COLUMNS = (
    "set",
    "model",
    "measure",
    "default",
    "tuned",
    "random",
    "tuned - default (95 %)",
    "tuned - random (95 %)",
    "gain that tune expected",
    "trials: tuned, random",
)
Values = np.ndarray[Any, Any]


class Set(NamedTuple):
    """Rows and the model that is tuned on them."""

    rows: Any
    model: Autoencoder


class Found(NamedTuple):
    """Scores of held-out rows, their measure, the number of trials and the gain that ``tune`` expected."""

    scores: Values
    measure: str
    n_trials: int
    gain: str


def read_faces() -> Values:
    return np.load(folder() / "freyfaces" / "freyfaces.npz")["X"].reshape(-1, 560) / 255.0


def read_heartbeats() -> Values:
    return np.load(folder() / "ecg5000-train" / "ecg5000_train.npz")["X"][:, None]


SETS: dict[str, Callable[[int], Set]] = {
    "digits": lambda n: Set(load_digits().data[:n], zoo.autoencoder(8)),
    "adult": lambda n: Set(load("adult_train", n), zoo.tabular_vae(8)),
    "german credit": lambda n: Set(load("german_credit", n), zoo.tabular_vae(8)),
    "heartbeats": lambda n: Set(read_heartbeats()[:n], zoo.convolutional(4)),
    "faces": lambda n: Set(read_faces()[:n], zoo.vae(8)),
}


class RandomDraws:
    """Draws values of a space independently, with the methods of a trial of Optuna."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def suggest_float(self, name: str, low: float, high: float, log: bool = False) -> float:
        """Draw a number."""
        ends = np.log([low, high]) if log else (low, high)
        value = self.rng.uniform(*ends)
        return float(np.exp(value) if log else value)

    def suggest_int(self, name: str, low: int, high: int, log: bool = False) -> int:
        """Draw an integer."""
        return round(self.suggest_float(name, low, high, log))

    def suggest_categorical(self, name: str, options: list[Any]) -> Any:
        """Draw an option."""
        return options[self.rng.integers(len(options))]


def search_at_random(net: Autoencoder, X: Any, seconds: float, seed: int) -> tuple[Autoencoder, int]:
    """Return the best of random parameters fitted to all rows, and the number of trials."""
    split, net = split_rows(X, None, seed), with_parts(net)
    problem = clone(net).prepare(split.X)
    measure = choose_measure("auto", problem.state.model, split.X, seed)
    space, draws = make_space(net, problem, measure.name == "bound"), RandomDraws(np.random.default_rng(seed))
    end, tried = time.monotonic() + seconds, []
    while time.monotonic() < end:
        params = space.ask(draws)
        fitted = clone(net).set_params(**params).fit(split.X)
        if time.monotonic() < end or not tried:  # as tune, which stops fits at the end of the time
            tried.append((float(measure.score_rows(fitted, split.X_judged, None).mean()), params))
    return clone(net).set_params(**max(tried, key=lambda each: each[0])[1]).fit(X), len(tried)


def search(name: str, how: str, options: argparse.Namespace) -> Found:
    """Fit the default, or search parameters; return scores of the held-out rows."""
    warnings.simplefilter("ignore")
    made, seed = SETS[name](options.rows), options.seed
    order = np.random.default_rng(seed).permutation(len(made.rows))
    train, test = (take_rows(made.rows, np.sort(part)) for part in np.split(order, [3 * len(order) // 4]))
    net = clone(made.model).set_params(random_state=seed)
    measure: Measure = choose_measure("auto", clone(net).prepare(train).state.model, train, seed)
    gain, n_trials = "", 0
    if how == "default":
        net = clone(net).fit(train)
    elif how == "tuned":
        result = tune(net, train, time=options.seconds, random_state=seed)
        net, n_trials = result.estimator, len(result.trials)
        gain = "{:.3g} ({:.3g} to {:.3g})".format(result.gain, *result.interval)
    else:
        net, n_trials = search_at_random(net, train, options.seconds, seed)
    scores = measure.score_rows(net, test, None)
    print(f"{name}, {how}: {scores.mean():.4g} {gain}", flush=True)
    return Found(scores, measure.name, n_trials, gain)


def compare(name: str, default: Found, tuned: Found, drawn: Found) -> list[str]:
    """Return a row of the table."""
    return [
        name,
        SETS[name](2).model.bottleneck.__class__.__name__,
        default.measure,
        *(f"{found.scores.mean():.4g}" for found in (default, tuned, drawn)),
        interval(tuned.scores - default.scores),
        interval(tuned.scores - drawn.scores),
        tuned.gain,
        f"{tuned.n_trials}, {drawn.n_trials}",
    ]


def interval(differences: Values) -> str:
    """Format the mean of paired differences and its 95 % interval."""
    mean, half = differences.mean(), 1.96 * differences.std(ddof=1) / np.sqrt(len(differences))
    return f"{mean:.3g} ({mean - half:.3g} to {mean + half:.3g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--jobs", type=int, default=1, help="searches at the same time")
    options = parser.parse_args()
    todo = [(name, how) for name in options.sets for how in WAYS]
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        found = list(pool.map(partial(search, options=options), *zip(*todo, strict=True)))
    rows = [compare(name, *found[len(WAYS) * i :][: len(WAYS)]) for i, name in enumerate(options.sets)]
    lines = [
        "# Tuning",
        "",
        f"`python benchmarks/tuning.py --seconds {options.seconds:g} --rows {options.rows}`: the time of each search,",
        "to which the last fit is added. Scores are those of held-out rows that no search has seen; higher is better.",
        f"Searches at once: {options.jobs}, with one thread each, on {cpu_name()} with {os.cpu_count()} cores.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "| " + " | ".join("---" for _ in COLUMNS) + " |",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
