"""Rows that are generated step by step: dependence on earlier steps, ends of rows, and lists of rows."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from isthmus import Autoencoder, BaggedAutoencoders, load, save, zoo
from isthmus.backbones import MLP, Recurrent, Transformer
from isthmus.backbones.autoregressive import last_observed_step
from isthmus.data import Texts
from isthmus.likelihoods import Categorical, Gaussian
from isthmus.model.decoding import beam_search, decode_parameters, decode_rows
from isthmus.statistics import Statistics

PARTS = [
    Recurrent(8, autoregressive=True),
    Recurrent(8, n_layers=2, cell="lstm", autoregressive=True, word_dropout=0.4),
    Transformer(8, autoregressive=True, dropout=0.1),
]
N_LEVELS, N_STEPS, END = 5, 6, 0
KINDS = {
    "tokens": (Categorical(N_LEVELS), (N_STEPS,)),
    "voices": (Categorical(N_LEVELS), (3, N_STEPS)),
    "numbers": (Gaussian(), (2, N_STEPS)),
}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def values_of(kind, n=20):
    likelihood, shape = KINDS[kind]
    if isinstance(likelihood, Categorical):
        return torch.randint(N_LEVELS, (n, *shape)).double()
    return torch.randn(n, *shape, dtype=torch.float64) * torch.arange(1, N_STEPS + 1) + 3


def built(part, kind, condition_width=0):
    """A backbone and a likelihood for values, in float64."""
    x = values_of(kind)
    likelihood, part = clone(KINDS[kind][0]), clone(part)
    likelihood.build(Statistics.of(x))
    part.build(likelihood.encoded_shape, likelihood.parameter_shape, (4,), (3,), condition_width)
    return part.double().eval(), likelihood.double(), x


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_each_step_depends_on_earlier_steps_only(part, kind):
    part, likelihood, x = built(part, kind)
    u = likelihood.encode(x).requires_grad_()
    theta = part.decode(torch.randn(len(x), 3, dtype=torch.float64), None, u)
    for step in range(N_STEPS):
        slope = (
            torch.autograd.grad(theta[..., step].sum(), u, retain_graph=True, allow_unused=True)[0].abs().sum((0, 1))
        )
        assert (slope[:step] > 0).all()
        assert (slope[step:] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_parameters_of_generation_step_by_step_equal_those_of_scores(part, kind):
    part, likelihood, _ = built(part, kind, condition_width=2)
    z, y = torch.randn(20, 3, dtype=torch.float64), torch.randn(20, 2, dtype=torch.float64)
    written = decode_rows(part, likelihood, z, y, draw=False)
    theta = decode_parameters(part, likelihood, z, y, written)
    torch.testing.assert_close(likelihood.mean(theta), written)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_drawn_as_often_as_their_probability_says(kind):
    part, likelihood, x = built(PARTS[0], kind)
    z = torch.randn(1, 3, dtype=torch.float64).expand(4000, -1)
    drawn = decode_rows(part, likelihood, z, None, draw=True)
    log_prob = likelihood.log_prob(decode_parameters(part, likelihood, z, None, drawn), drawn).flatten(1).sum(1)
    # The mean of the log probability is the negative entropy, which a second sample estimates from other steps.
    first, rest = log_prob.chunk(2)
    assert abs(first.mean() - rest.mean()) < 5 * log_prob.std() / 1000**0.5
    assert drawn.shape == (4000, *x.shape[1:])


def test_the_distribution_of_all_short_rows_adds_up_to_one_and_is_drawn_from():
    x = torch.cartesian_prod(*[torch.arange(3.0)] * 3).double()
    likelihood, part = Categorical(3), Recurrent(8, autoregressive=True)
    likelihood.build(Statistics.of(x))
    part.build((3, 3), (3, 3), (4,), (2,), 0)
    part.double().eval()
    for weight in part.parameters():
        weight.data *= 3
    z = torch.randn(1, 2, dtype=torch.float64)
    theta = decode_parameters(part, likelihood, z.expand(len(x), -1), None, x)
    probability = likelihood.log_prob(theta, x).sum(1).exp()
    torch.testing.assert_close(probability.sum(), torch.tensor(1.0, dtype=torch.float64))
    drawn = decode_rows(part, likelihood, z.expand(50_000, -1), None, draw=True)
    shares = (drawn[:, None] == x).all(-1).double().mean(0)
    torch.testing.assert_close(shares, probability, atol=0.01, rtol=0)


def test_words_are_dropped_in_training_only():
    part, likelihood, x = built(PARTS[1], "tokens")
    z, u = torch.zeros(len(x), 3, dtype=torch.float64), likelihood.encode(x)
    assert torch.equal(part.decode(z, None, u), part.decode(z, None, u))
    part.train()
    assert not torch.equal(part.decode(z, None, u), part.decode(z, None, u))
    hidden = part.decode(z, None, torch.zeros_like(u))
    part.word_dropout = part.decoder.word_dropout = 0.999999
    torch.testing.assert_close(part.decode(z, None, u), hidden)


@pytest.mark.parametrize("word_dropout", [-0.1, 1.0, "all"])
def test_word_dropout_is_a_share(word_dropout):
    with pytest.raises(ValueError, match=r"backbone.word_dropout of Recurrent must be in \[0, 1\)"):
        built(Recurrent(word_dropout=word_dropout), "tokens")


# Where rows end


def test_rows_are_missing_after_the_end_token():
    likelihood = Categorical(N_LEVELS, end=END)
    likelihood.build(Statistics.of(values_of("tokens")))
    nan = torch.nan
    x = torch.tensor([[1.0, 2, 0, 3, 0, 4], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], [2, 2, 2, 2, 2, 0]])
    expected = torch.tensor([[1, 2, 0, nan, nan, nan], [1.0] * 6, [0.0, *[nan] * 5], [2.0, 2, 2, 2, 2, 0]])
    torch.testing.assert_close(likelihood.mask_after_end(x), expected, equal_nan=True)
    logits = torch.nn.functional.one_hot(x.long(), N_LEVELS).transpose(1, 2).float()
    torch.testing.assert_close(likelihood.mean(logits), expected, equal_nan=True)


@pytest.mark.parametrize("likelihood", [Categorical(N_LEVELS, end=5), Categorical(N_LEVELS, end=-1)])
def test_the_end_token_must_be_one_of_the_levels(likelihood):
    with pytest.raises(ValueError, match="end of Categorical must be None or a category"):
        likelihood.build(Statistics.of(values_of("tokens")))


def test_a_series_is_encoded_up_to_its_last_known_step():
    flags = torch.tensor([[[0, 0, 1, 1], [1, 0, 1, 1]], [[1, 1, 1, 1], [0, 1, 1, 0]], [[1, 1, 1, 1], [1, 1, 1, 1]]])
    assert last_observed_step(flags).tolist() == [1, 3, 0]


@pytest.mark.parametrize("part", [Recurrent(6), Recurrent(6, cell="lstm"), Transformer(8)], ids=repr)
def test_padding_does_not_change_the_code(part):
    part = clone(part)
    part.n_flags = 1
    part.build((N_LEVELS + 1, N_STEPS), (N_LEVELS, N_STEPS), (4,), (3,), 0)
    u = torch.randn(8, N_LEVELS + 1, N_STEPS)
    u[:, -1] = 0.0
    u[:, -1, 4:] = 1.0
    other = u.clone()
    other[:, :-1, 4:] = 7.0
    assert torch.equal(part.encode(u), part.encode(other))
    other[:, :-1, 3] = 7.0
    assert not torch.allclose(part.encode(u), part.encode(other))


def counting(n, rng):
    """Rows that count from a number to the last category and then end: the first token determines all others."""
    X = np.full((n, 6), np.nan, dtype=np.float32)
    for row in X:
        start = rng.integers(1, 6)
        numbers = np.arange(start, 6)
        row[: len(numbers)], row[len(numbers)] = numbers, END
    return X


@pytest.fixture(scope="module")
def counter():
    likelihood = Categorical(6, end=END)
    backbone = Recurrent(16, autoregressive=True)
    options = {"max_epochs": 60, "batch_size": 32, "learning_rate": 0.02, "random_state": 0}
    X = counting(200, np.random.default_rng(0))
    return Autoencoder(3, backbone=backbone, likelihood=likelihood, **options).fit(X)


def test_rows_of_any_length_are_rebuilt(counter, rng):
    X = counting(20, rng)
    np.testing.assert_array_equal(counter.reconstruct(X), X)
    np.testing.assert_array_equal(counter.inverse_transform(counter.transform(X)), X)
    assert counter.score_samples(X).min() > -0.5
    swapped = X[X[:, 1] > 0]
    swapped[:, :2] = swapped[:, 1::-1]
    assert counter.score_samples(swapped).max() < -2


def test_missing_steps_do_not_count_in_the_score(counter, rng):
    X = counting(20, rng)
    parts = counter.contributions(X)
    np.testing.assert_allclose(parts.sum(1), counter.score_samples(X), rtol=1e-3, atol=1e-3)
    assert (parts[:, :6][np.isnan(X)] == 0).all()


def test_autoregressive_models_can_be_saved(counter, tmp_path, rng):
    save(counter, tmp_path / "model")
    again = load(tmp_path / "model")
    X = counting(10, rng)
    np.testing.assert_array_equal(again.score_samples(X), counter.score_samples(X))
    np.testing.assert_array_equal(again.sample(5, random_state=1), counter.sample(5, random_state=1))


@pytest.mark.parametrize("autoregressive", [False, True])
def test_without_a_label_the_most_probable_one_is_used(autoregressive, rng):
    X, y = counting(200, rng), rng.integers(2, size=200)
    X = np.where(y[:, None] == 1, X, np.where(np.isnan(X), np.nan, np.where(X == END, END, 6 - X)))
    options = {"max_epochs": 40, "batch_size": 32, "learning_rate": 0.02, "random_state": 0, "conditional": True}
    backbone = Recurrent(16, autoregressive=autoregressive)
    model = Autoencoder(3, backbone=backbone, likelihood=Categorical(6, end=END), **options).fit(X, y)
    assert (np.nan_to_num(model.reconstruct(X), nan=9) == np.nan_to_num(X, nan=9)).mean() > 0.95
    assert model.inverse_transform(model.transform(X)).shape == X.shape
    assert np.isfinite(model.score_samples(X)).all()


# Categories


def test_tokens_must_be_integers():
    X = np.random.default_rng(0).integers(N_LEVELS, size=(100, 4)).astype(float)
    model = Autoencoder(likelihood=Categorical(N_LEVELS), max_epochs=1).fit(X)
    with pytest.raises(ValueError, match="Categorical needs integers, but the data contain 2.5"):
        model.score_samples(np.full((3, 4), 2.5))
    X[50, 2] = 2.5
    with pytest.raises(ValueError, match="Categorical needs integers"):
        Autoencoder(likelihood=Categorical(N_LEVELS), validation_fraction=0.0).fit(X)


def test_the_number_of_tokens_is_counted_from_zero():
    X = np.full((100, 2), 6000.0)
    X[::2, 0] += 1
    options = {"backbone": MLP((8,)), "max_epochs": 20, "learning_rate": 0.02, "random_state": 0}
    model = Autoencoder(likelihood=Categorical(6002), **options).fit(X)
    assert model.module_.origin is None
    np.testing.assert_array_equal(model.reconstruct(X), X)


def test_reconstructed_integers_are_integers():
    X = np.random.default_rng(0).integers(N_LEVELS, size=(60, 4))
    model = Autoencoder(likelihood=Categorical(N_LEVELS), max_epochs=1).fit(X)
    assert {model.reconstruct(X).dtype, model.sample(3).dtype, model.inverse_transform(np.zeros((1, 2))).dtype} == {
        np.dtype("int64")
    }
    ended = Autoencoder(likelihood=Categorical(N_LEVELS, end=END), max_epochs=1).fit(X)
    assert ended.reconstruct(X).dtype.kind == "f"


# Rows of different lengths


def sentences(n, rng):
    return [row[~np.isnan(row)].astype(int) for row in counting(n, rng)]


def test_lists_of_tokens_are_rebuilt_as_lists(rng, tmp_path):
    options = {"max_epochs": 60, "batch_size": 32, "learning_rate": 0.02, "random_state": 0}
    backbone = Recurrent(16, autoregressive=True)
    model = Autoencoder(3, backbone=backbone, likelihood=Categorical(6, end=END), **options)
    model.fit(sentences(200, rng))
    save(model, tmp_path / "model")
    for fitted in (model, load(tmp_path / "model")):
        some = [row for row in sentences(50, rng) if len(row) < 5]
        rebuilt = fitted.reconstruct(some)
        assert [row.tolist() for row in rebuilt] == [row.tolist() for row in some]
        assert rebuilt[0].dtype == some[0].dtype
        assert all(row[-1] == END or len(row) == 6 for row in fitted.sample(20, random_state=0))
        assert [len(row) for row in fitted.impute(some)] == [len(row) for row in some]
        same = [row for row in sentences(50, rng) if len(row) == 3]
        assert [row.tolist() for row in fitted.reconstruct(same)] == [row.tolist() for row in same]


def test_lists_of_series_are_rebuilt_as_lists(rng):
    series = [np.sin(np.arange(rng.integers(5, 12)) + rng.uniform(0, 6))[None] * [[1.0], [3.0]] for _ in range(80)]
    model = Autoencoder(3, backbone=Recurrent(8), max_epochs=3, random_state=0).fit(series)
    assert [row.shape for row in model.reconstruct(series)] == [row.shape for row in series]
    assert model.sample(2)[0].shape == (2, 11)
    assert np.isfinite(model.score_samples(series)).all()
    # The score of a row does not depend on other rows.
    np.testing.assert_allclose(model.score_samples(series[:1]), model.score_samples(series)[:1], rtol=1e-5)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([np.zeros(3), np.zeros(30)], "row 1 has 30 steps, expected 1 to 6"),
        ([np.zeros(3), np.zeros(0)], "row 1 has 0 steps, expected 1 to 6"),
        ([np.zeros(3), np.zeros((2, 4))], r"row 1 is of shape \(2, 4\), but row 0 of \(3,\)"),
        ([np.zeros((2, 3)), np.zeros((2, 4))], r"X has 2 features, but Autoencoder is expecting 6"),
        (["ab", "c"], "expected numbers, got texts"),
        ([[1.0, "x"], [1.0]], "inhomogeneous"),
    ],
)
def test_rows_of_unsuitable_shapes_are_named(rows, message, rng):
    model = Autoencoder(backbone=Recurrent(4), max_epochs=1).fit([np.zeros(k) + k for k in (2, 3, 6) * 10])
    with pytest.raises(ValueError, match=message):
        model.transform(rows)


def test_images_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="images must be of one size"):
        Autoencoder().fit([np.zeros((4, 5), np.uint8), np.zeros((4, 6), np.uint8)])


# The variant of the zoo


def test_a_sequence_vae_keeps_its_code_in_use(rng):
    model = zoo.sequence_vae(
        4, width=16, free_bits=0.5, likelihood=Categorical(6, end=END), max_epochs=30, batch_size=32, random_state=0
    ).fit(sentences(300, rng))
    X = sentences(50, rng)
    assert model.divergence(X).mean() > 1
    assert model.score(X) > -np.log(5) - 2
    starts = [row[0] for row in model.sample(200, random_state=0)]
    assert set(starts) >= {1, 2, 3, 4, 5}


# Beams


@pytest.mark.parametrize("end", [None, 0])
@pytest.mark.parametrize("part", PARTS, ids=repr)
def test_a_wide_beam_finds_the_most_probable_row(part, end):
    n_categories, n_steps = 3, 4
    every = torch.cartesian_prod(*[torch.arange(float(n_categories))] * n_steps).double()
    likelihood, part = Categorical(n_categories, end=end), clone(part)
    likelihood.build(Statistics.of(every))
    part.build((n_categories, n_steps), (n_categories, n_steps), (4,), (2,), 0)
    part.double().eval()
    for weight in part.decoder.parameters():
        weight.data *= 2
    every = torch.unique(likelihood.mask_after_end(every).nan_to_num(-1), dim=0)
    every[every == -1] = torch.nan
    codes = torch.randn(30, 2, dtype=torch.float64)

    def log_prob(z, x):
        found = likelihood.log_prob(decode_parameters(part, likelihood, z, None, x), likelihood.fill(x))
        return torch.where(x.isnan(), 0.0, found).sum(1)

    best = torch.stack([every[log_prob(z.expand(len(every), -1), every).argmax()] for z in codes])
    wide, narrow, greedy = (
        beam_search(part, likelihood, codes, None, width) for width in (n_categories**n_steps, 2, 1)
    )
    torch.testing.assert_close(wide, best, equal_nan=True)
    torch.testing.assert_close(greedy, decode_rows(part, likelihood, codes, None, draw=False), equal_nan=True)
    assert (log_prob(codes, wide) >= log_prob(codes, greedy) - 1e-9).all()
    assert log_prob(codes, narrow).mean() >= log_prob(codes, greedy).mean()
    part.beam_width = n_categories**n_steps
    torch.testing.assert_close(decode_rows(part, likelihood, codes, None, draw=False), best, equal_nan=True)


def test_beam_search_is_refused_for_numbers():
    part, likelihood, _ = built(Recurrent(4, autoregressive=True, beam_width=3), "numbers")
    with pytest.raises(ValueError, match="beam_width above 1 is for rows of tokens, got likelihood Gaussian"):
        decode_rows(part, likelihood, torch.zeros(2, 3, dtype=torch.float64), None, draw=False)


def test_stacked_nets_generate_together(rng):
    X = rng.normal(size=(40, 2, 6))
    X[:20, :, 4:] = np.nan
    scores = (
        BaggedAutoencoders(Autoencoder(backbone=Recurrent(4), max_epochs=1), n_estimators=3).fit(X).score_samples(X)
    )
    assert np.isfinite(scores).all()
    with pytest.raises(ValueError, match="an ensemble needs a backbone that decodes all values at once"):
        BaggedAutoencoders(Autoencoder(backbone=Recurrent(4, autoregressive=True)), n_estimators=3).fit(X)


def test_texts_are_rebuilt_as_texts():
    pytest.importorskip("tokenizers")
    texts = ["who wrote it ?", "who is it ?", "where is the big house", "what is it"] * 30
    model = zoo.sequence_vae(
        4, width=24, word_dropout=0.0, free_bits=2.0, max_epochs=60, batch_size=16, learning_rate=0.01, random_state=0
    ).fit(Texts(texts, vocabulary="word"))
    assert model.likelihood_.end == END
    assert np.mean([a == b for a, b in zip(model.reconstruct(texts), texts, strict=True)]) > 0.9
    assert set(model.sample(50, random_state=0)) & set(texts)
