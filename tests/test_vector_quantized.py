"""The codebook against brute force, k-means and its published formulas."""

import copy

import numpy as np
import pytest
import torch
from conftest import skip_emulated
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_blobs

from isthmus import Autoencoder, BaggedAutoencoders, zoo
from isthmus.backbones import MLP, Custom
from isthmus.bottlenecks import Nested, VectorQuantized
from isthmus.bottlenecks.vector_quantized import Codebook
from isthmus.data import as_source
from isthmus.latent import edit, interpolate, traverse
from isthmus.latent.code_size import _measure_errors
from isthmus.part import Shapes

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 2)) @ RNG.normal(size=(2, 6)) + 0.1 * RNG.normal(size=(200, 6))
Y = np.arange(200) % 3
HOLES = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
DONE = torch.ones(())


def small(n_components=3, **options):
    options = {"backbone": MLP((8,)), "max_epochs": 3, "batch_size": 32, "random_state": 0, **options}
    options = {"bottleneck": VectorQuantized(8, width=2), **options}
    return Autoencoder(n_components, **options)


def built(n_components=1, **options):
    torch.manual_seed(0)
    part = VectorQuantized(**options)
    part.build(n_components, Shapes((1,)))
    return part


def step(part, h):
    """Update the codebook once, as in training."""
    latent = part(h, None, DONE)
    with torch.no_grad():
        part.codebook.after_step(DONE)
    return latent


@pytest.fixture(scope="module")
def model():
    return small().fit(X)


# The codebook


def test_the_nearest_vector_is_that_of_brute_force_and_the_first_of_equal_ones():
    codebook, outputs = Codebook(16, 3), torch.randn(50, 3)
    codebook.build()
    squares = (outputs[:, None] - codebook.vectors).square().sum(-1)
    assert torch.equal(codebook.nearest(outputs), squares.argmin(-1))
    codebook.vectors[5:] = codebook.vectors[2]
    assert codebook.nearest(codebook.vectors[2:3]) == 2


def test_vectors_follow_exponential_means():
    """Equations 6 to 8 of the paper's appendix, from counts and sums of 0."""
    part, decay = built(n_codes=3, width=2, decay=0.7), 0.7
    centers = 5 * torch.eye(3)[:, :2] - 2
    part.codebook.vectors.copy_(centers)
    counts, sums = torch.zeros(3), torch.zeros(3, 2)
    for _ in range(10):
        h = (centers[:, None] + torch.randn(3, 20, 2)).flatten(0, 1)
        one_hot = torch.nn.functional.one_hot((h[:, None] - part.codebook.vectors).square().sum(-1).argmin(-1)).float()
        counts, sums = (
            decay * old + (1 - decay) * new for old, new in ((counts, one_hot.sum(0)), (sums, one_hot.T @ h))
        )
        step(part, h)
        torch.testing.assert_close(part.codebook.vectors, sums / counts[:, None], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(part.codebook.frequency, counts)


def test_without_memory_and_with_all_rows_in_a_batch_training_is_k_means():
    rows, blobs = make_blobs(600, 4, centers=8, cluster_std=3.0, random_state=0)
    part = built(n_codes=8, width=4, decay=0.0).double()
    start = rows[[np.flatnonzero(blobs == blob)[0] for blob in range(8)]]
    part.codebook.vectors.copy_(torch.from_numpy(start))
    for _ in range(100):
        step(part, torch.from_numpy(rows))
    expected = KMeans(8, init=start, n_init=1, max_iter=100, tol=0).fit(rows)
    np.testing.assert_allclose(part.codebook.vectors, expected.cluster_centers_, rtol=1e-9)
    assert np.array_equal(part.to_code(torch.from_numpy(rows))[:, 0], expected.labels_)


def test_unused_vectors_are_moved_to_where_outputs_are_until_all_are_used():
    part = built(n_codes=16, width=2)
    h = 1000 + torch.randn(400, 2)
    for _ in range(8):
        step(part, h)
    assert len(part.to_code(h).unique()) == 16
    n_steps = 600
    for _ in range(n_steps):
        latent = step(part, h)
    assert latent.metrics["perplexity"] > 0.85 * 16
    kmeans = KMeans(16, random_state=0).fit(h)
    assert (part.code_mean(h) - h).square().sum() < 1.15 * kmeans.inertia_


def test_moving_keeps_means_and_frequencies():
    codebook = Codebook(4, 2)
    codebook.build()
    codebook.frequency.copy_(torch.tensor([6.0, 0.1, 3.0, 2.0]))
    vectors = codebook.vectors.clone()
    codebook._move_rare(torch.full((4, 1), 0.5))
    assert codebook.frequency.tolist() == [3.0, 3.0, 3.0, 2.0]
    torch.testing.assert_close((codebook.vectors[0] + codebook.vectors[1]) / 2, vectors[0])
    torch.testing.assert_close((codebook.vectors[0] - codebook.vectors[1]).norm(), torch.tensor(1.0))
    assert torch.equal(codebook.vectors[2:], vectors[2:])


def test_a_single_vector_is_the_mean():
    part, h = built(n_codes=1, width=2, decay=0.5), torch.randn(30, 2)
    step(part, h)
    torch.testing.assert_close(part.codebook.vectors[0], h.mean(0))


# The bottleneck


def test_gradients_pass_the_codebook_and_the_cost_pulls_towards_it():
    part = built(2, n_codes=4, width=3, commitment=0.5)
    h = torch.randn(5, 6, requires_grad=True)
    latent = part(h, None, DONE)
    assert torch.equal(latent.z[0], part.clamp(h))
    weights = torch.randn(5, 6)
    assert torch.equal(torch.autograd.grad((latent.z[0] * weights).sum(), h)[0], weights)
    cost = latent.costs["commitment"]
    torch.testing.assert_close(cost, 0.5 * (h - part.clamp(h)).square().sum(-1)[None])
    torch.testing.assert_close(torch.autograd.grad(cost.sum(), h)[0], h - part.clamp(h))


def test_codes_are_indices_and_indices_are_decoded():
    part = built(3, n_codes=5, width=2)
    code = torch.randint(5, (7, 3)).float()
    z = part.from_code(code)
    assert z.shape == (7, 6)
    assert torch.equal(z.view(7, 2, 3)[2, :, 1], part.codebook.vectors[int(code[2, 1])])
    assert torch.equal(part.to_code(z), code)
    assert torch.equal(part.clamp(z), z)


@pytest.mark.parametrize("number", [0.5, -1.0, 5.0, np.nan, np.inf])
def test_a_number_that_is_no_index_is_an_error(number):
    with pytest.raises(ValueError, match=f"codes of VectorQuantized must be integers from 0 to 4.*got {number:g}"):
        built(3, n_codes=5, width=2).from_code(torch.tensor([[0.0, number, 1.0]]))


def test_zero_vectors_of_truncated_codes_have_no_cost_and_no_effect():
    part, h = built(2, n_codes=4, width=2), torch.randn(6, 4)
    h.view(6, 2, 2)[::2, :, 1] = 0
    latent = part(h, None, DONE)
    assert part.codebook.batch_sums[:, -1].sum() == 9
    alone = built(1, n_codes=4, width=2)(h.view(6, 2, 2)[:, :, 0], None, DONE)
    assert torch.equal(latent.costs["commitment"][:, ::2], alone.costs["commitment"][:, ::2])


def test_validation_does_not_change_the_sums():
    part = built().eval()
    part(torch.randn(5, 4), None, DONE)
    assert not part.codebook.batch_sums.any()


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (VectorQuantized(0), r"bottleneck.n_codes of VectorQuantized must be a positive integer, got 0"),
        (VectorQuantized(width=1.5), r"bottleneck.width of VectorQuantized must be a positive integer, got 1.5"),
        (VectorQuantized(commitment=-1), r"bottleneck.commitment of VectorQuantized must be >= 0, got -1"),
        (VectorQuantized(decay=1.0), r"bottleneck.decay of VectorQuantized must be in \[0, 1\), got 1.0"),
    ],
)
def test_parameters_out_of_range_are_refused(part, message):
    with pytest.raises(ValueError, match=message):
        small(bottleneck=part).fit(X)


# Estimators


def test_nearly_all_of_the_codebook_is_used_on_digits():
    digits = load_digits().data
    model = zoo.vq_vae(max_epochs=15, random_state=0).fit(digits)
    shares = np.bincount(model.transform(digits).astype(int).ravel(), minlength=64) / 8 / len(digits)
    perplexity = np.exp(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
    print(f"perplexity of 64 codes on digits: {perplexity:.1f}, in training {model.history_[-1]['perplexity']:.1f}")
    assert perplexity >= 0.9 * 64
    error = np.square(model.reconstruct(digits) - digits).mean()
    kmeans = KMeans(64, n_init=1, random_state=0).fit(digits)
    assert error < 0.5 * kmeans.inertia_ / digits.size


EXTREMES = {
    "one vector": {"bottleneck": VectorQuantized(1, width=1)},
    "nets of one's own": {"backbone": Custom(), "n_components": 1},
    "a nested code": {"bottleneck": Nested(VectorQuantized(8, width=2))},
}


MANY = pytest.param(
    {"precision": "bfloat16", "bottleneck": VectorQuantized(300, width=2)},
    id="more indices than bfloat16 has whole numbers",
    marks=skip_emulated("torch cannot lower the precision of its operations"),
)


@pytest.mark.parametrize("options", [MANY, *(pytest.param(options, id=case) for case, options in EXTREMES.items())])
def test_codes_are_indices_that_rebuild_rows_exactly(options):
    model = small(**options).fit(X)
    codes = model.transform(X)
    n_codes = getattr(model.bottleneck, "bottleneck", model.bottleneck).n_codes
    assert np.isin(codes, np.arange(n_codes)).all()
    np.testing.assert_array_equal(model.inverse_transform(codes), model.reconstruct(X))


def test_partial_fit_moves_the_codebook_a_little(model):
    vectors = model.module_.bottleneck.codebook.vectors.clone()
    other = copy.deepcopy(model).partial_fit(X)
    assert not torch.equal(other.module_.bottleneck.codebook.vectors, vectors)
    assert (other.module_.bottleneck.codebook.vectors - vectors).norm() < 0.5 * vectors.norm()


def test_nets_of_an_ensemble_share_a_codebook():
    model = BaggedAutoencoders(small(max_epochs=5), 3, random_state=0).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert model.module_.bottleneck.codebook.vectors.shape == (8, 2)


@pytest.mark.parametrize(
    "move",
    [
        lambda model: interpolate(model, X[0], X[1], 50),
        lambda model: traverse(model, X[0]),
        lambda model: edit(model, X, [0.5, 0.5, 0.5]),
        lambda model: model.inverse_transform([[0.5, 1.0, 2.0]]),
    ],
)
def test_codes_between_indices_are_refused(model, move):
    with pytest.raises(ValueError, match="codes of VectorQuantized must be integers from 0 to 7"):
        move(model)


def test_methods_that_need_a_distribution_are_refused(model):
    with pytest.raises(ValueError, match="VectorQuantized is deterministic"):
        model.divergence(X)
    with pytest.raises(ValueError, match="VectorQuantized is deterministic"):
        model.score_samples(X, n_draws=3)


def test_suggested_code_sizes_replace_vectors_by_zeros():
    """As in training: an index of 0 would be a vector."""
    model = small(bottleneck=Nested(VectorQuantized(8, width=2)), max_epochs=20).fit(X).module_.cpu()
    errors, rows = _measure_errors(model, as_source(X), 3), torch.from_numpy(X).float()
    z = model.code_mean(model.encode_input(model.to_model(rows))).unflatten(1, (2, 3))
    for size in (1, 2, 3):
        cut = torch.cat([z[..., :size], torch.zeros_like(z[..., size:])], -1).flatten(1)
        expected = model.likelihood.encode(model.decode_latent(cut)) - model.likelihood.encode(rows)
        np.testing.assert_allclose(errors[:, size], expected.square().mean(1).detach(), rtol=1e-4, atol=1e-6)
    assert (np.diff(errors.mean(0)) < 0).all()
