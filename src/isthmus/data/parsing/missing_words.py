"""Words that stand for a missing value."""

from collections.abc import Collection
from typing import Any

import pyarrow as pa
from pyarrow import compute

# Beside words of people those of MySQL (\N) and the errors of spreadsheets.
# Not "none", "unknown" and "-", which are as often values as marks of a missing one.
ERRORS = ("#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!")
MISSING = ("", "?", "NA", "N/A", "n.a.", "#N/A", "<NA>", "NaN", "null", "--", ".", r"\N", *ERRORS)


def fold_case(words: Collection[str]) -> set[str]:
    """Return words in the form in which they are compared: without case and surrounding spaces."""
    return {word.strip().casefold() for word in words}


def find_missing_words(levels: Any, words: Collection[str]) -> Any:
    """Return for each text of a pyarrow array whether it is one of the words, whatever its case and outer spaces."""
    plain = compute.utf8_lower(compute.utf8_trim_whitespace(levels))
    return compute.is_in(plain, pa.array(sorted(fold_case(words)), pa.string()))
