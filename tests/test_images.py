"""Images as arrays and in files: which axis is which, in and out."""

import builtins
import json
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from isthmus import Autoencoder, load, save
from isthmus.backbones import Conv
from isthmus.data import ImageFolder, as_source, image_folder
from isthmus.schema import Schema

NAMES = ["hw", "hwc", "hwc of one", "chw", "hwc of four"]
SHAPES = dict(zip(NAMES, [(7, 6), (7, 6, 3), (7, 6, 1), (3, 7, 6), (7, 6, 4)], strict=True))


def pictures(shape, n=40):
    """A bright bar at a place of its own on dark ground."""
    X = np.full((n, *shape), 20, dtype=np.uint8)
    rows = X.swapaxes(1, 2) if shape[0] == 3 else X
    rows[np.arange(n), np.arange(n) % rows.shape[1]] = 230
    return X


def small(**options):
    options = {"backbone": Conv((4, 4), activation="relu"), "max_epochs": 1, "random_state": 0, **options}
    return Autoencoder(2, **options)


# Arrays


@pytest.mark.parametrize(
    ("shape", "dtype", "sample", "layout"),
    [
        ((28, 20), "uint8", (1, 28, 20), "hw"),
        ((28, 20), "float32", (28, 20), ""),
        ((28, 20), "int64", (28, 20), ""),
        ((28, 20, 3), "uint8", (3, 28, 20), "hwc"),
        ((28, 20, 3), "float64", (3, 28, 20), "hwc"),
        ((28, 20, 4), "uint8", (4, 28, 20), "hwc"),
        ((28, 20, 1), "float32", (1, 28, 20), "hwc"),
        ((3, 28, 20), "uint8", (3, 28, 20), "chw"),
        ((1, 4, 3), "uint8", (1, 4, 3), "chw"),
        ((16, 7, 5), "float32", (16, 7, 5), ""),
        ((512, 1, 1), "float32", (512, 1, 1), ""),
        ((2, 5, 6, 7), "uint8", (2, 5, 6, 7), ""),
        ((12,), "uint8", (12,), ""),
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["array", "tensor"])
def test_images_are_told_by_shape_and_dtype(shape, dtype, sample, layout, kind):
    schema = as_source(kind(np.zeros((2, *shape), dtype))).schema
    assert (schema.shape, schema.layout, schema.dtype) == (sample, layout, dtype)


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_channels_first_and_share_memory(name):
    X = pictures(SHAPES[name])
    source = as_source(X)
    expected = X[:, None] if name == "hw" else X if name == "chw" else X.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(next(source.batches(len(X))).x, expected)
    np.testing.assert_array_equal(next(source.batches(9, seed=1)).x.sum((1, 2, 3)), [expected[0].sum()] * 9)
    assert source.values.data_ptr() == X.ctypes.data
    np.testing.assert_array_equal(source.restore(expected), X)


@pytest.mark.parametrize("backbone", ["mlp", Conv((4, 4))], ids=["mlp", "conv"])
@pytest.mark.parametrize("name", NAMES)
def test_images_come_back_as_they_came(name, backbone):
    X = pictures(SHAPES[name])
    model = small(backbone=backbone).fit(X)
    results = [model.reconstruct(X), model.sample(len(X)), model.inverse_transform(model.transform(X)), model.impute(X)]
    assert [(result.shape, result.dtype) for result in results] == [(X.shape, np.uint8)] * 4
    np.testing.assert_array_equal(results[-1], X)
    as_floats = model.reconstruct(X.astype(np.float32))
    assert as_floats.dtype == np.float32
    np.testing.assert_array_equal(np.rint(as_floats), results[0])


def test_bytes_are_rounded_and_stay_in_their_range():
    source = as_source(np.zeros((1, 2, 2), np.uint8))
    given = source.restore(np.array([[[[-7.0, 1.4], [1.6, 300.0]]]]))
    assert (given.dtype, given.tolist()) == (np.uint8, [[[0, 1], [2, 255]]])


def test_layouts_are_learned_alike():
    """The same images in any layout make the same net."""
    X = pictures(SHAPES["hwc"])
    first, last = small().fit(X.transpose(0, 3, 1, 2).copy()), small().fit(X)
    np.testing.assert_allclose(first.transform(X), last.transform(X), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(first.reconstruct(X), last.reconstruct(X))


def test_a_fitted_model_takes_other_layouts_of_the_same_images():
    X = pictures(SHAPES["hw"])
    model = small().fit(X)
    codes = model.transform(X)
    for same in (X[:, None], X[..., None], X.astype(float), X.tolist(), torch.from_numpy(X), as_source(X[..., None])):
        np.testing.assert_array_equal(model.transform(same), codes)
    assert model.reconstruct(X[..., None]).shape == (*X.shape, 1)


def test_series_of_bytes_stay_series_where_fit_saw_series(rng):
    X = rng.random((20, 2, 16))
    model = small().fit(X)
    assert model.transform((X > 0.5).astype(np.uint8)).shape == (20, 2)


def test_bytes_have_one_scale_for_all_pixels(rng):
    dull = rng.integers(100, 120, (30, 6, 6), dtype=np.uint8) + np.arange(36, dtype=np.uint8).reshape(6, 6)
    assert small().fit(dull).likelihood_.scale == "shared"


def test_layouts_travel_in_files(tmp_path):
    X = pictures(SHAPES["hwc"])
    model = small().fit(X)
    save(model, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.schema_ == model.schema_
    np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))
    np.testing.assert_array_equal(again.sample(3, random_state=1), model.sample(3, random_state=1))


def test_files_without_a_layout_are_read():
    document = json.loads(json.dumps(Schema((1, 4, 4), dtype="uint8").to_json()))
    del document["layout"]
    assert Schema.from_json(document).layout == ""


def test_lists_of_images_are_joined():
    X = pictures(SHAPES["hwc"], n=4)
    objects = np.empty(4, dtype=object)
    objects[:] = list(X)
    for rows in (list(X), tuple(X), objects, [Image.fromarray(x) for x in X], [torch.from_numpy(x) for x in X]):
        source = as_source(rows)
        assert (source.schema.shape, source.schema.dtype, source.schema.layout) == ((3, 7, 6), "uint8", "hwc")
        np.testing.assert_array_equal(source.values, X.transpose(0, 3, 1, 2))


def ragged(kind):
    rows = [np.zeros((28, 28), np.uint8), np.zeros((28, 28), np.uint8), np.zeros((20, 28), np.uint8)]
    if kind is list:
        return rows
    objects = np.empty(3, dtype=object)
    objects[:] = rows
    return objects


FITTED = partial(small().fit, pictures(SHAPES["hwc"]))
WRONG = {
    "a list of several sizes": (lambda: as_source(ragged(list)), r"one size: .*\(28, 28\), image 2 .*\(20, 28\)"),
    "objects of several sizes": (lambda: as_source(ragged(np.array)), r"one size: .*\(28, 28\), image 2 .*\(20, 28\)"),
    "two channels": (lambda: as_source(np.zeros((5, 28, 28, 2), np.uint8)), r"1, 3 or 4 channels.* \(28, 28, 2\)"),
    "no pixels": (lambda: as_source(np.zeros((5, 0, 28), np.uint8)), r"0 feature\(s\)"),
    "another size": (
        lambda: FITTED().transform(pictures((7, 7, 3))),
        r"X has samples of shape \(7, 7, 3\), but fit saw images of shape \(7, 6, 3\)",
    ),
    "other channels": (lambda: FITTED().transform(pictures((7, 6, 1))), r"\(7, 6, 1\), but fit saw .* \(7, 6, 3\)"),
    "grey": (lambda: FITTED().score_samples(pictures((7, 6))), r"shape \(7, 6\), but fit saw images of"),
    "flattened": (lambda: FITTED().reconstruct(np.zeros((2, 126))), r"shape \(126,\), but fit saw images of"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_images_are_one_clear_sentence(case):
    call, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        call()


# Files


@pytest.fixture
def album(tmp_path, rng):
    """Return a folder of grey and coloured images of many sizes and formats, and of a text."""
    folder = tmp_path / "album"
    (folder / "deeper").mkdir(parents=True)
    for name, shape in {"a.png": (9, 8, 3), "c.jpg": (30, 40, 3), "deeper/e.PNG": (8, 8, 4), "d.bmp": (5, 5)}.items():
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


def names(source):
    return [file.name for file in source.files]


def test_a_folder_is_read_in_the_order_of_its_files(album):
    source = ImageFolder(album, (9, 8))
    assert names(source) == ["a.png", "c.jpg", "d.bmp", "e.PNG"]
    assert (source.broken, source.schema.shape, len(source)) == ({}, (3, 9, 8), 4)
    x = next(source.batches(9)).x
    assert x.dtype == torch.uint8
    np.testing.assert_array_equal(x[0].permute(1, 2, 0), Image.open(album / "a.png"))
    grey = np.asarray(Image.open(album / "d.bmp").resize((8, 9), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(x[2], np.stack([grey] * 3))


@pytest.mark.parametrize(("mode", "layout", "channels"), [("L", "hw", 1), ("RGB", "hwc", 3), ("RGBA", "hwc", 4)])
def test_the_mode_says_what_channels_there_are(album, mode, layout, channels):
    source = ImageFolder(album, 6, mode=mode)
    assert (source.schema.shape, source.schema.layout) == ((channels, 6, 6), layout)
    values = np.zeros((4, channels, 6, 6))
    assert source.restore(values).shape == ((4, 6, 6) if mode == "L" else (4, 6, 6, channels))
    opacity = np.asarray(Image.open(album / "deeper/e.PNG").resize((6, 6), Image.Resampling.BILINEAR))[..., 3]
    if mode == "RGBA":
        np.testing.assert_allclose(next(source.batches(4)).x[3, 3], opacity, atol=1)


def test_grey_images_stay_grey_and_keep_the_upper_eight_of_sixteen_bits(tmp_path):
    deep = np.array([[0, 256], [255 * 256, 65535]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8)).save(tmp_path / "flat.png")
    source = ImageFolder(tmp_path, 2)
    assert source.schema.layout == "hw"
    assert next(source.batches(2)).x.tolist() == [[[[0, 1], [255, 255]]], [[[0, 1], [2, 3]]]]


def test_images_are_turned_as_the_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    picture = np.zeros((4, 6), np.uint8)
    picture[:, :2] = 255
    Image.fromarray(picture).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(next(ImageFolder(tmp_path, (6, 4)).batches(1)).x[0, 0], np.rot90(picture, -1))


@pytest.fixture
def spoiled(album):
    """Return the album with one file that is cut short and one that is no image."""
    whole = (album / "c.jpg").read_bytes()
    (album / "b.jpg").write_bytes(whole[: len(whole) // 2])
    (album / "f.png").write_bytes(b"nothing of the kind")
    return album


def test_broken_files_are_left_out_and_listed(spoiled):
    with pytest.warns(UserWarning, match=r"left out 2 of 6 images.*f\.png.*b\.jpg.*truncated"):
        source = ImageFolder(spoiled, 5)
    assert names(source) == ["a.png", "c.jpg", "d.bmp", "e.PNG"]
    assert {file.name for file in source.broken} == {"b.jpg", "f.png"}
    assert len(next(source.batches(9)).x) == 4


def test_a_strict_folder_refuses_broken_files(spoiled):
    (spoiled / "f.png").unlink()
    with pytest.raises(ValueError, match=r"the image '.*b\.jpg' cannot be decoded: .*truncated"):
        ImageFolder(spoiled, 5, strict=True)


def test_only_broken_files_are_an_error(spoiled):
    for name in ("a.png", "c.jpg", "d.bmp", "deeper/e.PNG"):
        (spoiled / name).unlink()
    with pytest.raises(ValueError, match=r"none of the 2 images can be decoded"):
        ImageFolder(spoiled, 5)


@pytest.mark.parametrize("size", [0, (3,), (3, 4, 5), "big", (3, 2.5), None])
def test_a_wrong_size_is_an_error(album, size):
    with pytest.raises(ValueError, match=r"size must be a positive integer or two"):
        ImageFolder(album, size)


def test_other_mistakes_of_folders(album, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"mode must be None or one of .*, got 'CMYK'"):
        ImageFolder(album, 5, mode="CMYK")
    with pytest.raises(FileNotFoundError, match="there is no folder 'nowhere'"):
        ImageFolder("nowhere", 5)
    shutil.rmtree(album / "deeper")
    for file in album.glob("*.[pjb]*"):
        file.unlink()
    with pytest.raises(FileNotFoundError, match="there is no image in the folder"):
        ImageFolder(album, 5)

    def without_pillow(name, *rest):
        if name == "PIL":
            raise ImportError(name)
        return original(name, *rest)

    original = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without_pillow)
    with pytest.raises(ImportError, match=r"isthmus\[images\]"):
        ImageFolder(album, 5)


@pytest.fixture
def many(tmp_path):
    for i, picture in enumerate(pictures((7, 6), n=30)):
        Image.fromarray(picture // 2 + i).save(tmp_path / f"{i:02}.png")
    return tmp_path


@pytest.fixture(params=["in memory", "decoded each time"])
def folder(request, many, monkeypatch):
    """Images whose ground is of another brightness each."""
    if request.param == "decoded each time":
        monkeypatch.setattr(image_folder, "CACHE", 0)
    return ImageFolder(many, (7, 6))


def brightness(source, **options):
    return [int(x.min()) - 10 for batch in source.batches(4, **options) for x in batch.x]


def test_rows_and_files_go_together(folder):
    assert brightness(folder) == list(range(30))
    assert sorted(brightness(folder, seed=1)) == list(range(30))
    assert brightness(folder, seed=1) == brightness(folder, seed=1) != list(range(30))
    kept, aside = folder.split(5, seed=0)
    assert sorted(brightness(kept) + brightness(aside)) == list(range(30))
    assert [int(file.stem) for file in aside.files] == brightness(aside)
    assert brightness(folder.take(np.array([7, 3])).take(np.array([1]))) == [3]
    assert folder.take(np.array([7, 3])).load().values.shape == (2, 1, 7, 6)
    assert sorted(brightness(folder, share=(0, 2)) + brightness(folder, share=(1, 2))) == list(range(30))


def test_models_learn_from_folders(folder, many):
    model = small(max_epochs=2).fit(folder)
    X = np.stack([np.asarray(Image.open(file)) for file in sorted(many.iterdir())])
    np.testing.assert_array_equal(model.transform(folder), model.transform(X))
    np.testing.assert_allclose(model.transform(X), small(max_epochs=2).fit(X).transform(X), rtol=1e-4, atol=1e-5)
    rebuilt = model.reconstruct(folder)
    assert (rebuilt.shape, rebuilt.dtype) == ((30, 7, 6), np.uint8)
    conditional = small(conditional=True).fit(folder.load(), np.arange(30) % 2)
    assert conditional.sample(3, y=1).shape == (3, 7, 6)


def test_a_file_that_vanishes_is_named(many, monkeypatch):
    monkeypatch.setattr(image_folder, "CACHE", 0)
    folder = ImageFolder(many, (7, 6))
    (many / "03.png").unlink()
    with pytest.raises(ValueError, match=r"03\.png' cannot be decoded"):
        brightness(folder)
