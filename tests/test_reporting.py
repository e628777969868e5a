"""Reports: numbers of sections, the three writers, and errors."""

import json
import re
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture

import isthmus
from isthmus import AnomalyDetector, Autoencoder
from isthmus.anomaly.rows import to_numbers
from isthmus.baselines.differences import compare_means, find_signs
from isthmus.baselines.reconstruction import Training, hide_cells
from isthmus.data import Parquet, as_source
from isthmus.doctor import examine
from isthmus.finding import Finding
from isthmus.formatting import format_percent
from isthmus.generation.intervals import CONTAINED, N_DRAWS, find_limits
from isthmus.latent import active_units
from isthmus.likelihoods import Mixed
from isthmus.reporting.blocks import Bars, Interval, Section, Share, Table
from isthmus.reporting.card import _show_table
from isthmus.reporting.document import Report
from isthmus.reporting.html import lay_out, write_cell
from isthmus.reporting.intervals import estimate
from isthmus.reporting.sections.bound import _compare
from isthmus.reporting.sections.comparison import describe_difference
from isthmus.reporting.sections.composition import _describe
from isthmus.reporting.sections.findings import _name_rows
from isthmus.reporting.sections.shift import compute_psi
from isthmus.reporting.sections.verdict import (
    NOT_COMPARED,
    NOT_EXAMINED,
    ONLY_MODEL,
    ONLY_ROWS,
    QUESTIONS,
    give_verdict,
)

FIT = {"max_epochs": 2, "random_state": 0}
NAUGHTY = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def cancer():
    X = load_breast_cancer(as_frame=True).data
    model = isthmus.Autoencoder(3, max_epochs=5, random_state=0).fit(X[:400])
    return model, X[:400], X[400:]


@pytest.fixture(scope="module")
def report(cancer):
    model, train, X = cancer
    return isthmus.report(model, X, train=train)


@pytest.fixture(scope="module")
def naughty():
    """Return a report of a table with formulas and tags in names and cells."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            NAUGHTY: rng.normal(size=200),
            "=1+1": rng.choice(["=cmd()", "</style><b>", '"quoted"'], 200),
            "$x_1$ & 日本": rng.gamma(2, size=200),
            "a|b\n*c*": rng.choice([None, 1.5, 2.5, 7.0], 200).astype(float),
        }
    )
    return isthmus.report(isthmus.Autoencoder(2, **FIT).fit(X), X)


class Reader(HTMLParser):
    """Collects the exact numbers of a page, and its elements."""

    def __init__(self, page):
        super().__init__()
        self.numbers, self.tags, self.texts = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "data":
            self.numbers.append(float(dict(attrs)["value"]))

    def handle_data(self, data):
        self.texts.append(data)


def numbers_in(value):
    """Yield all numbers of a JSON document."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers_in(item)
    elif isinstance(value, int | float):
        yield float(value)


# Numbers


def test_the_errors_are_those_of_a_direct_computation(cancer, report):
    model, train, X = cancer
    scale, mean = train.std(ddof=0), train.mean()
    pca = PCA(3, random_state=0).fit((train - mean) / scale)
    rebuilt = pca.inverse_transform(pca.transform((X - mean) / scale)) * scale.to_numpy() + mean.to_numpy()
    found = report.to_dict()["sections"]["comparison"]
    expected = {"model": model.reconstruct(X), "PCA": rebuilt, "mean": mean}
    for name, answer in expected.items():
        error = np.square((X - answer) / scale).to_numpy().mean()
        value, low, high = found["errors"][name]
        assert value == pytest.approx(error, rel=1e-2)  # data frames have rounded reconstructions
        assert low < value < high
    ratio = found["errors"]["model"][0] / found["errors"]["mean"][0]
    assert found["relative_differences"]["mean"][0] == pytest.approx(ratio - 1)


def test_intervals_cover_the_mean_and_pair_the_columns():
    rng = np.random.default_rng(0)
    samples = rng.exponential(size=(100, 200))
    covered = [interval.low < 1 < interval.high for interval in estimate(samples, 0)]
    assert 0.85 < np.mean(covered) < 1
    base = rng.gamma(1, size=(500, 1))
    equal = np.hstack([base, 2 * base])
    difference = estimate(equal, 0, lambda mean: mean[..., :1] / mean[..., 1:])[0]
    assert difference == pytest.approx((0.5, 0.5, 0.5))


def test_without_training_rows_no_method_judges_rows_that_it_was_fitted_to(cancer):
    model, _, X = cancer
    rows = X[:31]  # PCA that is fitted to 15 rows would rebuild the same rows almost exactly
    found = isthmus.report(model, rows).to_dict()["sections"]["comparison"]
    assert found["n_rows"] == 31
    assert found["errors"]["PCA"][0] > 0.05


def test_columns_are_described(report, cancer):
    columns = report.to_dict()["sections"]["data"]["columns"]
    X = cancer[2]
    assert [column["column"] for column in columns] == list(X)
    first = X.iloc[:, 0]
    assert columns[0]["histogram"] == np.histogram(first, 10)[0].tolist()
    assert columns[0]["missing"] == 0
    assert f"{first.median():.3g}"[:2] in columns[0]["values"]


def test_many_rows_are_sampled_by_seed(cancer, monkeypatch):
    monkeypatch.setattr("isthmus.reporting.subject.MAX_ROWS", 50)
    model, _, X = cancer
    one, same, other = (isthmus.report(model, X, random_state=seed) for seed in (1, 1, 2))
    assert "50 of 169 rows" in one.subtitle
    assert "random sample" in one.subtitle
    assert one.to_dict()["sections"]["comparison"] == same.to_dict()["sections"]["comparison"]
    assert one.to_dict()["sections"]["comparison"] != other.to_dict()["sections"]["comparison"]


def test_the_verdict_is_the_first_answer_to_each_question():
    sections = [
        Section("a", "A", "good", answers="quality"),
        Section("b", "B", "shifted", answers="problem"),
        Section("c", "C", "collapsed", answers="problem"),
    ]
    verdict = give_verdict(sections)
    assert [block.text for block in verdict.blocks] == ["good", "shifted", NOT_COMPARED]


def test_the_verdict_says_if_nobody_looked_for_problems():
    findings = Section("findings", "F", "no problem")
    new, known = (Section("shift", "S", "same", values={"are_training_rows": each}) for each in (False, True))
    cases = [
        (NOT_EXAMINED, NOT_COMPARED, []),
        (ONLY_ROWS, QUESTIONS["limit"], [new]),
        (QUESTIONS["problem"], QUESTIONS["limit"], [new, findings]),
        (ONLY_MODEL, QUESTIONS["limit"], [known, findings]),
        (ONLY_MODEL, NOT_COMPARED, [findings]),
    ]
    for problem, limit, sections in cases:
        assert [block.text for block in give_verdict(sections).blocks[1:]] == [problem, limit]


# Writers


def test_json_has_the_numbers_of_the_page(report):
    shown = Reader(report.to_html()).numbers
    assert len(shown) > 30
    assert set(shown) <= set(numbers_in(report.to_dict()))


def test_names_and_cells_stay_text(naughty):
    page = naughty.to_html()
    reader = Reader(page)
    assert "script" not in [tag for tag, _ in reader.tags]
    assert NAUGHTY in unescape(page)
    assert not [attrs for _, attrs in reader.tags if any(name.startswith("on") for name in attrs)]
    assert any("=cmd()" in text for text in reader.texts)
    card = naughty.card()
    assert "<script>" not in card
    assert "\\<script\\>" in card
    assert NAUGHTY in json.dumps(naughty.to_dict())


def test_the_page_needs_no_other_file(report):
    page = report.to_html()
    links = re.findall(r'(?:src|href)="([^"#]*)', page) + re.findall(r"url\(([^#)]*)", page)
    assert [link for link in links if link and not link.startswith("data:")] == []
    addresses = set(re.findall(r"https?://[^\"'\s<]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "<script" not in page


def test_headings_are_in_order_and_identifiers_unique(report):
    reader = Reader(report.to_html())
    assert [tag for tag, _ in reader.tags if re.fullmatch("h[1-6]", tag)] == ["h1"] + ["h2"] * len(report.sections)
    names = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert len(names) == len(set(names))
    assert all(attrs.get("aria-label") for tag, attrs in reader.tags if tag == "svg" and attrs.get("role") == "img")


def test_numbers_are_aligned_at_the_decimal_point():
    table = Table(("name", "x", "n"), [("a", 1.25, 3), ("b", 20.0, 1200)], "numbers")
    shown = lay_out(table)
    assert shown["classes"] == ["", "n", "n"]
    assert [str(row[1]) for row in shown["shown"]] == [
        '<data value="1.25">1.2</data>',
        '<data value="20.0">20.0</data>',
    ]
    assert str(shown["shown"][1][2]) == '<data value="1200">1,200</data>'


def test_tables_of_the_card_are_aligned_too():
    table = Table(("name", "x", "share"), [("a", 1.25, Interval(Share(0.5), 0.4, 0.61)), ("b", 20.0, None)], "numbers")
    assert [*_show_table(table)][2:6] == [
        "| name | x | share |",
        "| --- | ---: | ---: |",
        "| a | 1.2 | 50 % (40 % to 61 %) |",
        "| b | 20.0 | – |",
    ]


def test_long_tables_are_folded():
    shown = lay_out(Table(("i",), [(i,) for i in range(33)], "numbers"))
    assert (len(shown["shown"]), len(shown["folded"])) == (30, 3)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (Share(0.25), '<data value="0.25">25 %</data>'),
        (None, "–"),
        (float("nan"), "–"),
        ("<b>", "<b>"),  # the template escapes it
        (True, "yes"),
        (Interval(2.0, 1.5, 2.5), '<data value="2.0">2.0</data> <span class="limits">(1.5 to 2.5)</span>'),
        (-0.0, '<data value="-0.0">0</data>'),
        (Interval(Share(0.5), 0.0, 1.0), '<data value="0.5">50 %</data> <span class="limits">(0 % to 100 %)</span>'),
    ],
)
def test_cells(cell, expected):
    assert str(write_cell(cell)) == expected


def test_bars_are_one_path():
    assert str(write_cell(Bars((1, 0, 2)))).count("<path") == 1


def test_notebooks_show_the_page(report):
    shown = report._repr_html_()
    assert shown.startswith("<iframe")
    assert unescape(re.search(r'srcdoc="([^"]*)"', shown)[1]) == report.to_html()


def test_files_are_written_by_their_endings(report, tmp_path):
    paths = [tmp_path / f"r{ending}" for ending in (".html", ".json", ".md")]
    report.save(*paths)
    assert paths[0].read_text() == report.to_html()
    assert json.loads(paths[1].read_text()) == report.to_dict()
    assert paths[2].read_text() == report.card()
    assert sorted(tmp_path.iterdir()) == sorted(paths)


# Errors


def test_a_failed_write_leaves_no_file(report, tmp_path, monkeypatch):
    old = tmp_path / "r.html"
    old.write_text("old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        report.save(old, tmp_path / "r.json")
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
    assert old.read_text() == "old"


def test_other_endings_are_refused(report, tmp_path):
    with pytest.raises(ValueError, match=r"must end in one of .*'\.html'"):
        report.save(tmp_path / "r.pdf")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        report.save(tmp_path / "nowhere" / "r.html")


def test_wrong_models_and_rows_are_refused(cancer):
    model, _, X = cancer
    with pytest.raises(TypeError, match="model must be a fitted Autoencoder"):
        isthmus.report(PCA(), X)
    with pytest.raises(NotFittedError):
        isthmus.report(isthmus.Autoencoder(), X)
    with pytest.raises(ValueError, match="mean radius"):
        isthmus.report(model, X.drop(columns="mean radius"))
    with pytest.raises(ValueError, match="y must have a label for each of the 169 rows"):
        isthmus.report(model, X, y=[1, 2])


def test_a_report_is_printed_in_one_line(report):
    assert repr(report).startswith("Report('Autoencoder of a table', sections=['verdict'")
    assert isinstance(report, Report)


# Sections of tables


@pytest.fixture(scope="module")
def people():
    """Return a model of a table with gaps, judged rows that differ from its training rows, and their report."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "age": rng.normal(40, 10, 300).round(),
            "income": rng.lognormal(10, 1, 300),
            "town": rng.choice(["Oslo", "Rome"], 300),
            "id": [f"p{i}" for i in range(300)],
        }
    )
    X.loc[::9, "income"] = np.nan
    with pytest.warns(UserWarning, match="left out: 'id'"):
        model = isthmus.zoo.vae(2, max_epochs=3, random_state=0).fit(X[:200])
    judged = X[200:].copy()
    judged["age"] += 30
    judged.loc[200:224, "town"] = "Lima"
    return model, X[:200], judged, isthmus.report(model, judged)


def test_the_shift_is_that_of_a_direct_computation(people):
    model, train, judged, report = people
    shift = report.to_dict()["sections"]["shift"]
    columns = {column["column"]: column for column in shift["columns"]}
    assert shift["n_shifted"] == 2
    assert {name for name, column in columns.items() if column["is_shifted"]} == {"age", "town"}
    # 180 of the 200 rows are those whose moments the model keeps.
    expected = (judged["age"].mean() - train["age"].mean()) / train["age"].std()
    assert columns["age"]["difference"] == pytest.approx(expected, rel=0.1)
    assert columns["age"]["outside"] == pytest.approx((judged["age"] > train["age"].max()).mean())
    assert columns["town"]["unseen"] == 0.25
    assert "'age'" in shift["lead"]
    assert report.verdict[1] == report.to_dict()["sections"]["findings"]["lead"] or report.verdict[1] == shift["lead"]


def test_equal_rows_are_not_shifted(people):
    model, train, _, _ = people
    found = isthmus.report(model, train.sample(150, random_state=0)).to_dict()["sections"]["shift"]
    assert found["n_shifted"] == 0


def test_training_rows_are_recognized(people):
    model, train, judged, _ = people
    assert not isthmus.report(model, judged, train=train).to_dict()["sections"]["shift"]["are_training_rows"]
    found = isthmus.report(model, train, train=train)
    assert found.to_dict()["sections"]["shift"]["are_training_rows"]
    assert "probably training rows" in found.verdict[2]
    assert "isthmus prepare" in found.verdict[2]
    assert "probably training rows" not in found.verdict[1]
    details = [each["detail"] for each in found.to_dict()["sections"]["findings"]["findings"]]
    assert "200 of 200 judged rows (100 %) are in the training rows" in details


def test_a_report_says_whether_the_judged_rows_are_training_rows():
    X = np.random.default_rng(0).normal(size=(200, 4))
    model = Autoencoder(2, max_epochs=2, random_state=0).fit(X[:150])
    known = isthmus.report(model, X[:150])
    assert known.subtitle.endswith("They are probably training rows.")
    assert "probably training rows" in known.verdict[2]
    assert isthmus.report(model, X[150:]).subtitle.endswith("fitted to some of them is not known.")
    assert isthmus.report(model, X[150:], train=X[:150]).subtitle.endswith(
        "None of them are among the known training rows."
    )


def test_the_other_rows_are_training_rows_if_some_were_held_out():
    X = np.random.default_rng(0).normal(size=(200, 4))
    model = Autoencoder(2, max_epochs=2, random_state=0).fit(X[:150])
    expected = isthmus.report(model, X[150:], train=X[:150]).to_dict()["sections"]["comparison"]
    report = isthmus.report(model, X, held_out=np.arange(150, 200))
    assert report.to_dict()["sections"]["comparison"] == expected
    assert "held_out=held_out" in report.to_dict()["sections"]["repetition"]["command"]
    assert report.to_dict()["sections"]["reconstructions"]["worst"][0]["row"] >= "150"
    for wrong in ([0.5] * 20, [300] * 20, range(5), range(200)):
        with pytest.raises(ValueError, match="held_out must be"):
            isthmus.report(model, X, held_out=wrong)


def test_errors_of_hidden_cells_are_given_by_column():
    rng = np.random.default_rng(0)
    town = rng.choice(["Oslo", "Rome"], 400, p=[0.7, 0.3])
    X = pd.DataFrame(
        {"town": town, "age": np.where(town == "Oslo", 30, 60) + rng.normal(size=400), "x": rng.random(400)}
    )
    X.loc[::9, "x"] = np.nan
    model = isthmus.zoo.vae(2, max_epochs=3, random_state=0).fit(X[:300])
    columns = isthmus.report(model, X[300:], train=X[:300], random_state=5).to_dict()["sections"]["comparison"][
        "columns"
    ]
    found = {column["column"]: column for column in columns}
    clean = to_numbers(as_source(X[300:], model.schema_))
    hidden = ~np.isnan(hide_cells(clean, seed=5).expected)
    train, test = X["age"][:300], X["age"][300:][hidden[:, 1]]
    expected = np.sqrt(np.mean((test - train.mean()) ** 2)) / train.std(ddof=0)
    assert found["age"]["mean"] == pytest.approx(expected, rel=1e-5)
    assert found["town"]["most frequent"] == pytest.approx(np.mean(town[300:][hidden[:, 0]] == "Oslo"))
    assert found["age"]["model"] != found["age"]["mean"]
    assert set(found) == {"town", "age", "x"}


def test_extremes_of_all_columns_give_training_rows_away(cancer):
    model, train, X = cancer
    assert isthmus.report(model, train).to_dict()["sections"]["shift"]["are_training_rows"]
    assert not isthmus.report(model, X).to_dict()["sections"]["shift"]["are_training_rows"]


def test_the_stability_index_is_that_of_its_definition():
    rng = np.random.default_rng(0)
    expected, found = rng.integers(0, 2, 4000).astype(float), (rng.random(4000) < 0.8).astype(float)
    p, q = np.array([expected.mean(), 1 - expected.mean()]), np.array([found.mean(), 1 - found.mean()])
    index = np.sum((q - p) * np.log(q / p)) - 2 / 4000
    assert compute_psi(expected, found, is_category=True) == pytest.approx(index)
    same = [compute_psi(*rng.normal(size=(2, 200)), is_category=False) for _ in range(100)]
    assert np.mean(same) < 0.05
    assert compute_psi(rng.normal(size=500), rng.normal(1, size=500), is_category=False) > 0.25


def test_limits_follow_from_facts(people):
    limits = {limit["do not"] for limit in people[3].to_dict()["sections"]["limits"]["limits"]}
    assert "trust results outside the range of the training rows" in limits
    assert "expect unseen categories to count" in limits
    assert "ask it about 'id'" in limits
    assert "give it rows with missing cells" not in limits


def test_errors_of_columns_and_cells_are_those_of_reconstruct(cancer, report):
    model, _, X = cancer
    found = report.to_dict()["sections"]["reconstructions"]
    errors = (np.square(X - model.reconstruct(X)) / X.var(ddof=0)).mean()
    shown = {column["column"]: column["error"] for column in found["columns"]}
    assert shown == pytest.approx(errors.to_dict(), rel=0.01, abs=1e-4)
    assert list(shown.values()) == sorted(shown.values(), reverse=True)
    assert len({cell["row"] for cell in found["worst"]}) == 5


def test_the_composition_lists_the_sizes_of_the_nets(cancer, report):
    found = report.to_dict()["sections"]["composition"]
    assert found["stages"]["row"] == 30
    assert found["stages"]["code"] == 3
    assert found["stages"]["encoder layer 1"] == cancer[0].module_.backbone.widths()[0]
    assert found["n_weights"] == sum(parameter.numel() for parameter in cancer[0].module_.parameters())


def test_equal_likelihoods_are_counted_together(people):
    part = people[0].module_.likelihood
    twice = Mixed([part.parts[0], part.parts[0]], [[0, 1], [2]])
    assert _describe(twice) == f"{type(part.parts[0]).__name__} for 3 columns"


def test_a_linear_encoder_is_drawn_without_hidden_layers():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.normal(size=100), "town": rng.choice(["Oslo", "Rome", "Lima"], 100)})
    model = isthmus.Autoencoder(2, **FIT).fit(X)
    assert model.module_.backbone.linear_part() == "encoder"
    stages = isthmus.report(model, X).to_dict()["sections"]["composition"]["stages"]
    assert "encoder layer 1" not in stages
    assert stages["decoder layer 1"] == model.module_.backbone.widths()[-1]


def test_the_learning_curve_is_the_history(cancer, report):
    found = report.to_dict()["sections"]["training"]
    assert found["n_epochs"] == 5
    assert found["negative_bound"] == [row["negative_bound"] for row in cancer[0].history_]
    assert found["kept_epoch"] == cancer[0].history_[np.argmin(found["valid_negative_bound"])]["epoch"]


@pytest.mark.filterwarnings("ignore:treated as missing")
def test_unused_components_are_counted(people):
    model, _, judged, report = people
    found = report.to_dict()["sections"]["components"]
    assert found["n_active"] == active_units(model, judged).sum()


@pytest.mark.filterwarnings("ignore:treated as missing")
def test_findings_are_those_of_the_doctor(people):
    model, _, judged, report = people
    found = [finding["what"] for finding in report.to_dict()["sections"]["findings"]["findings"]]
    assert sorted(found) == sorted(finding.what for finding in examine(as_source(judged, model.schema_), model))


def test_findings_name_the_rows_of_the_report():
    finding = Finding("a", (), "a row of X, 5 of 9 rows of test are in X", "check 'X' and 'test' unless test has more")
    known, judged = (_name_rows(finding, has_training_rows) for has_training_rows in (True, False))
    assert known.detail == "a training row, 5 of 9 judged rows are in the training rows"
    assert known.advice == "check 'X' and 'test' unless the judged rows have more"
    assert judged.detail.startswith("a judged row,")


# Detectors


@pytest.fixture(scope="module")
def detector():
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(400, 4)), np.where(np.arange(400) % 20 == 0, -1, 1)
    X[labels == -1, 2] += 6
    return isthmus.AnomalyDetector(GaussianMixture(random_state=0), random_state=0).fit(X[:200]), X[200:], labels[200:]


def test_a_detector_is_judged_on_labels(detector):
    model, X, labels = detector
    found = isthmus.report(model, X, labels).to_dict()["sections"]
    scores = model.score_samples(X)
    assert found["comparison"]["measures"]["this model"]["ROC AUC"][0] == roc_auc_score(labels == -1, -scores)
    low, high = found["comparison"]["measures"]["difference"]["ROC AUC"][1:]
    assert low <= high
    assert found["alarms"]["n_alarms"] == (model.predict(X) == -1).sum()
    alarms = model.predict(X) == -1
    assert found["alarms"]["share_by_label"]["anomalies"][0] == alarms[labels == -1].mean()
    assert found["alarms"]["share_by_label"]["normal rows"][0] == alarms[labels == 1].mean()
    assert found["alarms"]["reasons"][0]["column"] == "2"
    assert found["limits"]["lead"].endswith("% of the labelled anomalies are no alarms.")


def test_labelled_anomalies_are_no_shift_and_missed_ones_are_a_limit():
    rng = np.random.default_rng(0)
    usual = pd.DataFrame(rng.normal(size=(500, 3)), columns=list("abc"))
    strange = usual[400:440] + 3.0 * rng.random((40, 1))
    rows, labels = pd.concat([usual[300:], strange]), np.repeat([1, -1], [200, 40])
    model = AnomalyDetector(fpr=0.05, random_state=0).fit(usual[:300])
    found = isthmus.report(model, rows, labels).to_dict()["sections"]
    alone = isthmus.report(model, usual[300:]).to_dict()["sections"]
    assert found["shift"]["columns"] == alone["shift"]["columns"]
    assert isthmus.report(model, rows).to_dict()["sections"]["shift"]["n_shifted"] > found["shift"]["n_shifted"] == 0
    missed = 1 - found["alarms"]["share_by_label"]["anomalies"][0]
    assert 0 < missed < 1
    reason = f"{format_percent(missed)} of the labelled anomalies are no alarms"
    assert found["limits"]["limits"][0] == {"do not": "rely on it to find every anomaly", "because": reason}
    assert found["verdict"]["limit"] == f"Do not rely on it to find every anomaly: {reason}."


def test_without_labels_no_detector_is_judged(detector):
    model, X, _ = detector
    report = isthmus.report(model, X)
    assert "No labels were given" in report.verdict[0]
    assert "every anomaly" in report.verdict[2]


def test_every_estimator_of_scores_has_a_report(detector):
    _, X, labels = detector
    for model in (isthmus.ExemplarDistance(), isthmus.AnomalyDetector(random_state=0)):
        report = isthmus.report(model.fit(X[:100]), X, labels)
        assert "ROC AUC" in report.verdict[0]


def test_an_imputer_is_judged_on_hidden_cells(people):
    _, train, judged, _ = people
    report = isthmus.report(isthmus.zoo.imputer(2, **FIT).fit(train.drop(columns="id")), judged)
    assert "error in hidden cells" in report.verdict[0]
    sections = report.to_dict()["sections"]
    assert "iterative regression" in sections["comparison"]["errors"]
    income = next(each for each in sections["comparison"]["columns"] if each["column"] == "income")
    assert 0.1 < income["mean absolute error"] / judged["income"].std() < 1  # in the unit of the column
    # The columns do not depend on each other, so no method is better than the mean.
    names = "'age', 'income', 'town'"
    assert f"those of {names} are not clearly better than the mean or the most frequent category" in report.verdict[2]
    unused = {"reconstructions", "components", "codes", "training"}
    assert not unused & set(sections)  # its task is hidden cells, not known ones or codes
    certainty = sections["certainty"]
    assert [each["column"] for each in certainty["categories"]] == ["town"]
    for column in certainty["numbers"]:
        share, low, high = column["within the interval"]
        assert low < share < high
        assert column["median width of the intervals"] > 0


def test_a_model_that_claims_too_much_certainty_is_found_by_hidden_cells(people, monkeypatch):
    _, train, judged, _ = people
    model = isthmus.zoo.imputer(2, **FIT).fit(train.drop(columns="id"))
    honest = isthmus.report(model, judged).to_dict()["sections"]["certainty"]
    expected = type(model).impute
    monkeypatch.setattr(type(model), "impute", lambda net, X, n_draws=None, **_: [expected(net, X)] * (n_draws or 1))
    report = isthmus.report(model, judged)
    claimed = report.to_dict()["sections"]["certainty"]
    for before, after in zip(honest["categories"], claimed["categories"], strict=True):
        assert after["its mean share of the draws"] == 1 > before["its mean share of the draws"]
    assert all(column["within the interval"][0] < 0.5 for column in claimed["numbers"])
    assert "contain clearly fewer of the hidden values" in str(report.to_dict()["sections"]["limits"])


def test_intervals_of_draws_contain_a_new_draw_as_often_as_they_say():
    draws = np.random.default_rng(0).exponential(size=(N_DRAWS + 1, 50_000))
    low, high = find_limits(draws[1:])
    assert np.mean((low <= draws[0]) & (draws[0] <= high)) == pytest.approx(CONTAINED, abs=0.005)


def test_a_report_and_judge_agree_on_which_method_is_clearly_better():
    rng = np.random.default_rng(0)
    for scale in (0.5, 0.8, 1.0, 1.2, 2.0) * 20:
        values, others = rng.gamma(2, scale, size=100), rng.gamma(2, 1, size=100)
        difference, error = compare_means(values, others), values - others
        sign = find_signs(error.sum(), np.square(error).sum(), np.array(100))
        assert np.sign(difference.low) + np.sign(difference.high) == 2 * sign
        # The limits are the ratios at which the paired t test is undecided.
        for ratio in (1 + difference.low, 1 + difference.high):
            assert scipy.stats.ttest_rel(values, ratio * others).pvalue == pytest.approx(0.05)


def test_a_ratio_to_a_mean_that_may_be_zero_has_no_upper_limit():
    values, others = np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 6.0])
    assert compare_means(values, others)[1:] == (-1, np.inf)
    assert describe_difference(Interval(*compare_means(values, others))) == "no clear difference"
    assert describe_difference(Interval(4.0, 0.5, np.inf)) == "400 % larger (at least 50 %)"


def test_limits_of_an_imputer_name_columns_that_regression_fills_clearly_better():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 1)) + 0.1 * rng.normal(size=(200, 3)), columns=list("abc"))
    report = isthmus.report(isthmus.zoo.imputer(2, **FIT).fit(X[:100]), X[100:], train=X[:100])
    assert "those of 'a', 'b', 'c' are clearly worse than those of iterative regression" in report.verdict[2]


def test_a_wide_table_makes_a_small_page(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "rows.parquet"
    rows = rng.normal(size=(3000, 8)) @ rng.normal(size=(8, 200)) + rng.normal(size=(3000, 200))
    pd.DataFrame(rows, columns=[f"column {i}" for i in range(200)]).to_parquet(path)
    model = isthmus.zoo.linear(8, **FIT).fit(Parquet(path))
    report = isthmus.report(model, Parquet(path))
    assert report.to_dict()["sections"]["codes"]["n_rows"] == 3000
    assert len(report.to_html().encode()) < 700_000


# Mistakes


def test_labels_of_a_detector_must_mark_anomalies_by_minus_one():
    X = np.random.default_rng(0).normal(size=(80, 3))
    detector = isthmus.AnomalyDetector(GaussianMixture(), fpr=0.1, random_state=0).fit(X)
    with pytest.raises(
        ValueError, match="must be 1 for normal rows, -1 for anomalies and 0 for unknown ones, got 0, 1"
    ):
        isthmus.report(detector, X, (X[:, 0] > 1).astype(int))


def test_a_report_needs_some_rows(cancer):
    X = load_breast_cancer(as_frame=True).data
    with pytest.raises(ValueError, match="X has 1 row, but a report needs at least 10"):
        isthmus.report(cancer[0], X[:1])


def test_codes_that_are_indices_are_not_moved():
    X = np.random.default_rng(0).normal(size=(80, 3))
    found = isthmus.report(isthmus.zoo.vq_vae(2, **FIT).fit(X), X).to_dict()["sections"]
    assert "components" not in found


def test_folders_of_images_are_judged(tmp_path):
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for i in range(24):
        image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(tmp_path / f"{i:02}.png")
    folder = isthmus.data.ImageFolder(tmp_path)
    net = isthmus.zoo.convolutional(2, **FIT).fit(folder)
    assert "reconstructions" in isthmus.report(net, folder).to_dict()["sections"]


# What a reader saw


def test_repetition_names_all_arguments(people):
    model, X = people[0], people[1]
    y = np.arange(len(X)) % 2
    code = isthmus.report(model, X, y, train=X, random_state=3).to_dict()["sections"]["repetition"]["command"]
    assert 'isthmus.report(model, X, y, train=train, random_state=3).save("report.html")' in code


def test_empty_rows_are_no_best_rows():
    X = np.random.default_rng(0).normal(size=(100, 3))
    X[::7] = np.nan
    X[::9, 1] = np.nan
    found = isthmus.report(isthmus.Autoencoder(2, **FIT).fit(X), X).to_dict()["sections"]["reconstructions"]
    assert all(int(cell["row"]) % 7 for cell in found["best"] + found["worst"])


def test_constants_are_in_the_table_of_columns():
    X = pd.DataFrame({"a": np.random.default_rng(0).normal(size=(80)), "site": "north", "id": np.arange(80)})
    X["b"] = X["a"] + 1
    with pytest.warns(UserWarning, match="left out"):
        model = isthmus.AnomalyDetector(isthmus.Autoencoder(1, **FIT), n_folds=2, random_state=0).fit(X)
    columns = {each["column"]: each for each in isthmus.report(model, X).to_dict()["sections"]["data"]["columns"]}
    assert columns["site"]["values"] == "left out: 'north' in all rows; another value can cause an alarm"
    assert columns["site"]["missing"] == 0
    assert columns["id"]["kind"] == "identifier"


def test_a_pixel_that_hardly_varies_counts_as_much_as_others():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(60, 1, 6, 6)) * np.linspace(0.1, 1, 36).reshape(6, 6)
    images[..., 0, 0] *= 1e-6
    model = isthmus.zoo.convolutional(2, max_epochs=1, channels=(4,), random_state=0).fit(images)
    found = isthmus.report(model, images).to_dict()["sections"]["comparison"]
    error = np.square(model.reconstruct(images) - images).mean()
    assert found["errors"]["model"][0] == pytest.approx(error, rel=1e-4)


def test_time_steps_of_a_channel_have_one_unit():
    series = np.random.default_rng(0).normal(size=(50, 2, 12)) * [[[1.0], [100.0]]]
    series[:, 0, 0] *= 1e-6
    training = Training.of(as_source(series))
    deviation = series.std((0, 2))
    np.testing.assert_allclose(training.unit.reshape(2, 12), np.repeat(deviation[:, None], 12, 1), rtol=1e-2)
    assert training.error_name.endswith("relative to the variance of each channel")


def test_the_bound_has_an_interval():
    X = np.random.default_rng(0).normal(size=(150, 4))
    model = isthmus.zoo.vae(2, max_epochs=2, random_state=0).fit(X[:100])
    found = isthmus.report(model, X[100:], train=X[:100]).to_dict()["sections"]["bound"]["nats"]
    bounds = model.bounds(X[100:])
    value, low, high = found["the model"]
    half = 1.96 * bounds.std() / np.sqrt(50)
    assert (value, low, high) == pytest.approx((bounds.mean(), bounds.mean() - half, bounds.mean() + half), abs=0.15)
    gaussian = -0.5 * (np.log(2 * np.pi) + 1) * 4
    assert found["one distribution, without a code"][0] == pytest.approx(gaussian, abs=0.5)
    assert _compare(Interval(-1.7, -2, -1.5)) == " That is 1.7 nats less than one distribution without a code has."
    assert _compare(Interval(-1.7, -4, 0.5)) == ""
    plain = isthmus.Autoencoder(2, **FIT).fit(X)
    assert "bound" not in isthmus.report(plain, X).to_dict()["sections"]


def test_images_are_called_images():
    images = np.random.default_rng(0).integers(0, 255, (40, 6, 6), dtype=np.uint8)
    report = isthmus.report(isthmus.Autoencoder(2, **FIT).fit(images), images)
    sections = {section.name: section.lead for section in report.sections}
    assert sections["codes"] == "40 images as codes of 2 numbers."
    assert sections["composition"].startswith("36 values of an image become a code of 2 numbers")
    assert report.title == "Autoencoder of images"
