"""Comparison of a model with simple methods."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, ttest_rel
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression

from isthmus import Autoencoder, zoo
from isthmus.baselines import Comparison, judge
from isthmus.baselines.bounds import log_likelihood_without_code
from isthmus.baselines.columns import ColumnErrors, compare_columns
from isthmus.baselines.differences import find_signs
from isthmus.baselines.one_hot import OneHotScaler
from isthmus.baselines.reconstruction import Training, fit_regression
from isthmus.corruptions import GaussianNoise, Masking
from isthmus.data import as_source
from isthmus.likelihoods import Bernoulli, Gaussian


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(400, 6))


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    town = rng.choice(["Oslo", "Rome", "Bern"], 400, p=[0.5, 0.3, 0.2])
    age = np.where(town == "Oslo", 30, 60) + rng.normal(size=400)
    return pd.DataFrame(
        {"town": town, "age": age, "pay": 2 * age + rng.normal(size=400), "glad": rng.random(400) < 0.5}
    )


def judged(model, rows):
    return judge(model.fit(rows[:300]), rows[:300], rows[300:], random_state=0)


def test_an_imputer_is_compared_with_regression_and_the_mean_on_hidden_cells(rows):
    comparison, by_column = judged(zoo.imputer(max_epochs=60, random_state=0), rows)
    assert by_column.per == "column"
    assert list(by_column.figures) == list(comparison.figures["error"])
    model, mean = ([*by_column.figures[name].values()] for name in ("model", "mean"))
    relative = np.divide(model, mean).tolist()
    assert relative == sorted(relative, reverse=True)
    # The columns have nearly equal numbers of hidden cells.
    errors = {name: np.mean(np.square([*figures.values()])) for name, figures in by_column.figures.items()}
    assert errors == pytest.approx(comparison.figures["error"], rel=0.05)
    errors = comparison.figures["error"]
    assert comparison.title.startswith("hidden cells")
    assert list(errors) == ["model", "iterative regression", "mean"]
    assert errors["iterative regression"] < 0.5 * errors["mean"]
    assert errors["mean"] == pytest.approx(1, abs=0.3)
    assert errors["model"] < errors["mean"]


def test_images_have_one_unit_also_if_a_corner_hardly_varies():
    images = np.random.default_rng(0).integers(0, 255, (50, 6, 6), dtype=np.uint8)
    images[:, :3] //= 100  # most pixels have another range
    images[:, 0, 0] = 0
    images[0, 0, 0] = 1
    training = Training.of(as_source(images))
    assert training.error_name == "mean squared error per pixel"
    assert set(training.unit.tolist()) == {1.0}


def test_errors_of_images_come_with_the_variance_that_is_explained():
    X = load_digits().data[:150]
    model = zoo.linear(8, max_epochs=2, random_state=0).fit(X[:100])
    error, explained = judge(model, X[:100], X[100:])[0].figures.values()
    assert explained["mean"] == 0
    assert explained["PCA"] == pytest.approx(1 - error["PCA"] / error["mean"])


def test_a_comparison_is_printed_with_one_line_for_each_method():
    figures = {"error": {"model": 0.5, "mean": 1.0}, "wrong": {"model": 0.125, "mean": 0.25}}
    assert str(Comparison("hidden cells", figures, "few rows")).splitlines() == [
        "hidden cells",
        "method  error   wrong",
        "model    0.50  12.5 %",
        "mean     1.00  25.0 %",
        "few rows",
    ]


def test_a_difference_is_clear_if_the_paired_t_test_rejects_that_there_is_none():
    rng = np.random.default_rng(0)
    for n, shift in ((2, 0.0), (5, 1.0), (40, 0.2), (40, 0.5), (400, -0.1)):
        a, b = rng.exponential(size=n), rng.exponential(size=n) + shift
        sign = find_signs((a - b).sum(), np.square(a - b).sum(), np.array(n))
        tested = ttest_rel(a, b)
        assert sign == (np.sign(tested.statistic) if tested.pvalue < 0.05 else 0)
    assert find_signs(np.array([2.0, 0.0]), np.array([4.0, 0.0]), np.array([1, 0])).tolist() == [0, 0]


def test_columns_name_the_better_method_only_if_it_is_clear():
    cells = {
        "model": np.array([[1.0, 1.0, 0.0], [1.2, 2.0, 0.0], [0.9, 1.5, 1.0]]),
        "PCA": np.array([[0.1, 1.1, 1.0], [0.2, 1.9, 1.0], [0.1, 1.5, np.nan]]),
        "mean": np.array([[2.0, 1.2, 1.0], [2.0, 1.9, 1.0], [2.0, 1.6, 1.0]]),
    }
    cells["model"][2, 2] = np.nan
    errors = ColumnErrors.of(
        "cells", ["a", "b", "c"], np.array([False, False, True]), cells, np.array([1.0, 10.0, 1.0])
    )
    assert errors.find_better() == {"a": "PCA", "b": "neither", "c": "model"}
    assert errors.find_no_better() == ["b"]
    joined = errors.join(errors)
    assert joined.counts.tolist() == [6, 6, 4]
    absolute = np.sqrt(cells["model"]).mean(0)[:2] * [1, 10]
    assert joined.average_absolute() == pytest.approx({"a": absolute[0], "b": absolute[1]})
    numbers, categories = compare_columns(joined)
    assert numbers.table[0] == ["column", "model", "PCA", "mean", "clearly better"]
    assert {line[0]: line[-1] for line in numbers.table[1:]} == {"a": "PCA", "b": "neither"}
    assert categories.table[1][-1] == "model"


def test_columns_of_mostly_wrong_categories_are_named():
    wrong = np.array([[0.0, 0.0, 2.0], [1.0, 1.0, 2.0], [1.0, np.nan, 2.0]])
    cells = {"model": wrong, "mean": np.ones_like(wrong)}
    errors = ColumnErrors.of("cells", ["a", "b", "c"], np.array([True, True, False]), cells, np.ones(3))
    assert errors.find_mostly_wrong() == ["a"]


def test_columns_without_errors_are_not_worse_than_the_mean():
    exact = np.zeros((4, 1))
    cells = {"model": exact, "mean": exact}
    assert ColumnErrors.of("cells", ["a"], np.array([False]), cells, np.ones(1)).find_no_better() == []


def test_hidden_categories_count_as_wrong_or_right(people):
    comparison, numbers, categories = judged(zoo.imputer(max_epochs=60, random_state=0), people)
    assert (set(numbers.figures["model"]), set(categories.figures["model"])) == ({"age", "pay"}, {"town", "glad"})
    for name, method in (("model", "model"), ("mean", "most frequent")):
        wrong = 1 - np.mean([*categories.figures[method].values()])
        assert wrong == pytest.approx(comparison.figures["wrong"][name], abs=0.03)
    wrong = comparison.figures["wrong"]
    # Half of the cells are unpredictable booleans, and the most frequent town is correct in half of the rows.
    assert 0.3 < wrong["mean"] < 0.7
    assert wrong["iterative regression"] < wrong["mean"]


def test_a_code_as_large_as_the_row_is_not_compared_with_pca(rows):
    (comparison,) = judged(Autoencoder(6, max_epochs=1, random_state=0), rows)
    assert list(comparison.figures["error"]) == ["model", "mean"]
    assert "a code of 6 numbers can store all 6 values" in comparison.note
    (smaller,) = judged(Autoencoder(5, max_epochs=1, random_state=0), rows)
    assert list(smaller.figures["error"]) == ["model", "PCA", "mean"]


def test_the_note_names_methods_that_are_better_than_the_model(rows):
    untrained, *_ = judged(Autoencoder(2, max_epochs=1, random_state=0), rows)
    errors = untrained.figures["error"]
    assert errors["PCA"] < errors["model"]
    assert untrained.note.startswith("clearly smaller errors than the model: PCA")
    curved = np.column_stack([rows[:, :1], rows[:, :1] ** 2, rows[:, :1] ** 3])
    (trained,) = judged(Autoencoder(1, max_epochs=60, random_state=0), curved)
    assert trained.figures["error"]["model"] < trained.figures["error"]["PCA"]
    assert trained.note == ""


def test_the_note_counts_numbers_and_categories_together(rows):
    kinds = np.where(np.arange(400) < 10, "rare", "common")  # all test rows are common, and no method errs
    frame = pd.DataFrame(rows, columns=list("abcdef")).assign(kind=kinds)
    untrained, *_ = judged(Autoencoder(2, max_epochs=1, random_state=0), frame)
    error, wrong = untrained.figures["error"], untrained.figures["wrong"]
    assert error["PCA"] < error["model"]
    assert wrong["PCA"] == wrong["model"] == 0
    assert untrained.note.startswith("clearly smaller errors than the model: PCA")


def test_a_denoiser_is_evaluated_by_clean_values_of_corrupted_rows(rows):
    noise = GaussianNoise(0.5)
    (comparison,) = judged(Autoencoder(2, corruption=noise, max_epochs=60, random_state=0), rows)
    errors = comparison.figures["error"]
    assert comparison.title.startswith("clean values of corrupted rows")
    assert errors["as corrupted"] == pytest.approx(0.25, rel=0.2)  # variance of the noise, standardised
    assert errors["model"] < errors["as corrupted"]


def test_masked_rows_are_not_compared_if_the_model_reconstructs_all_cells(rows):
    (comparison,) = judged(Autoencoder(2, corruption=Masking(0.3), max_epochs=1, random_state=0), rows)
    assert list(comparison.figures["error"]) == ["model", "PCA", "mean"]


def test_only_an_unweighted_variational_model_is_evaluated_by_its_bound(rows):
    bound, reconstruction = judged(zoo.vae(2, max_epochs=60, random_state=0), rows)
    assert bound.figures["bound"]["model"] > bound.figures["bound"]["no code"]
    assert list(reconstruction.figures["error"]) == ["model", "PCA", "mean"]
    assert len(judged(zoo.vae(2, beta=4.0, max_epochs=1, random_state=0), rows)) == 1


def test_the_bound_without_a_code_is_that_of_independent_normal_columns(rows):
    model = Autoencoder(2, likelihood=Gaussian(scale="feature"), max_epochs=1, random_state=0).fit(rows[:300])
    source = as_source(rows[:300])
    expected = norm.logpdf(rows[:300], rows[:300].mean(0), rows[:300].std(0)).sum(1).mean()
    assert log_likelihood_without_code(model.module_, source, source).mean() == pytest.approx(expected, abs=0.02)


def test_the_bound_without_a_code_judges_all_rows_of_large_tables(rows, monkeypatch):
    model = Autoencoder(2, likelihood=Gaussian(scale="feature"), max_epochs=1, random_state=0).fit(rows[:100])
    known, judged = as_source(rows[:100]), as_source(rows)
    expected = log_likelihood_without_code(model.module_, known, judged)
    monkeypatch.setattr("isthmus.baselines.bounds.MAX_NUMBERS", 100 * rows.shape[1])
    np.testing.assert_allclose(log_likelihood_without_code(model.module_, known, judged), expected, rtol=1e-5)


def test_the_bound_without_a_code_is_the_entropy_of_independent_bits():
    bits = (np.random.default_rng(0).random((500, 4)) < [0.1, 0.3, 0.5, 0.9]).astype(float)
    model = Autoencoder(1, likelihood=Bernoulli(), max_epochs=1, random_state=0).fit(bits)
    p = bits.mean(0)
    expected = (p * np.log(p) + (1 - p) * np.log(1 - p)).sum()
    assert log_likelihood_without_code(model.module_, as_source(bits), as_source(bits)).mean() == pytest.approx(
        expected, abs=0.01
    )


def test_a_generator_of_tables_is_evaluated_by_samples_against_real_rows(people):
    samples, reconstruction, *_ = judged(zoo.tabular_vae(4, max_epochs=20, random_state=0), people)
    assert list(samples.figures) == ["columns", "pairs", "detection"]
    assert samples.figures["columns"]["test rows"] > 0.85
    assert abs(samples.figures["detection"]["test rows"] - 0.5) < 0.2
    assert reconstruction.title.startswith("reconstruction")


def test_the_same_seed_hides_the_same_cells(rows):
    model = zoo.imputer(max_epochs=1, random_state=0).fit(rows[:300])
    first, again, other = (judge(model, rows[:300], rows[300:], seed)[0].figures for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_regression_predicts_a_hidden_column_by_least_squares(rows):
    training = Training.of(as_source(rows))
    seen = rows[:50].copy()
    seen[:, 0] = np.nan
    predicted = fit_regression(training)(seen)[:, 0]
    expected = LinearRegression().fit(rows[:, 1:], rows[:, 0]).predict(rows[:50, 1:])
    assert np.corrcoef(predicted, expected)[0, 1] > 0.999
    np.testing.assert_allclose(fit_regression(training)(seen)[:, 1:], seen[:, 1:])


def test_scaling_can_be_inverted():
    rows = np.array([[1.0, 2.0, 30.0], [3.0, 0.0, 10.0]])
    scaler = OneHotScaler(np.array([2.0, 0.0, 20.0]), np.array([1.0, 1.0, 10.0]), {1: 3})
    np.testing.assert_array_equal(scaler.transform(rows), [[-1, 1, 0, 0, 1], [1, -1, 1, 0, 0]])
    np.testing.assert_array_equal(scaler.inverse_transform(scaler.transform(rows)), rows)
