"""``SlidingWindows`` in files: the ensembles of all views, and the settings of the windows."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from isthmus.anomaly import BaggedAutoencoders, SlidingWindows
from isthmus.anomaly.channel_limits import ChannelLimits
from isthmus.anomaly.window_scores import WindowScorer
from isthmus.anomaly.window_views import View
from isthmus.autoencoder import Autoencoder
from isthmus.data import Windows
from isthmus.data.series.series import Series
from isthmus.persistence.context import Content, Context, columns_to_plain, take_columns


def describe(sliding: SlidingWindows, nested: Callable[[Any], Content]) -> Content:
    """Describe a fitted estimator, without the series."""
    arrays, scorers, inner = {"held_out_scores": sliding.held_out_scores_}, [], {}
    for i, scorer in enumerate(sliding._window_scorers):
        inner[f"scorer{i}"] = nested(scorer.estimator)
        own = {"noise": scorer.view.noise.numpy(), "mean": scorer.view.mean.numpy(), "held_out": scorer.held_out}
        arrays |= {f"{name}{i}": values for name, values in own.items()}
        view = {"kind": scorer.view.kind, "length": scorer.view.windows.length}
        scorers.append({**view, "center": scorer.center, "scale": scorer.scale})
    arrays |= {f"channel_{name}": values for name, values in sliding.channel_limits_._asdict().items()}
    fitted = {**columns_to_plain(sliding), "lengths_": sliding.lengths_, "scorers": scorers}
    fitted |= {"series": cut_to_plain(sliding._windows), "fingerprint": sliding._fingerprint}
    return Content.of(sliding, arrays, fitted, inner, template=type(sliding.estimator).__name__)


def rebuild(content: Content, context: Context) -> SlidingWindows:
    """Rebuild an estimator."""
    fitted, arrays = content.document["fitted"], content.arrays
    sliding: SlidingWindows = context.construct(SlidingWindows, content)
    dtype = torch.from_numpy(arrays["noise0"]).dtype
    windows = blank_windows(fitted["series"], max(fitted["lengths_"]), sliding.time, dtype)
    sliding._windows, sliding._window_scorers = windows, []
    for i, plain in enumerate(fitted["scorers"]):
        estimator = context.rebuild(content.inner(f"scorer{i}"))
        noise, mean = (torch.from_numpy(arrays[f"{name}{i}"]) for name in ("noise", "mean"))
        view = View(windows.cut(plain["length"]), plain["kind"], noise, mean)
        scorer = WindowScorer(estimator, view, plain["center"], plain["scale"], arrays[f"held_out{i}"])
        sliding._window_scorers.append(scorer)
    sliding.estimators_ = [scorer.estimator for scorer in sliding._window_scorers]
    sliding.estimator = _make_template(content.document["estimator"]["template"], sliding.estimators_[0])
    sliding.lengths_, sliding._fingerprint = fitted["lengths_"], fitted["fingerprint"]
    sliding.held_out_scores_ = arrays["held_out_scores"]
    sliding.channel_limits_ = ChannelLimits(*(arrays[f"channel_{name}"] for name in ChannelLimits._fields))
    take_columns(sliding, fitted)
    return sliding


def _make_template(kind: str, fitted: BaggedAutoencoders) -> Autoencoder | BaggedAutoencoders | None:
    """Return the parameter ``estimator`` of a class, from the estimator that was fitted to the windows of a view."""
    if kind == "Autoencoder":
        return clone(fitted.estimator)
    return clone(fitted).set_params(random_state=None) if kind == "BaggedAutoencoders" else None


def cut_to_plain(windows: Windows) -> dict[str, Any]:
    """Return the settings with which a series is cut into windows."""
    series = windows.series
    return {"channels": list(series.channels), "n_channels": len(series.values), "step": series.step}


def blank_windows(cut: dict[str, Any], length: int, time: str | Sequence[str] | None, dtype: torch.dtype) -> Windows:
    """Make windows of an empty series with the same channels, as a template for other series."""
    points = np.arange(length)
    values = torch.zeros((cut["n_channels"], length), dtype=dtype)
    return Windows.of(Series(values, tuple(cut["channels"]), points, points, cut["step"]), length, 1, time)
