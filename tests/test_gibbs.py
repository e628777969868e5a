"""Categories that are drawn again given the other values of a row, compared with known distributions."""

import numpy as np
import pandas
import pytest
from conftest import small

from isthmus import Decoder, load, save
from isthmus.generation.gibbs import redraw_categories
from isthmus.priors import Density


def answers(n=4000, seed=0):
    """Answers whose log odds are twice the number, and a number without effect."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    yes = rng.random(n) < 1 / (1 + np.exp(-2 * x[:, 0]))
    return pandas.DataFrame({"number": x[:, 0], "noise": x[:, 1], "answer": np.where(yes, "yes", "no")})


@pytest.fixture(scope="module")
def model():
    return small("tabular_vae", 2, n_clusters=1, n_candidates=1, n_sweeps=1, max_epochs=2).fit(answers())


def redraw(model, number, row=None):
    values = np.column_stack([np.full(4000, number), np.zeros(4000), np.zeros(4000)])
    return redraw_categories(model.module_, values, 1, row)


@pytest.mark.parametrize("number", [-1.0, 0.0, 1.0])
def test_a_category_is_drawn_from_its_distribution_given_the_other_values(model, number):
    assert redraw(model, number)[:, 2].mean() == pytest.approx(1 / (1 + np.exp(-2 * number)), abs=0.06)


def test_only_categories_change(model):
    values = redraw(model, 0.5)
    np.testing.assert_array_equal(values[:, :2], [[0.5, 0.0]] * 4000)
    assert set(values[:, 2]) == {0.0, 1.0}


def test_given_categories_are_kept(model):
    assert not redraw(model, 3.0, np.array([np.nan, np.nan, 0.0]))[:, 2].any()
    assert (model.sample(50, given={"answer": "no"}, random_state=0)["answer"] == "no").all()


def test_rules_between_columns_hold_after_the_draws():
    table = answers(1000)
    table["same"] = table["answer"].map({"yes": "agreed", "no": "refused"})
    fitted = small("tabular_vae", 2, n_clusters=2, max_epochs=2).fit(table)
    assert fitted.schema_.implications
    rows = fitted.sample(500, random_state=0)
    assert set(zip(rows["answer"], rows["same"], strict=True)) == {("yes", "agreed"), ("no", "refused")}


def test_files_keep_the_net(model, tmp_path):
    save(model, tmp_path / "model.safetensors")
    save(Decoder(model), tmp_path / "decoder.safetensors")
    expected = model.sample(100, random_state=0)
    for name in ("model", "decoder"):
        pandas.testing.assert_frame_equal(load(tmp_path / f"{name}.safetensors").sample(100, random_state=0), expected)


def test_categories_that_nothing_predicts_and_few_rows_are_not_drawn_again():
    few = small("tabular_vae", 2, max_epochs=1).fit(answers(4))
    assert not few.module_.conditionals.is_fitted
    assert len(few.sample(10, random_state=0)) == 10


def test_numbers_and_labels_have_no_such_net():
    table = answers(200)
    options = {"n_clusters": 1, "max_epochs": 1}
    assert small("tabular_vae", 1, **options).fit(table[["number", "noise"]]).module_.conditionals is None
    conditional = small("tabular_vae", 2, conditional=True, **options).fit(table[["number"]], table["answer"])
    assert conditional.module_.conditionals is None


def test_the_number_of_sweeps_is_checked():
    with pytest.raises(ValueError, match="n_sweeps of Density must be an integer of at least 0, got -1"):
        small("vae", 2, prior=Density(n_sweeps=-1)).fit(answers(100))
