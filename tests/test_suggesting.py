"""Suggested estimators for each kind of data and use, and the leaderboard on held-out rows."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline

from isthmus import AnomalyDetector, Autoencoder, SeriesImputer, SlidingWindows, suggest, zoo
from isthmus.backbones import MLP, Conv
from isthmus.baselines.reconstruction import Task, Training, fit_mean, relative_errors
from isthmus.data import Chunks, Texts, Windows, as_source
from isthmus.data.files import read
from isthmus.suggesting.contests import CONTESTS, Split
from isthmus.suggesting.leaderboard import rank
from isthmus.suggesting.rules import OTHERS, RULES, Choice
from isthmus.suggesting.suggestion import _split
from isthmus.suggesting.traits import UNITS, Traits, read_data

TEXTS = ["the cat and the dog", "a dog barks", "stocks and bonds", "bonds fall"] * 30


@pytest.fixture(scope="module")
def plane():
    rng = np.random.default_rng(0)
    return rng.normal(size=(150, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(150, 6))


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    town, age = rng.choice(["Oslo", "Rome", None], 150), rng.normal(40, 10, 150).round()
    return pd.DataFrame(
        {"town": town, "age": age, "pay": 2 * age + rng.normal(size=150), "glad": rng.random(150) < 0.5}
    )


@pytest.fixture(scope="module")
def sensors():
    """A year of months, whose lengths differ, and two numbers."""
    times = pd.date_range("2020-01-01", periods=40, freq="MS")
    waves = np.random.default_rng(0).normal(size=(40, 2))
    return pd.DataFrame({"when": times, "low": waves[:, 0], "high": waves[:, 1]})


def counts_of(n=60, n_words=30):
    return np.random.default_rng(0).poisson(0.3, size=(n, n_words))


# Kinds of data


KINDS = {
    "table": lambda: np.random.default_rng(0).normal(size=(50, 5)),
    "counts": counts_of,
    "flat images": lambda: load_digits().data[:100],
    "images": lambda: load_digits().images[:50].astype(np.uint8),
    "series": lambda: np.random.default_rng(0).normal(size=(30, 2, 20)),
    "windows": lambda: Windows(np.sin(np.arange(200) / 5), 20),
    "texts": lambda: TEXTS,
    "stream": lambda: Chunks(lambda: iter([np.ones((20, 3)), np.zeros((20, 3))])),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_data_is_found(kind):
    assert read_data(KINDS[kind]())[1].kind == kind


def test_sparse_rows_of_counts_and_texts_as_tokens_are_found():
    assert read_data(sparse.csr_array(counts_of()))[1].kind == "counts"
    assert read_data(Texts(TEXTS, vocabulary="word"))[1].kind == "texts"
    assert read_data(np.array(TEXTS))[1].kind == "texts"
    assert read_data(pd.Series(TEXTS))[1].kind == "texts"


def test_tables_are_no_counts_if_few_columns_or_negative_or_fractional_or_dense(rng):
    assert read_data(counts_of(n_words=5))[1].kind == "table"
    assert read_data(counts_of() - 1)[1].kind == "table"
    assert read_data(counts_of() + 0.5)[1].kind == "table"
    assert read_data(rng.poisson(5.0, (60, 30)))[1].kind == "table"
    assert read_data(np.eye(30)[rng.integers(30, size=60)])[1].kind == "table"


def test_counts_in_a_data_frame_are_counts_also_if_words_occur_at_most_once():
    frame = pd.DataFrame(counts_of(200), columns=[f"word {i}" for i in range(30)])
    frame["word 3"] = frame["word 3"].clip(upper=1)
    traits = read_data(frame)[1]
    assert (traits.kind, str(traits)) == ("counts", "200 rows of 30 counts")
    assert suggest(frame, use="topics", budget=1e-9, random_state=0).choices[0].name == "topic_model"
    assert read_data(frame.assign(flag=frame["word 3"] == 1))[1].kind == "table"
    assert read_data(frame.assign(flag=np.where(frame["word 3"] == 1, "yes", "no")))[1].kind == "table"
    assert read_data(frame.clip(upper=1))[1].kind == "table"


@pytest.mark.parametrize(
    ("traits", "text"),
    [
        (Traits("table", 1, (1,)), "1 row of 1 column"),
        (Traits("table", 1200, (3,), 1), "1,200 rows of 3 columns, 1 of them categorical"),
        (Traits("counts", 2, (30,)), "2 rows of 30 counts"),
        (Traits("flat images", 1, (64,)), "1 image of 64 pixels, one per row"),
        (Traits("images", 2, (1, 8, 8)), "2 images of shape 1 x 8 x 8"),
        (Traits("series", 2, (1, 20)), "2 series of shape 1 x 20 (channels x time points)"),
        (Traits("windows", 1, (1, 20)), "1 window of shape 1 x 20 (channels x time points)"),
        (Traits("time points", 5, (1,)), "5 time points of 1 column"),
        (Traits("texts", 1), "1 text"),
    ],
)
def test_sizes_are_told_in_singular_and_plural(traits, text):
    assert str(traits) == text


def test_a_table_tells_its_categories_and_missing_cells(people):
    traits = read_data(people)[1]
    assert (traits.kind, traits.n_rows, traits.shape, traits.n_categorical) == ("table", 150, (4,), 2)
    assert traits.missing == pytest.approx(people["town"].isna().mean() / 4)
    assert "150 rows of 4 columns, 2 of them categorical" in str(traits)


def test_dates_at_equal_steps_make_time_points_where_a_use_may_take_them(sensors):
    assert read_data(sensors)[1].kind == "time points"
    assert read_data(sensors)[1].time == "when"
    assert read_data(sensors, may_be_series=False)[1].kind == "table"
    assert read_data(sensors.sample(frac=1, random_state=0))[1].kind == "table"
    assert read_data(sensors.assign(is_open=[0, 1] * 20))[1].kind == "time points"
    assert read_data(sensors.assign(where=["a", "b"] * 20))[1].kind == "table"
    assert read_data(sensors.head(10))[1].kind == "table"


def test_columns_that_a_fit_leaves_out_are_named(people):
    reason = suggest(people.assign(empty=np.nan, version=3.0)).reasons[0]
    assert "150 rows of 4 columns" in reason
    assert "left out: 'empty' (no value in any row); 'version' (3.0 in all rows)" in reason


def test_values_that_no_fit_takes_are_refused(plane):
    with pytest.raises(ValueError, match="column 6 has no value in any training row"):
        suggest(np.c_[plane, np.full(len(plane), np.nan)])
    with pytest.raises(ValueError, match="column 6 holds an infinite value"):
        suggest(np.c_[plane, np.full(len(plane), np.inf)])


# Rules


def test_the_table_of_rules_is_complete():
    rules = [rule for rules in RULES.values() for rule in rules]
    assert {kind for rule in rules for kind in rule.kinds} == set(UNITS)
    assert all((rule.variant in zoo.__all__) != (rule.variant in OTHERS) for rule in rules)
    assert OTHERS.keys() <= {rule.variant for rule in rules}
    assert list(CONTESTS) == list(RULES)


@pytest.mark.parametrize("use", ["reduce", "features", "impute", "generate"])
def test_all_estimators_for_a_table_take_categories_and_missing_cells(people, use):
    suggestion = suggest(people, use=use)
    for estimator in (suggestion.estimator, *suggestion.alternatives):
        rebuilt = estimator.set_params(max_epochs=1, random_state=0).fit(people).reconstruct(people)
        assert rebuilt.columns.tolist() == people.columns.tolist()


@pytest.mark.parametrize("use", ["reduce", "features", "detect", "impute", "generate"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_has_an_estimator_for_each_use_with_its_reasons(kind, use):
    if (use, kind) in (("impute", "windows"), ("impute", "texts")):
        with pytest.raises(ValueError, match=f"use={use!r} takes .*, but X has .*; expected use to be one of reduce"):
            suggest(KINDS[kind](), use=use)
        return
    suggestion = suggest(KINDS[kind](), use=use)
    assert suggestion.leaderboard is None
    assert suggestion.reasons[0].startswith("X has ")
    assert repr(suggestion).count("\n- ") == len(suggestion.reasons)
    assert not any(sentence.count("  ") for sentence in suggestion.reasons)


def test_the_suggestions_are_those_of_the_table(people, sensors):
    assert suggest(people).estimator.bottleneck.__class__.__name__ == "Deterministic"
    assert suggest(people).estimator.n_components == 3
    assert suggest(people, use="impute").estimator.corruption.loss_on == "hidden"
    assert suggest(people, use="generate").estimator.prior.estimator.n_components == 30
    assert suggest(people, people["glad"], use="generate").estimator.conditional
    assert suggest(KINDS["images"]()).estimator.backbone.__class__ is Conv
    assert suggest(KINDS["table"](), use="detect").estimator.estimator is None
    assert isinstance(suggest(sensors, use="detect").estimator.estimator, SlidingWindows)
    assert isinstance(suggest(sensors, use="impute").estimator, SeriesImputer)
    assert suggest(sensors, use="impute", time="when").estimator.time == "when"
    assert isinstance(suggest(TEXTS, use="topics").estimator, Pipeline)
    assert isinstance(suggest(TEXTS, use="generate").estimator, Autoencoder)
    assert suggest(TEXTS, use="detect").estimator.estimator.backbone.autoregressive
    assert "isthmus.data.Texts(X)" in suggest(TEXTS, use="detect").reasons[2]
    assert isinstance(suggest(KINDS["stream"](), use="detect").estimator, AnomalyDetector)


@pytest.mark.parametrize(
    ("kind", "use"), [("counts", "topics"), ("table", "impute"), ("images", "generate"), ("series", "reduce")]
)
def test_a_suggested_estimator_fits_the_data_it_is_suggested_for(kind, use):
    X = KINDS[kind]()
    estimator = suggest(X, use=use).estimator
    estimator.set_params(max_epochs=1, random_state=0).fit(X)
    assert estimator.transform(X).shape == (len(X), estimator.n_components)


def test_tables_of_every_library_and_real_files_are_read(people, outside_data):
    import polars as pl

    assert str(suggest(pl.from_pandas(people)).traits) == str(suggest(people).traits)
    titanic = read(outside_data("tabular-mixed") / "titanic.csv.gz")
    suggestion = suggest(titanic, use="impute")
    assert (suggestion.traits.kind, suggestion.choices[0].variant) == ("table", "imputer")
    assert suggestion.traits.n_categorical > 1
    assert suggestion.traits.missing > 0


@pytest.mark.parametrize(
    ("path", "use", "kind", "name"),
    [
        ("nab/data/artificialNoAnomaly/art_daily_perfect_square_wave.csv.gz", "detect", "time points", "a series"),
        ("tabular-mixed/adult_train.csv.gz", "generate", "table", "tabular_vae"),
        ("text/sms_spam.csv.gz", "topics", "texts", "topic_model"),
        ("mnist/mnist.npz", "features", "images", "convolutional"),
        ("ecg5000-train/ecg5000_train.npz", "detect", "table", "detector"),
    ],
)
def test_real_data_of_each_kind_are_recognised(outside_data, path, use, kind, name):
    folder, _, file = path.partition("/")
    path = outside_data(folder) / file
    X = next(iter(np.load(path).values()))[:500] if path.suffix == ".npz" else read(path)
    X = X.column("text").to_pylist() if kind == "texts" else X
    suggestion = suggest(X, use=use)
    assert suggestion.traits.kind == kind
    assert name in suggestion.choices[0].name


def test_a_suggestion_fits_nothing_and_leaves_the_data_unchanged(people, monkeypatch):
    monkeypatch.setattr(Autoencoder, "prepare", None)
    before = people.copy()
    suggest(people, use="generate")
    pd.testing.assert_frame_equal(people, before)


# Leaderboard


def quick(name, **options):
    return Choice(name, Autoencoder(2, backbone=MLP((16,)), **options), "", name)


def split_of(X, y=None, use="reduce", size=2):
    return _split(as_source(X), y, use, size, seed=0)


def test_held_out_rows_reach_no_fit_and_no_early_stopping(plane, monkeypatch):
    seen, prepare = [], Autoencoder.prepare
    monkeypatch.setattr(Autoencoder, "prepare", lambda self, X, *rest: seen.append(X) or prepare(self, X, *rest))
    suggest(plane, budget=1e-9, random_state=0)
    split = split_of(plane)
    assert len(split.test) == 30
    assert len(seen) == 2  # once to time an epoch
    held_out = {tuple(row) for row in next(split.test.batches(100)).x.numpy()}
    for source in seen:
        fitted = {tuple(row) for row in next(source.batches(1000)).x.numpy()}
        assert len(fitted) == 120
        assert not fitted & held_out


def test_windows_that_share_values_are_not_on_both_sides():
    windows = Windows(np.arange(300.0), 20)
    split = _split(windows, None, "reduce", 2, seed=0)
    known, unseen = ({int(value) for batch in part.batches(1000) for value in batch.x.flatten()} for part in split[:2])
    assert not known & unseen


def test_missing_cells_that_no_row_of_fit_has_are_not_judged(plane):
    position = split_of(plane).test.rows[0]
    broken = plane.copy()
    broken[position, 2] = np.nan
    assert len(split_of(broken).test) == len(split_of(plane).test) - 1
    assert np.isfinite(suggest(broken, budget=1e-9, random_state=0).leaderboard.entries[0].figure)


def test_rows_of_a_stream_are_loaded_for_a_leaderboard_without_labels(plane):
    stream = Chunks(lambda: iter([plane[:70], plane[70:]]))
    board = suggest(stream, budget=1e-9, random_state=0).leaderboard
    assert board.n_rows == 30
    with pytest.raises(ValueError, match="a budget with y needs rows in memory"):
        suggest(stream, np.arange(150) % 2, use="features", budget=1)


def test_figures_of_simple_methods_are_those_of_scikit_learn(plane):
    split = split_of(plane)
    known, unseen = (next(part.batches(1000)).x.numpy() for part in split[:2])
    mean, std = known.mean(0), known.std(0)
    pca = PCA(2).fit((known - mean) / std)
    z = (unseen - mean) / std
    left = z - pca.inverse_transform(pca.transform(z))
    baselines = CONTESTS["reduce"](split).baselines
    assert baselines["mean"] == 1
    assert baselines["PCA"] == pytest.approx(np.square(left).mean() / np.square(z).mean())


def test_relative_errors_weigh_numbers_and_categories_by_cells(people):
    source = as_source(people)
    training = Training.of(source)
    rows = training.rows
    exact = np.where(np.isnan(rows), 0, rows)
    wrong = exact.copy()
    wrong[:, list(training.categories)] = -1
    errors = relative_errors(
        training, Task(rows, rows), {"mean": fit_mean(training)(rows), "exact": exact, "wrong": wrong}
    )
    assert (errors["mean"], errors["exact"]) == (1, 0)
    common = [people[name].value_counts(normalize=True).iloc[0] for name in ("town", "glad")]
    n = [people[name].notna().sum() for name in ("town", "glad")]
    share = sum(n) / np.sum(~np.isnan(rows))
    assert errors["wrong"] == pytest.approx(share / (1 - np.average(common, weights=n)))


def test_the_best_comes_first_and_simple_methods_are_included(plane):
    board = rank(
        [quick("short", max_epochs=1), quick("long", max_epochs=200)],
        CONTESTS["reduce"](split_of(plane)),
        split_of(plane),
        np.inf,
        0,
    )
    figures = [entry.figure for entry in board.entries]
    assert figures == sorted(figures)
    names = [entry.name for entry in board.entries]
    assert set(names) == {"short", "long", "PCA", "mean"}
    assert names.index("long") < names.index("short")
    assert board.skipped == ()
    assert "30 held-out rows" in str(board)


def test_a_budget_that_is_too_small_fits_the_first_choice_for_an_epoch_and_tells_what_is_skipped(plane):
    suggestion = suggest(plane, budget=1e-9, random_state=0)
    assert suggestion.leaderboard.skipped == ("linear", "vae")
    assert [choice.name for choice in suggestion.choices] == ["autoencoder", "linear", "vae"]
    assert "no time was left for linear, vae" in repr(suggestion)
    assert "PCA" in suggestion.reasons[-1]


@pytest.mark.parametrize(
    ("use", "measure"),
    [("features", "accuracy"), ("detect", "AUROC"), ("impute", "imputed cells"), ("generate", "generated")],
)
def test_every_use_has_its_figure(plane, use, measure):
    y = np.where(plane[:, 0] > 1, -1, 1) if use in ("features", "detect") else None
    board = suggest(plane, y, use=use, budget=1e-9, random_state=0).leaderboard
    assert measure in board.measure
    assert all(np.isfinite(entry.figure) for entry in board.entries)
    assert any(entry.choice is None for entry in board.entries)


def test_topics_are_judged_by_coherence_and_diversity():
    board = suggest(TEXTS, use="topics", budget=1e-9, random_state=0).leaderboard
    assert "coherence" in board.measure
    assert {entry.name for entry in board.entries} == {"topic_model", "NMF"}


def test_numbers_as_labels_are_predicted_and_classes_are_classified(plane):
    split = split_of(plane, plane[:, 0], "features")
    contest = CONTESTS["features"](split)
    assert contest.measure.startswith("R2")
    assert contest.baselines["PCA"] > 0.9
    assert contest.baselines["mean"] == pytest.approx(0, abs=0.1)


def test_many_whole_numbers_as_labels_are_a_quantity_and_few_are_classes(plane):
    y = np.arange(150.0)
    assert CONTESTS["features"](split_of(plane, y, "features")).measure.startswith("R2")
    assert CONTESTS["features"](split_of(plane, y % 3, "features")).measure.startswith("accuracy")


def test_labels_of_one_class_are_named(plane):
    with pytest.raises(ValueError, match="y must have at least 2 different labels, .* labelled 'a'"):
        suggest(plane, ["a"] * 150, use="features", budget=1e-9)


def test_missing_counts_are_no_words_of_topics():
    counts = counts_of(150).astype(float)
    counts[::7, 3] = np.nan
    board = suggest(counts, use="topics", budget=1e-9, random_state=0).leaderboard
    assert all(np.isfinite(entry.figure) for entry in board.entries)


def test_new_rows_are_not_better_than_those_that_no_classifier_separates(plane):
    contest = CONTESTS["generate"](split_of(np.tile(plane[:30], (5, 1))))
    assert contest.baselines["columns drawn independently"] >= 0.5


def test_the_summary_names_the_better_method(plane):
    assert (
        suggest(plane, budget=1e-9, random_state=0).reasons[-1].startswith("autoencoder is not better on held-out rows")
    )


def test_detectors_are_fitted_to_normal_rows_and_judged_on_all_anomalies():
    data, target = load_breast_cancer(return_X_y=True)
    split = _split(as_source(data), np.where(target == 1, 1, -1), "detect", 8, seed=0)
    assert set(split.y) == {1}
    assert (split.y_test == -1).sum() == 212
    assert min(CONTESTS["detect"](split).baselines.values()) > 0.8


def test_columns_drawn_independently_are_told_apart_where_columns_depend(plane):
    split = split_of(np.tile(plane, (4, 1)) + np.random.default_rng(0).normal(size=(600, 6)) * 0.01)
    contest = CONTESTS["generate"](split)
    assert contest.baselines["columns drawn independently"] > 0.8
    assert isinstance(split, Split)


# Errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"use": "compress"}, "use must be one of reduce, features, detect, impute, generate, topics, got 'compress'"),
        ({"use": "featurs"}, "did you mean 'features'"),
        (
            {"use": "topics"},
            "use='topics' takes counts, texts, but X has 150 rows of 6 columns; expected use to be one of reduce",
        ),
        ({"budget": 0}, "budget must be a number of seconds > 0 or None, got 0"),
        ({"budget": "10"}, "budget must be a number of seconds > 0 or None, got '10'"),
        ({"budget": float("nan")}, "budget must be a number of seconds > 0"),
        ({"use": "detect", "budget": 1}, "a budget with use='detect' needs labels"),
        ({"y": np.zeros(7)}, "y must have a label for each of the 150 rows of X, got 7"),
        ({"y": ["a", None] * 75}, "y has missing or infinite labels"),
        ({"y": np.full(150, np.nan)}, "y has missing or infinite labels"),
        ({"y": pd.Series(["a", None] * 75, dtype="string")}, "y has missing or infinite labels"),
        (
            {"y": np.arange(150) % 2, "use": "detect"},
            r"y must hold 1 \(normal\) and -1 \(anomaly\), both .* holds 0, 1",
        ),
        ({"y": np.ones(150), "use": "detect"}, "both of them; it holds 1.0"),
    ],
)
def test_wrong_input_is_named(plane, options, message):
    with pytest.raises(ValueError, match=message):
        suggest(plane, **options)


def test_empty_data_and_too_few_rows_are_named(plane, sensors):
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        suggest(np.empty((0, 3)))
    with pytest.raises(ValueError, match="0 sample"):
        suggest(pd.DataFrame({"a": [], "b": []}))
    with pytest.raises(
        ValueError, match="n_samples=40: a leaderboard needs 20 rows to fit and as many held-out rows, but has 32 and 8"
    ):
        suggest(plane[:40], budget=1)
    with pytest.raises(ValueError, match="no figure compares estimators for use='impute' of time points"):
        suggest(sensors, use="impute", budget=1)
    with pytest.raises(ValueError, match="expected an array or a data frame"):
        suggest("rows.csv")
