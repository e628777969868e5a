"""Decoders in files: autoencoders without the weights of the encoder."""

from collections.abc import Callable
from copy import copy
from typing import Any

from isthmus.decoder import Decoder
from isthmus.persistence import autoencoders
from isthmus.persistence.context import Content, Context


def describe(decoder: Decoder, nested: Callable[[Any], Content]) -> Content:
    """Describe a decoder."""
    estimator = copy(decoder.estimator)
    estimator.module_ = decoder.copy_without_encoder()
    inner = nested(estimator)
    return Content(inner.tensors, {"estimator": {"class": "Decoder"}, "inner": inner.document})


def rebuild(content: Content, context: Context) -> Decoder:
    """Rebuild a decoder."""
    inner = Content(content.tensors, content.document["inner"])
    return Decoder(autoencoders.rebuild(inner, context, encodes=False))
