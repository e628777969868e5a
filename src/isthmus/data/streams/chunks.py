"""Rows from any source of chunks that can be read repeatedly: databases, archives, generators."""

from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from typing import Any

import numpy as np
import torch

from isthmus.data.base import Source
from isthmus.data.sources import NUMBERS, as_source
from isthmus.data.streams.stream import Stream
from isthmus.errors import InputTypeError
from isthmus.formatting import format_shape
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]


class Chunks(Stream):
    """Rows of any iterable of chunks, streamed: memory does not depend on the number of rows.

    All columns are numbers. Chunks keep their order; rows are shuffled within pools of four million numbers. The first
    call of ``len`` counts the rows in a pass over all chunks.

    Parameters
    ----------
    factory : callable
        Returns a new iterable of the same chunks at each call: arrays, tensors or data frames with the same columns. It
        is called on a thread.

    Raises
    ------
    TypeError
        If ``factory`` cannot be called.
    ValueError
        If there are no chunks, the columns of a chunk differ from those of the first, or a later pass has other rows.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.data import Chunks
    >>> source = Chunks(lambda: (np.full((10, 3), float(i)) for i in range(5)))
    >>> len(source), source.schema.shape
    (50, (3,))
    """

    def __init__(self, factory: Callable[[], Iterable[Any]]) -> None:
        if not callable(factory):
            raise InputTypeError(
                f"factory must be a function that returns a new iterable of chunks at each call, "
                f"such as lambda: read_chunks(file), got {type(factory).__name__}"
            )
        self._factory = factory
        self._sizes: list[int] | None = None
        super().__init__(self._first_schema())

    def count_rows(self) -> int:
        """Return the number of rows; the first call reads all chunks."""
        if self._sizes is None:
            self._sizes = [len(chunk) for chunk in self._sources()]
        return sum(self._sizes)

    def read(self, group: int) -> Iterator[Values]:
        """Read all chunks, which are one group, in pieces (n, *shape).

        Raises
        ------
        ValueError
            If they differ from those of the first pass.
        """
        sources = self._sources()
        if self._sizes is not None:
            sources = _check_sizes(sources, self._sizes)
        for source in sources:
            x = next(source.batches(len(source))).x
            yield (x.float() if x.dtype == torch.bfloat16 else x).numpy()

    def _first_schema(self) -> Schema:
        chunks = iter(self._factory())
        if chunks is self._factory():
            raise ValueError("the factory returned the same iterator twice, expected a new one at each call")
        for chunk in chunks:
            return _source_of(chunk, 0).schema
        raise ValueError("the factory gave no chunks, expected at least one")

    def _sources(self) -> Iterator[Source]:
        """Convert each chunk to a source, and check its columns against those of the first."""
        for i, chunk in enumerate(self._factory()):
            source = _source_of(chunk, i)
            found, expected = source.schema, self.schema
            if found.shape != expected.shape:
                own, first = format_shape(found.shape), format_shape(expected.shape)
                raise ValueError(f"chunk {i} has rows of {own}, but those of chunk 0 have {first}")
            if found.names != expected.names:
                raise ValueError(f"chunk {i} has the columns {found.names}, but chunk 0 has {expected.names}")
            yield source


def _source_of(chunk: Any, position: int) -> Source:
    try:
        return as_source(chunk, NUMBERS)
    except ValueError as error:
        raise ValueError(f"chunk {position}: {error}") from error


def _check_sizes(sources: Iterator[Source], sizes: list[int]) -> Iterator[Source]:
    """Yield sources, and raise an error if one has another number of rows than before."""
    for i, (source, size) in enumerate(zip_longest(sources, sizes)):
        n_rows = 0 if source is None else len(source)
        if source is None or n_rows != size:
            raise ValueError(
                f"chunk {i} has {n_rows} rows, but had {size or 0} in the first pass; "
                "the factory must return a new iterable of the same chunks at each call"
            )
        yield source
