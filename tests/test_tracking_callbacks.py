"""Trackers get the parameters at the start, the figures of each epoch, and a clean end also after errors."""

import signal
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from isthmus import AnomalyDetector, Autoencoder
from isthmus.backbones import MLP
from isthmus.tracking import MLflow, TensorBoard, WeightsAndBiases

pytest.importorskip("mlflow")
pytest.importorskip("tensorboard")
# The trackers and their libraries warn about themselves.
pytestmark = pytest.mark.filterwarnings("ignore")

X = np.random.default_rng(0).normal(size=(80, 4))


def fit(*callbacks, **params):
    return Autoencoder(2, backbone=MLP((8,)), max_epochs=3, random_state=0, callbacks=callbacks, **params).fit(X)


def fail(state):
    if state.epoch == 2:
        raise ZeroDivisionError


def interrupt(x):
    """Press Ctrl-C in the first step, before there are weights to keep."""
    signal.raise_signal(signal.SIGINT)


# TensorBoard


def read_events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    scalars = {name: [(each.step, each.value) for each in events.Scalars(name)] for name in events.Tags()["scalars"]}
    texts = [each.tensor_proto.string_val[0].decode() for each in events.Tensors("parameters/text_summary")]
    return scalars, texts


def test_tensorboard_shows_the_history_and_the_parameters(tmp_path):
    net = fit(TensorBoard(tmp_path / "run"))
    scalars, (text,) = read_events(tmp_path / "run")
    assert set(scalars) == set(net.history_[0]) - {"epoch"}
    for name, points in scalars.items():
        assert [step for step, _ in points] == [1, 2, 3]
        np.testing.assert_allclose([value for _, value in points], [row[name] for row in net.history_], rtol=1e-6)
    assert "| backbone__hidden | (8,) |" in text
    assert "| max_epochs | 3 |" in text
    assert "callbacks" not in text


def test_tensorboard_keeps_the_epochs_before_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError):
        fit(TensorBoard(tmp_path), fail)
    assert [step for step, _ in read_events(tmp_path)[0]["loss"]] == [1, 2]


def test_each_of_several_fits_has_a_folder(tmp_path):
    net = Autoencoder(2, max_epochs=1, callbacks=(TensorBoard(tmp_path),))
    AnomalyDetector(net, calibration="cross", random_state=0).fit(X)
    folders = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(folders) > 1
    assert all(len(read_events(folder)[0]["loss"]) == 1 for folder in folders)


def test_a_folder_must_be_a_path():
    with pytest.raises(TypeError, match=r"TensorBoard.log_dir must be a str or a path, got 3"):
        TensorBoard(3)


# MLflow


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(f"file://{tmp_path}/store")
    yield mlflow
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(None)


def runs(mlflow):
    return mlflow.MlflowClient().search_runs(["0"], order_by=["attributes.start_time ASC"])


def test_mlflow_logs_to_a_run_of_its_own(mlflow):
    net = fit(MLflow("first"))
    (run,) = runs(mlflow)
    assert (run.info.run_name, run.info.status) == ("first", "FINISHED")
    assert mlflow.active_run() is None
    params = run.data.params
    assert (params["backbone__hidden"], params["max_epochs"], params["n_components"]) == ("(8,)", "3", "2")
    assert float(params["learning_rate"]) > 0  # what "auto" means
    for name in ("loss", "valid_negative_bound"):
        points = mlflow.MlflowClient().get_metric_history(run.info.run_id, name)
        assert [(each.step, each.value) for each in points] == [
            (i + 1, row[name]) for i, row in enumerate(net.history_)
        ]


def test_mlflow_logs_to_the_active_run_and_leaves_it_open(mlflow):
    with mlflow.start_run() as run:
        fit(MLflow())
        assert mlflow.active_run().info.run_id == run.info.run_id
    assert [each.data.params["max_epochs"] for each in runs(mlflow)] == ["3"]


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize(
    ("callbacks", "corruption", "error", "status"),
    [((fail,), None, ZeroDivisionError, "FAILED"), ((), interrupt, KeyboardInterrupt, "KILLED")],
)
def test_a_run_of_its_own_ends_with_the_error(callbacks, corruption, error, status, mlflow):
    with pytest.raises(error):
        fit(MLflow(), *callbacks, corruption=corruption)
    (run,) = runs(mlflow)
    assert run.info.status == status
    assert mlflow.active_run() is None


def test_each_of_several_fits_has_a_child_run(mlflow):
    net = Autoencoder(2, max_epochs=1, callbacks=(MLflow(),))
    with mlflow.start_run() as parent:
        AnomalyDetector(net, calibration="cross", random_state=0).fit(X)
    children = [run for run in runs(mlflow) if run.info.run_id != parent.info.run_id]
    assert len(children) > 1
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert len({run.info.run_name for run in children}) == len(children)


# Weights & Biases: a module that records its calls stands for the library, which needs an account


class Run:
    def __init__(self, calls):
        self.calls = calls
        self.config = SimpleNamespace(update=lambda params, **options: calls.append(("config", params, options)))

    def log(self, figures):
        self.calls.append(("log", figures))

    def finish(self, exit_code):
        self.calls.append(("finish", exit_code))


@pytest.fixture
def wandb(monkeypatch):
    module = SimpleNamespace(run=None, calls=[])
    module.init = lambda **options: module.calls.append(("init", options)) or Run(module.calls)
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


def test_wandb_logs_to_a_run_of_its_own(wandb):
    net = fit(WeightsAndBiases("digits", mode="offline"))
    init, (_, config, options), *logged, finish = wandb.calls
    assert init == ("init", {"project": "digits", "mode": "offline"})
    assert (config["max_epochs"], config["backbone__hidden"], options) == (3, "(8,)", {"allow_val_change": True})
    assert logged == [("log", row) for row in net.history_]
    assert finish == ("finish", 0)


def test_wandb_logs_to_the_active_run_and_leaves_it_open(wandb):
    wandb.run = Run(wandb.calls)
    fit(WeightsAndBiases())
    assert [name for name, *_ in wandb.calls] == ["config", "log", "log", "log"]


def test_wandb_marks_a_failed_run(wandb):
    with pytest.raises(ZeroDivisionError):
        fit(WeightsAndBiases(), fail)
    assert wandb.calls[-1] == ("finish", 1)


def test_each_of_several_fits_has_a_run_with_its_name(wandb):
    net = Autoencoder(2, max_epochs=1, callbacks=(WeightsAndBiases("digits"),))
    AnomalyDetector(net, calibration="cross", random_state=0).fit(X)
    names = [options["name"] for call, options, *_ in wandb.calls if call == "init"]
    assert len(names) == len(set(names)) > 1


# Missing libraries


@pytest.mark.parametrize(
    ("module", "callback", "sentence"),
    [
        ("torch.utils.tensorboard", TensorBoard("runs"), r'TensorBoard needs .*: pip install "isthmus\[tensorboard\]"'),
        ("mlflow.pyfunc", MLflow(), r'MLflow needs .*: pip install "isthmus\[tracking\]"'),
        ("wandb", WeightsAndBiases(), "WeightsAndBiases needs wandb: pip install wandb"),
    ],
)
def test_a_missing_library_is_named_before_the_training(module, callback, sentence, monkeypatch):
    seen = []
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=f"^{sentence}$"):
        fit(lambda state: seen.append(state.epoch), callback)
    assert seen == []
