"""Several processes train one model: processes that ``torchrun`` starts with this file, and their shards."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from isthmus import Autoencoder, Checkpoint
from isthmus.backbones import MLP
from isthmus.bottlenecks import Deterministic, TopK
from isthmus.corruptions import Masking
from isthmus.data import Parquet, as_source
from isthmus.data.streams.stream import Stream
from isthmus.data.validation import compute_statistics
from isthmus.regularizers import KLSparsity
from isthmus.schema import Schema
from isthmus.statistics import Statistics
from isthmus.training import Group, choose_device, loop

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(1001, 3)) @ RNG.normal(size=(3, 6)) + 0.3 * RNG.normal(size=(1001, 6))).astype(np.float32)
Y = np.arange(1001) % 3
HOLES = np.where(RNG.random(X.shape) < 0.1, np.nan, X)

# Tasks of two processes


def small(**options):
    options = {"backbone": MLP((16,)), "max_epochs": 4, "batch_size": 250, "random_state": 0, **options}
    return Autoencoder(2, **options)


SAME = {
    "plain": lambda: small().fit(X),
    "last batch of one": lambda: small(validation_fraction=0).fit(X[:751]),
    "last batch of two": lambda: small(validation_fraction=0).fit(X[:752]),
    "last batch of three": lambda: small(validation_fraction=0).fit(X[:753]),
    "stopped early": lambda: small(learning_rate=0.5, patience=1, max_epochs=12).fit(X),
    "labels": lambda: small(conditional=True, regularizers="l2").fit(X, Y),
    "a start at PCA": lambda: small(backbone=MLP((16,), linear="encoder")).fit(X),
    "missing values": lambda: small().fit(HOLES),
    "indices": lambda: small(bottleneck="vector_quantized").fit(X),
    "dead components": lambda: small(bottleneck=TopK(1, dead_after=2), regularizers="aux_k").fit(X),
    "gradient descent": lambda: small(optimizer="sgd").fit(X),
    "sums of a part": lambda: small(backbone=Center((16,)), validation_fraction=0).fit(X[:753]),
    "one row group": lambda: small().fit(Parquet("one.parquet")),
}
ALIKE = {
    "noise": lambda: small(
        backbone=MLP((16,), norm="batch"), bottleneck="gaussian", corruption=Masking(0.3), max_epochs=20
    ).fit(X),
    "two layers": lambda: small(bottleneck="ladder", max_epochs=20).fit(X),
    "sparse": lambda: small(
        bottleneck=Deterministic(activation="sigmoid"), regularizers=KLSparsity(0.1), max_epochs=20
    ).fit(X),
    "discriminator": lambda: small(regularizers="adversarial", prior="normal", max_epochs=20).fit(X),
    "row groups": lambda: small(max_epochs=20).fit(Parquet("many.parquet")),
    "pseudo-inputs": lambda: small(bottleneck="gaussian", prior="vamp", max_epochs=20).fit(X),
}
UNSEEDED = {"no seed": lambda: small(random_state=None).fit(X)}
FEW = {
    "rows": lambda: small().fit(X[:3]),
    "batch": lambda: small(batch_size=3).fit(X),
}


class Mortal(Checkpoint):
    """Kills its process after a number of writes."""

    def __init__(self, path, n_writes):
        super().__init__(path, every=0)
        self.n_writes = n_writes

    def write(self, state, group):
        super().write(state, group)
        self.n_writes -= 1
        if not self.n_writes and group.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)


def noisy(callbacks=()):
    """Fit with everything that a checkpoint must contain."""
    backbone = MLP((16,), norm="batch", dropout=0.1)
    return small(backbone=backbone, bottleneck="gaussian", corruption=Masking(0.3), callbacks=callbacks).fit(X)


def told(model):
    weights = hashlib.sha256()
    for value in model.module_.state_dict().values():
        weights.update(value.numpy().tobytes())
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in model.history_]
    return {"history": rows, "weights": weights.hexdigest()}


class Center(MLP):
    """Subtracts the running mean of the codes of all processes."""

    sums = ("total", "n_values")

    def build(self, *arguments):
        super().build(*arguments)
        self.register_buffer("center", torch.zeros(()))
        self.register_buffer("total", torch.zeros(()), persistent=False)
        self.register_buffer("n_values", torch.zeros((), dtype=torch.int64), persistent=False)

    def encode(self, u):
        h = super().encode(u)
        self.total, self.n_values = h.detach().sum(), torch.tensor(h.numel())
        return h - self.center

    def after_step(self, progress):
        assert self.n_values.dtype == torch.int64
        self.center.lerp_(self.total / self.n_values, 0.1)


def refusal(fit):
    with pytest.raises(ValueError, match="processes") as error:
        fit()
    return str(error.value)


def main(mode):
    """Run as one of the processes."""
    rank = Group.current().rank
    # The last batch of a hundred validation rows has one row, and one process has none.
    loop.VALIDATION_SIZE = 33
    if mode == "killed":
        noisy([Mortal("unfinished", 9)])
        return
    answer = {"resumed": told(noisy([Checkpoint("unfinished")]))}
    answer |= {name: told(fit()) for name, fit in {**SAME, **ALIKE, **UNSEEDED, "noisy": noisy}.items()}
    answer |= {name: refusal(fit) for name, fit in FEW.items()}
    Path(f"{rank}.json").write_text(json.dumps(answer))
    rows = X.copy()
    rows[-1, 2] = np.inf  # in the shard of the second process
    small().fit(rows)


if __name__ == "__main__":
    main(sys.argv[1])

# Comparison with one process


class Run(NamedTuple):
    """What a command that ran two processes printed, and its exit code."""

    output: str
    code: int


def run(folder, mode):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", __file__, mode]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True
    )
    return Run(done.stdout, done.returncode)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a folder with Parquet files of one row group and of many."""
    home = tmp_path_factory.mktemp("group")
    table = pa.table(dict(zip("abcdef", X.T, strict=True)))
    parquet.write_table(table, home / "one.parquet")
    parquet.write_table(table, home / "many.parquet", row_group_size=40)
    return home


@pytest.fixture(scope="module")
def runs(home):
    """Return two runs, as processes take seconds to start: one is killed, the other resumes and does all the rest."""
    killed = run(home, "killed")
    assert (home / "unfinished" / "checkpoint.safetensors").exists(), killed.output
    return killed, run(home, "all")


@pytest.fixture(scope="module")
def both(runs, home):
    """Return the answers of the two processes."""
    assert (home / "1.json").exists(), runs[1].output
    return [json.loads((home / f"{rank}.json").read_text()) for rank in range(2)]


def test_both_processes_end_with_the_same_weights(both):
    for name in [*SAME, *ALIKE, *UNSEEDED]:
        assert both[0][name] == both[1][name], name


@pytest.mark.parametrize("case", SAME)
def test_losses_are_those_of_one_process(both, home, monkeypatch, case):
    monkeypatch.chdir(home)
    expected, found = told(SAME[case]())["history"], both[0][case]["history"]
    assert len(found) == len(expected)
    for row, other in zip(found, expected, strict=True):
        # With large steps, differences in the last digits grow.
        assert row == pytest.approx(other, rel=1e-4 if case == "stopped early" else 1e-5)


@pytest.mark.parametrize("case", ALIKE)
def test_with_noise_or_batch_terms_the_bound_is_close_to_that_of_one_process(both, home, monkeypatch, case):
    monkeypatch.chdir(home)
    expected, found = told(ALIKE[case]())["history"][-1], both[0][case]["history"][-1]
    assert found["valid_negative_bound"] == pytest.approx(expected["valid_negative_bound"], rel=0.05)


def test_without_a_seed_training_improves(both):
    first, *_, last = both[0]["no seed"]["history"]
    assert last["valid_negative_bound"] < first["valid_negative_bound"]


def test_both_processes_stop_early(both):
    assert len(both[1]["stopped early"]["history"]) < 12


def test_too_few_rows_for_all_processes_are_refused_by_each(both):
    expected = "batch_size must give each of the 2 processes 2 rows or more, got batches of"
    for one in both:
        assert one["rows"] == f"{expected} 250 of 3 rows"
        assert one["batch"] == f"{expected} 3 of 901 rows"


def test_a_killed_group_resumes_bit_for_bit(runs, both):
    """An epoch has four steps. The group is killed in the third epoch of four."""
    assert runs[0].code != 0
    assert [one["resumed"] for one in both] == [one["noisy"] for one in both]


def test_an_error_in_one_process_ends_all_processes(runs, both):
    assert runs[1].code != 0
    assert "column 2 holds an infinite value" in runs[1].output


# Shares


class Groups(Stream):
    """Numbered rows in groups of given sizes."""

    def __init__(self, sizes):
        super().__init__(Schema((1,), dtype="float64"))
        self.sizes, self.starts = sizes, [0, *np.cumsum(sizes)[:-1].tolist()]

    def count_rows(self):
        return sum(self.sizes)

    def read(self, group):
        yield np.arange(self.starts[group], self.starts[group] + self.sizes[group], dtype=float)[:, None]


def shares_of(source, n, size, seed):
    """Return the batches of each shard, rows as tuples."""
    return [[batch.x.tolist() for batch in source.batches(size, seed, (rank, n))] for rank in range(n)]


@settings(max_examples=60)
@given(
    n_rows=st.integers(1, 60),
    n=st.integers(2, 5),
    size=st.integers(1, 25),
    seed=st.one_of(st.none(), st.integers(0, 9)),
)
def test_shares_of_an_array_partition_each_batch(n_rows, n, size, seed):
    source = as_source(np.arange(float(n_rows))[:, None])
    whole = [batch.x.tolist() for batch in source.batches(size, seed)]
    shares = shares_of(source, n, size, seed)
    assert [sum(parts, []) for parts in zip(*shares, strict=True)] == whole
    assert all(len(part) != 1 for share in shares for part in share if len(whole[0]) > 1 and n_rows % size != 1)


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=40),
    n=st.integers(2, 4),
    size=st.integers(2, 25),
    seed=st.one_of(st.none(), st.integers(0, 9)),
    aside=st.integers(0, 3),
)
def test_shares_of_a_stream_hold_every_row_once_in_equally_many_batches(sizes, n, size, seed, aside):
    source = Groups(sizes)
    if 0 < aside < len(source):
        source = source.split(aside, 0)[0]
    shares = shares_of(source, n, size, seed)
    assert len({len(share) for share in shares}) == 1
    whole = sorted(sum((batch.x.tolist() for batch in source.batches(size)), []))
    assert sorted(sum((part for share in shares for part in share), [])) == whole


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("n", [2, 3])
def test_whole_row_groups_are_shared_if_there_are_enough(home, seed, n):
    source = Parquet(home / "many.parquet").split(100, 0)[0]
    shares = shares_of(source, n, 100, seed)
    rows = [{tuple(row) for part in share for row in part} for share in shares]
    assert sum(map(len, rows)) == len(set.union(*rows)) == 901
    # With shuffling, the last row is part of the previous batch.
    assert {len(share) for share in shares} == {10 if seed is None else 9}
    groups = [{i // 40 for i, row in enumerate(X.tolist()) if tuple(row) in some} for some in rows]
    assert sum(map(len, groups)) == 26
    assert all(abs(len(part) - 901 / 10 / n) < 20 for share in shares for part in share)


def test_one_large_row_group_is_divided(tmp_path):
    table = pa.table({"a": np.arange(400.0)})
    with parquet.ParquetWriter(tmp_path / "uneven.parquet", table.schema) as writer:
        for start, stop in [(0, 330), *((i, i + 10) for i in range(330, 400, 10))]:
            writer.write_table(table.slice(start, stop - start))
    shares = shares_of(Parquet(tmp_path / "uneven.parquet"), 2, 100, 0)
    assert [[len(part) for part in share] for share in shares] == [[50] * 4] * 2


@pytest.mark.parametrize("rows", [X, HOLES, X[:3], X[:1]])
def test_statistics_of_shares_merge_into_those_of_all(rows):
    source = as_source(rows)
    one, two = (
        compute_statistics(source),
        Statistics.merge(compute_statistics(source, (0, 2)), compute_statistics(source, (1, 2))),
    )
    assert (one.n_rows, one.binary, one.missing) == (two.n_rows, two.binary, two.missing)
    for name in ("count", "mean", "m2", "low", "high"):
        torch.testing.assert_close(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("variables", [{}, {"RANK": "0"}, {"RANK": "0", "MASTER_ADDR": "localhost"}])
def test_world_size_without_the_rest_of_torchruns_variables_is_ignored_with_a_warning(variables, monkeypatch):
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"WORLD_SIZE": "4", **variables}.items():
        monkeypatch.setenv(name, value)
    with pytest.warns(UserWarning, match="WORLD_SIZE=4 is ignored, because .*MASTER_PORT is not set: this process"):
        model = small(max_epochs=1).fit(X)
    assert len(model.history_) == 1


@pytest.mark.parametrize("size", ["", "1"])
def test_a_group_of_one_process_needs_no_other_variables(size, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", size)
    assert Group.current() == Group(0, 1)


def test_each_process_of_a_machine_takes_an_accelerator_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    net = torch.nn.Linear(1000, 1000)
    assert choose_device("auto", net) == torch.device("cuda:1")
