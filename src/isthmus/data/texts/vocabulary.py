"""Vocabularies that encode texts as tokens, as the JSON text of a Hugging Face tokenizer."""

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
# Name of the end token in explanations.
END_NAME = "<end>"
# Position of the unknown token: after the end token and before the learned tokens.
FIRST = END + 1
# Byte-pair encoding merges pairs with at least this number of occurrences. A merge that occurs once would encode a
# number of the training texts as one token, and the numbers of new texts as several.
MIN_OCCURRENCES = 2


def learn_vocabulary(texts: Sequence[str], kind: str, size: int, lowercase: bool) -> str:
    """Learn a vocabulary of ``size`` tokens: the most frequent words, or byte-pair encodings."""
    tokenizer, trainer = _make_word_tokenizer(size) if kind == "word" else _make_bpe_tokenizer(size)
    normalizers = _import_tokenizers().normalizers
    steps = [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.to_str()


def n_categories(vocabulary: str) -> int:
    """Return the number of tokens, including the end token."""
    return FIRST + _read(vocabulary).get_vocab_size()


def encode(texts: Sequence[str], vocabulary: str) -> list[Values]:
    """Encode texts as positions of tokens, without end tokens."""
    return [FIRST + np.array(code.ids, dtype=np.intp) for code in _read(vocabulary).encode_batch(texts)]


def decode(tokens: Values, vocabulary: str) -> list[str]:
    """Decode tokens (n, length) to texts, each up to its end token; missing tokens are skipped."""
    tokenizer = _read(vocabulary)
    rows = [row[: ended[0]] if len(ended := np.flatnonzero(row == END)) else row for row in tokens]
    ids = [(row[~np.isnan(row)] - FIRST).astype(np.intp).tolist() for row in rows]
    return tokenizer.decode_batch(ids, skip_special_tokens=False)


def name_tokens(tokens: Values, vocabulary: str) -> Values:
    """Return the words or pieces of words that tokens stand for, of the same shape; None for missing tokens."""
    tokenizer = _read(vocabulary)
    names = {float(token): tokenizer.id_to_token(int(token) - FIRST) for token in np.unique(tokens[tokens >= FIRST])}
    names[float(END)] = END_NAME
    return np.array([names.get(token) for token in tokens.ravel().tolist()], dtype=object).reshape(tokens.shape)


def is_known(tokens: Values) -> bool:
    """Whether a text has a token of the vocabulary."""
    return bool((tokens > FIRST).any())


def _import_tokenizers() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError("vocabularies of texts need tokenizers: pip install 'isthmus[text]'") from error
    return tokenizers


def _make_word_tokenizer(size: int) -> tuple["Tokenizer", Any]:
    library = _import_tokenizers()
    tokenizer = library.Tokenizer(library.models.WordLevel(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = library.pre_tokenizers.Whitespace()
    options = {"vocab_size": size, "special_tokens": [UNKNOWN], "show_progress": False}
    return tokenizer, library.trainers.WordLevelTrainer(**options)


def _make_bpe_tokenizer(size: int) -> tuple["Tokenizer", Any]:
    library = _import_tokenizers()
    tokenizer = library.Tokenizer(library.models.BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer, tokenizer.decoder = library.pre_tokenizers.Metaspace(), library.decoders.Metaspace()
    # At most half of the tokens are single characters; rarer characters are unknown.
    options = {"vocab_size": size, "limit_alphabet": size // 2, "min_frequency": MIN_OCCURRENCES}
    return tokenizer, library.trainers.BpeTrainer(**options, special_tokens=[UNKNOWN], show_progress=False)


@lru_cache(maxsize=8)
def _read(vocabulary: str) -> "Tokenizer":
    try:
        return _import_tokenizers().Tokenizer.from_str(vocabulary)
    except ImportError:
        raise
    except Exception as error:  # tokenizers raises no narrower type
        raise ValueError(f"the vocabulary is damaged: {error}") from error
