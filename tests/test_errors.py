"""Lack of memory is reported as such, and not as a damaged file."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import csv, parquet

from isthmus import Autoencoder, Checkpoint, load, save, storage
from isthmus.data import ImageFolder, Parquet
from isthmus.data.files import read, write
from isthmus.errors import InputTypeError, is_out_of_memory

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
