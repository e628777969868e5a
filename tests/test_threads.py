"""Threads that fit and predict at the same time, and processes that are forked after a fit."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import joblib
import numpy as np
import pytest
import torch
from conftest import small
from sklearn.model_selection import cross_val_score

from isthmus import AnomalyDetector, BaggedAutoencoders
from isthmus.ambient import own_settings
from isthmus.data import Parquet
from isthmus.randomness import seeded

N_THREADS = 4


def in_threads(function):
    """Return the results of a function in several threads that start together."""
    start = Barrier(N_THREADS)
    with ThreadPoolExecutor(N_THREADS) as threads:
        return list(threads.map(lambda _: (start.wait(), function())[1], range(N_THREADS)))


def equal(results, expected):
    return all(np.array_equal(result, expected) for result in results)


# Threads


def test_threads_draw_the_same_numbers_as_one_thread_and_leave_the_generator_unchanged():
    def draw():
        with seeded(0):
            return np.array([torch.rand(()).item() for _ in range(500)])

    before = torch.get_rng_state()
    assert equal(in_threads(draw), draw())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "make",
    [
        lambda: small("vae", max_epochs=5),
        lambda: small("sparse", max_epochs=5),
        lambda: BaggedAutoencoders(small("vae"), n_estimators=2, random_state=0),
        lambda: AnomalyDetector(small("vae"), n_folds=2, random_state=0),
    ],
    ids=["vae", "sparse", "ensemble", "detector"],
)
def test_fits_in_threads_are_equal_to_a_fit_alone(make, blobs):
    def scores():
        return make().fit(blobs).score_samples(blobs)

    before = torch.get_rng_state()
    assert equal(in_threads(scores), scores())
    assert torch.equal(torch.get_rng_state(), before)


def test_fits_of_streams_in_threads_are_equal_to_a_fit_alone(folder, small_pools):
    def history():
        return [row["loss"] for row in small("vae", batch_size=64).fit(Parquet(folder)).history_]

    assert equal(in_threads(history), history())


def test_one_fitted_model_gives_equal_results_in_threads(blobs):
    model = small("vae").fit(blobs)

    def samples():
        return model.sample(100, random_state=0)

    assert equal(in_threads(samples), samples())


def test_fits_in_joblib_threads_are_equal_to_fits_alone(blobs):
    expected = cross_val_score(small("vae"), blobs, cv=3)
    with joblib.parallel_config("threading", n_jobs=3):
        np.testing.assert_array_equal(cross_val_score(small("vae"), blobs, cv=3), expected)


def test_the_default_dtype_is_float32_until_the_last_of_overlapping_blocks_ends():
    torch.set_default_dtype(torch.float64)
    first, second = own_settings(), own_settings()
    try:
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert torch.get_default_dtype() == torch.float32
        second.__exit__(None, None, None)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


# Forked processes

# Another thread holds the generators while the process is forked. The child is limited by the time that it computes:
# threads that wait for another one compute too (OMP_WAIT_POLICY), so a child that waits for a missing thread ends.
FORKING = """
import os, resource, threading
import numpy as np
import torch
from isthmus import zoo
from isthmus.randomness import seeded

X = np.random.default_rng(0).normal(size=(4000, 30))
model = zoo.vae(2, max_epochs=1, batch_size=2000, random_state=0)
scores = model.fit(X).score_samples(X)
assert torch.get_num_threads() == 2
begun, ended = threading.Event(), threading.Event()

def hold():
    with seeded(0):
        begun.set()
        ended.wait()

threading.Thread(target=hold).start()
begun.wait()
child = os.fork()
if not child:
    resource.setrlimit(resource.RLIMIT_CPU, (300, 300))
    same = [np.allclose(each.score_samples(X), scores, rtol=1e-3) for each in (model, model.fit(X))]
    os._exit(0 if all(same) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
ended.set()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
def test_a_forked_process_fits_and_scores_after_a_fit_in_its_parent():
    environment = os.environ | {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "infinite"}
    done = subprocess.run([sys.executable, "-c", FORKING], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Threads that wait

# ``OMP_DISPLAY_ENV`` makes GNU OpenMP print its settings when torch loads it.
SHOWN = os.environ | {"OMP_DISPLAY_ENV": "verbose"}


@pytest.mark.skipif(sys.platform != "linux", reason="torch has GNU OpenMP on Linux only")
@pytest.mark.parametrize(
    ("given", "used"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "20"}, "20"), ({"OMP_WAIT_POLICY": "passive"}, "0")],
)
def test_threads_that_wait_soon_sleep_unless_the_user_sets_another_time(given, used):
    environment = {name: value for name, value in SHOWN.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    code = [sys.executable, "-c", "from isthmus import Autoencoder"]
    done = subprocess.run(code, env=environment | given, capture_output=True, text=True, check=True)
    assert f"GOMP_SPINCOUNT = '{used}'" in done.stderr
