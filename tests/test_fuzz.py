"""Damaged files, random commands and killed processes, a few of each; ``benchmarks/fuzz.py`` runs many."""

import os
from importlib import import_module
from pathlib import Path

import pytest

N = {"models": 25, "data": 16, "commands": 16, "kills": 3}


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return import_module("fuzz")


@pytest.mark.skipif(
    os.environ.get("ISTHMUS_TEST_DEVICE", "cpu") != "cpu", reason="forked processes have no accelerator"
)
@pytest.mark.parametrize("kind", N)
def test_random_files_lose_no_cells_and_give_no_traceback(fuzz, kind):
    figures = fuzz.run_cases(kind, N[kind], seed=20)
    assert figures.faults == []
    assert figures.cases == N[kind]


def test_the_fuzzer_finds_a_planted_error(fuzz):
    """Otherwise the tests above could not fail."""

    def fail():
        raise IndexError("odd")

    assert "IndexError: odd" in fuzz.run(fail).fault
    assert fuzz.run(lambda: 3).fault.startswith("exit code 3")
    assert fuzz.run(lambda: print(fuzz_altered(fuzz)) or 0).fault
    assert fuzz.run(lambda: 2).fault == ""


def fuzz_altered(fuzz):
    return import_module("fuzz_running").ALTERED
