"""Torch modules that write rows of a model as the outputs of a program, as ``isthmus.data.decode`` does."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.exporting.ports import FIRST, Port, column_port, to_layout_shape
from isthmus.schema import MICROSECONDS, Field, Schema

# Names of integer dtypes of data frames begin with these.
INTEGERS = ("Int", "UInt")


class TableWriter(nn.Module):
    """Writes the columns of a table, each of shape (n, 1)."""

    def __init__(self, name: str, schema: Schema) -> None:
        super().__init__()
        ports = ((field, column_port(field, f"{name}.")) for field in schema.used)
        self.ports = [replace(port, step=_step_of(field)) for field, port in ports]
        self.columns = nn.ModuleList(
            _column_writer(field, port) for field, port in zip(schema.used, self.ports, strict=True)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the columns of rows (n, n_used)."""
        return tuple(column(x[:, i : i + 1]) for i, column in enumerate(self.columns))


def _step_of(field: Field) -> float:
    """Return the step to which values of a column are rounded, in the unit of its port."""
    if field.kind == "date":
        return MICROSECONDS * field.step
    return 1.0 if field.dtype.startswith(INTEGERS) and not field.is_categorical else 0.0


def _column_writer(field: Field, port: Port) -> nn.Module:
    if field.is_categorical:
        return CategoryWriter(field, port)
    return DateWriter(field) if field.kind == "date" else NumberWriter(field)


class CategoryWriter(nn.Module):
    """Writes categories: codes of texts, or numbers."""

    values: Tensor

    def __init__(self, field: Field, port: Port) -> None:
        super().__init__()
        n = len(field.categories)
        values = np.arange(FIRST, FIRST + n) if port.dtype == "string" else np.array(field.categories, np.float64)
        self.register_buffer("values", torch.from_numpy(values))

    def forward(self, x: Tensor) -> Tensor:
        """Return the value of each position (n, 1)."""
        return self.values[x.round().clamp(0, len(self.values) - 1).long()]


class NumberWriter(nn.Module):
    """Writes numbers within the range of the training rows; those of columns of integers are rounded."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.low, self.high, self.rounds = field.low, field.high, _step_of(field) == 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Return numbers (n, 1) within the range."""
        x = x.double()
        x = x if self.low is None and self.high is None else x.clamp(self.low, self.high)
        return x.round() if self.rounds else x


class DateWriter(nn.Module):
    """Writes dates in microseconds since 1970-01-01, in the steps of the training rows."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field, self.within = field, NumberWriter(field)
        self.per_day = round(1 / field.step) if field.step else 0

    def forward(self, days: Tensor) -> Tensor:
        """Return microseconds for days (n, 1)."""
        inside = self.within(days)
        rounded = (inside * self.per_day).round() / self.per_day if self.per_day else inside
        times = ((rounded + self.field.origin) * MICROSECONDS).round().long()
        for end, microseconds in zip(self.field.ends, self.field.open_ends, strict=True):
            times = torch.where((days - end).abs() <= (days - inside).abs(), microseconds, times)
        return times


class ArrayWriter(nn.Module):
    """Writes arrays in the layout of the training rows; integers of images are rounded and clipped."""

    def __init__(self, name: str, schema: Schema, dtype: str, shares_unit: bool) -> None:
        super().__init__()
        self.layout = schema.layout
        self.limits = np.iinfo(schema.dtype) if schema.layout and np.dtype(schema.dtype).kind in "iu" else None
        shape = to_layout_shape(schema)
        step = 1.0 if self.limits else 0.0
        self.ports = [Port(name, schema.dtype if self.limits else dtype, shape, step=step, shares_unit=shares_unit)]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return arrays for rows (n, *shape)."""
        if self.layout in ("hw", "hwc"):
            x = x[:, 0] if self.layout == "hw" else x.movedim(1, -1)
        if self.limits is None:
            return (x.clone(),)
        whole = x.double().round().clamp(float(self.limits.min), float(self.limits.max))
        return (whole.to(getattr(torch, self.ports[0].dtype)),)


class Plain(nn.Module):
    """Writes codes, scores and decisions as they are."""

    def __init__(self, *ports: Port) -> None:
        super().__init__()
        self.ports = list(ports)

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Return the values."""
        return values
