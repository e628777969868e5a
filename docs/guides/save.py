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
# What goes wrong
# ---------------
#
# - **Columns are renamed.** New rows are read by names of columns; a missing one is named in the error.
# - **The file holds data.** Categories and exemplars of training rows are inside. Think before you publish it.
# - **Own parts.** A class outside isthmus is given when loading: ``load(path, parts=[MyCode])``.
#
# See :func:`isthmus.save`, :func:`isthmus.load`, and :mod:`isthmus.hub` to share models.
