"""Pipelines of scikit-learn that contain estimators of isthmus, as ONNX programs."""

import sys

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
from conftest import rows_for
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from isthmus import AnomalyDetector, zoo
from isthmus.exporting import programs, register_converters

FAST = {"max_epochs": 2, "random_state": 0}
X = rows_for("vae")
LABELS = np.arange(len(X)) % 2
TABLE = pd.DataFrame({"width": X[:, 0], "height": X[:, 1], "city": np.where(LABELS, "Rome", "Oslo")})


@pytest.fixture(autouse=True)
def converters():
    register_converters()


def run(pipeline, rows, **options):
    """Return the outputs for rows, of which the program has seen the first only."""
    program = skl2onnx.to_onnx(pipeline, rows[:1], **options)
    session = onnxruntime.InferenceSession(program.SerializeToString())
    columns = {"X": rows} if isinstance(rows, np.ndarray) else {name: rows[[name]].to_numpy() for name in rows}
    return session.run(None, columns)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_codes_of_scaled_rows(dtype):
    pipeline = make_pipeline(StandardScaler(), zoo.vae(2, **FAST)).fit(X)
    (codes,) = run(pipeline, X.astype(dtype))
    np.testing.assert_allclose(codes, pipeline.transform(X.astype(dtype)), rtol=1e-4, atol=1e-5)


def test_double_precision_is_kept():
    pipeline = make_pipeline(StandardScaler(), zoo.vae(2, precision="float64", **FAST)).fit(X)
    (codes,) = run(pipeline, X)
    np.testing.assert_allclose(codes, pipeline.transform(X), rtol=1e-9)


def test_codes_are_features_of_a_classifier():
    pipeline = make_pipeline(StandardScaler(), zoo.vae(3, **FAST), LogisticRegression()).fit(X, LABELS)
    labels, probabilities = run(pipeline, X, options={"zipmap": False})
    np.testing.assert_allclose(probabilities, pipeline.predict_proba(X), rtol=1e-4)
    np.testing.assert_array_equal(labels, pipeline.predict(X))


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_prepared_columns(output):
    prepare = make_column_transformer(
        (StandardScaler(), ["height", "width"]), (OneHotEncoder(sparse_output=False), ["city"])
    )
    pipeline = make_pipeline(prepare.set_output(transform=output), zoo.vae(2, **FAST)).fit(TABLE)
    (codes,) = run(pipeline, TABLE)
    np.testing.assert_allclose(codes, pipeline.transform(TABLE), rtol=1e-4, atol=1e-5)


def test_columns_without_preparation():
    model = zoo.tabular_vae(2, n_clusters=2, **FAST)
    pipeline = make_pipeline(model, LogisticRegression()).fit(TABLE, LABELS)
    _, probabilities = run(pipeline, TABLE[["city", "width", "height"]], options={"zipmap": False})
    np.testing.assert_allclose(probabilities, pipeline.predict_proba(TABLE), rtol=1e-4)


def test_alarms_of_scaled_rows():
    detector = AnomalyDetector(zoo.vae(2, **FAST), fpr=0.1, calibration="split", random_state=0)
    pipeline = make_pipeline(StandardScaler(), detector).fit(X)
    far = np.where(np.arange(len(X))[:, None] % 3, X, 3 * X)
    labels, scores = run(pipeline, far)
    assert set(labels) == {-1, 1}
    np.testing.assert_array_equal(labels, pipeline.predict(far))
    np.testing.assert_allclose(scores, pipeline.decision_function(far), rtol=1e-4, atol=1e-4)


def test_what_cannot_be_converted_is_refused(monkeypatch):
    pipeline = make_pipeline(StandardScaler(), zoo.vae(2, **FAST)).fit(X)
    with pytest.raises(ValueError, match=r"estimators of isthmus need target_opset >= \d+, got 15"):
        run(pipeline, X, target_opset=15)
    table = make_pipeline(zoo.tabular_vae(2, n_clusters=2, **FAST)).fit(TABLE)
    with pytest.raises(ValueError, match=r"the inputs \['width', 'height'\] lack the column 'city' of Autoencoder"):
        run(table, TABLE[["width", "height"]])
    forward = programs.Encode.forward
    monkeypatch.setattr(programs.Encode, "forward", lambda self, x: 1.01 * forward(self, x))
    with pytest.raises(ValueError, match="the exported program differs from isthmus"):
        run(pipeline, X)


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'isthmus\[export\]'"):
        register_converters()
