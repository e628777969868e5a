"""Likelihoods of categories, cells and columns of several kinds, compared with torch, SciPy and brute force."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.base import clone
from sklearn.datasets import load_digits
from torch.autograd import gradcheck
from torch.nn import functional as torch_functional

from isthmus import Autoencoder
from isthmus.backbones import MLP
from isthmus.likelihoods import (
    Bernoulli,
    Categorical,
    Date,
    Embedded,
    Gaussian,
    Histogram,
    Logistic,
    LogNormal,
    Mixed,
    Multinomial,
    NegativeBinomial,
    Poisson,
    StudentT,
    choose,
)
from isthmus.likelihoods.choosing import FEW_ROWS, MANY_CATEGORIES, make_cells
from isthmus.likelihoods.column_logits import ColumnLogits
from isthmus.likelihoods.histogram import LOG_OUTSIDE
from isthmus.schema import Field, Schema
from isthmus.statistics import Statistics

FEW = settings(max_examples=60, derandomize=True, database=None)
N_DRAWS = 20_000
RAGGED = [(4,), (1, 3, 2), (2,) * 6, (5, 1, 40, 2), (10_000, 3)]
every_size = pytest.mark.parametrize("sizes", RAGGED, ids=str)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def levels_of(sizes, n=6):
    """Return random categories (n, columns), as numbers."""
    return torch.floor(torch.rand(n, len(sizes), dtype=torch.float64) * torch.tensor(sizes))


def statistics_of(sizes):
    """Return statistics of columns in which every category occurs."""
    return Statistics.of(torch.stack([torch.zeros(len(sizes)), torch.tensor(sizes) - 1.0]).double())


def categorical(sizes):
    likelihood = Categorical(sizes)
    likelihood.build(statistics_of(sizes))
    return likelihood.double()


def logits_of(sizes, n=6, size=1.0):
    return size * torch.randn(n, 1, sum(sizes), dtype=torch.float64)


def columns_of(theta, sizes):
    """Logits of each column."""
    return theta.squeeze(1).split(list(sizes), 1)


def fits(draws, probabilities):
    """Test whether the frequencies of draws of one column agree with their probabilities."""
    counts = np.bincount(np.asarray(draws, dtype=int), minlength=len(probabilities))
    possible = probabilities > 1e-4
    assert counts[~possible].sum() < 20
    expected = probabilities[possible] / probabilities[possible].sum() * counts[possible].sum()
    return possible.sum() == 1 or stats.chisquare(counts[possible], expected).pvalue > 1e-3


# Categories


@every_size
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_log_prob_of_a_level_is_the_log_softmax_of_its_column(sizes, size):
    theta, x = logits_of(sizes, size=size), levels_of(sizes)
    expected = [
        torch.log_softmax(logits, 1).gather(1, index[:, None].long())
        for logits, index in zip(columns_of(theta, sizes), x.T, strict=True)
    ]
    torch.testing.assert_close(categorical(sizes).log_prob(theta, x), torch.cat(expected, 1), rtol=1e-12, atol=1e-12)


@every_size
def test_categories_are_encoded_one_hot_and_missing_ones_as_zeros(sizes):
    likelihood, x = categorical(sizes), levels_of(sizes)
    x[::2, -1] = torch.nan
    u = likelihood.encode(likelihood.fill(x))
    for i, (column, own) in enumerate(zip(x.T, u.split(list(sizes), 1), strict=True)):
        known = ~column.isnan()
        expected = torch_functional.one_hot(column[known].long(), sizes[i]).double()
        torch.testing.assert_close(own[known], expected, rtol=0, atol=0)
        assert not own[~known].any()
    assert not likelihood.numeric.any()


@every_size
def test_the_mean_of_a_categorical_is_the_most_probable_category(sizes):
    likelihood, theta = categorical(sizes), logits_of(sizes, n=200)
    expected = torch.stack([logits.argmax(1) for logits in columns_of(theta, sizes)], 1)
    assert torch.equal(likelihood.mean(theta), expected.double())
    rising = torch.cat([torch.arange(size) for size in sizes]).double()[None, None]
    assert likelihood.mean(rising)[0].tolist() == [size - 1 for size in sizes]


@pytest.mark.parametrize("sizes", RAGGED[:-1], ids=str)
def test_levels_are_drawn_as_often_as_their_probabilities_say(sizes):
    theta = logits_of(sizes, n=1)
    draws = categorical(sizes).sample(theta.expand(N_DRAWS, -1, -1))
    for column, logits in zip(draws.T, columns_of(theta, sizes), strict=True):
        assert fits(column, logits[0].softmax(0).numpy())


def test_columns_are_drawn_independently():
    x = categorical((2, 2)).sample(torch.zeros(N_DRAWS, 1, 4).double())
    assert abs(np.corrcoef(x.T)[0, 1]) < 5 / math.sqrt(N_DRAWS)


@every_size
def test_expectations_are_probabilities_times_values(sizes):
    levels, theta = ColumnLogits(sizes), logits_of(sizes)
    values = torch.randn(sum(sizes), dtype=torch.float64)
    expected = [
        logits.softmax(1) @ own for logits, own in zip(columns_of(theta, sizes), values.split(list(sizes)), strict=True)
    ]
    torch.testing.assert_close(levels.expectation(theta.squeeze(1), values), torch.stack(expected, 1))


@pytest.mark.parametrize("sizes", [(1, 3, 2), (4, 4)])
def test_gradients_of_levels_are_those_of_finite_differences(sizes):
    levels, logits = ColumnLogits(sizes), logits_of(sizes).squeeze(1).requires_grad_()
    index = levels_of(sizes).long()
    assert gradcheck(lambda logits: levels.log_prob(logits, index), (logits,))


@pytest.mark.parametrize("size", [1e3, 1e38])
def test_extreme_logits_keep_probabilities_and_gradients_finite(size):
    likelihood = categorical((3, 2)).float()
    theta = torch.tensor([[[size, 0.0, -size, -size, size]]], requires_grad=True)
    log_prob = likelihood.log_prob(theta, torch.tensor([[0.0, 1.0]]))
    assert log_prob.tolist() == [[0.0, 0.0]]
    likelihood.log_prob(theta, torch.tensor([[1.0, 1.0]])).sum().backward()
    assert torch.isfinite(theta.grad).all()


@pytest.mark.parametrize(("column", "value"), [(0, -1.0), (1, 3.0)])
def test_values_that_are_not_category_indices_are_refused_in_fit_and_afterwards(column, value):
    x = levels_of((2, 3, 5), 50)
    likelihood = Categorical((2, 3, 5))
    likelihood.build(Statistics.of(x))
    x[7, 0] = torch.nan
    likelihood.check_support(x)
    x[9, column] = value
    message = rf"Categorical needs positions from 0 to {column + 1} in column {column}, got values .*{value:g}"
    for refuse in (lambda: likelihood.check_support(x), lambda: Categorical((2, 3, 5)).build(Statistics.of(x))):
        with pytest.raises(ValueError, match=message):
            refuse()


# Columns with many categories


def embedded(n_categories=300, width=4):
    likelihood = Embedded(n_categories, width)
    likelihood.build(statistics_of((n_categories,)))
    torch.nn.init.normal_(likelihood.bias)
    return likelihood.double()


def test_log_prob_of_an_embedded_level_is_the_log_softmax_of_products_with_its_point():
    likelihood, theta, x = embedded(), torch.randn(6, 1, 4).double(), levels_of((300,))
    points = likelihood.points.weight[:300]
    logits = torch.einsum("nd,ld->nl", theta[:, 0], points) / 2 + likelihood.bias
    expected = torch.log_softmax(logits, 1).gather(1, x.long())
    torch.testing.assert_close(likelihood.log_prob(theta, x), expected)
    assert torch.equal(likelihood.mean(theta), logits.argmax(1, keepdim=True).double())


def test_categories_are_encoded_as_embeddings_and_missing_ones_as_zeros():
    likelihood, x = embedded(), torch.tensor([[3.0], [math.nan], [299.0]]).double()
    u = likelihood.encode(likelihood.fill(x))
    assert torch.equal(u[[0, 2]], likelihood.points.weight[[3, 299]])
    assert not u[1].any()
    u.sum().backward()
    assert likelihood.points.weight.grad.sum(1).nonzero().flatten().tolist() == [3, 299]


def test_embedded_levels_are_drawn_as_often_as_their_probabilities_say():
    likelihood, theta = embedded(30), torch.randn(1, 1, 4).double()
    every = torch.arange(30.0).double()[:, None]
    probabilities = likelihood.log_prob(theta.expand(30, -1, -1), every).exp().flatten().numpy(force=True)
    assert probabilities.sum() == pytest.approx(1.0)
    assert fits(likelihood.sample(theta.expand(N_DRAWS, -1, -1)).flatten(), probabilities)


# In bfloat16


@pytest.mark.parametrize("make", [lambda: categorical((10_000,)), lambda: embedded(10_000)])
def test_categories_are_exact_in_bfloat16(make):
    likelihood = make().float()
    theta = torch.zeros(1, *likelihood.parameter_shape, dtype=torch.bfloat16)
    if isinstance(likelihood, Categorical):
        theta[0, 0, 9_999] = 100.0
    else:
        likelihood.bias.data[9_999] = 100.0
    with torch.autocast("cpu", torch.bfloat16):
        assert likelihood.mean(theta).item() == 9_999
        assert likelihood.sample(theta).item() == 9_999


@pytest.mark.parametrize("autocast", [True, False])
def test_probabilities_add_up_to_one_in_bfloat16(autocast):
    sizes = (3, 257)
    likelihood, theta = categorical(sizes).float(), logits_of(sizes, 1).bfloat16()
    x = torch.arange(257.0)[:, None].expand(-1, 2)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        log_prob = likelihood.log_prob(theta.expand(257, -1, -1), x.clamp(max=torch.tensor(sizes) - 1))
    assert log_prob.dtype == torch.float32
    assert log_prob[:3, 0].exp().sum().item() == pytest.approx(1.0, abs=1e-5)
    assert log_prob[:, 1].exp().sum().item() == pytest.approx(1.0, abs=1e-5)


# Numbers of any distribution

# Two columns: single values among intervals with a gap, and single values only.
CELLS = (
    ((0.0, 0.0), (2.5, 2.5), (-1.0, 0.5), (0.5, 3.0), (4.0, 10.0)),
    ((-7.0, -7.0), (1.0, 1.0), (2.0, 2.0)),
)
N_CELLS = len(CELLS[0]) + len(CELLS[1])


def histogram(cells=CELLS, x=None, dtype=torch.float64):
    likelihood = Histogram(cells)
    ends = [torch.tensor([low for low, _ in own] + [high for _, high in own]).double() for own in cells]
    most = max(map(len, ends))
    x = torch.stack([torch.cat([end, end[:1].expand(most - len(end))]) for end in ends], 1) if x is None else x
    likelihood.build(Statistics.of(x))
    return likelihood.double() if dtype == torch.float64 else likelihood


def cells_in(likelihood, column, values):
    """Cells of values of one column."""
    x = torch.zeros(len(values), len(likelihood.cells), dtype=likelihood.unit.spread.dtype)
    x[:, column] = torch.as_tensor(values, dtype=torch.float64)
    return likelihood.cell_of(x)[:, column].tolist()


def log_prob_in(likelihood, theta, column, values):
    """Log density or probability of values of one column."""
    x = torch.zeros(len(values), len(likelihood.cells), dtype=likelihood.unit.spread.dtype)
    x[:, column] = torch.as_tensor(values, dtype=torch.float64)
    return likelihood.log_prob(theta.expand(len(values), -1, -1), x)[:, column].numpy(force=True)


def probabilities_of(theta, cells=CELLS):
    return [logits[0].softmax(0).numpy() for logits in columns_of(theta, [len(own) for own in cells])]


def test_a_value_belongs_to_its_cell_and_first_to_a_single_value():
    likelihood = histogram()
    assert cells_in(likelihood, 0, [0.0, 2.5, -1.0, 0.1, 0.5, 1.0, 2.6, 4.0, 10.0]) == [0, 1, 2, 2, 2, 3, 3, 4, 4]
    assert cells_in(likelihood, 1, [-7.0, 1.0, 2.0]) == [0, 1, 2]


def test_a_value_outside_all_cells_belongs_to_the_nearest():
    likelihood = histogram()
    assert cells_in(likelihood, 0, [-5.0, 3.2, 3.9, 50.0]) == [2, 3, 4, 4]
    assert cells_in(likelihood, 1, [-4.0, -2.0, 1.6, 1e12, -1e12]) == [0, 1, 2, 2, 0]


@pytest.mark.parametrize("order", [[2, 3, 0, 4, 1], [4, 1, 2, 0, 3]])
def test_single_values_precede_intervals_in_any_order_of_the_cells(order):
    values = [0.0, 2.5, 0.1, 0.2, 1.0, 5.0]
    shuffled = histogram((tuple(CELLS[0][i] for i in order), CELLS[1]))
    assert [order[i] for i in cells_in(shuffled, 0, values)] == cells_in(histogram(), 0, values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(20))
def test_the_binary_search_finds_the_first_of_the_nearest_cells(dtype, seed):
    generator = np.random.default_rng(seed)
    ends = np.sort(generator.normal(size=(6, 2)).round(seed % 4), axis=1)
    cells = [*map(tuple, ends), (0.1, 0.1), tuple(ends[:1, :1].repeat(2))]
    generator.shuffle(cells)
    x = torch.tensor([*np.ravel(cells), *generator.normal(size=200), -9.0, 9.0]).to(dtype)
    low, high = torch.tensor(cells).to(dtype).T
    distance = torch.maximum(torch.maximum(low - x[:, None], x[:, None] - high), 1e-38 * (low < high))
    assert cells_in(histogram((tuple(cells),), x[:, None], dtype), 0, x) == distance.argmin(1).tolist()


def test_the_log_density_is_the_probability_over_the_width_and_that_of_a_single_value_its_probability():
    likelihood, theta = histogram(), logits_of((N_CELLS,), 1)
    p, q = probabilities_of(theta)
    expected = np.log([p[0], p[1], p[2] / 1.5, p[3] / 2.5, p[4] / 6.0])
    np.testing.assert_allclose(log_prob_in(likelihood, theta, 0, [0.0, 2.5, 0.3, 1.0, 9.0]), expected)
    np.testing.assert_allclose(log_prob_in(likelihood, theta, 1, [-7.0, 1.0, 2.0]), np.log(q))


def test_densities_and_probabilities_add_up_to_one():
    likelihood, theta = histogram(), logits_of((N_CELLS,), 1)

    def density(t):
        return math.exp(log_prob_in(likelihood, theta, 0, [t])[0])

    intervals = sum(integrate.quad(density, low + 1e-9, high)[0] for low, high in CELLS[0] if low < high)
    assert intervals + np.exp(log_prob_in(likelihood, theta, 0, [0.0, 2.5])).sum() == pytest.approx(1.0, abs=1e-6)
    assert np.exp(log_prob_in(likelihood, theta, 1, [-7.0, 1.0, 2.0])).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("column", [0, 1])
def test_beyond_all_cells_scores_are_below_those_inside_and_fall_with_the_distance(column):
    likelihood, theta = histogram(), torch.zeros(1, 1, N_CELLS).double()
    inside = log_prob_in(likelihood, theta, column, [low for low, _ in CELLS[column]])
    highest = max(high for _, high in CELLS[column])
    beyond = log_prob_in(likelihood, theta, column, [highest + step for step in (0.001, 0.1, 1.0, 10.0, 1e3, 1e12)])
    assert beyond[0] < inside.min() + LOG_OUTSIDE + 1.5
    assert (np.diff(beyond) < 0).all()
    assert np.isfinite(beyond).all()


def test_less_than_a_millionth_of_the_probability_lies_beyond_intervals():
    cells = (((0.0, 1.0), (1.0, 1.001), (1.001, 30.0)),)
    likelihood, theta = histogram(cells), logits_of((3,), 1)

    def density(t):
        return math.exp(log_prob_in(likelihood, theta, 0, [t])[0])

    below, above = integrate.quad(density, -np.inf, -1e-5)[0], integrate.quad(density, 30.0 + 1e-5, np.inf)[0]
    assert 0 < below + above <= 1e-6


@pytest.mark.parametrize("value", [0.3, 9.0, 12.0, -40.0])
def test_densities_of_cells_are_scaled_with_the_unit(value):
    cells = (tuple(cell for cell in CELLS[0] if cell[0] < cell[1]),)
    larger = tuple(tuple((1000 * low, 1000 * high) for low, high in own) for own in cells)
    theta = logits_of((3,), 1)
    here = log_prob_in(histogram(cells), theta, 0, [value])
    there = log_prob_in(histogram(larger), theta, 0, [1000 * value])
    np.testing.assert_allclose(there - here, -math.log(1000), atol=1e-4)


def test_the_mean_of_a_histogram_is_the_average_of_many_samples():
    likelihood, theta = histogram(), logits_of((N_CELLS,), 1)
    x = likelihood.sample(theta.expand(N_DRAWS, -1, -1)).numpy()
    error = 5 * x.std(0) / math.sqrt(N_DRAWS)
    np.testing.assert_array_less(np.abs(x.mean(0) - likelihood.mean(theta)[0].numpy()), error)


def test_draws_of_a_histogram_fill_intervals_evenly_and_repeat_single_values():
    likelihood, theta = histogram(), logits_of((N_CELLS,), 1)
    x = likelihood.sample(theta.expand(N_DRAWS, -1, -1)).numpy()
    for i, probabilities in enumerate(probabilities_of(theta)):
        assert fits(cells_in(likelihood, i, x[:, i]), probabilities)
    for low, high in CELLS[0][3:]:
        within = x[(low < x[:, 0]) & (x[:, 0] <= high) & (x[:, 0] != 2.5), 0]
        assert stats.kstest(within, stats.uniform(low, high - low).cdf).pvalue > 1e-3
    assert set(x[:, 1].tolist()) == {-7.0, 1.0, 2.0}


def test_a_histogram_encodes_the_standardised_value_and_the_cell():
    likelihood = histogram()
    u = likelihood.encode(torch.tensor([[2.5, 1.0], [1e9, -7.0]]).double())
    assert u.shape == (2, 2 + N_CELLS) == (2, *likelihood.encoded_shape)
    assert u[:, 2:].tolist() == [[0, 1, 0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 1, 1, 0, 0]]
    standard = (torch.tensor([[2.5, 1.0], [1e9, -7.0]]) - likelihood.unit.center) / likelihood.unit.spread
    torch.testing.assert_close(u[:, :2], torch.asinh(standard).double())
    assert (u[:, :2] < 25).all()


@FEW
@given(value=st.floats(-1e12, 1e12, allow_subnormal=False), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_single_values_are_recognised_in_float32_and_float64(value, dtype):
    reach = 1.0 + abs(value)
    likelihood = histogram((((value - reach, value + reach), (value, value)),), dtype=dtype)
    assert cells_in(likelihood, 0, [value]) == [1]
    assert log_prob_in(likelihood, torch.zeros(1, 1, 2).to(dtype), 0, [value])[0] == pytest.approx(-math.log(2))


def test_neighbouring_single_values_are_distinguished_in_float64():
    values = 1.7e9 + np.arange(5.0)
    likelihood = histogram((tuple((value, value) for value in values),))
    assert cells_in(likelihood, 0, values) == [0, 1, 2, 3, 4]


def test_single_values_are_decoded_with_all_digits():
    values = (0.1, 1 / 3, 1e12 + 0.7, 123_456_789.123)
    likelihood = histogram((tuple((value, value) for value in values),), dtype=torch.float32)
    assert set(likelihood.sample(torch.zeros(200, 1, 4)).flatten().tolist()) == set(values)


@pytest.mark.parametrize("width", [1e-12, 1e-300])
def test_cells_of_tiny_width_keep_scores_and_gradients_finite(width):
    likelihood = histogram((((0.0, width), (1.0, 2.0)),), dtype=torch.float32)
    theta = torch.zeros(1, 1, 2, requires_grad=True)
    log_prob = likelihood.log_prob(theta, torch.tensor([[0.0]]))
    assert log_prob.item() == pytest.approx(-math.log(2) - math.log(width), rel=1e-6)
    log_prob.sum().backward()
    assert torch.isfinite(theta.grad).all()


def test_values_as_large_as_float32_can_hold_keep_scores_and_gradients_finite():
    likelihood = histogram((((0.0, 0.0), (1e9, 1e12), (1e12, 1e13)),), dtype=torch.float32)
    theta = torch.zeros(4, 1, 3, requires_grad=True)
    log_prob = likelihood.log_prob(theta, torch.tensor([[0.0], [1e12], [1e30], [-1e30]]))
    log_prob.sum().backward()
    assert torch.isfinite(log_prob).all()
    assert torch.isfinite(theta.grad).all()


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_cells_far_from_zero_are_shifted_with_the_values(precision):
    """If float32 has too few digits, the model subtracts an origin from the values and from the cells."""
    rng = np.random.default_rng(0)
    X = 1.7e9 + np.column_stack([rng.integers(0, 4, 300) * 900.0, rng.uniform(0, 3600, 300)])
    cells = (
        tuple((1.7e9 + 900.0 * i,) * 2 for i in range(4)),
        ((1.7e9, 1.7e9 + 1800.0), (1.7e9 + 1800.0, 1.7e9 + 3600.0)),
    )
    model = small(Histogram(cells), precision=precision).fit(X)
    assert model.schema_.origin is not None
    assert model.score_samples(X).min() > LOG_OUTSIDE - 2 * math.log(3600)
    drawn = model.sample(500, random_state=0)
    assert set(drawn[:, 0].tolist()) <= set(X[:, 0].tolist())
    assert 1.7e9 <= drawn[:, 1].min() < drawn[:, 1].max() <= 1.7e9 + 3600


# Columns of several kinds

PARTS = (Categorical((3, 2)), Gaussian(), Histogram(CELLS[:1]), Embedded(5, width=2), LogNormal(), Bernoulli(), Date())
WHERE = ((5, 0), (1, 7), (3,), (4,), (2,), (8,), (6,))


def table(n=40, seed=0):
    """Rows that are valid for PARTS."""
    rng = np.random.default_rng(seed)
    columns = np.empty((n, 9))
    columns[:, 0], columns[:, 5] = rng.integers(0, 2, n), rng.integers(0, 3, n)
    columns[:, [1, 7]] = rng.normal(size=(n, 2)) * [5, 0.1]
    columns[:, 3] = rng.choice([0.0, 2.5, -0.3, 1.7, 8.0], n)
    columns[:, 4], columns[:, 2] = rng.integers(0, 5, n), np.exp(rng.normal(size=n))
    columns[:, 8], columns[:, 6] = rng.integers(0, 2, n), rng.integers(0, 4000, n)
    columns[:2, 5], columns[:2, 4] = [0, 2], [0, 4]
    return columns


def mixed(order=tuple(range(7))):
    likelihood = Mixed(clone(tuple(PARTS[i] for i in order), safe=False), tuple(WHERE[i] for i in order))
    likelihood.build(Statistics.of(torch.from_numpy(table())))
    return likelihood.double()


def small(likelihood, **options):
    options = {"max_epochs": 2, "random_state": 0, "validation_fraction": 0, **options}
    return Autoencoder(2, likelihood=likelihood, backbone=MLP((8,)), **options)


@pytest.mark.parametrize("order", [range(7), [6, 2, 0, 5, 4, 1, 3]], ids=["as given", "shuffled"])
def test_a_composite_likelihood_equals_its_parts_column_by_column(order):
    likelihood, x = mixed(order), torch.from_numpy(table(12, seed=1))
    theta = torch.randn(12, *likelihood.parameter_shape, dtype=torch.float64)
    log_prob, mean, encoded = likelihood.log_prob(theta, x), likelihood.mean(theta), likelihood.encode(x)
    start, start_u = 0, 0
    for part, columns in zip(likelihood.parts, likelihood.columns, strict=True):
        n, own = math.prod(part.parameter_shape), x[:, list(columns)]
        own_theta = theta[:, 0, start : start + n].reshape(12, *part.parameter_shape)
        torch.testing.assert_close(log_prob[:, list(columns)], part.log_prob(own_theta, own))
        torch.testing.assert_close(mean[:, list(columns)], part.mean(own_theta))
        width = part.encoded_shape[0]
        torch.testing.assert_close(encoded[:, start_u : start_u + width], part.encode(own))
        start, start_u = start + n, start_u + width
    assert start == theta.shape[-1]
    assert (start_u,) == likelihood.encoded_shape == tuple(encoded.shape[1:])
    torch.testing.assert_close(likelihood.row_log_prob(theta, x), log_prob.sum(1))


def test_draws_of_a_composite_likelihood_are_valid_in_each_column():
    likelihood = mixed()
    x = likelihood.sample(torch.zeros(200, *likelihood.parameter_shape, dtype=torch.float64))
    assert [len(x[:, i].unique()) for i in (0, 5, 4, 8)] == [2, 3, 5, 2]
    assert (x[:, 2] > 0).all()
    cells = cells_in(likelihood.parts[2], 0, x[:, 3])
    assert set(cells) == {0, 1, 2, 3, 4}


def test_a_composite_likelihood_takes_numeric_and_typical_from_its_parts():
    likelihood = mixed()
    assert likelihood.numeric.nonzero().flatten().tolist() == [1, 2, 3, 6, 7, 8]
    assert likelihood.fill_value[[0, 4, 5]].tolist() == [2, 5, 3]
    numbers = [1, 2, 3, 6, 7, 8]
    np.testing.assert_allclose(likelihood.fill_value[numbers], table().mean(0)[numbers], rtol=1e-6)


def test_a_composite_likelihood_refuses_what_one_part_refuses():
    likelihood, x = mixed(), torch.from_numpy(table())
    likelihood.check_support(x)
    x[3, 8] = 1.5
    with pytest.raises(ValueError, match=r"Bernoulli needs values in \[0, 1\].* 1.5"):
        likelihood.check_support(x)


@pytest.mark.parametrize(
    "part",
    [Categorical(3), Categorical((3,)), Embedded(3), Logistic(3), Multinomial(), NegativeBinomial(), Poisson()],
    ids=repr,
)
@pytest.mark.parametrize("in_a_mixture", [False, True])
def test_halves_are_refused_as_whole_numbers_in_a_composite_likelihood(part, in_a_mixture):
    x = torch.tensor([[0.1, 0.0], [0.2, 1.0], [0.3, 2.0], [0.4, 1.0]] * 20, dtype=torch.float64)
    x = x if in_a_mixture else x[:, 1:]

    def build(x):
        likelihood = Mixed((Gaussian(), clone(part)), ((0,), (1,))) if in_a_mixture else clone(part)
        likelihood.build(Statistics.of(x))
        return likelihood

    likelihood = build(x)
    likelihood.check_support(x)
    x[50, -1] = 0.5
    with pytest.raises(ValueError, match=f"{type(part).__name__} needs integers"):
        build(x)
    with pytest.raises(ValueError, match=f"{type(part).__name__} needs integers"):
        likelihood.check_support(x)


def test_binarize_draws_new_values_in_a_composite_likelihood():
    likelihood = Mixed((Bernoulli(binarize=True), Gaussian()), ((1,), (0,)))
    x = torch.full((N_DRAWS, 2), 0.3)
    likelihood.build(Statistics.of(x))
    observed = likelihood.sample_targets(x)
    assert torch.equal(observed[:, 0], x[:, 0])
    assert set(observed[:, 1].tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16"])
def test_missing_cells_leave_losses_and_gradients_finite(precision):
    X = table(60)
    X[np.random.default_rng(1).random(X.shape) < 0.3] = np.nan
    gradients = []

    def note(state):
        gradients.extend(p.grad for p in state.model.parameters())

    options = {"corruption": "masking", "precision": precision, "callbacks": (note,)}
    model = small(Mixed(PARTS, WHERE), **options).fit(X)
    assert len(gradients) == 2 * len(list(model.module_.parameters()))
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert np.isfinite(model.score_samples(X)).all()
    contributions = model.contributions(X)
    assert np.isfinite(contributions).all()
    assert not contributions[:, :9][np.isnan(X)].any()


def test_training_in_bfloat16_is_close_to_float32():
    X = table(200)
    options = {"max_epochs": 20, "learning_rate": 0.01, "batch_size": 64}
    start, *scores = [
        small(Mixed(PARTS, WHERE), **{**options, **more}).fit(X).score_samples(X).mean()
        for more in ({"max_epochs": 1}, {"precision": "float32"}, {"precision": "bfloat16"})
    ]
    assert scores[0] > start + 1
    assert scores[1] == pytest.approx(scores[0], abs=0.3)


def test_the_best_fit_of_categories_has_their_frequencies():
    """With a decoder of constants, the best logits are those of the frequencies."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.choice(3, 2000, p=[0.7, 0.2, 0.1]), rng.choice(2, 2000, p=[0.1, 0.9])]).astype(float)
    likelihood = Categorical((3, 2))
    likelihood.build(Statistics.of(torch.from_numpy(X)))
    theta = torch.zeros(1, 1, 5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([theta], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = -likelihood.log_prob(theta.expand(len(X), -1, -1), torch.from_numpy(X)).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    probabilities = likelihood.logits.probabilities(theta.detach().squeeze(1))[0].numpy()
    expected = np.concatenate([np.bincount(X[:, i].astype(int)) / len(X) for i in (0, 1)])
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)


# The automatic choice

SOME = np.random.default_rng(0).normal(size=(FEW_ROWS, 1))
SKEWED = np.exp(SOME)
WILD = np.where(np.arange(FEW_ROWS)[:, None] == 0, 100.0, SOME)
DAYS = np.linspace(0, 1000, FEW_ROWS)[:, None]


def field(kind, **options):
    return Field("x", "dtype", kind, **options)


def levels(n):
    return tuple(map(str, range(n)))


def composed(x, *fields):
    return choose(Statistics.of(torch.from_numpy(x)), Schema((len(fields),), fields=fields, template="a table"))


@pytest.mark.parametrize(
    ("x", "field", "expected"),
    [
        (SOME > 0, field("binary", categories=(0, 1)), Bernoulli()),
        (SOME > 0, field("category", categories=levels(MANY_CATEGORIES - 1)), Categorical((MANY_CATEGORIES - 1,))),
        (SOME > 0, field("ordered", categories=levels(3)), Categorical((3,))),
        (SOME > 0, field("category", categories=levels(MANY_CATEGORIES)), Embedded(MANY_CATEGORIES)),
        (DAYS, field("date", low=0.0, high=1000.0, step=1.0), Date((365.2425, 7.0))),
        (DAYS, field("date", low=0.0, high=1000.0), Date((365.2425, 7.0, 1.0))),
        (DAYS / 100, field("date", low=0.0, high=10.0, step=1.0), Date((7.0,))),
        (DAYS / 1000, field("date", low=0.0, high=1.0, step=1.0), Date(())),
        (SOME, field("real"), Gaussian()),
        (SOME[:-1], field("real", common_values=(0.0,), knots=(0.0, 1.0)), Gaussian()),
        (SOME, field("real", common_values=(0.0,), knots=(0.5, 1.0)), Histogram((((0.0, 0.0), (0.5, 1.0)),))),
        (WILD, field("real", knots=(-4.0, 0.0, 100.0)), Histogram((((-4.0, 0.0), (0.0, 100.0)),))),
        (WILD[:-1], field("real", knots=(-4.0, 0.0, 100.0)), StudentT()),
        (SKEWED[:-1], field("positive"), LogNormal()),
        (SKEWED[:9] * 1e-6 + 1e6, field("positive"), Gaussian()),
        (SKEWED[:9], field("count", common_values=(0.0, 1.0)), Histogram((((0.0, 0.0), (1.0, 1.0)),))),
    ],
)
def test_each_kind_of_column_alone_has_its_bare_likelihood(x, field, expected):
    assert repr(composed(x.astype(float), field)) == repr(expected)


@pytest.mark.parametrize(
    ("x", "field", "expected"),
    [
        (SOME, field("real", common_values=(0.0,), knots=(0.5, 1.0)), Gaussian(beta=1.0)),
        (WILD[:-1], field("real"), Gaussian(beta=1.0)),
        (SKEWED[:9], field("count", common_values=(0.0, 1.0)), Gaussian(beta=1.0)),
        (SKEWED[:-1], field("positive"), LogNormal(1.0)),
        (DAYS / 1000, field("date", low=0.0, high=1.0, step=1.0), Date((), 1.0)),
    ],
)
def test_numbers_that_are_reconstructed_are_smooth_and_have_similar_weights(x, field, expected):
    schema = Schema((1,), fields=(field,), template="a table")
    assert repr(choose(Statistics.of(torch.from_numpy(x.astype(float))), schema, "reconstruction")) == repr(expected)


def test_numbers_beside_categories_have_half_the_exponent():
    x = torch.from_numpy(np.column_stack([SOME, SOME > 0]))
    schema = Schema((2,), fields=(field("real"), field("category", categories=levels(2))), template="a table")
    assert "Gaussian(beta=0.5)" in repr(choose(Statistics.of(x), schema, "reconstruction"))


def test_heavy_tails_are_recognised_by_the_largest_distance():
    for furthest, expected in ((5.9, Gaussian()), (6.1, StudentT())):
        x = np.r_[np.tile([-1.0, 1.0], 500), 0.0]
        # The value at a given number of standard deviations from the mean, to which it contributes.
        x = np.r_[x, furthest * math.sqrt(len(x) / (len(x) + 1 - furthest**2))]
        assert repr(composed(x[:, None], field("real"))) == repr(expected)


def test_columns_of_one_kind_share_a_likelihood():
    x = np.column_stack([SOME, SOME > 0, SKEWED, SOME > 1, 3 * SOME, SOME > 0, DAYS, DAYS])[:-1].astype(float)
    fields = [
        field("real"),
        field("category", categories=levels(3)),
        field("positive"),
        field("category", categories=levels(2)),
    ]
    many = field("category", categories=levels(500))
    dates = [field("date", low=0.0, high=1000.0, step=1.0)] * 2
    likelihood = composed(x, *fields, field("real"), many, *dates)
    assert dict(zip(likelihood.columns, map(repr, likelihood.parts), strict=True)) == {
        (0, 4): "Gaussian()",
        (1, 3): "Categorical(n_categories=(3, 2))",
        (2,): "LogNormal()",
        (5,): "Embedded(n_categories=500)",
        (6,): "Date()",
        (7,): "Date()",
    }
    likelihood.build(Statistics.of(torch.from_numpy(x)))


def test_tables_of_pixels_and_streams_of_binary_values_are_recognised():
    x = np.random.default_rng(0).integers(0, 2, (50, 4)).astype(float)
    fields = tuple(Field(name, "Float64") for name in "abcd")
    stream = Schema((4,), fields=fields, container="pyarrow")
    assert repr(choose(Statistics.of(torch.from_numpy(x)), stream)) == "Bernoulli()"
    assert not composed(3 * x, *fields).bounded
    digits = load_digits()
    assert composed(digits.data, *(Field(name, "Float64") for name in digits.feature_names)).bounded


def test_cells_are_frequent_values_and_intervals_between_quantiles():
    assert make_cells(field("real", common_values=(0.0, 9.0), knots=(1.0, 2.0, 4.0))) == (
        (0.0, 0.0),
        (9.0, 9.0),
        (1.0, 2.0),
        (2.0, 4.0),
    )
    assert make_cells(field("real", common_values=(0.0,), knots=(3.0,))) == ((0.0, 0.0), (3.0, 3.0))
    assert make_cells(field("count", common_values=(0.0, 1.0))) == ((0.0, 0.0), (1.0, 1.0))


# Statistics of some columns


def test_selected_statistics_are_those_of_the_columns():
    x = torch.from_numpy(table())
    x[::3, 2] = torch.nan
    origin = torch.arange(9.0).double()
    selected, alone = Statistics.of(x).minus(origin).select([7, 2]), Statistics.of(x[:, [7, 2]])
    for name in ("count", "m2"):
        torch.testing.assert_close(getattr(selected, name), getattr(alone, name))
    for name in ("mean", "low", "high"):
        torch.testing.assert_close(getattr(selected, name), getattr(alone, name) - origin[[7, 2]])
    assert selected.n_rows == alone.n_rows
    assert selected.offset.tolist() == [7.0, 2.0]
    assert Statistics.of(x).select([1]).offset is None


def test_reach_is_the_largest_distance_in_standard_deviations():
    x = np.column_stack([SOME, SKEWED, -SKEWED, np.full_like(SOME, 3.0), np.where(SOME > 1, np.nan, SOME)])
    expected = np.nanmax(np.abs(x - np.nanmean(x, 0)), 0)[[0, 1, 2, 4]] / np.nanstd(x, 0)[[0, 1, 2, 4]]
    max_abs_z = Statistics.of(torch.from_numpy(x)).max_abs_z
    np.testing.assert_allclose(max_abs_z[[0, 1, 2, 4]], expected)
    assert max_abs_z[3] == 0
