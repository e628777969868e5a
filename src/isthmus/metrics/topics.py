"""Topics of texts: the most characteristic words of each component of a code, and their coherence."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.utils import check_array

from isthmus.part import is_count

Values = np.ndarray[Any, Any]


def topic_words(
    model: Any, vocabulary: Sequence[str], n: int = 10, *, strength: float = 4.0, weight: float = 0.6
) -> list[list[str]]:
    """Return the most relevant words of each component of the code [1].

    The relevance of a word is weight * log p(word | component) + (1 - weight) * log(p(word | component) / p(word)).

    Parameters
    ----------
    model : fitted estimator
        With ``inverse_transform`` of codes to counts, such as ``zoo.topic_model`` and ``zoo.mult_vae``.
    vocabulary : sequence of str
        The word of each column, such as a vectorizer's ``get_feature_names_out()``.
    n : int, default=10
        Words per topic.
    strength : float, default=4.0
        Value of the component, with all others at 0; negative values give the words of the opposite direction.
    weight : float, default=0.5
        1 prefers frequent words, 0 words that are rare otherwise. The default is the optimum of a user study [1].

    Returns
    -------
    list of lists of str
        Words of each component, the most relevant one first.

    Raises
    ------
    ValueError
        If the vocabulary does not have one word per column, or ``n`` is not between 1 and the number of words.

    References
    ----------
    [1] Sievert and Shirley, LDAvis: a method for visualizing and interpreting topics, ACL workshop 2014.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from isthmus import zoo
    >>> from isthmus.metrics.topics import topic_words
    >>> texts = ["the cat and the dog", "a dog barks", "stocks and bonds", "bonds fall"] * 25
    >>> words = CountVectorizer()
    >>> model = zoo.topic_model(2, random_state=0).fit(words.fit_transform(texts))
    >>> topics = topic_words(model, words.get_feature_names_out(), 3)
    >>> sorted("dog" in topic for topic in topics)
    [False, True]
    """
    words = np.asarray(vocabulary, dtype=object)
    if not (is_count(n) and n <= len(words)):
        raise ValueError(f"n must be an integer from 1 to {len(words)}, the number of words, got {n!r}")
    n_components = model.n_components
    codes = np.concatenate([np.zeros((1, n_components)), strength * np.eye(n_components)])
    shares = _decode(model, codes)
    if shares.shape[1:] != words.shape:
        raise ValueError(f"the vocabulary has {len(words)} words, but rows have shape {shares.shape[1:]}")
    log_shares = np.log(np.maximum(shares, np.finfo(np.float64).tiny) / shares.sum(1, keepdims=True))
    order = np.argsort((1 - weight) * log_shares[0] - log_shares[1:], axis=1, kind="stable")[:, :n]
    return [words[positions].tolist() for positions in order]


def _decode(model: Any, codes: Values) -> Values:
    """Return expected counts, which data frames of integers would round."""
    module = getattr(model, "module_", None)
    if module is None:
        return np.asarray(model.inverse_transform(codes), dtype=np.float64)
    with torch.inference_mode():
        decoded = module.decode(torch.as_tensor(codes, dtype=module.dtype, device=module.device))
    return np.asarray(decoded.cpu().numpy(), dtype=np.float64)


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
    [1] Bouma, Normalized (pointwise) mutual information in collocation extraction, GSCL 2009. [2] Lau, Newman and
        Baldwin, Machine reading tea leaves, EACL 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.metrics.topics import coherence
    >>> X = np.array([[1, 2, 0, 0], [3, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    >>> coherence([["cat", "dog"], ["bond", "stock"]], X, ["cat", "dog", "bond", "stock"])
    array([ 1., -1.])
    """
    X = check_array(X, accept_sparse="csc")
    column = {word: i for i, word in enumerate(vocabulary)}
    if len(column) != X.shape[1]:
        raise ValueError(f"the vocabulary has {len(column)} different words, but X has {X.shape[1]} columns")
    held = sparse.csc_array(X > 0, dtype=np.float64)
    return np.array([_coherence(held[:, _positions(words, column)], words) for words in topics])


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
