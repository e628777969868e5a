"""Clusters: two workers of Ray on this machine give the results of one process."""

import os
import signal
import sys
import warnings

import numpy as np
import pytest
from conftest import small
from pyarrow import parquet
from sklearn.exceptions import ConvergenceWarning
from test_cli import TINY, done, refused

from isthmus import distributed, load
from isthmus.backbones import MLP
from isthmus.data import Parquet
from isthmus.distributed import applying, fitting

ray = pytest.importorskip("ray", reason="ray is an extra")

# Ray warns about its own defaults.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")


@pytest.fixture(scope="module")
def session():
    """Start Ray with two processors of this machine and without unnecessary processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
        patch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=2 * 10**8)
        yield
        assert ray.is_initialized()
        ray.shutdown()


@pytest.fixture(scope="module")
def file(table, tmp_path_factory):
    """Return the path of the table in one row group, so that rows have the order of the Dataset."""
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    parquet.write_table(table, path)
    return path


@pytest.fixture(scope="module")
def model(file):
    """A model fitted by one process."""
    return estimator().fit(Parquet(file))


def estimator(**options):
    return small("autoencoder", max_epochs=8, batch_size=90, **options)


class Accident:
    """Kills the second worker once, after the fourth epoch, and records every epoch of the first worker."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, state):
        from torch import distributed

        if distributed.get_rank() == 0:
            with (self.folder / "epochs").open("a") as file:
                file.write(f"{state.epoch} ")
        elif state.epoch == 4 and not (self.folder / "killed").exists():
            (self.folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)


# Fitting


def test_workers_fit_a_dataset_as_one_process_does_although_one_of_them_is_killed(session, table, model, tmp_path):
    callbacks, dataset = (Accident(tmp_path),), ray.data.from_arrow(table)
    mine = distributed.fit(estimator(callbacks=callbacks), dataset, every=0, storage_path=tmp_path / "run")
    assert (tmp_path / "killed").exists()
    epochs = [int(epoch) for epoch in (tmp_path / "epochs").read_text().split()]
    assert sorted(set(epochs)) == list(range(1, 9))
    assert len(epochs) <= 9, "the group went on from the checkpoint"
    for name in ("loss", "valid_negative_bound"):
        wanted = [row[name] for row in model.history_]
        np.testing.assert_allclose([row[name] for row in mine.history_], wanted, rtol=1e-4)
    np.testing.assert_allclose(mine.transform(table), model.transform(table), rtol=1e-2, atol=1e-3)
    assert mine.callbacks is callbacks
    assert os.listdir(tmp_path / "run") == ["checkpoint.safetensors"]


def test_the_command_line_fits_files_by_workers(session, folder, table, model, tmp_path):
    out, settings = (
        tmp_path / "m.safetensors",
        [*TINY, "--set", "max_epochs=8", "--set", "batch_size=90", "--set", "learning_rate=0.002"],
    )
    last = done("fit", folder, *settings, "--without", "a", "--workers", 2, "--out", out)
    assert last == f"wrote {out}: autoencoder fitted to 900 rows x 4 columns; a code has 2 numbers"
    mine, alone = load(out), estimator(backbone=MLP((4,)), learning_rate=2e-3).fit(table.drop_columns("a"))
    assert mine.schema_.names == ["b", "c", "d", "e"]
    assert mine.history_[-1]["valid_negative_bound"] == pytest.approx(
        alone.history_[-1]["valid_negative_bound"], rel=0.1
    )


def test_an_error_ends_the_work_of_all_workers_and_is_kept(file, tmp_path):
    fitting._write(tmp_path / "job", (estimator(learning_rate=1e30, optimizer="sgd"), Parquet(file)))
    with pytest.raises(ValueError, match="loss became"):
        fitting._work({"run": str(tmp_path)})
    error, _ = fitting._read(tmp_path / "outcome")
    assert "loss became" in str(error)
    fitting._work({"run": str(tmp_path)})


def test_warnings_of_workers_are_kept(file, tmp_path):
    hasty = estimator(callbacks=[lambda state: warnings.warn("hasty", ConvergenceWarning, stacklevel=1)])
    fitting._write(tmp_path / "job", (hasty, Parquet(file)))
    fitting._work({"run": str(tmp_path)})
    assert [str(warning) for warning in fitting._read(tmp_path / "outcome")[1]] == ["hasty"] * 8


def test_impossible_parameters_are_refused_before_workers_start(file):
    with pytest.raises(ValueError, match="num_workers must be a positive integer, got 0"):
        distributed.fit(estimator(), file, num_workers=0)
    with pytest.raises(ValueError, match="n_components must be a positive integer"):
        distributed.fit(estimator(n_components=0), file)


# Applying


def test_codes_of_files_are_those_of_the_estimator(session, file, table, model):
    codes = distributed.transform(model, file, keep=["a"]).to_pandas().astype(float).sort_values("a")
    assert list(codes) == [*model.get_feature_names_out(), "a"]
    np.testing.assert_allclose(codes.iloc[:, :2], model.transform(table), rtol=1e-5, atol=1e-5)


def test_scores_of_a_dataset_are_those_of_the_estimator(session, table, model):
    scores = distributed.score(model, ray.data.from_arrow(table)).to_pandas().astype(float)
    assert list(scores) == ["score"]
    np.testing.assert_allclose(np.sort(scores["score"]), np.sort(model.score_samples(table)), rtol=1e-5)


def test_a_model_without_names_takes_all_columns_but_those_kept(session, table):
    X = table.drop_columns("a").to_pandas().to_numpy()
    plain = estimator().fit(X)
    results = applying._Worker(ray.put(plain), "score_samples", ["score"], ["a"])(table)
    assert results.column_names == ["score", "a"]
    np.testing.assert_allclose(results["score"], plain.score_samples(X), rtol=1e-5)


def test_columns_that_files_lack_are_named(model, tmp_path, table):
    parquet.write_table(table.drop_columns("b"), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="has no column 'b'"):
        distributed.score(model, tmp_path / "x.parquet")


# Errors


def test_the_missing_extra_is_named(file, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(ImportError, match=r"needs ray: pip install 'isthmus\[ray\]'"):
        distributed.score(model, file)
    assert refused("fit", file, *TINY, "--workers", 2).endswith("needs ray: pip install 'isthmus[ray]'")


def test_workers_read_parquet_only(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert "--workers takes a Parquet file" in refused("fit", tmp_path / "x.csv", "--workers", 2)


def test_storage_must_be_a_folder(session, file):
    with pytest.raises(
        ValueError, match="storage_path must be a folder that all machines can access, got 's3://bucket'"
    ):
        distributed.fit(estimator(), file, storage_path="s3://bucket")
