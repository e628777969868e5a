"""Suggested sizes of codes, compared with the dimension of simulated data.

    OMP_NUM_THREADS=1 python benchmarks/latent.py

There are fifteen linear and fifteen curved data sets with noise, with other seeds than in the tests. Prints the
suggested size, its interval and its cost: time relative to one training of a plain autoencoder with codes of the true
dimension.
"""

import argparse
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import make_s_curve, make_swiss_roll

from isthmus import Autoencoder
from isthmus.latent import suggest_n_components

N_ROWS = 2_000
LINEAR = [(1, 5), (1, 20), (2, 8), (2, 30), (3, 10), (4, 12), (5, 20), (6, 20), (8, 25), (10, 30)]
CURVED = [(1, 5), (1, 10), (2, 8), (2, 20), (3, 12), (3, 20), (4, 20), (5, 25)]


class Case(NamedTuple):
    """Draw rows on a flat or curved space of a given dimension, plus noise."""

    name: str
    n_dimensions: int
    X: np.ndarray[Any, Any]


def linear(n_dimensions: int, n_values: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    return rng.normal(size=(N_ROWS, n_dimensions)) @ rng.normal(size=(n_dimensions, n_values))


def curved(n_dimensions: int, n_values: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Draw points of a cube, mapped by a random net with one hidden layer."""
    bent = np.tanh(
        rng.uniform(-1, 1, (N_ROWS, n_dimensions)) @ rng.normal(0, 1.5, (n_dimensions, 64)) + rng.normal(size=64)
    )
    return bent @ rng.normal(size=(64, n_values))


def noisy(X: np.ndarray[Any, Any], noise: float, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Scale columns to standard deviation 1, and add noise in this unit."""
    return (X - X.mean(0)) / X.std(0) + noise * rng.normal(size=X.shape)


def cases(seed: int) -> Iterator[Case]:
    rng = np.random.default_rng(seed)
    for number, (d, n_values) in enumerate([*LINEAR, *LINEAR[2:7]]):
        noise = 0.3 if number >= len(LINEAR) else 0.1
        yield Case(f"linear, {d} in {n_values}, noise {noise}", d, noisy(linear(d, n_values, rng), noise, rng))
    for number, (d, n_values) in enumerate([*CURVED, *CURVED[2:6]]):
        noise = 0.1 if number >= len(CURVED) else 0.05
        yield Case(f"curved, {d} in {n_values}, noise {noise}", d, noisy(curved(d, n_values, rng), noise, rng))
    turns = rng.uniform(0, 2 * np.pi, N_ROWS)
    yield Case("half a turn of a helix", 1, noisy(np.c_[np.cos(turns / 2), np.sin(turns / 2), turns], 0.05, rng))
    yield Case("S", 2, noisy(make_s_curve(N_ROWS, random_state=seed)[0], 0.05, rng))
    yield Case("Swiss roll", 2, noisy(make_swiss_roll(N_ROWS, random_state=seed)[0], 0.05, rng))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--costs", type=int, default=6, help="cases of which the cost is measured")
    options = parser.parse_args()
    near, costs = [], []
    for number, (name, truth, X) in enumerate(cases(options.seed)):
        started = time.perf_counter()
        found = suggest_n_components(X, random_state=0)
        seconds = time.perf_counter() - started
        near.append(abs(found.n_components - truth) <= 1)
        low, high = found.interval
        print(f"{name:32} {found.n_components:3} ({low} to {high}), truth {truth:2}, {seconds:5.1f} s", flush=True)
        if number % max(1, 30 // max(1, options.costs)) == 0 and options.costs:
            started = time.perf_counter()
            Autoencoder(truth, likelihood="student_t", patience=None, random_state=0).fit(X)
            costs.append(seconds / (time.perf_counter() - started))
    print(f"differs from the true dimension by at most 1: {sum(near)} of {len(near)}")
    if costs:
        print(f"cost in trainings with one size: median {np.median(costs):.2f}, most {max(costs):.2f}")


if __name__ == "__main__":
    main()
