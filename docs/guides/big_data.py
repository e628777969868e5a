"""
Data larger than memory
=======================

A folder of Parquet files does not fit into memory. It is read in pieces, shuffled, and results are written in pieces.
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
# Codes of the sample. Each file has its place on the map, and none was learned alone:

import matplotlib.pyplot as plt

from isthmus import plots

fig, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
plots.code_map(model, sample, np.repeat([file.stem for file in files], 400), ax=ax)
plt.show()

# %%
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
# - **Files are sorted**, and each holds one kind of row. Reading them in turn mixes them; row groups of moderate size
#   (100,000 rows) mix better than one huge group.
# - **The fit is killed.** ``callbacks=[Checkpoint("progress")]`` continues it, and ends with the same weights.
# - **CSV.** It has no row groups: convert it once to Parquet.
#
# See :class:`isthmus.data.Parquet`, :class:`isthmus.data.Chunks`, :func:`isthmus.data.apply`,
# :class:`isthmus.Checkpoint`.
