"""Models in MLflow: signature, outputs, no pickle."""

import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest

from isthmus import AnomalyDetector, Autoencoder, Decoder
from isthmus.tracking import log_model

mlflow_skinny = pytest.importorskip("mlflow")
# MLflow and its libraries warn about themselves.
pytestmark = pytest.mark.filterwarnings("ignore")

X = np.random.default_rng(0).normal(size=(80, 4))


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(f"file://{tmp_path}/store")
    yield mlflow
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(None)


def log(mlflow, model, **options):
    with mlflow.start_run():
        return mlflow.pyfunc.load_model(log_model(model, **options).model_uri)


@pytest.fixture(scope="module")
def model():
    return Autoencoder(2, max_epochs=1, random_state=0).fit(X)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    days = pd.to_timedelta(rng.integers(0, 99, 80), unit="D")
    columns = {"size": X[:, 0], "count": rng.integers(0, 50, 80), "kind": rng.choice(["x", "y"], 80)}
    return pd.DataFrame({**columns, "day": pd.Timestamp("2024-01-01") + days, "new": rng.random(80) > 0.5})


@pytest.fixture(scope="module")
def detector(table):
    net = Autoencoder(2, max_epochs=1)
    return AnomalyDetector(net, calibration="split", random_state=0).fit(table.mask(table == table.iloc[7]))


def test_a_logged_model_gives_each_of_its_outputs(mlflow, model):
    served = log(mlflow, model, input_example=X[:5])
    outputs = {"codes": model.transform, "reconstruction": model.reconstruct, "scores": model.score_samples}
    np.testing.assert_array_equal(served.predict(X), model.transform(X))
    for output, method in outputs.items():
        np.testing.assert_array_equal(served.predict(X, params={"output": output}), method(X))


def test_a_detector_gives_alarms_by_default(mlflow, detector, table):
    far = table.assign(size=table["size"] + 100.0 * (table.index < 3))
    served = log(mlflow, detector, input_example=table[:5])
    np.testing.assert_array_equal(served.predict(far), detector.predict(far) == -1)
    assert served.predict(far)[:3].all()
    np.testing.assert_array_equal(served.predict(far, params={"output": "p_values"}), detector.p_values(far))


def test_the_default_output_can_be_chosen(mlflow, detector, table):
    served = log(mlflow, detector, input_example=table[:5], output="scores")
    np.testing.assert_array_equal(served.predict(table), detector.score_samples(table))


def test_codes_are_decoded(mlflow, model):
    served = log(mlflow, Decoder(model), input_example=model.transform(X[:2]))
    np.testing.assert_array_equal(served.predict(model.transform(X)), model.inverse_transform(model.transform(X)))


@pytest.mark.parametrize("column", ["size", "count", "kind", "day", "new"])
def test_the_signature_accepts_missing_cells_of_every_kind(column, mlflow, detector, table):
    served = log(mlflow, detector, input_example=table[:5])
    frame = table.copy()
    frame[column] = table[column].where(table.index != 5, None)
    assert frame[column].isna().sum() == 1
    scores = served.predict(frame, params={"output": "scores"})
    np.testing.assert_array_equal(scores, detector.score_samples(frame))
    assert scores[5] != detector.score_samples(table)[5]


def test_an_example_of_another_library_is_converted(mlflow, detector, table):
    served = log(mlflow, detector, input_example=pl.from_pandas(table[:5]))
    assert served.metadata.signature.inputs.input_names() == list(table)
    np.testing.assert_array_equal(served.predict(table), detector.predict(table) == -1)


def test_the_model_has_no_pickle_and_no_code(mlflow, model, tmp_path):
    log(mlflow, model, input_example=X[:5])
    endings = {path.suffix for path in tmp_path.rglob("artifacts/**/*") if path.is_file()}
    assert endings <= {".safetensors", ".json", ".txt", ".yaml", ""}
    described = next(tmp_path.rglob("MLmodel")).read_text()
    assert "loader_module: isthmus.tracking.pyfunc" in described
    assert "isthmus==" in next(tmp_path.rglob("requirements.txt")).read_text()


def test_the_estimator_can_be_had_back_on_a_device(mlflow, model):
    with mlflow.start_run():
        address = log_model(model, "net", input_example=X[:5]).model_uri
    served = mlflow.pyfunc.load_model(address, model_config={"device": "cpu"})
    assert isinstance(served.get_raw_model(), Autoencoder)


def test_an_output_that_the_estimator_lacks_is_refused(mlflow, model, detector):
    message = "output must be one of codes, scores, imputation, reconstruction, values for Autoencoder, got 'alarms'"
    with mlflow.start_run(), pytest.raises(ValueError, match=f"^{message}$"):
        log_model(model, input_example=X[:5], output="alarms")
    served = log(mlflow, model, input_example=X[:5])
    with pytest.raises(ValueError, match=message):
        served.predict(X, params={"output": "alarms"})


def test_without_mlflow_the_extra_is_named(monkeypatch, model):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setitem(sys.modules, "mlflow.pyfunc", None)
    with pytest.raises(ImportError, match=r'^MLflow needs mlflow or mlflow-skinny: pip install "isthmus\[tracking\]"$'):
        log_model(model, input_example=X[:5])
