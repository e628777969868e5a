"""Measure rates that are guaranteed: tail thresholds, p-values, limits of explanations, and outliers of columns.

    OMP_NUM_THREADS=1 python benchmarks/calibration.py
    OMP_NUM_THREADS=1 python benchmarks/calibration.py --repeats 20 --out /tmp/try    # a quick test

Data are simulated from known distributions, so that true rates are known. Writes ``benchmarks/results/calibration.md``.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mnist import RESULTS
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.mixture import GaussianMixture

from isthmus import AnomalyDetector, Autoencoder
from isthmus.anomaly.thresholds import by_tail
from isthmus.backbones import MLP
from isthmus.preparing.outliers import THRESHOLDS, are_outliers, robust_z

Values = np.ndarray[Any, Any]

# Numbers of calibration rows of the tail threshold, and requested rates.
N_ROWS, RATES = (50, 100, 200, 500), (0.001, 0.01)
LAWS = {
    "normal": stats.norm(),
    "uniform": stats.uniform(),
    "exponential": stats.expon(),
    "chi-square, 5": stats.chi2(5),
    "log-normal": stats.lognorm(1.0),
    "Student, 3": stats.t(3),
    "Student, 2": stats.t(2),
    "geometric (ties)": stats.geom(0.3),
}
# Rows of a column, and number of planted outliers, 30 to 70 standard deviations from the median.
N_COLUMN, N_PLANTED = 2000, 10


def tails(repeats: int) -> Iterator[list[str]]:
    """Compute the mean rate of false alarms over calibration sets for each requested rate."""
    yield ["distribution", "asked", *(f"n = {n}" for n in N_ROWS)]
    for name, law in LAWS.items():
        for rate in RATES:
            yield [name, f"{rate:g}", *(f"{_mean_rate(law, n, rate, repeats) / rate:.2f}" for n in N_ROWS)]


def _mean_rate(law: Any, n_rows: int, rate: float, repeats: int) -> float:
    rng = np.random.default_rng(n_rows)
    cuts = [-by_tail(np.sort(-law.rvs(n_rows, random_state=rng)), rate) for _ in range(repeats)]
    return float(law.sf(np.array(cuts)).mean())


class FirstColumn(BaseEstimator):
    """Scores rows by their first column; its fit learns nothing."""

    def fit(self, X: Any, y: Any = None) -> "FirstColumn":
        """Return itself."""
        return self

    def score_samples(self, X: Any) -> Values:
        """Return the first column."""
        return np.asarray(X)[:, 0]


def uniformity(repeats: int) -> Iterator[list[str]]:
    """Compute the share of normal rows with p-values below a level, for single rows and for all rows together."""
    levels = (0.01, 0.05, 0.1, 0.5)
    yield ["scores", "rows", *(f"p < {level:g}" for level in levels)]
    for name, digits in {"continuous": 9, "rounded to one decimal": 1, "integers": 0}.items():
        found = {"one by one": [], "together": []}
        for i in range(repeats):
            X = np.random.default_rng(i).normal(size=(60, 2)) * 2
            X[:, 0] = X[:, 0].round(digits)
            detector = AnomalyDetector(FirstColumn(), threshold=0.0, calibration="split", random_state=i).fit(X[:20])
            detector.calibrate(X[:40])
            found["together"].extend(detector.p_values(X[40:]))
            found["one by one"].extend(detector.p_values(row[None])[0] for row in X[40:])
        for how, p in found.items():
            yield [name, how, *(f"{np.mean(np.array(p) < level):.3f}" for level in levels)]


def coverage(repeats: int) -> Iterator[list[str]]:
    """Compute the share of values of new normal rows within the limits of ``explain``; 0.9 is correct."""
    sizes = (120, 400, 1500)
    yield ["estimator", "distribution", *(f"n = {n}" for n in sizes)]
    for name, make in ESTIMATORS.items():
        for law in ("normal", "skew", "independent", "uneven"):
            yield [name, law, *(f"{np.mean([_covered(make, law, n, i) for i in range(repeats)]):.3f}" for n in sizes)]


ESTIMATORS: dict[str, Callable[[], Any]] = {
    "default": lambda: None,
    "Autoencoder": lambda: Autoencoder(3, backbone=MLP((32,)), max_epochs=60, random_state=0),
    "GaussianMixture": lambda: GaussianMixture(2, reg_covar=1e-3, random_state=0),
}


def _covered(make: Callable[[], Any], law: str, n_rows: int, seed: int) -> float:
    detector = AnomalyDetector(make(), calibration="split", random_state=seed).fit(_rows(law, n_rows, 2 * seed))
    new = _rows(law, 200, 2 * seed + 1)
    found = detector.explain(new)
    return float(((found.low <= new) & (new <= found.high)).mean())


def _rows(law: str, n: int, seed: int) -> Values:
    """Draw rows of six columns that depend on three causes."""
    rng = np.random.default_rng(seed)
    causes, noise = rng.normal(size=(n, 3)), rng.normal(size=(n, 6))
    known = causes @ np.random.default_rng(99).normal(size=(3, 6))
    return {
        "normal": known + 0.5 * noise,
        "skew": np.exp(0.5 * known + 0.3 * noise),
        "independent": noise,
        "uneven": known + (np.abs(causes[:, :1]) + 0.1) * noise,
    }[law]


def outliers(repeats: int) -> Iterator[list[str]]:
    """Compute shares of outliers among clean values, by robust z alone and by ``prepare``, and of planted ones."""
    yield ["column", "outliers by robust z alone, %", "outliers, %", "planted outliers found, %"]
    for name in _columns(np.random.default_rng(0)):
        figures = np.mean([_called(name, seed) for seed in range(repeats)], 0)
        yield [name, *(f"{100 * figure:.2f}" for figure in figures)]


def _called(name: str, seed: int) -> tuple[float, float, float]:
    rng, limit = np.random.default_rng(seed), THRESHOLDS["robust_z"]
    clean = _columns(rng)[name]
    spoiled, planted = clean.copy(), rng.choice(len(clean), N_PLANTED, replace=False)
    signs, far = rng.choice([-1, 1], N_PLANTED), 30 + 40 * rng.random(N_PLANTED)
    spoiled[planted] = np.median(clean) + signs * far * clean.std()
    alone = (np.abs(robust_z(clean)) > limit).mean()
    return float(alone), float(are_outliers(clean, limit).mean()), float(are_outliers(spoiled, limit)[planted].mean())


def _columns(rng: np.random.Generator) -> dict[str, Values]:
    n = N_COLUMN
    rates = [rng.normal(4.96, 0.005, n * 6 // 10), rng.normal(1.3, 0.05, n * 3 // 10), rng.normal(0.9, 0.1, n // 10)]
    return {
        "normal": rng.normal(size=n),
        "log-normal": rng.lognormal(size=n),
        "exponential": rng.exponential(size=n),
        "gamma, 0.5": rng.gamma(0.5, size=n),
        "two modes": np.r_[rng.normal(0, 1, n // 2), rng.normal(20, 1, n // 2)],
        "a second mode of 10 %": np.r_[rng.normal(0, 1, n * 9 // 10), rng.normal(20, 1, n // 10)],
        "interest rates": np.concatenate(rates),
        "five values": rng.choice([4.96, 4.86, 1.3, 0.9, 1.0], n, p=[0.3, 0.25, 0.2, 0.15, 0.1]),
        "Poisson, 2": rng.poisson(2, n).astype(float),
        "zeros and log-normal": np.where(rng.random(n) < 0.7, 0.0, rng.lognormal(size=n)),
        "Student, 3": rng.standard_t(3, n),
        "Lomax, 2": rng.pareto(2, n),
    }


# For each simulation: heading, description of its figures, function, and share of the repeats.
SIMULATIONS = (
    ("threshold='tail'", "Rate of false alarms divided by the requested rate, mean over calibration sets.", tails, 1.0),
    ("p-values", "40 calibration rows, new normal rows; shares should equal the levels.", uniformity, 1.0),
    ("explain", "Share of values of new normal rows within their limits; 0.9 is correct.", coverage, 0.02),
    ("outliers", f"Columns of {N_COLUMN:,} values; outliers planted 30 to 70 standard deviations away.", outliers, 0.1),
)


def page(repeats: int) -> str:
    parts = [
        "# Rates of detectors and outliers\n\n`OMP_NUM_THREADS=1 python benchmarks/calibration.py` prints this page.\n"
    ]
    for name, figures, simulate, share in SIMULATIONS:
        head, *body = simulate(max(1, round(share * repeats)))
        lines = [head, ["---"] * len(head), *body]
        table = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
        parts.append(f"## {name}\n\n{figures}\n\n{table}")
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=300, help="data sets of each simulation")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    text = page(options.repeats)
    (options.out / "calibration.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
