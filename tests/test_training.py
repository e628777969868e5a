"""Training: the loop with a model of one weight, whose steps are known, and with real nets."""

import copy
import math

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from torch import nn, optim

from isthmus import Autoencoder, zoo
from isthmus.anomaly.parallel import StackedLinear
from isthmus.backbones import MLP, Conv, Linear, Recurrent
from isthmus.bottlenecks import Gaussian
from isthmus.corruptions import GaussianNoise
from isthmus.data import Array, arrays, as_source
from isthmus.likelihoods import Gaussian as GaussianLikelihood
from isthmus.model.losses import Losses
from isthmus.regularizers import L1, L2
from isthmus.schema import Schema
from isthmus.training import (
    Callback,
    DivergenceError,
    TrainSettings,
    TrainState,
    choose_batch_size,
    choose_max_epochs,
    choose_n_steps,
    make_optimizer,
    train,
)
from isthmus.training.loop import evaluate
from isthmus.training.optimizers import set_learning_rate
from isthmus.training.schedules import one_cycle

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 2)) @ RNG.normal(size=(2, 5)) + 0.1 * RNG.normal(size=(120, 5))


def small(**options):
    options = {"backbone": MLP((8,)), "max_epochs": 3, "batch_size": 32, "random_state": 0, **options}
    return Autoencoder(2, **options)


def weights(model):
    return {name: value.clone() for name, value in model.module_.state_dict().items()}


def equal(some, others):
    return all(torch.equal(value, others[name]) for name, value in some.items())


class OneWeight(nn.Module):
    """Learns the mean of its rows; its validation losses are given by a list."""

    def __init__(self, bounds):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 1))
        self.bounds = None if bounds is None else iter(bounds)

    def forward(self, x, y=None, progress=None):
        if self.training or self.bounds is None:
            return Losses({"negative_bound": (x - self.weight).square().sum(-1)}, {"center": x.mean()})
        return Losses({"negative_bound": x.new_full((len(x),), next(self.bounds))}, {})


def run(bounds=None, *, rows=None, callbacks=(), **options):
    """Train one weight on rows of ones; return the state and the weight after every epoch."""
    model, seen = OneWeight(bounds), []
    rows = Array(torch.ones(6, 1) if rows is None else rows, Schema((1,)))
    state = TrainState(model, optim.SGD(model.parameters()))
    defaults = {"max_epochs": 10, "learning_rate": 0.01, "schedule": "constant", "batch_size": 6}
    callbacks = (lambda state: seen.append(model.weight.item()), *callbacks)
    train(state, rows, None if bounds is None else rows, TrainSettings(**{**defaults, **options}), callbacks)
    return state, seen


# Convergence, early stopping, best weights


def test_the_loss_falls_and_every_epoch_has_a_row():
    history = small(regularizers=L2(0.1), max_epochs=20, learning_rate=0.02).fit(X).history_
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    assert [row["epoch"] for row in history] == list(range(1, 21))
    for row in history:
        assert list(row) == [
            "epoch",
            "loss",
            "negative_bound",
            "l2",
            "learning_rate",
            "valid_negative_bound",
            "seconds",
        ]
        assert row["loss"] == pytest.approx(row["negative_bound"] + row["l2"], rel=1e-5)


def test_without_validation_rows_or_regularizers_the_history_has_no_columns_for_them():
    columns = ["epoch", "loss", "negative_bound", "learning_rate", "seconds"]
    assert list(small(validation_fraction=0).fit(X).history_[0]) == columns
    assert list(small().fit(X[:40]).history_[0]) == columns  # a tenth would be fewer than 5 rows


def test_the_loss_of_an_epoch_is_the_mean_over_rows_whatever_the_batches():
    rows = torch.arange(7.0)[:, None]
    state, _ = run(rows=rows, batch_size=3, learning_rate=1e-12, max_epochs=1)
    assert state.row["loss"] == pytest.approx(rows.square().mean().item())


def test_metrics_are_means_over_the_rows_of_an_epoch_and_change_no_weight():
    state, _ = run(rows=torch.arange(7.0)[:, None], batch_size=3, max_epochs=2)
    assert list(state.row) == ["epoch", "loss", "negative_bound", "center", "learning_rate", "seconds"]
    assert [row["center"] for row in state.history] == pytest.approx([3.0, 3.0])
    assert state.row["loss"] == state.row["negative_bound"]


def test_training_stops_after_patience_epochs_and_restores_a_copy_of_the_best_weights():
    state, seen = run([5, 4, 3, 4, 3.5, 3, 9, 9], patience=3)
    assert len(state.history) == len(seen) == 6
    assert len(set(seen)) == 6
    assert state.model.weight.item() == seen[2]
    assert state.best_bound == 3
    state.model.weight.data.fill_(7.0)
    assert state.best["weight"].item() == pytest.approx(seen[2])


def test_a_better_epoch_resets_the_patience():
    assert len(run([5, 6, 4, 5, 3, 4, 4], patience=2)[1]) == 7


def test_without_patience_training_never_stops_early_and_still_restores_the_best():
    state, seen = run([1, *[2] * 9], patience=None)
    assert len(seen) == 10
    assert state.model.weight.item() == seen[0]


def test_patience_is_counted_only_once_the_learning_rate_falls():
    assert len(run([1, *[2] * 9], patience=2, schedule="one_cycle")[1]) == 5  # three of ten epochs warm up


def test_without_validation_rows_the_last_weights_stay():
    state, seen = run(patience=1)
    assert len(seen) == 10
    assert state.model.weight.item() == seen[-1]


def test_a_fit_with_noisy_validation_keeps_the_weights_of_its_best_epoch():
    kept = []
    options = {"schedule": "constant", "learning_rate": 0.1, "max_epochs": 12, "patience": None}
    model = small(callbacks=(lambda state: kept.append([p.clone() for p in state.model.parameters()]),), **options).fit(
        X
    )
    best = int(np.argmin([row["valid_negative_bound"] for row in model.history_]))
    assert best < 11
    for now, then, last in zip(model.module_.parameters(), kept[best], kept[-1], strict=True):
        assert torch.equal(now, then)
        assert not torch.equal(now, last)


@pytest.mark.parametrize("patience", [0, -1, "ten"])
def test_an_impossible_patience_is_refused(patience):
    with pytest.raises(ValueError, match=f"patience must be .*{patience}"):
        small(patience=patience).fit(X)


# Callbacks


def test_callbacks_are_called_once_an_epoch_and_all_of_them_also_after_one_that_stops():
    calls = []
    stop = [lambda state: len(state.history) == 2, lambda state: calls.append(state.row["epoch"])]
    _, seen = run(callbacks=stop)
    assert calls == [1, 2]
    assert len(seen) == 2


class Diary(Callback):
    """Notes what is called."""

    def __init__(self, lines):
        self.lines = lines

    def start(self, params):
        self.lines.append(("start", params["max_epochs"], params["backbone__dropout"], params["learning_rate"]))

    def __call__(self, state):
        self.lines.append(state.epoch)

    def end(self, error):
        self.lines.append(("end", error))

    def __deepcopy__(self, memo):  # clones write into the same diary
        return self


def test_callbacks_know_the_start_with_parameters_and_the_end():
    diary = Diary([])
    small(backbone=MLP((8,), dropout=0.5), max_epochs=2, callbacks=(diary,)).fit(X)
    start, *epochs, end = diary.lines
    assert start == ("start", 2, 0.5, pytest.approx(start[3]))
    assert start[3] > 0  # what "auto" means
    assert (epochs, end) == ([1, 2], ("end", None))


def test_callbacks_that_were_started_are_ended_also_after_errors():
    class Refusing(Diary):
        def start(self, params):
            raise OSError("no")

    fine, late = Diary([]), Diary([])
    with pytest.raises(OSError, match="no"):
        small(callbacks=(fine, Refusing([]), late)).fit(X)
    assert isinstance(fine.lines[-1][1], OSError)
    assert late.lines == []
    with pytest.raises(ZeroDivisionError):
        small(callbacks=(fine, lambda state: 1 / 0)).fit(X)
    assert isinstance(fine.lines[-1][1], ZeroDivisionError)


def test_a_pass_of_partial_fit_calls_no_callbacks():
    diary = Diary([])
    small(callbacks=(diary,)).partial_fit(X)
    assert diary.lines == []


# Losses that are not finite


def test_a_loss_that_is_no_number_at_once_is_an_error_that_names_the_learning_rate():
    with pytest.raises(ValueError, match=r"loss became (nan|inf) in epoch 1; lower learning_rate \(now 1e\+20\)"):
        small(learning_rate=1e20).fit(X)


def test_a_validation_bound_that_is_no_number_brings_the_best_weights_back_with_a_warning():
    with pytest.warns(ConvergenceWarning, match="became nan in epoch 3; .*; the best weights so far are kept"):
        state, seen = run([3, 2, math.nan])
    assert len(state.history) == 3
    assert state.model.weight.item() == seen[1]


def test_a_loss_that_overflows_later_leaves_weights_with_a_finite_loss():
    # Each step multiplies the weight by 2e10 and the loss by the square of that.
    with pytest.warns(ConvergenceWarning, match="became inf in epoch 2; .*; the best weights so far are kept"):
        state, seen = run(learning_rate=1e10)
    assert state.model.weight.item() == seen[0] == pytest.approx(2e10)
    assert torch.isfinite(state.model.train()(torch.ones(1, 1)).terms["negative_bound"]).all()


def test_weights_that_the_last_step_breaks_are_found_without_validation_rows():
    """The loss of the only epoch was finite; after it, the weight is too large for a finite loss."""
    with pytest.raises(DivergenceError, match="the loss became inf in epoch 1; lower learning_rate"):
        run(learning_rate=1e25, max_epochs=1)


def test_a_model_that_the_last_step_breaks_goes_back_to_the_epoch_before():
    def poison(state):
        if state.epoch == 2:
            state.model.weight.register_hook(lambda gradient: gradient * torch.nan)

    with pytest.warns(ConvergenceWarning, match="became nan in epoch 3; .*; the best weights so far are kept"):
        state, seen = run(max_epochs=3, callbacks=[poison])
    assert state.model.weight.item() == seen[1]


# Seeds


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = [weights(small(bottleneck="gaussian", random_state=seed).fit(X)) for seed in (1, 1, 2)]
    assert equal(first, again)
    assert not equal(first, other)


def test_a_random_state_object_can_be_the_seed():
    first, again = [weights(small(random_state=np.random.RandomState(3)).fit(X)) for _ in range(2)]
    assert equal(first, again)


@pytest.mark.parametrize("random_state", [None, 0])
def test_global_generators_and_the_default_dtype_are_left_as_they_were(random_state):
    numpy_state, torch_state = np.random.get_state(), torch.get_rng_state()
    options = {"bottleneck": "gaussian", "corruption": "masking", "precision": "float64", "random_state": random_state}
    model = small(**options).fit(X).partial_fit(X)
    model.transform(X)
    model.reconstruct(X)
    model.sample(3)
    model.score_samples(X, n_draws=2)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert all(np.array_equal(now, then) for now, then in zip(np.random.get_state(), numpy_state, strict=True))
    assert torch.get_default_dtype() is torch.float32


def test_validation_takes_the_same_draws_every_epoch():
    options = {"bottleneck": "gaussian", "corruption": GaussianNoise(1.0), "learning_rate": 1e-12}
    model = small(**options).fit(X)
    bounds = [row["valid_negative_bound"] for row in model.history_]
    assert bounds == pytest.approx([bounds[0]] * 3, rel=1e-6)
    assert np.ptp([row["negative_bound"] for row in model.history_]) > 1e-3
    source = as_source(X)
    assert evaluate(model.module_, source.batches(50)) == evaluate(model.module_, source.batches(50))


def test_validation_weighs_the_code_as_at_the_end_of_the_training():
    full, warming = [
        small(bottleneck=Gaussian(beta=5.0, warmup=warmup), learning_rate=1e-12).fit(X).history_[0] for warmup in (0, 1)
    ]
    assert warming["valid_negative_bound"] == pytest.approx(full["valid_negative_bound"])
    assert warming["negative_bound"] < full["negative_bound"]


# Trimming


def test_trimmed_rows_do_not_contribute_to_training(rng):
    """Rows near a plane, and one in seven near another plane; without these, the net finds the first plane."""
    X = rng.normal(size=(210, 2)) @ rng.normal(size=(2, 6))
    X[:30] = 3 * rng.normal(size=(30, 2)) @ rng.normal(size=(2, 6))
    options = {"backbone": Linear(), "likelihood": GaussianLikelihood(1.0, "center"), "max_epochs": 150}
    errors = {}
    for trim in (0.0, 0.2):
        model = Autoencoder(2, trim=trim, random_state=0, **options).fit(X)
        errors[trim] = np.square(model.reconstruct(X) - X).sum(1)
    assert errors[0.2][30:].mean() < 0.1 * errors[0.0][30:].mean()
    assert errors[0.2][:30].mean() > 10 * errors[0.2][30:].mean()


def test_history_and_validation_are_means_over_the_rows_that_are_left(blobs):
    """Compare with the losses of all rows, which are equal for untrained nets of one seed."""
    model = Autoencoder(2, likelihood=GaussianLikelihood(1.0), random_state=0, max_epochs=1).fit(blobs).module_.cpu()
    source = as_source(blobs)
    losses = model(torch.from_numpy(blobs)).terms["negative_bound"].detach()
    model.trim = 0.25
    expected = losses.sort().values[:180].double().mean().item()
    assert evaluate(model, source.batches(len(source))) == pytest.approx(expected)


# Batches


def gathered(source, size, seed):
    return [batch.x.flatten().tolist() for batch in source.batches(size, seed)]


@pytest.mark.parametrize("size", [1, 4, 7, 100])
@pytest.mark.parametrize("block", [1, 40, 2**23])
def test_batches_hold_every_row_once_in_an_order_that_the_seed_alone_decides(monkeypatch, size, block):
    source, _ = as_source(np.arange(29.0)[:, None]).split(5, seed=1)
    expected = gathered(source, size, 3)
    monkeypatch.setattr(arrays, "BLOCK", block)
    assert gathered(source, size, 3) == expected
    assert sorted(sum(expected, [])) == sorted(sum(gathered(source, size, None), []))
    assert len(set(sum(expected, []))) == 24
    assert sum(gathered(source, 5, 3), []) == sum(expected, [])
    assert gathered(source, 100, 3) != gathered(source, 100, 4)


def test_without_a_seed_rows_come_in_their_order():
    assert gathered(as_source(np.arange(5.0)[:, None]), 2, None) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(("n_rows", "sizes"), [(9, [4, 5]), (10, [4, 4, 2]), (8, [4, 4]), (1, [1])])
def test_a_last_batch_of_one_row_joins_the_one_before(n_rows, sizes):
    assert [len(batch) for batch in gathered(as_source(np.arange(n_rows)[:, None]), 4, 0)] == sizes


def test_training_and_validation_rows_are_all_rows():
    kept, aside = as_source(np.arange(20.0)[:, None]).split(6, seed=0)
    assert (len(kept), len(aside)) == (14, 6)
    assert sorted(sum(gathered(kept, 20, None) + gathered(aside, 20, None), [])) == list(range(20))


@pytest.mark.parametrize("n_rows", [2, 3, 31, 257])
@pytest.mark.parametrize("batch_size", ["auto", 2, 16])
def test_batch_normalisation_works_with_any_number_of_rows(n_rows, batch_size):
    rows = np.resize(X, (n_rows, 5))
    model = small(backbone=MLP((8,), norm="batch"), batch_size=batch_size, max_epochs=1).fit(rows)
    assert np.isfinite(model.reconstruct(rows)).all()


def test_one_row_is_too_few():
    with pytest.raises(ValueError, match="n_samples=1: fit needs at least 2 rows"):
        small().fit(X[:1])


@pytest.mark.parametrize("n_rows", [2, 100, 1_500, 60_000, 1_000_000, 50_000_000])
def test_automatic_sizes_make_a_few_thousand_steps_where_the_rows_allow(n_rows):
    batch_size = choose_batch_size("auto", n_rows)
    steps = choose_max_epochs("auto", n_rows, batch_size) * math.ceil(n_rows / batch_size)
    assert batch_size in {16, 32, 64, 128, 256, 512, 1024, 2048, 4096}
    assert 200 <= steps <= (6_000 if n_rows <= 1_000_000 else 40_000)


@pytest.mark.parametrize(
    ("net", "rate", "n_steps"),
    [
        (Autoencoder(2), 1 / 128, 1_000),
        (Autoencoder(2, backbone=MLP((256, 64))), 1 / 256, 1_250),  # 25 epochs of 50 steps: it can memorize the rows
        (Autoencoder(2, backbone=MLP((2000,))), 2e-3, 1_250),
        (Autoencoder(2, backbone=Linear()), 2e-2, 1_000),
        (zoo.vae(2), 1 / 128, 1_750),
        (Autoencoder(2, backbone=Conv((4,))), 3.5e-3, 2_000),
        (Autoencoder(2, backbone=Recurrent(4)), 2e-3, 3_500),
        (zoo.imputer(2), 8e-3, 640),
        (zoo.imputer(2, backbone=Conv((4,))), 8e-3, 3_500),
        (zoo.vq_vae(2), 1 / 128, 3_500),
        (Autoencoder(2, regularizers=L1()), 1 / 128, 3_500),
        (Autoencoder(2, learning_rate=0.5), 0.5, 1_000),
    ],
    ids=str,
)
def test_learning_rate_and_number_of_steps_follow_the_net(net, rate, n_steps):
    rows = np.random.default_rng(0).normal(size=(1600, 5))
    settings = net.set_params(validation_fraction=0).prepare(rows).settings
    assert settings.learning_rate == pytest.approx(rate)
    assert settings.n_steps(len(rows)) == pytest.approx(n_steps, abs=25)
    assert settings.patience == max(10, round(settings.max_epochs / 4))


def prepared_imputer(n_columns):
    return zoo.imputer(2).prepare(np.random.default_rng(0).normal(size=(100, n_columns))).state.model


@pytest.mark.parametrize(("n_columns", "n_steps"), [(5, 640), (30, 900), (50, 1_280)])
def test_a_net_that_predicts_hidden_cells_makes_more_steps_for_more_columns(n_columns, n_steps):
    assert choose_n_steps(prepared_imputer(n_columns), 100, 64) == n_steps


@pytest.mark.parametrize(("n_rows", "size"), [(100, 64), (1_000, 128), (5_000, 512), (50_000_000, 4_096)])
def test_a_net_that_predicts_hidden_cells_has_larger_batches(n_rows, size):
    model = prepared_imputer(5)
    assert choose_batch_size("auto", n_rows, model) == size
    assert choose_batch_size(7, n_rows, model) == 7


def test_a_column_counts_once_in_the_width_for_the_learning_rate():
    frame = pd.DataFrame({"a": [f"level {i % 60}" for i in range(600)], "b": np.arange(600.0) ** 0.5})
    model = Autoencoder(2, max_epochs=1, random_state=0).fit(frame).module_
    assert model.likelihood.encoded_shape[0] > 60
    assert model.backbone.decoder[2].out_features == model.backbone.layer_width == 128


@pytest.mark.parametrize("choose", [choose_batch_size, lambda size, n_rows: choose_max_epochs(size, n_rows, 16)])
def test_sizes_are_positive_integers_of_any_kind(choose):
    assert choose(7, 100) == choose(np.int64(7), 100) == 7
    for size in (0, 2.5, "many", None):
        with pytest.raises(ValueError, match=f'must be "auto" or a positive integer, got .*{size}'):
            choose(size, 100)


# Optimizers and schedules


@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", optim.RMSprop])
def test_every_optimizer_lowers_the_loss_on_every_schedule(optimizer, schedule):
    options = {"likelihood": GaussianLikelihood(scale=1.0), "learning_rate": 0.01, "max_epochs": 15}
    history = small(optimizer=optimizer, schedule=schedule, **options).fit(X).history_
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]


def test_gradient_descent_with_learned_scales_lowers_the_loss_at_the_default_learning_rate():
    history = Autoencoder(4, optimizer="sgd", max_epochs=20, random_state=0).fit(load_breast_cancer().data).history_
    assert history[-1]["loss"] < history[0]["loss"] - 1  # AdamW gains tens of nats


@pytest.mark.parametrize("role", ["optimizer", "schedule"])
def test_an_unknown_optimizer_or_schedule_is_an_error_that_suggests_the_nearest(role):
    near = {"optimizer": "adamw", "schedule": "constant"}[role]
    with pytest.raises(ValueError, match=f"{role} must be one of .*got '{near}x'; did you mean '{near}'"):
        small(**{role: near + "x"}).fit(X)


@pytest.mark.parametrize(("name", "kind"), [("adamw", optim.AdamW), ("adam", optim.Adam), ("sgd", optim.SGD)])
def test_weights_decay_and_biases_and_scales_do_not(name, kind):
    model = small(likelihood="gaussian").fit(X).module_.cpu()
    optimizer = make_optimizer(name, model, 0.1, 0.5)
    assert isinstance(optimizer, kind)
    names = {name for name, parameter in model.named_parameters() if parameter.ndim > 1}
    assert decaying(model, optimizer) == names
    assert len(names) == 4


class Parts(nn.Module):
    """A parameter of every role; some parameters that must not decay have two axes."""

    def __init__(self):
        super().__init__()
        self.linear, self.conv, self.rnn = nn.Linear(3, 3), nn.Conv2d(3, 3, 1), nn.GRU(3, 3)
        self.attention = nn.MultiheadAttention(2, 1)
        self.norm, self.table = nn.LayerNorm((3, 3)), nn.Embedding(3, 3)
        self.positions, self.log_scales = nn.Parameter(torch.zeros(3, 3)), nn.Parameter(torch.zeros(3, 3))
        self.stacked = StackedLinear([nn.Linear(3, 3), nn.Linear(3, 3)])


def test_weights_decay_by_their_role_and_not_by_their_shape():
    model = Parts()
    assert decaying(model, make_optimizer("adamw", model, 0.1, 0.5)) == {
        *("linear.weight", "conv.weight", "rnn.weight_ih_l0", "rnn.weight_hh_l0", "stacked.weight"),
        *("attention.in_proj_weight", "attention.out_proj.weight"),
    }


def test_log_scales_of_series_do_not_decay():
    series = np.random.default_rng(0).normal(size=(40, 3, 8))
    model = small(likelihood="gaussian", max_epochs=1).fit(series).module_.cpu()
    names = {name for name, parameter in model.named_parameters() if parameter.ndim > 1}
    found = decaying(model, make_optimizer("adamw", model, 0.1, 0.5))
    assert len(found) == 4
    assert len(names - found) == 1


def decaying(model, optimizer):
    """Names of the parameters that decay; each parameter must be in exactly one group."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    assert sorted(map(id, parameters)) == sorted(map(id, model.parameters()))
    decays = {id(p) for group in optimizer.param_groups for p in group["params"] if group["weight_decay"]}
    return {name for name, parameter in model.named_parameters() if id(parameter) in decays}


class Fast(nn.Module):
    """Has ten times the learning rate, except for the module within it."""

    learning_rate_factor = 10.0

    def __init__(self):
        super().__init__()
        self.own, self.slow = nn.Parameter(torch.zeros(1)), Slow()


class Slow(nn.Module):
    learning_rate_factor = 0.5

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)


@pytest.mark.parametrize("choice", ["adamw", "adam", "sgd", optim.RMSprop])
def test_learning_rates_have_the_factor_of_the_innermost_module_that_has_one(choice):
    model = nn.Sequential(nn.Linear(1, 1), Fast())
    optimizer = make_optimizer(choice, model, 0.1, 0.0)
    for rate in (0.1, 0.02):
        set_learning_rate(optimizer, rate)
        rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
        assert {name: rates[id(parameter)] / rate for name, parameter in model.named_parameters()} == {
            **{"0.weight": 1.0, "0.bias": 1.0, "1.own": 10.0},
            **{"1.slow.linear.weight": 0.5, "1.slow.linear.bias": 0.5},
        }
        assert len(optimizer.param_groups) == 3


def test_the_schedule_reaches_parts_of_every_learning_rate_factor():
    class Quick(MLP):
        learning_rate_factor = 4.0

    rates = []

    def note(state):
        rates.append({group["learning_rate_factor"]: group["lr"] for group in state.optimizer.param_groups})

    history = small(backbone=Quick((8,)), callbacks=[note]).fit(X).history_
    assert [rate[4.0] for rate in rates] == [4 * row["learning_rate"] for row in history]
    assert len({row["learning_rate"] for row in history}) == 3


class Center(MLP):
    """Subtracts a running mean of all codes, which is not learned by gradients."""

    sums = ("total", "n_values")

    def build(self, *arguments):
        super().build(*arguments)
        self.register_buffer("center", torch.zeros(()))
        self.register_buffer("total", torch.zeros(()), persistent=False)
        self.register_buffer("n_values", torch.zeros((), dtype=torch.int64), persistent=False)
        self.calls = []

    def encode(self, u):
        h = super().encode(u)
        self.total, self.n_values = h.detach().sum(), torch.tensor(h.numel())
        return h - self.center

    def after_step(self, progress):
        assert not torch.is_grad_enabled()
        self.calls.append(progress.item())
        self.center.lerp_(self.total / self.n_values, 0.1)


def test_parts_change_their_state_after_each_step_and_know_the_progress():
    backbone = small(backbone=Center((8,)), max_epochs=2).fit(X).module_.backbone
    assert backbone.calls == [step / 8 for step in range(8)]
    assert backbone.center.item() != 0


def test_the_progress_of_partial_fit_is_1():
    model = small(backbone=Center((8,)), validation_fraction=0)
    for _ in range(3):
        model.partial_fit(X)
    assert model.module_.backbone.calls == [1.0] * 12


def test_one_cycle_rises_to_the_learning_rate_and_falls_to_next_to_nothing():
    progress = np.linspace(0, 1, 1001)
    factors = np.array([one_cycle(p) for p in progress])
    assert factors[[0, 300, 1000]] == pytest.approx([0.04, 1.0, 0.001])
    assert (np.diff(factors[:301]) > 0).all()
    assert (np.diff(factors[300:]) < 0).all()
    assert np.abs(np.diff(factors)).max() < 0.01
    row = small(max_epochs=10, learning_rate=0.5).fit(X).history_[4]
    assert row["learning_rate"] == pytest.approx(0.5 * one_cycle(5 / 10 - 1 / 40))  # of its last of 4 steps


def test_a_constant_schedule_is_constant():
    assert {row["learning_rate"] for row in small(schedule="constant", learning_rate=0.3).fit(X).history_} == {0.3}


# The estimator around the loop


def test_partial_fit_continues_and_keeps_the_statistics_of_the_first_call():
    model = small(learning_rate=0.01, validation_fraction=0).partial_fit(X)
    schema, spread = model.schema_, model.module_.likelihood.noise.unit.spread.clone()
    for _ in range(14):
        model.partial_fit(X)
    assert [row["epoch"] for row in model.history_] == list(range(1, 16))
    assert model.history_[-1]["loss"] < 0.9 * model.history_[0]["loss"]
    model.partial_fit(3 * X + 100)
    assert model.schema_ == schema
    assert torch.equal(model.module_.likelihood.noise.unit.spread, spread)
    with pytest.raises(ValueError, match="has 4 features, but .* is expecting 5"):
        model.partial_fit(X[:, :4])


def fail(*arguments):
    raise RuntimeError("out of order")


@pytest.mark.parametrize("fitted", ["fit", "partial_fit"])
@pytest.mark.parametrize("where", ["training", "after training"])
def test_a_partial_fit_that_raises_leaves_the_model(fitted, where, monkeypatch):
    """Before and after the next call, the estimator equals one without the failed call."""
    backbone = MLP((8,), norm="batch")
    model, other = (getattr(small(backbone=backbone, learning_rate=0.01), fitted)(X).partial_fit(X) for _ in range(2))
    with monkeypatch.context() as patch:
        if where == "training":
            steps, backward = iter(range(4)), torch.Tensor.backward
            patch.setattr(torch.Tensor, "backward", lambda loss: backward(loss) if next(steps) < 3 else fail())
        else:
            patch.setattr(type(model), "adopt", fail)
        with pytest.raises(RuntimeError, match="out of order"):
            model.partial_fit(X + 1)
    assert not model.module_.training
    for _ in range(2):
        assert equal(weights(model), weights(other))
        assert [row["loss"] for row in model.history_] == [row["loss"] for row in other.history_]
        for each in (model, other):
            each.partial_fit(X)


def test_a_partial_fit_that_diverges_keeps_the_weights_and_the_next_one_learns():
    model = small(learning_rate=0.01).fit(X)
    before = weights(model)
    with pytest.warns(ConvergenceWarning, match="the best weights so far are kept"):
        model.set_params(learning_rate=1e30).partial_fit(X)
    trained = {name for name, _ in model.module_.named_parameters()}
    assert all(torch.equal(weights(model)[name], before[name]) for name in trained)
    model.set_params(learning_rate=0.01).partial_fit(X)
    assert np.isfinite(model.history_[-1]["loss"])
    assert not all(torch.equal(weights(model)[name], before[name]) for name in trained)


def test_partial_fit_continues_after_fit():
    model = small(max_epochs=30, learning_rate=0.02).fit(X)
    model.set_params(learning_rate=1e-3).partial_fit(X)
    assert len(model.history_) == 31
    assert model.history_[30]["loss"] < 0.8 * model.history_[0]["loss"]


def test_a_conditional_model_needs_labels():
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        small(conditional=True).fit(X)


def test_fit_does_not_change_parameters_and_parts():
    parts = {"backbone": MLP((8,)), "bottleneck": Gaussian(), "corruption": GaussianNoise(), "regularizers": (L2(),)}
    model = small(**parts)
    before = model.get_params()
    model.fit(X).partial_fit(X)
    assert model.get_params() == before
    for part in (parts["backbone"], parts["bottleneck"], parts["corruption"], *parts["regularizers"]):
        assert not part.state_dict()
        assert not any(part is module for module in model.module_.modules())


def test_a_fitted_net_keeps_no_gradients():
    model = small().fit(X).partial_fit(X)
    assert all(parameter.grad is None for parameter in model.module_.parameters())


def test_lower_precision_in_training_leaves_results_in_float32():
    model = small(precision="bfloat16", max_epochs=10, learning_rate=0.02).fit(X)
    assert model.history_[-1]["loss"] < model.history_[0]["loss"]
    assert model.transform(X).dtype == np.float32
    np.testing.assert_allclose(model.transform(X)[:1], model.transform(X[:1]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weight_decay", [0.0, 1e-9])
def test_gradients_are_clipped_separately_for_each_learning_rate_factor(weight_decay):
    """The first step of Nesterov momentum 0.9 is 1.9 times the learning rate along the clipped gradient."""

    class Scale(nn.Module):
        learning_rate_factor = 10.0

        def __init__(self):
            super().__init__()
            self.log_scale = nn.Parameter(torch.zeros(2))

    net = nn.Sequential(nn.Linear(2, 1), Scale())
    before = copy.deepcopy(net.state_dict())
    optimizer = make_optimizer("sgd", net, 0.01, weight_decay)
    gradients = {"0.weight": [[2.0, 1.0]], "0.bias": [2.0], "1.log_scale": [3000.0, 4000.0]}
    for name, parameter in net.named_parameters():
        parameter.grad = torch.tensor(gradients[name])
    optimizer.step()
    for name, parameter in net.named_parameters():
        norm, rate = (3, 0.01) if name.startswith("0") else (5000, 0.1)
        expected = before[name] - 1.9 * rate * torch.tensor(gradients[name]) / norm
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-5, atol=1e-6)
