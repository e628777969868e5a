"""
Anomalies in tables
===================

Most rows are normal, a few are not, and there are no labels. A detector learns what is normal, sets a threshold with a
known rate of false alarms, and explains each alarm.
"""

# %%
# Alarms
# ------
#
# ``fpr`` is the false positive rate: the largest share of normal rows that raise an alarm. It holds for new rows,
# because the threshold comes from scores of rows that were held out.

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer

from isthmus import AnomalyDetector

data = load_breast_cancer(as_frame=True)
benign, malignant = data.data[data.target == 1], data.data[data.target == 0]
train, new = benign[:250], benign[250:]
detector = AnomalyDetector(fpr=0.05, random_state=0).fit(train)
print(f"alarms among new benign rows: {np.mean(detector.predict(new) == -1):.1%}")
print(f"alarms among malignant rows:  {np.mean(detector.predict(malignant) == -1):.1%}")

# %%
# On the command line:
#
# .. code-block:: console
#
#    $ isthmus detect today.csv --normal last-month.csv --fpr 0.05 --explain 5 --out alarms.csv
#
# The file of alarms has the columns of the rows, and before them the number of the row, its score and p-value, the
# columns that explain it, and the reasons: each value, what was expected, and its share of the score. ``--top 20``
# writes and explains the 20 worst alarms only. Reasons take time, so only the 100 lowest scores have them; ``--explain
# 500`` gives more. Alarms in a folder of images have heat maps instead. With ``--exit-code``, the command ends with
# exit code 1 if there are alarms, for scripts.
#
# Without ``--normal``, the file itself is learned from. Its anomalies make the detector less sensitive, and even strong
# ones can be missed. Each row is then judged by models that have not seen it (``held_out_scores_``). A detector that is
# saved has seen all of them, so ``isthmus score`` gives these rows other scores: use it on other rows.

# %%
# Reasons
# -------
#
# ``explain`` names the values that are unusual, and what was expected from the rest of the row.

explanation = detector.explain(malignant[:2])
print(explanation)

# %%
# A p-value is the share of normal rows with a score as low as this one. Under a correct model, p-values of normal rows
# are uniform; those of anomalies are near 0.

import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for name, rows in {"benign": new, "malignant": malignant}.items():
    ax.hist(
        detector.p_values(rows),
        bins=np.linspace(0, 1, 21),
        density=True,
        alpha=0.6,
        label=name,
    )
ax.set(xlabel="p-value", ylabel="density")
ax.legend(frameon=False)
plt.show()

# %%
# Other decisions
# ---------------
#
# ``fdr`` limits the share of false alarms among all alarms. ``min_confidence`` returns 0 for rows that are too near the
# threshold to decide.

both = pd.concat([new, malignant[:20]])
alarms = detector.predict(both, fdr=0.1) == -1
print(f"{alarms.sum()} alarms, {alarms[: len(new)].sum()} of them false")

# %%
# Choices
# -------
#
# The default estimator is ``ExemplarDistance``: the distance of a row to a few reconstructed training rows and to the
# nearest training row, whichever is larger. It needs no tuning, and bears some anomalies among the training rows. Any
# estimator with ``score_samples`` can take its place:

from sklearn.decomposition import PCA

linear = AnomalyDetector(PCA(4), calibration="split", random_state=0).fit(train)
print(
    f"alarms of PCA among malignant rows: {np.mean(linear.predict(malignant) == -1):.1%}"
)

# %%
# - ``threshold="tail"`` extrapolates beyond the held-out scores (extreme value theory), ``"mad"`` uses the median
#   absolute deviation, ``"labels"`` some rows with labels 1 or -1. A number is a threshold too, and
#   ``contamination=0.02`` means the same as in scikit-learn.
# - ``score_from="encoder"`` scores rows by the divergence of the code from the prior, for a variational estimator;
#   ``"latent"`` by the density of codes. Neither needs the decoder.
# - Three kinds of new values count as evidence: a new category, a missing value in a complete column, and another value
#   in a constant column. Explanations name them: ``flag = S0, never seen in 6,724 rows``.
# - ``predict_proba`` returns probabilities of an anomaly and of a normal row. ``calibrate(rows)`` computes a new
#   threshold without another fit.

# %%
# What goes wrong
# ---------------
#
# - **Training rows hold anomalies.** The detector bears some. With labels for a few rows, use ``threshold="labels"``.
# - **The world changes.** Alarms become more frequent for all rows: ``calibrate`` with recent normal rows, or fit
#   again. :class:`isthmus.anomaly.StreamMonitor` decides on rows as they arrive and tests for it; the probability of a
#   false warning does not grow with the number of checks.
# - **Rows depend on each other**, such as time points. Their number says too much; see :doc:`series`.
# - **The order of the alarms is taken for sure.** Rows with similar scores change places with another
#   ``random_state``: of the ten lowest scores of 600 photos of a face, 7 to 9 stayed. Fit with several. A row that is
#   an alarm each time does not depend on it, but may still be normal.
# - **Small damage in photos is missed.** A score adds up the errors of all pixels, so that textures that are hard to
#   reconstruct come first: of 900 drawn tiles with five patterns, 27 with a crack, one of the 30 worst had one, as by
#   chance. Fit one detector for each texture, or take nets that were trained on many photos: see anomalib in
#   :doc:`../comparison`.
# - **Rows of the fit are ranked by their own model.** Rows that it has not seen have larger errors: of the ten photos
#   with the largest errors of an autoencoder, 8 or 9 were among the 60 that its fit held out. Rank by
#   ``held_out_scores_``, as ``isthmus detect`` does.
# - **An alarm is taken for a cause.** An explanation says what is unusual, not why.
#
# See :class:`isthmus.AnomalyDetector` and :class:`isthmus.ExemplarDistance`.
