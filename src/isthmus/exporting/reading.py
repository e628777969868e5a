"""Torch modules that read the inputs of a program: cells and arrays become rows of a model.

A reader returns the rows (n, *shape) and the surprise of values that were not in the training rows, (n,) in nats, which
detectors subtract from the score; it is 0 if the reader has no ``Novelty``.
"""

from collections.abc import Sequence
from datetime import UTC
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.anomaly.dates import DAY, WEEK
from isthmus.anomaly.novelty import PRECISION, Novelty, SeenColumn
from isthmus.data.images.layout import to_channels_first
from isthmus.exporting.ports import FIRST, MISSING, NOT_A_TIME, Port, array_port, category_port, column_port
from isthmus.schema import MICROSECONDS, Condition, Field, Schema

Read = tuple[Tensor, Tensor]
NOTHING_NOVEL = Novelty()
NONE_SEEN = SeenColumn("", "", None, True, None, 0.0)


class TableReader(nn.Module):
    """Reads the columns of a table, each of shape (n, 1).

    Parameters
    ----------
    schema : Schema
    novelty : Novelty
        Finds values that were not in the training rows.
    moves_dates : bool
        Whether dates outside the range of the training rows are moved into it, as detectors do.
    """

    def __init__(self, schema: Schema, novelty: Novelty = NOTHING_NOVEL, moves_dates: bool = False) -> None:
        super().__init__()
        self.dtype = torch.float32 if schema.dtype == "float32" else torch.float64
        seen = {column.name: column for column in novelty.columns}
        read = [field for field in schema.fields if field.used or field.name in seen]
        self.ports = [_port_of(field, seen.get(field.name)) for field in read]
        self.is_used = [field.used for field in read]
        self.columns = nn.ModuleList(
            _column_reader(field, port, seen.get(field.name, NONE_SEEN), moves_dates)
            for field, port in zip(read, self.ports, strict=True)
        )
        self.nats = [seen.get(field.name, NONE_SEEN).nats for field in read]

    def forward(self, *cells: Tensor) -> Read:
        """Return rows and surprise."""
        each = [column(cell) for column, cell in zip(self.columns, cells, strict=True)]
        numbers = [number for (number, _), used in zip(each, self.is_used, strict=True) if used]
        surprise = _sum_surprise([novel for _, novel in each], self.nats)
        return torch.cat(numbers, 1).to(self.dtype), surprise


def _port_of(field: Field, seen: SeenColumn | None) -> Port:
    """Return the port of a column; detectors also read columns with one value, and know values that models do not."""
    known = [value for value in (seen.known or () if seen else ()) if value not in field.categories]
    if seen is not None and seen.kind == "date":
        return Port(str(field.name), "int64")
    if seen is not None and (field.is_categorical or not field.used):
        return category_port(str(field.name), [*field.categories, *known])
    return column_port(field)


def _column_reader(field: Field, port: Port, seen: SeenColumn, moves_dates: bool) -> nn.Module:
    if port.dtype == "string":
        return TextColumn(field, port, seen)
    return DateColumn(field, seen, moves_dates) if port.dtype == "int64" else NumberColumn(field, seen)


class TextColumn(nn.Module):
    """Reads codes of texts: a table of the number of each code, and of whether it is novel."""

    numbers: Tensor
    is_novel: Tensor

    def __init__(self, field: Field, port: Port, seen: SeenColumn) -> None:
        super().__init__()
        positions = {category: float(i) for i, category in enumerate(field.categories)}
        numbers = [np.nan, np.nan, *(positions.get(text, np.nan) for text in port.vocabulary)]
        known = {port.vocabulary.index(value) + FIRST for value in seen.known or () if value in port.vocabulary}
        is_novel = np.array([seen.known is not None and code not in known for code in range(len(numbers))])
        is_novel[MISSING] = not seen.has_missing
        replaced = np.where(is_novel, positions.get(seen.typical, np.nan), np.array(numbers))
        self.register_buffer("numbers", torch.from_numpy(replaced))
        self.register_buffer("is_novel", torch.from_numpy(is_novel))

    def forward(self, codes: Tensor) -> Read:
        """Return numbers of the model, and which cells are novel."""
        codes = codes.clamp(MISSING, len(self.numbers) - 1)
        return self.numbers[codes], self.is_novel[codes]


class NumberColumn(nn.Module):
    """Reads numbers, among them categories that are numbers."""

    known: Tensor
    categories: Tensor
    typical: Tensor

    def __init__(self, field: Field, seen: SeenColumn) -> None:
        super().__init__()
        self.has_missing, self.is_limited, self.is_categorical = (
            seen.has_missing,
            bool(seen.known),
            field.is_categorical,
        )
        self.tolerance = PRECISION if seen.kind == "number" else 0.0
        _store_typical(self, np.nan if seen.typical is None else float(seen.typical))
        for name, values in (("known", seen.known), ("categories", field.categories if field.is_categorical else ())):
            self.register_buffer(name, torch.tensor([float(value) for value in values or ()], dtype=torch.float64))

    def forward(self, x: Tensor) -> Read:
        """Return numbers of the model, and which cells are novel."""
        x = x.double()
        missing = x.isnan()
        novel = missing & (not self.has_missing)
        if self.is_limited:
            near = (x - self.known).abs() <= torch.clamp(self.tolerance * self.known.abs(), max=0.5)
            novel = novel | (~missing & ~near.any(1, keepdim=True))
        x = torch.where(novel, self.typical, x)
        return self._to_positions(x) if self.is_categorical else x, novel

    def _to_positions(self, x: Tensor) -> Tensor:
        equal = x == self.categories
        positions = equal.to(torch.int64).argmax(1, keepdim=True).double()
        return torch.where(equal.any(1, keepdim=True), positions, torch.nan)


class DateColumn(nn.Module):
    """Reads dates in microseconds since 1970-01-01."""

    typical: Tensor

    def __init__(self, field: Field, seen: SeenColumn, moves: bool) -> None:
        super().__init__()
        self.field, self.moves, self.has_missing = field, moves and field.low is not None, seen.has_missing
        _store_typical(self, np.nan if seen.typical is None else _to_days(seen.typical) - field.origin)

    def forward(self, microseconds: Tensor) -> Read:
        """Return days of the model, and which cells are novel."""
        missing = microseconds == NOT_A_TIME
        days = microseconds.double() / MICROSECONDS - self.field.origin
        days = torch.where(missing, torch.nan if self.has_missing else self.typical, days)
        return self._move_into_range(days) if self.moves else days, missing & (not self.has_missing)

    def _move_into_range(self, days: Tensor) -> Tensor:
        """Repeat ``isthmus.anomaly.dates.move_into_range``."""
        low, high = cast(float, self.field.low), cast(float, self.field.high)
        period = WEEK if high - low >= WEEK else DAY
        late, early = ((excess.clamp(min=0.0) / period).ceil() for excess in (days - high, low - days))
        moved = (days + period * (early - late)).clamp(low, high)
        for end in self.field.ends:
            moved = torch.where(days == end, days, moved)
        return moved


def _store_typical(module: nn.Module, value: float) -> None:
    """Store the value that replaces novel ones: as a number in the code it would be rounded to float32 in ONNX."""
    module.register_buffer("typical", torch.tensor(value, dtype=torch.float64))


def _to_days(date: Any) -> float:
    """Return a date of Python as days since 1970-01-01."""
    zone = getattr(date, "tzinfo", None)
    plain = date if zone is None else date.astimezone(UTC).replace(tzinfo=None)
    return float(np.datetime64(plain, "us").astype(np.int64)) / MICROSECONDS


class ArrayReader(nn.Module):
    """Reads an array (n, ...) in the layout of the training rows."""

    def __init__(self, schema: Schema, novelty: Novelty = NOTHING_NOVEL) -> None:
        super().__init__()
        self.layout, self.ports = schema.layout, [array_port("X", schema)]
        seen = {column.name: column for column in novelty.columns}
        self.places, self.nats = list(seen), [column.nats for column in seen.values()]
        field = Field("", "float64")
        self.columns = nn.ModuleList(NumberColumn(field, column) for column in seen.values())

    def forward(self, X: Tensor) -> Read:
        """Return rows and surprise."""
        x = to_channels_first(X, self.layout)
        if not self.places:
            return x, _sum_surprise([x.flatten(1)[:, :1] != x.flatten(1)[:, :1]], [0.0])
        cells, marks = list(x.split(1, 1)), []
        for place, column in zip(self.places, self.columns, strict=True):
            cells[place], novel = column(cells[place])
            marks.append(novel)
        return torch.cat([cell.to(X.dtype) for cell in cells], 1), _sum_surprise(marks, self.nats)


class CodeReader(nn.Module):
    """Reads codes, and the labels of conditional models; returns the codes and encoded labels."""

    table: Tensor

    def __init__(self, code_size: int, dtype: torch.dtype, condition: Condition | None) -> None:
        super().__init__()
        self.ports = [Port("codes", str(dtype).removeprefix("torch."), (code_size,))]
        self.condition = condition
        if condition is not None:
            self.ports.append(_label_port(condition))
            self.register_buffer("table", _label_table(condition, self.ports[-1]).to(dtype))

    def forward(self, codes: Tensor, label: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return codes and encoded labels; unknown labels give NaN."""
        if label is None or self.condition is None:
            return codes, None
        if self.condition.continuous:
            return codes, ((label - self.condition.mean) / self.condition.scale).to(codes.dtype)
        if self.ports[-1].dtype == "string":
            return codes, self.table[label[:, 0]]
        place = (label == torch.tensor(_numbers(self.condition.categories))).to(torch.int64)
        known = self.table[place.argmax(1) + FIRST]
        return codes, torch.where(place.any(1, keepdim=True), known, torch.nan)


def _label_port(condition: Condition) -> Port:
    return Port("label", "float64") if condition.continuous else category_port("label", condition.categories)


def _label_table(condition: Condition, port: Port) -> Tensor:
    """Return the encoded label of each code, (n_codes, width)."""
    if condition.continuous:
        return torch.zeros(0)
    table = np.full((FIRST + condition.width, condition.width), np.nan)
    table[FIRST:] = np.eye(condition.width)
    return torch.from_numpy(table)


def _numbers(categories: Sequence[Any]) -> list[float]:
    return [float(category) for category in categories]


def _sum_surprise(novel: Sequence[Tensor], nats: Sequence[float]) -> Tensor:
    """Return the surprise of each row, (n,)."""
    return sum((mark[:, 0].double() * cost for mark, cost in zip(novel, nats, strict=True)), torch.zeros(()).double())
