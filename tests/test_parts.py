"""Every part of every package: scikit-learn's language, the three steps of its life, and what it computes."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_parameters_default_constructible
from torch import nn

from isthmus import Autoencoder, functional
from isthmus.backbones import MLP, Linear
from isthmus.bottlenecks import Deterministic, Gaussian
from isthmus.configuration import PACKAGES
from isthmus.corruptions import GaussianNoise, Masking, SaltPepper, Swap
from isthmus.likelihoods import Gaussian as GaussianLikelihood
from isthmus.likelihoods import StudentT
from isthmus.part import Part, snake_case
from isthmus.regularizers import L1, L2, Jacobian, KLSparsity, Step
from isthmus.statistics import Statistics

CLASSES = [getattr(package, name) for package in PACKAGES for name in package.__all__]
X = np.random.default_rng(0).uniform(size=(40, 5))
STATISTICS = Statistics.of(torch.from_numpy(X))
SIGMOID = Deterministic("sigmoid")

# Parts whose values are not their defaults.
VARIANTS = [
    MLP((8,), activation="tanh", norm="layer", dropout=0.5),
    MLP((), activation="relu"),
    MLP((8,), norm="batch"),
    Linear(tied=True),
    Gaussian(beta=4.0, free_bits=0.1, warmup=0.5),
    Gaussian(capacity=3.0),
    Gaussian(n_draws=3),
    Deterministic("tanh"),
    GaussianLikelihood(scale="shared", scaling="center", bounded=True),
    GaussianLikelihood(scale=0.5, scaling="none"),
    StudentT(df=3.0, scale="shared"),
    L1(weight=0.5),
    Jacobian(n_probes=None),
    KLSparsity(target=0.2),
    GaussianNoise(0.2, unit="data", clip=(0.0, 1.0)),
    Masking((0.1, 0.8)),
]
PARTS = [*(kind() for kind in CLASSES), *VARIANTS]

BUILD = {
    "backbone": lambda part: part.build((5,), (1, 5), 2, 2, 0),
    "bottleneck": lambda part: part.build(2),
    "likelihood": lambda part: part.build(STATISTICS),
    "regularizer": lambda part: part.build(SIGMOID),
    "corruption": lambda part: part.build(STATISTICS),
}

every_class = pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: f"{kind.role}-{kind.__name__}")
every_part = pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.role}-{part!r}")


def built(part):
    part = clone(part)
    BUILD[part.role](part)
    return part


def estimator(part=None, **options):
    """An estimator with this part and others that suit it."""
    options = {"backbone": MLP((8,)), "max_epochs": 1, "random_state": 0, "validation_fraction": 0, **options}
    if isinstance(part, KLSparsity):
        options["bottleneck"] = SIGMOID
    if part is not None:
        options["regularizers" if part.role == "regularizer" else part.role] = part
    return Autoencoder(2, **options)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


# Scikit-learn's language


@every_class
def test_a_constructor_stores_and_nothing_else(kind):
    values = {name: object() for name in kind().get_params()}
    part = kind(**values)
    assert part.get_params() == values
    assert not list(part.parameters())
    check_parameters_default_constructible(kind.__name__, kind())


@every_part
def test_parameters_survive_clone_set_params_repr_pickle_and_deepcopy(part):
    params = part.get_params()
    evaluated = eval(repr(part), {type(part).__name__: type(part)})
    renewed = type(part)().set_params(**params)
    for twin in (clone(part), copy.deepcopy(part), pickle.loads(pickle.dumps(part)), evaluated, renewed):
        assert twin is not part
        assert type(twin) is type(part)
        assert twin.get_params() == params


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


@every_class
def test_a_clone_of_a_built_part_is_not_built(kind):
    assert not clone(built(kind())).state_dict()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_an_unknown_name_is_an_error_that_suggests_the_nearest(package):
    role = package.__name__.rsplit(".", 1)[-1].removesuffix("s")
    known = snake_case(package.__all__[-1])
    option = "regularizers" if role == "regularizer" else role
    with pytest.raises(ValueError, match=rf"{role} must be one of .*got '{known}x'; did you mean '{known}'\?"):
        estimator(**{option: known + "x"}).fit(X)


# Learning


@every_part
def test_one_step_reaches_every_weight(part):
    snapshots = []

    def snapshot(state):
        snapshots.append([p.detach().clone() for p in state.model.parameters()])

    options = {"max_epochs": 2, "batch_size": len(X), "schedule": "constant", "precision": "float64"}
    model = estimator(part, callbacks=(snapshot,), **options).fit(X).module_
    for (name, weight), before, after in zip(model.named_parameters(), *snapshots, strict=True):
        assert torch.isfinite(weight.grad).all(), name
        assert weight.grad.abs().sum() > 0, name
        assert not torch.equal(before, after), name


# Values out of range

BAD = [
    (MLP(hidden=(8, 0)), r"backbone.hidden of MLP must be .*\(8, 0\)"),
    (MLP(hidden=8), r"backbone.hidden of MLP must be .* 8"),
    (MLP(activation="silo"), r"backbone.activation of MLP must be one of .*'silo'"),
    (MLP(dropout=1.0), r"backbone.dropout of MLP must be in \[0, 1\), got 1.0"),
    (MLP(norm="group"), r"backbone.norm of MLP must be None or one of .*'group'"),
    (Deterministic("step"), r"bottleneck.activation of Deterministic must be None or one of .*'step'"),
    (Gaussian(beta=-1.0), r"bottleneck.beta of Gaussian must be >= 0, got -1.0"),
    (Gaussian(beta=math.nan), r"bottleneck.beta of Gaussian must be >= 0, got nan"),
    (Gaussian(free_bits=-0.1), r"bottleneck.free_bits of Gaussian must be >= 0, got -0.1"),
    (Gaussian(capacity=-2.0), r"bottleneck.capacity of Gaussian must be None or >= 0, got -2.0"),
    (Gaussian(warmup=1.5), r"bottleneck.warmup of Gaussian must be in \[0, 1\], got 1.5"),
    (Gaussian(n_draws=0), r"bottleneck.n_draws of Gaussian must be a positive integer, got 0"),
    (Gaussian(n_draws=2, free_bits=1.0), r"bottleneck.n_draws of Gaussian must be 1 together with .*, got 2"),
    (Gaussian(n_draws=2, capacity=1.0), r"bottleneck.n_draws of Gaussian must be 1 together with .*, got 2"),
    (GaussianLikelihood(scale="row"), r"likelihood.scale of Gaussian must be .*'row'"),
    (GaussianLikelihood(scale=0.0), r"likelihood.scale of Gaussian must be .*0.0"),
    (GaussianLikelihood(scaling="minmax"), r"likelihood.scaling of Gaussian must be one of .*'minmax'"),
    (StudentT(df=1.0), r"likelihood.df of StudentT must be > 1, got 1.0"),
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
]


@pytest.mark.parametrize(("part", "message"), BAD, ids=lambda value: repr(value) if isinstance(value, Part) else "")
def test_a_value_out_of_range_is_named_with_its_part_and_what_was_expected(part, message):
    with pytest.raises(ValueError, match=message):
        estimator(part).fit(X)


def test_kl_sparsity_refuses_codes_without_an_activity():
    with pytest.raises(ValueError, match=r"KLSparsity needs codes in \(0, 1\).*got Deterministic\(\)"):
        estimator(bottleneck=Deterministic(), regularizers=KLSparsity()).fit(X)


def test_tied_weights_refuse_a_code_that_they_do_not_fit():
    with pytest.raises(ValueError, match=r"backbone.tied of Linear must be False with this code.*got True"):
        estimator(Linear(tied=True), bottleneck="gaussian").fit(X)
