"""
Export and serve
================

A model leaves the notebook: alarms are wanted in a service, in another language, or on a machine where neither isthmus
nor torch may be installed. ``export`` writes a program that contains everything, from your columns to the alarms.
"""

# %%
# A detector
# ----------

import pandas as pd
from sklearn.datasets import load_breast_cancer

from isthmus import AnomalyDetector, zoo

data = load_breast_cancer(as_frame=True)
table = data.data.iloc[:, :10]
benign = table[data.target == 1]
net = zoo.vae(4, max_epochs=30, random_state=0)
detector = AnomalyDetector(net, fpr=0.05, calibration="split", random_state=0).fit(
    benign
)

# %%
# Export
# ------
#
# The suffix chooses the format: ``.onnx`` for ONNX Runtime, which runs in many languages, and ``.pt2`` for torch.

import isthmus

certificate = isthmus.export(detector, "alarms.onnx", X=table)
print(certificate)

# %%
# Before it writes, ``export`` runs the program and isthmus on the same rows: on yours, on single rows, and on strange
# ones. If numbers differ by more than 1e-4, or one decision differs, there is no file. The certificate tells what was
# compared; it is also written beside the program, as ``alarms.certificate.json``.

for check in certificate.checks:
    print(f"{check.rows:14} {check.n_rows:4} rows  difference {check.difference:.0e}")

# %%
# Missing cells are alarms here, in the program too, because no training row has any. A plain autoencoder refuses such
# rows; its certificate then says so in a note. A program cannot refuse: check your input before.
#
# The other parts are ``"encoder"``, ``"decoder"``, ``"reconstruct"`` and ``"score"``. On the command line:
#
# .. code-block:: console
#
#    $ isthmus export detector.safetensors --to alarms.onnx --part detect --data table.csv
#    $ isthmus export model.safetensors --to encoder.onnx --part encoder --precision int8
#
# ``precision="int8"`` or ``"float16"`` stores the weights in fewer bits. The certificate says what this costs.

# %%
# Without isthmus
# ---------------
#
# The next program needs NumPy and ONNX Runtime only. It runs here in another process, which proves it.

import json
import subprocess
import sys

PROGRAM = """
import json, sys
import numpy as np, onnxruntime

session = onnxruntime.InferenceSession("alarms.onnx")
rows = json.load(sys.stdin)
names = [port.name for port in session.get_inputs()]
feeds = {name: np.array(rows[name], np.float64)[:, None] for name in names}
score, alarm = session.run(["score", "is_anomaly"], feeds)
json.dump({"score": score.ravel().tolist(), "alarm": alarm.ravel().tolist()}, sys.stdout)
assert not {"isthmus", "torch", "sklearn"} & set(sys.modules)
"""
asked = json.dumps(table.to_dict(orient="list"))
done = subprocess.run(
    [sys.executable, "-c", PROGRAM],
    input=asked,
    capture_output=True,
    text=True,
    check=True,
)
answer = pd.DataFrame(json.loads(done.stdout))
print(answer.head(3))

# %%
# Its scores are those of the detector, and so are its alarms:

import matplotlib.pyplot as plt

scores, alarms = detector.score_samples(table), detector.predict(table) == -1
fig, ax = plt.subplots(figsize=(4.5, 4), layout="constrained")
for label, chosen in {"normal": ~alarms, "alarm": alarms}.items():
    ax.plot(scores[chosen], answer["score"][chosen], "o", markersize=3, label=label)
ax.set(
    xlabel="score by isthmus",
    ylabel="score by the program",
    xscale="symlog",
    yscale="symlog",
)
ax.legend(frameon=False)
plt.show()
print("equal alarms:", (answer["alarm"] == alarms).all())

# %%
# As a service
# ------------
#
# A service loads the program once, and answers requests. This one needs the standard library only. It answers rows in
# the form above, and says what is missing instead of failing.

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("alarms.onnx")
COLUMNS = [port.name for port in session.get_inputs()]


class Service(BaseHTTPRequestHandler):
    """Answers rows in JSON with scores and alarms."""

    def do_POST(self):
        """Answer one request."""
        try:
            rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            feeds = {
                name: np.array(rows[name], np.float64)[:, None] for name in COLUMNS
            }
            if not all(np.isfinite(values).all() for values in feeds.values()):
                raise ValueError("values must be finite")
            score, alarm = session.run(["score", "is_anomaly"], feeds)
            self.answer(
                200, {"score": score.ravel().tolist(), "alarm": alarm.ravel().tolist()}
            )
        except (KeyError, TypeError, ValueError) as error:
            self.answer(400, {"error": f"{type(error).__name__}: {error}"})

    def answer(self, status, content):
        """Send JSON."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *args):
        """Write no log."""


# %%
# Ask it for two rows, and for a row without its columns:

from threading import Thread
from urllib.error import HTTPError
from urllib.request import urlopen

server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
print(
    urlopen(address, json.dumps(table[:2].to_dict(orient="list")).encode())
    .read()
    .decode()
)
try:
    urlopen(address, b"{}")
except HTTPError as error:
    print(error.code, error.read().decode())
server.shutdown()

# %%
# If Python with isthmus may run there, `MLflow <https://mlflow.org>`_ serves the model itself, with the types of the
# columns checked (``pip install 'isthmus[tracking]'``; not run here):
#
# .. code-block:: python
#
#    import mlflow
#    from isthmus.tracking import log_model
#
#    mlflow.set_tracking_uri("sqlite:///mlflow.db")
#    with mlflow.start_run():
#        log_model(detector, input_example=table[:5])
#
# .. code-block:: console
#
#    $ mlflow models serve --model-uri runs:/<run>/model --env-manager local --port 8000

# %%
# What goes wrong
# ---------------
#
# - **The program gets other columns.** Each column is an input with its name; the order does not matter. Texts are
#   inputs of strings, dates are microseconds since 1970.
# - **Missing cells.** Send NaN for numbers and "" for texts, but only if the training rows had missing cells too.
# - **The threshold is old.** It is part of the program. After ``calibrate``, export again.
# - **It cannot be exported.** ``SlidingWindows``, ``SeriesImputer`` and detectors with estimators of other libraries
#   cannot; :func:`isthmus.save` keeps them in a file, see :doc:`save`.
# - **The file reveals rows.** A default detector of tables contains training rows. Think before you publish it.
#
# See :func:`isthmus.export`, :class:`isthmus.exporting.Certificate`, :func:`isthmus.exporting.register_converters` for
# pipelines of scikit-learn, and :mod:`isthmus.tracking`.
