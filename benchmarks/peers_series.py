"""Detectors of anomalous time points: isthmus, and common methods for windows of a series.

Each function is fitted to a series (time, channels) and returns a function that scores the points of another series;
higher is more anomalous. Channels are standardised by the training part. The other methods score windows of one period,
and each point gets the mean of the windows that contain it.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from anomalies_peers import Fit, Score, isolation_forest, negative
from tables_data import Values

# Period of series whose autocorrelation has no peak.
LENGTH = 100
SHORTEST, LONGEST = 10, 500
N_CLUSTERS, N_PRINCIPAL = 20, 8
# Relative to the largest variance; components with smaller variances are rounding errors.
SMALLEST = 1e-6
# Settings of the authors of USAD for SMD; the length is used for all methods with many channels.
LENGTH_OF_MANY = 5
EPOCHS_USAD, BATCH_USAD, RATE_USAD, CODE_USAD = 250, 7919, 1e-3, 38


def isthmus(series: Values, seed: int) -> Score:
    from isthmus import AnomalyDetector, SlidingWindows

    detector = AnomalyDetector(SlidingWindows(random_state=seed), random_state=seed)
    return negative(detector.fit(series).score_samples)


def on_windows(fit: Fit) -> Fit:
    """Make a detector of points from a detector of windows (n_windows, length * channels)."""

    def fit_series(series: Values, seed: int) -> Score:
        length = LENGTH_OF_MANY if series.shape[1] > 1 else period(series[:, 0])
        mean, spread = series.mean(axis=0), series.std(axis=0)
        spread[spread == 0] = 1
        score = fit(windows((series - mean) / spread, length), seed)
        return lambda other: to_points(score(windows((other - mean) / spread, length)), length)

    return fit_series


def period(values: Values) -> int:
    """Return the lag of the highest peak of the autocorrelation, within bounds."""
    centred = values - values.mean()
    power = np.abs(np.fft.rfft(centred, 2 * len(values))) ** 2
    correlation = np.fft.irfft(power)[: min(LONGEST, len(values) // 4) + 2]
    inner = correlation[1:-1]
    peaks = np.flatnonzero((inner > correlation[:-2]) & (inner >= correlation[2:])) + 1
    peaks = peaks[peaks >= SHORTEST]
    return int(peaks[correlation[peaks].argmax()]) if len(peaks) else min(LENGTH, len(values) // 4)


def windows(series: Values, length: int) -> Values:
    view = np.lib.stride_tricks.sliding_window_view(series, length, axis=0)
    return np.ascontiguousarray(view.reshape(len(view), -1), dtype=np.float32)


def to_points(scores: Values, length: int) -> Values:
    """Return the mean score of the windows that contain each point."""
    ones = np.ones(length)
    return np.convolve(scores, ones) / np.convolve(np.ones(len(scores)), ones)


def sub_pca(rows: Values, seed: int) -> Score:
    """Sum squared components of standardised windows, each divided by its variance.

    M.-L. Shyu, S.-C. Chen, K. Sarinnapakorn, L. Chang. A Novel Anomaly Detection Scheme Based on Principal Component
    Classifier. ICDM Workshop, 2003. The program of TSB-AD adds distances to the axes instead, and detects much less.
    """
    known = standardize_each(rows)
    mean = known.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(known, rowvar=False))
    kept = variances > SMALLEST * variances[-1]
    axes = axes[:, kept] / np.sqrt(variances[kept])
    return lambda others: (((standardize_each(others) - mean) @ axes) ** 2).sum(axis=1)


def standardize_each(rows: Values) -> Values:
    rows = rows.astype(np.float64)
    centred = rows - rows.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    return centred / np.where(spread > 0, spread, 1)


def pca(rows: Values, seed: int) -> Score:
    """Score windows by the reconstruction error from eight components."""
    from sklearn.decomposition import PCA

    model = PCA(min(N_PRINCIPAL, *rows.shape), random_state=seed).fit(rows)
    return lambda others: ((others - model.inverse_transform(model.transform(others))) ** 2).mean(axis=1)


def k_means(rows: Values, seed: int) -> Score:
    """Score windows by the distance to the nearest of twenty centres."""
    from sklearn.cluster import KMeans

    model = KMeans(min(N_CLUSTERS, len(rows)), random_state=seed).fit(rows)
    return lambda others: model.transform(others).min(axis=1)


def usad(rows: Values, seed: int) -> Score:
    """Train two decoders on one encoder, the second against the first.

    J. Audibert, P. Michiardi, F. Guyard, S. Marti, M. Zuluaga. USAD: Unsupervised Anomaly Detection on Multivariate
    Time Series. KDD, 2020.
    """
    import torch

    low, high = rows.min(axis=0), rows.max(axis=0)
    width = np.where(high > low, high - low, 1)

    def scaled(some: Values) -> Any:
        return torch.from_numpy(((some - low) / width).astype(np.float32))

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        nets = usad_nets(rows.shape[1])
        train_usad(*nets, scaled(rows))
    return lambda others: usad_scores(*nets, scaled(others))


def usad_nets(n: int) -> tuple[Any, Any, Any]:
    """Build layers of n, n/2, n/4 and the code, or the reverse."""
    from torch import nn

    half, quarter, code = (max(1, each) for each in (n // 2, n // 4, min(n // 8, CODE_USAD)))

    def stack(widths: tuple[int, ...], last: Any) -> Any:
        layers: list[Any] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.ReLU()]
        return nn.Sequential(*layers[:-1], last)

    decoders = [stack((code, quarter, half, n), nn.Sigmoid()) for _ in range(2)]
    return stack((n, half, quarter, code), nn.ReLU()), *decoders


def train_usad(encoder: Any, first: Any, second: Any, rows: Any) -> None:
    import torch

    optimizers = [
        torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=RATE_USAD) for decoder in (first, second)
    ]
    for epoch in range(1, EPOCHS_USAD + 1):
        for batch in rows[torch.randperm(len(rows))].split(BATCH_USAD):
            for optimizer, sign, decoder in zip(optimizers, (1, -1), (first, second), strict=True):
                code = encoder(batch)
                rebuilt = first(code)
                once = rebuilt if decoder is first else second(code)
                twice = second(encoder(rebuilt))
                share = 1 / epoch
                loss = share * ((batch - once) ** 2).mean() + sign * (1 - share) * ((batch - twice) ** 2).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()


def usad_scores(encoder: Any, first: Any, second: Any, rows: Any) -> Values:
    import torch

    scores = []
    with torch.inference_mode():
        for batch in rows.split(BATCH_USAD):
            once = first(encoder(batch))
            twice = second(encoder(once))
            scores.append(((batch - once) ** 2).mean(dim=1) / 2 + ((batch - twice) ** 2).mean(dim=1) / 2)
    return torch.cat(scores).numpy().astype(np.float64)


OF_SERIES: dict[str, Fit] = {
    "isthmus": isthmus,
    "PCA": on_windows(pca),
    "Sub-PCA": on_windows(sub_pca),
    "KMeansAD": on_windows(k_means),
    "IForest": on_windows(isolation_forest),
}
OF_SERVERS = {**OF_SERIES, "USAD": on_windows(usad)}
