"""Studies in files: killed and continued, of something else, not writable; the command line; figures."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import limited_file_size
from matplotlib.figure import Figure
from searching import RATES, X, make_net, search
from test_cli import call, done, refused, write

from isthmus import load
from isthmus.plots import importance, trials
from isthmus.tuning import tune

optuna = pytest.importorskip("optuna")

DRIVER = """
import json, os, signal, sys
from searching import search

epochs, path = int(sys.argv[1]), sys.argv[2]

def die(state, seen=[0]):
    seen[0] += 1
    if seen[0] == epochs:
        os.kill(os.getpid(), signal.SIGKILL)

result = search(path, 6, callbacks=(die,))
print(json.dumps([[trial.params, trial.score] for trial in result.trials]))
"""


def start_python(program, *arguments):
    folders = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": folders}
    command = [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, **pipes, text=True, env=environment)


def run_python(program, *arguments):
    with start_python(program, *arguments) as process:
        stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def count(path):
    study = optuna.load_study(study_name="isthmus", storage=f"sqlite:///{path}")
    return [trial.state.name for trial in study.trials]


def test_a_search_that_is_killed_twice_ends_with_the_same_number_of_trials(tmp_path):
    path = tmp_path / "study.db"
    assert run_python(DRIVER, 1, path).returncode == -9  # in the first epoch of the default
    assert count(path) == ["RUNNING", "WAITING"]
    assert run_python(DRIVER, 6, path).returncode == -9  # in the third trial of this process
    assert count(path).count("COMPLETE") == 2
    last = run_python(DRIVER, 0, path)
    assert last.returncode == 0, last.stderr
    found, whole = json.loads(last.stdout), search(None, 6).trials
    assert len(found) == len(whole) == 6
    assert found[0] == [{}, whole[0].score]
    # The first trials are fixed: the killed ones were repeated. The others depend on when the process was killed.
    assert sorted(map(str, (params for params, _ in found[:2]))) == sorted(
        str(dict(trial.params)) for trial in whole[:2]
    )


def test_two_processes_take_trials_from_one_study(tmp_path):
    path = tmp_path / "study.db"
    with start_python(DRIVER, 0, path) as first:
        while first.poll() is None and not (path.exists() and has_complete_trial(path)):
            time.sleep(0.05)
        second = search(path, 6)
        found = json.loads(first.communicate()[0])
    assert first.returncode == 0
    # A process that starts meanwhile may queue a first trial that the other one has not ended.
    n_started = len([state for state in count(path) if state != "WAITING"])
    assert 6 <= min(len(found), len(second.trials)) <= n_started <= 7
    assert found[0] == [{}, second.default_score]


AT_ONCE = """
import sys
from test_tuning_storage import search

print("ready", flush=True)
sys.stdin.readline()
print(search(sys.argv[1], 6).default_score)
"""


def test_processes_that_start_at_the_same_time_make_one_study(tmp_path):
    path = tmp_path / "study.db"
    with start_python(AT_ONCE, path) as first, start_python(AT_ONCE, path) as second:
        for process in (first, second):
            process.stdout.readline()
        for process in (first, second):
            process.stdin.write("go\n")
            process.stdin.flush()
        (printed, errors), (also, others) = first.communicate(), second.communicate()
    assert (errors, others) == ("", "")
    assert printed == also
    trials = optuna.load_study(study_name="isthmus", storage=f"sqlite:///{path}").trials
    assert [trial.user_attrs.get("start") for trial in trials] == [0, 1, *[None] * (len(trials) - 2)]
    assert 6 <= len(trials) <= 7


def test_without_locks_of_files_a_search_is_stored_and_continued(tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("isthmus.tuning.storage"), "fcntl", None)  # as on Windows
    path = tmp_path / "study.db"
    assert len(search(path, 2).trials) == 2
    assert len(search(path, 4).trials) == 4
    assert count(path) == ["COMPLETE"] * 4


HANGS = """
import sys, time
from isthmus.tuning import storage
from test_tuning_storage import search

def hang(state):
    print("hangs", flush=True)
    time.sleep(600)

storage.HEARTBEAT, storage.GRACE = 1, 2
search(sys.argv[1], 6, callbacks=(hang,))
"""


def test_the_default_of_a_process_that_is_killed_is_fitted_by_another(tmp_path, monkeypatch):
    path, storage = tmp_path / "study.db", import_module("isthmus.tuning.storage")
    monkeypatch.setattr(storage, "HEARTBEAT", 1)
    monkeypatch.setattr(storage, "GRACE", 2)
    with start_python(HANGS, path) as first:
        assert first.stdout.readline() == "hangs\n"
        kill = lambda state: first.kill()  # noqa: E731
        second = search(path, 3, callbacks=(kill,))
    assert count(path).count("FAIL") == 1
    assert second.trials[0].params == {}
    assert second.default_score == search(None, 3).default_score


def has_complete_trial(path):
    """Whether a file has a complete trial. Optuna would make the tables, as the other process does."""
    with closing(sqlite3.connect(path)) as file:
        try:
            return bool(file.execute("SELECT 1 FROM trials WHERE state = 'COMPLETE'").fetchone())
        except sqlite3.OperationalError:  # the other process has not made the tables yet
            return False


def test_a_finished_search_is_not_repeated_but_may_go_on(tmp_path):
    path = tmp_path / "study.db"
    first, seen = search(path, 3), []
    again = search(path, 3, callbacks=(lambda state: seen.append(state.epoch),))
    assert [trial.score for trial in again.trials] == [trial.score for trial in first.trials]
    assert len(seen) == 2  # only the last fit
    more = search(path, 5)
    assert len(more.trials) == 5
    assert len({str(trial.params) for trial in more.trials}) == 5


def test_scores_in_a_file_are_exact(tmp_path):
    stored, kept = search(tmp_path / "study.db", 2), search(None, 2)
    np.testing.assert_array_equal(stored.trials[1].scores, kept.trials[1].scores)
    assert (stored.gain, stored.interval) == (kept.gain, kept.interval)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"estimator": make_net(precision="float64")}, "precision is 'auto' there and 'float64' here"),
        ({"X": X[:90]}, "rows is 80 with"),
        ({"space": None}, "space is"),
        ({"measure": "bound"}, "measure is error there and bound here"),
    ],
)
def test_a_file_of_another_search_is_refused(changes, words, tmp_path):
    path = tmp_path / "study.db"
    search(path, 1)
    inputs = {"estimator": make_net(), "X": X, "space": RATES, **changes}
    with pytest.raises(ValueError, match=f"(?s)holds a study of something else: {words}.*delete the file"):
        tune(**inputs, n_trials=1, storage=path, random_state=0)


def test_a_file_that_is_no_study_is_refused_and_kept(tmp_path):
    path = tmp_path / "study.db"
    path.write_text("no database" * 100)
    with pytest.raises(ValueError, match="storage '.*' is not a study of isthmus: "):
        search(path, 1)
    assert path.read_text() == "no database" * 100


def test_a_folder_that_does_not_exist_or_a_folder_as_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        search(tmp_path / "nowhere" / "study.db", 1)
    with pytest.raises(PermissionError, match="storage must be a file that can be written"):
        search(tmp_path, 1)


def test_a_read_only_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("isthmus.tuning.storage.access", lambda path, mode: False)  # the superuser may write anywhere
    with pytest.raises(PermissionError, match="storage must be a file that can be written"):
        search(tmp_path / "study.db", 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("limit", [1_000, 123_000])  # the tables do not fit, or the scores of the first trial
def test_a_full_disk_is_named_and_is_no_file_of_something_else(limit, tmp_path):
    rows = np.random.default_rng(0).normal(size=(5000, 4))
    with limited_file_size(limit), pytest.raises(OSError, match="cannot write the study") as caught:
        tune(make_net(), rows, space=RATES, n_trials=3, storage=tmp_path / "study.db", random_state=0)
    assert str(caught.value).startswith(f"cannot write the study {str(tmp_path / 'study.db')!r}: ")
    assert "\n" not in str(caught.value)


# The command line

TINY = ("--set", "backbone.hidden=[8]", "--set", "max_epochs=2")


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.csv"
    write(path, X, list("abcd"))
    return path


def test_tune_writes_the_best_model_and_a_picture(rows, tmp_path):
    out, plot, study = tmp_path / "best.safetensors", tmp_path / "trials.png", tmp_path / "study.db"
    words = ("--trials", 2, "--time", "10m", "--out", out, "--plot", plot, "--study", study)
    last = done("tune", rows, *TINY, *words)
    assert last == f"wrote {out}: autoencoder with the best of 2 trials"
    assert load(out).get_params()["max_epochs"] == 2
    assert plot.stat().st_size > 1000
    assert count(study) == ["COMPLETE", "COMPLETE", *["WAITING"] * (len(count(study)) - 2)]


def test_tune_searches_the_space_of_a_file_which_may_be_the_printed_one(rows, tmp_path):
    space, out = tmp_path / "space.toml", tmp_path / "best.safetensors"
    space.write_text("weight_decay = [0.0, 1e-9]")
    printed = call("tune", rows, *TINY, "--trials", 2, "--space", space, "--out", out).stdout.splitlines()
    assert printed[1:3] == ["searching", "weight_decay = [0.0, 1e-09]"]
    assert load(out).get_params()["weight_decay"] in (0.0, 1e-9)


def test_a_tuned_detector_of_a_series_finds_events(tmp_path):
    wave = np.sin(np.arange(240) / 4) + 0.05 * np.random.default_rng(0).normal(size=240)
    files = [tmp_path / name for name in ("known.csv", "new.csv", "best.safetensors", "alarms.csv")]
    known, new, out, alarms = files
    write(known, np.column_stack([np.arange(240), wave]), ["minute", "level"])
    wave[100:110] = 3
    write(new, np.column_stack([np.arange(240), wave]), ["minute", "level"])
    last = done("tune", known, "--series", "minute", *TINY, "--trials", 2, "--out", out)
    assert last == f"wrote {out}: detector of a series with the best of 2 trials"
    done("detect", new, "--detector", out, "--out", alarms)
    assert pd.read_csv(alarms)["start"][0] <= 110


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--series", "a", "--kind", "b=count"),
            "--series takes no --kind or --condition: channels are numbers, and have no labels",
        ),
        (("--space", "nowhere.toml"), "there is no file of a space 'nowhere.toml'"),
        (("--time", "soon"), "--time takes a duration such as 90s, 10m or 2h, got 'soon'"),
        (("--time", "0m"), "--time takes a duration such as 90s, 10m or 2h, got '0m'"),
        (("--model", "auto"), "tune searches parameters of one variant: name it, instead of --model auto"),
        (("--set", "n_component=1"), "unknown --set key 'n_component' for autoencoder; did you mean 'n_components'?"),
        (("--study", "nowhere/study.db"), "cannot write 'nowhere/study.db': there is no folder 'nowhere'"),
    ],
)
def test_tune_refuses_bad_options_in_one_sentence(words, message, rows):
    assert refused("tune", rows, "--trials", 1, *words) == message
    assert not rows.with_suffix(".safetensors").exists()


def test_a_series_without_its_column_of_times_is_refused(rows):
    message = refused("tune", rows, "--series", "minute")
    assert message == f"{str(rows)!r} has no column 'minute' of times, only 'a', 'b', 'c', 'd'"


def test_tune_without_optuna_names_the_extra(rows, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert refused("tune", rows) == 'tuning needs optuna: pip install "isthmus[tuning]"'
    with pytest.raises(ImportError, match=r'pip install "isthmus\[tuning\]"'):
        search(None, 1)


# Figures


def test_figures_show_the_trials_and_the_shares():
    result = search(None, 6)
    ax = trials(result, ax=Figure().subplots())
    best = next(line for line in ax.lines if line.get_label() == "best so far")
    assert best.get_ydata()[-1] == result.score
    bars = importance(result, ax=Figure().subplots()).patches
    assert sum(bar.get_width() for bar in bars) == pytest.approx(1)


def test_trials_are_printed_with_their_outcome(capsys):
    space = {"backbone__activation": ["silu", "nonsense"]}
    result = tune(make_net(), X, space=space, n_trials=4, random_state=0, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["searching", 'backbone__activation = ["silu", "nonsense"]']
    assert lines[2].startswith(f"trial 0: {result.default_score:.3g} ± ")
    assert any("failed (backbone.activation" in line for line in lines)
    assert len(lines) == 6
