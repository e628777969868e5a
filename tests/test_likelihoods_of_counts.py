"""Likelihoods of counts, ordered levels and quantiles, compared with SciPy and brute force; variants for counts."""

import itertools
import math
import pickle

import numpy as np
import pytest
import torch
from conftest import small
from scipy import sparse, special, stats
from sklearn.base import clone

from isthmus import Autoencoder
from isthmus.backbones import MLP, Conv
from isthmus.data import Array, Windows, transfer
from isthmus.doctor import examine
from isthmus.likelihoods import Gaussian, Logistic, Mixed, Multinomial, NegativeBinomial, Poisson, Quantile
from isthmus.likelihoods.negative_binomial import INITIAL_LOGIT
from isthmus.likelihoods.scaling import FLOOR
from isthmus.statistics import Statistics

RNG = np.random.default_rng(0)
# Counts of three kinds: rare, in bursts, many.
COUNTS = np.column_stack([RNG.poisson(0.3, 500), RNG.negative_binomial(0.8, 0.1, 500), RNG.poisson(90, 500)])
LEVELS = np.clip(RNG.normal([2, 8, 14], [1, 3, 3], (500, 3)).round(), 0, 15)
SKEWED = RNG.gamma(1.5, [0.5, 3.0, 20.0], (500, 3))
THETA = torch.tensor([[0.5, -0.3, 0.2], [0.1, -1.0, 2.0], [-0.5, 0.7, 0.1]], dtype=torch.float64)
N_DRAWS = 20_000

OF_ONE_VALUE = [
    Poisson(),
    NegativeBinomial(),
    NegativeBinomial(zero_inflated=True),
    Logistic(16),
    Logistic(16, "feature"),
]
ALL = [*OF_ONE_VALUE, Multinomial(), Multinomial("proportions"), Quantile(), Quantile((0.5,))]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def data_for(likelihood):
    x = {Logistic: LEVELS, Quantile: SKEWED}.get(type(likelihood), COUNTS)
    return torch.as_tensor(x, dtype=torch.float64)


def built(likelihood, x=None):
    likelihood = clone(likelihood)
    likelihood.build(Statistics.of(data_for(likelihood) if x is None else torch.as_tensor(x, dtype=torch.float64)))
    return likelihood.double()


def theta_of(likelihood, n=1):
    """Return one theta for all rows."""
    return THETA[: likelihood.parameter_shape[0]].expand(n, -1, -1)


def mean_of(likelihood, theta=None):
    return likelihood.mean(theta_of(likelihood) if theta is None else theta)[0].numpy(force=True)


def draws_of(likelihood):
    return likelihood.sample(theta_of(likelihood, N_DRAWS)).numpy(force=True)


def table_of(likelihood):
    """Return the probabilities of 0, 1, ... for each of three values, up to a negligible rest."""
    n = likelihood.n_levels if isinstance(likelihood, Logistic) else 5000
    x = torch.arange(n, dtype=torch.float64)[:, None].expand(-1, 3)
    return likelihood.log_prob(theta_of(likelihood, n), x).exp().numpy(force=True)


# Probabilities


@pytest.mark.parametrize("likelihood", OF_ONE_VALUE, ids=repr)
def test_probabilities_of_all_values_add_up_to_one_and_have_the_mean(likelihood):
    likelihood = built(likelihood)
    probabilities = table_of(likelihood)
    np.testing.assert_allclose(probabilities.sum(0), 1.0, rtol=1e-6)
    np.testing.assert_allclose(np.arange(len(probabilities)) @ probabilities, mean_of(likelihood), rtol=1e-3)


@pytest.mark.parametrize("likelihood", OF_ONE_VALUE, ids=repr)
def test_samples_are_as_frequent_as_their_probabilities_say(likelihood):
    likelihood = built(likelihood)
    for column, probabilities in zip(draws_of(likelihood).T, table_of(likelihood).T, strict=True):
        counts = np.bincount(column.astype(int), minlength=len(probabilities))
        assert (column == column.round()).all()
        usual = probabilities * N_DRAWS > 5
        expected = np.append(probabilities[usual], max(1 - probabilities[usual].sum(), 1e-9)) * N_DRAWS
        observed = np.append(counts[usual], counts[~usual].sum())
        if expected[-1] < 5:
            expected, observed = expected[:-1], observed[:-1]
        assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-3


@pytest.mark.parametrize("likelihood", [one for one in ALL if not isinstance(one, Quantile)], ids=repr)
def test_mean_is_the_average_of_many_samples(likelihood):
    likelihood = built(likelihood)
    x = draws_of(likelihood)
    error = 5 * x.std(0) / math.sqrt(N_DRAWS) + 1e-3 * isinstance(likelihood, Logistic)
    np.testing.assert_array_less(np.abs(x.mean(0) - mean_of(likelihood)), error)


def test_counts_are_those_of_scipy_around_the_rates_of_the_training_rows():
    rate = (COUNTS.sum(0) + 0.5) / 501 * np.exp(THETA[0].numpy())
    np.testing.assert_allclose(table_of(built(Poisson()))[:200], stats.poisson.pmf(np.arange(200)[:, None], rate), 1e-4)
    likelihood = built(NegativeBinomial())
    size = likelihood.log_size.exp().numpy(force=True)
    expected = stats.nbinom.pmf(np.arange(200)[:, None], size, size / (size + rate))
    np.testing.assert_allclose(table_of(likelihood)[:200], expected, rtol=1e-4)
    inflated = table_of(built(NegativeBinomial(zero_inflated=True)))[:200]
    share = special.expit(THETA[1].numpy() + INITIAL_LOGIT)
    np.testing.assert_allclose(inflated[1:], (expected * (1 - share))[1:], rtol=1e-4)
    np.testing.assert_allclose(inflated[0], expected[0] * (1 - share) + share, rtol=1e-4)


def test_initial_sizes_are_those_of_the_method_of_moments():
    x = np.random.default_rng(0).negative_binomial([0.5, 3.0, 20.0], 0.1, (200_000, 3))
    np.testing.assert_allclose(built(NegativeBinomial(), x).log_size.exp().detach(), [0.5, 3.0, 20.0], rtol=0.05)


# Rows of counts


def test_probabilities_of_all_rows_of_one_total_add_up_to_one():
    likelihood = built(Multinomial())
    rows = torch.tensor([row for row in itertools.product(range(7), repeat=3) if sum(row) == 6]).double()
    assert likelihood.row_log_prob(theta_of(likelihood, len(rows)), rows).exp().sum().item() == pytest.approx(1.0)


def test_a_row_is_multinomial_with_the_shares_of_the_training_rows_times_what_the_decoder_says():
    likelihood = built(Multinomial())
    share = (COUNTS.sum(0) + 0.5) * np.exp(THETA[0].numpy())
    expected = stats.multinomial.logpmf(COUNTS, COUNTS.sum(1), share / share.sum())
    ours = likelihood.row_log_prob(theta_of(likelihood, 500), torch.as_tensor(COUNTS).double())
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_samples_have_the_mean_total_and_multinomial_shares():
    likelihood = built(Multinomial())
    draws = draws_of(likelihood)
    share = mean_of(likelihood) / mean_of(likelihood).sum()
    assert mean_of(likelihood).sum() == pytest.approx(COUNTS.sum(1).mean())
    assert draws.sum(1).var() == pytest.approx(draws.sum(1).mean(), rel=0.05)
    one_total = draws[draws.sum(1) == np.round(COUNTS.sum(1).mean())]
    assert stats.chisquare(one_total.sum(0), share * one_total.sum()).pvalue > 1e-3


@pytest.mark.parametrize("encoding", ["log", "proportions"])
def test_encoded_rows_do_not_depend_on_their_total(encoding):
    likelihood = built(Multinomial(encoding))
    x = torch.tensor([[1.0, 0.0, 3.0], [0.0, 0.0, 0.0], [0.0, 5.0, 0.0], [2.0, 2.0, 2.0]]).double()
    u = likelihood.encode(x)
    size = u.sum(1) / 3 if encoding == "proportions" else u.norm(dim=1) / math.sqrt(3)
    torch.testing.assert_close(size, torch.tensor([1.0, 0.0, 1.0, 1.0]).double())
    torch.testing.assert_close(u[3], torch.ones(3).double())
    if encoding == "proportions":
        torch.testing.assert_close(likelihood.encode(10 * x), u)


@pytest.mark.parametrize("encoding", ["log", "proportions"])
def test_missing_counts_do_not_count_in_their_row(encoding):
    x = torch.as_tensor(COUNTS).double().clone()
    x[::2, 1] = math.nan
    likelihood = built(Multinomial(encoding), x)
    filled = likelihood.fill(x)
    zeros = torch.where(x.isnan(), 0.0, x)
    torch.testing.assert_close(likelihood.encode(filled), likelihood.encode(zeros))
    two = likelihood.log_prob(theta_of(likelihood, 500), filled)[::2]
    logits = (THETA[0] + likelihood.log_base)[[0, 2]]
    counts = COUNTS[::2, [0, 2]]
    expected = stats.multinomial.logpmf(counts, counts.sum(1), logits.softmax(0).numpy(force=True))
    np.testing.assert_allclose(two.sum(1), expected, rtol=1e-6)


def test_sparse_rows_give_the_results_of_the_array_without_a_dense_copy(monkeypatch):
    taken, take = [], Array._take
    monkeypatch.setattr(Array, "_take", lambda source, index: taken.append(take(source, index)) or taken[-1])
    monkeypatch.setattr(transfer, "COPIED_BYTES", 2**20)
    X = np.random.default_rng(0).poisson(0.02, (3000, 400))
    options = {
        "backbone": MLP((8,)),
        "batch_size": 100,
        "max_epochs": 1,
        "random_state": 0,
        "likelihood": "multinomial",
    }
    rows = sparse.csr_array(X)
    model, dense = Autoencoder(2, **options).fit(rows), Autoencoder(2, **options).fit(X)
    np.testing.assert_array_equal(model.score_samples(rows), dense.score_samples(X))
    assert max(len(x) for x in taken) < len(X)


# Levels


@pytest.mark.parametrize("scale", ["feature", "shared", 1.5])
def test_levels_are_the_mass_of_scipys_logistic_within_half_a_level(scale):
    likelihood = built(Logistic(16, scale))
    common = np.sqrt((LEVELS.std(0) ** 2).mean())
    spread = 1.5 if scale == 1.5 else common * math.hypot(1.0, FLOOR)
    logistic = stats.logistic(LEVELS.mean(0) + common * THETA[0].numpy(), spread)
    ends = np.concatenate([[-np.inf], np.arange(15) + 0.5, [np.inf]])[:, None]
    np.testing.assert_allclose(table_of(likelihood), np.diff(logistic.cdf(ends), axis=0), rtol=1e-4)


def test_pixels_come_back_within_their_range(images):
    model = Autoencoder(4, backbone=MLP((16,)), likelihood="logistic", max_epochs=20, random_state=0).fit(images)
    rebuilt, drawn = model.reconstruct(images), model.sample(50, random_state=0)
    for x in (rebuilt, drawn):
        assert x.min() >= 0
        assert x.max() <= 255
    assert (drawn == drawn.round()).all()
    assert (model.score_samples(images) < 0).all()


# Quantiles


def best_fit(likelihood, x):
    """Maximise the likelihood of one theta for all rows, together with what is learned beside it."""
    theta = torch.zeros(1, *likelihood.parameter_shape, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([theta, *likelihood.parameters()], lr=0.03)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 600)
    for _ in range(600):
        optimizer.zero_grad()
        (-likelihood.row_log_prob(theta.expand(len(x), *theta.shape[1:]), x).mean()).backward()
        optimizer.step()
        decay.step()
    return theta.detach()


@pytest.mark.parametrize("levels", [(0.05, 0.5, 0.95), (0.1, 0.2, 0.8), (0.3,)])
def test_the_best_fit_has_the_quantiles_of_the_data(levels):
    likelihood, x = built(Quantile(levels)), data_for(Quantile())
    ours = likelihood.quantiles(best_fit(likelihood, x))[0].numpy(force=True)
    below = (SKEWED[:, None] < ours).mean(0)
    np.testing.assert_allclose(below, np.broadcast_to(np.array(levels)[:, None], below.shape), atol=0.01)


def test_quantiles_never_cross_and_start_at_those_of_normal_values():
    likelihood = built(Quantile((0.05, 0.3, 0.5, 0.95)))
    wild = likelihood.quantiles(20 * torch.randn(300, 4, 3, dtype=torch.float64))
    assert (wild.diff(dim=1) >= 0).all()
    start = likelihood.quantiles(torch.zeros(1, 4, 3).double())[0]
    expected = stats.norm(SKEWED.mean(0), SKEWED.std(0)).ppf(np.array([[0.05], [0.3], [0.5], [0.95]]))
    np.testing.assert_allclose(start, expected, rtol=1e-5)


def test_the_reconstruction_is_the_quantile_nearest_to_the_median():
    likelihood = built(Quantile((0.1, 0.45, 0.9)))
    theta = theta_of(likelihood)
    assert torch.equal(likelihood.mean(theta), likelihood.quantiles(theta)[:, 1])


def test_samples_lie_below_the_quantiles_as_often_as_their_levels_say():
    likelihood = built(Quantile((0.05, 0.5, 0.95)))
    below = (draws_of(likelihood)[:, None] < likelihood.quantiles(theta_of(likelihood))[0].numpy(force=True)).mean(0)
    np.testing.assert_allclose(below, [[0.05] * 3, [0.5] * 3, [0.95] * 3], atol=5 * 0.5 / math.sqrt(N_DRAWS))


@pytest.mark.parametrize(("levels", "total"), [((0.3,), 1.0), ((0.05, 0.5, 0.95), None)])
def test_the_score_of_one_level_is_a_log_density_and_of_several_at_most_that(levels, total):
    likelihood = built(Quantile(levels))
    x = torch.linspace(-400, 900, 400_001).double()[:, None].expand(-1, 3)
    theta = THETA[: len(levels)].expand(len(x), -1, -1)
    mass = torch.trapezoid(likelihood.log_prob(theta, x).exp(), x, dim=0).detach()
    if total:
        np.testing.assert_allclose(mass, total, atol=1e-3)
    else:
        assert ((mass > 0.1) & (mass < 1)).all()


# Fits to noise


@pytest.mark.parametrize("likelihood", [Poisson(), NegativeBinomial(), Multinomial()], ids=repr)
def test_with_one_theta_for_all_rows_the_best_fit_has_the_mean_of_the_data(likelihood):
    likelihood, x = built(likelihood), data_for(likelihood)
    np.testing.assert_allclose(mean_of(likelihood, best_fit(likelihood, x)), x.mean(0), rtol=0.01)


def test_the_best_size_is_that_of_the_data():
    x = torch.as_tensor(np.random.default_rng(0).negative_binomial([0.5, 3.0, 20.0], 0.1, (5000, 3))).double()
    likelihood = built(NegativeBinomial(), x)
    likelihood.start.fill_(0.0)
    best_fit(likelihood, x)
    np.testing.assert_allclose(likelihood.log_size.exp().detach(), [0.5, 3.0, 20.0], rtol=0.1)


def test_inflated_zeros_are_distinguished_from_zeros_of_the_counts():
    rng = np.random.default_rng(0)
    x = torch.as_tensor(rng.poisson(6.0, (5000, 1)) * (rng.random((5000, 1)) < 0.7)).double()
    likelihood = built(NegativeBinomial(zero_inflated=True), x)
    theta = best_fit(likelihood, x)
    assert torch.sigmoid(theta[0, 1] + INITIAL_LOGIT).item() == pytest.approx(0.3, abs=0.03)
    assert likelihood.counts.log_mean(theta[:, 0]).exp().item() == pytest.approx(6.0, rel=0.03)


# All likelihoods


@pytest.mark.parametrize("likelihood", ALL, ids=repr)
def test_outputs_of_the_decoder_in_bfloat16_or_extreme_give_finite_float32(likelihood):
    likelihood = built(likelihood).float()
    x = data_for(likelihood)[:4].float()
    for theta in (theta_of(likelihood, 4).bfloat16(), 1e4 * theta_of(likelihood, 4).float()):
        leaf = theta.clone().requires_grad_()
        log_prob, mean = likelihood.log_prob(leaf, x), likelihood.mean(theta)
        log_prob.sum().backward()
        assert log_prob.dtype == mean.dtype == torch.float32
        assert all(torch.isfinite(values).all() for values in (log_prob, mean, leaf.grad, likelihood.sample(theta)))


@pytest.mark.parametrize("likelihood", ALL, ids=repr)
def test_estimators_with_likelihoods_of_counts_fit_score_explain_and_impute(likelihood):
    x = data_for(likelihood).numpy().copy()
    x[::5, 0] = np.nan
    model = Autoencoder(2, backbone=MLP((8,)), likelihood=likelihood, max_epochs=3, random_state=0).fit(x)
    scores, contributions = model.score_samples(x), model.contributions(x)
    np.testing.assert_allclose(contributions.sum(1), scores, rtol=1e-4, atol=1e-4)
    assert (contributions[::5, 0] == 0).all()
    assert np.isfinite(model.reconstruct(x)).all()
    assert np.isfinite(model.sample(5)).all()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).score_samples(x), scores)


def test_table_columns_are_counts_if_requested():
    mixed = Mixed(
        (NegativeBinomial(zero_inflated=True), Quantile(), Gaussian(), Multinomial()), ((1,), (0,), (2,), (4, 3))
    )
    x = np.column_stack([SKEWED[:, 0], COUNTS[:, 1], SKEWED[:, 1], COUNTS[:, :2]])
    x[3, 3] = np.nan
    model = Autoencoder(2, backbone=MLP((8,)), likelihood=mixed, max_epochs=3, random_state=0).fit(x)
    np.testing.assert_allclose(model.contributions(x).sum(1), model.score_samples(x), rtol=1e-4, atol=1e-4)
    drawn = model.sample(50)
    assert (drawn[:, [1, 3, 4]] == drawn[:, [1, 3, 4]].round()).all()


@pytest.mark.parametrize(
    "likelihood", [*OF_ONE_VALUE[:3], Logistic(2000, "feature"), Multinomial(), Quantile()], ids=repr
)
def test_windows_of_counts_have_one_scale_per_channel(likelihood):
    windows = Windows(COUNTS[:, 1:], length=16)
    model = Autoencoder(2, backbone=Conv((4,)), likelihood=likelihood, max_epochs=1, random_state=0).fit(windows)
    assert np.isfinite(model.score_samples(windows)).all()
    assert model.sample(3).shape == (3, 2, 16)
    assert all(weight.shape == (2, 1) for weight in model.module_.likelihood.parameters())


@pytest.mark.parametrize("likelihood", [Poisson(), NegativeBinomial(), Multinomial(), Logistic()], ids=repr)
@pytest.mark.parametrize(
    ("change", "message"), [(0.25, "needs integers, but the data contain"), (-3, r"needs values in \[0, ")]
)
def test_values_that_are_not_counts_are_refused_in_fit_and_afterwards(likelihood, change, message):
    estimator = Autoencoder(1, backbone=MLP((4,)), likelihood=likelihood, max_epochs=1)
    wrong = COUNTS + np.where(np.arange(3) == 1, change, 0)
    for refuse in (lambda: clone(estimator).fit(wrong), lambda: clone(estimator).fit(COUNTS).score_samples(wrong)):
        with pytest.raises(ValueError, match=f"likelihood {type(likelihood).__name__} {message}"):
            refuse()
    (finding,) = (one for one in examine(wrong, estimator) if one.what == "wrong likelihood")
    assert (finding.columns, finding.status) == ((1,), "error")
    assert f"{type(likelihood).__name__} needs integer values in [0, " in finding.detail


def test_counts_with_little_variance_are_refused():
    with pytest.raises(ValueError, match="likelihood Poisson needs integers that vary more"):
        Autoencoder(1, likelihood="poisson").fit(10**8 + RNG.integers(0, 9, (50, 2)))


# Variants


@pytest.mark.parametrize("name", ["mult_vae", "topic_model"])
def test_variants_for_counts_refuse_other_numbers(name, blobs):
    with pytest.raises(ValueError, match="Multinomial needs integers, but the data contain"):
        small(name).fit(blobs)


def topics(n=600):
    """Texts of forty words, each from one of two topics without common words."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    shares = np.zeros((2, 60))
    shares[0, :30], shares[1, 30:] = rng.dirichlet(np.ones(30)), rng.dirichlet(np.ones(30))
    return np.array([rng.multinomial(40, shares[label]) for label in y]), y


def test_a_multinomial_vae_separates_topics_and_is_better_than_overall_frequencies():
    X, y = topics()
    model = small("mult_vae", max_epochs=40, batch_size=50, learning_rate=0.01).fit(sparse.csr_array(X))
    codes = model.transform(X)
    direction = codes[y == 1].mean(0) - codes[y == 0].mean(0)
    assert ((codes - codes.mean(0)) @ direction > 0).tolist() == (y == 1).tolist()
    alone = stats.multinomial.logpmf(X, 40, X.sum(0) / X.sum())
    assert model.score_samples(X).mean() > alone.mean() + 0.8 * 40 * math.log(2)
    rebuilt = model.reconstruct(X)
    np.testing.assert_allclose(rebuilt.sum(1), 40, rtol=1e-3)
    assert rebuilt[y == 0][:, :30].sum() > 0.9 * rebuilt[y == 0].sum()


def test_the_same_seed_gives_the_same_multinomial_vae():
    X, _ = topics(100)
    first, second = (small("mult_vae", random_state=5).fit(X) for _ in range(2))
    np.testing.assert_array_equal(first.sample(9), second.sample(9))
    np.testing.assert_array_equal(first.score_samples(X), second.score_samples(X))
