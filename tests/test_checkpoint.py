"""Checkpoints: a fit that was killed and started again ends as one that was not, bit for bit."""

import json
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import COLUMNS
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from test_cli import call, refused

from isthmus import Autoencoder, Checkpoint, load, storage, zoo
from isthmus.backbones import MLP
from isthmus.corruptions import GaussianNoise, Masking
from isthmus.data import Array, Parquet
from isthmus.training import Group, loop

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 2)) @ RNG.normal(size=(2, 5)) + 0.1 * RNG.normal(size=(120, 5))
Y = np.arange(120) % 3


class Killed(Exception):
    """What ends a fit in the place of a signal."""


class Fragile(Checkpoint):
    """Is killed after so many writes, one a step."""

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
    """Fit, and once more after each death, until it ends well; also say how often it died."""
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


# Going on

CASES = {
    "plain": {},
    "nothing set aside": {"validation_fraction": 0},
    "drawn codes": {"bottleneck": "gaussian"},
    "hidden cells": {"bottleneck": "gaussian", "corruption": Masking(0.3), "validation_fraction": 0},
    "noise, batch normalisation, dropout": {
        "backbone": MLP((8,), norm="batch", dropout=0.2),
        "corruption": GaussianNoise(0.1),
    },
    "adam": {"optimizer": "adam", "schedule": "constant", "weight_decay": 0.1},
    "sgd": {"optimizer": "sgd"},
    "another optimizer": {"optimizer": torch.optim.RMSprop},
    "patience": {"patience": 1, "learning_rate": 0.3, "bottleneck": "gaussian", "max_epochs": 6},
    "float64": {"precision": "float64"},
    "two terms": {"regularizers": "l2", "validation_fraction": 0},
    "labels": {"conditional": True, "bottleneck": "gaussian"},
}


@pytest.mark.parametrize("n_writes", [1, 3, 4])
@pytest.mark.parametrize("case", CASES)
def test_a_fit_goes_on_where_it_was(case, n_writes, tmp_path):
    """Four steps an epoch: it dies after each, across the ends of epochs, and at them."""

    def fit(callbacks):
        return small(**CASES[case], callbacks=callbacks).fit(X, Y)

    model, deaths = persist(fit, tmp_path, n_writes)
    assert deaths >= 2
    assert_equal(model, fit([]))


@pytest.mark.usefixtures("small_pools")
def test_a_fit_on_files_goes_on_where_it_was(folder, tmp_path):
    def fit(callbacks):
        return small(bottleneck="gaussian", batch_size=100, callbacks=callbacks).fit(Parquet(folder, COLUMNS[1:]))

    model, deaths = persist(fit, tmp_path, 4)
    assert deaths >= 5
    assert_equal(model, fit([]))


def test_a_fit_that_ended_ends_again_in_the_same_way(tmp_path):
    first, second = (small(callbacks=[Checkpoint(tmp_path, every=0)]).fit(X) for _ in range(2))
    assert_equal(first, second)


def test_a_file_is_written_no_more_often_than_asked_for(tmp_path):
    small(callbacks=[Checkpoint(tmp_path / "new" / "folder")]).fit(X)
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_another_number_of_processes_goes_on_with_what_was_added_up(tmp_path):
    with pytest.raises(Killed):
        small(callbacks=[Fragile(tmp_path, 3)]).fit(X)
    tensors, document = storage.read(tmp_path / "checkpoint.safetensors")
    model = small(max_epochs=1).fit(X)
    state = loop.TrainState(model.module_, model._optimizer(model.module_))
    totals = []
    for rank in range(2):
        state.restore(tensors, document["state"])
        loop.go_on(state, torch.device("cpu"), Group(rank, 2))
        totals.append(state.totals["bound"])
    assert totals == [tensors["process.0.total.bound"], 0]


# Killed by the system

DRIVER = """
import json, os, random, signal, sys, time
from pathlib import Path
import numpy as np
from isthmus import Autoencoder, Checkpoint, save
from isthmus.__main__ import main
from isthmus.backbones import MLP
from isthmus.corruptions import Masking

# This process never computes: threads of its own would not outlive a fork.
home, chance = Path(sys.argv[1]), random.Random(0)
Checkpoint.__init__.__defaults__ = (0.0,)
rows = np.random.default_rng(0).normal(size=(500, 6))
np.save(home / "rows.npy", rows)

def by_hand(out, folder):
    callbacks = [] if folder is None else [Checkpoint(folder)]
    options = {"bottleneck": "gaussian", "corruption": Masking(0.3), "backbone": MLP((16,), dropout=0.1)}
    model = Autoencoder(2, **options, max_epochs=10, batch_size=32, callbacks=callbacks, random_state=0)
    save(model.fit(rows), out)

def by_command(out, folder):
    words = ["fit", home / "rows.npy", "--model", "vae", "--out", out, "--set", "max_epochs=10"]
    words += ["--set", "backbone.hidden=[16]", "--set", "batch_size=32", "--set", "verbose=0"]
    sys.argv = ["isthmus", *map(str, words + ([] if folder is None else ["--checkpoint", folder]))]
    main()

def lives(job, out, folder, seconds):
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            job(out, folder)
        finally:
            os._exit(not Path(out).exists())
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

def suffer(job, name, at_least):
    started = time.perf_counter()
    assert lives(job, home / f"{name}.safetensors", None, None)
    whole, kills, parts, fits = time.perf_counter() - started, 0, 0, 0
    while kills < at_least:
        folder, out = home / f"{name}-{fits}", home / f"{name}-{fits}.safetensors"
        # The last chance to end comes without a threat, so that the test ends.
        while not lives(job, out, folder, chance.uniform(0, whole) if kills < at_least else None):
            kills += 1
            parts += len(list(folder.glob(".*.part"))) if folder.exists() else 0
        fits += 1
    left = [str(part) for part in home.glob("*/.*")]
    return {"kills": kills, "parts": parts, "fits": fits, "left": left}

print(json.dumps({job.__name__: suffer(job, job.__name__, n) for job, n in ((by_hand, 20), (by_command, 5))}))
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Where fits left their models that were killed at random moments, and how that went."""
    home = tmp_path_factory.mktemp("killed")
    done = subprocess.run([sys.executable, "-c", DRIVER, str(home)], stdout=subprocess.PIPE, text=True, check=True)
    return home, json.loads(done.stdout)


@pytest.mark.parametrize("job", ["by_hand", "by_command"])
def test_a_killed_fit_ends_with_the_weights_of_one_that_was_not(killed, job):
    home, told = killed
    assert told[job]["kills"] >= {"by_hand": 20, "by_command": 5}[job]
    undisturbed = load(home / f"{job}.safetensors")
    for i in range(told[job]["fits"]):
        assert_equal(load(home / f"{job}-{i}.safetensors"), undisturbed)


def test_what_was_half_written_is_cleaned_up(killed):
    assert killed[1]["by_hand"]["parts"] > 0
    assert killed[1]["by_hand"]["left"] == []
