"""Events of a server
==================

Detect anomalous events of a server: when, how severe, and which metrics are anomalous.

The first server of the Application Server Dataset (Li et al., InterFusion, KDD 2021) has 19 metrics with one value
every five minutes: 30 days for training and 15 days for testing, with labels that are used for evaluation only. Small
autoencoders reconstruct windows of the metrics; windows with a large error are anomalous. Time points are merged into
events, each with the metrics that contribute most to it.

By the volume under the precision-recall surface, windows detect far more than PCA of single time points, which ignores
the order of time. Without the data, as on this page, a server is simulated.

Run: python examples/server_metrics.py [folder] [data]
where data holds omi-1.npz with train, test and test_label
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus import AnomalyDetector, SlidingWindows
from isthmus.metrics.series import vus_pr

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")


def simulate_server(n, faults, rng):
    """Simulate six metrics that follow a daily load; during faults, the load oscillates."""
    time, labels = np.arange(n), np.zeros(n, dtype=int)
    load = np.sin(2 * np.pi * time / 288) + 0.5 * np.sin(2 * np.pi * time / 72)
    for start, stop in faults:
        load[start:stop] = 1.2 * np.sin(2 * np.pi * time[start:stop] / 14)
        labels[start:stop] = 1
    return np.outer(load, [1.0, 0.8, 0.6, -0.5, 0.9, 0.7]) + 0.1 * rng.normal(
        size=(n, 6)
    ), labels


if len(sys.argv) > 2:
    server = np.load(Path(sys.argv[2]) / "omi-1.npz")
    train, test, labels = server["train"], server["test"], server["test_label"]
else:
    rng = np.random.default_rng(0)
    train, _ = simulate_server(2500, [], rng)
    test, labels = simulate_server(1500, [(300, 350), (900, 980)], rng)

windows = SlidingWindows(lengths=(16, 32), views=("values",))
detector = AnomalyDetector(windows, fpr=0.05, random_state=0).fit(train)
scores = detector.score_samples(test)
components = make_pipeline(StandardScaler(), PCA(0.9)).fit(train)

print("volume under the precision-recall surface")
print(f"{'windows':24} {vus_pr(labels, -scores, 100):.3f}")
print(
    f"{'PCA of time points':24} {vus_pr(labels, -components.score_samples(test), 100):.3f}"
)

events = sorted(detector.events(test), key=lambda event: -event.severity)
print("\nevents, the most severe first")
for event in events[:5]:
    metrics = ", ".join(map(str, event.channels[:4]))
    place = f"time points {event.start} to {event.end}"
    print(f"{place}, severity {event.severity:.1f}, metrics {metrics}")

worst = events[0] if events else None
metric = worst.channels[0] if worst else 0
figure, (above, below) = plt.subplots(
    2, 1, figsize=(7, 4.5), sharex=True, layout="constrained"
)
above.plot(test[:, metric], linewidth=0.8, color="#332288")
above.set(ylabel=f"metric {metric}")
below.plot(scores, linewidth=0.8, color="#117733")
below.axhline(detector.offset_, color="#777777", linewidth=0.8, linestyle="dashed")
below.set(xlabel="time point (5 minutes)", ylabel="score")
edges = np.flatnonzero(np.diff(np.concatenate([[0], labels, [0]])))
for start, stop in zip(edges[::2], edges[1::2], strict=True):
    for axes in (above, below):
        axes.axvspan(start, stop, color="#cc6677", alpha=0.3, linewidth=0)
above.set_title(
    "a metric and the score of all metrics; labelled anomalies in red",
    fontsize="medium",
)
figure.savefig(folder / "server_metrics.png", dpi=100)
