"""The topics of a topic model, beside those of other methods."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.decomposition import NMF, LatentDirichletAllocation
from sklearn.feature_extraction.text import TfidfTransformer

from isthmus.anomaly.rows import to_numbers
from isthmus.backbones import ProdLDA
from isthmus.data import as_source
from isthmus.formatting import format_percent
from isthmus.metrics.topics import coherence, topic_shares, topic_words
from isthmus.reporting.blocks import Block, Section, Share, Table, Text
from isthmus.reporting.intervals import estimate
from isthmus.reporting.subject import Subject, Values
from isthmus.reporting.texts import show, show_value

MODEL = "this model"
# Words of a topic; texts that the other methods are fitted to, which bounds the time.
N_WORDS, MAX_TEXTS = 10, 5000


def show_topics(subject: Subject) -> Section | None:
    """Return the words, share and coherence of each topic, and the coherence and diversity of other methods."""
    net = subject.net
    if net is None or not isinstance(net.module_.backbone, ProdLDA):
        return None
    words, judged = subject.names, _to_counts(subject.numbers)
    texts = subject.X if subject.train is None else subject.train
    known = _to_counts(to_numbers(as_source(texts, subject.schema)))
    occurring = {word for word, each in zip(words, judged.sum(0).tolist(), strict=True) if each}
    ranked = topic_words(topic_shares(net, texts), known, words, len(words))
    found = {MODEL: [_keep(topic, occurring) for topic in ranked]}
    for name, weights in fit_topics(known[:MAX_TEXTS], net.n_components, subject.seed).items():
        found[name] = [_keep([words[i] for i in np.argsort(-topic)], occurring) for topic in weights]
    coherences = {name: coherence(topics, judged, words) for name, topics in found.items()}
    diversity = {name: measure_diversity(topics) for name, topics in found.items()}
    means = {name: estimate(values[:, None], subject.seed)[0] for name, values in coherences.items()}
    shares = [share.as_share() for share in estimate(topic_shares(net, subject.X), subject.seed)]
    topics: list[dict[str, Any]] = [
        {"topic": i + 1, "words": ", ".join(found[MODEL][i]), "share": shares[i], "coherence": float(each)}
        for i, each in enumerate(coherences[MODEL])
    ]
    topics.sort(key=lambda topic: -topic["share"].value)
    methods = [{"method": name, "coherence": means[name], "distinct words": Share(diversity[name])} for name in found]
    others = " and ".join(f"{show_value(means[name])} of {name}" for name in found if name != MODEL)
    lead = (
        f"The {len(topics)} topics have a mean coherence of {show(means[MODEL])}, compared with {others}; "
        f"{format_percent(diversity[MODEL])} of their words are distinct."
    )
    blocks: list[Block] = [
        Table.of(topics, "Topics, the most frequent one first; 95 % intervals over texts"),
        Table.of(methods, "Topics of several methods on the judged texts; 95 % intervals over topics"),
        Text(_explain(subject)),
    ]
    values = {"topics": topics, "methods": methods, "words": found, "n_texts": len(judged)}
    return Section("topics", "Topics", lead, blocks, values, "quality")


def fit_topics(counts: Values, n_topics: int, seed: int) -> dict[str, Values]:
    """Return the weights (n_topics, n_words) of the words of topics that other methods find."""
    n = min(n_topics, *counts.shape)
    lda = LatentDirichletAllocation(n, random_state=seed).fit(counts)
    nmf = NMF(n, init="nndsvda", max_iter=500, random_state=seed).fit(TfidfTransformer().fit_transform(counts))
    return {"NMF of tf-idf": nmf.components_, "LDA": lda.components_}


def measure_diversity(topics: Sequence[Sequence[str]]) -> float:
    """Return the share of different words among the words of all topics.

    References
    ----------
    Dieng, Ruiz and Blei, Topic modeling in embedding spaces, TACL 2020, arXiv:1907.04907.
    """
    return len({word for topic in topics for word in topic}) / sum(map(len, topics))


def _to_counts(numbers: Values) -> Values:
    """Return counts of words; a count that was not in fit, which the model reads as missing, is 1."""
    return np.nan_to_num(numbers, nan=1.0)


def _keep(ranked: Sequence[str], occurring: set[str]) -> list[str]:
    """Return the first words that occur in the judged texts."""
    return [word for word in ranked if word in occurring][:N_WORDS]


def _explain(subject: Subject) -> str:
    rows = "judged texts" if subject.train is None else "training texts"
    return (
        f"The other methods were fitted to the {rows}. Coherence is the mean normalized pointwise mutual information "
        "of pairs of words: 1 if texts contain both words or none, 0 if the words are independent, -1 if no text "
        f"contains both. A topic is its {N_WORDS} first words; its share is the mean proportion in the judged texts."
    )
