"""Topics of texts: their proportions, their most relevant words, and the coherence of these."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.utils import check_array

from isthmus.backbones import ProdLDA
from isthmus.part import is_count

Values = np.ndarray[Any, Any]


def topic_shares(model: Any, X: Any) -> Values:
    """Return the proportions of topics in each text, which sum to 1.

    Parameters
    ----------
    model : fitted estimator
        With the backbone ``ProdLDA``, such as ``zoo.topic_model``.
    X : array, sparse rows or data frame of shape (n_texts, n_words)
        Counts of words.

    Returns
    -------
    ndarray of shape (n_texts, n_topics)

    Raises
    ------
    TypeError
        If the model has no topics.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import zoo
    >>> from isthmus.metrics.topics import topic_shares
    >>> X = np.repeat(np.eye(2, dtype=int), 50, axis=0) * 5
    >>> shares = topic_shares(zoo.topic_model(2, random_state=0).fit(X), X)
    >>> shares[[0, -1]].round()
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    codes = np.asarray(model.transform(X))
    backbone = model.module_.backbone
    if not isinstance(backbone, ProdLDA):
        raise TypeError(f"model must have topics, such as zoo.topic_model, but its backbone is {backbone!r}")
    return np.asarray(backbone.shares(torch.from_numpy(codes)).numpy())


def topic_words(shares: Any, X: Any, vocabulary: Sequence[str], n: int = 10, *, weight: float = 0.6) -> list[list[str]]:
    """Return the most relevant words of each topic [1].

    The relevance of a word is weight * log p(word | topic) + (1 - weight) * log(p(word | topic) / p(word)), where
    p(word) is the share of texts with the word, and p(word | topic) that of texts which are weighted with their share
    of the topic. Shares of texts do not count repetitions of a word in a text, which say little about its topic [2].

    Parameters
    ----------
    shares : array of shape (n_texts, n_topics)
        Proportions of topics in each text, such as from ``topic_shares``; at least 0.
    X : array or sparse rows of shape (n_texts, n_words)
        Counts of words in the same texts, best the training texts.
    vocabulary : sequence of str
        The word of each column, such as a vectorizer's ``get_feature_names_out()``.
    n : int, default=10
        Words per topic.
    weight : float, default=0.6
        1 prefers frequent words, 0 words that are rare otherwise. The default is the optimum of a user study [1].

    Returns
    -------
    list of lists of str
        Words of each topic, the most relevant one first. Words in no text are last.

    Raises
    ------
    ValueError
        If ``n`` is not between 1 and the number of words, there is not one word per column or one row of shares per
        text, or a share is below 0.

    References
    ----------
    [1] Sievert and Shirley, LDAvis: a method for visualizing and interpreting topics, ACL workshop 2014.
    [2] Doyle and Elkan, Accounting for burstiness in topic models, ICML 2009.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from isthmus import zoo
    >>> from isthmus.metrics.topics import topic_shares, topic_words
    >>> texts = ["the cat and the dog", "a dog barks", "stocks and bonds", "bonds fall"] * 25
    >>> words = CountVectorizer()
    >>> X = words.fit_transform(texts)
    >>> model = zoo.topic_model(2, random_state=0).fit(X)
    >>> topics = topic_words(topic_shares(model, X), X, words.get_feature_names_out(), 3)
    >>> sorted("dog" in topic for topic in topics)
    [False, True]
    """
    words, held = np.asarray(vocabulary, dtype=object), _find_words(X, vocabulary)
    if not (is_count(n) and n <= len(words)):
        raise ValueError(f"n must be an integer from 1 to {len(words)}, the number of words, got {n!r}")
    shares = check_array(shares, dtype=np.float64)
    if len(shares) != held.shape[0]:
        raise ValueError(f"shares must have a row for each of the {held.shape[0]} texts, got shape {shares.shape}")
    if shares.min() < 0:
        raise ValueError(f"shares must be at least 0, got {shares.min():g}")
    tiny = np.finfo(np.float64).tiny
    within = np.log(np.maximum(shares.T @ held, tiny)) - np.log(np.maximum(shares.sum(0), tiny))[:, None]
    overall = held.mean(0)
    relevance = within - (1 - weight) * np.log(np.maximum(overall, tiny))
    order = np.argsort(np.where(overall > 0, -relevance, np.inf), axis=1, kind="stable")[:, :n]
    return [words[positions].tolist() for positions in order]


def coherence(topics: Sequence[Sequence[str]], X: Any, vocabulary: Sequence[str]) -> Values:
    """Return the coherence of each topic: the mean NPMI of pairs of its words in texts [1, 2].

    The normalized pointwise mutual information of two words is 1 if each text contains both or none, 0 if they are
    independent, and -1 if no text contains both. It correlates with human judgments of topics [2].

    Parameters
    ----------
    topics : sequence of sequences of str
        At least two words per topic.
    X : array or sparse rows of shape (n_texts, n_words)
        Counts of words.
    vocabulary : sequence of str
        The word of each column.

    Returns
    -------
    ndarray of shape (n_topics,)

    Raises
    ------
    ValueError
        If a word is not in the vocabulary or in no text, or a topic has fewer than two words.

    References
    ----------
    [1] Bouma, Normalized (pointwise) mutual information in collocation extraction, GSCL 2009.
    [2] Lau, Newman and Baldwin, Machine reading tea leaves, EACL 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics.topics import coherence
    >>> X = np.array([[1, 2, 0, 0], [3, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    >>> coherence([["cat", "dog"], ["bond", "stock"]], X, ["cat", "dog", "bond", "stock"])
    array([ 1., -1.])
    """
    held, column = _find_words(X, vocabulary), {word: i for i, word in enumerate(vocabulary)}
    return np.array([_coherence(held[:, _positions(words, column)], words) for words in topics])


def _find_words(X: Any, vocabulary: Sequence[str]) -> Any:
    """Return which texts contain which words, as sparse columns of 0 and 1."""
    X, n_words = check_array(X, accept_sparse="csc"), len(set(vocabulary))
    if n_words != X.shape[1]:
        raise ValueError(f"the vocabulary has {n_words} different words, but X has {X.shape[1]} columns")
    return sparse.csc_array(X > 0, dtype=np.float64)


def _positions(words: Sequence[str], column: dict[str, int]) -> list[int]:
    unknown = [word for word in words if word not in column]
    if unknown:
        raise ValueError(f"the word {unknown[0]!r} is not in the vocabulary")
    if len(words) < 2:
        raise ValueError(f"a topic needs at least two words, got {list(words)}")
    return [column[word] for word in words]


def _coherence(held: Any, words: Sequence[str]) -> float:
    """Return the mean NPMI of all pairs of binary columns."""
    together = (held.T @ held).toarray() / held.shape[0]
    alone = together.diagonal()
    if not alone.all():
        raise ValueError(f"the word {words[int(np.argmin(alone))]!r} is in no text")
    pairs = np.triu_indices(len(words), 1)
    both, independent = together[pairs], np.outer(alone, alone)[pairs]
    # The limit is -1 for words that never occur together, and 1 for words that occur together in every text.
    known = (both > 0) & (both < 1)
    npmi = np.where(both == 0, -1.0, 1.0)
    npmi[known] = np.log(both[known] / independent[known]) / -np.log(both[known])
    return float(npmi.mean())
