"""
Read a report
=============

``isthmus.report`` writes one page about a fitted model: how good it is, compared with what, on which rows, and where it
must not be used. The page needs no other file and no network.
"""

# %%
# Make a report
# -------------
#
# The rows to judge should be rows that the model has not seen. With ``train``, the simple methods of the comparison are
# fitted to the same rows as the model; without it, they are fitted to one half of the judged rows and judged on the
# other half.

from sklearn.datasets import load_breast_cancer

import isthmus

table = load_breast_cancer(as_frame=True).data
train, test = table[:400], table[400:]
model = isthmus.Autoencoder(4, max_epochs=30, random_state=0).fit(train)
report = isthmus.report(model, test, train=train)
report.save("report.html", "report.json", "card.md")

# %%
# ``.html`` is the page, ``.json`` holds the same numbers for programs, and ``.md`` is a model card. All are written or
# none. In a notebook, ``report`` shows the page. On the command line:
#
# .. code-block:: console
#
#    $ isthmus report model.safetensors test.csv --train train.csv --json --card
#
# The page begins like this:
#
# .. image:: /images/report.png
#    :alt: The head of the report: three sentences of the verdict, a chart of errors with intervals, and a table of them

# sphinx_gallery_thumbnail_path = 'images/report.png'

# %%
# The verdict
# -----------
#
# Three sentences answer three questions: how good is the model, which problem was found, and what it must not be used
# for. Each sentence is the result of a section below it on the page.

for sentence in report.verdict:
    print(sentence)

# %%
# Compared with simple methods
# ----------------------------
#
# An error alone says little. It is shown beside those of PCA with as many components as the code and of the column
# means. The difference has a 95 % interval over the judged rows, that of the paired t test by which ``judge`` and
# ``isthmus fit`` decide too; an interval that contains 0 is reported as "no clear difference". If PCA is better, take
# more epochs, more rows, or PCA.

sections = report.to_dict()["sections"]
for method, (value, low, high) in sections["comparison"]["errors"].items():
    print(f"{method}: {value:.3f} ({low:.3f} to {high:.3f})")

# %%
# Tables by column name the method that is clearly better in a column. "neither" means that the difference can be
# chance: a paired t test over the cells does not reject, at 5 %, that both methods are equally good. The tables that
# ``isthmus fit`` and ``judge`` print have the same column. The first column is the one with the largest error relative
# to that of the mean or the most frequent category. The limits of an imputer name the columns whose filled values are
# not clearly better than these or clearly worse than those of regression, and columns of categories of which more
# than half are wrong. The mean absolute error says in the unit of the column how far the model is from the truth.

# %%
# Other tasks have other comparisons: a detector with an isolation forest, an imputer with regression or interpolation
# in hidden cells, a generator by the fidelity and the privacy of its rows, a model of texts with n-gram models.

# %%
# A model with random codes, such as ``zoo.vae``, also has the evidence lower bound of the judged rows with its
# interval. Compare bounds only on the same rows and with the same likelihood: they depend on the units of the data.

# %%
# Data, model and training
# ------------------------
#
# The table of columns shows how each column was read: its kind, its range, its missing cells and its likelihood. Look
# here first if a figure is strange: an identifier that was read as a number, or a constant that was left out. The
# picture of the model shows how many numbers flow through it. The learning curve should be flat at its end.

from isthmus import plots

plots.history(model)

for column in sections["data"]["columns"][:3]:
    print(column["column"], column["kind"], column["values"], sep=", ")

# %%
# Reconstructions and codes
# -------------------------
#
# Worst and best rows are shown as what they are: cells, images, curves or texts. The error of a column is relative to
# its variance: 0 is exact, and 1 is no better than the mean.

worst = sections["reconstructions"]["columns"][0]
print(worst["column"], round(worst["error"], 2))

# %%
# The map shows the plane of the first two principal components of the codes, with the share of the variance that it
# has. "What the code means" moves one component at a time: a component that changes no column is not used.

# %%
# Findings and differences
# ------------------------
#
# The findings are those of :func:`isthmus.doctor.examine`, each with the line that mends it. A column differs from the
# training rows if its mean, its distribution or its range does; figures of a model are no promise for such rows.

print(sections["findings"]["lead"])
print(sections["shift"]["lead"])

# %%
# A report of a detector
# ----------------------
#
# Labels are 1 for normal rows and -1 for anomalies. With them, the page counts the alarms among both. Without them it
# says that the detections were not judged, and shows the reasons of the worst alarms.

import numpy as np
import pandas as pd
from sklearn.datasets import load_wine

wine = load_wine(as_frame=True).data
usual, unusual = wine[:130], wine[130:]  # the last rows are another kind of wine
detector = isthmus.AnomalyDetector(fpr=0.05, random_state=0).fit(usual[::2])
rows, labels = pd.concat([usual[1::2], unusual]), np.repeat([1, -1], [65, 48])
found = isthmus.report(detector, rows, labels).to_dict()["sections"]
print(found["comparison"]["lead"])
print(found["alarms"]["lead"])
for reason in found["alarms"]["reasons"][:3]:
    print(
        reason["row"], reason["column"], reason["value"], "expected", reason["expected"]
    )

# %%
# What goes wrong
# ---------------
#
# - **The judged rows are training rows.** Errors are then too small. The page says so where it can be recognized.
# - **Few rows.** Intervals are wide; fewer than 10 rows are refused. Below 100 rows the page asks for caution.
# - **Labels 0 and 1 of a detector.** They are refused: write ``np.where(y == 1, -1, 1)`` if 1 means anomaly.
# - **Many rows.** A random sample of 10,000 is judged; of a series, the first 20,000 time points.
#
# API: :func:`isthmus.report`, :func:`isthmus.doctor.examine`, :func:`isthmus.baselines.judge`.
