"""Texts as rows of tokens: vocabularies, rows, models, files, and invalid texts."""

import sys
import warnings

import numpy as np
import pandas
import polars
import pytest
import torch

from isthmus import Autoencoder, load, save
from isthmus.backbones import MLP
from isthmus.bottlenecks import Gaussian
from isthmus.data import Texts, as_source
from isthmus.data.texts import vocabulary
from isthmus.data.texts.text import pad_tokens, to_texts

pytest.importorskip("tokenizers")

WHO, DOES, WHAT = ["she", "he", "nobody"], ["sees", "wants", "paints"], ["trees", "houses", "the sea"]
SENTENCES = [f"{who} {does} {what} ." for who in WHO for does in DOES for what in WHAT]
OPTIONS = {"backbone": MLP((64,)), "max_epochs": 200, "learning_rate": 0.01, "validation_fraction": 0}


@pytest.fixture(scope="module")
def model():
    return Autoencoder(8, random_state=0, **OPTIONS).fit(Texts(SENTENCES * 4, vocabulary="word"))


def rows_of(texts):
    return next(as_source(texts).batches(len(texts))).x


# Vocabularies


@pytest.mark.parametrize("kind", vocabulary.KINDS)
def test_texts_are_restored_from_their_tokens(kind):
    texts = Texts(SENTENCES, vocabulary=kind)
    rows = rows_of(texts)
    assert rows.dtype == torch.float32
    assert rows.shape == (27, *texts.schema.shape)
    assert as_source(texts).to_container(rows.numpy()) == SENTENCES


def test_rows_are_tokens_then_one_end_then_missing():
    texts = Texts(["a b a", "b", "a a a a"], vocabulary="word")
    rows = rows_of(texts)
    unknown, a, b = 1, 2, 3
    nan = float("nan")
    expected = [[a, b, a, 0, nan], [b, 0, nan, nan, nan], [a, a, a, a, 0]]
    torch.testing.assert_close(rows, torch.tensor(expected), equal_nan=True)
    assert texts.schema.n_categories == 4
    assert rows_of(Texts(["a b a"], vocabulary="word", lowercase=True)).isnan().sum() == 0
    torch.testing.assert_close(
        next(as_source(["b c"], texts.schema).batches(1)).x,
        torch.tensor([[b, unknown, 0, nan, nan]]),
        equal_nan=True,
    )


def test_a_size_keeps_the_most_frequent_words():
    texts = Texts(["often often often", "twice twice", "often once"], vocabulary="word", size=3)
    assert texts.schema.n_categories == 1 + 3
    # A rare word together with a frequent one is unknown.
    assert as_source(["often once"], texts.schema).to_container(rows_of(texts).numpy())[2] == "often <unknown>"


def test_pairs_that_are_frequent_are_one_token():
    """The most frequent pair of neighbours is merged first (Sennrich et al., 2016)."""
    texts = Texts(["abab ab"] * 3, vocabulary="bpe", size=6)
    # Unknown, a, b, the beginning of a word; then a with b, of which there are three; then a beginning with ab.
    assert rows_of(texts)[0].tolist() == [6, 5, 6, 0]


def test_case_is_ignored_where_asked():
    texts = Texts(["Who IS it"], vocabulary="word", lowercase=True)
    assert as_source(["WHO is It"], texts.schema).to_container(rows_of(texts).numpy()) == ["who is it"]


def test_unicode_forms_of_a_text_have_equal_tokens():
    texts = Texts(["caf\u00e9 au lait"], vocabulary="word")
    np.testing.assert_array_equal(next(as_source(["cafe\u0301 au lait"], texts.schema).batches(1)).x, rows_of(texts))


def test_the_same_texts_give_the_same_vocabulary():
    assert Texts(SENTENCES).schema == Texts(list(SENTENCES)).schema


def test_text_that_looks_like_the_end_token_is_text():
    texts = Texts(["the <end> is near", "the end"], vocabulary="word")
    assert (rows_of(texts) == 0).sum(1).tolist() == [1, 1]


def test_a_text_that_does_not_fit_is_cut_and_has_no_end():
    with pytest.warns(UserWarning, match="cut 1 of 2 texts to 2 tokens"):
        rows = pad_tokens([np.array([5, 6, 7]), np.array([5])], 2)
    assert rows.tolist() == [[5, 6], [5, 0]]


def test_the_longest_text_that_fits_has_no_room_for_an_end_and_is_not_cut():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pad_tokens([np.array([5, 6])], 2).tolist() == [[5, 6]]


def test_tokens_after_the_end_are_not_decoded():
    schema = Texts(["a b"], vocabulary="word").schema
    assert to_texts(np.array([[2, 0, 3], [0, 2, 3], [2, np.nan, np.nan]]), schema) == ["a", "", "a"]


# Models


def test_a_model_of_texts_takes_and_gives_lists_of_strings(model):
    assert model.likelihood_.get_params() == {"n_categories": 13, "end": 0}
    rebuilt = model.reconstruct(SENTENCES)
    assert np.mean([a == b for a, b in zip(rebuilt, SENTENCES, strict=True)]) > 0.9
    assert model.inverse_transform(model.transform(SENTENCES)) == rebuilt


def test_samples_are_texts():
    net = Autoencoder(4, bottleneck=Gaussian(), random_state=0, **OPTIONS).fit(Texts(SENTENCES * 8, vocabulary="word"))
    drawn = net.sample(200, sample_values=False, random_state=0)
    assert all(isinstance(text, str) for text in drawn)
    assert np.mean([text in SENTENCES for text in drawn]) > 0.3  # of 10 ** 5 possible rows, 27 are correct


@pytest.mark.parametrize("container", [tuple, np.array, pandas.Series, polars.Series, lambda rows: iter(list(rows))])
def test_new_texts_may_be_in_any_sequence(model, container):
    np.testing.assert_array_equal(model.transform(container(SENTENCES[:3])), model.transform(SENTENCES[:3]))


def test_new_texts_use_the_vocabulary_of_fit(model):
    other = Texts(SENTENCES[5:9], vocabulary="bpe", size=40)
    np.testing.assert_array_equal(model.transform(other), model.transform(SENTENCES[5:9]))


def test_padding_does_not_count_in_the_score(model):
    """The score of a text is that of its tokens and its end; later positions contribute nothing."""
    contributions = model.contributions(["she sees trees ."])
    n_tokens, length = 5, model.schema_.shape[0]
    assert (contributions[0, n_tokens:length] == 0).all()
    assert (contributions[0, :n_tokens] != 0).all()
    np.testing.assert_allclose(contributions.sum(1), model.score_samples(["she sees trees ."]), rtol=1e-5)


def test_the_vocabulary_is_saved_with_the_model(model, tmp_path):
    save(model, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    new = ["he paints trees .", "nobody saw the sea ."]
    np.testing.assert_array_equal(again.transform(new), model.transform(new))
    assert again.reconstruct(new) == model.reconstruct(new)


def test_texts_of_equal_lengths_leave_room_for_shorter_ones():
    net = Autoencoder(2, max_epochs=1, random_state=0).fit(Texts(["a b", "b a"] * 10, vocabulary="word"))
    assert np.isfinite(net.score_samples(["a"])).all()


def test_texts_may_have_labels():
    y = [text.split()[0] for text in SENTENCES] * 4
    net = Autoencoder(1, conditional=True, random_state=0, **OPTIONS).fit(Texts(SENTENCES * 4, vocabulary="word"), y)
    drawn = net.sample(20, y="nobody", sample_values=False, random_state=0)
    assert np.mean([text.split()[:1] == ["nobody"] for text in drawn]) > 0.9


# Errors


@pytest.mark.parametrize(
    ("texts", "kind", "said"),
    [
        (["she", 3], TypeError, "row 1 holds 3, expected a text"),
        (["she", None], TypeError, "row 1 holds None, expected a text"),
        (["she", ["sees"]], TypeError, r"row 1 holds \['sees'\], expected a text"),
        (["she", " \n"], ValueError, "row 1 holds an empty text; leave it out"),
        ("she sees", TypeError, "expected a sequence of texts, got one str: give a list or a column"),
        ([], ValueError, "there is no text"),
        (np.zeros((2, 5)), TypeError, "row 0 holds array"),
    ],
)
def test_values_that_are_no_text_are_named(model, texts, kind, said):
    with pytest.raises(kind, match=said):
        model.transform(texts)


def test_texts_of_unknown_words_are_named(model):
    with pytest.warns(UserWarning, match="2 of 4 texts have no word of the vocabulary, in rows 1, 3, such as 'qu'"):
        assert np.isfinite(model.score_samples(["she", "qu", "sees", "xy z"])).all()


def test_a_data_frame_in_place_of_a_text_column_is_refused(model):
    with pytest.raises(TypeError, match="expected a sequence of texts, got one DataFrame: give a list or a column"):
        model.transform(pandas.DataFrame({"text": SENTENCES}))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vocabulary": "letters"}, r"vocabulary must be one of \('bpe', 'word'\), got 'letters'"),
        ({"size": 1}, "size must be an integer of at least 2, got 1"),
        ({"size": 2.5}, "size must be an integer"),
        ({"length": 0}, 'length must be "auto" or a positive integer, got 0'),
        ({"length": "long"}, "length must be \"auto\" or a positive integer, got 'long'"),
    ],
)
def test_options_out_of_range_are_named(options, said):
    with pytest.raises(ValueError, match=said):
        Texts(SENTENCES, **options)


def test_the_error_of_texts_without_vocabulary_names_it():
    with pytest.raises(ValueError, match=r"expected numbers, got texts; make tokens of them by isthmus.data.Texts"):
        Autoencoder(2).fit(SENTENCES)


def test_likelihoods_of_numbers_are_refused_for_tokens():
    with pytest.raises(ValueError, match="likelihood 'gaussian' is for numbers, but the values are tokens"):
        Autoencoder(2, likelihood="gaussian").fit(Texts(SENTENCES))


def test_a_damaged_vocabulary_is_named():
    with pytest.raises(ValueError, match="the vocabulary is damaged"):
        vocabulary.encode(["she"], '{"version": ')


def test_without_tokenizers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"pip install 'isthmus\[text\]'"):
        Texts(SENTENCES)
