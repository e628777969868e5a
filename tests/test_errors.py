"""Errors name the argument, its value and what is expected; lack of memory is not reported as a damaged file."""

import numpy as np
import pandas
import pyarrow as pa
import pytest
import torch
from pyarrow import csv, parquet
from sklearn.ensemble import IsolationForest

from isthmus import (
    AnomalyDetector,
    Autoencoder,
    BaggedAutoencoders,
    Checkpoint,
    Decoder,
    ExemplarDistance,
    SeriesImputer,
    SlidingWindows,
    export,
    load,
    save,
    storage,
)
from isthmus.backbones import MLP
from isthmus.baselines import judge
from isthmus.bottlenecks import Gaussian, Nested
from isthmus.data import ImageFolder, Parquet, Texts
from isthmus.data.files import read, write
from isthmus.errors import InputTypeError, is_out_of_memory
from isthmus.formatting import list_names, list_texts
from isthmus.latent import search, suggest_n_components, traverse
from isthmus.priors import Vamp

TORCH = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8000000000 bytes")


def raising(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.fixture
def model(tmp_path, rng):
    path = tmp_path / "m.safetensors"
    save(Autoencoder(2, max_epochs=1, random_state=0).fit(rng.normal(size=(50, 4))), path)
    return path


@pytest.mark.parametrize("error", [TORCH, MemoryError("Unable to allocate 8 GiB")])
@pytest.mark.parametrize(
    "place", ["isthmus.persistence.autoencoders.check_parameters", "torch.nn.Module.load_state_dict"]
)
def test_a_model_that_does_not_fit_into_memory_is_not_damaged(model, monkeypatch, error, place):
    monkeypatch.setattr(place, raising(error))
    with pytest.raises(MemoryError, match=r"there is not enough memory to load '.*m.safetensors' \(.*allocate"):
        load(model)


def test_a_file_that_cannot_be_mapped_is_not_damaged(model, monkeypatch):
    error = storage.SafetensorError("I/O error: Cannot allocate memory (os error 12)")
    monkeypatch.setattr("isthmus.storage.safe_open", raising(error))
    with pytest.raises(MemoryError, match="there is not enough memory to read"):
        storage.read_document(model)


def test_other_errors_in_building_a_model_are_damage(model, monkeypatch):
    monkeypatch.setattr("torch.nn.Module.load_state_dict", raising(RuntimeError("sizes do not match")))
    with pytest.raises(ValueError, match="is damaged: its header does not fit its tensors"):
        load(model)


def test_a_checkpoint_that_does_not_fit_into_memory_is_not_damaged(tmp_path, rng, monkeypatch):
    X = rng.normal(size=(50, 4))
    net = Autoencoder(2, max_epochs=2, callbacks=(Checkpoint(tmp_path, every=0),), random_state=0).fit(X)
    monkeypatch.setattr("isthmus.training.state.TrainState.restore", raising(TORCH))
    with pytest.raises(MemoryError, match="there is not enough memory to restore the checkpoint"):
        net.fit(X)


@pytest.mark.parametrize(
    ("suffix", "module", "function"),
    [(".csv", csv, "read_csv"), (".parquet", parquet, "read_table"), (".npy", np, "load")],
)
def test_rows_that_do_not_fit_into_memory_are_not_damaged(tmp_path, rng, monkeypatch, suffix, module, function):
    write(tmp_path / f"rows{suffix}", rng.normal(size=(20, 3)))
    for name in {function, "open_csv", "ParquetFile", "memmap"} & set(dir(module)):
        monkeypatch.setattr(module, name, raising(pa.ArrowMemoryError("malloc of size 8 failed")))
    with pytest.raises(MemoryError, match=f"there is not enough memory to read '.*rows{suffix}'"):
        read(tmp_path / f"rows{suffix}")


def test_streamed_rows_that_do_not_fit_into_memory_are_not_damaged(tmp_path, rng, monkeypatch):
    write(tmp_path / "rows.parquet", rng.normal(size=(20, 3)))
    source = Parquet(tmp_path / "rows.parquet")
    monkeypatch.setattr(parquet, "ParquetFile", raising(pa.ArrowMemoryError("malloc of size 8 failed")))
    with pytest.raises(MemoryError, match="there is not enough memory to read"):
        next(source.batches(10))


def test_an_image_that_does_not_fit_into_memory_is_not_damaged(tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(image.Image, "load", raising(MemoryError("no memory")))
    with pytest.raises(MemoryError):
        next(ImageFolder(tmp_path).batches(1))


def test_errors_of_memory_are_recognised():
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(OSError(12, "Cannot allocate memory"))
    assert not is_out_of_memory(OSError(28, "No space left on device"))


def test_an_argument_of_a_wrong_type_is_both_kinds_of_error():
    for kind in (TypeError, ValueError, InputTypeError):
        with pytest.raises(kind, match="backbone must be a "):
            Autoencoder(2, backbone=5, max_epochs=1).fit(np.eye(10))


NET = Autoencoder(2, max_epochs=1, random_state=0)
ROWS = np.random.default_rng(0).normal(size=(40, 4))
CALLS = {
    "save": (lambda path: save(NET.fit(ROWS), path), "path must be a str or a path, got "),
    "load": (load, "path must be a str or a path, got "),
    "export": (lambda path: export(NET.fit(ROWS), path), "path must be a str or a path, got "),
    "read": (read, "path must be a str or a path, got "),
    "write": (lambda path: write(path, ROWS), "path must be a str or a path, got "),
    "images": (ImageFolder, "path must be a str or a path, got "),
    "Parquet": (Parquet, "paths_or_pattern must be a str, a path or a sequence of them, got "),
    "texts": (Texts, "texts must be a sequence of texts, got "),
    "model of codes": (lambda model: search(model, np.sum), "model must be a fitted Autoencoder, got "),
    "model of rows": (lambda model: traverse(model, ROWS[0]), "model must be a fitted Autoencoder, got "),
    "model to judge": (lambda model: judge(model, ROWS, ROWS), "estimator must be a fitted Autoencoder, got "),
}


@pytest.mark.parametrize("value", [5, None])
@pytest.mark.parametrize("call", CALLS)
def test_an_argument_of_another_type_is_named(call, value):
    function, message = CALLS[call]
    with pytest.raises(InputTypeError, match=f"{message}{value}"):
        function(value)


def test_parameters_of_another_type_are_named():
    with pytest.raises(InputTypeError, match="estimator must be an Autoencoder or None, got 'vae'"):
        suggest_n_components(ROWS, "vae")
    with pytest.raises(InputTypeError, match="time must be the name of a column, a sequence of names or None, got 5"):
        SlidingWindows(time=5).fit(ROWS)
    with pytest.raises(InputTypeError, match="parts must be a sequence of classes, got 5"):
        load("model.safetensors", parts=5)
    with pytest.raises(ValueError, match="schedule must be one of .*, got \\['linear'\\]"):
        Autoencoder(schedule=["linear"]).fit(ROWS)
    with pytest.raises(ValueError, match="verbose must be an integer >= 0, got 'yes'"):
        Autoencoder(verbose="yes").fit(ROWS)


@pytest.mark.parametrize("seed", ["seed", 1.5, -1, np.random.default_rng(0)], ids=str)
@pytest.mark.parametrize("kind", [Autoencoder, AnomalyDetector, BaggedAutoencoders, SeriesImputer, SlidingWindows])
def test_a_random_state_of_another_type_is_named(kind, seed):
    with pytest.raises(
        InputTypeError, match="random_state must be None, an integer >= 0 or a numpy.random.RandomState"
    ):
        kind(random_state=seed).fit(ROWS)


OWNERS = {
    "a part": (Autoencoder(bottleneck="gaussian"), "bottleneck__beta", "bottleneck='gaussian' has no parameters"),
    "parts": (Autoencoder(), "regularizers__weight", r"regularizers=\(\) has no parameters"),
    "a part in a part": (Nested("gaussian"), "bottleneck__beta", "bottleneck='gaussian' has no parameters"),
    "a detector": (AnomalyDetector(), "estimator__n_components", "estimator=None has no parameters"),
    "bags": (BaggedAutoencoders(), "estimator__n_components", "estimator=None has no parameters"),
    "windows": (SlidingWindows(), "estimator__trim", "estimator=None has no parameters"),
    "nearest rows": (ExemplarDistance(), "estimator__trim", "estimator=None has no parameters"),
}


@pytest.mark.parametrize("case", OWNERS)
def test_a_nested_parameter_of_a_value_without_parameters_is_named(case):
    owner, name, message = OWNERS[case]
    nested = name.partition("__")[2]
    with pytest.raises(ValueError, match=f"{name} cannot be set: {message}; set .* instance .* {nested!r} first"):
        owner.set_params(**{name: 1})


def test_a_part_and_its_parameter_can_be_set_together():
    net = Autoencoder().set_params(bottleneck=Gaussian(), bottleneck__beta=4.0)
    assert net.bottleneck.beta == 4.0


ESTIMATORS = {
    "a name for a detector": (AnomalyDetector("forest"), "estimator must be None or an estimator .*, got 'forest'"),
    "a class for a detector": (
        AnomalyDetector(IsolationForest),
        r"estimator must be .*, got the class IsolationForest; create an instance: IsolationForest\(\)",
    ),
    "a class for a net": (
        BaggedAutoencoders(Autoencoder),
        "an Autoencoder or None, got the class Autoencoder",
    ),
    "a class for a part": (Autoencoder(backbone=MLP), r"backbone must be .*, got the class MLP; create .*: MLP\(\)"),
    "a class for a prior": (Autoencoder(prior=Vamp), r"prior must be .*, got the class Vamp; create .*: Vamp\(\)"),
}


@pytest.mark.parametrize("case", ESTIMATORS)
def test_a_value_that_is_no_estimator_or_part_is_named(case):
    estimator, message = ESTIMATORS[case]
    with pytest.raises(InputTypeError, match=message):
        estimator.fit(ROWS)


@pytest.mark.parametrize("call", ["sample", "copy_without_encoder"])
def test_only_an_autoencoder_has_a_decoder(call):
    with pytest.raises(InputTypeError, match="estimator must be an Autoencoder, got a value of type ndarray"):
        getattr(Decoder(ROWS), call)()


def test_a_model_larger_than_the_memory_is_refused_before_it_is_allocated():
    with pytest.raises(MemoryError, match=r"this machine has .* GiB; lower n_components \(now 10000000\)"):
        Autoencoder(10**7).fit(ROWS)


LABELS = np.zeros(40)
USES = {
    "sample": lambda net: net.sample(3, y=1),
    "decode": lambda net: net.inverse_transform(np.zeros((40, 2)), LABELS),
    "reconstruct": lambda net: net.reconstruct(ROWS, LABELS),
    "impute": lambda net: net.impute(ROWS, LABELS),
    "score": lambda net: net.score_samples(ROWS, LABELS),
    "contributions": lambda net: net.contributions(ROWS, LABELS),
}


@pytest.mark.parametrize("use", USES)
def test_labels_that_a_model_does_not_use_are_refused(use):
    with pytest.raises(ValueError, match="y must be None for a model without labels; fit with conditional=True"):
        USES[use](NET.fit(ROWS))


def test_targets_that_pipelines_pass_on_are_ignored():
    net = NET.fit(ROWS, LABELS)
    assert net.score(ROWS, LABELS) == net.score(ROWS)
    net.partial_fit(ROWS, LABELS)


def test_messages_list_few_names_and_count_the_others():
    assert list_names(["a", "b"]) == "'a', 'b'"
    assert list_names([*"abcdefgh"]) == "'a', 'b', 'c', 'd', 'e' and 3 others"
    assert list_texts(["a 1"] * 6, "; ") == "a 1; a 1; a 1; a 1; a 1 and 1 other"


def test_a_frame_without_many_columns_of_fit_is_described_in_one_line():
    frame = pandas.DataFrame(np.ones((40, 100)) * np.arange(40)[:, None]).add_prefix("c")
    net = Autoencoder(2, max_epochs=1, random_state=0).fit(frame)
    with pytest.raises(ValueError, match=r"'c0', 'c1', 'c2', 'c3', 'c4' and 95 others; .*: 'd0', .* and 95 others$"):
        net.transform(frame.rename(columns=lambda name: name.replace("c", "d")))
