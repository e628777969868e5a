"""Events of a server
==================

Detect anomalous events of a server: when, how severe, and which metrics are anomalous.

The first server of the Application Server Dataset (Li et al., InterFusion, KDD 2021) has 19 metrics with one value
every five minutes: 30 days for training and 15 days for testing, with labels that are used for evaluation only. Small
autoencoders reconstruct windows of the metrics; windows with a large error are anomalous. Time points are merged into
events, each with the metrics that contribute most to it.

By the volume under the precision-recall surface, windows detect far more than PCA of single time points, which ignores
the order of time.

Run: python examples/server_metrics.py [folder] [data]
where data (default ../shared/data/asd) holds omi-1.npz with train, test and test_label
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
data = Path(sys.argv[2] if len(sys.argv) > 2 else "../shared/data/asd")

server = np.load(data / "omi-1.npz")
train, test, labels = server["train"], server["test"], server["test_label"]

windows = SlidingWindows(lengths=(16, 32), views=("values",))
detector = AnomalyDetector(windows, fpr=0.05, random_state=0).fit(train)
scores = detector.score_samples(test)
components = make_pipeline(StandardScaler(), PCA(0.9)).fit(train)

print("volume under the precision-recall surface")
print(f"{'windows':24} {vus_pr(labels, -scores, 100):.3f}")
print(f"{'PCA of time points':24} {vus_pr(labels, -components.score_samples(test), 100):.3f}")

events = sorted(detector.events(test), key=lambda event: -event.severity)
print("\nevents, the most severe first")
for event in events[:5]:
    metrics = ", ".join(map(str, event.channels[:4]))
    print(f"time points {event.start} to {event.end}, severity {event.severity:.1f}, metrics {metrics}")

worst = events[0] if events else None
metric = worst.channels[0] if worst else 0
figure, (above, below) = plt.subplots(2, 1, figsize=(9, 4), sharex=True, layout="constrained")
above.plot(test[:, metric], linewidth=0.8, color="#332288")
above.set(ylabel=f"metric {metric}")
below.plot(scores, linewidth=0.8, color="#117733")
below.axhline(detector.offset_, color="#777777", linewidth=0.8, linestyle="dashed")
below.set(xlabel="time point (5 minutes)", ylabel="score")
edges = np.flatnonzero(np.diff(np.concatenate([[0], labels, [0]])))
for start, stop in zip(edges[::2], edges[1::2], strict=True):
    for axes in (above, below):
        axes.axvspan(start, stop, color="#cc6677", alpha=0.3, linewidth=0)
above.set_title("a metric and the score of all metrics; labelled anomalies in red", fontsize="medium")
figure.savefig(folder / "server_metrics.png", dpi=100)
