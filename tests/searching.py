"""A small search, for tests and for processes that tests start: these import no more than it needs."""

import numpy as np

from isthmus import Autoencoder
from isthmus.backbones import MLP
from isthmus.tuning import Range, tune

RATES = {"learning_rate": Range(1e-4, 1e-1, log=True)}
X = np.random.default_rng(0).normal(size=(100, 4))


def make_net(**params):
    return Autoencoder(2, backbone=MLP((8,)), max_epochs=2, random_state=0, **params)


def search(path, n_trials, **params):
    return tune(make_net(**params), X, space=RATES, n_trials=n_trials, storage=path, random_state=0)
