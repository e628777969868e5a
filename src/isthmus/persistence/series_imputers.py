"""``SeriesImputer`` in files: the net, the scales of the channels, and the trust for each length of gap."""

from collections.abc import Callable
from typing import Any

import torch
from sklearn.base import clone

from isthmus.gap_filling import SeriesImputer
from isthmus.gap_filling.gaps import Gaps
from isthmus.persistence.context import Content, Context, columns_to_plain, take_columns
from isthmus.persistence.sliding_windows import blank_windows, cut_to_plain


def describe(imputer: SeriesImputer, nested: Callable[[Any], Content]) -> Content:
    """Describe a fitted imputer, without the series."""
    arrays = {"scale": imputer._gaps.scale.numpy(), "trust": imputer.trust_, "relative_error": imputer.relative_error_}
    fitted = {**columns_to_plain(imputer), "length_": imputer.length_, "series": cut_to_plain(imputer._gaps.windows)}
    inner, default = {"inner": nested(imputer.estimator_)}, imputer.estimator is None
    return Content.of(imputer, arrays, fitted, inner, default=default)


def rebuild(content: Content, context: Context) -> SeriesImputer:
    """Rebuild an imputer."""
    fitted, arrays = content.document["fitted"], content.arrays
    net = context.rebuild(content.inner("inner"))
    template = None if content.document["estimator"]["default"] else clone(net).set_params(random_state=None)
    imputer: SeriesImputer = context.construct(SeriesImputer, content, estimator=template)
    imputer.estimator_ = net
    scale = torch.from_numpy(arrays["scale"])
    windows = blank_windows(fitted["series"], fitted["length_"], imputer.time, scale.dtype)
    imputer._gaps, imputer.length_ = Gaps(windows, scale), fitted["length_"]
    imputer.trust_, imputer.relative_error_ = arrays["trust"], arrays["relative_error"]
    take_columns(imputer, fitted)
    return imputer
