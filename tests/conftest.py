"""Small simulated data, small estimators, the device of the tests, and the path of data outside the package.

The environment variable ISTHMUS_TEST_DEVICE chooses the device: "cpu", an accelerator that torch finds such as "cuda",
or "emulated", see ``emulated.py``. Without it, ``device="auto"`` decides as for a user.
"""

import gc
import math
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from pyarrow import parquet
from sklearn.datasets import make_blobs, make_swiss_roll

from isthmus import Autoencoder, randomness, zoo
from isthmus.backbones import MLP, TCN, Conv, Recurrent
from isthmus.data.streams import stream as streams
from isthmus.likelihoods import Categorical, Multinomial
from isthmus.training import hardware

matplotlib.use("Agg")

# Hypothesis limits the time of an example and of making it, which depend on what else the machine does.
settings.register_profile("isthmus", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("isthmus")

# What decides about the device for users.
DEVICE_RULE = {name: getattr(hardware, name) for name in ("ACCELERATORS", "ACCELERATOR_START", "PROCESSOR_STEP")}


def pytest_collection_finish() -> None:
    """Keep modules and collected tests out of garbage collections, each of which takes a second with them."""
    gc.collect()
    gc.freeze()


def take_device(name) -> None:
    """Make ``device="auto"`` choose a device in all tests, by infinite costs of the other."""
    if name == "emulated":
        import emulated

        emulated.register()
        hardware.ACCELERATORS = (name,)
    setattr(hardware, "ACCELERATOR_START" if name == "cpu" else "PROCESSOR_STEP", math.inf)


# Not in a fixture: some test files fit while they are imported.
if "ISTHMUS_TEST_DEVICE" in os.environ:
    take_device(os.environ["ISTHMUS_TEST_DEVICE"])


def skip_emulated(reason) -> pytest.MarkDecorator:
    """Skip a test of what the emulated device cannot do."""
    return pytest.mark.skipif(os.environ.get("ISTHMUS_TEST_DEVICE") == "emulated", reason=reason)


# Columns and rows of the table that is stored in several files.
COLUMNS, N_ROWS = list("abcde"), 1000
# Parameters with which a backbone of a type is small.
SMALL = {
    MLP: {"hidden": (8,)},
    Conv: {"channels": (4,)},
    Recurrent: {"width": 8},
    TCN: {"width": 4, "n_blocks": 2},
}
N_TOKENS = 5


def small(name, n_components=2, **options) -> Autoencoder:
    """Return a variant of the zoo with a very small net."""
    options = {"max_epochs": 2, "random_state": 0, **options}
    if name == "top_k":
        options = {"k": max(1, n_components - 1), "dead_after": 2, **options}
    model = getattr(zoo, name)(n_components, **options)
    if "backbone" not in options:
        model.backbone.set_params(**SMALL.get(type(model.backbone), {}))
    if is_for_tokens(model) and "likelihood" not in options:
        model.set_params(likelihood=Categorical(N_TOKENS))
    return model


def is_for_tokens(model) -> bool:
    return getattr(model.backbone, "autoregressive", False)


def is_for_series(model) -> bool:
    return isinstance(model.backbone, Recurrent | TCN)


def rows_for(name, n=120) -> np.ndarray:
    """Return rows that a variant is made for: tokens, counts, waves or a plane, shifted between two classes."""
    model, rng = getattr(zoo, name)(), np.random.default_rng(0)
    causes = rng.normal(size=(n, 2)) + 0.5 * (np.arange(n)[:, None] % 2)
    if is_for_tokens(model):
        return rng.integers(N_TOKENS, size=(n, 6))
    if isinstance(model.likelihood, Multinomial):
        return rng.poisson(np.exp(causes @ rng.normal(size=(2, 6)) + 1))
    if is_for_series(model):
        return causes @ np.cos(np.arange(12) / 3 + [[0], [1.5]])
    plane = causes @ rng.normal(size=(2, 12)) * np.arange(1, 13) + 7
    return plane + 0.1 * rng.normal(size=plane.shape)


def run_limited(command, cpu_seconds=600, **options) -> subprocess.CompletedProcess[str]:
    """Run a command with a limit of processor time, which does not include waiting for other processes."""
    limited = ["sh", "-c", 'ulimit -t "$0"; exec "$@"', str(cpu_seconds), *map(str, command)]
    return subprocess.run(limited, encoding="utf-8", check=False, **options)


@contextmanager
def limited_file_size(n_bytes) -> Iterator[None]:
    """Make writes fail beyond a size of a file, as on a full disk: Python ignores the signal of the limit."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(autouse=True)
def drawn_seeds(monkeypatch) -> None:
    """Draw the seeds of fits without ``random_state`` from the same generator each time: no test fails by chance."""
    seeds = np.random.default_rng(0)
    monkeypatch.setattr(randomness, "draw_seed", lambda: int(seeds.integers(randomness.N_SEEDS)))


@pytest.fixture
def listening():
    """Enable Ctrl-C, which shells disable for background processes."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def labelled_blobs() -> tuple[np.ndarray, np.ndarray]:
    """Three clusters in six dimensions, in float32, which all containers support."""
    X, y = make_blobs(240, 6, centers=3, random_state=0)
    return X.astype(np.float32), y


@pytest.fixture
def blobs(labelled_blobs) -> np.ndarray:
    return labelled_blobs[0].copy()


@pytest.fixture
def swiss_roll() -> np.ndarray:
    return make_swiss_roll(300, noise=0.1, random_state=0)[0]


@pytest.fixture
def mixed_scale(rng) -> np.ndarray:
    """Three columns that depend on one variable; their units differ by ten orders of magnitude."""
    cause = rng.normal(size=(300, 1))
    return (cause + 0.3 * rng.normal(size=(300, 3))) * [1e-6, 1.0, 1e4] + [0.0, 5.0, -1e4]


@pytest.fixture
def images() -> np.ndarray:
    """Bright bars on a dark background, uint8 of shape (n, channels, height, width)."""
    picture = np.full((60, 1, 6, 5), 20, dtype=np.uint8)
    for i in range(len(picture)):
        picture[i, 0, i % 6] = 230
    return picture


@pytest.fixture
def holes(blobs, rng) -> np.ndarray:
    """The blobs with 10 % of the values missing."""
    return np.where(rng.random(blobs.shape) < 0.1, np.nan, blobs)


@pytest.fixture(scope="session")
def table() -> pa.Table:
    """Rows that depend on one variable; the first column numbers them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 1)) + 0.3 * rng.normal(size=(N_ROWS, 4))
    return pa.table(dict(zip(COLUMNS, np.column_stack([np.arange(N_ROWS), X]).T, strict=True)))


def write_days(table, folder: Path) -> Path:
    """Write a table to four files, one for each day, with several row groups."""
    size = -(-len(table) // 4)
    for day in range(4):
        parquet.write_table(table.slice(day * size, size), folder / f"day-{day}.parquet", row_group_size=70)
    return folder


@pytest.fixture(scope="session")
def folder(table, tmp_path_factory) -> Path:
    """Return the path of the table in several files."""
    return write_days(table, tmp_path_factory.mktemp("days"))


@pytest.fixture
def small_pools(monkeypatch) -> None:
    """Shuffle 150 rows of the table together."""
    monkeypatch.setattr(streams, "POOL", 150 * len(COLUMNS))


@pytest.fixture(scope="session")
def outside_data() -> Callable[[str], Path]:
    """Return the path of a data set outside the package; skip the test if it does not exist."""
    root = Path(os.environ.get("ISTHMUS_TEST_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))

    def find(name: str) -> Path:
        folder = root / name
        if not folder.is_dir():
            pytest.skip(f"no data set {name!r}: ISTHMUS_TEST_DATA names the folder it is looked for in")
        return folder

    return find
