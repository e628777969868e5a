"""Sections of reports for images, series, texts, topics, generators and imputers: numbers and pictures."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

import isthmus
from isthmus import AnomalyDetector, SeriesImputer, SlidingWindows, zoo
from isthmus.data import Texts, as_source
from isthmus.formatting import format_percent
from isthmus.metrics import closest_record, column_fidelity
from isthmus.metrics.topics import coherence, topic_shares, topic_words
from isthmus.reporting.blocks import Share
from isthmus.reporting.intervals import average_blocks, estimate_auroc, estimate_share
from isthmus.reporting.sections.gaps import carry_forward, choose_stretches, interpolate_linearly
from isthmus.reporting.sections.language import shorten
from isthmus.reporting.sections.topics import measure_diversity
from isthmus.reporting.texts import align


def sections_of(report):
    """Return the sections of the JSON document of a report whose page is complete."""
    page = report.to_html()
    pictures = re.findall(r'<svg [^>]*role="img"[^>]*>', page)
    assert all(re.search(r'aria-label="[^"]+"', picture) for picture in pictures)
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    shown = {float(number) for number in re.findall(r'<data value="([^"]+)"', page)}
    assert shown <= set(numbers_in(document))
    return document["sections"]


def numbers_in(value):
    """Yield all numbers of a JSON document."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(item)
    elif isinstance(value, int | float):
        yield float(value)


# Images and series


@pytest.fixture(scope="module")
def digits():
    X = load_digits().images[:, None]
    return X[:300], X[300:360]


def test_worst_and_best_images_are_those_of_the_errors(digits):
    train, X = digits
    model = zoo.vae(3, max_epochs=2, random_state=0).fit(train)
    report = isthmus.report(model, X)
    found = sections_of(report)
    errors = np.square(model.reconstruct(X) - X).mean((1, 2, 3))
    assert [row["row"] for row in found["reconstructions"]["largest"]] == list(map(str, np.argsort(-errors)[:6]))
    assert found["reconstructions"]["smallest"][0]["error"] == pytest.approx(errors.min(), rel=1e-5)
    assert found["reconstructions"]["error"][0] == pytest.approx(errors.mean(), rel=1e-5)
    deviations = model.transform(X).std(0)
    traversed = [each["component"] - 1 for each in found["traversals"]["components"]]
    assert traversed == np.argsort(-deviations).tolist()
    assert len(set(found["samples"]["judged"])) == 6
    assert report.to_html().count("data:image/png") >= 4


def test_heat_maps_show_the_lowest_scores_of_images(digits):
    train, X = digits
    broken = X.copy()
    broken[7] = np.random.default_rng(0).permutation(broken[7].ravel()).reshape(1, 8, 8)
    model = AnomalyDetector(zoo.vae(4, max_epochs=2, random_state=0), fpr=0.1).fit(train)
    found = sections_of(isthmus.report(model, broken))["heat_maps"]
    scores = model.score_samples(broken)
    assert [row["row"] for row in found["rows"]] == list(map(str, np.argsort(scores)[:6]))
    assert found["n_alarms"] == (model.predict(broken) == -1).sum()


def test_series_are_shown_as_curves():
    time = np.arange(24)
    X = np.stack([np.sin(time / 3 + shift) for shift in np.linspace(0, 6, 60)])[:, None]
    model = zoo.convolutional(2, max_epochs=1, random_state=0).fit(X[:40])
    found = sections_of(isthmus.report(model, X[40:]))["reconstructions"]
    errors = np.square(model.reconstruct(X[40:]) - X[40:]).mean((1, 2))
    assert [row["row"] for row in found["largest"]] == list(map(str, np.argsort(-errors)[:4]))
    assert found["median"] == pytest.approx(np.median(errors), rel=1e-5)


# Series of time points


@pytest.fixture(scope="module")
def broken_series():
    rng = np.random.default_rng(0)
    series = np.sin(np.arange(900) / 5) + 0.05 * rng.standard_normal(900)
    detector = AnomalyDetector(SlidingWindows(lengths=(16,), views=("values",), random_state=0), fpr=0.05)
    detector.fit(series[:500])
    judged = series[500:].copy()
    judged[200:220] = 0
    return detector, judged


def test_events_are_those_of_the_detector(broken_series):
    detector, X = broken_series
    labels = np.ones(len(X))
    labels[200:220] = -1
    found = sections_of(isthmus.report(detector, X, labels))
    expected = detector.events(X)
    assert [event["start"] for event in found["events"]["events"]] == [event.start for event in expected]
    assert found["findings"]["lead"] in found["verdict"].values()
    alarms = detector.predict(X) == -1
    assert found["events"]["rate"][0] == pytest.approx(alarms.mean())
    assert found["events"]["lead"].startswith(f"The model finds {len(expected)} event")
    assert found["comparison"]["lead"].endswith("are in labelled events.")
    marked = np.zeros(len(X), dtype=bool)
    for event in expected:
        marked[event.start : event.end + 1] = True
    assert marked.sum() == sum(event.n_points for event in expected) == found["events"]["n_points_in_events"]
    assert f"; {format_percent(marked.mean())} of the points are in events." in found["events"]["lead"]
    assert found["composition"]["lead"] == "The model: AnomalyDetector of SlidingWindows."
    assert found["verdict"]["quality"] == found["comparison"]["lead"]
    unlabelled = sections_of(isthmus.report(detector, X))
    assert unlabelled["verdict"]["quality"] == unlabelled["events"]["lead"] == found["events"]["lead"]
    worst = max(expected, key=lambda event: event.severity)
    assert f"on average at most {worst.expected_if_normal:g} events as severe." in found["events"]["lead"]
    ours, simple = found["comparison"]["methods"]
    assert ours["labelled events found"][0] == marked[200:220].any()
    assert ours["marked points in labelled events"] == pytest.approx(marked[200:220].sum() / marked.sum())
    largest = np.argsort(-np.abs(X - X.mean()), kind="stable")[: marked.sum()]
    assert simple["marked points in labelled events"] == pytest.approx(np.mean((largest >= 200) & (largest < 220)))


def test_dates_and_channels_of_events_are_shown():
    times = pd.date_range("2024-03-01", periods=600, freq="h")
    frame = pd.DataFrame({"level": np.sin(np.arange(600) / 5), "$flow$": np.cos(np.arange(600) / 7)}, times)
    model = AnomalyDetector(SlidingWindows(lengths=(16,), views=("values",), random_state=0), fpr=0.05).fit(frame)
    broken = frame.copy()
    broken.iloc[300:320, 0] = 2.0
    report = isthmus.report(model, broken)
    worst = max(sections_of(report)["events"]["events"], key=lambda event: event["severity"])
    assert worst["channels"] == ["level"]
    assert str(times[310])[:10] in report.to_html()
    assert "$flow$" in report.to_html()


def test_hidden_stretches_are_compared_with_interpolation(monkeypatch):
    monkeypatch.setattr("isthmus.gap_filling.series_imputer.N_STEPS", 60)
    series = np.sin(np.arange(1500) / 4)
    model = SeriesImputer(16, random_state=0).fit(series[:700])
    found = sections_of(isthmus.report(model, series[700:]))["comparison"]
    X, variance = series[700:], series[700:].var()
    assert found["n_gaps"] == len(found["gaps"]) > 15
    shown = X.copy()
    for gap in found["gaps"]:
        shown[gap["start"] : gap["stop"]] = np.nan
    filled = {"model": model.impute(shown), "linear interpolation": pd.Series(shown).interpolate().to_numpy()}
    hidden = np.isnan(shown)
    for name, values in filled.items():
        assert found["errors"][name][0] == pytest.approx(np.square(values - X)[hidden].mean() / variance, rel=1e-6)
    assert sum(gap["stop"] - gap["start"] for gap in found["gaps"]) == hidden.sum()


def test_stretches_have_known_values_on_both_sides():
    missing = np.zeros((400, 2), dtype=bool)
    missing[100:180, 0] = True
    places = [*choose_stretches(missing, 20, 0)]
    assert len(places) > 10
    for channel, start, stop in places:
        assert not missing[start - 1 : stop + 1, channel].any()
        assert start // 20 == (stop - 1) // 20


def test_simple_fillings():
    values = np.array([[1.0, 5.0], [np.nan, np.nan], [np.nan, 7.0], [4.0, 8.0]])
    assert interpolate_linearly(values, np.array([0.0, 1.0, 2.0, 3.0]))[:, 0].tolist() == [1, 2, 3, 4]
    assert carry_forward(values).tolist() == [[1, 5], [1, 5], [1, 7], [4, 8]]


# Texts and topics


@pytest.fixture(scope="module")
def language():
    pytest.importorskip("tokenizers")
    rng = np.random.default_rng(0)
    names, verbs = ["anna", "bob", "carl", "<b>"], ["sees", "likes", "hears"]
    texts = [f"{rng.choice(names)} {rng.choice(verbs)} {rng.choice(names)} ." for _ in range(240)]
    model = zoo.sequence_vae(2, width=16, max_epochs=2, random_state=0).fit(Texts(texts[:160], vocabulary="word"))
    return model, texts[:160], texts[160:]


def test_bits_per_token_are_those_of_the_scores(language):
    model, train, X = language
    report = isthmus.report(model, X, train=train)
    found = sections_of(report)
    nats = -model.score_samples(X, n_draws=10, random_state=0).sum()
    n_tokens = found["comparison"]["n_tokens"]
    assert n_tokens == sum(len(text.replace("<b>", "< b >").split()) + 1 for text in X)
    assert found["comparison"]["bits_per_token"]["model"][0] == pytest.approx(nats / np.log(2) / n_tokens)
    bits, frequencies = (
        found["comparison"]["bits_per_token"][name][0] for name in ("bigrams", "frequencies of tokens")
    )
    worse = found["comparison"]["relative_differences"]["bigrams"]
    uses = [limit["because"] for limit in found.get("limits", {"limits": []})["limits"]]
    assert any("bits per token than bigrams" in use for use in uses) == (worse[1] > 0)
    assert bits < frequencies  # the order of words is regular
    assert 2**bits == pytest.approx(found["comparison"]["perplexity"]["bigrams"])
    rates = [record["bits per token"] for record in found["reconstructions"]["most"]]
    assert rates == sorted(rates, reverse=True)
    assert "<b>" not in report.to_html().split("</style>")[1]


def test_without_training_texts_n_grams_judge_other_texts(language):
    model, _, X = language
    found = sections_of(isthmus.report(model, X[:30]))["comparison"]
    assert found["n_texts"] == 30
    assert found["bits_per_token"]["bigrams"][0] > 0.5


def test_an_empty_text_is_shown_as_empty():
    assert shorten("") == "(empty)"


def test_unusual_texts_have_the_lowest_scores(language):
    _, train, X = language
    net = zoo.sequence_vae(2, width=16, max_epochs=1, random_state=0)
    detector = AnomalyDetector(net, fpr=0.1).fit(as_source(Texts(train, vocabulary="word")))
    found = sections_of(isthmus.report(detector, X))["alarms"]
    scores = detector.score_samples(X)
    assert found["texts"][0]["text"] == X[int(np.argmin(scores))]
    assert found["n_alarms"] == (scores < detector.offset_).sum()


def test_labels_of_texts_and_images_are_used(digits):
    texts = ["the cat sees the dog", "the dog sees the cat"] * 60
    model = AnomalyDetector(fpr=0.1, random_state=0).fit(Texts(texts, vocabulary="word"))
    judged, labels = [*texts[:20], *["dog dog dog dog dog"] * 5], np.repeat([1, -1], [20, 5])
    found = sections_of(isthmus.report(model, judged, labels))
    alarms = model.predict(judged) == -1
    assert [share[0] for share in found["alarms"]["share_by_label"].values()] == [
        alarms[20:].mean(),
        alarms[:20].mean(),
    ]
    assert found["verdict"]["quality"] == found["alarms"]["lead"]
    images = digits[1]
    net = AnomalyDetector(zoo.convolutional(2, max_epochs=1, random_state=0), random_state=0).fit(images)
    labels = np.where(np.arange(len(images)) % 2, 1, -1)
    found = sections_of(isthmus.report(net, images, labels))
    area = roc_auc_score(labels == -1, -net.score_samples(images))
    assert found["comparison"]["measures"]["this model"]["ROC AUC"][0] == pytest.approx(area)
    assert set(found["heat_maps"]["share_by_label"]) == {"anomalies", "normal rows"}


def test_topics_are_measured_on_the_judged_texts():
    rng = np.random.default_rng(0)
    words = [f"{kind}{i}" for kind in ("pet", "bond") for i in range(12)]
    counts = np.zeros((300, 24))
    for row, kind in zip(counts, rng.integers(2, size=300), strict=True):
        np.add.at(row, kind * 12 + rng.integers(12, size=20), 1)
    X = pd.DataFrame(counts.astype(int) + 0, columns=words)
    model = zoo.topic_model(2, max_epochs=5, random_state=0).fit(X[:200])
    found = sections_of(isthmus.report(model, X[200:], train=X[:200]))["topics"]
    ours = found["methods"][0]
    assert ours["coherence"][0] == pytest.approx(
        coherence(found["words"]["this model"], X[200:].to_numpy(), words).mean()
    )
    shares = topic_shares(model, X[200:]).mean(0)
    assert [topic["share"][0] for topic in found["topics"]] == pytest.approx(sorted(shares, reverse=True))
    assert found["words"]["this model"] == topic_words(topic_shares(model, X[:200]), X[:200], words, 10)
    assert {word[:3] for word in found["words"]["this model"][0]} in ({"pet"}, {"bon"})
    for topic in found["words"]["NMF of tf-idf"]:
        assert len({word[:3] for word in topic}) == 1
    assert measure_diversity([["a", "b"], ["a", "c"]]) == 0.75


def test_columns_of_sparse_rows_have_the_names_that_are_given():
    X = sparse.csr_array(np.random.default_rng(0).poisson(0.5, (60, 4)))
    model, words = zoo.topic_model(2, max_epochs=1, random_state=0).fit(X), ["cat", "dog", "bond", "stock"]
    found = sections_of(isthmus.report(model, X, columns=words))
    assert {word for topic in found["topics"]["words"]["this model"] for word in topic} == set(words)
    assert "report(model, X, columns=columns, random_state=0)" in found["repetition"]["command"]
    for columns in (words[:3], ["cat", "cat", "bond", "stock"]):
        with pytest.raises(ValueError, match="columns must be 4 different names, got 3 different ones"):
            isthmus.report(model, X, columns=columns)
    frame = pd.DataFrame(X.toarray(), columns=list("abcd"))
    with pytest.raises(ValueError, match="columns must be None, because the columns of the rows have names"):
        isthmus.report(zoo.topic_model(2, max_epochs=1).fit(frame), frame, columns=words)


# Tables


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, 400)
    return pd.DataFrame(
        {"age": age, "pay": age * 10 + rng.normal(0, 40, 400), "town": rng.choice(["Oslo", "Rome"], 400)}
    )


def test_new_rows_are_measured_against_training_rows(people):
    train, X = people[:250], people[250:]
    model = zoo.tabular_vae(3, n_clusters=2, max_epochs=3, random_state=0).fit(train)
    found = sections_of(isthmus.report(model, X, train=train))
    new = model.sample(len(X), random_state=0)
    fidelity = column_fidelity(train, X)
    assert {name: each["judged"] for name, each in found["fidelity"]["columns"].items()} == pytest.approx(fidelity)
    fidelity = column_fidelity(train, new)
    found_new = {name: each["new"] for name, each in found["fidelity"]["columns"].items()}
    assert found_new == pytest.approx(fidelity, abs=1e-6)
    closest = closest_record(train, new, X, random_state=0)
    assert found["privacy"]["closest"][0]["new rows"] == pytest.approx(closest.median.synthetic, abs=1e-6)
    assert found["verdict"]["limit"].startswith("The model gives no guarantee of privacy")
    value, low, high = found["fidelity"]["detection"]["new"]
    assert low < value < high
    assert len(found["samples"]["rows"]) == 3


def test_without_training_rows_privacy_is_not_measured(people):
    model = zoo.tabular_vae(3, n_clusters=2, max_epochs=1, random_state=0).fit(people[:250])
    found = sections_of(isthmus.report(model, people[250:]))
    assert "was not measured" in found["privacy"]["lead"]
    assert [*found["fidelity"]["detection"]] == ["new"]


# Intervals


def test_intervals_of_shares_and_areas():
    assert estimate_share(5, 10)[1:] == pytest.approx((0.2366, 0.7634), abs=1e-4)  # Wilson
    # The standard error is exact for exponential scores.
    rng = np.random.default_rng(0)
    normal, anomalous = rng.exponential(1, (2000, 50, 1)), rng.exponential(4, (2000, 1, 50))
    areas = (anomalous > normal).mean((1, 2))
    low, high = estimate_auroc(0.8, 50, 50)[1:]
    assert (high - low) / 2 / 1.96 == pytest.approx(areas.std(), rel=0.05)


def test_blocks_are_consecutive():
    assert average_blocks(np.arange(6.0)[:, None], 3).tolist() == [[0.5], [2.5], [4.5]]


def test_limits_of_intervals_are_shown_once():
    interval = estimate_share(5, 10)
    assert align([0.25, interval]) == ["0.250", "50 %"]
    assert align([Share(0.25), interval]) == ["25 %", "50 %"]
