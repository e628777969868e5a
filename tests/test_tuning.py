"""Search for parameters: spaces, the split in three, first trials, stopping, storage, bad input."""

import signal
from dataclasses import FrozenInstanceError
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV

from isthmus import AnomalyDetector, Autoencoder, BaggedAutoencoders, SeriesImputer, SlidingWindows, zoo
from isthmus.backbones import MLP
from isthmus.baselines import compare
from isthmus.baselines.judging import row_errors
from isthmus.baselines.reconstruction import Task, Training, read_values, sum_cell_errors
from isthmus.bottlenecks import Gaussian
from isthmus.data import Chunks, Texts, Windows, as_source
from isthmus.suggesting.contests import CONTESTS, Split
from isthmus.tuning import Choice, Layers, Range, Space, read_space, search_space, tune
from isthmus.tuning.confirmation import choose_finalists, judge_again
from isthmus.tuning.result import Trial, estimate_gain
from isthmus.tuning.rows import split_rows
from isthmus.tuning.study import N_WITHOUT_GAIN, has_stalled

optuna = pytest.importorskip("optuna")


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return np.tanh(rng.normal(size=(300, 2)) @ rng.normal(size=(2, 6))) + 0.05 * rng.normal(size=(300, 6))


def make_net(**params):
    return Autoencoder(2, backbone=MLP((16,)), max_epochs=3, random_state=0, **params)


RATES = {"learning_rate": Range(1e-4, 1e-1, log=True)}


# Spaces


def test_a_trial_gets_the_values_that_were_encoded():
    space = Space({"a": Range(1, 8), "b": Range(0.1, 10.0, log=True), "c": ["x", None, (1, 2)], "d": Layers(8, 64)})
    params = {"a": 3, "b": 0.25, "c": (1, 2), "d": (32, 16)}
    assert space.ask(optuna.trial.FixedTrial(space.encode(params))) == params


def test_values_outside_a_space_become_the_nearest_of_it():
    space = Space({"a": Range(2, 8), "d": Layers(8, 64, depth=2), "c": [1, 2]})
    assert space.encode({"a": 99, "d": (500, 100, 50), "c": 3}) == {"a": 8, "d.width": 64, "d.depth": 2}


def test_the_default_space_has_the_default_in_the_middle(X):
    space = search_space(zoo.vae(3), X, code_size=True)
    assert list(space) == [
        "bottleneck__beta",
        "n_components",
        "learning_rate",
        "backbone__hidden",
        "batch_size",
        "weight_decay",
        "backbone__dropout",
    ]
    assert space["n_components"] == Range(1, 5, log=True)  # at most one less than the number of values
    assert space["bottleneck__beta"] == Range(0.1, 10.0, log=True)
    assert space["backbone__hidden"] == Layers(32, 512)
    rate = space["learning_rate"]
    assert np.sqrt(rate.low * rate.high) == pytest.approx(1 / 128)
    assert str(space).splitlines()[3] == "backbone__hidden  = {low = 32, high = 512, depth = 3}"


@pytest.mark.parametrize(
    "name", sorted(set(zoo.__all__) - {"conditional_vae", "topic_model", "mult_vae", "sequence_vae"})
)
def test_every_variant_has_a_space_of_its_own_parameters(name, X):
    images = name in ("convolutional", "recurrent", "tcn")
    net = getattr(zoo, name)(8)
    space = search_space(net, X[:, None] if images else X)
    space.check(net)
    assert {"learning_rate", "batch_size", "weight_decay"} <= set(space)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (lambda: Range(2, 1), "Range must have low < high, got low=2, high=1"),
        (lambda: Range(0, 1, log=True), "0 < low < high"),
        (lambda: Choice([1, 1]), "at least two different values"),
        (lambda: Layers(8, 8), "0 < low < high"),
        (lambda: Space({"a": {"low": 1}}), r"space\['a'\]: a Range needs 'high'"),
        (lambda: Space({"a": {"low": 1, "high": "x"}}), r"space\['a'\]: high of a Range must be of type .*, got 'x'"),
        (lambda: Space({"a": {"low": 2, "high": 1}}), r"space\['a'\]: Range must have low < high"),
        (lambda: Space({"a": {"low": 1, "high": 2, "step": 1}}), r"space\['a'\]: a Range has no 'step'"),
        (lambda: Space({"a": 3}), r"space\['a'\] must be a Range, Layers or a list of values, got 3"),
    ],
)
def test_values_of_a_space_must_be_valid(values, message):
    with pytest.raises(ValueError, match=message):
        values()


@pytest.mark.parametrize("name", ["vae", "convolutional", "tabular_vae", "vq_vae"])
def test_a_printed_space_is_read_back_exactly(name, X, tmp_path):
    space = search_space(getattr(zoo, name)(3), X[:, None] if name == "convolutional" else X, code_size=True)
    path = tmp_path / "space.toml"
    path.write_text(str(space))
    assert read_space(path) == space


def test_a_space_of_json_is_the_same(tmp_path):
    path = tmp_path / "space.json"
    path.write_text(
        '{"learning_rate": {"low": 1e-4, "high": 0.1, "log": true}, "backbone__hidden": {"low": 8, "high": 64, '
        '"depth": 2}, "backbone__norm": [null, "layer"], "backbone__channels": [[4, 8], [8, 16]]}'
    )
    assert read_space(path) == {
        "learning_rate": Range(1e-4, 0.1, log=True),
        "backbone__hidden": Layers(8, 64, 2),
        "backbone__norm": Choice([None, "layer"]),
        "backbone__channels": Choice([(4, 8), (8, 16)]),
    }


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("space.toml", "a = 1,", "is not a space of parameters: .*line 1"),
        ("space.json", "[1, 2]", "is not a space of parameters: the file must be an object of parameters"),
        ("space.toml", "a = 3", r"is not a space of parameters: space\['a'\] must be a Range, Layers or a list"),
        ("space.toml", "a = [1]", r"is not a space of parameters: space\['a'\]: Choice must have at least two"),
        ("space.yaml", "", "must end in one of .toml, .json, got"),
    ],
)
def test_a_file_that_is_no_space_is_refused_in_one_sentence(name, text, words, tmp_path):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=words) as found:
        read_space(path)
    assert str(path) in str(found.value)
    assert "\n" not in str(found.value)


def test_a_range_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Range(1, 2).low = 0


# The split in three


def test_the_split_is_disjoint_and_keeps_an_incomplete_row_for_fits():
    X = np.arange(100.0)[:, None] + np.zeros(2)
    X[37, 0] = np.nan
    seen = [split_rows(X, np.arange(100), seed) for seed in range(20)]
    for split in seen:
        assert sorted([*split.X[:, 1], *split.X_judged[:, 1]]) == list(range(100))
        np.testing.assert_array_equal(split.y_judged, split.X_judged[:, 1])
        assert 37 in split.X[:, 1]
        assert len(split.X_judged) in (19, 20)


@pytest.mark.parametrize("container", [np.asarray, lambda X: pd.DataFrame(X, columns=list("abcdef")), as_source])
def test_rows_that_judge_have_no_influence_on_fits(container, X):
    """The judged rows are replaced by others of a thousand times the size; the fits of all trials do not change."""
    judged = next(as_source(split_rows(container(X), None, 0).X_judged).batches(99)).x.numpy()
    positions = np.flatnonzero(np.isin(X[:, 0], judged[:, 0]))
    poisoned = X.copy()
    poisoned[positions] *= 1e3
    assert len(positions) == 60

    def search(rows):
        seen = []

        def measure(net, X, y):
            seen.append([(row["loss"], row["valid_negative_bound"]) for row in net.history_])
            return np.arange(float(len(X)))

        tune(make_net(), container(rows), space=RATES, n_trials=3, measure=measure, random_state=0)
        return seen

    assert search(X) == search(poisoned)
    assert len(search(X)) == 3


def test_labels_of_rows_that_judge_have_no_influence_on_fits(X):
    y = np.where(X[:, 0] > 0, "high", "low")
    judged = split_rows(np.arange(300)[:, None], None, 0).X_judged[:, 0]
    poisoned = y.copy()
    poisoned[judged] = "low"
    seen = []

    def measure(net, X, y):
        seen.append(([row["loss"] for row in net.history_], y.tolist()))
        return np.zeros(len(X))

    net = zoo.conditional_vae(2, backbone=MLP((8,)), max_epochs=2, random_state=0)
    for labels in (y, poisoned):
        tune(net, X, labels, space=RATES, n_trials=2, measure=measure, random_state=0)
    assert seen[0][0] == seen[2][0]
    assert seen[1][0] == seen[3][0]
    assert seen[2][1] == ["low"] * len(judged) != seen[0][1]


def test_windows_that_judge_are_disjoint_from_those_of_fits():
    split = split_rows(Windows(np.arange(400.0), 8), None, 0)
    used, judged = (
        np.concatenate([batch.x.numpy().ravel() for batch in rows.batches(99)]) for rows in (split.X, split.X_judged)
    )
    assert not set(used) & set(judged)


KINDS = {
    "images": lambda rng: (zoo.convolutional(2, channels=(4, 8)), rng.integers(0, 255, (60, 8, 8)).astype(np.uint8)),
    "series of different lengths": lambda rng: (zoo.recurrent(2), [rng.normal(size=(2, 5 + i % 3)) for i in range(60)]),
    "sparse rows": lambda rng: (zoo.mult_vae(2), sparse.csr_array(rng.poisson(1.0, (60, 9)).astype(float))),
    "texts": lambda rng: (zoo.sequence_vae(2), Texts(["the cat sat", "a dog ran far", "birds fly"] * 20, size=40)),
    "windows": lambda rng: (zoo.tcn(2), Windows(np.sin(np.arange(400) / 5), 8)),
    "stream": lambda rng: (zoo.vae(2), Chunks(lambda: np.arange(800.0).reshape(4, 50, 4))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_every_kind_are_split_and_judged(kind):
    net, rows = KINDS[kind](np.random.default_rng(0))
    space = {"learning_rate": [1e-3, 1e-2]}
    result = tune(net.set_params(max_epochs=1), rows, space=space, n_trials=1, random_state=0)
    assert np.isfinite(result.trials[0].scores).all()
    assert len(result.trials[0].scores) >= 10


# Measures


def test_errors_of_rows_have_the_mean_of_the_comparison_with_baselines(X):
    net = make_net().fit(X[:200])
    errors = row_errors(net, Training.of(as_source(X[:200])), X[200:], 0)
    assert errors.shape == (100,)
    assert errors.mean() == pytest.approx(compare(net, X[:200], X[200:])["model"])


def test_errors_of_categories_are_relative_to_those_of_the_most_frequent_category():
    frame = pd.DataFrame({"n": np.linspace(0, 1, 100), "c": ["a", "b", "b", "b"] * 25})
    net = make_net().fit(frame)
    rebuilt = net.reconstruct(frame)
    expected = ((frame.n - rebuilt.n) / frame.n.std(ddof=0)) ** 2 + (frame.c != rebuilt.c) / 0.25
    errors = row_errors(net, Training.of(as_source(frame, net.schema_)), frame, 0)
    np.testing.assert_allclose(errors, expected / 2, rtol=1e-4)


def test_a_search_and_a_leaderboard_order_models_by_the_same_errors():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"n": rng.normal(size=200), "c": rng.choice(["a", "b", "c"], 200, p=[0.8, 0.1, 0.1])})
    train, test = as_source(frame).take(np.arange(150)), as_source(frame).take(np.arange(150, 200))
    contest = CONTESTS["reduce"](Split(train, test, None, None, 1, 0))
    training = Training.of(train)
    typical = np.broadcast_to(training.typical, (50, 2))
    unit = sum_cell_errors(training, Task(*[read_values(test)] * 2), typical).mean()
    for epochs in (1, 20):
        net = make_net().set_params(max_epochs=epochs).fit(train)
        assert contest.judge(net) == pytest.approx(row_errors(net, training, test, 0).mean() / unit)


def test_bounds_of_rows_have_the_mean_of_the_score(X):
    net = make_net(bottleneck="gaussian").fit(X)
    assert net.bounds(X).shape == (300,)
    assert net.bounds(X).mean() == net.score(X)


@pytest.mark.parametrize(("name", "words"), [("vae", "nats"), ("autoencoder", "mean error"), ("imputer", "mean error")])
def test_the_measure_suits_the_model(name, words, X):
    net = getattr(zoo, name)(2, max_epochs=1)
    assert words in tune(net, X, space=RATES, n_trials=1, random_state=0).measure


def test_errors_of_pixels_are_in_their_unit():
    pixels = load_digits().data[:100]
    result = tune(make_net(), pixels, space=RATES, n_trials=1, random_state=0)
    assert result.measure == "minus the mean squared error per pixel"
    errors = -result.trials[0].scores
    assert errors.mean() > pixels.var(0).mean() / 2  # after three epochs, about that of the mean


# The search


def test_the_first_trial_is_the_estimator_itself_and_the_next_ones_change_one_value(X):
    net = Autoencoder(2, backbone=MLP((32,)), max_epochs=2, learning_rate=0.02, batch_size=16, random_state=0)
    names = ("backbone__hidden", "batch_size", "learning_rate")
    result = tune(net, X, n_trials=4, random_state=0)
    assert result.trials[0].params == {}
    assert [tuple(trial.params[name] for name in names) for trial in result.trials[1:]] == [
        ((64,), 16, 0.02),
        ((32,), 32, 0.02),
        ((32,), 16, 0.01),
    ]


def test_first_changes_stay_in_the_space(X):
    """A rate that is no option, and a width above the largest one, are left out or become the nearest of the space."""
    net = Autoencoder(2, backbone=MLP((32,)), max_epochs=2, learning_rate=0.02, random_state=0)
    space = {"learning_rate": [0.02, 0.05], "backbone__hidden": Layers(16, 48)}
    result = tune(net, X, space=space, n_trials=2, random_state=0)
    assert result.trials[1].params == {"learning_rate": 0.02, "backbone__hidden": (48,)}


def test_where_the_bound_judges_the_second_trial_weighs_the_divergence_as_the_bound(X):
    """And the next ones change values of the second, which is much better on most tables."""
    net = zoo.tabular_vae(4, n_clusters=2, n_candidates=1, max_epochs=2, random_state=0)
    result = tune(net, X, n_trials=3, random_state=0)
    assert [trial.params.get("bottleneck__beta") for trial in result.trials] == [None, 1.0, 1.0]
    assert [trial.params.get("backbone__hidden") for trial in result.trials] == [None, (256, 128), (512, 256)]


def test_the_result_is_the_best_trial_fitted_to_all_rows(X):
    result = tune(make_net(learning_rate=1e-6), X, space={"learning_rate": [1e-6, 2e-2]}, n_trials=6, random_state=0)
    best = max(result.trials, key=lambda trial: trial.score)
    assert result.params == best.params
    assert best.params == {"learning_rate": 2e-2}
    again = make_net().set_params(**best.params).fit(X)
    np.testing.assert_array_equal(result.estimator.transform(X), again.transform(X))
    assert result.score == best.score >= result.default_score == result.trials[0].score


def make_trials(scores):
    return [Trial(i, {} if i == 0 else {"a": i}, "complete", 1.0, np.full(20, score)) for i, score in enumerate(scores)]


@pytest.mark.parametrize(("n_others", "numbers"), [(4, [0]), (5, [0, 5]), (12, [0, 12, 11]), (99, [0, 99, 98, 97])])
def test_the_default_and_the_best_of_five_trials_each_are_judged_again(n_others, numbers):
    assert [trial.number for trial in choose_finalists(make_trials(range(n_others + 1)))] == numbers


def test_splits_on_which_not_all_trials_were_fitted_do_not_count():
    trials, n_fits = make_trials(range(6)), []

    def fit(trial, split, seed):
        n_fits.append(trial.number)
        return np.full(split, float(trial.number))

    for most, n_scores in ((2, 7), (3, 7), (9, 14)):
        n_fits.clear()
        judged, scores = judge_again(trials, fit, lambda seed: 7, 0, lambda most=most: len(n_fits) >= most)
        assert [trial.number for trial in judged] == [0, 5]
        np.testing.assert_array_equal(scores, np.repeat([[0.0], [5.0]], n_scores, axis=1))


@pytest.mark.parametrize(("n_trials", "is_over"), [(6, True), (1, False), (5, False)])
def test_without_other_splits_all_trials_are_compared_on_the_rows_of_the_search(n_trials, is_over):
    trials = make_trials(range(n_trials))
    judged, scores = judge_again(trials, lambda *each: np.zeros(3), lambda seed: 3, 0, lambda: is_over)
    assert judged == trials
    np.testing.assert_array_equal(scores, [trial.scores for trial in trials])


def test_a_trial_that_is_better_only_on_the_rows_of_the_search_is_not_chosen(X, monkeypatch):
    """The other splits judge rows that their own fits have not seen, with fits of another seed."""
    seen = []

    def fit_again(net, score_rows, interrupted, trial, split, seed):
        assert len(np.unique(np.concatenate([split.X, split.X_judged]), axis=0)) == len(X)
        assert not (split.X[:, None] == split.X_judged).all(-1).any()
        seen.append(seed)
        return np.full(len(split.X_judged), 0.0 if trial.params else 1.0)

    monkeypatch.setattr(import_module("isthmus.tuning.tune"), "_fit_again", fit_again)
    net, space = make_net(learning_rate=1e-6), {"learning_rate": [1e-6, 2e-2]}
    result = tune(net, X, space=space, n_trials=8, random_state=0)
    assert len(seen) == 4
    assert len({*seen, 0}) == 3
    assert (result.params, result.gain) == ({}, 0.0)
    assert max(trial.score for trial in result.trials) > result.score == result.default_score


def test_the_same_seed_gives_the_same_search(X):
    first, second = (tune(make_net(), X, n_trials=8, random_state=3) for _ in range(2))
    assert [trial.params for trial in first.trials] == [trial.params for trial in second.trials]
    assert (first.gain, first.interval) == (second.gain, second.interval)


def test_the_estimator_and_the_log_of_optuna_do_not_change(X):
    net, level = make_net(), optuna.logging.get_verbosity()
    before = repr(net.get_params())
    tune(net, X, space=RATES, n_trials=1, random_state=0)
    assert (repr(net.get_params()), optuna.logging.get_verbosity()) == (before, level)


def test_a_detector_gets_the_best_parameters_of_its_autoencoder(X):
    detector = AnomalyDetector(make_net(learning_rate=1e-6), calibration="split", random_state=0)
    result = tune(detector, X, space={"learning_rate": [1e-6, 2e-2]}, n_trials=4, random_state=0)
    assert isinstance(result.estimator, AnomalyDetector)
    assert result.estimator.estimator.learning_rate == result.params["learning_rate"] == 2e-2
    assert result.estimator.predict(X).shape == (300,)


def test_nested_estimators_get_the_best_autoencoder(X):
    detector = AnomalyDetector(BaggedAutoencoders(make_net(learning_rate=1e-6), 2, random_state=0), random_state=0)
    result = tune(detector, X, space={"learning_rate": [1e-6, 2e-2]}, n_trials=4, random_state=0)
    assert result.estimator.estimator.estimator.learning_rate == 2e-2


def test_a_detector_of_a_series_gets_the_best_net_of_its_windows():
    series = np.sin(np.arange(300) / 4)
    sliding = SlidingWindows(make_net(learning_rate=1e-6), lengths=(8, 16), views=("values",), random_state=0)
    detector = AnomalyDetector(sliding, random_state=0)
    result = tune(detector, series, space={"learning_rate": [1e-6, 2e-2]}, n_trials=4, random_state=0)
    assert result.params == {"learning_rate": 2e-2}
    assert result.estimator.estimator.estimator.learning_rate == 2e-2
    assert result.estimator.predict(series).shape == (300,)
    assert sliding.estimator.learning_rate == 1e-6


def test_the_default_net_of_windows_can_be_tuned():
    series, seen = np.sin(np.arange(200) / 4), []
    measure = lambda net, X, y: seen.append((net.n_components, X.schema.shape)) or np.zeros(len(X))  # noqa: E731
    sliding = SlidingWindows(lengths=(8, 16), views=("shape",), random_state=0)
    net, view = sliding.prepare_search(series)
    assert (view.windows.length, view.kind, net.n_components) == (16, "shape", 8)
    tune(sliding, series, space=RATES, n_trials=1, measure=measure, random_state=0)
    assert seen == [(8, (1, 16))]


def test_a_series_imputer_gets_the_net_with_the_smallest_error_of_hidden_gaps():
    series = np.sin(np.arange(200) / 4)
    imputer = SeriesImputer(8, estimator=make_net(learning_rate=1e-6), random_state=0)
    result = tune(imputer, series, space={"learning_rate": [1e-6, 2e-2]}, n_trials=4, random_state=0)
    assert result.params == {"learning_rate": 2e-2}
    assert result.measure.startswith("minus the mean squared error of hidden values")
    assert result.estimator.estimator.learning_rate == 2e-2
    assert result.estimator.impute(np.where(np.arange(200) == 9, np.nan, series)).shape == (200,)


def test_the_gaps_that_judge_a_net_share_no_time_with_those_of_fits():
    series, seen = np.sin(np.arange(200) / 4), []
    measure = lambda net, X, y: seen.append((net.n_components, X.windows.starts)) or np.zeros(len(X))  # noqa: E731
    net, gaps = SeriesImputer(8).prepare_search(series)
    used = split_rows(gaps, None, 0).X.windows.starts
    tune(SeriesImputer(8, estimator=make_net()), series, space=RATES, n_trials=1, measure=measure, random_state=0)
    ((n_components, judged),) = seen
    assert n_components == 2
    assert np.abs(used[:, None] - judged).min() >= 8
    assert len(used) + len(judged) > 170
    assert net.n_components == 64


def test_known_anomalies_take_no_part_in_the_search_of_a_detector(X):
    y, sizes = np.ones(300, int), []
    y[:50] = -1
    measure = lambda net, X, y: sizes.append((int(net.module_.n_finalized), len(X))) or np.zeros(len(X))  # noqa: E731
    detector = AnomalyDetector(make_net(validation_fraction=0.0), calibration="split", random_state=0)
    tune(detector, X, y, space=RATES, n_trials=1, measure=measure, random_state=0)
    assert sizes == [(200, 50)]


def test_failing_parameters_are_failed_trials_with_their_message(X):
    result = tune(make_net(), X, space={"backbone__activation": ["silu", "nonsense"]}, n_trials=6, random_state=0)
    failed = [trial for trial in result.trials if trial.state == "failed"]
    assert failed
    assert all("activation" in trial.error for trial in failed)
    assert f"{len(failed)} failed" in str(result)


def test_an_error_of_the_default_is_raised(X):
    with pytest.raises(ValueError, match="dropout"):
        tune(Autoencoder(2, backbone=MLP(dropout=2)), X, n_trials=2)


def test_bad_trials_are_stopped_early(X):
    net = Autoencoder(2, backbone=MLP((16,)), max_epochs=10, random_state=0)
    result = tune(net, X, space={"learning_rate": [1e-6, 1e-2, 2e-2]}, n_trials=10, random_state=0)
    pruned = [trial for trial in result.trials if trial.state == "pruned"]
    assert pruned
    assert {trial.params["learning_rate"] for trial in pruned} <= {1e-6, 1e-2}
    assert result.trials[0].state == "complete"


def test_the_progress_of_a_trial_does_not_depend_on_the_weight_of_the_divergence(X):
    """During training, the bound at beta 1 of two equal nets is equal, whatever their beta is."""
    from isthmus.model.scoring import evidence_bound
    from isthmus.randomness import seeded

    x, bounds = torch.from_numpy(X), []
    for beta in (0.1, 10.0):
        model = make_net(bottleneck=Gaussian(beta=beta)).prepare(X).state.model.cpu().eval()
        with seeded(0), torch.no_grad():
            bounds.append(evidence_bound(model, x))
    torch.testing.assert_close(*bounds)


def test_a_search_stops_when_trials_gain_nothing(X):
    result = tune(make_net(), X, space={"weight_decay": [0.0, 1e-9]}, random_state=0)
    assert len(result.trials) == N_WITHOUT_GAIN + 1


def test_the_time_ends_a_search_after_the_default(X, monkeypatch):
    """And only the time: whether trials gain something is not asked."""
    monkeypatch.setattr(import_module("isthmus.tuning.study"), "has_stalled", None)
    result = tune(make_net(), X, time=1e-9, random_state=0)
    assert [trial.state for trial in result.trials] == ["complete"]
    assert result.params == {}
    assert result.gain == 0


@pytest.mark.parametrize(("gain", "stalled"), [(0.0, True), (0.05, True), (1.0, False)])
def test_a_gain_below_one_standard_error_counts_as_none(gain, stalled):
    noise = np.tile([-1.0, 1.0], 50)  # the standard error of the difference is 0.1
    scores = [np.zeros(100), *[np.zeros(0)] * (N_WITHOUT_GAIN - 1), gain + noise]
    assert has_stalled(scores) is stalled
    assert not has_stalled(scores[1:])


def test_the_gain_of_the_best_of_equal_trials_is_zero():
    """The best of 50 equal trials seems to gain 0.2; the estimate on other rows does not."""
    estimates = []
    for seed in range(20):
        scores = np.random.default_rng(seed).normal(size=(50, 200))
        gain, (low, high) = estimate_gain(scores, np.random.default_rng(0))
        assert scores.mean(1).max() - scores[0].mean() > 0.05
        estimates.append((gain, low <= 0 <= high))
    gains, covered = np.transpose(estimates)
    assert abs(gains.mean()) < 2 * np.sqrt(2 / 200 / 20)
    assert covered.mean() >= 0.8


def test_the_gain_of_a_better_trial_is_its_difference():
    rng = np.random.default_rng(0)
    base = rng.normal(size=500)
    gain, (low, high) = estimate_gain(np.stack([base, base + 0.5 + 0.1 * rng.normal(size=500), base - 1]), rng)
    assert gain == pytest.approx(0.5, abs=0.02)
    assert 0.47 < low < high < 0.53


@pytest.mark.usefixtures("listening")
def test_interrupting_keeps_the_best_so_far(X):
    def interrupt(state):
        interrupt.epochs += 1
        if interrupt.epochs == 8:  # in the third trial
            signal.raise_signal(signal.SIGINT)

    interrupt.epochs = 0
    handler = signal.getsignal(signal.SIGINT)
    with pytest.warns(ConvergenceWarning, match="interrupted; the best parameters so far are used"):
        result = tune(make_net(callbacks=(interrupt,)), X, space=RATES, n_trials=9, random_state=0)
    assert len(result.trials) == 2
    assert result.estimator.transform(X).shape == (300, 2)
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.usefixtures("listening")
def test_an_interrupted_last_fit_on_another_split_is_not_judged(X):
    """Training ends at Ctrl-C without an error, and with a net that was hardly trained."""
    n_fits, judged = [0], []

    def interrupt(state):
        n_fits[0] += state.epoch == 1
        if n_fits[0] == 10:  # six trials, and two fits on each of two splits
            signal.raise_signal(signal.SIGINT)

    def measure(net, rows, y):
        judged.append(net)
        return np.zeros(len(rows))

    net = make_net(callbacks=(interrupt,))
    with pytest.warns(ConvergenceWarning, match="interrupted; the best parameters so far are used"):
        result = tune(net, X, space={"weight_decay": [0.0, 1e-9]}, measure=measure, n_trials=6, random_state=0)
    assert (len(result.trials), len(judged)) == (6, 9)


def test_a_split_with_an_interrupted_fit_does_not_count():
    trials, n_fits = make_trials(range(6)), []

    def fit(trial, split, seed):
        n_fits.append(trial.number)
        if len(n_fits) == 4:
            raise KeyboardInterrupt
        return np.full(split, float(trial.number))

    with pytest.warns(ConvergenceWarning, match="interrupted"):
        judged, scores = judge_again(trials, fit, lambda seed: 7, 0, lambda: False)
    assert scores.shape == (len(judged), 7)


@pytest.mark.usefixtures("listening")
def test_interrupting_the_default_is_raised(X):
    with pytest.raises(KeyboardInterrupt):
        tune(make_net(callbacks=(lambda state: signal.raise_signal(signal.SIGINT),)), X, n_trials=3)


# Bad input


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_trials": 0}, "n_trials must be None or a positive integer, got 0"),
        ({"time": 0}, "time must be None or a number of seconds > 0, got 0"),
        ({"measure": "accuracy"}, 'measure must be "auto", "bound", "error" or a function, got \'accuracy\''),
        ({"space": {}}, "space has no parameters"),
        ({"space": {"learning_rat": [1, 2]}}, "Autoencoder has no such parameter; did you mean 'learning_rate'"),
        ({"space": {"n_components": [1, 2]}}, "changes what the measure 'error' means"),
        (
            {"space": {"likelihood": ["laplace", "gaussian"]}, "measure": "bound"},
            "changes what the measure 'bound' means",
        ),
    ],
)
def test_impossible_parameters_are_refused_by_name(params, message, X):
    with pytest.raises(ValueError, match=message):
        tune(make_net(), X, **{"n_trials": 1, **params})


def test_other_estimators_are_refused(X):
    with pytest.raises(
        TypeError, match="tune takes an Autoencoder, a detector or bag of one, or a SeriesImputer, got Base"
    ):
        tune(BaseEstimator(), X)


def test_too_few_rows_are_refused(X):
    with pytest.raises(ValueError, match="n_samples=49: tune needs at least 50 rows"):
        tune(make_net(), X[:49])


# scikit-learn's own searches


def test_successive_halving_of_scikit_learn_takes_epochs_as_its_resource(X):
    search = HalvingRandomSearchCV(
        make_net(),
        {"learning_rate": [1e-6, 1e-4, 2e-2], "backbone__hidden": [(8,), (16,)]},
        resource="max_epochs",
        min_resources=2,
        max_resources=8,
        factor=2,
        cv=2,
        random_state=0,
    ).fit(X)
    assert search.best_estimator_.max_epochs == 8
    assert search.best_params_["learning_rate"] == 2e-2
