"""
Prepare data
============

Real tables have duplicates, numbers stored as text, sentinels such as -999, and columns that identify rows. Models of
isthmus accept categories, dates and missing values as they are. ``prepare`` repairs the rest before a fit, and lists
each change.
"""

# %%
# Look first
# ----------
#
# The table below has some typical faults.

import numpy as np
import pandas as pd

rng = np.random.default_rng(1)
n = 400
table = pd.DataFrame(
    {
        "customer": [f"C{i:05d}" for i in range(n)],
        "age": rng.integers(18, 80, n).astype(float),
        "income": [f"${value:,.2f}" for value in rng.lognormal(10, 0.5, n)],
        "height": rng.normal(170, 10, n).round(2),
        "city": rng.choice(["Lima", "lima ", "Quito"], n),
        "active": True,
    }
)
table.loc[rng.choice(n, 40, replace=False), "age"] = -999
table = pd.concat([table, table[:10]], ignore_index=True)

# %%
# ``summarize`` shows the kind of each column, missing cells and values. Here the smallest age is -999, there are two
# spellings of Lima, and incomes are taken for names, because they are text.

from isthmus import doctor

print(doctor.summarize(table))

# %%
# ``examine`` lists problems, with advice. On the command line, the same is ``isthmus look table.csv`` and
# ``isthmus doctor table.csv``.

print(doctor.format_findings(doctor.examine(table)))

# %%
# Clean and split
# ---------------

from isthmus.preparing import prepare

prepared = prepare(table, sentinels="missing", random_state=0)
print(prepared)

# %%
# Without ``sentinels="missing"``, -999 would stay, and a line would report it: only you can know whether an odd
# number was measured.
#
# Now the sentinel is gone from the ages:

import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained")
for ax, (name, rows) in zip(
    axes, {"before": table, "after": prepared.train}.items(), strict=True
):
    ax.hist(rows["age"], bins=40)
    ax.set(title=name, xlabel="age")
axes[0].set_ylabel("rows")
plt.show()

# %%
# Rows that are equal stay in the same part, so no test row has a copy among the training rows. Rows can also be split
# by time or by groups, or with equal shares of a column: see ``split_by``.

train, test = prepared.train, prepared.test
print(len(train), "rows to fit,", len(test), "rows to test")

# %%
# What goes wrong
# ---------------
#
# - **Copies in both parts.** Copies of a row, or rows of one person, are in the training and in the test rows; then
#   test errors are too small. ``doctor.examine(train, test=test)`` finds copies. For persons, use
#   ``split_by="grouped"``.
# - **A sentinel is not found.** Only numbers that are frequent and far from all others are taken for sentinels. Name
#   others by ``limits``, or on the command line by ``--missing``.
# - **Two spellings remain.** ``prepare`` removes the space from "lima ", and does not change letters: "Lima" and "lima"
#   remain two categories. ``table["city"].str.title()`` makes them one.
# - **A code is taken for a number.** Postal codes and similar columns are categories: ``schema={"zip": "category"}``.
#
# See :func:`isthmus.preparing.prepare`, :func:`isthmus.doctor.examine` and :func:`isthmus.doctor.summarize`.
