"""Abnormal heartbeats
===================

Distinguish abnormal heartbeats from normal ones with a model of normal ones only, and show where they differ.

ECG5000 contains heartbeats of one patient, 140 values each. A small autoencoder is fitted on half of the normal beats;
the other normal beats and all abnormal beats are scored. The threshold is set on held-out beats, so that on average at
most one normal beat in twenty is an alarm. The figure shows an abnormal beat, its reconstruction, and the values that
explain the alarm. Without the data, as on this page, beats are simulated.

Run: python examples/heartbeats.py [folder] [data]
where data holds ecg5000_train.npz with X (n, 140) and y, 1 for normal beats
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

from isthmus import AnomalyDetector, zoo

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")

# Place, width and height of the waves of a beat: P, Q, R, S and T (after McSharry et al.,
# 2003). A premature beat comes from the ventricle: it has no P wave, a wide R wave, and an
# inverted T wave.
WAVES = [
    (0.18, 0.03, 0.15),
    (0.33, 0.012, -0.15),
    (0.37, 0.018, 1.2),
    (0.41, 0.014, -0.3),
    (0.65, 0.06, 0.35),
]
PREMATURE = [(0.37, 0.04, 1.0), (0.45, 0.05, -0.5), (0.65, 0.07, -0.3)]


def simulate_beats(n, waves, rng):
    """Simulate n beats of 140 values, in which each wave varies by 5 %."""
    drawn = np.array(waves) * (1 + 0.05 * rng.normal(size=(n, len(waves), 3)))
    place, width, height = drawn.transpose(2, 0, 1)[..., None]
    beats = (
        height * np.exp(-0.5 * ((np.linspace(0, 1, 140) - place) / width) ** 2)
    ).sum(1)
    return beats + 0.03 * rng.normal(size=beats.shape)


if len(sys.argv) > 2:
    with np.load(Path(sys.argv[2]) / "ecg5000_train.npz") as file:
        beats, kinds = file["X"], file["y"]
else:
    rng = np.random.default_rng(0)
    beats = np.concatenate(
        [simulate_beats(600, WAVES, rng), simulate_beats(200, PREMATURE, rng)]
    )
    kinds = np.repeat([1, 2], [600, 200])
normal = np.random.default_rng(0).permutation(np.flatnonzero(kinds == 1))
train, held_out = (
    beats[normal[::2]],
    np.concatenate([normal[1::2], np.flatnonzero(kinds != 1)]),
)
beats, is_normal = beats[held_out], kinds[held_out] == 1

network = zoo.autoencoder(8, max_epochs=60, random_state=0)
detector = AnomalyDetector(network, fpr=0.05, random_state=0).fit(train)
scores = detector.score_samples(beats)
found = detector.predict(beats) == -1

print(f"{'area under the ROC curve':28} {roc_auc_score(is_normal, scores):.3f}")
print("\nshare of alarms, in percent")
print(f"{'abnormal beats':28} {100 * found[~is_normal].mean():.1f}")
print(f"{'normal beats':28} {100 * found[is_normal].mean():.1f}")

median = np.flatnonzero(~is_normal)[
    np.argsort(scores[~is_normal])[np.sum(~is_normal) // 2]
]
beat = beats[[median]]
expected, reasons = (
    detector.estimator_.reconstruct(beat)[0],
    detector.estimator_.contributions(beat)[0, :-2],
)
figure, (above, below) = plt.subplots(
    2, 1, figsize=(7, 4.5), sharex=True, layout="constrained"
)
above.plot(beat[0], color="#cc6677", label="an abnormal beat")
above.plot(expected, color="#332288", linestyle="dashed", label="its reconstruction")
above.set(ylabel="voltage")
above.legend(frameon=False)
below.bar(np.arange(len(reasons)), reasons, width=1.0, color="#cc6677")
below.set(xlabel="time within the beat", ylabel="contribution (nats)")
figure.savefig(folder / "heartbeats.png", dpi=100)
