"""Many nets trained at once equal nets trained alone, and do not depend on their held-out rows."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from isthmus import AnomalyDetector, Autoencoder, BaggedAutoencoders, inference, load, save, storage
from isthmus.anomaly import parallel
from isthmus.anomaly.parallel import OneByOne, Parallel, Stacked, find_consensus
from isthmus.backbones import MLP, Linear
from isthmus.bottlenecks import Gaussian as GaussianCode
from isthmus.cli.describing import describe
from isthmus.data import Parquet, Windows, as_source
from isthmus.data.bootstrap import BootstrapBatches, make_bootstrap
from isthmus.likelihoods import Gaussian
from isthmus.randomness import mix, seeded
from isthmus.regularizers import L1
from isthmus.training.hardware import _work

# Only the nets are fitted to the rows.
FIXED = {"likelihood": Gaussian(scale=1.0, scaling="none"), "precision": "float64"}


def small_net(**options) -> Autoencoder:
    return Autoencoder(**{"n_components": 2, "backbone": MLP((8,)), "max_epochs": 2, **options})


def small_ensemble(n_estimators=4, **options) -> BaggedAutoencoders:
    return BaggedAutoencoders(small_net(**options), n_estimators, random_state=0)


# Several nets


@pytest.mark.parametrize("backbone", [MLP((7, 5)), MLP((), activation="tanh"), MLP((6,), activation="relu"), Linear()])
@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_stacked_nets_and_their_gradients_are_those_of_each_net(backbone, side):
    with seeded(0):
        nets = [clone(backbone) for _ in range(3)]
        for net in nets:
            net.build((2, 3), (1, 2, 3), (4,), (4,), 0)
        alone = [getattr(net, side) for net in nets]
        x = torch.randn(15, *([2, 3] if side == "encoder" else [4]), requires_grad=True)
    stacked = Stacked(alone)
    expected = torch.stack([alone[i % 3](x[i : i + 1])[0] for i in range(15)])
    torch.testing.assert_close(stacked(x), expected)
    linears = [[layer for layer in net.modules() if isinstance(layer, torch.nn.Linear)] for net in alone]
    stacks = [layer for layer in stacked.modules() if isinstance(layer, parallel.StackedLinear)]
    assert len(stacks) == len(linears[0])
    expected.square().sum().backward()
    gradient, x.grad = x.grad, None
    stacked(x).square().sum().backward()
    torch.testing.assert_close(x.grad, gradient)
    for k, stack in enumerate(stacks):
        for i in range(3):
            torch.testing.assert_close(stack.weight.grad[i], linears[i][k].weight.grad)
            torch.testing.assert_close(stack.bias.grad.view(3, -1)[i], linears[i][k].bias.grad)


@pytest.mark.parametrize(
    ("backbone", "kinds"),
    [
        (MLP((4,), dropout=0.5), (Stacked, Stacked)),
        (MLP((4,), norm="batch"), (OneByOne, OneByOne)),
        (Linear(tied=True), (Stacked, OneByOne)),
    ],
)
def test_nets_that_cannot_be_stacked_are_computed_one_by_one(backbone, kinds):
    nets = Parallel(backbone, 3)
    nets.build((6,), (1, 6), (2,), (2,), 0)
    assert (type(nets.encoder), type(nets.decoder)) == kinds
    assert nets.decode(nets.encode(torch.randn(12, 6))).shape == (12, 1, 6)


def test_nets_are_trained_as_if_each_were_alone(blobs, monkeypatch):
    """Compare with plain torch: each net has its own rows and its own optimizer."""
    options = {**FIXED, "optimizer": "adam", "schedule": "constant", "batch_size": 16, "max_epochs": 3}
    options["learning_rate"] = 2e-3
    batches, hand_over = [], BootstrapBatches.batches

    def recorded(self, size, seed=None, shard=(0, 1)):
        for batch in hand_over(self, size, seed, shard):
            batches.extend([batch.x] * (seed is not None))  # without a seed, rows are evaluated in order
            yield batch

    monkeypatch.setattr(BootstrapBatches, "batches", recorded)
    ensemble = small_ensemble(**options).fit(blobs)
    batches = batches[: 3 * 8]  # 120 rows per net in batches of 16; later batches are not for training
    with seeded(0):
        nets = [MLP((8,)) for _ in range(4)]
        for net in nets:
            net.build((6,), (1, 6), (2,), (2,), 0)
    stacks = [layer for layer in ensemble.module_.modules() if isinstance(layer, parallel.StackedLinear)]
    for i, net in enumerate(nets):
        net.double()
        optimizer = torch.optim.Adam(net.parameters(), lr=2e-3, eps=0.25e-8)
        for x in (batch[i::4].double() for batch in batches):
            optimizer.zero_grad()
            (0.5 * (net.decode(net.encode(x))[:, 0] - x).square().sum(1).mean()).backward()
            optimizer.step()
        linears = [layer for layer in net.modules() if isinstance(layer, torch.nn.Linear)]
        for stack, linear in zip(stacks, linears, strict=True):
            torch.testing.assert_close(stack.weight[i].cpu(), linear.weight, rtol=1e-5, atol=1e-6)
            torch.testing.assert_close(stack.bias.view(4, -1)[i].cpu(), linear.bias, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "options", [{}, {"bottleneck": GaussianCode(n_draws=3)}, {"regularizers": L1(), "corruption": "masking"}]
)
def test_nets_one_by_one_and_stacked_nets_give_equal_results(options, blobs, monkeypatch):
    together = small_ensemble(precision="float64", **options).fit(blobs)
    monkeypatch.setattr(parallel, "STACKABLE", ())
    one_by_one = small_ensemble(precision="float64", **options).fit(blobs)
    assert isinstance(one_by_one.module_.backbone.encoder, OneByOne)
    np.testing.assert_allclose(one_by_one.score_samples(blobs), together.score_samples(blobs), rtol=1e-8)


def test_biases_do_not_decay(blobs):
    parameters = dict(small_ensemble().fit(blobs).module_.backbone.named_parameters())
    assert all((parameter.ndim == 1) == name.endswith("bias") for name, parameter in parameters.items())


def test_the_work_of_a_stacked_step_is_the_sum_over_the_nets(blobs):
    one, four = small_net(random_state=0).fit(blobs).module_.cpu(), small_ensemble().fit(blobs).module_.cpu()
    shared = sum(p.numel() for p in one.likelihood.parameters())
    own = sum(p.numel() for p in one.backbone.parameters())
    assert _work(four, 4 * 128) == 6 * 4 * 128 * (4 * own + shared) // 4


# Bags


@pytest.mark.parametrize("n_rows", [20, 101])
@pytest.mark.parametrize(
    ("max_samples", "n_bags", "n_each"), [(0.5, 2, 0.5), (0.5, 5, 0.5), (0.8, 5, 0.8), (0.3, 8, 0.3)]
)
def test_every_row_is_left_out_of_a_bag_and_no_bag_holds_what_it_left_out(n_rows, max_samples, n_bags, n_each):
    source = as_source(np.arange(n_rows, dtype=float)[:, None])
    bags = make_bootstrap(source, n_bags, max_samples, seed=0)
    assert bags.left_out.any(0).all()
    held = [np.concatenate([batch.x[:, 0].numpy() for batch in bag.batches(7)]).astype(int) for bag in bags.subsets]
    for rows, left_out in zip(held, bags.left_out, strict=True):
        assert len(set(rows)) == len(rows)
        assert not left_out[rows].any()
        assert n_each * n_rows - 2 <= len(rows) <= n_each * n_rows


@pytest.mark.parametrize("n_rows", [2, 3])
def test_the_smallest_number_of_rows_leaves_rows_in_and_out_of_each_net(n_rows):
    for seed in range(10):
        bags = make_bootstrap(as_source(np.arange(n_rows, dtype=float)[:, None]), 2, 0.5, seed)
        assert bags.left_out.any(0).all()
        assert not bags.left_out.all(1).any()


def test_two_bags_of_half_the_rows_contain_all_rows():
    bags = make_bootstrap(as_source(np.arange(30.0)[:, None]), 2, 0.5, seed=1)
    assert sorted(torch.cat([bag._take(bag.rows) for bag in bags.subsets]).flatten().tolist()) == [*range(30)]


def test_a_number_of_rows_is_at_most_half_of_them():
    source = as_source(np.zeros((100, 1)))
    assert len(make_bootstrap(source, 4, 30, 0)) == 4 * 30
    assert len(make_bootstrap(source, 4, 300, 0)) == 4 * 50


@pytest.mark.parametrize("seed", [None, 3])
def test_batches_take_a_row_of_each_bag_in_turn(seed):
    bags = make_bootstrap(as_source(np.arange(60.0)[:, None]), 3, 0.5, seed=0)
    batches = [batch.x[:, 0] for batch in bags.batches(24, seed)]
    assert [len(x) for x in batches] == [24, 24, 24, 18]
    assert sum(map(len, batches)) == len(bags)
    for i, bag in enumerate(bags.subsets):
        own = torch.cat([x[i::3] for x in batches])
        assert sorted(own.tolist()) == bag._take(bag.rows)[:, 0].tolist()


def test_the_share_of_a_process_contains_equally_many_rows_of_each_bag():
    bags = make_bootstrap(as_source(np.arange(60.0)[:, None]), 3, 0.5, seed=0)
    whole, *parts = (list(bags.batches(24, 0, shard)) for shard in [(0, 1), (0, 2), (1, 2)])
    for both, *halves in zip(whole, *parts, strict=True):
        assert torch.equal(torch.cat([half.x for half in halves]), both.x)
        assert all(len(half.x) % 3 == 0 for half in halves)


def test_windows_are_left_out_with_all_overlapping_windows():
    windows = Windows(np.arange(400.0), length=10)
    bags = make_bootstrap(windows, 6, 0.5, seed=0)
    assert bags.left_out.any(0).all()
    for bag, left_out in zip(bags.subsets, bags.left_out, strict=True):
        gaps = np.abs(bag.starts[:, None] - windows.starts[left_out.numpy()])
        assert gaps.min() >= 10
    assert len({tuple(bag.starts) for bag in bags.subsets}) > 2


@pytest.mark.parametrize(("max_samples", "n_bags"), [(0.5, 1), (0.8, 4), (0.99, 8)])
def test_too_few_bags_are_refused(max_samples, n_bags):
    with pytest.raises(ValueError, match=r"leaves every row out of a net only from n_estimators=\d+ on, got"):
        make_bootstrap(as_source(np.zeros((1000, 1))), n_bags, max_samples, 0)


def test_windows_that_all_overlap_are_refused():
    with pytest.raises(ValueError, match="too few: nothing is left to learn from"):
        make_bootstrap(Windows(np.arange(20.0), length=15), 2, 0.5, 0)


# Scores


def nets_of(ensemble):
    """Return the weights of each net as one row."""
    stacks = [layer for layer in ensemble.module_.modules() if isinstance(layer, parallel.StackedLinear)]
    return torch.cat([stack.weight.detach().flatten(1) for stack in stacks], 1)


def test_a_row_changes_the_nets_that_saw_it_and_no_others(blobs):
    blobs = blobs.astype(np.float64)
    before = small_ensemble(**FIXED).fit(blobs)
    blobs[17] += 3
    after = small_ensemble(**FIXED).fit(blobs)
    same = (nets_of(before) == nets_of(after)).all(1)
    left_out = make_bootstrap(as_source(blobs), 4, 0.5, mix(0, 3)).left_out[:, 17]
    assert same.tolist() == left_out.tolist()
    assert 0 < left_out.sum() < 4


def test_held_out_scores_are_means_over_the_nets_that_left_the_row_out(blobs):
    ensemble = small_ensemble(precision="float64").fit(blobs)
    nets = ensemble.estimator_
    scores = nets.score_samples(np.repeat(blobs, 4, axis=0)).reshape(-1, 4)
    left_out = make_bootstrap(as_source(blobs), 4, 0.5, mix(0, 3)).left_out.numpy().T
    np.testing.assert_array_equal(ensemble.left_out_, left_out.T)
    np.testing.assert_allclose(ensemble.score_samples(blobs), scores.mean(1))
    np.testing.assert_allclose(ensemble.held_out_scores_, np.nanmean(np.where(left_out, scores, np.nan), axis=1))


def test_held_out_scores_are_those_of_new_rows_and_training_scores_are_not(rng):
    """Nets that overfit forty rows, and new rows of the same distribution."""
    X = rng.normal(size=(40, 10))
    ensemble = small_ensemble(8, backbone=MLP((64,)), n_components=6, max_epochs=300, likelihood=Gaussian(1.0)).fit(X)
    new = ensemble.score_samples(rng.normal(size=(2000, 10))).mean()
    assert abs(ensemble.held_out_scores_.mean() - new) < 0.25 * (ensemble.score_samples(X).mean() - new)


def test_planted_outliers_score_low(rng):
    X = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 8)) + 0.1 * rng.normal(size=(300, 8))
    X[:15] = rng.normal(size=(15, 8)) * X.std(0)
    ensemble = small_ensemble(max_epochs=60).fit(X)
    outlying = np.arange(300) < 15
    assert roc_auc_score(outlying, -ensemble.score_samples(X)) > 0.95
    assert roc_auc_score(outlying, -ensemble.held_out_scores_) > 0.95


@pytest.mark.parametrize("bottleneck", ["deterministic", "gaussian"])
def test_contributions_add_up_and_score_is_their_mean(bottleneck, holes):
    ensemble = small_ensemble(bottleneck=bottleneck, precision="float64").fit(holes)
    scores = ensemble.score_samples(holes)
    np.testing.assert_allclose(ensemble.contributions(holes).sum(1), scores)
    assert ensemble.score(holes) == pytest.approx(scores.mean())
    assert (ensemble.contributions(holes)[:, :-2][np.isnan(holes)] == 0).all()
    means = np.where(np.isnan(holes), np.nan, ensemble.contributions(holes)[:, :-2])
    np.testing.assert_allclose(np.nanmean(means, axis=0), 0, atol=1e-8)


def test_the_divergence_is_that_of_the_codes(blobs):
    ensemble = small_ensemble(bottleneck="gaussian", precision="float64").fit(blobs)
    mean, deviation = ensemble.estimator_.transform(np.repeat(blobs, 4, axis=0), return_std=True)
    each = 0.5 * (mean**2 + deviation**2 - 1 - 2 * np.log(deviation)).sum(1)
    np.testing.assert_allclose(ensemble.divergence(blobs), each.reshape(-1, 4).mean(1))


def test_rows_are_rebuilt_as_the_mean_over_the_nets(holes):
    ensemble = small_ensemble(precision="float64").fit(holes)
    each = ensemble.estimator_.reconstruct(np.repeat(holes, 4, axis=0)).reshape(-1, 4, 6)
    np.testing.assert_allclose(ensemble.reconstruct_each(holes), each)
    np.testing.assert_allclose(ensemble.reconstruct(holes), each.mean(1))


def test_scores_do_not_depend_on_the_rows_beside_them(blobs, monkeypatch):
    ensemble = small_ensemble(precision="float64").fit(blobs)
    scores = ensemble.score_samples(blobs)
    np.testing.assert_allclose(ensemble.score_samples(blobs[::-1])[::-1], scores)
    monkeypatch.setattr(inference, "MAX_VALUES", 64)
    np.testing.assert_allclose(ensemble.score_samples(blobs), scores)
    np.testing.assert_allclose(ensemble.score_samples(blobs[:1]), scores[:1])


def test_results_depend_on_random_state_only(blobs):
    torch.manual_seed(5)
    untouched = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (
        BaggedAutoencoders(small_net(), 4, random_state=seed).fit(blobs).held_out_scores_ for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert torch.equal(torch.rand(3), untouched)


# Tables


@pytest.fixture
def customers(rng) -> pd.DataFrame:
    """A table of numbers and categories with missing values."""
    n = 200
    age = rng.normal(40, 10, n)
    return pd.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.1, np.nan, age),
            "town": rng.choice(["Bern", "Genf", "Chur"], n),
            "spent": np.exp(age / 10 + rng.normal(size=n)),
            "member": rng.random(n) < 0.3,
        }
    )


def test_results_of_tables_are_tables(customers):
    ensemble = BaggedAutoencoders(small_net(max_epochs=5), 3, random_state=0).fit(customers)
    assert list(ensemble.feature_names_in_) == list(customers.columns)
    assert ensemble.n_features_in_ == 4
    rebuilt = ensemble.reconstruct(customers)
    assert list(rebuilt.columns) == list(customers.columns)
    assert set(rebuilt["town"]) <= {"Bern", "Genf", "Chur"}
    contributions = ensemble.contributions(customers)
    assert list(contributions.columns) == [*customers.columns, "code", "base"]
    np.testing.assert_allclose(contributions.sum(axis=1), ensemble.score_samples(customers), rtol=1e-4, atol=1e-3)


def test_a_category_is_chosen_by_the_majority_of_nets(customers):
    ensemble = BaggedAutoencoders(small_net(), 3, random_state=0).fit(customers)
    positions = torch.tensor([[0.0, 2.0, 1.0, 0.0], [0.0, 0.0, 3.0, 0.0], [0.0, 2.0, 2.0, 1.0]])
    assert find_consensus(positions[None], ensemble.schema_).tolist() == [[0.0, 2.0, 2.0, 0.0]]


def test_rows_with_other_columns_are_refused(customers):
    ensemble = BaggedAutoencoders(small_net(), 3, random_state=0).fit(customers)
    with pytest.raises(ValueError, match="lacks columns"):
        ensemble.score_samples(customers.drop(columns="town"))


# scikit-learn


@parametrize_with_checks([BaggedAutoencoders(small_net(precision="float64", batch_size=128), 2, random_state=0)])
def test_estimator_checks_of_scikit_learn_pass(estimator, check):
    check(estimator)


def test_the_default_net_is_an_autoencoder(blobs):
    ensemble = BaggedAutoencoders(random_state=0).set_params(n_estimators=2)
    assert ensemble._make_parallel(0).n_components == Autoencoder().n_components
    assert clone(ensemble).get_params() == ensemble.get_params()


def test_the_given_estimator_is_not_changed(blobs):
    net = small_net(random_state=7, validation_fraction=0.2)
    before = repr(net)
    BaggedAutoencoders(net, 2, random_state=0).fit(blobs)
    assert repr(net) == before
    assert "module_" not in vars(net)


def test_a_pickled_ensemble_scores_the_same(blobs):
    ensemble = small_ensemble().fit(blobs)
    again = pickle.loads(pickle.dumps(ensemble))
    np.testing.assert_array_equal(again.score_samples(blobs), ensemble.score_samples(blobs))


# Files


@pytest.mark.parametrize("table", [False, True], ids=["array", "table"])
def test_a_saved_ensemble_gives_equal_scores_after_loading(table, customers, holes, tmp_path):
    X = customers if table else holes
    ensemble = BaggedAutoencoders(small_net(bottleneck="gaussian"), 3, random_state=0).fit(X)
    save(ensemble, tmp_path / "ensemble")
    again = load(tmp_path / "ensemble")
    assert repr(again) == repr(ensemble)
    assert (again.history_, again.schema_, again.n_features_in_) == (
        ensemble.history_,
        ensemble.schema_,
        ensemble.n_features_in_,
    )
    for method in ("score_samples", "contributions", "reconstruct", "reconstruct_each", "divergence"):
        np.testing.assert_array_equal(getattr(again, method)(X), getattr(ensemble, method)(X))
    for name in ("held_out_scores_", "left_out_"):
        np.testing.assert_array_equal(getattr(again, name), getattr(ensemble, name))
    save(again, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "ensemble").read_bytes()
    np.testing.assert_array_equal(again.fit(X).held_out_scores_, ensemble.held_out_scores_)


def test_a_saved_detector_of_an_ensemble_gives_equal_scores_after_loading(blobs, tmp_path):
    detector = AnomalyDetector(small_ensemble(), random_state=0).fit(blobs)
    save(detector, tmp_path / "detector")
    np.testing.assert_array_equal(load(tmp_path / "detector").p_values(blobs), detector.p_values(blobs))


@pytest.mark.parametrize("start", ["own.expected", "own.left_out", "inner.module."])
def test_damaged_files_are_refused(start, blobs, tmp_path):
    save(small_ensemble().fit(blobs), tmp_path / "ensemble")
    tensors, document = storage.read(tmp_path / "ensemble")
    tensors.pop(next(name for name in tensors if name.startswith(start)))
    storage.write(tmp_path / "ensemble", tensors, document)
    with pytest.raises(ValueError, match="damaged: its header does not fit its tensors"):
        load(tmp_path / "ensemble")


def test_info_names_the_ensemble_and_its_nets(blobs, tmp_path):
    save(small_ensemble().fit(blobs), tmp_path / "ensemble")
    told = describe(tmp_path / "ensemble")
    assert "model" in told
    assert "BaggedAutoencoders of Autoencoder" in told
    assert "Autoencoder.max_epochs" in told


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"estimator": MLP()}, TypeError, "estimator must be an Autoencoder or None, got MLP"),
        ({"estimator": Autoencoder(conditional=True)}, ValueError, "estimator must not be conditional"),
        ({"estimator": Autoencoder(n_components=0)}, ValueError, "n_components must be a positive integer, got 0"),
        ({"n_estimators": 1}, ValueError, "n_estimators must be an integer >= 2, got 1"),
        ({"n_estimators": 2.5}, ValueError, "n_estimators must be an integer >= 2, got 2.5"),
        ({"max_samples": 1.0}, ValueError, r"max_samples must be a share in \(0, 1\) or a positive integer, got 1.0"),
        ({"max_samples": "half"}, ValueError, "max_samples must be a share .* got 'half'"),
        ({"max_samples": 0.9}, ValueError, "max_samples=0.9 leaves every row out of a net only from n_estimators=10"),
    ],
)
def test_bad_parameters_are_named(options, error, message, blobs):
    with pytest.raises(error, match=message):
        BaggedAutoencoders(**{"estimator": small_net(), **options}).fit(blobs)


def test_streams_are_refused(folder):
    with pytest.raises(TypeError, match="rows of Parquet cannot be taken by position; load them first"):
        small_ensemble().fit(Parquet(folder))


def test_divergence_of_deterministic_codes_is_refused_for_ensembles_and_single_nets():
    X = np.random.default_rng(0).normal(size=(60, 4))
    for model in (small_net(), small_ensemble()):
        with pytest.raises(ValueError, match="divergence needs a stochastic bottleneck, .* Deterministic is"):
            model.fit(X).divergence(X)


def test_a_prior_fitted_after_training_does_not_change_ensemble_scores():
    X = np.random.default_rng(0).normal(size=(60, 4))
    scores = [small_ensemble(bottleneck="gaussian", prior=prior).fit(X).score_samples(X) for prior in (None, "mixture")]
    np.testing.assert_array_equal(*scores)
