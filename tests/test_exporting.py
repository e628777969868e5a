"""Exported programs: equal to isthmus on all kinds of data, and refused if they are not."""

import functools
import io
import json
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from conftest import limited_file_size, rows_for, small
from scipy import special
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from torch.onnx._internal._lazy_import import onnxscript_apis
from typer.testing import CliRunner

import isthmus
import isthmus.data.files
from isthmus import AnomalyDetector, Autoencoder, BaggedAutoencoders, Decoder, ExemplarDistance, save, zoo
from isthmus.backbones import MLP, Conv
from isthmus.cli.app import app
from isthmus.data import Texts
from isthmus.exporting import exemplars, formats, operations, precision, programs, reading, scores
from isthmus.exporting.ports import column_port

# The table has a constant column, which models leave out.
pytestmark = pytest.mark.filterwarnings("ignore:left out", "ignore:treated as missing", "ignore:dates outside")

FAST = {"max_epochs": 2, "random_state": 0}
N = 120
LABELS = np.arange(N) % 2


def make_table(n=N):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "city": rng.choice(["Bergen", "Oslo", "Rome", None], n),
            "member": rng.random(n) < 0.5,
            "joined": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 365, n), unit="D"),
            "spent": rng.lognormal(3, 1, n),
            "kept out": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "constant": "same",
        }
    )


TABLE = make_table()


@pytest.fixture(scope="module", autouse=True)
def one_table_of_operations():
    """Make the table of the operations of ONNX once: torch makes it again in each export, which takes 0.3 s."""
    with pytest.MonkeyPatch.context() as patch:
        made = functools.cache(onnxscript_apis.get_torchlib_ops)
        patch.setattr(onnxscript_apis, "get_torchlib_ops", made)
        yield


def largest(certificate):
    return max(check.difference for check in certificate.checks)


def feeds_of(path, table):
    """Read a table as someone does who has the file and ONNX Runtime alone."""
    session = onnxruntime.InferenceSession(path)
    columns = {}
    for port in session.get_inputs():
        cells = table[[port.name]]
        if port.type == "tensor(string)":
            columns[port.name] = cells.fillna("").to_numpy(object)
        elif port.type == "tensor(int64)":
            columns[port.name] = cells.astype("datetime64[us]").to_numpy().view(np.int64)
        else:
            columns[port.name] = cells.to_numpy(np.float64)
    return session, columns


# Every variant


# Encoders and decoders are halves of reconstructions: only those of the different kinds of codes and labels are added.
HALVES = ["vae", "vq_vae", "conditional_vae", "ladder_vae", "sequence_vae"]
# Scores contain all of a reconstruction but means and units, which these variants share with the plain autoencoder.
LIKE_PLAIN = {"adversarial", "beta_vae", "contractive", "denoising", "sparse", "top_k", "vamp_vae"}
PARTS = [(name, "score") for name in zoo.__all__]
PARTS += [(name, "reconstruct") for name in zoo.__all__ if name not in LIKE_PLAIN]
PARTS += [(name, part) for name in HALVES for part in ("encoder", "decoder")]


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_every_variant_is_exported(name, part, tmp_path):
    X, path = rows_for(name), tmp_path / "net.onnx"
    model = small(name, max_epochs=1).fit(X, LABELS)
    certificate = isthmus.export(model, path, part, X)
    assert largest(certificate) <= 1e-4
    compared = {check.rows for check in certificate.checks if not check.note}
    assert compared >= ({"200 codes", "1 codes", "17 codes"} if part == "decoder" else {"rows", "1 row", "17 rows"})


IMAGES = (40 * np.random.default_rng(1).normal(size=(N, 6, 5)) + 100).clip(0, 255).astype(np.uint8)
KINDS = {
    "grey bytes": (zoo.vae(3, **FAST), IMAGES),
    "colours last": (zoo.convolutional(3, channels=(4, 8), **FAST), np.stack([IMAGES] * 3, -1) / 255),
    "labelled images": (zoo.conditional_vae(3, backbone=Conv((4, 8)), **FAST), IMAGES),
    "double precision": (zoo.linear(3, precision="float64", **FAST), rows_for("linear")),
    "single precision": (zoo.vae(3, **FAST), rows_for("vae").astype(np.float32)),
    "large offset": (zoo.vae(3, **FAST), rows_for("vae") + 1e6),
    "gaps": (zoo.imputer(3, **FAST), np.where(rows_for("vae") < 6, np.nan, rows_for("vae"))),
    "series": (zoo.tcn(3, width=4, **FAST), rows_for("tcn")[:, None]),
    "both directions": (zoo.recurrent(3, width=8, **FAST), rows_for("tcn")[:, None]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_array_is_reconstructed_in_its_layout(kind, tmp_path):
    template, X = KINDS[kind]
    model = template.fit(X, LABELS)
    isthmus.export(model, tmp_path / "net.onnx", X=X)
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    (port,), few = session.get_inputs(), X[:7]
    dtype = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}.get(port.type, np.float64)
    found, expected = session.run(None, {port.name: few.astype(dtype)})[0], model.reconstruct(few)
    assert found.shape == expected.shape
    step = 1.0 if X.dtype == np.uint8 else 0.0
    np.testing.assert_allclose(found.astype(float), expected, rtol=1e-5, atol=1e-4 * np.nanstd(X) + step)


@pytest.mark.parametrize("part", ["reconstruct", "encoder", "decoder", "score"])
def test_tables_keep_their_columns(part, tmp_path):
    model = zoo.tabular_vae(3, n_clusters=2, **FAST).fit(TABLE)
    certificate = isthmus.export(model, tmp_path / "net.onnx", part, TABLE)
    names = [port["name"] for port in certificate.inputs]
    used = [field.name for field in model.schema_.used]
    assert names == (["codes"] if part == "decoder" else used)
    if part == "reconstruct":
        session, feeds = feeds_of(tmp_path / "net.onnx", TABLE)
        found = dict(zip([port.name for port in session.get_outputs()], session.run(None, feeds), strict=True))
        expected = model.reconstruct(TABLE)
        assert found["reconstruction.city"].ravel().tolist() == expected["city"].tolist()
        np.testing.assert_allclose(found["reconstruction.spent"].ravel(), expected["spent"], rtol=1e-4)
        days = found["reconstruction.joined"].ravel().view("datetime64[us]")
        np.testing.assert_array_equal(days, expected["joined"].astype("datetime64[us]"))


def test_a_pixel_that_is_black_in_all_rows_differs_by_the_rounding_of_the_others(tmp_path):
    images = load_digits().data
    model = Autoencoder(8, backbone=MLP((32,)), max_epochs=20, random_state=0).fit(images)
    assert images[:, 0].max() == 0
    certificate = isthmus.export(model, tmp_path / "m.onnx", X=images[:200])
    assert max(check.difference for check in certificate.checks) < 1e-4


def test_bagged_autoencoders_reconstruct_by_their_consensus(tmp_path):
    model = BaggedAutoencoders(zoo.tabular_vae(3, n_clusters=2, **FAST), 5, random_state=0).fit(TABLE)
    isthmus.export(model, tmp_path / "net.onnx", X=TABLE)
    session, feeds = feeds_of(tmp_path / "net.onnx", TABLE)
    found = dict(zip([port.name for port in session.get_outputs()], session.run(None, feeds), strict=True))
    assert found["reconstruction.city"].ravel().tolist() == model.reconstruct(TABLE)["city"].tolist()


def test_numbers_as_categories_and_labels(tmp_path):
    table = pd.DataFrame({"size": np.tile([1, 2, 5], 40), "x": rows_for("vae")[:, 0]})
    model = zoo.conditional_vae(2, schema={"size": "category"}, **FAST).fit(table, np.where(LABELS, "a", "b"))
    isthmus.export(model, tmp_path / "net.onnx", X=table)
    isthmus.export(model, tmp_path / "decoder.onnx", "decoder")
    session = onnxruntime.InferenceSession(tmp_path / "decoder.onnx")
    codes = np.zeros((2, 2), np.float32)
    values = session.run(None, {"codes": codes, "label": np.array([["a"], ["b"]], object)})
    expected = model.inverse_transform(codes, np.array(["a", "b"]))
    np.testing.assert_allclose(values[1].ravel(), expected["x"], rtol=1e-5)
    assert values[0].ravel().tolist() == expected["size"].tolist()


# Detectors


@pytest.fixture(scope="module", params=["default", "autoencoder", "bagged"])
def detector(request):
    estimators = {
        "default": ExemplarDistance(),
        "autoencoder": zoo.vae(2, **FAST),
        "bagged": BaggedAutoencoders(zoo.autoencoder(2, **FAST), 3),
    }
    return AnomalyDetector(estimators[request.param], fpr=0.05, n_folds=2, random_state=0).fit(TABLE)


def test_alarms_are_those_of_the_detector_without_isthmus_and_torch(detector, tmp_path):
    path = tmp_path / "detector.onnx"
    isthmus.export(detector, path, X=TABLE)
    rows = make_table(1000)
    rows.loc[::7, "city"] = "Paris"
    rows.loc[::11, "constant"] = "other"
    rows.loc[::13, "spent"] = np.nan
    rows.loc[::17, "spent"] = 1e5
    rows.loc[::19, "joined"] += pd.Timedelta(days=900)
    rows.to_parquet(tmp_path / "rows.parquet")
    program = f"""
import sys, numpy as np, pandas as pd, onnxruntime
session = onnxruntime.InferenceSession({str(path)!r})
table = pd.read_parquet({str(tmp_path / "rows.parquet")!r})
feeds = {{}}
for port in session.get_inputs():
    cells = table[[port.name]]
    if port.type == "tensor(string)":
        feeds[port.name] = cells.fillna("").to_numpy(object)
    elif port.type == "tensor(int64)":
        feeds[port.name] = cells.astype("datetime64[us]").to_numpy().view(np.int64)
    else:
        feeds[port.name] = cells.to_numpy(np.float64)
score, is_anomaly = session.run(["score", "is_anomaly"], feeds)
np.savez({str(tmp_path / "found.npz")!r}, score=score, is_anomaly=is_anomaly)
assert not {{"isthmus", "torch"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    found = np.load(tmp_path / "found.npz")
    expected = detector.predict(rows) == -1
    assert 0.2 < expected.mean() < 0.9
    np.testing.assert_array_equal(found["is_anomaly"], expected)


def test_a_calibration_row_at_the_threshold_is_no_alarm(tmp_path):
    X = rows_for("vae")
    detector = AnomalyDetector(zoo.vae(2, **FAST), fpr=0.1, calibration="split", random_state=0).fit(X)
    assert detector.offset_ in detector.score_samples(X)
    assert largest(isthmus.export(detector, tmp_path / "d.onnx", X=X)) <= 1e-4


@pytest.mark.parametrize("score_from", ["encoder", "decoder", "latent", ("latent", "encoder", "decoder")])
def test_parts_of_scores(score_from, tmp_path):
    X = rows_for("vae")
    detector = AnomalyDetector(zoo.vae(2, **FAST), n_folds=2, score_from=score_from, random_state=0).fit(X)
    assert largest(isthmus.export(detector, tmp_path / "d.onnx", X=X)) <= 1e-4


def test_without_rows_a_detector_is_compared_on_its_reference_rows(tmp_path):
    detector = AnomalyDetector(n_folds=2, random_state=0).fit(rows_for("vae"))
    certificate = isthmus.export(detector, tmp_path / "d.onnx", "score")
    assert certificate.checks[0].n_rows == N


# Files


def test_the_certificate_lies_beside_and_within_the_file(tmp_path):
    X = rows_for("vae")
    certificate = isthmus.export(zoo.vae(2, **FAST).fit(X), tmp_path / "net.onnx", "encoder", X)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["net.certificate.json", "net.onnx"]
    beside = json.loads((tmp_path / "net.certificate.json").read_text())
    inside = {each.key: each.value for each in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert json.loads(inside["isthmus.certificate"]) == beside == json.loads(certificate.to_json())
    rows = {check["rows"]: check for check in beside["checks"]}
    assert {"rows", "1 row", "2 rows", "17 rows", "constant rows", "extreme rows", "float64 input"} <= set(rows)
    assert "missing values" in rows["missing cells"]["note"]


@pytest.mark.parametrize("part", ["reconstruct", "score"])
def test_torch_programs_read_codes_of_categories(part, tmp_path):
    model = zoo.tabular_vae(3, n_clusters=2, **FAST).fit(TABLE)
    certificate = isthmus.export(model, tmp_path / "net.pt2", part, TABLE)
    program = torch.export.load(tmp_path / "net.pt2").module()
    empty = {"string": torch.zeros(2, 1, dtype=torch.int64), "int64": torch.full((2, 1), np.iinfo(np.int64).min)}
    inputs = [empty.get(port["dtype"], torch.full((2, 1), 30.0).double()) for port in certificate.inputs]
    assert len(program(*inputs)[0]) == 2


def test_the_decoder_alone_is_exported(tmp_path):
    model = zoo.vae(2, **FAST).fit(rows_for("vae"))
    isthmus.export(Decoder(model), tmp_path / "net.onnx")
    (weights,) = [onnx.load(tmp_path / "net.onnx").graph.initializer]
    assert not [each.name for each in weights if "encoder" in each.name]


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_files_hold_no_paths_of_the_machine_that_wrote_them(suffix, tmp_path):
    X = rows_for("recurrent")
    isthmus.export(small("recurrent").fit(X), tmp_path / f"net{suffix}", X=X)
    content = (tmp_path / f"net{suffix}").read_bytes()
    assert str(pathlib.Path(torch.__file__).parent).encode() not in content
    assert str(pathlib.Path(isthmus.__file__).parent).encode() not in content


def test_a_full_disk_leaves_both_files_as_they_were(tmp_path):
    """A limit of the size of a file stands for a full disk; this program fits into the buffer of its file."""
    X, path = rows_for("linear"), tmp_path / "net.onnx"
    model = zoo.linear(2, **FAST).fit(X)
    isthmus.export(model, path, "decoder")
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    program, certificate = len(before[path]), len(before[path.with_suffix(".certificate.json")])
    assert certificate < program < io.DEFAULT_BUFFER_SIZE
    with limited_file_size((program + certificate) // 2), pytest.raises(OSError, match="too large"):
        isthmus.export(zoo.linear(2, max_epochs=1, random_state=1).fit(X), path, "decoder")
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_named():
    with pytest.raises(OSError, match="cannot write '/sys/net.onnx'"):
        isthmus.export(zoo.linear(2, **FAST).fit(rows_for("linear")), "/sys/net.onnx")


# Precision


def weights_of(path, kind):
    """Return the number of values of each constant with at least two axes and a type."""
    each = onnx.load(path).graph.initializer
    return sum(int(np.prod(c.dims)) for c in each if len(c.dims) > 1 and c.data_type == kind)


@pytest.mark.parametrize(("precision", "kind"), [("float16", "FLOAT16"), ("int8", "INT8")])
@pytest.mark.parametrize("name", ["vae", "convolutional", "recurrent", "sequence_vae"])
def test_weights_are_stored_with_fewer_bits(name, precision, kind, tmp_path):
    X = rows_for(name)
    model = small(name, 3).fit(X)
    certificate = isthmus.export(model, tmp_path / "net.onnx", "score", X, precision=precision, max_error=0.3)
    sizes = [weight.numel() for weight in model.module_.backbone.parameters() if weight.ndim > 1]
    expected = sum(size for size in sizes if size > formats.MAX_FOLDED)
    assert weights_of(tmp_path / "net.onnx", getattr(onnx.TensorProto, kind)) == expected > 0
    assert 0 < certificate.checks[0].mean_difference <= certificate.checks[0].difference < 0.3
    X = X[:50]
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    found = session.run(None, {"X": X.astype(np.float64)})[0]
    np.testing.assert_allclose(found, model.score_samples(X), atol=0.3 * np.ptp(model.score_samples(X)))


@pytest.mark.parametrize("suffix", [".onnx", ".pt2"])
def test_a_smaller_detector_states_the_share_of_other_decisions(suffix, tmp_path):
    net = zoo.autoencoder(8, hidden=(256, 256), **FAST)
    detector = AnomalyDetector(net, fpr=0.1, calibration="split", random_state=0).fit(TABLE)
    made = isthmus.export(detector, tmp_path / f"d{suffix}", X=TABLE, precision="int8")
    n_weights = 2 * 256 * 256
    assert made.n_bytes_full - made.n_bytes > 2.9 * n_weights
    assert made.checks[0].n_decisions == N
    assert made.tolerance == 0.1
    if suffix == ".onnx":
        session, feeds = feeds_of(tmp_path / "d.onnx", TABLE)
        score, is_anomaly = session.run(["score", "is_anomaly"], feeds)
        expected = detector.score_samples(TABLE)
        assert made.checks[0].n_different == (is_anomaly != (detector.predict(TABLE) == -1)).sum()
        scale = expected.std() + np.abs(expected - expected.mean()) + 0.01 * np.abs(expected)
        relative = np.abs(score - expected) / scale
        assert made.checks[0].mean_difference == pytest.approx(relative.mean(), rel=0.01)
        assert made.checks[0].difference == pytest.approx(relative.max(), rel=0.01)


def test_what_is_not_precise_enough_is_refused(tmp_path):
    X, path = rows_for("vae"), tmp_path / "net.onnx"
    model = small("vae").fit(X)
    with pytest.raises(ValueError, match=r"int8 is not precise enough .*: the mean relative difference is .*1e-05"):
        isthmus.export(model, path, X=X, precision="int8", max_error=1e-5)
    with pytest.raises(ValueError, match=r"precision must be one of \['float16', 'int8'\] or None, got 'int4'"):
        isthmus.export(model, path, X=X, precision="int4")
    with pytest.raises(ValueError, match=r"max_error must be a number in \(0, 1\), got 3"):
        isthmus.export(model, path, X=X, precision="int8", max_error=3)
    with pytest.raises(ValueError, match="precision='int8' is for the layers of nets, and this program has none"):
        isthmus.export(ExemplarDistance(random_state=0).fit(X), path, X=X, precision="int8")
    with torch.no_grad():
        next(model.module_.backbone.decoder.parameters())[0, 0] = 1e6
    with pytest.raises(ValueError, match="float16 is not precise enough .* values overflow on rows"):
        isthmus.export(model, path, X=X, precision="float16")
    assert not list(tmp_path.iterdir())


def test_integers_represent_weights_up_to_half_a_step(rng):
    weight = torch.from_numpy(rng.normal(size=(5, 4, 3)) * np.array([1e-3, 1, 10, 0, 1e4])[:, None, None])
    stored = precision.Integers(weight.dtype)
    integers, scale = stored.right_inverse(weight)
    assert (integers.dtype, scale.shape) == (torch.int8, (5, 1, 1))
    error = (stored(integers, scale) - weight).abs()
    assert (error <= scale / 2 * (1 + 1e-12)).all()
    np.testing.assert_allclose(
        stored(integers, scale).flatten(1).abs().amax(1), weight.flatten(1).abs().amax(1), rtol=1e-14
    )


# Refusals


def break_threshold(monkeypatch):
    init = scores.DetectorScore.__init__

    def wrong(self, detector, decides):
        init(self, detector, decides)
        self.offset += 0.05 * float(np.std(detector.calibration_scores_))

    monkeypatch.setattr(scores.DetectorScore, "__init__", wrong)


def break_missing_flag(monkeypatch):
    forward = reading.NumberColumn.forward

    def wrong(self, x):
        return forward(self, torch.where(x.isnan(), 0.0, x))

    monkeypatch.setattr(reading.NumberColumn, "forward", wrong)


def break_vocabulary(monkeypatch):
    forward = reading.TextColumn.forward
    monkeypatch.setattr(reading.TextColumn, "forward", lambda self, codes: forward(self, codes.clamp(min=2)))


def break_axis(monkeypatch):
    """Compute the first row for all rows, as a frozen axis would."""
    forward = scores.DetectorScore.forward

    def wrong(self, x, surprise):
        return tuple(result[:1].expand(x.shape[0]) for result in forward(self, x, surprise))

    monkeypatch.setattr(scores.DetectorScore, "forward", wrong)


DAMAGES = [break_threshold, break_missing_flag, break_vocabulary, break_axis]


@pytest.mark.parametrize(("damage", "suffix"), [*[(each, ".pt2") for each in DAMAGES], (break_axis, ".onnx")])
def test_a_broken_program_is_refused(damage, suffix, monkeypatch, tmp_path):
    detector = AnomalyDetector(small("vae"), fpr=0.1, calibration="split", random_state=0).fit(TABLE)
    damage(monkeypatch)
    with pytest.raises(ValueError, match="differs from isthmus, so no file was written"):
        isthmus.export(detector, tmp_path / f"net{suffix}", X=TABLE)
    assert not list(tmp_path.iterdir())


def test_a_program_of_a_fixed_number_of_rows_is_refused(monkeypatch, tmp_path):
    def fixed(program, suffix):
        examples = tuple(torch.zeros(3, *port.shape, dtype=getattr(torch, port.dtype)) for port in program.inputs)
        return torch.export.export(program, examples)

    monkeypatch.setattr("isthmus.exporting.certified.trace", fixed)
    with pytest.raises(ValueError, match="the exported program fails on rows"):
        isthmus.export(zoo.vae(2, **FAST).fit(rows_for("vae")), tmp_path / "net.onnx", "score")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_named(tmp_path):
    X, path = rows_for("vae"), tmp_path / "net.onnx"
    with pytest.raises(NotFittedError):
        isthmus.export(Autoencoder(), path)
    model = Autoencoder(2, **FAST).fit(X)
    with pytest.raises(ValueError, match=r"path must end in one of \['.onnx', '.pt2'\], got '.*net.bin'"):
        isthmus.export(model, tmp_path / "net.bin")
    with pytest.raises(
        ValueError, match=r"part must be one of \['detect', 'score'\] for AnomalyDetector, got 'decoder'"
    ):
        isthmus.export(AnomalyDetector(model), path, "decoder")
    detector = AnomalyDetector(GaussianMixture(), n_folds=2).fit(X)
    with pytest.raises(ValueError, match="a detector with GaussianMixture cannot be exported"):
        isthmus.export(detector, path)
    for other in (isthmus.SeriesImputer(), isthmus.SlidingWindows()):
        with pytest.raises(ValueError, match=f"{type(other).__name__} cannot be exported; these classes can: "):
            isthmus.export(other, path)
    with pytest.raises(ValueError, match="X is needed: BaggedAutoencoders has no rows"):
        isthmus.export(BaggedAutoencoders(model, 2, random_state=0).fit(X), path)
    with pytest.raises(ValueError, match=r"the decoder of Linear\(tied=True\) shares weights with the encoder"):
        isthmus.export(zoo.linear(2, tied=True, **FAST).fit(X), path, "decoder")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("part", ["reconstruct", "encoder", "decoder", "score"])
def test_models_of_texts_are_refused(part, tmp_path):
    texts = Texts(["red and blue", "blue and red"] * 5, vocabulary="word")
    model = zoo.sequence_vae(2, width=4, max_epochs=1, random_state=0).fit(texts)
    with pytest.raises(ValueError, match="a model of texts cannot be exported, because a program has no tokenizer"):
        isthmus.export(model, tmp_path / "net.onnx", part, texts)


def test_rows_of_other_columns_and_missing_folders(tmp_path):
    model = zoo.tabular_vae(3, n_clusters=2, **FAST).fit(TABLE)
    with pytest.raises(ValueError, match="lacks columns of the training rows: 'age'"):
        isthmus.export(model, tmp_path / "net.onnx", X=TABLE.drop(columns="age"))
    with pytest.raises(OSError, match="nowhere"):
        isthmus.export(model, tmp_path / "nowhere" / "net.onnx", X=TABLE)
    assert not list(tmp_path.iterdir())


def test_missing_libraries_are_named_in_one_sentence(monkeypatch, tmp_path):
    model = Autoencoder(2, **FAST).fit(rows_for("vae"))
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"pip install 'isthmus\[export\]'"):
        isthmus.export(model, tmp_path / "net.onnx")


def test_texts_and_numbers_in_one_column_are_refused():
    field = isthmus.schema.Field("mix", "Object", "category", ("a", 1))
    with pytest.raises(ValueError, match="column 'mix' holds texts and numbers"):
        column_port(field)


# Mathematics


def test_operations_that_onnx_lacks(rng):
    p = np.concatenate([np.logspace(-12, -0.3, 200), 1 - np.logspace(-12, -0.3, 200)])
    np.testing.assert_allclose(
        operations.normal_quantile(torch.from_numpy(p)), special.ndtri(p), rtol=1e-12, atol=1e-14
    )
    x = np.logspace(-3, 6, 300)
    np.testing.assert_allclose(operations.log_gamma(torch.from_numpy(x)), special.gammaln(x), rtol=1e-11, atol=1e-12)
    steps = torch.linspace(-1000, 1000, 301, dtype=torch.float64)
    torch.testing.assert_close(operations.silu(steps), torch.nn.functional.silu(steps), rtol=1e-14, atol=0)
    edges = torch.from_numpy(np.sort(rng.integers(0, 9, (3, 13)), 1))
    values = torch.from_numpy(rng.integers(-1, 10, (3, 40)))
    for right in (False, True):
        found = operations.search_sorted(edges, values, right=right)
        assert torch.equal(found, torch.searchsorted(edges, values, right=right))


def test_the_most_frequent_value_is_the_smallest_of_several(rng):
    x = torch.from_numpy(rng.integers(3, size=(40, 6, 2)).astype(float))
    for keepdim in (False, True):
        values, places = operations.mode(x, 1, keepdim)
        assert torch.equal(values, x.mode(1, keepdim).values)
        assert torch.equal(x.gather(1, places if keepdim else places[:, None]).view_as(values), values)


def test_exemplar_scores_are_those_of_numpy(monkeypatch):
    monkeypatch.setattr(exemplars, "BLOCK", 7)  # rows are kept in several blocks, the last one of one row
    model = ExemplarDistance(random_state=0).fit(TABLE)
    reader = programs.make_reader(model)
    x = torch.from_numpy(np.concatenate([batch.x.numpy() for batch in model.read_rows(TABLE).batches(50)]))
    assert [port.name for port in reader.ports] == [field.name for field in model.schema_.used]
    found = exemplars.ExemplarScore(model)(x).numpy()
    np.testing.assert_allclose(found, model.score_samples(TABLE), rtol=1e-9, atol=1e-10)


# Command line


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command_writes_a_program_and_says_what_was_compared(tmp_path):
    TABLE.to_csv(tmp_path / "rows.csv", index=False)
    rows = isthmus.data.files.read(tmp_path / "rows.csv")
    save(AnomalyDetector(small("vae"), n_folds=2, random_state=0).fit(rows), tmp_path / "d.safetensors")
    done = run("export", tmp_path / "d.safetensors", "--to", tmp_path / "d.onnx", "--data", tmp_path / "rows.csv")
    assert done.exit_code == 0, done.output
    assert "detect of AnomalyDetector" in done.output
    assert "rows compared" in done.output
    refused = run("export", tmp_path / "d.safetensors", "--to", tmp_path / "i.onnx", "--precision", "int4")
    assert refused.exit_code == 2
    assert "precision must be one of ['float16', 'int8'] or None, got 'int4'" in refused.output
    again = run("export", tmp_path / "d.safetensors", "--to", tmp_path / "d.onnx")
    assert again.exit_code == 2
    assert "--force" in again.output
    other = run("export", tmp_path / "d.safetensors", "--to", tmp_path / "e.onnx", "--part", "encoder")
    assert other.exit_code == 2
    assert "part must be one of ['detect', 'score'] for AnomalyDetector, got 'encoder'" in other.output
    assert not (tmp_path / "e.onnx").exists()


def test_a_missing_cell_of_a_complete_column_is_read_as_the_typical_value_in_full_precision(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(13, 1, (60, 3)).round(2), columns=["a", "b", "c"])
    estimator = ExemplarDistance(small("autoencoder"), random_state=0)
    detector = AnomalyDetector(estimator, fpr=0.1, calibration="split", random_state=0).fit(table)
    certificate = isthmus.export(detector, tmp_path / "d.onnx", X=table)
    (missing,) = (check for check in certificate.checks if check.rows == "missing cells")
    assert missing.difference < 1e-6
