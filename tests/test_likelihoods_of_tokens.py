"""Categories common to all values, as of tokens and tiles, compared with separate categories of each value."""

import numpy as np
import pytest
import torch

from isthmus import Autoencoder
from isthmus.likelihoods import Categorical
from isthmus.statistics import Statistics

N_LEVELS = 5
SHAPES = [(7,), (2, 6), (1, 3, 4)]


def built(n_categories, x):
    likelihood = Categorical(n_categories)
    likelihood.build(Statistics.of(x))
    return likelihood.double()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shared_levels_score_as_the_same_levels_of_each_value(shape):
    x = torch.from_numpy(np.random.default_rng(0).integers(N_LEVELS, size=(50, *shape))).double()
    shared, own = built(N_LEVELS, x), built((N_LEVELS,) * x[0].numel(), x.flatten(1))
    theta = torch.randn(50, N_LEVELS, *shape, dtype=torch.float64)
    laid_out = theta.flatten(2).transpose(1, 2).flatten(1)[:, None]
    torch.testing.assert_close(shared.log_prob(theta, x).flatten(1), own.log_prob(laid_out, x.flatten(1)))
    torch.testing.assert_close(shared.mean(theta).flatten(1), own.mean(laid_out))
    hot = shared.encode(x)
    assert tuple(hot.shape[1:]) == shared.encoded_shape
    assert (hot.reshape(50, N_LEVELS, *shape).argmax(1) == x).all()
    assert (hot.reshape(50, N_LEVELS, *shape).sum(1) == 1).all()


def test_levels_are_drawn_as_often_as_their_logits_say():
    x = torch.zeros(10, 1)
    x[0] = N_LEVELS - 1
    theta = torch.randn(1, N_LEVELS, 1).expand(40_000, -1, -1)
    shares = torch.bincount(built(N_LEVELS, x).sample(theta).flatten().long(), minlength=N_LEVELS) / 40_000
    torch.testing.assert_close(shares, theta[0, :, 0].softmax(0), atol=0.01, rtol=0)


def test_missing_tokens_are_encoded_as_zeros():
    x = torch.tensor([[0.0, 1.0, torch.nan], [4.0, 3.0, 2.0]])
    likelihood = built(N_LEVELS, x)
    assert likelihood.encode(likelihood.fill(x))[0].sum(0).tolist() == [1.0, 1.0, 0.0]


def test_reconstructed_grids_of_tiles_are_bytes():
    X = np.random.default_rng(0).integers(N_LEVELS, size=(200, 1, 1)) + np.zeros((1, 6, 7), dtype=int)
    X = ((X + np.arange(7)) % N_LEVELS).astype(np.uint8)
    model = Autoencoder(4, backbone="conv", likelihood=Categorical(N_LEVELS), max_epochs=60, random_state=0).fit(X)
    rebuilt = model.reconstruct(X)
    assert rebuilt.dtype == np.uint8
    assert rebuilt.shape == X.shape
    assert (rebuilt == X).mean() > 0.99


def test_tokens_out_of_range_are_named():
    X = np.zeros((20, 4, 4), dtype=np.uint8)
    X[3, 2, 1] = N_LEVELS
    with pytest.raises(ValueError, match=r"positions from 0 to 4 in column \(0, 2, 1\)"):
        Autoencoder(likelihood=Categorical(N_LEVELS)).fit(X)


@pytest.mark.parametrize("n_categories", [1, 0, -3, 2.5, "5", (5, 5)])
def test_the_number_of_levels_must_match(n_categories):
    with pytest.raises(ValueError, match="n_categories of Categorical must be .*of at least 2"):
        built(n_categories, torch.zeros(10, 3))
