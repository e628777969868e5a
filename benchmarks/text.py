"""Texts: codes for a classifier, topics compared with scikit-learn, and sequences compared with n-grams.

    make bench                           # everything
    python benchmarks/text.py language   # a part

Texts are read from ``$ISTHMUS_TEST_DATA/text`` (default: ``../shared/data/text`` beside the repository): sms_spam, sst2
and trec are CSV files with columns text and label, and with the split of their authors if there is one. Repeated texts
are left out. Writes a line of JSON for each figure to ``benchmarks/results/text.jsonl`` and a table to
``benchmarks/results/text.md``.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mnist import REPOSITORY, Figure, measure
from tables_case import timed

N_SEEDS, N_TOPICS, N_WORDS = 3, 20, 10
# Largest number of words of a question, with the end; one in a hundred is longer and left out.
LONGEST = 24
WORD = r"(?u)\b[^\W\d_]{3,}\b"
Values = np.ndarray[Any, Any]


def load(name: str) -> pd.DataFrame:
    folder = Path(os.environ.get("ISTHMUS_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    return pd.read_csv(folder / "text" / f"{name}.csv.gz", keep_default_na=False).drop_duplicates("text")


def spam(_: None) -> Iterator[Figure]:
    """Measure codes of messages, trained without labels on 70 % of the messages; the others are classified."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline

    from isthmus import zoo

    table = load("sms_spam")
    for seed in range(N_SEEDS):
        split = train_test_split(table.text, table.label, test_size=0.3, stratify=table.label, random_state=seed)
        codes = make_pipeline(CountVectorizer(min_df=2), zoo.mult_vae(32, random_state=seed))
        seconds, ours = timed(partial(auroc, codes, *split))
        of_words = auroc(TfidfVectorizer(min_df=2), *split)
        of_svd = auroc(make_pipeline(TfidfVectorizer(min_df=2), TruncatedSVD(32, random_state=seed)), *split)
        comparison = f"goal 0.98; 32 components of tf-idf {of_svd:.4f}, tf-idf of all words {of_words:.4f}"
        yield Figure(
            f"sms_spam, AUROC of logistic regression on 32 numbers of Mult-VAE, split {seed}", ours, comparison
        )
        yield Figure(f"sms_spam, Mult-VAE, total seconds, split {seed}", seconds)


def auroc(features: Any, train: Any, test: Any, train_labels: Any, test_labels: Any) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(features, StandardScaler(with_mean=False), LogisticRegression(max_iter=2000))
    scores = classifier.fit(train, train_labels).predict_proba(test)[:, 1]
    return float(roc_auc_score(test_labels == classifier.classes_[1], scores))


def topics(name: str, _: None) -> Iterator[Figure]:
    """Measure twenty topics of a corpus. The first words of NMF and LDA are those with the largest weights."""
    counted = count_words(name)
    if counted is None:
        print(f"{name} is left out: this system has no list of Debian packages")
        return
    X, words, labels = counted
    for method, find in TOPICS.items():
        runs = pd.DataFrame([run_topics(find, X, words, labels, seed) for seed in range(N_SEEDS)])
        mean = runs.mean()
        comparison = f"NPMI {mean['NPMI']:.3f}, diversity {mean.diversity:.2f}, {mean.seconds:.1f} s"
        if method != "zoo.topic_model":
            comparison += f"; with topic_words NPMI {mean['relevant NPMI']:.3f}, {mean['relevant diversity']:.2f}"
        comparison += f"; by seed {runs.purity.round(3).to_numpy()}"
        yield Figure(f"{name}, {N_TOPICS} topics, purity of {method}", float(mean.purity), comparison)


def count_words(name: str) -> tuple[Any, Values, Values] | None:
    """Return counts (n_texts, n_words), the words and the labels of a corpus, or None if it is not available."""
    from sklearn.feature_extraction.text import CountVectorizer

    table = CORPORA[name]()
    if table is None:
        return None
    vectorizer = CountVectorizer(min_df=5, max_df=0.5, stop_words="english", token_pattern=WORD)
    X = vectorizer.fit_transform(table.text)
    used = np.asarray(X.sum(1)).ravel() > 0
    return X[used], vectorizer.get_feature_names_out(), table.label.to_numpy()[used]


def run_topics(find: Any, X: Any, words: Values, labels: Values, seed: int) -> dict[str, float]:
    """Return the figures of one method, CPU seconds, and the figures of the words that topic_words finds."""
    from isthmus.metrics.topics import topic_words

    seconds, (shares, found) = timed(partial(find, X, words, seed), time.process_time)
    relevant = measure_topics(X, words, labels, shares, topic_words(shares, X, words, N_WORDS))
    figures = measure_topics(X, words, labels, shares, found)
    return {**figures, "seconds": seconds, **{f"relevant {name}": value for name, value in relevant.items()}}


def measure_topics(X: Any, words: Values, labels: Values, shares: Values, found: list[list[str]]) -> dict[str, float]:
    """Return the quality of the shares of topics in texts, and of the first words of topics.

    Purity is the share of texts whose label is the most frequent one of the texts with the same largest topic. NPMI is
    the mean coherence of topics, diversity the share of distinct words among their words.
    """
    from isthmus.metrics.topics import coherence

    n_of_largest = pd.crosstab(shares.argmax(1), labels).max(axis=1).sum()
    return {
        "purity": float(n_of_largest / len(labels)),
        "NPMI": float(coherence(found, X, words).mean()),
        "diversity": len({word for topic in found for word in topic}) / np.size(found),
    }


def load_debian() -> pd.DataFrame | None:
    """Return descriptions of 10,000 random Debian packages with their section, or None on another system.

    Descriptions have one line, or several if the system keeps translations.
    """
    if not shutil.which("apt-cache"):
        return None
    packages = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, check=True).stdout
    fields = re.compile(r"^(Description(?:-en)?|Section): (.*(?:\n .*)*)", re.MULTILINE)
    found = [{name[:11]: value for name, value in fields.findall(package)} for package in packages.split("\n\n")]
    table = pd.DataFrame(found).dropna().rename(columns={"Description": "text", "Section": "label"})
    table = table.drop_duplicates("text")
    return table.sample(min(10_000, len(table)), random_state=0) if len(table) > 1_000 else None


def find_topics_of_net(X: Any, words: Values, seed: int) -> tuple[Values, list[list[str]]]:
    from isthmus import zoo
    from isthmus.metrics.topics import topic_shares, topic_words

    shares = topic_shares(zoo.topic_model(N_TOPICS, random_state=seed).fit(X), X)
    return shares, topic_words(shares, X, words, N_WORDS)


def find_topics_of_lda(X: Any, words: Values, seed: int) -> tuple[Values, list[list[str]]]:
    from sklearn.decomposition import LatentDirichletAllocation

    return decompose(LatentDirichletAllocation(N_TOPICS, random_state=seed), X, words)


def find_topics_of_nmf(X: Any, words: Values, seed: int) -> tuple[Values, list[list[str]]]:
    from sklearn.decomposition import NMF
    from sklearn.feature_extraction.text import TfidfTransformer

    return decompose(NMF(N_TOPICS, max_iter=500, random_state=seed), TfidfTransformer().fit_transform(X), words)


def decompose(model: Any, X: Any, words: Values) -> tuple[Values, list[list[str]]]:
    shares = model.fit_transform(X)
    return shares, [words[np.argsort(-weights)[:N_WORDS]].tolist() for weights in model.components_]


# Defaults were chosen on Debian, trec, and news of the BBC; that words are counted by texts also on sms_spam and sst2.
CORPORA: dict[str, Any] = {
    **{name: partial(load, name) for name in ("sms_spam", "sst2", "trec")},
    "Debian packages": load_debian,
}
TOPICS = {
    "zoo.topic_model": find_topics_of_net,
    "LatentDirichletAllocation": find_topics_of_lda,
    "NMF of tf-idf": find_topics_of_nmf,
}


def language(_: None) -> Iterator[Figure]:
    """Measure the perplexity per word of n-grams on test questions of trec; the end counts as a word."""
    from isthmus.baselines.ngrams import Bigrams, perplexity
    from isthmus.data import Texts
    from isthmus.data.texts.vocabulary import END, encode

    table = load("trec")
    train, test = (table.text[table.split == part].tolist() for part in ("train", "test"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        texts = Texts(train, vocabulary="word", size=2000, length=LONGEST)
    rows, held_out = ([[*row, END] for row in encode(part, texts.schema.vocabulary)] for part in (train, test))
    short = [i for i, row in enumerate(held_out) if len(row) <= LONGEST]
    held_out, test = [held_out[i] for i in short], [test[i] for i in short]
    for name, order in (("unigrams", 1), ("bigrams", 2)):
        model = Bigrams(texts.schema.n_categories, order).fit(rows[:-500], rows[-500:])
        comparison = f"weights of orders 0, 1, ...: {np.round(model.weights, 3)}"
        yield Figure(f"trec, perplexity per word of {name}", perplexity(model, held_out), comparison)
    yield from measure_sequence_vae(texts, test, sum(map(len, held_out)))


def measure_sequence_vae(texts: Any, test: list[str], n_words: int) -> Iterator[Figure]:
    """Measure perplexity by the bound with 50 draws, nats in the code, and an interpolation of two questions."""
    from isthmus import latent, zoo

    seconds, model = timed(lambda: zoo.sequence_vae(max_epochs=20, batch_size=64, random_state=0).fit(texts))
    log_prob = model.score_samples(test, n_draws=50, random_state=0).sum()
    yield Figure(
        "trec, perplexity per word of zoo.sequence_vae", float(np.exp(-log_prob / n_words)), f"{seconds:.0f} s"
    )
    way = latent.interpolate(model, test[0], test[3], n=5, sample_values=False)
    yield Figure("trec, nats in the code of zoo.sequence_vae", float(model.divergence(test).mean()), " / ".join(way))


# Texts of fit and normal texts of the test, and the largest number of anomalies.
N_FIT, N_TEST = 800, 300


def detection(_: None) -> Iterator[Figure]:
    """Measure how detectors that were fitted to normal texts rank texts of another kind; AUROC, 0.5 is chance.

    Normal are the messages that are no spam, and the questions of one of the three most frequent kinds.
    """
    spam, questions = load("sms_spam"), load("trec")
    tasks = {"sms_spam, spam": (spam.text, spam.label == "ham")}
    for label in questions.label.value_counts().index[:3]:
        tasks[f"trec, questions that are not of kind {label}"] = questions.text, questions.label == label
    for name, (texts, is_normal) in tasks.items():
        for method, (area, seconds) in run_detection(texts.to_numpy(), is_normal.to_numpy()).items():
            interval = f"{area.low:.3f} to {area.high:.3f}, {seconds:.1f} CPU seconds"
            yield Figure(f"{name}, AUROC of {method}", area.value, interval)


def run_detection(texts: Values, is_normal: Values) -> dict[str, tuple[Any, float]]:
    """Return the AUROC of each detector on normal texts that were not in fit and on other texts, and CPU seconds."""
    from sklearn.metrics import roc_auc_score

    from isthmus.reporting.intervals import estimate_auroc

    order = np.random.default_rng(0).permutation(len(texts))
    normal, others = texts[order[is_normal[order]]], texts[order[~is_normal[order]]][:N_TEST]
    known, unseen = normal[:N_FIT].tolist(), normal[N_FIT : N_FIT + N_TEST]
    judged, labels = [*unseen, *others], np.repeat([0, 1], [len(unseen), len(others)])
    found = {}
    for name, score in DETECTORS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seconds, scores = timed(partial(score, known, judged, 0), time.process_time)
        area = float(roc_auc_score(labels, -scores))
        found[name] = estimate_auroc(area, len(others), len(unseen)), seconds
    return found


def score_by_distance(known: list[str], judged: list[str], seed: int) -> Values:
    from isthmus.anomaly import ExemplarDistance
    from isthmus.data import Texts

    return ExemplarDistance(random_state=seed).fit(Texts(known)).score_samples(judged)


def score_by_sequence(known: list[str], judged: list[str], seed: int) -> Values:
    from isthmus import zoo
    from isthmus.data import Texts

    return zoo.sequence_vae(32, random_state=seed).fit(Texts(known)).score_samples(judged)


def score_by_neighbours(known: list[str], judged: list[str], _: int) -> Values:
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer().fit(known)
    return np.asarray((words.transform(judged) @ words.transform(known).T).max(1).todense()).ravel()


def score_by_forest(known: list[str], judged: list[str], seed: int) -> Values:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.ensemble import IsolationForest
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    forest = make_pipeline(TfidfVectorizer(), TruncatedSVD(32, random_state=seed), IsolationForest(random_state=seed))
    return forest.fit(known).score_samples(judged)


DETECTORS = {
    "AnomalyDetector()": score_by_distance,
    "zoo.sequence_vae": score_by_sequence,
    "the nearest text by tf-idf": score_by_neighbours,
    "IsolationForest on 32 components of tf-idf": score_by_forest,
}
SECTIONS = {
    "spam": spam,
    "topics-spam": partial(topics, "sms_spam"),
    "topics-films": partial(topics, "sst2"),
    "topics-questions": partial(topics, "trec"),
    "topics-packages": partial(topics, "Debian packages"),
    "language": language,
    "detection": detection,
}

if __name__ == "__main__":
    measure(SECTIONS, None, sys.argv[1:], "text")
