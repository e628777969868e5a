"""The pure parts of ``benchmarks/defaults.py``: paired intervals, the page of given lines, and runs that go on."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from scipy import stats


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return import_module


@pytest.fixture
def job(module):
    """Mean of two numbers as a job: ours is exact, and another method adds the seed and 1."""
    jobs = module("defaults_jobs")

    def items(seed):
        return (jobs.Item(name, (x,), sum(x) / 2) for name, x in (("a", (1.0, 3.0)), ("b", (2.0, 6.0))))

    def far(x, seed):
        return sum(x) / 2 + 1 + seed

    methods = {"isthmus": lambda x, seed: sum(x) / 2, "far": far, "broken": lambda x, seed: 1 / 0}
    return jobs.Job(items, methods, lambda truth, x: {"error": abs(x - truth)}, {"error": -1}, "About.", n_seeds=2)


def test_the_paired_interval_is_that_of_scipy(module):
    ours, theirs = np.random.default_rng(0).normal(size=(2, 7))
    sets = [f"set {i}" for i in range(7)]
    paired = module("defaults_report").compare(
        dict(zip(sets, ours, strict=True)), {**dict(zip(sets, theirs, strict=True)), "other": 9.0}
    )
    expected = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    np.testing.assert_allclose(paired, ((ours - theirs).mean(), *expected, 7))


def test_one_set_has_a_difference_and_no_interval(module):
    report = module("defaults_report")
    paired = report.compare({"a": 2.0}, {"a": 1.5})
    assert (paired.mean, paired.n) == (0.5, 1)
    assert report.format_paired(paired) == "+0.500 (1 set)"
    assert report.judge(paired, 1) == ""
    assert report.compare({"a": 1.0}, {"b": 1.0}) is None


@pytest.mark.parametrize(("low", "sign", "verdict"), [(0.1, 1, "better"), (0.1, -1, "worse"), (-0.1, 1, "level")])
def test_an_interval_without_zero_is_a_verdict(module, low, sign, verdict):
    report = module("defaults_report")
    assert report.judge(report.Paired(0.2, low, 0.5, 9), sign) == verdict


def make_lines(method, values, job="count", seed=0):
    common = {"job": job, "seed": seed, "method": method, "commit": "c" + method[-1], "machine": "m"}
    return [{**common, "data": n, "figures": {"error": x, "processor seconds": 2.0}} for n, x in values.items()]


def fail(line):
    return {**{key: value for key, value in line.items() if key != "figures"}, "failed": "no such luck"}


def test_the_page_compares_ours_with_before_and_with_the_best_peer(module, job):
    job = job._replace(references=("cheat",))
    lines = [
        *make_lines("isthmus", {"a": 9.0, "b": 2.0, "c": 4.0}),
        *make_lines("isthmus", {"a": 1.0}),
        *make_lines("isthmus", {"b": 4.0}, seed=1),
        *make_lines("isthmus before", {"a": 2.0, "b": 4.0}),
        *make_lines("far", {"a": 5.0, "b": 9.0, "c": 7.0}),
        *make_lines("near", {"a": 3.0, "b": 6.0}),
        *make_lines("cheat", {"a": 0.0, "b": 0.0}),
        *(fail(line) for line in make_lines("broken", {"a": 0.0, "b": 0.0})),
        *make_lines("broken", {"b": 9.0}),
    ]
    page = module("defaults_report").make_page(lines, {"count": job, "other": job})
    # The newer line of "a" counts, and the mean over seeds of "b": errors of ours are 1, 3 and 4.
    half = stats.t.ppf(0.975, 1) * 0.5
    change = "-1.000 (-1.000 to -1.000; 2 sets)"
    lead = f"-2.500 ({-2.5 - half:+.3f} to {-2.5 + half:+.3f}; 2 sets)"
    assert f"| count | error ↓ | 3.000 | 2.667 | {change} | near 4.500 | {lead} | level |" in page
    assert "| count | seconds | 2 | 2 |  | near 2 |  |  |" in page
    assert "Measured on m. Not measured: other." in page
    assert "About. Commits: before ce; after cs." in page
    assert "| far | 3 | 7.000 | 2 |" in page
    assert "Failed: count, broken: `no such luck`." in page


def test_a_run_goes_on_and_measures_again_only_on_request(module, job, tmp_path, monkeypatch):
    defaults = module("defaults")
    monkeypatch.setitem(defaults.JOBS, "made", job)
    path = tmp_path / "defaults.jsonl"

    def run(n_sets, again=False):
        defaults.run("made", n_sets, again, str(tmp_path))
        return [json.loads(line) for line in path.read_text().splitlines()]

    first = run(1)
    assert [(r["data"], r["seed"], r["method"]) for r in first[:3]] == [("a", 0, m) for m in job.methods]
    assert {r["failed"] for r in first if r["method"] == "broken"} == {"ZeroDivisionError: division by zero"}
    assert [r["figures"]["error"] for r in first if r["method"] == "far"] == [1, 2]
    # Failed methods are tried again.
    later = run(2)[len(first) :]
    assert [r["data"] for r in later if r["method"] != "broken"] == ["b"] * 4
    assert len(run(2)) == len(first) + len(later) + 4
    assert len(run(2, again=True)) == len(first) + len(later) + 4 + 12


def test_before_measures_ours_alone_and_refuses_another_package(module, job, tmp_path, monkeypatch):
    defaults = module("defaults")
    monkeypatch.setitem(defaults.JOBS, "made", job)
    defaults.run("made", None, False, str(tmp_path), str(defaults.REPOSITORY))
    lines = [json.loads(line) for line in (tmp_path / "defaults.jsonl").read_text().splitlines()]
    assert [line["method"] for line in lines] == ["isthmus before"] * 4
    with pytest.raises(SystemExit, match="isthmus is imported from .* expected a file in"):
        defaults.run("made", None, False, str(tmp_path), str(tmp_path))


def test_every_job_has_ours_and_says_what_its_figures_are(module):
    for name, job in module("defaults_jobs").JOBS.items():
        assert "isthmus" in job.methods, name
        assert set(job.references) < set(job.methods), name
        assert set(job.figures.values()) <= {1, -1}, name
