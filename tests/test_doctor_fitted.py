"""The doctor after a fit: every check finds its fault, and finds nothing in a healthy fit."""

import copy
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from isthmus import AnomalyDetector, Autoencoder, BaggedAutoencoders, SlidingWindows, load, save, zoo
from isthmus.bottlenecks import Gaussian as GaussianCode
from isthmus.bottlenecks import TopK, VectorQuantized
from isthmus.data import Texts, as_source
from isthmus.doctor import examine, examine_training, fitted_input
from isthmus.doctor.calibration import distance_from_uniform, draw_ranks, largest_chance_distance
from isthmus.doctor.examination import CHECKS, FITTED_CHECKS, TRAINING_CHECKS
from isthmus.doctor.fitted_input import FittedInput, find_held_out
from isthmus.doctor.rows import read_rows
from isthmus.doctor.simple_models import _log_likelihood_of_pca, list_better_models
from isthmus.likelihoods import Gaussian

N = 700


def draw_factors(seed=0, n=N):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) @ np.random.default_rng(9).normal(size=(2, 8)) + 0.5 * rng.normal(size=(n, 8))


def whats(*arguments, **options):
    return [finding.what for finding in examine(*arguments, **options)]


def only(what, *arguments, **options):
    """Return the finding of a kind, which occurs once."""
    (finding,) = [finding for finding in examine(*arguments, **options) if finding.what == what]
    return finding


@pytest.fixture(scope="module")
def factors():
    return draw_factors()


@pytest.fixture(scope="module")
def plain(factors):
    return zoo.autoencoder(2, random_state=0).fit(factors)


@pytest.fixture(scope="module")
def vae(factors):
    return zoo.vae(2, random_state=0).fit(factors)


# Healthy fits


def test_nothing_is_found_in_healthy_fits(factors, plain, vae):
    assert examine(factors, plain, test=draw_factors(1)) == []
    assert examine(factors, vae, test=draw_factors(1)) == []


def test_nothing_is_found_in_a_healthy_fit_of_a_table(rng):
    frame = pd.DataFrame(draw_factors(), columns=list("abcdefgh"))
    frame["city"] = np.where(frame["a"] + rng.normal(size=N) > 0, "Oslo", "Rome")
    frame.loc[::9, "b"] = np.nan
    assert examine(frame, zoo.vae(2, max_epochs=25, random_state=0).fit(frame)) == []


def test_checks_are_found_by_name():
    names = [check.__name__ for check in [*CHECKS, *TRAINING_CHECKS, *FITTED_CHECKS]]
    assert len(set(names)) == len(names)
    assert {"find_posterior_collapse", "find_likelihood_misfit", "find_unstable_training"} <= set(names)


def test_an_examination_is_repeatable_and_changes_nothing(factors, vae):
    before, state = copy.deepcopy(vae.module_.state_dict()), torch.get_rng_state()
    assert examine(factors, vae) == examine(factors, vae)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in vae.module_.state_dict().items())


def test_simple_models_are_fitted_once_for_all_checks(factors, vae, monkeypatch):
    calls = []
    monkeypatch.setattr(fitted_input, "list_better_models", lambda *arguments: calls.append(arguments) or [])
    examine(factors, vae)
    assert len(calls) == 1


# Rows that the fit held out


def test_rows_that_fit_held_out_are_recognised(factors, plain, tmp_path):
    held_out = find_held_out(plain, as_source(factors))
    assert len(held_out) == N // 10
    save(plain, tmp_path / "plain.safetensors")
    np.testing.assert_array_equal(find_held_out(load(tmp_path / "plain.safetensors"), as_source(factors)), held_out)
    subset = as_source(np.concatenate([factors[:0], factors])).take(np.arange(N))
    np.testing.assert_array_equal(find_held_out(plain, subset), held_out)
    assert len(find_held_out(plain, as_source(draw_factors(1)))) == 0
    assert len(find_held_out(plain, as_source(factors[1:]))) == 0


def test_rows_that_fit_held_out_are_those_without_influence(factors, plain):
    changed = factors.copy()
    changed[find_held_out(plain, as_source(factors))] *= 1.01
    again = zoo.autoencoder(2, max_epochs=1, random_state=0)
    first, second = (copy.deepcopy(again).fit(X).module_.state_dict() for X in (factors, changed))
    assert all(torch.equal(first[name], second[name]) for name in first)


# Ranks


def test_distances_from_the_uniform_distribution_are_those_of_scipy(rng):
    u = rng.beta(2, 2, 300)
    assert distance_from_uniform(np.append(u, np.nan)) == pytest.approx(stats.kstest(u, "uniform").statistic)


def test_chance_distances_are_exceeded_in_few_samples(rng):
    limit = largest_chance_distance(200, 5, 0.05)
    largest = [max(distance_from_uniform(rng.random(200)) for _ in range(5)) for _ in range(300)]
    assert 0 < np.mean(np.array(largest) > limit) < 0.08


def test_ranks_of_a_normal_likelihood_are_its_distribution_function(factors, plain):
    data = FittedInput(read_rows(factors, plain.schema_), {}, plain)
    ranks, residuals, noise = draw_ranks(data, data.source)
    errors = factors - plain.reconstruct(factors)
    scales = plain.module_.likelihood.noise.log_scale.exp().detach().cpu().numpy()
    expected = stats.norm.cdf(errors / scales)
    assert np.abs(ranks - expected).max() < 0.25  # 100 draws have a standard error of at most 0.05
    assert np.abs((ranks - expected).mean()) < 0.005
    np.testing.assert_allclose(residuals, errors.std(0) / factors.std(0), rtol=0.1)
    np.testing.assert_allclose(noise, scales / factors.std(0), rtol=0.02)


def test_ranks_of_counts_are_uniform_if_the_likelihood_is_right(rng):
    counts = rng.poisson(2.0, (2000, 3)).astype(float)
    model = zoo.vae(1, likelihood="poisson", max_epochs=8, random_state=0).fit(counts)
    data = FittedInput(read_rows(counts, model.schema_), {}, model)
    ranks, *_ = draw_ranks(data, data.source)
    assert max(map(distance_from_uniform, ranks.T)) < largest_chance_distance(2000, 3, 0.01)


# Simple models


def test_the_log_likelihood_of_pca_is_that_of_scikit_learn(factors, vae, plain):
    source = as_source(factors)
    half = source.take(np.arange(0, N, 2))
    mean, std = factors[::2].mean(0), factors[::2].std(0)
    z = (factors - mean) / std
    components = np.linalg.svd(z[::2], full_matrices=False)[2][:2]
    noise = z - z @ components.T @ components
    expected = stats.norm.logpdf(noise, scale=noise[::2].std(0)).sum(1) - np.log(std).sum()
    np.testing.assert_allclose(_log_likelihood_of_pca(plain, half, source), expected)
    marginal = np.cov(z[::2].T)
    values, vectors = np.linalg.eigh(marginal)
    values[:-2] = values[:-2].mean()
    density = stats.multivariate_normal(np.zeros(8), vectors * values @ vectors.T)
    np.testing.assert_allclose(_log_likelihood_of_pca(vae, half, source), density.logpdf(z) - np.log(std).sum())


def test_a_model_on_a_weighted_bound_is_not_compared(factors):
    model = zoo.vae(2, beta=0.1, max_epochs=1, random_state=0).fit(factors)
    assert list_better_models(model, as_source(factors), as_source(factors)) == []


# Provoked faults


def test_a_collapsed_posterior_is_found(factors):
    finding = only("posterior collapse", factors, zoo.vae(3, beta=50.0, max_epochs=10, random_state=0).fit(factors))
    assert finding.detail.startswith("0 of 3 components active")
    assert "bottleneck=Gaussian(beta=1, warmup=0.5, free_bits=0.1)" in finding.advice


def test_a_code_that_the_decoder_ignores_is_found(factors, plain):
    ignoring = copy.deepcopy(plain)
    with torch.no_grad():
        decoder = ignoring.module_.backbone.decoder[0]
        decoder.shortcut.weight.zero_()
        decoder.net[0].weight.zero_()
    assert "0 nats" in only("posterior collapse", factors, ignoring).detail


def test_dead_components_of_sparse_codes_are_found(factors):
    model = zoo.compose(200, {"bottleneck": TopK(2), "max_epochs": 5, "random_state": 0}).fit(factors)
    finding = only("dead components", factors, model)
    codes = np.delete(model.transform(factors), find_held_out(model, as_source(factors)), axis=0)
    n_used = int((np.ptp(codes, axis=0) > 0).sum())
    assert f"n_components={n_used}" in finding.advice


def test_unused_vectors_of_a_codebook_are_found(rng):
    bits = rng.integers(0, 2, (N, 3)).astype(float)
    model = zoo.compose(1, {"bottleneck": VectorQuantized(32), "max_epochs": 5, "random_state": 0}).fit(bits)
    n_used = len(np.unique(np.delete(model.transform(bits), find_held_out(model, as_source(bits)), axis=0)))
    assert f"VectorQuantized(n_codes={n_used})" in only("dead components", bits, model).advice


def test_dead_hidden_units_are_found(factors):
    model = zoo.autoencoder(2, activation="relu", hidden=(16,), max_epochs=2, random_state=0).fit(factors)
    assert "dead hidden units" not in whats(factors, model)
    with torch.no_grad():
        model.module_.backbone.encoder[1].bias.sub_(1e3)
    # All units of the encoder, whatever share they are of those of all layers.
    assert only("dead hidden units", factors, model).detail.startswith("16 of 16 units (100 %) of one of 2 layers")


def test_a_net_that_remembers_rows_without_harm_does_not_overfit(rng):
    X = rng.normal(size=(600, 3)) @ rng.normal(size=(3, 30)) + rng.normal(size=(600, 30))
    model = zoo.top_k(random_state=0).fit(X)
    data = FittedInput(read_rows(X, model.schema_), {}, model)
    (auroc,) = data.remembered.values()
    assert auroc > 0.8
    assert data.better_models == []
    assert data.judged is not data.sample
    assert "overfitting" not in whats(X, model)


def test_overfitting_is_found_by_other_rows(factors):
    model = zoo.autoencoder(4, hidden=(128, 128), validation_fraction=0.0, max_epochs=150, random_state=0)
    model.fit(factors[:80])
    assert "overfitting" not in whats(factors[:80], model)
    assert "one of test" in only("overfitting", factors[:80], model, test=factors[80:]).detail
    # A net that overfits is worse than simple models on new rows, and more epochs or a wider net would not help.
    assert "underfitting" not in whats(factors[:80], model, test=factors[80:])


def test_a_net_that_learned_nothing_is_found(factors):
    model = zoo.autoencoder(2, learning_rate=1e-6, random_state=0).fit(factors)
    assert any(detail.startswith("PCA") for detail in underfitting(factors, model))


def test_a_net_that_is_worse_than_one_distribution_is_found(factors, plain):
    wrong = copy.deepcopy(plain)
    with torch.no_grad():
        wrong.module_.backbone.decoder[0].shortcut.bias += 3.0
    assert any(detail.startswith("one distribution for all rows") for detail in underfitting(factors, wrong))


def underfitting(*arguments):
    """Return the details of all findings of underfitting."""
    return [finding.detail for finding in examine(*arguments) if finding.what == "underfitting"]


def test_a_training_that_ended_early_is_found(factors):
    assert "training ended early" in whats(factors, zoo.autoencoder(2, max_epochs=2, random_state=0).fit(factors))


def test_losses_that_jump_or_are_not_finite_are_found(factors, plain):
    for loss, words in ((1e4, "to 1e+04 nats in epoch 3"), (math.nan, "not finite in epoch 3")):
        unstable = copy.deepcopy(plain)
        unstable.history_[2]["valid_negative_bound"] = loss
        finding = only("unstable training", factors, unstable)
        assert words in finding.detail
        assert "learning_rate=" in finding.advice


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (lambda X, rng: X + rng.standard_t(2.5, X.shape), "mixture"),
        (lambda X, rng: np.exp(X), "log_normal"),
        (lambda X, rng: rng.poisson(np.exp(X / 3)).astype(float), "negative_binomial"),
        (lambda X, rng: X + 4 * rng.choice([-1, 1], X.shape), "mixture"),
    ],
)
def test_a_wrong_likelihood_is_found_and_the_advised_one_is_right(factors, rng, change, advice):
    X = change(factors, rng)
    finding = only("likelihood misfit", X, zoo.vae(2, likelihood="gaussian", random_state=0).fit(X))
    assert (finding.status, finding.advice) == ("warning", f'likelihood="{advice}"')
    assert "likelihood misfit" not in whats(X, zoo.vae(2, likelihood=advice, random_state=0).fit(X))


def test_a_misfit_of_a_likelihood_that_isthmus_chose_is_a_hint(factors, rng):
    X = factors + 4 * rng.choice([-1, 1], factors.shape)
    finding = only("likelihood misfit", X, zoo.vae(2, random_state=0).fit(X))
    assert (finding.status, finding.advice) == ("hint", 'likelihood="mixture"')


def test_a_wrong_scale_is_found(factors):
    model = Autoencoder(2, likelihood=Gaussian(scale=3.0), random_state=0).fit(factors)
    assert "likelihood misfit" in whats(factors, model)


def test_kinds_of_columns_of_a_table_are_advised(rng):
    frame = pd.DataFrame(draw_factors(), columns=list("abcdefgh"))
    frame["price"] = np.exp(1.5 * rng.normal(size=N))
    model = zoo.vae(2, schema={"price": "real"}, likelihood="gaussian", random_state=0).fit(frame)
    finding = only("likelihood misfit", frame, model)
    assert finding.columns == ("price",)
    assert finding.advice == "likelihood=\"density\", schema={'price': 'positive'}"
    mended = zoo.vae(2, schema={"price": "positive"}, likelihood="density", random_state=0).fit(frame)
    assert "likelihood misfit" not in whats(frame, mended)


# Estimators and errors


def test_detectors_and_ensembles_are_examined(factors):
    detector = AnomalyDetector(zoo.vae(3, beta=50.0, max_epochs=5), calibration="split", random_state=0).fit(factors)
    assert "posterior collapse" in whats(factors, detector)
    bagged = BaggedAutoencoders(Autoencoder(max_epochs=3), 2, random_state=0).fit(factors)
    assert whats(factors, bagged) == []
    bagged.estimator_.history_[1]["loss"] = math.inf
    assert whats(factors, bagged) == ["unstable training"]
    assert whats(factors, BaggedAutoencoders()) == []


@pytest.mark.parametrize("estimator", [AnomalyDetector(), SlidingWindows(), AnomalyDetector(SlidingWindows())])
def test_other_estimators_are_refused(factors, estimator):
    with pytest.raises(
        TypeError, match="must be an Autoencoder|scores rows by (ExemplarDistance|SlidingWindows), which"
    ):
        examine(factors, estimator)


def test_other_columns_are_refused_in_one_sentence(factors, plain):
    with pytest.raises(ValueError, match=r"X has rows of 5 columns, but fit saw rows of 8 columns|8 features"):
        examine(factors[:, :5], plain)
    frame = pd.DataFrame(factors, columns=list("abcdefgh"))
    model = zoo.vae(2, max_epochs=1, random_state=0).fit(frame)
    with pytest.raises(ValueError, match="lacks columns .*'h'"):
        examine(frame.drop(columns="h"), model)
    with pytest.warns(UserWarning, match="column 'more' of X was ignored"):
        examine(frame.assign(more=1.0), model)


def test_a_conditional_model_is_examined_with_and_without_labels(factors):
    y = np.arange(N) % 2
    model = zoo.conditional_vae(2, max_epochs=20, random_state=0).fit(factors, y)
    assert "posterior collapse" not in whats(factors, model, y=y)
    assert "posterior collapse" not in whats(factors, model)


def test_the_training_of_series_is_examined(rng):
    series = np.sin(np.arange(400) / 5) + 0.05 * rng.normal(size=400)
    windows = SlidingWindows(Autoencoder(2, max_epochs=3), (16,), views=("values",), random_state=0)
    detector = AnomalyDetector(windows, fpr=0.1, random_state=0).fit(series)
    for row in detector.estimator_.estimators_[0].history_[1:2]:
        row |= dict.fromkeys({"loss", "valid_negative_bound"} & row.keys(), math.nan)
    for estimator in (detector, detector.estimator_, detector.estimator_.estimators_[0]):
        assert "unstable training" in {finding.what for finding in examine_training(estimator)}


def test_codes_of_texts_are_examined():
    texts = Texts(["red and blue", "blue and green", "green and red"] * 20, vocabulary="word")
    net = zoo.sequence_vae(2, width=8, bottleneck=GaussianCode(beta=100.0), max_epochs=3, random_state=0).fit(texts)
    assert "posterior collapse" in {finding.what for finding in examine_training(net, as_source(texts, net.schema_))}
