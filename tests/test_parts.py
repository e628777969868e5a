"""Every part of every package: scikit-learn's interface, the three steps of its life, and its results."""

import copy
import json
import math
import pickle
import sys

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_parameters_default_constructible
from torch import nn

from isthmus import Autoencoder, corruptions, functional
from isthmus.backbones import MLP, TCN, Conv, Linear, Recurrent
from isthmus.bottlenecks import Deterministic, Gaussian, Ladder, Latent, Nested, TopK, VectorQuantized
from isthmus.configuration import PACKAGES, from_plain, known_classes, to_plain
from isthmus.corruptions import GaussianNoise, HiddenChannels, Masking, SaltPepper, Swap, Zeroing
from isthmus.likelihoods import (
    Categorical,
    Date,
    Embedded,
    Histogram,
    Logistic,
    Mixed,
    Mixture,
    Multinomial,
    NegativeBinomial,
    Poisson,
    Quantile,
    StudentT,
)
from isthmus.likelihoods import Gaussian as GaussianLikelihood
from isthmus.part import Part, Shapes, built_parts, snake_case
from isthmus.priors import Normal, Vamp
from isthmus.regularizers import L1, L2, Adversarial, AuxK, Jacobian, KLSparsity, Regularizer, Step
from isthmus.statistics import Statistics

CLASSES = [getattr(package, name) for package in PACKAGES for name in package.__all__]
X = np.random.default_rng(0).uniform(size=(40, 5))
STATISTICS = Statistics.of(torch.from_numpy(X))
SIGMOID = Deterministic("sigmoid")
SHAPES = Shapes(input=(5,), h=(2,), z=(2,))

SIZES = (2, 3, 4, 2, 5)
LEVELS = np.random.default_rng(1).integers(0, SIZES, (40, 5)).astype(float)
# Columns of numbers and columns of categories.
BOTH = np.column_stack([X[:, 0], LEVELS[:, 1], X[:, 2], LEVELS[:, 3], X[:, 4]])
COUNTS = np.random.default_rng(2).negative_binomial(2, 0.2, (40, 5)).astype(float)
CELLS = ((0.5, 0.5), (0.0, 0.3), (0.3, 0.6), (0.6, 1.0))
# Parts that need arguments or special data, and such data.
PARTICULAR = {
    Categorical: (Categorical(SIZES), LEVELS),
    Embedded: (Embedded(5), LEVELS[:, 4:]),
    Histogram: (Histogram((CELLS,) * 5), X),
    **{kind: (kind(), COUNTS) for kind in (Logistic, Multinomial, NegativeBinomial, Poisson)},
    TopK: (TopK(1), X),
    Mixed: (Mixed((Categorical((3, 2)), GaussianLikelihood(), Histogram((CELLS,))), ((1, 3), (4, 0), (2,))), BOTH),
}

# Parts whose values are not their defaults.
VARIANTS = [
    MLP((8,), activation="tanh", norm="layer", dropout=0.5),
    MLP((), activation="relu"),
    MLP((8,), norm="batch"),
    Linear(tied=True),
    Conv((4, 8), kernel_size=5, stride=1, residual=True, activation="tanh", norm="group"),
    TCN(4, n_blocks=2, kernel_size=5, activation="tanh", dropout=0.5),
    Recurrent(4, n_layers=2, cell="lstm"),
    Gaussian(beta=4.0, free_bits=0.1, warmup=0.5),
    Gaussian(capacity=3.0),
    Gaussian(n_draws=3),
    Deterministic("tanh"),
    Ladder(n_top=1, width=5, beta=2.0, warmup=0.5),
    Nested(Gaussian(beta=0.5)),
    TopK(2, dead_after=5),
    VectorQuantized(8, width=3, commitment=1.0, decay=0.9),
    GaussianLikelihood(scale="shared", scaling="center", bounded=True),
    GaussianLikelihood(scale=0.5, scaling="none"),
    StudentT(df=3.0, scale="shared"),
    L1(weight=0.5),
    AuxK(weight=1.0, k=3),
    Jacobian(n_probes=None),
    Adversarial(width=8),
    KLSparsity(target=0.2),
    GaussianNoise(0.2, unit="data", clip=(0.0, 1.0)),
    Masking((0.1, 0.8)),
    Date(periods=(7.0, 1.0)),
    Embedded(9, width=3),
    Logistic(64, scale="feature"),
    Mixture(3, periods=(7.0,)),
    Multinomial("proportions"),
    NegativeBinomial(zero_inflated=True),
    Quantile((0.5,)),
    Zeroing(0.2),
    Vamp(3),
]
PARTS = [*(PARTICULAR[kind][0] if kind in PARTICULAR else kind() for kind in CLASSES), *VARIANTS]


def build_bottleneck(part):
    part.set_prior(Normal())
    part.build(2, SHAPES)
    part.prior.build(part.z_shape, SHAPES)


# Bottlenecks of regularizers that do not take SIGMOID.
BOTTLENECKS = {AuxK: lambda: built(TopK(1)), Adversarial: lambda: built(Deterministic())}
BUILD = {
    "backbone": lambda part: part.build((5,), (1, 5), (2,), (2,), 0),
    "bottleneck": build_bottleneck,
    "prior": lambda part: part.build((2,), SHAPES),
    "likelihood": lambda part: part.build(Statistics.of(torch.from_numpy(data_for(part)))),
    "regularizer": lambda part: part.build(SHAPES, BOTTLENECKS.get(type(part), lambda: SIGMOID)()),
    "corruption": lambda part: part.build(STATISTICS),
}

every_class = pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: f"{kind.role}-{kind.__name__}")
every_part = pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.role}-{part!r}")


def data_for(part):
    return PARTICULAR[type(part)][1] if type(part) in PARTICULAR else X


def name_of(value):
    return repr(value) if isinstance(value, Part) else ""


def built(part):
    part = clone(part)
    BUILD[part.role](part)
    return part


def estimator(part=None, **options):
    """Return an estimator with this part and compatible others."""
    options = {"backbone": MLP((8,)), "max_epochs": 1, "random_state": 0, "validation_fraction": 0, **options}
    if isinstance(part, KLSparsity):
        options["bottleneck"] = SIGMOID
    if isinstance(part, AuxK):
        options["bottleneck"] = TopK(1)
    if part is not None:
        options["regularizers" if part.role == "regularizer" else part.role] = part
    if isinstance(part, Vamp):
        options = {"bottleneck": "gaussian", **options}
    return Autoencoder(2, **options)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


# Interface of scikit-learn


@every_class
def test_a_constructor_only_stores_its_arguments(kind):
    values = {name: object() for name in kind().get_params()}
    part = kind(**values)
    assert part.get_params() == values
    assert not list(part.parameters())
    check_parameters_default_constructible(kind.__name__, kind())


@every_part
def test_parameters_survive_clone_set_params_repr_pickle_and_deepcopy(part):
    params = part.get_params()
    package = sys.modules[type(part).__module__.rpartition(".")[0]]
    evaluated = eval(repr(part), {name: getattr(package, name) for name in package.__all__})
    renewed = type(part)().set_params(**params)
    written = from_plain(json.loads(json.dumps(to_plain(part))), known_classes())
    for twin in (clone(part), copy.deepcopy(part), pickle.loads(pickle.dumps(part)), evaluated, renewed, written):
        assert twin is not part
        assert type(twin) is type(part)
        assert to_plain(twin) == to_plain(part)


@every_part
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda part: pickle.loads(pickle.dumps(part))])
def test_what_was_built_survives_pickle_and_deepcopy(part, duplicate):
    part = built(part)
    twin = duplicate(part)
    values, others = part.state_dict(), twin.state_dict()
    assert values.keys() == others.keys()
    for name, value in values.items():
        assert torch.equal(value, others[name])
        assert value.numel() == 0 or value.data_ptr() != others[name].data_ptr()


@pytest.mark.parametrize("part", [part for part in PARTS if part.role in ("likelihood", "corruption")], ids=repr)
def test_a_part_built_without_rows_equals_the_one_whose_weights_it_loads(part):
    """As for a model from a file, whose training rows are not known."""
    x = torch.from_numpy(data_for(part))
    known, unborn = built(part), clone(part)
    unborn.build(Statistics.empty(x.shape[1:]))
    unborn.load_state_dict(known.state_dict())
    if part.role == "likelihood":
        theta = torch.randn(len(x), *known.parameter_shape)
        torch.testing.assert_close(unborn.log_prob(theta, x.float()), known.log_prob(theta, x.float()), rtol=0, atol=0)
        assert torch.equal(unborn.encode(x.float()), known.encode(x.float()))
    for twin in (known, unborn):
        assert all(torch.isfinite(buffer).all() for buffer in twin.buffers())


@every_part
def test_a_clone_of_a_built_part_is_not_built(part):
    assert not clone(built(part)).state_dict()


def test_parts_that_are_parameters_of_parts_are_not_trained():
    """They are cloned and never built, so that a step must not update them."""
    model = estimator(Nested(TopK(1))).fit(X).module_.cpu()
    parts = built_parts(model)
    assert model.bottleneck in parts
    assert model.bottleneck.inner in parts
    assert model.bottleneck.bottleneck not in parts


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_an_unknown_name_is_an_error_that_suggests_the_nearest(package):
    role = package.__name__.rsplit(".", 1)[-1].removesuffix("s")
    known = snake_case(package.__all__[-1])
    option = "regularizers" if role == "regularizer" else role
    with pytest.raises(ValueError, match=rf"{role} must be one of .*got '{known}x'; did you mean '{known}'\?"):
        estimator(**{option: known + "x"}).fit(X)


# Estimators


@every_part
def test_one_step_reaches_every_weight(part):
    snapshots = []

    def snapshot(state):
        snapshots.append([(p.detach().clone(), p.grad) for p in state.model.parameters()])

    options = {"max_epochs": 2, "batch_size": len(X), "schedule": "constant", "precision": "float64"}
    model = estimator(part, callbacks=(snapshot,), **options).fit(data_for(part)).module_.cpu()
    for (name, _), (before, _), (after, gradient) in zip(model.named_parameters(), *snapshots, strict=True):
        assert torch.isfinite(gradient).all(), name
        assert gradient.abs().sum() > 0, name
        assert not torch.equal(before, after), name


# Values out of range

BAD = [
    (MLP(hidden=(8, 0)), r"backbone.hidden of MLP must be .*\(8, 0\)"),
    (MLP(hidden=8), r"backbone.hidden of MLP must be .* 8"),
    (MLP(activation="silo"), r"backbone.activation of MLP must be one of .*'silo'"),
    (MLP(dropout=1.0), r"backbone.dropout of MLP must be in \[0, 1\), got 1.0"),
    (MLP(norm="group"), r"backbone.norm of MLP must be None or one of .*'group'"),
    (Conv(()), r"backbone.channels of Conv must be a tuple of positive integers, got \(\)"),
    (Conv(kernel_size=4), r"backbone.kernel_size of Conv must be an odd positive integer, got 4"),
    (Conv(stride=0), r"backbone.stride of Conv must be a positive integer, got 0"),
    (Conv(activation="silo"), r"backbone.activation of Conv must be one of .*'silo'"),
    (Conv(norm="batch"), r"backbone.norm of Conv must be None, \"layer\" or \"group\", got 'batch'"),
    (TCN(width=0), r"backbone.width of TCN must be a positive integer, got 0"),
    (TCN(n_blocks="all"), r"backbone.n_blocks of TCN must be \"auto\" or a positive integer, got 'all'"),
    (TCN(kernel_size=1), r"backbone.kernel_size of TCN must be an odd integer of at least 3, got 1"),
    (TCN(activation="silo"), r"backbone.activation of TCN must be one of .*'silo'"),
    (TCN(dropout=1.0), r"backbone.dropout of TCN must be in \[0, 1\), got 1.0"),
    (Recurrent(width=0), r"backbone.width of Recurrent must be a positive integer, got 0"),
    (Recurrent(n_layers=0), r"backbone.n_layers of Recurrent must be a positive integer, got 0"),
    (Recurrent(cell="rnn"), r"backbone.cell of Recurrent must be one of \['gru', 'lstm'\], got 'rnn'"),
    (Deterministic("step"), r"bottleneck.activation of Deterministic must be None or one of .*'step'"),
    (Gaussian(beta=-1.0), r"bottleneck.beta of Gaussian must be >= 0, got -1.0"),
    (Gaussian(beta=math.nan), r"bottleneck.beta of Gaussian must be >= 0, got nan"),
    (Gaussian(free_bits=-0.1), r"bottleneck.free_bits of Gaussian must be >= 0, got -0.1"),
    (Gaussian(capacity=-2.0), r"bottleneck.capacity of Gaussian must be None or >= 0, got -2.0"),
    (Gaussian(warmup=1.5), r"bottleneck.warmup of Gaussian must be in \[0, 1\], got 1.5"),
    (Gaussian(n_draws=0), r"bottleneck.n_draws of Gaussian must be a positive integer, .*, got 0"),
    (
        Gaussian(n_draws=2, free_bits=1.0),
        r"bottleneck.n_draws of Gaussian must be .*1 if free_bits or capacity .*, got 2",
    ),
    (
        Gaussian(n_draws=2, capacity=1.0),
        r"bottleneck.n_draws of Gaussian must be .*1 if free_bits or capacity .*, got 2",
    ),
    (TopK(0), r"bottleneck.k of TopK must be a positive integer, at most n_components=2, got 0"),
    (TopK(), r"bottleneck.k of TopK must be a positive integer, at most n_components=2, got 8"),
    (TopK(1, dead_after=0), r"bottleneck.dead_after of TopK must be a positive integer, got 0"),
    (AuxK(weight=-1.0), r"regularizer.weight of AuxK must be >= 0, got -1.0"),
    (AuxK(k=0), r"regularizer.k of AuxK must be None or a positive integer, got 0"),
    (GaussianLikelihood(scale="row"), r"likelihood.scale of Gaussian must be .*'row'"),
    (GaussianLikelihood(scale=0.0), r"likelihood.scale of Gaussian must be .*0.0"),
    (GaussianLikelihood(scaling="minmax"), r"likelihood.scaling of Gaussian must be one of .*'minmax'"),
    (StudentT(df=1.0), r"likelihood.df of StudentT must be > 1, got 1.0"),
    (
        Categorical((2, 3)),
        r"likelihood.n_categories of Categorical must be positive integers of shape \(5,\), or one .*, got \(2, 3\)",
    ),
    (Categorical((2, 3, 0, 2, 5)), r"likelihood.n_categories of Categorical must be .*0, 2, 5\)"),
    (Categorical((2, 3, 4, 2, 4)), r"Categorical needs positions from 0 to 3 in column 4, got values .* to 4"),
    (Embedded(0), r"likelihood.n_categories of Embedded must be a positive integer, .*, got 0"),
    (Embedded(4), r"likelihood Embedded needs values in \[0, 3\], got values from 0 to 4"),
    (Embedded(5, width=0), r"likelihood.width of Embedded must be a positive integer, got 0"),
    (Histogram((CELLS,) * 4), r"likelihood.cells of Histogram must be a tuple of cells .* for each of 5 columns"),
    (Histogram(((),) * 5), r"likelihood.cells of Histogram must be a tuple of cells"),
    (Histogram((((1.0, 0.0),),) * 5), r"likelihood.cells of Histogram must be .* low <= high for each .* got"),
    (Histogram((((0.0, math.inf),),) * 5), r"likelihood.cells of Histogram must be a tuple of cells"),
    (Date(periods=(7.0, 0.0)), r"likelihood.periods of Date must be positive numbers, got \(7.0, 0.0\)"),
    (
        Mixed((Date(),), ((0, 1, 2, 3),)),
        r"likelihood.columns of Mixed must be tuples of positions that contain each of 5 columns once",
    ),
    (
        Mixed((Date(),), ((0, 1, 2, 3, 4, 4),)),
        r"likelihood.columns of Mixed must be tuples of positions that contain each of 5 columns once",
    ),
    (Mixed((Date(),), ((0, 1, 2), (3, 4))), r"likelihood.parts of Mixed must be a likelihood for each tuple"),
    (Mixed((L1(),), ((0, 1, 2, 3, 4),)), r"likelihood.parts of Mixed must be a likelihood for each tuple"),
    (Logistic(1), r"likelihood.n_levels of Logistic must be an integer of at least 2, got 1"),
    (Logistic(8), r"likelihood Logistic needs values in \[0, 7\], got values from 0 to"),
    (Logistic(scale=0.0), r"likelihood.scale of Logistic must be .*0.0"),
    (
        Multinomial("counts"),
        r"likelihood.encoding of Multinomial must be one of \('log', 'proportions'\), got 'counts'",
    ),
    (Quantile(()), r"likelihood.levels of Quantile must be increasing numbers in \(0, 1\), got \(\)"),
    (Quantile((0.5, 0.5)), r"likelihood.levels of Quantile must be increasing numbers in \(0, 1\), got \(0.5, 0.5\)"),
    (Quantile((0.5, 1.0)), r"likelihood.levels of Quantile must be increasing"),
    (L1(weight=-1.0), r"regularizer.weight of L1 must be >= 0, got -1.0"),
    (L2(weight=-1.0), r"regularizer.weight of L2 must be >= 0, got -1.0"),
    (Jacobian(n_probes=0), r"regularizer.n_probes of Jacobian must be None or a positive integer, got 0"),
    (KLSparsity(target=1.0), r"regularizer.target of KLSparsity must be in \(0, 1\), got 1.0"),
    (GaussianNoise(scale=-0.1), r"corruption.scale of GaussianNoise must be >= 0, got -0.1"),
    (GaussianNoise(unit="pixel"), r"corruption.unit of GaussianNoise must be one of .*'pixel'"),
    (GaussianNoise(clip=(1.0, 0.0)), r"corruption.clip of GaussianNoise must be .*\(1.0, 0.0\)"),
    (Masking(1.0), r"corruption.fraction of Masking must be in \[0, 1\).*1.0"),
    (Masking((0.5, 0.2)), r"corruption.fraction of Masking must be .*\(0.5, 0.2\)"),
    (SaltPepper(1.1), r"corruption.fraction of SaltPepper must be in \[0, 1\], got 1.1"),
    (Swap(-0.1), r"corruption.fraction of Swap must be in \[0, 1\], got -0.1"),
    (Zeroing(1.0), r"corruption.fraction of Zeroing must be in \[0, 1\), got 1.0"),
]


# None of these can be compared, unpacked or used as a number; each must raise an error with the name.
WRONG_KINDS = [
    (MLP(dropout="a"), "backbone.dropout"),
    (MLP(activation=["relu"]), "backbone.activation"),
    (Conv(8), "backbone.channels"),
    (Conv(kernel_size="3"), "backbone.kernel_size"),
    (Conv(norm=["layer"]), "backbone.norm"),
    (TCN(n_blocks=None), "backbone.n_blocks"),
    (Recurrent(cell=["gru"]), "backbone.cell"),
    (Deterministic(["relu"]), "bottleneck.activation"),
    (Gaussian(beta="4"), "bottleneck.beta"),
    (Gaussian(beta=None), "bottleneck.beta"),
    (Gaussian(n_draws=1.5), "bottleneck.n_draws"),
    (Nested("gaussian"), "bottleneck.bottleneck"),
    (TopK("1"), "bottleneck.k"),
    (AuxK(k="1"), "regularizer.k"),
    (GaussianLikelihood(scale=None), "likelihood.scale"),
    (StudentT(df="4"), "likelihood.df"),
    (Categorical("3"), "likelihood.n_categories"),
    (Embedded("5"), "likelihood.n_categories"),
    (Histogram(5), "likelihood.cells"),
    (Histogram(((1.0, 2.0),) * 5), "likelihood.cells"),
    (Date("week"), "likelihood.periods"),
    (Mixed((Date(),), (0, 1, 2, 3, 4)), "likelihood.columns"),
    (Mixed(None, ((0, 1, 2, 3, 4),)), "likelihood.parts"),
    (Logistic("256"), "likelihood.n_levels"),
    (Multinomial(["log"]), "likelihood.encoding"),
    (Quantile(0.5), "likelihood.levels"),
    (L1(weight="a"), "regularizer.weight"),
    (Jacobian(n_probes=1.5), "regularizer.n_probes"),
    (KLSparsity(target="a"), "regularizer.target"),
    (GaussianNoise(clip=5), "corruption.clip"),
    (Masking((0.1, 0.2, 0.3)), "corruption.fraction"),
    (Swap("a"), "corruption.fraction"),
    (Zeroing("a"), "corruption.fraction"),
]


@pytest.mark.parametrize(("part", "name"), WRONG_KINDS, ids=name_of)
def test_a_value_of_the_wrong_type_is_named(part, name):
    with pytest.raises(ValueError, match=rf"{name} of {type(part).__name__} must be .*, got "):
        estimator(part).fit(data_for(part))


@pytest.mark.parametrize(("part", "message"), BAD, ids=name_of)
def test_a_value_out_of_range_is_named_with_its_part_and_what_was_expected(part, message):
    with pytest.raises(ValueError, match=message):
        estimator(part).fit(data_for(part))


def test_kl_sparsity_refuses_codes_outside_the_unit_interval():
    with pytest.raises(ValueError, match=r"KLSparsity needs codes in \(0, 1\).*got Deterministic\(\)"):
        estimator(bottleneck=Deterministic(), regularizers=KLSparsity()).fit(X)


def test_univariate_likelihoods_refuse_several_columns():
    with pytest.raises(ValueError, match=r"n_categories of Embedded must be .*for rows of a single column, got 5"):
        estimator(Embedded(5)).fit(LEVELS)


def test_tied_weights_refuse_a_code_that_they_do_not_fit():
    with pytest.raises(ValueError, match=r"backbone.tied of Linear must be False with this code.*got True"):
        estimator(Linear(tied=True), bottleneck="gaussian").fit(X)


# Backbones


def test_an_mlp_mirrors_its_widths():
    part = MLP((7, 3))
    part.build((2, 4), (2, 5), (6,), (2,), 4)
    linear = [m for net in (part.encoder, part.decoder) for m in net if isinstance(m, nn.Linear)]
    assert [m.in_features for m in linear] == [8, 7, 3, 2 + 4, 3, 7]
    assert [m.out_features for m in linear] == [7, 3, 6, 3, 7, 10]
    assert part.encode(torch.randn(9, 2, 4)).shape == (9, 6)
    assert part.decode(torch.randn(9, 2), torch.randn(9, 4)).shape == (9, 2, 5)


@pytest.mark.parametrize("part", [MLP((4,)), MLP(()), Linear()], ids=repr)
def test_code_norms_are_the_slopes_of_the_decoders_first_layer(part):
    part.build((5,), (1, 5), (2,), (2,), 3)
    first = next(m for m in part.decoder if isinstance(m, nn.Linear))
    at_zero, *moved = first(torch.cat([torch.zeros(1, 5), torch.eye(5)])[:3])
    expected = torch.stack([(m - at_zero).norm() for m in moved])[None]
    torch.testing.assert_close(part.code_norms(), expected)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda part: pickle.loads(pickle.dumps(part))])
def test_tied_weights_stay_tied_in_a_copy(duplicate):
    part = duplicate(built(Linear(tied=True)))
    part.encoder[1].weight.data.fill_(2.0)
    assert part.decode(torch.ones(1, 2)).flatten().tolist() == [4.0] * 5
    assert part.code_norms()[0].tolist() == pytest.approx([2 * math.sqrt(5)] * 2)


# Corruptions

MANY = torch.from_numpy(
    np.random.default_rng(0).normal(size=(20_000, 3)) * [0.1, 1.0, 10.0] + [0.0, 5.0, -50.0]
).float()


def corrupted(part, x=MANY):
    part = clone(part)
    part.build(Statistics.of(x))
    return part(x)


@pytest.mark.parametrize(("unit", "spread"), [("std", [0.05, 0.5, 5.0]), ("data", [0.5, 0.5, 0.5])])
def test_gaussian_noise_has_the_deviation_asked_for(unit, spread):
    noise = corrupted(GaussianNoise(0.5, unit=unit)) - MANY
    for column, scale in zip(noise.T.numpy(), spread, strict=True):
        assert column.std() == pytest.approx(scale, rel=0.03)
        assert stats.kstest(column, stats.norm(0, scale).cdf).pvalue > 1e-3


def test_noisy_values_are_cut_to_the_limits():
    x = corrupted(GaussianNoise(3.0, unit="data", clip=(-1.0, 2.0)))
    assert x.aminmax() == (-1.0, 2.0)


def test_masking_hides_the_share_asked_for_and_leaves_the_rest():
    x = corrupted(Masking(0.3))
    assert x.isnan().float().mean(0).tolist() == pytest.approx([0.3] * 3, abs=0.02)
    assert torch.equal(x[~x.isnan()], MANY[~x.isnan()])


@pytest.mark.parametrize("corruption", [None, "masking", Masking(), HiddenChannels(1), GaussianNoise()])
def test_only_masking_with_a_loss_on_hidden_cells_predicts_hidden_cells(corruption):
    assert not corruptions.predicts_hidden_cells(corruption)
    assert corruptions.predicts_hidden_cells(Masking(loss_on="hidden"))


def test_a_range_of_shares_hides_evenly_between_its_ends_from_row_to_row():
    shares = corrupted(Masking((0.2, 0.6)), torch.rand(400, 2_000)).isnan().float().mean(1)
    assert stats.kstest(shares.numpy(), stats.uniform(0.2, 0.4).cdf).pvalue > 1e-3


def test_salt_and_pepper_sets_equally_many_values_to_each_extreme():
    x = corrupted(SaltPepper(0.2))
    low, high = MANY.aminmax(dim=0)
    assert ((x == MANY) | (x == low) | (x == high)).all()
    for extreme in (low, high):
        assert (x == extreme).float().mean(0).tolist() == pytest.approx([0.1] * 3, abs=0.01)


def test_swap_takes_values_of_other_rows_and_keeps_the_distribution_of_each_feature():
    x = corrupted(Swap(0.4))
    assert (x != MANY).float().mean(0).tolist() == pytest.approx([0.4] * 3, abs=0.02)
    for swapped, column in zip(x.T, MANY.T, strict=True):
        assert torch.isin(swapped, column).all()
        assert stats.ks_2samp(swapped, column).pvalue > 1e-3


def test_zeroing_sets_the_share_asked_for_to_zero_and_leaves_what_is_missing():
    x = MANY.clone()
    x[::2, 0] = math.nan
    spoiled = corrupted(Zeroing(0.3), x)
    assert (spoiled == 0).float().mean(0).tolist() == pytest.approx([0.15, 0.3, 0.3], abs=0.02)
    left = (spoiled != 0) & ~spoiled.isnan()
    assert torch.equal(spoiled[left], x[left])
    assert torch.equal(spoiled.isnan(), x.isnan())


@pytest.mark.parametrize(
    "corruption", [SaltPepper(1.0), Swap(1.0), Zeroing(0.9), GaussianNoise(clip=(0.2, 0.8))], ids=repr
)
def test_missing_values_stay_missing_and_no_others_become_missing(corruption):
    x = MANY.clone()
    x[::2, 0] = math.nan
    changed = corrupted(corruption, x)
    assert torch.equal(changed.isnan(), x.isnan())
    assert (changed != x)[~x.isnan()].double().mean() > 0.5


FAR = 1e9 + np.random.default_rng(3).normal(size=(200, 3)).round(3)


@pytest.mark.parametrize(
    ("corruption", "expected"),
    [
        (GaussianNoise(100.0, clip=(1e9 - 5, 1e9 + 5)), {1e9 - 5, 1e9 + 5}),
        (Zeroing(0.9), {0.0}),
        (SaltPepper(1.0), {*FAR.min(0), *FAR.max(0)}),
        (lambda x: torch.full_like(x, 7.0), {7.0}),
    ],
    ids=["noise", "zeroing", "salt_pepper", "callable"],
)
def test_corruptions_are_in_data_units_at_any_offset(corruption, expected):
    model = estimator(corruption=corruption, precision="float64").fit(FAR).module_.cpu()
    assert model.origin is not None
    changed, target = model.corrupt(torch.from_numpy(FAR))
    torch.testing.assert_close(target, torch.from_numpy(FAR), atol=1e-6, rtol=0)
    changed = changed[(changed - target).abs() > 1e-6]
    wanted = torch.tensor(sorted(expected), dtype=torch.float64)
    assert ((changed[:, None] - wanted).abs().amin(1) < 1e-6).double().mean() > 0.9


@pytest.mark.parametrize("part", [part for part in PARTS if part.role == "corruption"], ids=repr)
def test_a_corruption_changes_neither_the_rows_it_is_given_nor_their_shape(part):
    x = torch.rand(6, 2, 3, 4)
    before = x.clone()
    assert corrupted(part, x).shape == x.shape
    assert torch.equal(x, before)


@pytest.mark.parametrize("corruption", [lambda x: x + 100, nn.Dropout(0.5), GaussianNoise(50.0)])
def test_the_encoder_gets_corrupted_rows_and_the_loss_clean_ones(corruption):
    options = {"likelihood": GaussianLikelihood(scale=1.0, scaling="none"), "precision": "float64"}
    model = estimator(corruption=corruption, **options).fit(X).module_.cpu().train()
    x = torch.from_numpy(X)
    torch.manual_seed(3)
    loss = model(x).terms["negative_bound"]
    torch.manual_seed(3)
    rebuilt = model.backbone.decode(model.backbone.encode(model.corruption(x)))[:, 0]
    torch.testing.assert_close(loss, functional.normal_log_prob(x, rebuilt, torch.zeros(())).sum(1).neg())
    assert (rebuilt - model.reconstruct(x)).abs().max() > 0.01


def seen_by_the_encoder(model, x):
    """Return the values that the likelihood encodes in a training step."""
    seen, encode = [], model.likelihood.encode
    model.likelihood.encode = lambda x: seen.append(x) or encode(x)
    model.train()(x)
    return seen[0]


@pytest.mark.parametrize("corruption", [GaussianNoise(5.0, unit="data"), SaltPepper(0.9)], ids=repr)
def test_noise_is_added_to_numbers_and_never_to_categories(corruption):
    likelihood = PARTICULAR[Mixed][0]
    model = estimator(likelihood, corruption=corruption, precision="float64").fit(BOTH).module_.cpu()
    x = torch.from_numpy(BOTH)
    seen = seen_by_the_encoder(model, x)
    assert torch.equal(seen[:, [1, 3]], x[:, [1, 3]])
    assert (seen[:, [0, 2, 4]] != x[:, [0, 2, 4]]).double().mean() > 0.5


def test_masking_and_swapping_apply_to_categories():
    likelihood, x = PARTICULAR[Mixed][0], torch.from_numpy(BOTH)
    masked = seen_by_the_encoder(estimator(likelihood, corruption=Masking(0.5)).fit(BOTH).module_.cpu(), x)
    hidden = masked[:, [1, 3]] == torch.tensor([3, 2])  # one larger than the last category
    assert 0.3 < hidden.double().mean() < 0.7
    swapped = seen_by_the_encoder(estimator(likelihood, corruption=Swap(0.5)).fit(BOTH).module_.cpu(), x)
    assert (swapped[:, [1, 3]] != x[:, [1, 3]]).any()
    for i in (1, 3):
        assert torch.isin(swapped[:, i], x[:, i].float()).all()


# Regularizers


def step(z, code_norms=None, encode=torch.tanh, n_nets=1):
    u = torch.randn(len(z[0]), 2)
    latent = Latent(z, {}, torch.zeros(z.shape[:2]))
    return Step(u, u, u, latent, u, None, torch.ones(()), encode, None, code_norms, SIGMOID, None, n_nets)


def test_l1_is_the_sum_of_absolute_codes_times_the_lengths_of_the_weights_that_read_them():
    z = torch.tensor([[[1.0, -2.0], [0.0, 3.0]]])
    assert L1(0.5)(step(z)).tolist() == [1.5, 1.5]
    assert L1(0.5)(step(z, torch.tensor([2.0, 10.0]))).tolist() == [11.0, 15.0]


def test_l2_is_half_the_squared_length_on_the_average_of_draws():
    z = torch.tensor([[[1.0, -2.0], [0.0, 3.0]], [[1.0, 0.0], [0.0, 0.0]]])
    assert L2(0.5)(step(z)).tolist() == [0.25 * (5 + 1) / 2, 0.25 * 9 / 2]


def test_kl_sparsity_is_the_divergence_of_the_batchs_mean_activities():
    z = torch.tensor([[[0.1, 0.4], [0.3, 0.6]]])
    expected = sum(stats.entropy([0.05, 0.95], [activity, 1 - activity]) for activity in (0.2, 0.5))
    assert KLSparsity(3.0, target=0.05)(step(z)).item() == pytest.approx(3 * expected, rel=1e-5)


def test_kl_sparsity_of_stacked_nets_is_the_mean_over_the_nets():
    z = torch.rand(2, 6, 3)
    alone = [KLSparsity()(step(z[:, net::2])) for net in range(2)]
    torch.testing.assert_close(KLSparsity()(step(z, n_nets=2)), torch.stack(alone).mean())


def test_jacobian_is_weighted_and_differentiates_by_the_encoded_input():
    events = step(torch.zeros(1, 4, 2), encode=lambda u: u**2)
    expected = 0.7 * (2 * events.u).square().sum(1)
    torch.testing.assert_close(Jacobian(0.7, n_probes=None)(events), expected)
    torch.testing.assert_close(Jacobian(0.7, n_probes=1)(events), expected)  # exact if the Jacobian is diagonal


def test_terms_of_the_loss_add_up_also_for_two_of_one_class():
    model = estimator(regularizers=(L1(0.1), L2(0.2), L1(0.3)), max_epochs=1).fit(X)
    alone = estimator(regularizers=(L1(0.4), L2(0.2)), max_epochs=1).fit(X)
    for name in ("loss", "negative_bound", "l1", "l2"):
        assert model.history_[0][name] == pytest.approx(alone.history_[0][name], rel=1e-4)
    assert model.history_[0]["loss"] == pytest.approx(
        sum(model.history_[0][name] for name in ("negative_bound", "l1", "l2"))
    )


# Combinations


@pytest.mark.parametrize("regularizer", [L1(), L2(), Adversarial(), AuxK(), Jacobian(), KLSparsity()])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    "bottleneck",
    [Deterministic(), Deterministic("sigmoid"), Gaussian(), Ladder(), TopK(2), VectorQuantized(8, width=2)],
)
def test_a_regularizer_reaches_the_encoder_or_refuses_the_bottleneck(regularizer, bottleneck, nested):
    whole = Nested(bottleneck) if nested else bottleneck
    net = Autoencoder(4, bottleneck=whole, regularizers=regularizer, backbone=MLP((8,)), random_state=0)
    try:
        model = net.prepare(X).state.model.cpu().train()
    except ValueError:
        with pytest.raises(ValueError, match="|".join(type(part).__name__ for part in (regularizer, whole))):
            net.prepare(X)
        return
    if isinstance(bottleneck, TopK):
        getattr(model.bottleneck, "inner", model.bottleneck).idle[:, :2] = 1000
    terms = model(torch.from_numpy(X)).terms
    own = sum(term.mean() for name, term in terms.items() if name not in ("negative_bound", "discriminator"))
    gradients = torch.autograd.grad(own, list(model.backbone.encoder.parameters()), allow_unused=True)
    assert any(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)


class SecondPass(Regularizer):
    """Encodes and decodes again."""

    def __init__(self):
        super().__init__()
        self.weight = 0.0

    def forward(self, step):
        z = step.encode(step.u + 1)
        return step.decode(z, step.y).flatten(1).sum(1) * 0


def test_second_passes_of_a_regularizer_change_no_running_statistics():
    options = {"backbone": MLP((8,), norm="batch"), "likelihood": "density", "max_epochs": 2, "random_state": 0}
    states = [Autoencoder(2, regularizers=r, **options).fit(X).module_.state_dict() for r in ((), SecondPass())]
    assert any("running" in name for name in states[0])
    for name, value in states[0].items():
        assert torch.equal(states[1][name], value), name
