"""N-gram models, compared with counts by hand."""

import numpy as np
import pytest

from isthmus.baselines import ngrams

ROWS = [[1, 2, 0], [1, 2, 2, 0], [2, 0]]


def test_probabilities_of_the_ngram_model_are_those_computed_by_hand():
    model = ngrams.Bigrams(4).fit(ROWS, ROWS)
    each = model._each([[2, 2, 3]])
    # One of three rows starts with 2; three of four times 2 is followed by 0, and once by 2. 3 does not occur.
    np.testing.assert_allclose(each, [[1 / 4, 4 / 9, 1 / 3], [1 / 4, 4 / 9, 1 / 4], [1 / 4, 0, 0]])


def test_unseen_contexts_have_the_probabilities_of_shorter_contexts():
    model = ngrams.Bigrams(4).fit(ROWS, ROWS)
    np.testing.assert_allclose(model._each([[3, 2]])[1], [1 / 4, 4 / 9, 4 / 9])


@pytest.mark.parametrize("order", [1, 2])
def test_probabilities_sum_to_one(order):
    model = ngrams.Bigrams(4, order).fit(ROWS, [[2, 2, 0], [3, 1, 0]])
    assert model.weights.sum() == pytest.approx(1)
    for before in range(4):
        assert sum(np.exp(model.log_prob([[before, after]])[1]) for after in range(4)) == pytest.approx(1)


def test_weights_maximize_the_likelihood_of_held_out_rows():
    valid = [[2, 2, 0], [1, 2, 0], [3, 1, 0], [1, 1, 2, 0]]
    model = ngrams.Bigrams(4).fit(ROWS, valid)
    best = ngrams.perplexity(model, valid)
    for weights in np.random.default_rng(0).dirichlet(np.ones(3), 300):
        model.weights = weights
        assert ngrams.perplexity(model, valid) >= best - 1e-6


def test_the_perplexity_of_a_fair_die_is_its_number_of_sides():
    rows = [[0, 1, 2, 3]]
    assert ngrams.perplexity(ngrams.Bigrams(4, 1).fit(rows, rows), rows) == pytest.approx(4)
