"""Estimators of series in files: the ensembles of all views, and how a series is cut for them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from isthmus import storage
from isthmus.anomaly import SlidingWindows
from isthmus.anomaly.window_scores import Judge
from isthmus.anomaly.window_views import View
from isthmus.configuration import construct, params_from_plain
from isthmus.data import Windows
from isthmus.data.series.series import Series
from isthmus.persistence.context import (
    Content,
    Context,
    columns_to_plain,
    own_params_to_plain,
    take_columns,
)

OWN = "sliding"


def describe(sliding: SlidingWindows, nested: Callable[[Any], Content]) -> Content:
    """Take a fitted estimator of series apart. The series itself stays out."""
    if sliding.estimator is not None:
        raise ValueError(
            "save takes a SlidingWindows of its own nets only, got one with an estimator; pickle it instead"
        )
    tensors = {f"{OWN}.held_out_scores": torch.from_numpy(sliding.held_out_scores_.copy())}
    judges = []
    for i, judge in enumerate(sliding._judges):
        inner = nested(judge.estimator)
        tensors |= storage.put_under(f"judge{i}", inner.tensors)
        own = {"noise": judge.view.noise, "mean": judge.view.mean, "held_out": torch.from_numpy(judge.held_out)}
        tensors |= {f"{OWN}.{name}{i}": tensor for name, tensor in own.items()}
        judges.append(
            {
                "inner": inner.document,
                "kind": judge.view.kind,
                "length": judge.view.windows.length,
                "usual": judge.usual,
                "unit": judge.unit,
            }
        )
    params = own_params_to_plain(sliding)
    cut = cut_to_plain(sliding._windows)
    fitted = {**columns_to_plain(sliding), "lengths_": sliding.lengths_, "judges": judges, "series": cut}
    fitted["fingerprint"] = sliding._fingerprint
    return Content(tensors, {"estimator": {"class": "SlidingWindows", "params": params}, "fitted": fitted})


def rebuild(content: Content, context: Context) -> SlidingWindows:
    """Put an estimator of series together."""
    tensors, document = content
    fitted, own = document["fitted"], storage.take_from(OWN, tensors)
    sliding: SlidingWindows = construct(
        SlidingWindows, params_from_plain(document["estimator"]["params"], context.classes)
    )
    windows = blank_windows(fitted["series"], max(fitted["lengths_"]), sliding.time, own["noise0"].dtype)
    sliding._windows, sliding._judges = windows, []
    for i, judge in enumerate(fitted["judges"]):
        ensemble = context.rebuild(Content(storage.take_from(f"judge{i}", tensors), judge["inner"]))
        view = View(windows.cut(judge["length"]), judge["kind"], own[f"noise{i}"], own[f"mean{i}"])
        held_out = own[f"held_out{i}"].numpy()
        sliding._judges.append(Judge(ensemble, view, judge["usual"], judge["unit"], held_out))
    sliding.estimators_ = [judge.estimator for judge in sliding._judges]
    sliding.lengths_, sliding._fingerprint = fitted["lengths_"], fitted["fingerprint"]
    sliding.held_out_scores_ = own["held_out_scores"].numpy()
    take_columns(sliding, fitted)
    return sliding


def cut_to_plain(windows: Windows) -> dict[str, Any]:
    """Say how a series is read that is like that of fit."""
    series = windows.series
    return {"channels": list(series.channels), "n_channels": len(series.values), "step": series.step}


def blank_windows(cut: dict[str, Any], length: int, time: str | Sequence[str] | None, dtype: torch.dtype) -> Windows:
    """Make windows of an empty series of the same channels, for others to be cut like."""
    points = np.arange(length)
    values = torch.zeros((cut["n_channels"], length), dtype=dtype)
    return Windows.of(Series(values, tuple(cut["channels"]), points, points, cut["step"]), length, 1, time)
