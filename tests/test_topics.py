"""Topics of texts: the model, the words of its topics, and their coherence."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

from isthmus import load, save, zoo
from isthmus.backbones import ProdLDA
from isthmus.metrics.topics import coherence, topic_words

TOPICS = [
    ["goal", "match", "team", "coach", "league", "player"],
    ["bank", "share", "market", "stock", "profit", "price"],
    ["army", "peace", "vote", "minister", "law", "treaty"],
]


@pytest.fixture(scope="module")
def texts():
    """Texts of eight words of one topic and four common words, and the topic of each."""
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=600)
    words = [[*rng.choice(TOPICS[label], 8), *rng.choice(["today", "said", "new"], 4)] for label in labels]
    return [" ".join(row) for row in words], labels


@pytest.fixture(scope="module")
def pipeline(texts):
    net = zoo.topic_model(3, hidden=(16,), learning_rate=0.01, max_epochs=30, random_state=0)
    return make_pipeline(CountVectorizer(), net).fit(texts[0])


def brute_force(words, X, vocabulary):
    def share(*some):
        return np.mean([all(row[vocabulary.index(word)] > 0 for word in some) for row in X])

    pairs = []
    for a, b in itertools.combinations(words, 2):
        both = share(a, b)
        pairs.append(-1 if both == 0 else math.log(both / (share(a) * share(b))) / -math.log(both) if both < 1 else 1)
    return np.mean(pairs)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_matrix])
def test_coherence_is_that_of_brute_force(rng, container):
    X, vocabulary = rng.poisson([0.1, 0.3, 0.6, 1.0, 2.0, 0.05], (60, 6)), list("abcdef")
    X[:, 0] = 1  # in all texts
    X[:, 5] = X[:, 1] == 0  # never in the same text
    topics = ["abcd", "bf", "cde", "ab"]
    expected = [brute_force(words, X, vocabulary) for words in topics]
    np.testing.assert_allclose(coherence(topics, container(X), vocabulary), expected, rtol=1e-12)
    assert coherence(["bf"], X, vocabulary) == -1


def test_words_contained_in_all_texts_have_coherence_1():
    assert coherence(["ab"], np.ones((4, 2)), list("ab")) == 1


@pytest.mark.parametrize(
    ("topics", "vocabulary", "said"),
    [
        ([["a", "x"]], list("abc"), "the word 'x' is not in the vocabulary"),
        ([["a"]], list("abc"), r"a topic needs at least two words, got \['a'\]"),
        ([["a", "c"]], list("abc"), "the word 'c' is in no text"),
        ([["a", "b"]], list("ab"), "the vocabulary has 2 different words, but X has 3 columns"),
        ([["a", "b"]], list("abb"), "the vocabulary has 2 different words, but X has 3 columns"),
    ],
)
def test_topics_without_coherence_are_refused(topics, vocabulary, said):
    with pytest.raises(ValueError, match=said):
        coherence(topics, np.array([[1, 1, 0], [1, 0, 0]]), vocabulary)


def test_a_topic_model_finds_the_topics_of_texts(pipeline, texts):
    vectorizer, net = pipeline
    found = topic_words(net, vectorizer.get_feature_names_out(), 6)
    assert sorted(map(sorted, found)) == sorted(map(sorted, TOPICS))
    X = vectorizer.transform(texts[0])
    within, across = coherence([*found, [words[0] for words in found]], X, vectorizer.get_feature_names_out())[[0, -1]]
    assert within > 0.5
    assert across == -1


def test_codes_are_shares_of_topics(pipeline, texts):
    shares = torch.from_numpy(pipeline.transform(texts[0])).softmax(-1).numpy()
    own = shares.argmax(1)
    assert all(len(set(own[texts[1] == label])) == 1 for label in range(3))
    assert shares.max(1).mean() > 0.6


def test_words_at_the_negative_end_decrease_with_the_component(pipeline):
    vectorizer, net = pipeline
    words = vectorizer.get_feature_names_out()
    raised, lowered = topic_words(net, words, 6), topic_words(net, words, 6, strength=-4.0)
    assert all(not set(up) & set(down) for up, down in zip(raised, lowered, strict=True))


@pytest.mark.parametrize(
    ("vocabulary", "n", "said"),
    [
        (["a", "b"], 2, "the vocabulary has 2 words, but rows have shape"),
        (["a"], 2, "n must be an integer from 1 to 1, the number of words"),
    ],
)
def test_a_vocabulary_of_another_size_is_refused(pipeline, vocabulary, n, said):
    with pytest.raises(ValueError, match=said):
        topic_words(pipeline[-1], vocabulary, n)


def test_a_saved_topic_model_gives_the_same_codes_of_sparse_rows(pipeline, texts, tmp_path):
    rows = pipeline[0].transform(texts[0][:50])
    save(pipeline[-1], tmp_path / "topics.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "topics.safetensors").transform(rows), pipeline[-1].transform(rows))


def test_the_decoder_multiplies_topics_by_their_shares():
    part = ProdLDA(dropout=0.0)
    part.build((7,), (1, 7), (6,), (3,), 2)
    part.eval()
    z, condition = torch.randn(5, 3), torch.eye(2)[[0, 1, 1, 0, 1]]
    weights = part.decoder[2].weight
    expected = z.softmax(-1) @ weights[:, :3].T + weights[:, 3:].T[[0, 1, 1, 0, 1]]
    torch.testing.assert_close(part.decode(z, condition)[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_a_single_topic_is_refused():
    with pytest.raises(ValueError, match="ProdLDA needs n_components >= 2, got 1"):
        zoo.topic_model(1, max_epochs=1).fit(np.random.default_rng(0).poisson(1.0, (40, 5)))
