"""
Reduce rows to a few numbers
============================

Rows with many columns are hard to plot, slow to search and costly to store. The encoder turns each row into a short
code. Codes of two numbers are a map.
"""

# %%
# Codes
# -----
#
# The table has 30 measurements of 569 tumours. Columns need no scaling.

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from isthmus import Autoencoder

data = load_breast_cancer(as_frame=True)
train, test, _, diagnosis = train_test_split(
    data.data, data.target, test_size=0.3, random_state=0
)
model = Autoencoder(2, random_state=0).fit(train)
codes = model.transform(test)
print(codes.shape)

# %%
# On the command line:
#
# .. code-block:: console
#
#    $ isthmus fit table.csv --set n_components=2 --out m.safetensors
#    $ isthmus transform m.safetensors table.csv --out codes.csv

# %%
# A map
# -----
#
# ``plots.code_map`` draws codes. Codes of more than two numbers are projected; ``latent.map2d`` has the choices.

import matplotlib.pyplot as plt

from isthmus import plots

fig, ax = plt.subplots(figsize=(5, 4), layout="constrained")
plots.code_map(model, test, data.target_names[diagnosis], ax=ax)
plt.show()

# %%
# Is it good?
# -----------
#
# ``judge`` compares reconstructions of rows that the model has not seen with those of PCA with two components. Here the
# two errors are similar: the columns depend on each other almost linearly.

from isthmus.baselines import judge

print(judge(model, train, test, random_state=0)[0])

# %%
# A second question is whether neighbours stay neighbours. Trustworthiness is 1 if the nearest codes are those of the
# nearest rows.

from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

scaler = StandardScaler().fit(train)
components = make_pipeline(StandardScaler(), PCA(2)).fit(train).transform(test)
for name, numbers in {"autoencoder": codes, "PCA": components}.items():
    print(f"{name:12} {trustworthiness(scaler.transform(test), numbers):.3f}")

# %%
# What goes wrong
# ---------------
#
# - **PCA is as good.** Relations between columns are nearly linear, or rows are few. Then use PCA, or ``zoo.linear``.
# - **Distances on the map mean little.** A net stretches some regions and shrinks others. Clusters on a map are a hint,
#   and a test on the original columns is the proof.
# - **One column dominates.** It has values far from all others: see :doc:`prepare`.
#
# See :class:`isthmus.Autoencoder`, :func:`isthmus.plots.code_map` and :func:`isthmus.latent.map2d`.
