"""``SlidingWindows`` in files: the ensembles of all views, and how a series is cut into windows."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from isthmus import storage
from isthmus.anomaly import SlidingWindows
from isthmus.anomaly.window_scores import WindowScorer
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
    """Describe a fitted estimator, without the series."""
    if sliding.estimator is not None:
        raise ValueError("save takes SlidingWindows with estimator=None only, got an estimator; pickle it instead")
    tensors = {f"{OWN}.held_out_scores": torch.from_numpy(sliding.held_out_scores_.copy())}
    scorers = []
    for i, scorer in enumerate(sliding._window_scorers):
        inner = nested(scorer.estimator)
        tensors |= storage.put_under(f"scorer{i}", inner.tensors)
        own = {"noise": scorer.view.noise, "mean": scorer.view.mean, "held_out": torch.from_numpy(scorer.held_out)}
        tensors |= {f"{OWN}.{name}{i}": tensor for name, tensor in own.items()}
        view = {"kind": scorer.view.kind, "length": scorer.view.windows.length}
        scorers.append({"inner": inner.document, **view, "center": scorer.center, "scale": scorer.scale})
    params = own_params_to_plain(sliding)
    cut = cut_to_plain(sliding._windows)
    fitted = {**columns_to_plain(sliding), "lengths_": sliding.lengths_, "scorers": scorers, "series": cut}
    fitted["fingerprint"] = sliding._fingerprint
    return Content(tensors, {"estimator": {"class": "SlidingWindows", "params": params}, "fitted": fitted})


def rebuild(content: Content, context: Context) -> SlidingWindows:
    """Rebuild an estimator."""
    tensors, document = content
    fitted, own = document["fitted"], storage.take_from(OWN, tensors)
    sliding: SlidingWindows = construct(
        SlidingWindows, params_from_plain(document["estimator"]["params"], context.classes)
    )
    windows = blank_windows(fitted["series"], max(fitted["lengths_"]), sliding.time, own["noise0"].dtype)
    sliding._windows, sliding._window_scorers = windows, []
    for i, plain in enumerate(fitted["scorers"]):
        ensemble = context.rebuild(Content(storage.take_from(f"scorer{i}", tensors), plain["inner"]))
        view = View(windows.cut(plain["length"]), plain["kind"], own[f"noise{i}"], own[f"mean{i}"])
        held_out = own[f"held_out{i}"].numpy()
        sliding._window_scorers.append(WindowScorer(ensemble, view, plain["center"], plain["scale"], held_out))
    sliding.estimators_ = [scorer.estimator for scorer in sliding._window_scorers]
    sliding.lengths_, sliding._fingerprint = fitted["lengths_"], fitted["fingerprint"]
    sliding.held_out_scores_ = own["held_out_scores"].numpy()
    take_columns(sliding, fitted)
    return sliding


def cut_to_plain(windows: Windows) -> dict[str, Any]:
    """Describe how a series is cut into windows."""
    series = windows.series
    return {"channels": list(series.channels), "n_channels": len(series.values), "step": series.step}


def blank_windows(cut: dict[str, Any], length: int, time: str | Sequence[str] | None, dtype: torch.dtype) -> Windows:
    """Make windows of an empty series with the same channels, as a template for other series."""
    points = np.arange(length)
    values = torch.zeros((cut["n_channels"], length), dtype=dtype)
    return Windows.of(Series(values, tuple(cut["channels"]), points, points, cut["step"]), length, 1, time)
