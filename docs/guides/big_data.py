"""
Data larger than memory
=======================

A folder of Parquet files does not fit into memory. It is read in pieces, shuffled, and results are written in pieces.
A fit to 20 million rows of 30 columns needs less than 1 GiB (:doc:`../figures`).
"""

# %%
# A folder of files
# -----------------

from pathlib import Path

import numpy as np
import pandas as pd

folder = Path("days")
folder.mkdir(exist_ok=True)
rng = np.random.default_rng(0)
mixing = rng.normal(size=(2, 6))
for day in range(4):
    base = rng.normal(2 * day, 1, size=(5_000, 2))
    rows = pd.DataFrame(
        base @ mixing + 0.1 * rng.normal(size=(5_000, 6)),
        columns=list("abcdef"),
    )
    rows.to_parquet(folder / f"day-{day}.parquet", index=False)

# %%
# Fit
# ---
#
# ``Parquet`` reads row groups of several files in turn, and shuffles their rows in a pool. One thread prepares the next
# pool while the net trains. Here the rows follow from two numbers, so two components explain nearly all variance.

from isthmus import Autoencoder
from isthmus.data import Parquet, apply

stream = Parquet("days/day-*.parquet")
model = Autoencoder(2, max_epochs=3, random_state=0).fit(stream)
files = sorted(folder.glob("*.parquet"))
sample = pd.concat([pd.read_parquet(file)[:400] for file in files])
errors = ((model.reconstruct(sample) - sample) ** 2).sum().sum()
explained = 1 - errors / ((sample - sample.mean()) ** 2).sum().sum()
print(f"{len(stream):,} rows, explained variance of a sample: {explained:.3f}")

# %%
# Use
# ---
#
# ``apply`` writes results as it goes; a failure leaves no file.

apply(model.score_samples, stream, "scores.parquet", names=["score"])
print(pd.read_parquet("scores.parquet").describe().loc[["count", "mean"]])

# %%
# This is a map of the codes of the sample. All days are on one map, because the net has learned from all files:

import matplotlib.pyplot as plt

from isthmus import plots

fig, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
plots.code_map(model, sample, np.repeat([file.stem for file in files], 400), ax=ax)
plt.show()

# %%
# From a database
# ---------------
#
# ``Chunks`` reads any source that gives its rows in pieces. It gets a function that starts from the first piece again,
# once in each epoch.

import sqlite3

from isthmus.data import Chunks

with sqlite3.connect("rows.db") as database:
    sample.to_sql("measured", database, index=False, if_exists="replace")


def read():
    """Yield 500 rows at a time."""
    with sqlite3.connect("rows.db") as database:
        yield from pd.read_sql("select * from measured", database, chunksize=500)


rows = Chunks(read)
small = Autoencoder(2, max_epochs=3, random_state=0).fit(rows)
print(f"{len(rows):,} rows, codes of shape {small.transform(sample).shape}")

# %%
# On the command line
# -------------------
#
# The command line streams folders, patterns in quotes, and Parquet files above 256 MiB by itself:
#
# .. code-block:: console
#
#    $ isthmus fit 'days/day-*.parquet' --out m.safetensors --checkpoint progress
#    $ isthmus score m.safetensors 'days/day-*.parquet' --out scores.parquet

# %%
# What goes wrong
# ---------------
#
# - **Rows are sorted**, and each file holds one kind of row. ``Parquet`` reads files in turn and mixes them; row groups
#   of moderate size (100,000 rows) mix better than one huge group. ``Chunks`` keeps the order of its pieces, and
#   shuffles within pools of four million numbers: let the query shuffle more.
# - **The fit is killed.** ``callbacks=[Checkpoint("progress")]`` continues it, and ends with the same weights.
# - **CSV.** It has no row groups: convert it once to Parquet.
#
# See :class:`isthmus.data.Parquet`, :class:`isthmus.data.Chunks`, :func:`isthmus.data.apply`,
# :class:`isthmus.Checkpoint`.
