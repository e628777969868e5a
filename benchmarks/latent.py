"""Suggested sizes of codes, compared with the dimension of simulated data.

    OMP_NUM_THREADS=1 python benchmarks/latent.py [--seed 0] [--n-cases 40] [--n-rows 1000]

Half of the cases are linear and half are curved, of 2 to 12 dimensions, with noise. Prints the suggested size, its
interval and its cost: processor time relative to one training of a plain autoencoder with codes of the true dimension.
The rule and its tolerance were chosen on cases of the same kind with seed 1; the results in results/latent.md are those
of seed 0.
"""

import argparse
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from isthmus import Autoencoder
from isthmus.latent import suggest_n_components

MIN_DIMENSIONS, MAX_DIMENSIONS = 2, 12
# Standard deviation of the noise, in standard deviations of a column without noise.
NOISE = {"linear": (0.05, 0.1, 0.3), "curved": (0.05, 0.1)}

Values = np.ndarray[Any, Any]


class Case(NamedTuple):
    """Rows on a flat or curved space of a given dimension, plus noise."""

    name: str
    n_dimensions: int
    X: Values


def linear(n_rows: int, n_dimensions: int, n_values: int, rng: np.random.Generator) -> Values:
    return rng.normal(size=(n_rows, n_dimensions)) @ rng.normal(size=(n_dimensions, n_values))


def curved(n_rows: int, n_dimensions: int, n_values: int, rng: np.random.Generator) -> Values:
    """Draw points of a cube, mapped by a random net with one hidden layer."""
    inputs = rng.uniform(-1, 1, (n_rows, n_dimensions)) @ rng.normal(0, 1.5, (n_dimensions, 64))
    return np.tanh(inputs + rng.normal(size=64)) @ rng.normal(size=(64, n_values))


def noisy(X: Values, noise: float, rng: np.random.Generator) -> Values:
    """Scale columns to standard deviation 1, and add noise in this unit."""
    return (X - X.mean(0)) / X.std(0) + noise * rng.normal(size=X.shape)


def cases(seed: int, n_cases: int, n_rows: int) -> Iterator[Case]:
    """Yield linear and curved cases alternately; each pair has the next dimension, from 12 on again from 2."""
    rng = np.random.default_rng(seed)
    for i in range(n_cases):
        kind, draw = (("linear", linear), ("curved", curved))[i % 2]
        d = MIN_DIMENSIONS + i // 2 % (MAX_DIMENSIONS - MIN_DIMENSIONS + 1)
        n_values = int(rng.integers(max(d + 3, 3 * d // 2), 3 * d + 9))
        noise = float(rng.choice(NOISE[kind]))
        yield Case(f"{kind}, {d} in {n_values}, noise {noise}", d, noisy(draw(n_rows, d, n_values, rng), noise, rng))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-cases", type=int, default=40)
    parser.add_argument("--n-rows", type=int, default=1000)
    options = parser.parse_args()
    exact, near, covered, widths, costs = [], [], [], [], []
    for number, (name, truth, X) in enumerate(cases(options.seed, options.n_cases, options.n_rows)):
        started = time.process_time()
        found = suggest_n_components(X, random_state=0)
        seconds = time.process_time() - started
        low, high = found.interval
        exact.append(found.n_components == truth)
        near.append(abs(found.n_components - truth) <= 1)
        covered.append(low <= truth <= high)
        widths.append(high - low + 1)
        print(f"{name:32} {found.n_components:3} ({low} to {high}), truth {truth:2}, {seconds:5.1f} s", flush=True)
        if number % 8 == 0:
            started = time.process_time()
            Autoencoder(truth, likelihood="student_t", patience=None, random_state=0).fit(X)
            costs.append(seconds / (time.process_time() - started))
    print(f"equal to the true dimension: {sum(exact)} of {len(exact)}; differs by at most 1: {sum(near)}")
    print(f"interval covers the true dimension: {sum(covered)}; sizes in an interval: {np.mean(widths):.1f}")
    print(f"cost in trainings with one size: median {np.median(costs):.2f}, most {max(costs):.2f}")


if __name__ == "__main__":
    main()
