"""Model files: bitwise equal after loading, no code is run, and files are written completely or not at all."""

import ast
import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas
import polars
import pytest
import torch
from conftest import small
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from torch.nn import functional

import isthmus
from isthmus import AnomalyDetector, Autoencoder, load, save, storage, zoo
from isthmus.anomaly import BaggedAutoencoders
from isthmus.backbones import MLP
from isthmus.bottlenecks import Deterministic, Gaussian
from isthmus.bottlenecks.base import Bottleneck, Latent
from isthmus.data import as_source
from isthmus.likelihoods import StudentT
from isthmus.priors import Flow
from isthmus.regularizers import L1, L2

SOURCE = Path(isthmus.__file__).parent


class Sphere(Bottleneck):
    """A part of the user: codes of norm 1."""

    def build(self, n_components, shapes):
        self.z_shape = (n_components,)
        return self.z_shape, self.z_shape

    def forward(self, h, y, progress):
        return Latent(self.code_mean(h)[None], {}, h.new_zeros(1, len(h)))

    def code_mean(self, h):
        return functional.normalize(h, dim=-1)

    def clamp(self, z):
        return functional.normalize(z, dim=-1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def model(blobs):
    return small("vae").fit(blobs)


@pytest.fixture
def saved(model, path):
    save(model, path)
    return path


def assert_bit_equal(again, model, X, y=None):
    codes = model.transform(X)
    np.testing.assert_array_equal(again.transform(X), codes)
    np.testing.assert_array_equal(again.inverse_transform(codes), model.inverse_transform(codes))
    for method in ("reconstruct", "score_samples", "contributions"):
        for labels in (None, y):
            found, expected = getattr(again, method)(X, labels), getattr(model, method)(X, labels)
            assert type(found) is type(expected)
            np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(again.sample(9, random_state=3), model.sample(9, random_state=3))
    assert (again.history_, again.schema_, again.n_features_in_) == (
        model.history_,
        model.schema_,
        model.n_features_in_,
    )
    assert repr(again) == repr(model)


# Saving and loading

X, LABELS = make_blobs(100, 6, random_state=0)
NAMES = ["größe", "b c", "c", "d", "e", 'f"']
CASES = {
    "double precision": (small("vae", precision="float64"), X, None),
    "a mixture on the codes": (small("vae", prior=GaussianMixture(3, random_state=0)), X, None),
    "a Bayesian mixture": (small("vae", prior=BayesianGaussianMixture(n_components=2, max_iter=500)), X, None),
    "a kernel density": (small("vae", prior="kde"), X, None),
    "a flow": (small("vae", prior=Flow(n_layers=2, width=8)), X, None),
    "a density for each label": (small("conditional_vae", prior="mixture"), X, LABELS),
    "a flow for each label": (small("conditional_vae", prior=Flow(n_layers=1, width=4)), X, LABELS),
    "flags of masking": (small("vae", corruption="masking"), X, None),
    "salt and pepper": (small("vae", corruption="salt_pepper"), X, None),
    "several regularizers": (small("autoencoder", regularizers=(L1(0.1), L2(0.2))), X, None),
    "parts by name": (small("vae", backbone="linear", bottleneck="deterministic", likelihood="student_t"), X, None),
    "batch normalisation": (small("vae", backbone=MLP((8,), norm="batch")), X, None),
    "capacity": (small("vae", bottleneck=Gaussian(capacity=2.0, warmup=0.5)), X, None),
    "missing cells": (small("vae"), np.where(X > 8, np.nan, X), None),
    "timestamps": (small("vae"), X + [1.7e9, 0, 0, 0, 0, 0], None),
    "images": (small("vae"), X.reshape(-1, 1, 2, 3), None),
    "labels of text": (small("conditional_vae"), X, np.array(["a", "b", "ö"])[LABELS]),
    "labels of numbers": (small("conditional_vae"), X, LABELS + 0.25),
    "pandas": (small("vae"), pandas.DataFrame(X, columns=NAMES), None),
    "pandas without names": (small("vae"), pandas.DataFrame(X), None),
    "polars": (small("vae"), polars.DataFrame(X, schema=NAMES), None),
    "a source": (small("vae"), as_source(X), None),
}


@pytest.mark.parametrize("case", CASES)
def test_everything_is_bit_equal_after_save_and_load(case, path):
    model, rows, labels = CASES[case]
    model = clone(model).fit(rows, labels)
    save(model, path)
    assert_bit_equal(load(path), model, rows, labels)


def test_names_of_columns_are_checked_after_loading(path):
    frame = pandas.DataFrame(X, columns=NAMES)
    save(small("autoencoder").fit(frame), path)
    again = load(path)
    assert list(again.feature_names_in_) == NAMES
    with pytest.raises(ValueError, match="X lacks columns of the training rows: 'c'"):
        again.transform(frame.rename(columns={"c": "x"}))


def test_numbers_of_numpy_are_saved_as_plain_ones(path):
    save(small("vae", learning_rate=np.float32(0.5), likelihood=StudentT(df=np.float64(5.0))).fit(X), path)
    again = load(path)
    assert (again.learning_rate, again.likelihood.df) == (0.5, 5.0)
    assert type(again.learning_rate) is float


def test_custom_parts_are_passed_to_load(path, blobs):
    model = small("autoencoder", bottleneck=Sphere()).fit(blobs)
    save(model, path)
    assert_bit_equal(load(path, parts=[Sphere]), model, blobs)
    with pytest.raises(ValueError, match=r"Sphere' is not a class of isthmus; pass your own classes of parts to load"):
        load(path)


def test_partial_fit_continues_a_loaded_model(saved, blobs):
    again = load(saved)
    before = again.transform(blobs)
    again.partial_fit(blobs)
    assert len(again.history_) == 3
    assert not np.array_equal(again.transform(blobs), before)
    np.testing.assert_array_equal(again.fit(blobs).transform(blobs), before)


def test_a_loaded_model_can_be_saved_again(saved, model, blobs, tmp_path):
    save(load(saved), tmp_path / "again.safetensors")
    assert_bit_equal(load(tmp_path / "again.safetensors"), model, blobs)
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_files_leave_out_devices_and_functions(path, blobs):
    save(small("vae", callbacks=[print_nothing], device=torch.device("cpu")).fit(blobs), path)
    again = load(path)
    assert (again.callbacks, again.device) == ((), "auto")


def print_nothing(state):
    return None


def test_a_generator_as_seed_is_left_out(path, blobs):
    model = small("vae", random_state=np.random.RandomState(0)).fit(blobs)
    save(model, path)
    assert load(path).random_state is None
    np.testing.assert_array_equal(load(path).transform(blobs), model.transform(blobs))


# Nothing is executed


def test_the_file_is_safetensors_with_a_json_header(saved, model):
    tensors = load_file(saved)
    weights = model.module_.state_dict()
    assert {name.removeprefix("module.") for name in tensors} == set(weights)
    with safe_open(saved, framework="pt") as file:
        document = json.loads(file.metadata()["isthmus"])
    assert document["format"] == 2
    assert document["isthmus"] == isthmus.__version__
    assert storage.read_document(saved) == {k: v for k, v in document.items() if k not in ("checksum", "tensors")}
    assert document["estimator"]["params"]["bottleneck"]["class"] == "bottlenecks.Gaussian"
    assert document["schema"]["shape"] == [6]


def test_nothing_in_the_package_imports_a_pickler():
    names = {name.split(".")[0] for file in SOURCE.rglob("*.py") for name in imported(file)}
    assert "torch" in names
    assert not names & {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def imported(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_nothing_in_the_package_executes_what_it_reads():
    calls = [
        node
        for file in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
    ]
    assert calls
    assert not {ast.unparse(call.func) for call in calls} & {"torch.load", "torch.save", "eval", "exec"}
    assert "allow_pickle=True" not in {ast.unparse(keyword) for call in calls for keyword in call.keywords}


def metadata_of(path):
    with safe_open(path, framework="pt") as file:
        return file.metadata()


def rewrite(path, change):
    """Change the document of a model file, leaving its tensors, and make the checksum fit."""
    tensors, document = storage.read(path)
    change(document)
    storage.write(path, tensors, document)


FOREIGN = [
    "os.system",
    "subprocess.Popen",
    "sklearn.svm.SVC",
    "isthmus.storage.write",
    "bottlenecks.os",
    "antigravity.Gaussian",
]


@pytest.mark.parametrize("name", FOREIGN)
def test_a_class_of_another_package_is_refused_and_not_imported(saved, name):
    before = set(sys.modules)
    rewrite(saved, lambda document: document["estimator"]["params"]["bottleneck"].update({"class": name}))
    with pytest.raises(ValueError, match=f"'{name}' is not a class of isthmus"):
        load(saved)
    assert not {"sklearn.svm", "antigravity"} & (set(sys.modules) - before)


DAMAGES = {
    "a foreign estimator": (lambda d: d["estimator"].update({"class": "SVC"}), "holds a 'SVC', expected one of"),
    "a foreign density": (
        lambda d: (
            d["estimator"]["params"].update(prior="mixture"),
            d["fitted"].update(prior={"frequencies": [1.0], "estimators": [{"class": "os.system", "params": {}}]}),
        ),
        "'os.system' is not a class of isthmus",
    ),
    "a newer format": (
        lambda d: d.update(format=99),
        "has format 99, and this version of isthmus reads format 2: update isthmus",
    ),
    "an unknown parameter": (
        lambda d: d["estimator"]["params"].update(learnin_rate=1.0),
        "no parameter 'learnin_rate'; did you mean 'learning_rate'",
    ),
    "an unknown parameter of a part": (
        lambda d: d["estimator"]["params"]["bottleneck"]["params"].update(bta=1.0),
        "Gaussian has no parameter 'bta'; did you mean 'beta'",
    ),
    "a bad parameter": (
        lambda d: d["estimator"]["params"]["bottleneck"]["params"].update(beta=-1.0),
        "beta of Gaussian must be >= 0, got -1",
    ),
    "another width": (
        lambda d: d["estimator"]["params"].update(n_components=3),
        "damaged: its header does not fit its tensors",
    ),
    "another shape": (lambda d: d["schema"].update(shape=[7]), "damaged: its header does not fit its tensors"),
    "no schema": (lambda d: d.pop("schema"), "damaged"),
    "no estimator": (lambda d: d.pop("estimator"), "damaged"),
    "a schema that is a number": (lambda d: d.update(schema=3), "a schema must be an object, got 3"),
    "parameters that are a list": (lambda d: d["estimator"].update(params=[1]), "damaged"),
    "a class that is a list": (lambda d: d["estimator"]["params"]["bottleneck"].update({"class": ["x"]}), "damaged"),
    "an odd object": (lambda d: d["estimator"]["params"].update(bottleneck={"run": "me"}), "'class' and 'params'"),
}


def test_a_file_of_another_state_of_this_version_says_what_to_do(saved):
    rewrite(saved, lambda document: document["estimator"]["params"].update(lost=True))
    written = f"it was written by isthmus {isthmus.__version__}, in another state of that version: fit the model again"
    with pytest.raises(ValueError, match=f"Autoencoder has no parameter 'lost'; {written}"):
        load(saved)


@pytest.mark.parametrize("name", ["autoencoder", "conditional_vae", "sparse"])
@pytest.mark.parametrize("reader", [load, storage.read_document])
def test_a_file_of_an_earlier_version_says_what_to_do(name, reader):
    path = Path(__file__).parent / "files" / "models_of_0.1.0" / f"{name}.safetensors"
    message = "was written by isthmus 0.1.0: fit the model again, or load the file with that version"
    with pytest.raises(ValueError, match=message):
        reader(path)


@pytest.mark.parametrize("case", DAMAGES)
def test_a_header_with_wrong_entries_is_refused(saved, case):
    change, message = DAMAGES[case]
    rewrite(saved, change)
    with pytest.raises(ValueError, match=message):
        load(saved)


def test_a_missing_tensor_is_refused(saved):
    tensors = load_file(saved)
    tensors.popitem()
    save_file(tensors, saved, metadata=metadata_of(saved))
    with pytest.raises(ValueError, match="damaged: its tensors have changed since it was saved"):
        load(saved)


def test_a_truncated_file_is_refused_at_any_length(saved):
    whole = saved.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    lengths = {0, 1, 7, 8, 9, header - 1, header, header + 1, len(whole) - 1, *range(0, len(whole), len(whole) // 20)}
    for length in lengths:
        saved.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is damaged or not a model file of isthmus"):
            load(saved)


def flipped(saved, bits, n_positions=60):
    """Write the file with some bits of one byte of the header flipped, at many positions in turn."""
    whole = saved.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for position in range(0, header, header // n_positions):
        saved.write_bytes(whole[:position] + bytes([whole[position] ^ bits]) + whole[position + 1 :])
        yield position


def test_a_header_byte_that_is_not_utf8_is_refused(saved):
    for _ in flipped(saved, 0xFF):
        with pytest.raises(ValueError, match="damaged|not a model file"):
            load(saved)


def test_a_changed_letter_in_the_header_changes_a_value_or_is_refused(saved):
    """With another digit the file may still be a model; otherwise the error must be a ValueError."""
    outcomes = set()
    for _ in flipped(saved, 0x01):
        try:
            outcomes.add(type(load(saved)))
        except ValueError as error:
            outcomes.add(type(error))
    assert ValueError in outcomes


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x80\x04\x95", b"PK\x03\x04" + b"\0" * 100, b"\xff" * 64, b"\0" * 64], ids=repr
)
def test_other_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged or not a model file of isthmus"):
        load(path)


@pytest.mark.parametrize(
    "metadata", [None, {"format": "pt"}, {"isthmus": "{"}, {"isthmus": "3"}, {"isthmus": "[]"}], ids=repr
)
def test_safetensors_files_of_other_programs_are_refused(path, metadata):
    save_file({"weight": torch.zeros(3)}, path, metadata=metadata)
    with pytest.raises(ValueError, match="is a safetensors file, but not a model file of isthmus"):
        load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no model file '.*nowhere\.safetensors'"):
        load(tmp_path / "nowhere.safetensors")
    with pytest.raises(FileNotFoundError, match="there is no model file"):
        load(tmp_path)


# What cannot be saved


def test_an_unfitted_estimator_cannot_be_saved(path):
    with pytest.raises(NotFittedError):
        save(zoo.vae(), path)
    assert not path.exists()


def test_another_object_cannot_be_saved(path):
    with pytest.raises(ValueError, match=r"save takes one of \[.*'Autoencoder', .*\], got GaussianMixture"):
        save(GaussianMixture(), path)


@pytest.mark.parametrize("name", ["corruption", "optimizer"])
def test_a_function_cannot_be_saved_and_its_parameter_is_named(name, path, blobs):
    function = {"corruption": torch.clone, "optimizer": torch.optim.Adam}[name]
    model = small("vae", **{name: function}).fit(blobs)
    with pytest.raises(ValueError, match=f"Autoencoder.{name} cannot be saved: .* is neither a plain value nor a part"):
        save(model, path)
    assert not path.exists()


# All or nothing


def test_a_new_file_replaces_the_old_one(saved, blobs):
    save(small("autoencoder").fit(blobs), saved)
    assert load(saved).bottleneck.get_params() == Deterministic().get_params()
    assert os.listdir(saved.parent) == [saved.name]


def test_a_file_has_the_permissions_of_any_new_file(saved, tmp_path):
    other = tmp_path / "other"
    other.touch()
    assert saved.stat().st_mode == other.stat().st_mode


def test_a_missing_folder_is_named(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder '.*missing'"):
        save(model, tmp_path / "missing" / "model.safetensors")


def test_a_failure_while_writing_leaves_the_old_file_and_no_other(saved):
    old = saved.read_bytes()

    def write_half():
        with storage.replacing(saved) as file:
            file.write(b"half of a mod")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_half()
    assert saved.read_bytes() == old
    assert os.listdir(saved.parent) == [saved.name]


def test_a_full_disk_leaves_the_old_file_and_no_other(saved):
    """The limit on the size of files stops the writing like a full disk, with an OSError."""
    resource = pytest.importorskip("resource")
    model, old = load(saved), saved.read_bytes()
    # Python ignores the signal SIGXFSZ, so that writing raises.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save(model, saved)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert saved.read_bytes() == old
    assert os.listdir(saved.parent) == [saved.name]


def test_paths_may_be_strings(model, tmp_path):
    save(model, str(tmp_path / "text.safetensors"))
    assert isinstance(load(str(tmp_path / "text.safetensors")), Autoencoder)


# Sizes in the header

GREEDY = {
    "a huge code": lambda d: d["estimator"]["params"].update(n_components=10**7),
    "a huge layer": lambda d: d["estimator"]["params"]["backbone"]["params"].update(hidden={"tuple": [10**6, 10**6]}),
    "many layers": lambda d: d["estimator"]["params"]["backbone"]["params"].update(hidden={"tuple": [1] * 10**5}),
    "a huge sample": lambda d: d["schema"].update(shape=[10**9]),
    "huge axes": lambda d: d["schema"].update(shape=[10**6, 10**6, 10**6]),
    "an infinite code": lambda d: d["estimator"]["params"].update(n_components=float("inf")),
}


@pytest.mark.parametrize("case", GREEDY)
def test_a_header_cannot_allocate_more_than_its_tensors_need(saved, case):
    rewrite(saved, GREEDY[case])
    with pytest.raises(ValueError, match="cannot load|damaged"):
        load(saved)


MISFITS = {
    "dtype": lambda d: d["inner"]["schema"].update(dtype="zoo"),
    "library": lambda d: d["inner"]["schema"].update(container="x"),
    "vocabulary": lambda d: d["inner"]["schema"].update(vocabulary="x"),
    "no scores": lambda d: d["fitted"].update(kinds=[]),
    "another score": lambda d: d["fitted"].update(kinds=["x"]),
    "name of a column": lambda d: d["fitted"]["novelty"]["columns"][0].update(name=[[]]),
    "levels of a column": lambda d: d["fitted"]["novelty"]["columns"][0].update(levels=[{}]),
}


@pytest.fixture(scope="module")
def detector_of_a_table(tmp_path_factory):
    rng = np.random.default_rng(0)
    table = pandas.DataFrame({"a": rng.normal(size=120), "c": rng.choice(["x", "y"], 120)})
    path = tmp_path_factory.mktemp("detector") / "d.safetensors"
    save(AnomalyDetector(zoo.tabular_vae(2, max_epochs=1), random_state=0).fit(table), path)
    return path


@pytest.mark.parametrize("case", MISFITS)
def test_a_header_whose_parts_do_not_fit_is_refused_by_load(detector_of_a_table, path, case):
    path.write_bytes(detector_of_a_table.read_bytes())
    load(path)
    rewrite(path, MISFITS[case])
    with pytest.raises(ValueError, match="cannot load|damaged"):
        load(path)


@pytest.mark.parametrize("n_nets", [10**9, 10**5])
def test_a_header_cannot_allocate_many_nets(path, blobs, n_nets):
    save(BaggedAutoencoders(small("autoencoder"), 2, random_state=0).fit(blobs), path)
    rewrite(path, lambda d: d["inner"]["estimator"]["params"]["backbone"]["params"].update(n_nets=n_nets))
    with pytest.raises(ValueError, match="requires far more memory or operations than its tensors need"):
        load(path)


@pytest.mark.parametrize("depth", [100, 10**5])
@pytest.mark.parametrize("brackets", ["[]", '{"tuple":[]}'])
def test_nested_brackets_are_refused(saved, depth, brackets):
    half = len(brackets) // 2 if brackets == "[]" else brackets.index("]")
    nested = brackets[:half] * depth + brackets[half:] * depth
    with safe_open(saved, framework="pt") as file:
        text = file.metadata()["isthmus"]
    document = text.replace('"random_state": 0', f'"random_state": {nested}')
    assert document != text
    save_file(load_file(saved), saved, metadata={"isthmus": document})
    with pytest.raises(ValueError, match="damaged|not a model file"):
        load(saved)


EDITS = [('"missing": false', '"missing": true'), ('"beta": 1.0', '"beta": 2.0'), ('"format": 2', '"format": 0')]


@pytest.mark.parametrize(("old", "new"), EDITS)
@pytest.mark.parametrize("reader", [load, storage.read_document])
def test_any_edit_of_the_header_is_found(saved, reader, old, new):
    metadata = metadata_of(saved)
    assert old in metadata["isthmus"]
    save_file(load_file(saved), saved, metadata={"isthmus": metadata["isthmus"].replace(old, new, 1)})
    with pytest.raises(ValueError, match="damaged: its header has changed since it was saved"):
        reader(saved)


@pytest.mark.parametrize("edit", ["value", "name", "dtype", "shape"])
def test_any_edit_of_a_tensor_is_found(saved, edit):
    tensors = load_file(saved)
    name = next(name for name, tensor in tensors.items() if tensor.ndim == 2 and tensor.dtype == torch.float32)
    tensor = tensors.pop(name)
    edits = {"value": tensor + 1, "name": tensor, "dtype": tensor.view(torch.int32), "shape": tensor.T.contiguous()}
    save_file({**tensors, f"{name}x" if edit == "name" else name: edits[edit]}, saved, metadata=metadata_of(saved))
    with pytest.raises(ValueError, match="its tensors have changed since it was saved"):
        load(saved)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(saved, value):
    tensors, document = storage.read(saved)
    name = next(name for name in tensors if name.endswith("encoder.1.weight"))
    tensors[name][0, 0] = value
    storage.write(saved, tensors, document)
    with pytest.raises(ValueError, match=r"encoder.1.weight' holds values that are not finite"):
        load(saved)
