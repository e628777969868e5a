"""Imputers of series in files: the net of windows, units of the channels, and how far the net is trusted."""

from collections.abc import Callable
from typing import Any

from isthmus import storage
from isthmus.configuration import construct, params_from_plain
from isthmus.gap_filling import SeriesImputer
from isthmus.gap_filling.gaps import Gaps
from isthmus.persistence.context import (
    Content,
    Context,
    arrays_to_tensors,
    columns_to_plain,
    own_params_to_plain,
    take_columns,
)
from isthmus.persistence.sliding_windows import blank_windows, cut_to_plain

INNER, OWN = "inner", "series_imputer"


def describe(imputer: SeriesImputer, nested: Callable[[Any], Content]) -> Content:
    """Take a fitted imputer apart. The series itself stays out."""
    inner = nested(imputer.estimator_)
    own = {"scale": imputer._gaps.scale.numpy(), "trust": imputer.trust_, "relative_error": imputer.relative_error_}
    params = own_params_to_plain(imputer)
    fitted = {**columns_to_plain(imputer), "length_": imputer.length_, "series": cut_to_plain(imputer._gaps.windows)}
    document = {"estimator": {"class": "SeriesImputer", "params": params}, INNER: inner.document, "fitted": fitted}
    return Content(storage.put_under(INNER, inner.tensors) | storage.put_under(OWN, arrays_to_tensors(own)), document)


def rebuild(content: Content, context: Context) -> SeriesImputer:
    """Put an imputer together."""
    tensors, document = content
    fitted, own = document["fitted"], storage.take_from(OWN, tensors)
    params = params_from_plain(document["estimator"]["params"], context.classes)
    imputer: SeriesImputer = construct(SeriesImputer, params)
    imputer.estimator_ = context.rebuild(Content(storage.take_from(INNER, tensors), document[INNER]))
    windows = blank_windows(fitted["series"], fitted["length_"], imputer.time, own["scale"].dtype)
    imputer._gaps, imputer.length_ = Gaps(windows, own["scale"]), fitted["length_"]
    imputer.trust_, imputer.relative_error_ = own["trust"].numpy(), own["relative_error"].numpy()
    take_columns(imputer, fitted)
    return imputer
