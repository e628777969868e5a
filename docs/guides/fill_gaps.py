"""
Fill gaps
=========

A table has missing cells, and the next method accepts none. An imputer fills the cells with what the other columns of
the row suggest.
"""

# %%
# A table with gaps
# -----------------
#
# Here a quarter of the cells of a complete table are removed, so that the result can be judged. With your own table,
# start at the next heading.

import numpy as np
from sklearn.datasets import load_breast_cancer

complete = load_breast_cancer(as_frame=True).data.iloc[:, :10]
rng = np.random.default_rng(0)
hidden = rng.random(complete.shape) < 0.25
table = complete.mask(hidden)

# %%
# Fit and impute
# --------------
#
# In training, the imputer hides cells that are known, and learns to predict them from the others. The result is a data
# frame in which known values are unchanged.

from isthmus import zoo

model = zoo.imputer(random_state=0).fit(table)
filled = model.impute(table)

# %%
# On the command line:
#
# .. code-block:: console
#
#    $ isthmus fit table.csv --model imputer --out m.safetensors
#    $ isthmus impute m.safetensors table.csv --out filled.csv
#
# To judge the imputer, split the table first: the report hides known cells of rows that were not in the fit.
#
# .. code-block:: console
#
#    $ isthmus prepare table.csv clean.parquet
#    $ isthmus fit clean.train.parquet --model imputer --out m.safetensors
#    $ isthmus report m.safetensors clean.test.parquet --out report.html
#
# The code of an imputer is wide on purpose, because it need not compress the row.

# %%
# Is it good?
# -----------
#
# Compare with the truth, if cells were hidden on purpose as here.

import matplotlib.pyplot as plt

name = "mean perimeter"
gaps = hidden[:, list(complete).index(name)]
fig, ax = plt.subplots(figsize=(5, 4), layout="constrained")
ax.plot(
    complete.loc[gaps, name], filled.loc[gaps, name], "o", markersize=3, label="imputed"
)
ax.axhline(table[name].mean(), color="grey", linestyle=":", label="mean of the column")
ax.axline((100, 100), slope=1, color="grey", linewidth=1, label="exact")
ax.set(xlabel=f"true {name}", ylabel="filled in")
ax.legend(frameon=False)
plt.show()

# %%
# Otherwise let ``judge`` hide known cells of rows that were not in the fit. It compares the model with iterative
# regression and with the mean. Here regression is as good: 400 rows are few, and most columns depend on each other
# almost linearly.

from isthmus.baselines import judge

judged = zoo.imputer(random_state=0).fit(table[:400])
print(*judge(judged, table[:400], table[400:], random_state=0), sep="\n")

# %%
# Uncertainty
# -----------
#
# One filled table hides that imputed values are guesses, and later analyses are too certain. Draw several tables, in
# which the missing values of a row are drawn jointly, analyse each, and pool the results by Rubin's rules. This is the
# 95 % interval of the mean, with the mean of the complete table:

from isthmus.metrics import pool_estimates

draws = model.impute(table, n_draws=5, random_state=0)
means = [draw[name].mean() for draw in draws]
variances = [draw[name].var() / len(draw) for draw in draws]
low, high = pool_estimates(means, variances).interval()
print(f"{low:.1f} to {high:.1f}, complete table: {complete[name].mean():.1f}")

# %%
# The same tables say how certain each filled cell is: here the middle 90 % of 20 draws, with the true values. On the
# command line, ``isthmus impute --intervals`` writes such columns beside the filled ones, and ``isthmus report`` says
# how many hidden cells of each column their 90 % intervals contain.

import pandas as pd

draws = np.stack(
    [draw.to_numpy() for draw in model.impute(table, n_draws=20, random_state=0)]
)
low, high = (
    pd.DataFrame(each, table.index, table.columns)
    for each in np.quantile(draws, (0.05, 0.95), axis=0)
)
certain = pd.DataFrame(
    {
        "filled in": filled[name],
        "low": low[name],
        "high": high[name],
        "true": complete[name],
    }
)
print(certain[gaps].head().round(1))
contained = ((low <= complete) & (complete <= high)).to_numpy()
print(f"filled cells whose true value is inside: {contained[hidden].mean():.0%}")

# %%
# And the errors of hidden cells by column, relative to those of the mean of the column, say for which columns the model
# knows nothing: near 1, a filled cell is a guess.

squares = {"imputed": (filled - complete) ** 2, "mean": (table.mean() - complete) ** 2}
sums = {how: each.where(hidden).sum() for how, each in squares.items()}
print((sums["imputed"] / sums["mean"]).sort_values().round(3).iloc[[0, 1, -2, -1]])

# %%
# What goes wrong
# ---------------
#
# - **Numbers or dates are stored as text.** In Python, call :func:`isthmus.preparing.prepare` first; the command line
#   reads them itself, and :func:`isthmus.doctor.examine` finds them.
# - **Cells are missing for a reason that is not in the table**, such as incomes that the rich do not tell. No method
#   can see this. The filled values are those of similar rows that did tell.
# - **The gap means something.** No garage, so no year of the garage: keep it missing, or make it a category.
# - **Few rows, or linear relations.** Regression is as good, as above. ``judge`` shows it.
# - **A value is in another unit**, and cells are filled from it. ``isthmus impute`` names values far outside those of
#   the fit.
# - **Filled values are taken for data.** Use ``n_draws``.
# - **The judged model fills the table.** It has learned from a part of the rows. Once you know how good the model is,
#   fit it again to all rows.
#
# See :func:`isthmus.zoo.imputer`, :meth:`isthmus.Autoencoder.impute` and :func:`isthmus.metrics.pool_estimates`; for
# series :class:`isthmus.SeriesImputer`.
