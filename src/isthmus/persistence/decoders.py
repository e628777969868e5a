"""Decoders in files: autoencoders without the weights of the encoder."""

from collections.abc import Callable
from copy import copy
from typing import Any

from isthmus.decoder import Decoder
from isthmus.persistence import autoencoders
from isthmus.persistence.context import Content, Context

INNER = "inner"


def describe(decoder: Decoder, nested: Callable[[Any], Content]) -> Content:
    """Take a decoder apart."""
    estimator = copy(decoder.estimator)
    estimator.module_ = decoder.alone()
    inner = nested(estimator)
    return Content(inner.tensors, {"estimator": {"class": "Decoder"}, INNER: inner.document})


def rebuild(content: Content, context: Context) -> Decoder:
    """Put a decoder together."""
    inner = Content(content.tensors, content.document[INNER])
    return Decoder(autoencoders.rebuild(inner, context, encodes=False))
