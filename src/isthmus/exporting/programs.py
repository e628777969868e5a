"""Programs: what a part of a fitted model computes, from the inputs of the user to the outputs, as one torch module."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.anomaly import AnomalyDetector, ExemplarDistance
from isthmus.anomaly.novelty import Novelty
from isthmus.anomaly.parallel import find_consensus
from isthmus.decoder import Decoder
from isthmus.exporting.exemplars import ExemplarScore
from isthmus.exporting.ports import Port
from isthmus.exporting.reading import NOTHING_NOVEL, ArrayReader, CodeReader, TableReader
from isthmus.exporting.scores import DetectorScore, NetScore, copy_model
from isthmus.exporting.writing import ArrayWriter, Plain, TableWriter
from isthmus.model import Model
from isthmus.schema import Schema

SCORE = Port("score", "float64", ())
IS_ANOMALY = Port("is_anomaly", "bool", ())
# Parts of each class of models; the first is the default.
PARTS = {
    "Autoencoder": ("reconstruct", "encoder", "decoder", "score"),
    "Decoder": ("decoder",),
    "BaggedAutoencoders": ("reconstruct", "score"),
    "ExemplarDistance": ("score",),
    "AnomalyDetector": ("detect", "score"),
}
# Estimators within a detector whose scores are programs.
SCORERS = ("Autoencoder", "BaggedAutoencoders", "ExemplarDistance")


class Program(nn.Module):
    """Reads inputs, computes, and writes outputs.

    Parameters
    ----------
    reader, body, writer : Module
        ``reader`` returns what ``body`` takes, ``body`` what ``writer`` takes. Reader and writer have ``ports``.
    """

    def __init__(self, reader: Any, body: Callable[..., Any], writer: Any) -> None:
        super().__init__()
        self.reader, self.body, self.writer = reader, body, writer

    @property
    def inputs(self) -> Sequence[Port]:
        """What the program reads."""
        return self.reader.ports

    @property
    def outputs(self) -> Sequence[Port]:
        """What the program computes."""
        return self.writer.ports

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs."""
        result = self.body(*self.reader(*inputs))
        return self.writer(*result) if isinstance(result, tuple) else self.writer(result)


def check_part(model: Any, part: str | None) -> str:
    """Return the part of a model to export, its main one if None.

    Raises
    ------
    ValueError
        If the model or the part cannot be exported; the message tells the parts that can.
    """
    kind = type(model).__name__
    if kind not in PARTS:
        raise ValueError(f"{kind} cannot be exported; these classes can: {', '.join(PARTS)}")
    estimator = getattr(model, "estimator_", None) if isinstance(model, AnomalyDetector) else None
    if estimator is not None and type(estimator).__name__ not in SCORERS:
        inner = type(estimator).__name__
        raise ValueError(f"a detector with {inner} cannot be exported; {', '.join(SCORERS)} can")
    part = PARTS[kind][0] if part is None else part
    if part not in PARTS[kind]:
        raise ValueError(f"part must be one of {list(PARTS[kind])} for {kind}, got {part!r}")
    return part


def make_program(model: Any, part: str) -> Program:
    """Make the program of a part of a fitted model.

    Raises
    ------
    ValueError
        If a part of the model has no program; the message names it.
    """
    if isinstance(model, AnomalyDetector):
        decides = part == "detect"
        writer = Plain(SCORE, IS_ANOMALY) if decides else Plain(SCORE)
        reader = make_reader(model.estimator_, model._scorer.novelty, moves_dates=True)
        return Program(reader, DetectorScore(model, decides), writer)
    if part == "score":
        body = ExemplarScore(model) if isinstance(model, ExemplarDistance) else NetScore(copy_model(model))
        return Program(make_reader(model), OfRows(body), Plain(SCORE))
    return _make_net_program(model, part)


def make_reader(
    estimator: Any, novelty: Novelty = NOTHING_NOVEL, moves_dates: bool = False
) -> TableReader | ArrayReader:
    """Make the reader of the rows that an estimator was fitted on."""
    _refuse_texts(estimator.schema_)
    if estimator.schema_.fields:
        return TableReader(estimator.schema_, novelty, moves_dates)
    return ArrayReader(estimator.schema_, novelty)


def _make_net_program(model: Any, part: str) -> Program:
    if part == "decoder":
        decoder = model if isinstance(model, Decoder) else Decoder(model)
        net = decoder.copy_without_encoder().cpu()
        reader = CodeReader(net.bottleneck.code_size, net.dtype, net.schema.condition)
        return Program(reader, Decode(net), _make_writer("values", net))
    net = copy_model(model)
    if part == "encoder":
        codes = Port("codes", str(net.dtype).removeprefix("torch."), (net.bottleneck.code_size,))
        return Program(make_reader(model), OfRows(Encode(net)), Plain(codes))
    return Program(make_reader(model), OfRows(Reconstruct(net)), _make_writer("reconstruction", net))


def _refuse_texts(schema: Schema) -> None:
    if schema.vocabulary:
        raise ValueError(
            "a model of texts cannot be exported, because a program has no tokenizer; fit a model to arrays of tokens, "
            "which can be exported"
        )


def _make_writer(name: str, net: Model) -> TableWriter | ArrayWriter:
    _refuse_texts(net.schema)
    if net.schema.fields:
        return TableWriter(name, net.schema)
    shares_unit = getattr(net.likelihood, "scale", "") == "shared"
    return ArrayWriter(name, net.schema, _value_dtype(net), shares_unit)


def _value_dtype(net: Model) -> str:
    """Return the dtype of expected values of arrays, see ``Model.to_data``."""
    with torch.inference_mode():
        return str(net.to_data(torch.zeros(1, *net.schema.shape, dtype=net.dtype)).dtype).removeprefix("torch.")


class OfRows(nn.Module):
    """Applies a function of rows, and ignores the surprise of their values."""

    def __init__(self, function: nn.Module) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor, surprise: Tensor) -> Any:
        """Return the result for the rows."""
        return self.function(x)


class Net(nn.Module):
    """A function of a net."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model


class Encode(Net):
    """Rows to codes."""

    def forward(self, x: Tensor) -> Tensor:
        """Return codes."""
        return self.model.encode(x)[0]


class Reconstruct(Net):
    """Rows to expected values."""

    def forward(self, x: Tensor) -> Tensor:
        """Return rows; those of several nets are their consensus."""
        if self.model.n_nets == 1:
            return self.model.reconstruct(x)
        each = self.model.reconstruct(x.repeat_interleave(self.model.n_nets, 0))
        return find_consensus(each.unflatten(0, (-1, self.model.n_nets)), self.model.schema)


class Decode(Net):
    """Codes and encoded labels to expected values."""

    def forward(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return rows."""
        return self.model.decode(codes, labels)
