"""The callbacks of scikit-learn (``set_callbacks``): tasks of a fit and of its epochs."""

import pickle
import runpy
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus import Autoencoder, load, save
from isthmus.anomaly import BaggedAutoencoders
from isthmus.training import DivergenceError, fit_tasks

try:
    from sklearn.callback import ProgressBar, ScoringMonitor
except ImportError:
    pytest.skip("scikit-learn < 1.9 has no callbacks", allow_module_level=True)

X = np.random.default_rng(0).normal(size=(60, 4))
N_EPOCHS = 3
EPOCHS = [(event, "epoch", i) for i in range(N_EPOCHS) for event in ("begin", "end")]
FIT = ["setup", ("begin", "fit", 0), *EPOCHS, ("end", "fit", 0), "teardown"]


class Recorder:
    """Records the hooks, and what they get; stops after an epoch, if told so."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.events, self.contexts, self.arguments, self.fitted = [], [], [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name, context.task_id))
        self.contexts.append(context)

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.events.append(("end", context.task_name, context.task_id))
        self.arguments.append((X, y, metadata))
        self.fitted.append(fitted_estimator)
        return context.task_name == "epoch" and context.task_id == self.stop_after


class Propagated(Recorder):
    max_propagation_depth = None

    def __reduce__(self):
        return Propagated, ()


class Beginnings:
    """Records the estimators that are fitted as of the beginning of a task."""

    def __init__(self):
        self.fitted = []

    def setup(self, estimator, context):
        pass

    teardown = setup

    def on_fit_task_begin(self, estimator, context, *, fitted_estimator=None):
        self.fitted.append(fitted_estimator)

    def on_fit_task_end(self, estimator, context):
        pass


def make(**params):
    return Autoencoder(2, max_epochs=N_EPOCHS, random_state=0).set_params(**params)


def test_a_fit_is_a_task_with_a_subtask_per_epoch():
    recorder = Recorder()
    make().set_callbacks(recorder).fit(X)
    assert recorder.events == FIT
    root, *epochs = recorder.contexts
    assert (root.estimator_name, root.max_subtasks, root.parent) == ("Autoencoder", N_EPOCHS, None)
    assert all(epoch.parent is root and epoch.max_subtasks == 0 for epoch in epochs)


def test_hooks_get_the_arguments_of_fit():
    y, weight, recorder = np.arange(60), np.ones(60), Recorder()
    make().set_callbacks(recorder).fit(X, y, weight)
    for found_X, found_y, metadata in recorder.arguments:
        assert found_X is X
        assert found_y is y
        assert metadata["sample_weight"] is weight
    make().set_callbacks(recorder).fit(X)
    assert recorder.arguments[-1][1:] == (None, None)


def test_the_fitted_estimator_is_as_if_training_had_stopped():
    recorder, beginnings = Recorder(), Beginnings()
    model = make().set_callbacks(recorder, beginnings).fit(X)
    for i, fitted in enumerate(recorder.fitted[:N_EPOCHS]):
        stopped = make(callbacks=[lambda state, i=i: state.epoch == i + 1]).fit(X)
        np.testing.assert_array_equal(fitted.reconstruct(X), stopped.reconstruct(X))
        np.testing.assert_array_equal(fitted.score(X), stopped.score(X))
        assert len(fitted.history_) == i + 1
    for at_end, at_next_beginning in zip(recorder.fitted[: N_EPOCHS - 1], beginnings.fitted[2:], strict=True):
        np.testing.assert_array_equal(at_next_beginning.transform(X), at_end.transform(X))
    np.testing.assert_array_equal(recorder.fitted[-1].transform(X), model.transform(X))


def test_callbacks_do_not_change_the_fit():
    expected = make(prior="mixture").fit(X)
    model = make(prior="mixture").set_callbacks(Recorder()).fit(X)
    np.testing.assert_array_equal(model.sample(5), expected.sample(5))
    assert not [name for name in vars(model) if "ctx" in name]


def test_a_callback_stops_the_training():
    recorder = Recorder(stop_after=1)
    model = make().set_callbacks(recorder).fit(X)
    assert len(model.history_) == 2
    assert recorder.events == [*FIT[:6], *FIT[-2:]]


def test_early_stopping_ends_the_tasks():
    recorder = Recorder()
    make(callbacks=[lambda state: state.epoch == 2]).set_callbacks(recorder).fit(X)
    assert recorder.events == [*FIT[:6], *FIT[-2:]]


def test_an_error_tears_down():
    recorder = Recorder()
    with pytest.raises(DivergenceError):
        make(learning_rate=1e30).set_callbacks(recorder).fit(X)
    assert recorder.events == [*FIT[:3], "teardown"]


def test_an_interrupt_ends_the_tasks():
    def interrupt(state):
        if state.epoch == 2:
            raise KeyboardInterrupt

    recorder = Recorder()
    with pytest.warns(match="the best weights so far are kept"):
        model = make(callbacks=[interrupt]).set_callbacks(recorder).fit(X)
    assert recorder.events == [*FIT[:6], *FIT[-2:]]
    np.testing.assert_array_equal(recorder.fitted[-1].transform(X), model.transform(X))


def test_progress_bar(capsys):
    make().set_callbacks(ProgressBar()).fit(X)
    assert "Autoencoder - fit" in (shown := capsys.readouterr().out)
    assert "100%" in shown


def score_bound(model, X, y):
    return {"bound": model.score(X)}


def test_scoring_monitor():
    monitor = ScoringMonitor(scoring=score_bound)
    model = make().set_callbacks(monitor).fit(X, np.zeros(60))
    rows = monitor.get_logs().data
    assert [row["task_name"] for row in rows] == ["fit"] + ["epoch"] * N_EPOCHS
    assert rows[0]["bound"] == model.score(X)


def test_pipelines_propagate():
    recorder = Propagated()
    make_pipeline(StandardScaler(), make()).set_callbacks(recorder).fit(X)
    assert [event for event in recorder.events if event[1] == "epoch"] == EPOCHS
    assert recorder.events.count("setup") == recorder.events.count("teardown") == 1
    fit = next(context for context in recorder.contexts if context.estimator_name == "Autoencoder")
    assert (fit.source_estimator_name, fit.max_subtasks) == ("Pipeline", N_EPOCHS)


@pytest.mark.parametrize("kind", [GridSearchCV, HalvingRandomSearchCV])
def test_searches_propagate(kind):
    recorder = Propagated()
    if kind is GridSearchCV:
        search = GridSearchCV(make(), {"max_epochs": [2, 3]}, cv=2)
        n_epochs = 2 * (2 + 3) + 3
    else:
        halving = {"resource": "max_epochs", "min_resources": 1, "max_resources": 2, "factor": 2, "cv": 2}
        search = HalvingRandomSearchCV(make(), {"learning_rate": [1e-4, 1e-2]}, random_state=0, **halving)
        n_epochs = 2 * (2 * 1 + 2) + 2
    search.set_callbacks(recorder).fit(X)
    epochs = [event for event in recorder.events if event[1] == "epoch"]
    assert len(epochs) == 2 * n_epochs
    assert not hasattr(search.best_estimator_, "_skl_callbacks")


def test_an_autoencoder_inside_another_estimator_calls_its_callbacks():
    recorder = Recorder()
    BaggedAutoencoders(make().set_callbacks(recorder), n_estimators=2).fit(X)
    assert recorder.events == FIT


def test_partial_fit_calls_no_callbacks():
    recorder = Recorder()
    make().set_callbacks(recorder).partial_fit(X).partial_fit(X)
    assert recorder.events == []


def test_clones_share_callbacks_and_files_have_none(tmp_path):
    recorder = Recorder()
    model = make().set_callbacks(recorder)
    clone(model).fit(X)
    model.fit(X)
    assert recorder.events == FIT * 2
    save(model, tmp_path / "model.safetensors")
    assert not hasattr(load(tmp_path / "model.safetensors"), "_skl_callbacks")


def test_pickles_keep_callbacks(capsys):
    model = make().set_callbacks(ProgressBar(), ScoringMonitor(scoring=score_bound)).fit(X, np.zeros(60))
    restored = pickle.loads(pickle.dumps(model)).fit(X, np.zeros(60))
    assert len(restored._skl_callbacks[1].get_logs(select="all")) == 2
    assert capsys.readouterr().out.count("Autoencoder - fit") == 2


def test_an_older_scikit_learn_has_no_callbacks(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    names = runpy.run_path(fit_tasks.__file__)
    assert not hasattr(names["CallbackSupportMixin"], "set_callbacks")
    assert names["with_callbacks"](test_progress_bar) is test_progress_bar
