"""Texts as rows of tokens, for sequence models.

For bags of words, use ``CountVectorizer`` of scikit-learn before ``zoo.topic_model`` or ``zoo.mult_vae`` instead.
"""

import warnings
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import torch

from isthmus.data.arrays import Array
from isthmus.data.tables.frames import is_frame
from isthmus.data.texts import vocabulary as words
from isthmus.errors import InputTypeError, require_type
from isthmus.part import is_count
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]

# Smallest size of a vocabulary, and number of rows that messages list.
MIN_SIZE, N_NAMED = 2, 5


class Texts:
    """Texts with a vocabulary learned from them.

    A text becomes a row of ``length`` tokens: those of the text, an end token, and missing values. Models fitted on
    texts read and return lists of strings; their files store the vocabulary.

    Parameters
    ----------
    texts : sequence of str
        The texts, one for each row.
    vocabulary : {"bpe", "word"}, default="bpe"
        Type of the tokens: pieces of words by byte-pair encoding [1], or words and punctuation marks.
    size : int, default=2000
        Largest number of tokens. All others become ``<unknown>``.
    length : int or "auto", default="auto"
        Number of tokens per row, including the end. "auto" fits the longest text. Longer texts are cut, with a warning.
    lowercase : bool, default=False
        Whether to ignore case.

    Attributes
    ----------
    texts : list of str
    schema : Schema
        Schema of a row, with the vocabulary as JSON.

    Raises
    ------
    TypeError
        If a row is not a text.
    ValueError
        If a text is empty, or a parameter is invalid.
    ImportError
        Without tokenizers.

    References
    ----------
    [1] Sennrich, Haddow and Birch, Neural machine translation of rare words with subword units, ACL 2016,
    arXiv:1508.07909.

    Examples
    --------
    >>> from isthmus.data import Texts, as_source
    >>> texts = Texts(["who wrote it ?", "who is it ?"], vocabulary="word")
    >>> texts.schema.shape, texts.schema.n_categories
    ((5,), 7)
    >>> next(as_source(texts).batches(2)).x
    tensor([[4., 6., 3., 2., 0.],
            [4., 5., 3., 2., 0.]])
    """

    def __init__(
        self,
        texts: Iterable[str],
        *,
        vocabulary: str = "bpe",
        size: int = 2000,
        length: int | str = "auto",
        lowercase: bool = False,
    ) -> None:
        if vocabulary not in words.KINDS:
            raise ValueError(f"vocabulary must be one of {words.KINDS}, got {vocabulary!r}")
        if not (is_count(size) and size >= MIN_SIZE):
            raise ValueError(f"size must be an integer of at least {MIN_SIZE}, got {size!r}")
        if not (length == "auto" or is_count(length)):
            raise ValueError(f'length must be "auto" or a positive integer, got {length!r}')
        self.texts = check_texts(texts)
        learned = words.learn_vocabulary(self.texts, vocabulary, int(size), lowercase)
        n_tokens = 1 + max(map(len, words.encode(self.texts, learned))) if length == "auto" else int(length)
        self.schema = Schema(
            (n_tokens,),
            dtype="float32",
            missing=True,
            shared_axes=(0,),
            vocabulary=learned,
            n_categories=words.n_categories(learned),
        )

    def __len__(self) -> int:
        return len(self.texts)


def read_texts(texts: Any, schema: Schema) -> Array:
    """Encode texts with the vocabulary of a schema.

    Raises
    ------
    TypeError
        If a row is not a text.
    ValueError
        If a text is empty.

    Warns
    -----
    UserWarning
        If a text has unknown words only: nothing but its length is known of it, which a detector counts as unusual.
    """
    given = texts.texts if isinstance(texts, Texts) else check_texts(texts)
    rows = words.encode(given, schema.vocabulary)
    unknown = [i for i, row in enumerate(rows) if not words.is_known(row)]
    if unknown:
        some = ", ".join(map(str, unknown[:N_NAMED])) + (", ..." if len(unknown) > N_NAMED else "")
        first = given[unknown[0]]
        warnings.warn(
            f"{len(unknown)} of {len(given)} texts have no word of the vocabulary, "
            f"in rows {some}, such as {first[:40]!r}",
            stacklevel=3,
        )
    values = torch.from_numpy(pad_tokens(rows, schema.shape[0]))
    return Array(values, schema, container=partial(to_texts, schema=schema))


def to_texts(values: Values, schema: Schema) -> list[str]:
    """Decode rows of tokens to texts."""
    return words.decode(values, schema.vocabulary)


def pad_tokens(rows: list[Values], length: int) -> Values:
    """Pad rows of tokens to an array (n, length), with an end token and NaN after it."""
    n_cut = sum(len(row) > length for row in rows)
    if n_cut:
        warnings.warn(f"cut {n_cut} of {len(rows)} texts to {length} tokens", stacklevel=4)
    values = np.full((len(rows), length + 1), np.nan, dtype=np.float32)
    for value, row in zip(values, rows, strict=True):
        kept = row[:length]
        value[: len(kept)], value[len(kept)] = kept, words.END
    return np.ascontiguousarray(values[:, :length])


def check_texts(texts: Any) -> list[str]:
    """Return texts as a list, or raise an error for an invalid one.

    Raises
    ------
    TypeError, ValueError
        As ``read_texts`` does.
    """
    if isinstance(texts, str | bytes) or is_frame(texts):
        raise InputTypeError(f"expected a sequence of texts, got one {type(texts).__name__}: give a list or a column")
    require_type("texts", texts, Iterable, "a sequence of texts")
    rows = list(texts)
    for i, text in enumerate(rows):
        if not isinstance(text, str):
            raise InputTypeError(f"row {i} holds {text!r}, expected a text")
        if not text.strip():
            raise ValueError(f"row {i} holds an empty text; leave it out")
    if not rows:
        raise ValueError("there is no text, expected at least one")
    return rows
