"""
Save and load
=============

A fitted model is one file. Elsewhere it is loaded by isthmus; a program that runs without isthmus is described in
:doc:`serve`.
"""

# %%
# Save and load
# -------------
#
# The file holds numbers and plain text in the safetensors format, and no pickle: loading runs no code from the file.
# Results of the loaded model are equal in every bit.

from sklearn.datasets import load_breast_cancer

from isthmus import AnomalyDetector, load, save

table = load_breast_cancer(as_frame=True).data.iloc[:, :10]
detector = AnomalyDetector(fpr=0.01, random_state=0).fit(table)
save(detector, "tumours.safetensors")
same = load("tumours.safetensors")
print((same.score_samples(table) == detector.score_samples(table)).all())

# %%
# On the command line, a model file shows its parameters and columns, and serves new rows:
#
# .. code-block:: console
#
#    $ isthmus info tumours.safetensors
#    $ isthmus score tumours.safetensors table.csv --out scores.csv

# %%
# Send codes
# ----------
#
# One machine writes codes, another one decodes them. The decoder alone is enough there: it is a smaller file, and it
# cannot encode. Here are 200 images of 64 pixels as 8 numbers each.

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from isthmus import Autoencoder, Decoder

images = load_digits().images.astype("uint8")
model = Autoencoder(8, random_state=0).fit(images[200:])
np.save("codes.npy", model.transform(images[:200]).astype("float16"))
save(model, "whole.safetensors")
save(Decoder(model), "decoder.safetensors")
for name in ("whole.safetensors", "decoder.safetensors", "codes.npy"):
    print(f"{name:20} {Path(name).stat().st_size / 1024:5.0f} KiB")

# %%
# The next block needs these two files only, and could run elsewhere:

import matplotlib.pyplot as plt

from isthmus import plots

rebuilt = load("decoder.safetensors").inverse_transform(np.load("codes.npy"))
fig, ax = plt.subplots(figsize=(7, 1.6), layout="constrained")
plots.images({"original": images[:12], "decoded": rebuilt[:12]}, ax=ax)
plt.show()

# %%
# What goes wrong
# ---------------
#
# - **Columns are renamed.** New rows are read by names of columns; a missing one is named in the error.
# - **The file holds data.** Categories and exemplars of training rows are inside. Think before you publish it.
# - **Another version.** A file of a newer version is refused with a sentence that says so. Keep the version of isthmus
#   with the model: ``isthmus info`` shows which one wrote it.
# - **Own parts.** A class outside isthmus is given when loading: ``load(path, parts=[MyCode])``.
#
# See :func:`isthmus.save`, :func:`isthmus.load`, :class:`isthmus.Decoder`, and :mod:`isthmus.hub` to share models.
