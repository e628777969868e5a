"""Checkpoints: a fit that was killed and resumed is bitwise equal to an uninterrupted fit."""

import pickle

import numpy as np
import pytest
import torch
from conftest import COLUMNS
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_cli import refused

from isthmus import (
    AnomalyDetector,
    Autoencoder,
    BaggedAutoencoders,
    Checkpoint,
    ExemplarDistance,
    SlidingWindows,
    storage,
)
from isthmus.backbones import MLP
from isthmus.corruptions import GaussianNoise, Masking
from isthmus.data import Parquet
from isthmus.training import Group, TrainState
from isthmus.training.checkpoint import resume_rng

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 2)) @ RNG.normal(size=(2, 5)) + 0.1 * RNG.normal(size=(120, 5))
Y = np.arange(120) % 3


class Killed(Exception):
    """Ends a fit instead of a signal."""


class Fragile(Checkpoint):
    """Is killed after a number of writes, one for each step."""

    def __init__(self, path, n_writes):
        super().__init__(path, every=0)
        self.n_writes = n_writes

    def write(self, *arguments):
        super().write(*arguments)
        self.n_writes -= 1
        if not self.n_writes:
            raise Killed


def small(**options):
    options = {"backbone": MLP((8,)), "max_epochs": 3, "batch_size": 32, "random_state": 0, **options}
    return Autoencoder(2, **options)


def persist(fit, folder, n_writes):
    """Fit, and repeat after each kill until the fit succeeds; also return the number of kills."""
    for deaths in range(100):
        try:
            return fit([Fragile(folder, n_writes)]), deaths
        except Killed:
            continue
    raise AssertionError("the fit does not get on")


def assert_equal(some, others):
    weights = others.module_.state_dict()
    for name, value in some.module_.state_dict().items():
        assert torch.equal(value, weights[name]), name
    assert untimed(some) == untimed(others)


def untimed(model):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in model.history_]


# Resuming

CASES = {
    "plain": {},
    "nothing set aside": {"validation_fraction": 0},
    "drawn codes": {"bottleneck": "gaussian"},
    "hidden cells": {"bottleneck": "gaussian", "corruption": Masking(0.3), "validation_fraction": 0},
    "noise, batch normalisation, dropout": {
        "backbone": MLP((8,), norm="batch", dropout=0.2),
        "corruption": GaussianNoise(0.1),
    },
    "a start at PCA": {"backbone": MLP((8,), linear="encoder"), "learning_rate": 0.1},
    "adam": {"optimizer": "adam", "schedule": "constant", "weight_decay": 0.1},
    "sgd": {"optimizer": "sgd"},
    "another optimizer": {"optimizer": torch.optim.RMSprop},
    "patience": {"patience": 1, "learning_rate": 0.3, "bottleneck": "gaussian", "max_epochs": 6},
    "float64": {"precision": "float64"},
    "two terms": {"regularizers": "l2", "validation_fraction": 0},
    "labels": {"conditional": True, "bottleneck": "gaussian"},
}


@pytest.mark.parametrize("n_writes", [1, 3])
@pytest.mark.parametrize("case", CASES)
def test_a_fit_continues_from_its_checkpoint(case, n_writes, tmp_path):
    """An epoch has four steps. The fit is killed after each step, or after each third step."""

    def fit(callbacks):
        return small(**CASES[case], callbacks=callbacks).fit(X, Y)

    model, deaths = persist(fit, tmp_path, n_writes)
    assert deaths >= 2
    assert_equal(model, fit([]))


@pytest.mark.usefixtures("small_pools")
def test_a_fit_on_files_continues_from_its_checkpoint(folder, tmp_path):
    def fit(callbacks):
        return small(bottleneck="gaussian", batch_size=100, callbacks=callbacks).fit(Parquet(folder, COLUMNS[1:]))

    model, deaths = persist(fit, tmp_path, 4)
    assert deaths >= 5
    assert_equal(model, fit([]))


SEVERAL = {
    "folds": lambda net: AnomalyDetector(net, n_folds=2, random_state=0),
    "kept rows": lambda net: AnomalyDetector(net, calibration="split", random_state=0),
    "a pipeline": lambda net: AnomalyDetector(make_pipeline(StandardScaler(), net), n_folds=2, random_state=0),
    "an ensemble": lambda net: BaggedAutoencoders(net, 2, random_state=0),
    "folds of ensembles": lambda net: AnomalyDetector(
        BaggedAutoencoders(net.set_params(bottleneck="gaussian"), 2), n_folds=2, score_from="decoder", random_state=0
    ),
    "views of rows": lambda net: AnomalyDetector(ExemplarDistance(net, 2), random_state=0),
    "views of windows": lambda net: AnomalyDetector(SlidingWindows(net, lengths=(8, 16)), fpr=0.1, random_state=0),
}


@pytest.mark.parametrize("case", SEVERAL)
def test_estimators_of_several_fits_give_each_fit_its_own_folder_and_continue(case, tmp_path):
    rng = np.random.default_rng(0)
    rows = np.sin(np.arange(200)[:, None] / [3, 4, 5]) + 0.1 * rng.normal(size=(200, 3))

    def fit(callbacks):
        return SEVERAL[case](small(callbacks=callbacks, max_epochs=2, batch_size=64)).fit(rows)

    detector, deaths = persist(fit, tmp_path, 3)
    assert deaths >= 1
    np.testing.assert_array_equal(detector.score_samples(rows), fit([]).score_samples(rows))
    files = [file.relative_to(tmp_path).parent for file in tmp_path.rglob("checkpoint.safetensors")]
    assert len(files) == {
        "folds": 3,
        "a pipeline": 3,
        "folds of ensembles": 3,
        "views of rows": 2,
        "views of windows": 4,
    }.get(case, 1)


def test_a_completed_fit_gives_the_same_result_again(tmp_path):
    first, second = (small(callbacks=[Checkpoint(tmp_path, every=0)]).fit(X) for _ in range(2))
    assert_equal(first, second)


def test_a_checkpoint_is_written_at_most_once_per_interval(tmp_path):
    small(callbacks=[Checkpoint(tmp_path / "new" / "folder")]).fit(X)
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_another_number_of_processes_continues_with_the_sums_of_all_processes(tmp_path):
    with pytest.raises(Killed):
        small(callbacks=[Fragile(tmp_path, 3)]).fit(X)
    tensors, document = storage.read(tmp_path / "checkpoint.safetensors")
    model = small(max_epochs=1).fit(X)
    state = TrainState(model.module_, model._optimizer(model.module_))
    totals = []
    for rank in range(2):
        state.restore(tensors, document["state"])
        resume_rng(state, Group(rank, 2))
        totals.append(state.totals["negative_bound"])
    assert totals == [tensors["process.0.total.negative_bound"], 0]


# Errors


@pytest.fixture
def unfinished(tmp_path):
    """Return a folder with a checkpoint."""
    with pytest.raises(Killed):
        small(callbacks=[Fragile(tmp_path / "unfinished", 6)]).fit(X)
    return tmp_path / "unfinished"


OTHERS = {
    "seed": {"random_state": 1},
    "epochs": {"max_epochs": 4},
    "decay": {"weight_decay": 0.1},
    "optimizer": {"optimizer": "adam"},
    "part": {"corruption": Masking(0.2)},
    "parameter of a part": {"corruption": GaussianNoise(0.2)},
    "function": {"corruption": torch.abs},
    "patience": {"patience": None},
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_checkpoint_of_other_parameters_is_refused(unfinished, other):
    before = (unfinished / "checkpoint.safetensors").read_bytes()
    with pytest.raises(ValueError, match="checkpoint.safetensors' was written by a fit of other data or parameters"):
        small(**OTHERS[other], callbacks=[Checkpoint(unfinished)]).fit(X)
    assert [file.read_bytes() for file in unfinished.iterdir()] == [before]


@pytest.mark.parametrize("rows", [X[::-1], X + 1e-9, X[:110]])
def test_a_checkpoint_of_other_data_is_refused(unfinished, rows):
    with pytest.raises(ValueError, match="was written by a fit of other data"):
        small(callbacks=[Checkpoint(unfinished)]).fit(rows)


def test_checkpoints_of_other_missing_cells_or_labels_are_refused(tmp_path):
    for name, changed, y in (("a", {"corruption": Masking(0.4)}, Y), ("b", {}, (Y + 1) % 3)):
        options = {"corruption": Masking(0.3), "conditional": True, "bottleneck": "gaussian"}
        with pytest.raises(Killed):
            small(**options, callbacks=[Fragile(tmp_path / name, 2)]).fit(X, Y)
        with pytest.raises(ValueError, match="was written by a fit of other data"):
            small(**{**options, **changed}, callbacks=[Checkpoint(tmp_path / name)]).fit(X, y)


def test_the_memory_address_of_a_function_does_not_matter_for_a_checkpoint(tmp_path):
    """Its value differs between processes."""

    def fit(callbacks):
        return small(corruption=lambda x: x * 0.9, callbacks=callbacks).fit(X)

    assert_equal(persist(fit, tmp_path, 5)[0], fit([]))


@pytest.mark.parametrize("damage", [lambda data: data[:100], lambda data: data[:-9] + b"123456789", lambda data: b""])
def test_the_error_of_a_damaged_checkpoint_says_what_to_do(unfinished, damage):
    file = unfinished / "checkpoint.safetensors"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match="checkpoint.safetensors' is damaged; delete it to start again"):
        small(callbacks=[Checkpoint(unfinished)]).fit(X)


@pytest.mark.parametrize("every", [-1, float("nan"), "minute", None])
def test_the_time_between_writes_must_be_a_number(tmp_path, every):
    with pytest.raises(ValueError, match=f"Checkpoint.every must be a number of seconds >= 0, got {every!r}"):
        small(callbacks=[Checkpoint(tmp_path, every)]).fit(X)


def test_a_folder_is_named_by_a_path():
    with pytest.raises(TypeError, match=r"Checkpoint.path must be a str or a path, got 5"):
        Autoencoder(callbacks=(Checkpoint(5),)).fit(np.eye(10))


def test_a_file_in_the_place_of_the_checkpoint_folder_is_refused(tmp_path):
    np.save(tmp_path / "rows.npy", X)
    said = refused("fit", tmp_path / "rows.npy", "--checkpoint", tmp_path / "rows.npy")
    assert said.startswith("Checkpoint.path must be a folder, got the file")
    assert not (tmp_path / "rows.safetensors").exists()


def test_a_checkpoint_has_get_params_and_clone_copies_it(tmp_path):
    model = small(callbacks=[Checkpoint(tmp_path, every=5)]).fit(X)
    for copy in (clone(model), pickle.loads(pickle.dumps(model))):
        assert repr(copy.get_params()["callbacks"]) == f"[Checkpoint('{tmp_path}', every=5)]"
        copy.fit(X)


def test_partial_fit_writes_no_checkpoint(tmp_path):
    small(callbacks=[Checkpoint(tmp_path, every=0)]).partial_fit(X).partial_fit(X)
    assert list(tmp_path.iterdir()) == []
