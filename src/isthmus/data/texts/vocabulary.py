"""Vocabularies: texts to tokens and back, through Hugging Face tokenizers. A vocabulary is its own JSON text."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.schema import END as END

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Values = np.ndarray[Any, Any]

KINDS = ("bpe", "word")
UNKNOWN = "<unknown>"
# After the level that ends a text comes that of what is unknown, and then come those that were learned.
FIRST = END + 1


def learn_vocabulary(texts: Sequence[str], kind: str, size: int, lowercase: bool) -> str:
    """Learn the tokens of texts: the ``size`` most frequent words, or pairs of characters merged to so many tokens."""
    tokenizer, trainer = _of_words(size) if kind == "word" else _of_pairs(size)
    normalizers = _library().normalizers
    steps = [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.to_str()


def n_categories(vocabulary: str) -> int:
    """Count the levels of a token, the end of the text among them."""
    return FIRST + _read(vocabulary).get_vocab_size()


def encode(texts: Sequence[str], vocabulary: str) -> list[Values]:
    """Turn texts into levels, without their ends."""
    return [FIRST + np.array(code.ids, dtype=np.intp) for code in _read(vocabulary).encode_batch(texts)]


def decode(levels: Values, vocabulary: str) -> list[str]:
    """Turn levels (n, length) into texts, each up to its end; what is missing is left out."""
    tokenizer = _read(vocabulary)
    rows = [row[: ended[0]] if len(ended := np.flatnonzero(row == END)) else row for row in levels]
    ids = [(row[~np.isnan(row)] - FIRST).astype(np.intp).tolist() for row in rows]
    return tokenizer.decode_batch(ids, skip_special_tokens=False)


def is_known(levels: Values) -> bool:
    """Whether a text has a token that the vocabulary has."""
    return bool((levels > FIRST).any())


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError("vocabularies of texts need tokenizers: pip install 'isthmus[text]'") from error
    return tokenizers


def _of_words(size: int) -> tuple["Tokenizer", Any]:
    library = _library()
    tokenizer = library.Tokenizer(library.models.WordLevel(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = library.pre_tokenizers.Whitespace()
    options = {"vocab_size": size, "special_tokens": [UNKNOWN], "show_progress": False}
    return tokenizer, library.trainers.WordLevelTrainer(**options)


def _of_pairs(size: int) -> tuple["Tokenizer", Any]:
    library = _library()
    tokenizer = library.Tokenizer(library.models.BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer, tokenizer.decoder = library.pre_tokenizers.Metaspace(), library.decoders.Metaspace()
    # Rare characters are unknown: half of the tokens are left for what is longer than one.
    options = {"vocab_size": size, "limit_alphabet": size // 2, "special_tokens": [UNKNOWN], "show_progress": False}
    return tokenizer, library.trainers.BpeTrainer(**options)


@lru_cache(maxsize=8)
def _read(vocabulary: str) -> "Tokenizer":
    try:
        return _library().Tokenizer.from_str(vocabulary)
    except ImportError:
        raise
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(f"the vocabulary is damaged: {error}") from error
