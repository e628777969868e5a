"""Choice among drawn rows by a classifier, compared with closed forms and with all drawn rows."""

import numpy as np
import pandas
import pytest
import torch
from conftest import small
from scipy.stats import ks_2samp

from isthmus import Decoder, load, save
from isthmus.model.discriminator import Discriminator
from isthmus.priors import Density
from isthmus.randomness import seeded


def fit_to(real, drawn):
    discriminator = Discriminator(real.shape[1], 4)
    with seeded(0), torch.no_grad():
        discriminator.fit(real, drawn, lambda x: x)
    return discriminator


@pytest.fixture
def normal():
    return torch.randn(3, 6000, 2, generator=torch.Generator().manual_seed(0))


def test_the_log_ratio_of_two_normal_distributions_is_linear(normal):
    shift = torch.tensor([0.6, -0.3])
    found = fit_to(normal[0] + shift, normal[1])(normal[2])
    expected = normal[2] @ shift
    torch.testing.assert_close((found - found.mean()).std(), expected.std(), rtol=0.15, atol=0)
    assert np.corrcoef(found, expected)[0, 1] > 0.97


def test_the_log_ratio_of_equal_distributions_is_almost_0(normal):
    assert fit_to(normal[0], normal[1])(normal[2]).abs().mean() < 0.1


def test_a_second_fit_does_not_depend_on_the_first(normal):
    once, again = fit_to(normal[0] + 1, normal[1]), fit_to(normal[0] - 1, normal[1])
    with seeded(0), torch.no_grad():
        again.fit(normal[0] + 1, normal[1], lambda x: x)
    assert torch.equal(once(normal[2]), again(normal[2]))


def people(n=1500, seed=0):
    """Two groups of different sizes: one normal distribution of codes draws rows between them."""
    rng = np.random.default_rng(seed)
    old = rng.random(n) < 0.3
    height = np.where(old, 5.0, -5.0) + rng.normal(size=n)
    return pandas.DataFrame({"height": height, "weight": height + rng.normal(size=n), "old": np.where(old, "y", "n")})


@pytest.fixture(scope="module")
def model():
    return small("tabular_vae", 2, n_clusters=1, n_candidates=8, max_epochs=15).fit(people())


def test_chosen_rows_are_closer_to_real_rows_than_all_drawn_rows(model):
    real, chosen = people(3000, seed=1), model.sample(3000, random_state=0)
    discriminator, model.module_.discriminator = model.module_.discriminator, None
    drawn = model.sample(3000, random_state=0)
    model.module_.discriminator = discriminator
    distances = [ks_2samp(rows["height"], real["height"]).statistic for rows in (chosen, drawn)]
    assert distances[0] < 0.7 * distances[1]


def test_no_drawn_row_is_chosen_twice(model):
    table, rows = people()[["height", "weight"]], model.sample(2000, random_state=0)[["height", "weight"]]
    inside = rows[((rows > table.min()) & (rows < table.max())).all(axis=1)]
    assert len(inside) > 1500
    assert not inside.duplicated().any()


def test_given_values_are_kept(model):
    assert (model.sample(50, given={"old": "y"}, random_state=0)["old"] == "y").all()


def test_rows_for_labels_are_chosen_among_rows_of_the_same_label():
    table = people()
    conditional = small("tabular_vae", 2, conditional=True, max_epochs=15).fit(table.iloc[:, :2], table["old"])
    labels = np.array(["y", "n"] * 100)
    heights = conditional.sample(200, y=labels, random_state=0)["height"]
    assert ((heights > 0) == (labels == "y")).mean() > 0.95


def test_files_keep_the_discriminator(model, tmp_path):
    save(model, tmp_path / "model.safetensors")
    save(Decoder(model), tmp_path / "decoder.safetensors")
    expected = model.sample(100, random_state=0)
    for name in ("model", "decoder"):
        pandas.testing.assert_frame_equal(load(tmp_path / f"{name}.safetensors").sample(100, random_state=0), expected)


def test_few_rows_give_a_model_without_preferences():
    few = small("tabular_vae", 2, max_epochs=1).fit(people(4))
    assert len(few.sample(10, random_state=0)) == 10
    assert not few.module_.discriminator.output.any()


def test_the_number_of_candidates_is_checked():
    with pytest.raises(ValueError, match="n_candidates of Density must be a positive integer, got 0"):
        small("vae", 2, prior=Density(n_candidates=0)).fit(people())
