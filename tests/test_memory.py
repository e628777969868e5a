"""Memory depends on the width of the net, not on the number of rows."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import small

from isthmus import inference
from isthmus.backbones import MLP, Backbone
from isthmus.data import as_source, transfer
from isthmus.training import loop

pytest.importorskip("resource")


@pytest.fixture(autouse=True)
def batches_as_on_a_processor(monkeypatch):
    for module in (inference, transfer):
        monkeypatch.setattr(module, "N_BATCHES_AT_ONCE", 1)


@pytest.fixture
def batch_sizes(monkeypatch):
    """Return the numbers of rows of each call of the encoder and of the decoder."""
    seen = []

    def watched(method):
        def call(self, values, *others):
            seen.append(len(values))
            return method(self, values, *others)

        return call

    monkeypatch.setattr(Backbone, "encode", watched(Backbone.encode))
    monkeypatch.setattr(Backbone, "decode", watched(Backbone.decode))
    return seen


@pytest.fixture
def rows(rng):
    return rng.normal(size=(1003, 5)).astype(np.float32)


def test_training_uses_batches_of_the_given_size(batch_sizes, monkeypatch, rows):
    monkeypatch.setattr(inference, "MAX_VALUES", 8 * 50)
    monkeypatch.setattr(loop, "VALIDATION_SIZE", 50)
    small("vae", batch_size=20).fit(rows)
    assert max(batch_sizes) <= 50
    assert sum(batch_sizes) >= 2 * 2 * len(rows)


@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples", "contributions"])
def test_no_method_computes_all_rows_at_once(method, batch_sizes, monkeypatch, rows):
    model = small("vae").fit(rows)
    expected = getattr(model, method)(rows)
    monkeypatch.setattr(inference, "MAX_VALUES", 8 * 50)
    batch_sizes.clear()
    result = getattr(model, method)(rows)
    assert max(batch_sizes) <= 50
    assert batch_sizes.count(50) >= 20
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


def test_draws_count_as_rows_of_a_batch(batch_sizes, monkeypatch, rows):
    model = small("vae").fit(rows)
    monkeypatch.setattr(inference, "MAX_VALUES", 8 * 50)
    batch_sizes.clear()
    model.score_samples(rows[:100], n_draws=30)
    model.score_samples(rows[:3], n_draws=120)
    assert max(batch_sizes) <= 50
    assert sum(batch_sizes) >= 100 * 30 + 3 * 120


def test_samples_and_decoded_codes_come_in_batches(batch_sizes, monkeypatch, rows):
    model = small("vae").fit(rows)
    monkeypatch.setattr(inference, "MAX_VALUES", 8 * 50)
    batch_sizes.clear()
    assert model.sample(333).shape == model.inverse_transform(np.zeros((333, 2))).shape == (333, 5)
    assert max(batch_sizes) <= 50


def test_a_wide_net_takes_fewer_rows_at_once(rows):
    narrow, wide = small("vae").fit(rows).module_, small("vae", backbone=MLP((4096,))).fit(rows[:20]).module_
    assert inference.rows_at_once(wide) * 4096 <= inference.MAX_VALUES
    assert inference.rows_at_once(wide) < inference.rows_at_once(narrow) <= 2**16


def test_labels_averaged_over_count_as_rows_of_a_batch(rows):
    model = small("conditional_vae").fit(rows, ((np.arange(len(rows)) % 50).astype(str)).astype(str)).module_
    assert inference.rows_at_once(model) * 50 * model.width <= inference.MAX_VALUES


def test_a_read_only_memory_map_is_not_copied(tmp_path, rows):
    rows.tofile(tmp_path / "rows")
    mapped = np.memmap(tmp_path / "rows", np.float32, "r", shape=rows.shape)
    assert as_source(mapped).values.data_ptr() == mapped.ctypes.data


PROGRAM = """
import resource
import numpy as np
from isthmus import Autoencoder
from isthmus.backbones import MLP

X = np.random.default_rng(0).standard_normal((1_000_000, 30), dtype=np.float32)
model = Autoencoder(2, backbone=MLP((8,)), max_epochs=1, batch_size=8192, random_state=0).fit(X[:1000])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model.fit(X).score_samples(X)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_million_rows_are_fitted_and_scored_in_less_than_a_copy_of_themselves():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 2**10
    assert int(done.stdout) * unit < 1_000_000 * 30 * 4


STREAM = """
import resource, sys
import numpy as np
import pyarrow as pa
from pyarrow import parquet
from isthmus.data import Parquet
from isthmus.data.validation import compute_statistics

# The same file many times over: what counts is how many rows are read.
rows = np.random.default_rng(0).standard_normal((250_000, 30), dtype=np.float32)
parquet.write_table(pa.table({f"c{i}": column for i, column in enumerate(rows.T)}), sys.argv[1])
source = Parquet([sys.argv[1]] * 20)
compute_statistics(Parquet(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
compute_statistics(source)
in_order = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert sum(len(batch.x) for batch in source.batches(4096, seed=0)) == len(source) == 5_000_000
print(in_order - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_pass_over_a_stream_takes_a_fraction_of_its_rows(tmp_path):
    command = [sys.executable, "-c", STREAM, str(tmp_path / "x.parquet")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 2**10
    in_order, shuffled = (int(number) * unit for number in done.stdout.split())
    assert in_order < 5_000_000 * 30 * 4 / 4
    assert shuffled < 5_000_000 * 30 * 4 * 2 / 3
