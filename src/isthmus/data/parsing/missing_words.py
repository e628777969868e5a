"""Words that mean a missing value."""

from collections.abc import Collection
from typing import Any

import pyarrow as pa
from pyarrow import compute

# Includes the marker of MySQL (\N) and the errors of spreadsheets, but not "none", "unknown" and "-", which are often
# values.
ERRORS = ("#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!")
MISSING = ("", "?", "NA", "N/A", "n.a.", "#N/A", "<NA>", "NaN", "null", "--", ".", r"\N", *ERRORS)


def fold_case(words: Collection[str]) -> set[str]:
    """Return words without case and surrounding spaces, for comparison."""
    return {word.strip().casefold() for word in words}


def find_missing_words(texts: Any, words: Collection[str]) -> Any:
    """Return for each text of a pyarrow array whether it is one of some words, ignoring case and outer spaces."""
    plain = compute.utf8_lower(compute.utf8_trim_whitespace(texts))
    return compute.is_in(plain, pa.array(sorted(fold_case(words)), pa.string()))
