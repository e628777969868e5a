"""What estimators are judged by for each use: a figure on held-out rows, and the figures of simple methods."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from sklearn.decomposition import NMF
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus.baselines.judging import answer_rows
from isthmus.baselines.reconstruction import (
    Method,
    Task,
    Training,
    fit_mean,
    fit_pca,
    fit_regression,
    hide_cells,
    read_values,
    relative_errors,
)
from isthmus.data import Source, as_source
from isthmus.data.tables.codec import decode_plain
from isthmus.data.tables.frames import is_frame
from isthmus.metrics import detection_score
from isthmus.metrics.topics import coherence, topic_shares, topic_words
from isthmus.schema import Condition

Values = np.ndarray[Any, Any]

# Number of columns above which a classifier of new rows sees their principal components instead.
MAX_COLUMNS = 50
# Number of words by which a topic is judged, as usual in the literature.
N_WORDS = 10
# Largest number of iterations of logistic regression, which converges in fewer on standardized codes.
MAX_ITER = 1000
REBUILT = "error of reconstructed rows, relative to that of the mean and the most frequent category: lower is better"
FILLED = "error of imputed cells, relative to that of the mean and the most frequent category: lower is better"
CLASSIFIED = "accuracy of logistic regression on codes: higher is better"
PREDICTED = "R2 of ridge regression on codes: higher is better"
DETECTED = "AUROC of scores, with the rows labelled -1 as anomalies: higher is better"
SEPARATED = "AUROC of a classifier that separates generated from real rows: lower is better, 0.5 is best"
TOPICS = "coherence (NPMI) of topics times their diversity (share of distinct words): higher is better"


class Split(NamedTuple):
    """Rows to fit and held-out rows, with their labels if there are labels."""

    train: Source
    test: Source
    y: Values | None
    y_test: Values | None
    size: int
    seed: int


class Contest(NamedTuple):
    """The figure of a fitted estimator, and those of simple methods, on held-out rows."""

    measure: str
    higher_is_better: bool
    baselines: dict[str, float]
    judge: Callable[[Any], float]


def judge_reduction(split: Split) -> Contest:
    """Judge by the error of reconstructed rows, beside PCA with codes of the same size and the mean."""
    training, clean = Training.of(split.train), read_values(split.test)
    methods = {"PCA": fit_pca(training, split.size).rebuild, "mean": fit_mean(training)}
    return _judge_answers(REBUILT, training, Task(clean, clean), methods, imputes=False)


def judge_imputation(split: Split) -> Contest:
    """Judge by the error of imputed cells, which are hidden at random, beside iterative regression and the mean."""
    training, clean = Training.of(split.train), read_values(split.test)
    task = hide_cells(clean, split.seed)
    regression, mean = fit_regression(training), {"mean": fit_mean(training)}
    methods = mean if regression is None else {"iterative regression": regression, **mean}
    return _judge_answers(FILLED, training, task, methods, imputes=True)


def _judge_answers(measure: str, training: Training, task: Task, methods: dict[str, Method], imputes: bool) -> Contest:
    answers = {name: method(task.given) for name, method in methods.items()}

    def judge(estimator: Any) -> float:
        answer = answer_rows(estimator, task.given, imputes)
        return relative_errors(training, task, {"mean": answers["mean"], "model": answer})["model"]

    return Contest(measure, False, relative_errors(training, task, answers), judge)


def judge_features(split: Split) -> Contest:
    """Judge by a linear model that predicts labels from codes, or without labels by the error of reconstructed rows."""
    if split.y is None:
        return judge_reduction(split)
    are_classes = _are_classes(split.y)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=MAX_ITER) if are_classes else RidgeCV())
    constant = DummyClassifier() if are_classes else DummyRegressor()

    def score(model: Any, encode: Callable[[Any], Any], train: Any, test: Any) -> float:
        return float(model.fit(encode(train), split.y).score(encode(test), split.y_test))

    rows, pca = (read_values(split.train), read_values(split.test)), fit_pca(Training.of(split.train), split.size)
    baselines = {"PCA": score(model, pca.encode, *rows), "mean": score(constant, np.zeros_like, *rows)}
    judge = lambda estimator: score(model, estimator.transform, split.train, split.test)  # noqa: E731
    return Contest(CLASSIFIED if are_classes else PREDICTED, True, baselines, judge)


def _are_classes(y: Values) -> bool:
    """Whether labels are classes and no quantity; raise ``ValueError`` if they are all equal."""
    if len(set(y.tolist())) < 2:
        raise ValueError(f"y must have at least 2 different labels, but all rows to fit are labelled {y.tolist()[0]!r}")
    return not Condition.of(y).continuous


def judge_detection(split: Split) -> Contest:
    """Judge by the ranks of anomalies among held-out rows, beside distances to the mean and to the plane of PCA."""
    pca, unseen = fit_pca(Training.of(split.train), split.size), read_values(split.test)

    def area(scores: Values) -> float:
        return float(roc_auc_score(split.y_test == -1, -scores))

    def score(rebuilt: Any) -> float:
        return area(-np.square(pca.scale(unseen) - rebuilt).sum(1))

    baselines = {
        "distance from the plane of PCA": score(pca.pca.inverse_transform(pca.encode(unseen))),
        "distance from the mean": score(pca.pca.mean_),
    }
    return Contest(DETECTED, True, baselines, lambda estimator: area(estimator.score_samples(split.test)))


def judge_generation(split: Split) -> Contest:
    """Judge by how well a classifier separates generated from held-out rows, beside columns drawn independently."""
    schema, known, unseen = split.test.schema, read_values(split.train), read_values(split.test)
    # In wide rows, such as those of pixels, a classifier would look for traces of noise and rounding.
    describe = fit_pca(Training.of(split.train), split.size).encode if known.shape[1] > MAX_COLUMNS else None

    def detect(values: Values) -> float:
        # New rows of arrays are complete; those of data frames have missing cells of their own.
        tables = unseen, values if schema.fields else np.where(np.isnan(unseen), np.nan, values)
        real, new = (_as_frame(describe(rows) if describe else decode_plain(rows, schema)) for rows in tables)
        return max(0.5, detection_score(real, new, split.seed))  # a smaller value is chance, and no better than 0.5

    def judge(estimator: Any) -> float:
        rows = estimator.sample(len(split.test), random_state=split.seed)
        return detect(read_values(as_source(rows, estimator.schema_)))

    rng = np.random.default_rng(split.seed)
    independent = np.column_stack([rng.choice(column, len(unseen)) for column in known.T])
    return Contest(SEPARATED, False, {"columns drawn independently": detect(independent)}, judge)


def _as_frame(rows: Any) -> Any:
    return rows if is_frame(rows) else pa.table({str(i): column for i, column in enumerate(rows.T)})


def judge_topics(split: Split) -> Contest:
    """Judge by the coherence of topics in held-out rows and by their diversity, beside NMF."""
    # A missing count says nothing about the words of a topic, as in the multinomial likelihood.
    known, counts = np.nan_to_num(read_values(split.train)), np.nan_to_num(read_values(split.test))
    words, n = [str(i) for i in range(counts.shape[1])], min(N_WORDS, counts.shape[1])
    factors = NMF(min(split.size, *known.shape), init="nndsvda", random_state=0).fit(known).components_
    judge = partial(_measure_topics, counts, words)
    baseline = judge([[words[i] for i in np.argsort(-factor, kind="stable")[:n]] for factor in factors])

    def judge_model(estimator: Any) -> float:
        return judge(topic_words(topic_shares(estimator, split.train), known, words, n))

    return Contest(TOPICS, True, {"NMF": baseline}, judge_model)


def _measure_topics(counts: Values, words: list[str], topics: list[list[str]]) -> float:
    """Return topic quality (Dieng, Ruiz and Blei, Topic modeling in embedding spaces, TACL 2020)."""
    present = counts.sum(0) > 0
    found = [[word for word in topic if present[int(word)]] for topic in topics]
    diversity = len({word for topic in topics for word in topic}) / sum(map(len, topics))
    coherent = [coherence([topic], counts, words)[0] if len(topic) > 1 else -1.0 for topic in found]
    return float(np.mean(coherent)) * diversity


CONTESTS: dict[str, Callable[[Split], Contest]] = {
    "reduce": judge_reduction,
    "features": judge_features,
    "detect": judge_detection,
    "impute": judge_imputation,
    "generate": judge_generation,
    "topics": judge_topics,
}
