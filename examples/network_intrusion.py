"""Intrusion detection
===================

Detect attacks among network connections with a model of normal ones, also with its encoder alone.

NSL-KDD (Tavallaee et al., 2009) describes connections by 41 columns, three of them categories. A variational
autoencoder is fitted on half of the normal connections of the 20 % training file; the other half and all attacks are
scored. The score of the encoder alone is the divergence between the distribution of a row's code and the prior. It
needs no decoder, which saves time in a live network. The threshold is set so that at most one normal connection in
twenty is an alarm.

By the area under the ROC curve, the encoder alone is as good as the full model. Rare attacks that look like
ordinary sessions (r2l, u2r) are found less often than floods.

Run: python examples/network_intrusion.py [folder] [data]
where data (default ../shared/data/nsl-kdd) holds train_20percent.csv.gz, with columns label, difficulty and family
"""

import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from isthmus import AnomalyDetector, plots, zoo

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
data = Path(sys.argv[2] if len(sys.argv) > 2 else "../shared/data/nsl-kdd")

table = pd.read_csv(data / "train_20percent.csv.gz")
family = table["family"].to_numpy()
rows = table.drop(columns=["label", "difficulty", "family"])
normal = np.random.default_rng(0).permutation(np.flatnonzero(family == "normal"))
train, held_out = rows.iloc[normal[::2]], np.concatenate([normal[1::2], np.flatnonzero(family != "normal")])
scored, family = rows.iloc[held_out], family[held_out]
is_normal = family == "normal"

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about constant columns, which are left out, and about new services
    network = zoo.vae(4, learning_rate=2e-3, max_epochs=30, random_state=0)
    detector = AnomalyDetector(network, score_from="encoder", calibration="split", fpr=0.05, random_state=0).fit(train)
    by_encoder, full = detector.score_samples(scored), detector.estimator_.score_samples(scored)
    alarms = detector.predict(scored) == -1

print("area under the ROC curve")
print(f"{'encoder alone':24} {roc_auc_score(is_normal, by_encoder):.3f}")
print(f"{'full model':24} {roc_auc_score(is_normal, full):.3f}")
print("\nshare of alarms, in percent")
for name in ("normal", "dos", "probe", "r2l", "u2r"):
    print(f"{name:24} {100 * alarms[family == name].mean():.1f}")

figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
surprise = -np.log1p(-np.minimum(by_encoder, 0))
classes = np.where(is_normal, "normal", "attack")
plots.histogram(surprise, classes, name="- log (1 + divergence of the code)", ax=axes)
figure.savefig(folder / "network_intrusion.png", dpi=100)
