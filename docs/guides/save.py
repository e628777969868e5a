"""
Save, load and export
=====================

A fitted model is one file. Elsewhere it is loaded by isthmus, or runs as a program without it.
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
# Export
# ------
#
# ``export`` writes a program for ONNX Runtime (``.onnx``) or torch (``.pt2``) that contains everything from the columns
# to the alarms. It compares the program with isthmus on real and on strange rows, and writes nothing if they differ.

import isthmus

certificate = isthmus.export(detector, "tumours.onnx", X=table)
print(certificate)

# %%
# The program needs neither isthmus nor torch:

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("tumours.onnx")
feeds = {port.name: table[[port.name]].to_numpy(np.float64) for port in session.get_inputs()}
score, is_anomaly = session.run(["score", "is_anomaly"], feeds)
print((is_anomaly.ravel() == (detector.predict(table) == -1)).all())

# %%
# On the command line:
#
# .. code-block:: console
#
#    $ isthmus export tumours.safetensors --to tumours.onnx --part detect --data table.csv

# %%
# What goes wrong
# ---------------
#
# - **Columns are renamed.** New rows are read by names of columns; a missing one is named in the error.
# - **The file holds data.** Categories and exemplars of training rows are inside. Think before you publish it.
# - **Own parts.** A class outside isthmus is given when loading: ``load(path, parts=[MyCode])``.
#
# See :func:`isthmus.save`, :func:`isthmus.load`, :func:`isthmus.export`.
