"""Multiple imputation: coverage of hidden values by draws, and of true values by pooled intervals.

    python benchmarks/imputation.py [--rows 4000] [--draws 100] [--repeats 40]

writes ``results/imputation.md``.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from tables_data import hide, list_number_columns, load

from isthmus import zoo
from isthmus.metrics import pool_estimates

RESULTS = Path(__file__).parent / "results" / "imputation.md"
COUNTRIES = {"Paris": "FR", "Lyon": "FR", "Rome": "IT", "Milan": "IT", "Oslo": "NO", "Bergen": "NO"}
# Rows to impute that are not in fit: of the simulated table, and of adult, with fewer hidden values.
N_TEST, N_ADULT, LEVEL = 1000, 4000, 0.9
# Rows of each simulated table of pooled estimates, imputations of one model, and number of bootstrapped models.
N_POOLED, N_IMPUTATIONS, N_BOOTSTRAPPED = 600, 10, 5
IMPUTED = ("imputed by one model", "imputed by bootstrapped models")
Values = np.ndarray


def make_people(n: int, seed: int) -> pd.DataFrame:
    """Simulate two numbers whose correlation given ``known`` is 0.977, a skewed number, and cities in countries.

    The standard deviations of all three grow with ``known``.
    """
    rng = np.random.default_rng(seed)
    known, city = rng.uniform(0, 1, n), rng.choice(list(COUNTRIES), n, p=[0.3, 0.1, 0.25, 0.1, 0.15, 0.1])
    scale = 0.2 + 2 * known
    first = 3 * known + scale * rng.normal(size=n)
    numbers = {"known": known, "first": first, "second": first + 0.218 * scale * rng.normal(size=n)}
    skewed = rng.exponential(size=n) * np.exp(1.5 * known)
    return pd.DataFrame({**numbers, "skewed": skewed, "city": city, "country": [COUNTRIES[name] for name in city]})


def coverage(true: pd.Series, draws: list[pd.DataFrame], hidden: Values, rng: np.random.Generator) -> float:
    """Return the share of hidden values within the central 90 % of their draws.

    The rank of a value among its draws decides, with ties broken at random. For correct draws it is uniform, for any
    number of draws and for values with spikes too.
    """
    values, x = np.stack([draw[true.name].to_numpy(float)[hidden] for draw in draws]), true.to_numpy(float)[hidden]
    below, ties = (values < x).sum(0), (values == x).sum(0)
    rank = (below + rng.uniform(0, ties + 1)) / (len(draws) + 1)
    return float(((rank > (1 - LEVEL) / 2) & (rank < (1 + LEVEL) / 2)).mean())


def made(n_rows: int, n_draws: int) -> list[str]:
    """Measure draws of all values except ``known``, and of each number alone."""
    rng, table, new = np.random.default_rng(0), make_people(n_rows, 0), make_people(N_TEST, 1)
    start = time.perf_counter()
    model = zoo.imputer(random_state=0).fit(hide(table, 0.2, 0)[0])
    seconds = time.perf_counter() - start
    hidden = np.ones(len(new), dtype=bool)
    numbers = ["first", "second", "skewed"]
    nothing = {**dict.fromkeys(numbers, np.nan), "city": None, "country": None}
    together = model.impute(new.assign(**nothing), n_draws=n_draws, random_state=0)
    certain = new["known"].to_numpy() < 1 / 3
    lines = ["| number | all hidden | small `known` | others | hidden alone |", "| --- | --- | --- | --- | --- |"]
    for name in numbers:
        alone = model.impute(new.assign(**{name: np.nan}), n_draws=n_draws, random_state=0)
        shares = [coverage(new[name], together, part, rng) for part in (hidden, certain, ~certain)]
        shares.append(coverage(new[name], alone, hidden, rng))
        lines.append(f"| {name} | " + " | ".join(f"{share:.3f}" for share in shares) + " |")
    known, scale = new["known"].to_numpy(), 0.2 + 2 * new["known"].to_numpy()
    residuals = [np.stack([(draw[name] - 3 * known) / scale for draw in together]).ravel() for name in numbers[:2]]
    wrong = np.mean([(draw["city"].map(COUNTRIES) != draw["country"]).mean() for draw in together])
    correlation = np.corrcoef(*residuals)[0, 1]
    return [
        f"{n_rows} rows, of which 20 % of the values are hidden in fit; {n_draws} draws of {N_TEST} other rows; fit in "
        f"{seconds:.0f} s. Correlation of draws of `first` and `second` given `known`: {correlation:.3f}, where 0.977 "
        f"is correct. Draws whose city is not in their country: {wrong:.4f}.",
        "",
        *lines,
    ]


def adult(n_rows: int, n_draws: int) -> list[str]:
    """Measure draws of the numbers of adult, 30 % of all values hidden."""
    rng, frame = np.random.default_rng(0), load("adult_train", n_rows + N_ADULT)
    model = zoo.imputer(random_state=0).fit(hide(frame[:n_rows], 0.2, 0)[0])
    new = frame[n_rows:].reset_index(drop=True)
    holed, hidden = hide(new, 0.3, 1)
    draws = model.impute(holed, n_draws=n_draws, random_state=0)
    rows = [
        f"| {name} | {coverage(new[name], draws, hidden[name].to_numpy(), rng):.3f} | {int(hidden[name].sum())} |"
        for name in list_number_columns(frame)
    ]
    text = f"{n_rows} rows in fit, 30 % of the values of {N_ADULT} others hidden, {n_draws} draws."
    return [text, "", "| number | coverage | values |", "| --- | --- | --- |", *rows]


def pooled(n_repeats: int) -> list[str]:
    """Simulate tables in which missingness depends on a known value, and pool means and slopes."""
    names, truth = ("mean of second", "slope of second on known"), (1.5, 3.0)
    estimates = {name: [] for name in ("all values", "complete rows", "imputed expectation", *IMPUTED)}
    for seed in range(n_repeats):
        table = make_people(N_POOLED, 1000 + seed)
        rng = np.random.default_rng(seed)
        holed = table.copy()
        holed.loc[rng.random(N_POOLED) < 0.2 + 0.5 * table["known"], "second"] = np.nan
        holed.loc[rng.random(N_POOLED) < 0.3, "first"] = np.nan
        model = zoo.imputer(random_state=seed).fit(holed)
        fillings = {
            IMPUTED[0]: model.impute(holed, n_draws=N_IMPUTATIONS, random_state=seed),
            IMPUTED[1]: [_bootstrapped(holed, 100 * seed + i) for i in range(N_BOOTSTRAPPED)],
        }
        for method, tables in fillings.items():
            each = np.array([_mean_and_slope(filling) for filling in tables])
            estimates[method].append([pool_estimates(*each[:, i].T).interval() for i in range(2)])
        whole = {"all values": table, "complete rows": holed.dropna(), "imputed expectation": model.impute(holed)}
        for method, rows in whole.items():
            estimates[method].append(
                [(m - 1.96 * np.sqrt(variance), m + 1.96 * np.sqrt(variance)) for m, variance in _mean_and_slope(rows)]
            )
    lines = [f"| method | {names[0]} | width | {names[1]} | width |", "| --- | --- | --- | --- | --- |"]
    for method, intervals in estimates.items():
        low, high = np.moveaxis(np.array(intervals), 2, 0)
        inside, width = ((low <= truth) & (high >= truth)).mean(0), (high - low).mean(0)
        lines.append(f"| {method} | {inside[0]:.3f} | {width[0]:.3f} | {inside[1]:.3f} | {width[1]:.3f} |")
    text = (
        f"{n_repeats} tables of {N_POOLED} rows; `second` is missing in 20 to 70 % of the rows, more where `known` is "
        f"large, `first` in 30 %. Share of the 95 % intervals that contain the true value, and their mean width; "
        f"{N_IMPUTATIONS} imputations of one model, or {N_BOOTSTRAPPED} of as many models, each fitted on bootstrapped "
        "rows, pooled by Rubin's rules."
    )
    return [text, "", *lines]


def _bootstrapped(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Impute once, with a model that is fitted to rows drawn with replacement."""
    rows = table.sample(len(table), replace=True, random_state=seed)
    return zoo.imputer(random_state=seed).fit(rows).impute(table, n_draws=1, random_state=seed)[0]


def _mean_and_slope(table: pd.DataFrame) -> list[tuple[float, float]]:
    """Return the mean of ``second`` and its slope on ``known``, each with its squared standard error.

    The standard error of the slope allows for unequal variances (White, 1980).
    """
    x, y = table["known"].to_numpy(), table["second"].to_numpy()
    deviations = x - x.mean()
    slope = deviations @ y / (deviations @ deviations)
    residuals = y - y.mean() - slope * deviations
    variance = (deviations**2 @ residuals**2) / (deviations @ deviations) ** 2
    return [(float(y.mean()), float(y.var(ddof=1) / len(y))), (float(slope), float(variance))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("rows", 4000), ("draws", 100), ("repeats", 40)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    parts = {
        "A simulated table": lambda: made(arguments.rows, arguments.draws),
        "adult": lambda: adult(arguments.rows, arguments.draws),
        "Pooled estimates": lambda: pooled(arguments.repeats),
    }
    lines = [
        "# Multiple imputation",
        "",
        "Share of hidden values in the central 90 % of their draws (0.9 is correct), by ranks among draws. Coverage",
        f"of pooled 95 % intervals. Written by `python benchmarks/imputation.py --rows {arguments.rows} --draws "
        f"{arguments.draws} --repeats {arguments.repeats}`.",
    ]
    for title, measure in parts.items():
        lines += ["", f"## {title}", "", *measure()]
        RESULTS.write_text("\n".join(lines) + "\n")
        print("\n".join(lines[-12:]), flush=True)


if __name__ == "__main__":
    main()
