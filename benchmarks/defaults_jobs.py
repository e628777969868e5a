"""The jobs of ``defaults.py``: data sets, methods, measures, and the data on which our defaults were chosen."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import anomalies_data
import default_fits
import latent
import tables_codes
import tables_imputation
import tables_synthetic
import text
from anomalies import measure_points, measure_rows
from anomalies_data import Split
from anomalies_peers import OF_ROWS, Fit
from peers_series import OF_SERIES
from tables_case import Figures
from tables_data import SETS, Values, hide, load, score

N_SPLITS, N_SPLITS_OF_CODES, N_CASES, N_ROWS = 3, 2, 40, 1000
CORPORA = ("sms_spam", "sst2", "trec")


class Item(NamedTuple):
    """A data set: what methods are given before the seed, and what their results are measured with."""

    name: str
    inputs: tuple[Any, ...]
    truth: Any


class Job(NamedTuple):
    """Default settings at one job, compared with other methods on the same data.

    Parameters
    ----------
    items : callable
        Yields data sets for a seed. Intervals are over their names.
    methods : dict of str to callable
        Map the inputs of a data set and a seed to a result. Their processor time counts. "isthmus" is ours.
    measure : callable
        Maps the truth of a data set and a result to figures.
    figures : dict of str to int
        Names of the figures to report: 1 if more is better, -1 if less is better.
    about : str
        Protocol, and the data on which the defaults were chosen.
    references : tuple of str
        Methods to report that have another job, and do not count as peers.
    n_seeds : int
        Repeats, whose mean counts.
    """

    items: Callable[[int], Iterator[Item]]
    methods: dict[str, Callable[..., Any]]
    measure: Callable[[Any, Any], Figures]
    figures: dict[str, int]
    about: str
    references: tuple[str, ...] = ()
    n_seeds: int = 1


def make_detection(
    splits: Callable[[int], Iterator[Split]],
    fits: dict[str, Fit],
    measure: Callable[[Split, Values], Figures],
    figures: tuple[str, ...],
    about: str,
    n_seeds: int = 1,
) -> Job:
    def items(seed: int) -> Iterator[Item]:
        return (Item(split.name, (split.train, split.test), split) for split in splits(seed))

    methods = {name: partial(detect, fit) for name, fit in fits.items()}
    return Job(items, methods, measure, dict.fromkeys(figures, 1), about, n_seeds=n_seeds)


def detect(fit: Fit, train: Any, test: Any, seed: int) -> Values:
    return fit(train, seed)(test)


# The package ctgan is no requirement; TVAE is in tables.md.
NETS_OF_SDV = ("TVAE", "CTGAN")
# PyOD's nets are in anomalies.md; on 200 tables they would take most of the time.
ROWS = {name: fit for name, fit in OF_ROWS.items() if name not in ("PyOD AutoEncoder", "PyOD VAE")}
of_rows = partial(make_detection, fits=ROWS, measure=measure_rows, figures=("AUROC", "AP"))
of_points = partial(make_detection, fits=OF_SERIES, measure=measure_points)


def make_fillings(share: float) -> Job:
    def items(seed: int) -> Iterator[Item]:
        for name in SETS:
            frame = load(name, tables_imputation.MOST_ROWS)
            holed, hidden = hide(frame, share, seed)
            yield Item(name, (holed,), (frame, hidden))

    return Job(
        items,
        tables_imputation.METHODS,
        lambda truth, filled: score(truth[0], filled, truth[1])._asdict(),
        {"nrmse": -1, "accuracy": 1},
        f"{100 * share:.0f} % of the cells of five tables of at most {tables_imputation.MOST_ROWS:,} rows are hidden. "
        "The defaults of `zoo.imputer()` were chosen on adult, titanic, german credit and pima. A first choice was "
        "worse on ames, which led to more steps for more columns; their number was chosen on tables of ADBench.",
    )


def codes(seed: int) -> Iterator[Item]:
    for name in default_fits.TARGETS:
        train, test, *labels = default_fits.split(name, tables_imputation.MOST_ROWS, seed)
        yield Item(name, (train, test), labels)


def measure_codes(labels: list[Values], found: tuple[Values, Values]) -> Figures:
    return tables_codes.score_classifiers(*zip(found, labels, strict=True), seed=0)


def new_rows(seed: int) -> Iterator[Item]:
    frame = load("adult_train")
    for number in range(N_SPLITS):
        halves = tables_synthetic.split_halves(frame, number)
        yield Item(f"adult_train, split {number}", halves, halves)


def corpora(seed: int) -> Iterator[Item]:
    for name in CORPORA:
        X, words, labels = text.count_words(name)
        yield Item(name, (X, words), (X, words, labels))


def measure_topics(truth: tuple[Any, ...], found: tuple[Values, list[list[str]]]) -> Figures:
    return text.measure_topics(*truth, *found)


def code_sizes(seed: int) -> Iterator[Item]:
    return (Item(case.name, (case.X,), case.n_dimensions) for case in latent.cases(seed, N_CASES, N_ROWS))


def suggest_size(X: Values, seed: int) -> tuple[int, tuple[int, int]]:
    found = latent.suggest_n_components(X, random_state=seed)
    return found.n_components, found.interval


def find_size_by_pca(X: Values, seed: int) -> tuple[int, None]:
    """Return the number of components with the largest evidence (Minka, NIPS 2000), which has no interval."""
    from sklearn.decomposition import PCA

    return int(PCA("mle", svd_solver="full").fit(X).n_components_), None


def measure_size(truth: int, found: tuple[int, tuple[int, int] | None]) -> Figures:
    size, interval = found
    error = abs(size - truth)
    figures = {"equal": float(error == 0), "off by at most 1": float(error <= 1)}
    if interval is None:
        return figures
    low, high = interval
    return {**figures, "interval covers": float(low <= truth <= high), "sizes in it": high - low + 1.0}


JOBS: dict[str, Job] = {
    "code-size": Job(
        code_sizes,
        {"isthmus": suggest_size, "PCA (mle)": find_size_by_pca},
        measure_size,
        {"equal": 1, "off by at most 1": 1, "interval covers": 1, "sizes in it": -1},
        "`suggest_n_components` on the simulated cases of `latent.py`, linear and curved, of 2 to 12 dimensions. "
        "Figures are shares of cases. The rule was chosen on cases with another seed.",
    ),
    "new-rows": Job(
        new_rows,
        {name: method for name, method in tables_synthetic.METHODS.items() if name not in NETS_OF_SDV},
        lambda halves, rows: tables_synthetic.measure_rows(*halves, rows, seed=0),
        {"detection AUROC": -1, "utility gap": -1},
        f"`zoo.tabular_vae()` fitted to one half of adult, in {N_SPLITS} splits of this one table, which are the sets "
        "of the interval. Holdout: real rows, the best that is possible. TVAE is in tables.md. The discriminator "
        "that chooses rows was chosen on another split of adult.",
        references=("holdout",),
    ),
    "contaminated": of_rows(
        anomalies_data.contaminated,
        about="22 tables of ADBench, at most 10,000 rows, anomalies left in the training rows, means of 2 seeds. The "
        "choices of `AnomalyDetector()` used these tables.",
        n_seeds=2,
    ),
    "contaminated-29": of_rows(
        anomalies_data.heavily_contaminated,
        about="The same tables, with normal training rows left out until 29 % are anomalies; 18 tables have at least "
        "50 training rows left; means of 2 seeds. The choices used these tables.",
        n_seeds=2,
    ),
    "one-class": of_rows(
        anomalies_data.one_class,
        about="22 tables of ADBench, at most 20,000 rows; one half of the normal rows is for training. The choices "
        "were checked on these tables.",
    ),
    "one-class-150": of_rows(
        anomalies_data.one_class_benchmarks,
        about="75 tables of OddBench and 75 of OvRBench; training rows are normal. One half of them was used to "
        "compare settings, and the other half to check the choice.",
    ),
    "fillings-10": make_fillings(0.1),
    "fillings-30": make_fillings(0.3),
    "fillings-50": make_fillings(0.5),
    "servers": of_points(
        anomalies_data.servers,
        figures=("VUS-PR",),
        about="Six servers of ASD and two of SMD. The shorter training of `SlidingWindows()` was chosen on the six "
        "servers of ASD; SMD was not used. USAD is in anomalies.md.",
    ),
    "topics": Job(
        corpora,
        {name.replace("zoo.topic_model", "isthmus"): find for name, find in text.TOPICS.items()},
        measure_topics,
        {"purity": 1, "NPMI": 1, "diversity": 1},
        f"{text.N_TOPICS} topics of three corpora, means of {text.N_SEEDS} seeds. The model was chosen on trec and "
        "other corpora, the rule for words on all three.",
        n_seeds=text.N_SEEDS,
    ),
    "codes": Job(
        codes,
        {name: tables_codes.METHODS[name] for name in ("isthmus", "PCA", "all columns")},
        measure_codes,
        {"logistic, AUROC": 1, "boosting, AUROC": 1},
        "Eight numbers of `Autoencoder(8)` for two thirds of the rows of five tables without the target, at most "
        f"{tables_imputation.MOST_ROWS:,} rows; two classifiers predict the target of the other rows. PCA of "
        "standardised numbers and one column for each category. All columns: no code. The weights of numbers in the "
        f"loss were chosen on these tables. Means of {N_SPLITS_OF_CODES} splits.",
        references=("all columns",),
        n_seeds=N_SPLITS_OF_CODES,
    ),
    "ucr": of_points(
        anomalies_data.ucr,
        figures=("archive hit", "VUS-PR"),
        about="26 series of the UCR archive. The choices of `SlidingWindows()` with one channel used these series.",
    ),
}
