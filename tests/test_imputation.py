"""Draws of missing values: consistent with each other, with the uncertainty given the known values."""

import numpy as np
import pandas
import pytest
import torch

from isthmus import zoo
from isthmus.generation.imputation import MAX_PASSES, draw_passes

COUNTRIES = {"Paris": "FR", "Lyon": "FR", "Rome": "IT", "Milan": "IT", "Oslo": "NO", "Bergen": "NO"}
NUMBERS = ["first", "second", "skewed"]
N_DRAWS = 100
# np.quantile interpolates between draws: the 5 % and 95 % quantiles of 100 draws are expected to contain 88 %.
NOMINAL = 0.9 - 2 * 0.9 / (N_DRAWS + 1)


def people(n, seed):
    """Two numbers whose correlation given ``known`` is 0.977, a skewed number, and cities in their countries.

    The standard deviation of all numbers grows with ``known``.
    """
    rng = np.random.default_rng(seed)
    known, city = rng.uniform(0, 1, n), rng.choice(list(COUNTRIES), n, p=[0.3, 0.1, 0.25, 0.1, 0.15, 0.1])
    scale = 0.2 + 2 * known
    first = 3 * known + scale * rng.normal(size=n)
    numbers = {"known": known, "first": first, "second": first + 0.218 * scale * rng.normal(size=n)}
    skewed = rng.exponential(size=n) * np.exp(1.5 * known)
    return pandas.DataFrame({**numbers, "skewed": skewed, "city": city, "country": [COUNTRIES[name] for name in city]})


@pytest.fixture(scope="module")
def draws():
    """Return rows, and draws of all values except ``known``."""
    table, new = people(2500, 0), people(600, 1)
    model = zoo.imputer(random_state=0).fit(table)
    holes = new.assign(**dict.fromkeys(NUMBERS, np.nan), city=None, country=None)
    return new, model.impute(holes, n_draws=N_DRAWS, random_state=0)


def stacked(draws, name):
    return np.stack([draw[name].to_numpy() for draw in draws])


def test_draws_of_two_numbers_are_as_correlated_as_the_numbers(draws):
    new, fillings = draws
    scale = 0.2 + 2 * new["known"].to_numpy()
    first, second = ((stacked(fillings, name) - 3 * new["known"].to_numpy()) / scale for name in ("first", "second"))
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] == pytest.approx(0.977, abs=0.03)


@pytest.mark.parametrize("name", NUMBERS)
def test_intervals_of_draws_contain_the_value_as_often_as_they_say(draws, name):
    new, fillings = draws
    low, high = np.quantile(stacked(fillings, name), [0.05, 0.95], axis=0)
    inside = new[name].between(low, high)
    assert inside.mean() == pytest.approx(NOMINAL, abs=0.04)
    # The rate is the same for small and for large uncertainty.
    for part in (new["known"] < 1 / 3, new["known"] > 2 / 3):
        assert inside[part].mean() == pytest.approx(NOMINAL, abs=0.08)


def test_draws_of_categories_have_the_conditional_frequencies(draws):
    _, fillings = draws
    assert np.mean([filling["city"].map(COUNTRIES) != filling["country"] for filling in fillings]) < 0.05


@pytest.mark.parametrize("max_passes", [1, 8, MAX_PASSES])
def test_each_missing_value_is_drawn_in_one_pass(max_passes):
    missing = torch.rand(50, 200, generator=torch.Generator().manual_seed(0)) < torch.linspace(0, 1, 50)[:, None]
    turns = draw_passes(missing, max_passes)
    assert ((turns >= 0) == missing).all()
    for row, holes in zip(turns, missing, strict=True):
        n = int(holes.sum())
        counts = row[holes].bincount()
        assert len(counts) == min(n, max_passes)
        if n <= max_passes:
            assert (counts == 1).all()
        else:
            assert counts.max() - counts.min() <= 1


def test_known_values_stay_and_the_same_seed_draws_the_same():
    table = people(300, 0)
    holes = table.mask(np.random.default_rng(0).random(table.shape) < 0.3)
    model = zoo.imputer(4, max_epochs=2, random_state=0).fit(holes)
    fillings = model.impute(holes, n_draws=2, random_state=3)
    for filling in fillings:
        assert filling.notna().all(axis=None)
        known = holes.notna()
        pandas.testing.assert_frame_equal(filling.where(known), holes.where(known))
    pandas.testing.assert_frame_equal(fillings[1], model.impute(holes, n_draws=2, random_state=3)[1])
    assert not fillings[0].equals(fillings[1])


def test_draws_of_a_number_of_few_values_are_these_values():
    rng = np.random.default_rng(0)
    table = pandas.DataFrame({"class": rng.integers(1, 4, 300), "age": rng.normal(40, 10, 300)})
    model = zoo.imputer(2, max_epochs=2, random_state=0).fit(table)
    (draw,) = model.impute(table.assign(**{"class": np.nan}), n_draws=1, random_state=0)
    assert set(draw["class"]) == {1.0, 2.0, 3.0}
