"""Topics of texts: the model, the words of its topics, and their coherence."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.special import softmax
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

from isthmus import load, save, zoo
from isthmus.backbones import ProdLDA
from isthmus.backbones.prod_lda import find_topic_directions, log_ratios
from isthmus.functional import varimax
from isthmus.metrics.topics import coherence, topic_shares, topic_words

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
    net = zoo.topic_model(3, random_state=0)
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
    X = vectorizer.transform(texts[0])
    found = topic_words(topic_shares(net, X), X, vectorizer.get_feature_names_out(), 6)
    assert sorted(map(sorted, found)) == sorted(map(sorted, TOPICS))
    within, across = coherence([*found, [words[0] for words in found]], X, vectorizer.get_feature_names_out())[[0, -1]]
    assert within > 0.5
    assert across == -1


def test_shares_of_topics_are_the_softmax_of_scaled_codes(pipeline, texts):
    shares = topic_shares(pipeline[-1], pipeline[0].transform(texts[0]))
    scale = math.sqrt((1 - 1 / 3) / 0.05)  # the default concentration is 0.05
    np.testing.assert_allclose(shares, softmax(scale * pipeline.transform(texts[0]), axis=1), atol=1e-6)
    own = shares.argmax(1)
    assert all(len(set(own[texts[1] == label])) == 1 for label in range(3))
    assert shares.max(1).mean() > 0.6


def test_models_without_topics_have_no_shares(rng):
    X = rng.poisson(1.0, (40, 5))
    with pytest.raises(TypeError, match=r"model must have topics, .* but its backbone is MLP"):
        topic_shares(zoo.mult_vae(2, max_epochs=1).fit(X), X)


@pytest.mark.parametrize(
    ("shares", "vocabulary", "n", "said"),
    [
        (np.ones((3, 2)), ["a", "b", "c"], 2, "the vocabulary has 3 different words, but X has 2 columns"),
        (np.ones((3, 2)), ["a", "b"], 3, "n must be an integer from 1 to 2, the number of words, got 3"),
        (np.ones((4, 2)), ["a", "b"], 2, r"shares must have a row for each of the 3 texts, got shape \(4, 2\)"),
        (-np.ones((3, 2)), ["a", "b"], 2, "shares must be at least 0, got -1"),
    ],
)
def test_words_that_cannot_be_ranked_are_refused(shares, vocabulary, n, said):
    with pytest.raises(ValueError, match=said):
        topic_words(shares, np.array([[1, 0], [0, 1], [1, 1]]), vocabulary, n)


def test_repetitions_and_words_in_no_text_do_not_make_a_word_relevant():
    X = np.array([[9, 1, 0, 1], [0, 1, 0, 1], [1, 0, 0, 1], [2, 0, 0, 1]])
    shares = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert topic_words(shares, X, list("abcd"), 4, weight=0.0) == [["b", "d", "a", "c"], ["a", "d", "b", "c"]]


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
    # The default concentration is 0.05.
    expected = (z * math.sqrt((1 - 1 / 3) / 0.05)).softmax(-1) @ weights[:, :3].T + weights[:, 3:].T[[0, 1, 1, 0, 1]]
    torch.testing.assert_close(part.decode(z, condition)[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_a_single_topic_is_refused():
    with pytest.raises(ValueError, match="ProdLDA needs n_components >= 2, got 1"):
        zoo.topic_model(1, max_epochs=1).fit(np.random.default_rng(0).poisson(1.0, (40, 5)))


def test_varimax_is_the_best_of_all_rotations_in_the_plane(rng):
    loadings = rng.normal(size=(50, 2)) * [1.0, 3.0] @ [[0.8, 0.6], [-0.6, 0.8]]

    def criterion(rotation):
        return ((loadings @ rotation) ** 2).var(0).sum()

    angles = np.linspace(0, np.pi / 2, 10_001)
    best = max(criterion(np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])) for a in angles)
    rotation = varimax(torch.from_numpy(loadings)).numpy()
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(2), atol=1e-12)
    assert criterion(rotation) == pytest.approx(best, rel=1e-5)


def test_directions_of_rows_with_one_topic_each_are_the_topics(rng):
    labels = np.arange(300) % 3
    rows = sparse.csr_array(np.kron(np.eye(3), np.ones(4))[labels] * rng.uniform(0.5, 1.5, (300, 12)))
    directions = find_topic_directions(rows, 3, 0)
    scores = rows @ directions
    assert all(len(set(scores[labels == label].argmax(1))) == 1 for label in range(3))
    weights = np.abs(directions).reshape(3, 4, 3).sum(1)
    assert (weights.max(0) > 0.99 * weights.sum(0)).all()
    assert (scores.max(1) > 0).all()


def test_there_are_no_more_directions_than_the_rank_permits(rng):
    assert find_topic_directions(sparse.csr_array(rng.poisson(1.0, (7, 5)) + 0.5), 20, 0).shape == (5, 5)
    found = zoo.topic_model(8, random_state=0).fit(rng.poisson(1.0, (40, 5))).transform(rng.poisson(1.0, (4, 5)))
    assert found.shape == (4, 8)


def test_log_ratios_are_smoothed_towards_the_words_of_all_texts():
    sums = np.array([[6.0, 2.0, 0.0], [0.0, 2.0, 10.0]])
    overall = sums.sum(0) + 1e-3 * sums.mean()
    overall /= overall.sum()
    smoothed = sums + 0.1 * 10 * overall
    expected = np.log(smoothed / smoothed.sum(1, keepdims=True) / overall)
    np.testing.assert_allclose(log_ratios(sums), expected)
    np.testing.assert_allclose(log_ratios(np.array([[1.0, 3.0], [2.0, 6.0]])), 0, atol=1e-3)


@pytest.mark.parametrize("n_topics", [2, 20])
def test_the_scale_of_codes_is_that_of_the_laplace_approximation(n_topics):
    """The variances are those of Srivastava and Sutton, equation 3, for equal concentrations of all topics."""
    part = ProdLDA(concentration=0.3)
    part.build((7,), (1, 7), (2 * n_topics,), (n_topics,), 0)
    concentrations = np.full(n_topics, 0.3)
    variances = 1 / concentrations * (1 - 2 / n_topics) + (1 / concentrations).sum() / n_topics**2
    np.testing.assert_allclose(part.decoder[0].scale ** 2, variances)


@pytest.mark.parametrize("weight", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_words_are_ordered_by_their_relevance(rng, weight, container):
    X, shares = rng.poisson([0.2, 0.5, 0.9, 1.5, 2.5], (200, 5)), rng.dirichlet([0.3] * 3, 200)
    for topic, found in zip(shares.T, topic_words(shares, container(X), list("abcde"), 5, weight=weight), strict=True):
        p, q = (np.average(X > 0, axis=0, weights=of) for of in (topic, np.ones(200)))
        relevance = weight * np.log(p) + (1 - weight) * np.log(p / q)
        assert found == [*np.array(list("abcde"))[np.argsort(-relevance)]]
