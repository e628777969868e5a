"""Images as arrays and in files: layouts of input and results."""

import builtins
import json
import os
import shutil
import struct
import warnings
import zlib
from functools import partial

import numpy as np
import PIL
import pytest
import torch
from PIL import Image

from isthmus import Autoencoder, load, save
from isthmus.backbones import Conv
from isthmus.data import ImageFolder, as_source
from isthmus.data.images import folder as image_folder
from isthmus.doctor import examine
from isthmus.schema import Schema

NAMES = ["hw", "hwc", "hwc of one", "chw", "hwc of four"]
SHAPES = dict(zip(NAMES, [(7, 6), (7, 6, 3), (7, 6, 1), (3, 7, 6), (7, 6, 4)], strict=True))


def pictures(shape, n=40):
    """Images of a bright bar at different positions on a dark background."""
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
        ((28, 20), "uint16", (1, 28, 20), "hw"),
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
def test_images_are_recognised_by_shape_and_dtype(shape, dtype, sample, layout, kind):
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
    np.testing.assert_array_equal(source.to_container(expected), X)


@pytest.mark.parametrize("backbone", ["mlp", Conv((4, 4))], ids=["mlp", "conv"])
@pytest.mark.parametrize("name", NAMES)
def test_reconstructed_images_have_the_layout_and_dtype_of_the_input(name, backbone):
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
    given = source.to_container(np.array([[[[-7.0, 1.4], [1.6, 300.0]]]]))
    assert (given.dtype, given.tolist()) == (np.uint8, [[[0, 1], [2, 255]]])


def test_all_layouts_give_equal_models():
    """The same images in any layout give the same net."""
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


def test_byte_series_are_series_if_fit_saw_series(rng):
    X = rng.random((20, 2, 16))
    model = small().fit(X)
    assert model.transform((X > 0.5).astype(np.uint8)).shape == (20, 2)


def test_byte_images_have_one_scale_for_all_pixels(rng):
    dull = rng.integers(100, 120, (30, 6, 6), dtype=np.uint8) + np.arange(36, dtype=np.uint8).reshape(6, 6)
    assert small().fit(dull).likelihood_.scale == "shared"


def test_layouts_are_saved_in_files(tmp_path):
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


def test_lists_of_grey_images_of_16_bits_are_images():
    X = pictures(SHAPES["hw"], n=4).astype(np.uint16)
    source = as_source(list(X))
    assert (source.schema.shape, source.schema.dtype, source.schema.layout) == ((1, 7, 6), "uint16", "hw")
    np.testing.assert_array_equal(source.to_container(np.full((4, 1, 7, 6), 70_000.0)), np.full((4, 7, 6), 65_535))


def ragged(kind):
    rows = [np.zeros((28, 28), np.uint8), np.zeros((28, 28), np.uint8), np.zeros((20, 28), np.uint8)]
    if kind is list:
        return rows
    objects = np.empty(3, dtype=object)
    objects[:] = rows
    return objects


FITTED = partial(small().fit, pictures(SHAPES["hwc"]))
WRONG = {
    "a list of several sizes": (
        lambda: as_source(ragged(list)),
        r"one size: .* 28 x 28 values, image 2 is of 20 x 28 values",
    ),
    "objects of several sizes": (
        lambda: as_source(ragged(np.array)),
        r"one size: .* 28 x 28 values, image 2 is of 20 x 28 values",
    ),
    "two channels": (lambda: as_source(np.zeros((5, 28, 28, 2), np.uint8)), r"1, 3 or 4 channels.* 28 x 28 x 2 values"),
    "no pixels": (lambda: as_source(np.zeros((5, 0, 28), np.uint8)), r"0 feature\(s\)"),
    "another size": (
        lambda: FITTED().transform(pictures((7, 7, 3))),
        r"X has rows of 7 x 7 x 3 values, but fit saw images of 7 x 6 x 3 values",
    ),
    "other channels": (
        lambda: FITTED().transform(pictures((7, 6, 1))),
        r"7 x 6 x 1 values, but fit saw images of 7 x 6 x 3",
    ),
    "grey": (lambda: FITTED().score_samples(pictures((7, 6))), r"rows of 7 x 6 values, but fit saw images of"),
    "flattened": (lambda: FITTED().reconstruct(np.zeros((2, 126))), r"rows of 126 columns, but fit saw images of"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_images_are_refused_in_one_sentence(case):
    call, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        call()


# Files


@pytest.fixture
def album(tmp_path, rng):
    """Return a folder of grey and colour images of many sizes and formats, and a text file."""
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
def test_the_mode_decides_about_the_channels(album, mode, layout, channels):
    source = ImageFolder(album, 6, mode=mode)
    assert (source.schema.shape, source.schema.layout) == ((channels, 6, 6), layout)
    values = np.zeros((4, channels, 6, 6))
    assert source.to_container(values).shape == ((4, 6, 6) if mode == "L" else (4, 6, 6, channels))
    opacity = np.asarray(Image.open(album / "deeper/e.PNG").resize((6, 6), Image.Resampling.BILINEAR))[..., 3]
    if mode == "RGBA":
        np.testing.assert_allclose(next(source.batches(4)).x[3, 3], opacity, atol=1)


def deep(folder, dtype, highest, n=12, name="png"):
    """Write grey images with a bar of the highest value at different positions on a dark background."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        picture = np.zeros((7, 6), dtype)
        picture[i % 7] = highest
        Image.fromarray(picture).save(folder / f"{i:02}.{name}")
    return folder


DEEP = {
    "10 bits": ("uint16", 1000, "png", "0 to 1023"),
    "12 bits": ("uint16", 4095, "png", "0 to 4095"),
    "12 bits in tiff": ("uint16", 2100, "tif", "0 to 4095"),
    "16 bits": ("uint16", 65535, "tiff", "0 to 65535"),
    "integers of 32 bits": ("int32", 1_000_000, "tif", "0 to 1e\\+06"),
    "floats to 1": ("float32", 0.75, "tif", "0 to 1"),
    "small floats": ("float32", 3e-6, "tif", "0 to 1"),
    "large floats": ("float32", 2e7, "tif", "0 to 2e\\+07"),
    "negative floats": ("float32", -40.0, "tif", "-40 to 0"),
}


@pytest.mark.parametrize("kind", DEEP)
def test_images_of_16_bits_keep_their_values_and_the_range_is_printed(kind, tmp_path):
    dtype, highest, name, told = DEEP[kind]
    folder = deep(tmp_path, dtype, highest, name=name)
    with pytest.warns(UserWarning, match=f"12 of 12 images hold .*: their range is {told}; results come back in it"):
        source = ImageFolder(folder, (7, 6))
    assert (source.schema.layout, source.schema.dtype) == ("hw", dtype)
    X = next(source.batches(12)).x.numpy()[:, 0]
    expected = np.zeros((12, 7, 6))
    expected[np.arange(12), np.arange(12) % 7] = highest
    np.testing.assert_allclose(X, expected, rtol=1e-6)
    assert source.to_container(X[:, None]).dtype == dtype
    model = small(max_epochs=150, learning_rate=1e-2).fit(source)
    rebuilt = model.reconstruct(source)
    assert rebuilt.dtype == dtype
    bars = rebuilt[np.arange(12), np.arange(12) % 7].mean() / np.float64(highest)
    assert 0.4 < bars < 1.1
    assert model.sample(3).dtype == dtype


def test_images_of_several_dtypes_become_bytes_by_their_ranges(tmp_path):
    Image.fromarray(np.array([[0, 256], [4080, 4095]], np.uint16)).save(tmp_path / "a.png")
    Image.fromarray(np.array([[0, 1], [2, 255]], np.uint8)).save(tmp_path / "b.png")
    Image.fromarray(np.array([[-2.0, 0.0], [1.0, 2.0]], np.float32)).save(tmp_path / "c.tif")
    with pytest.warns(UserWarning, match="which becomes 0 to 255") as told:
        source = ImageFolder(tmp_path, 2)
    assert [str(warning.message) for warning in told] == [
        "1 of 3 images hold floats: their range is -2 to 2, which becomes 0 to 255",
        "1 of 3 images hold 16 bits: their range is 0 to 4095, which becomes 0 to 255",
    ]
    assert (source.schema.layout, source.schema.dtype) == ("hw", "uint8")
    x = next(source.batches(3)).x
    assert x.dtype == torch.uint8
    assert x[:, 0].tolist() == [[[0, 16], [254, 255]], [[0, 1], [2, 255]], [[0, 128], [191, 255]]]


@pytest.mark.parametrize("cache", [2**30, 0])
def test_new_images_have_the_scale_of_those_of_fit(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(image_folder, "CACHE", cache)
    old, new = deep(tmp_path / "old", "uint16", 4095), deep(tmp_path / "new", "uint16", 900)
    deep(old, "uint8", 200, n=3, name="bmp")
    with pytest.warns(UserWarning, match="0 to 4095"):
        model = small(conditional=True).fit(source := ImageFolder(old, (7, 6)), np.arange(15) % 2)
    assert source.schema.ranges == (("uint16", 0.0, 4095.0), ("uint8", 0.0, 255.0))
    save(model, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    later = ImageFolder(new, like=again)
    assert later.schema.dtype == "uint8"
    assert next(later.batches(1)).x.max() == round(900 / 4095 * 255)
    with pytest.warns(UserWarning, match="0 to 1023"):
        own = ImageFolder(new, (7, 6))
    np.testing.assert_array_equal(again.transform(own), again.transform(later))
    np.testing.assert_array_equal(again.transform(own.take(np.array([4, 2]))), again.transform(later)[[4, 2]])
    labels = np.arange(12) % 2
    np.testing.assert_array_equal(again.reconstruct(own, labels), again.reconstruct(later, labels))


def test_new_grey_images_suit_a_coloured_model(tmp_path):
    (tmp_path / "old").mkdir()
    for i, picture in enumerate(pictures((7, 6, 3), n=12)):
        Image.fromarray(picture).save(tmp_path / "old" / f"{i}.png")
    model = small().fit(ImageFolder(tmp_path / "old", (7, 6)))
    (tmp_path / "new").mkdir()
    Image.fromarray(pictures((7, 6), n=1)[0]).save(tmp_path / "new" / "grey.png")
    codes = model.transform(ImageFolder(tmp_path / "new", (7, 6)))
    np.testing.assert_array_equal(codes, model.transform(ImageFolder(tmp_path / "new", like=model)))
    with pytest.raises(ValueError, match=r"X has rows of 3 x 5 x 5 values, but fit saw rows of 3 x 7 x 6 values"):
        model.transform(ImageFolder(tmp_path / "new", 5))


def test_missing_pixels_of_floats_stay_missing_and_infinite_ones_are_broken(tmp_path):
    folder = deep(tmp_path, "float32", 5.0, name="tif")
    for name, value in {"hole.tif": np.nan, "far.tif": np.inf}.items():
        Image.fromarray(np.full((7, 6), value, np.float32)).save(folder / name)
    with pytest.warns(UserWarning, match="infinite values|range is 0 to 5"):
        source = ImageFolder(folder, (7, 6))
    assert [file.name for file in source.broken] == ["far.tif"]
    assert next(source.batches(13)).x[12].isnan().all()


@pytest.mark.parametrize(("background", "shown"), [("white", [255, 255, 255]), ("#102030", [16, 32, 48])])
@pytest.mark.parametrize("kind", ["RGBA", "LA", "P"])
def test_transparent_images_are_composed_on_a_background(kind, background, shown, tmp_path):
    picture = np.zeros((4, 4, 4), np.uint8)
    picture[:2, :, 3] = 255
    image = Image.fromarray(picture)
    image = image.quantize() if kind == "P" else image.convert(kind)
    assert image.mode == kind
    image.save(tmp_path / "a.png")
    source = ImageFolder(tmp_path, mode="RGB", background=background)
    x = next(source.batches(1)).x[0]
    assert x[:, 0, 0].tolist() == [0, 0, 0]
    assert x[:, 3, 0].tolist() == shown
    assert next(ImageFolder(tmp_path, mode="RGBA").batches(1)).x[0, 3].tolist() == [[255] * 4] * 2 + [[0] * 4] * 2


def test_a_transparent_colour_is_composed_on_the_background(tmp_path):
    picture = np.zeros((4, 4), np.uint8)
    picture[:2] = 7
    Image.fromarray(picture).save(tmp_path / "a.png", transparency=7)
    assert next(ImageFolder(tmp_path, background="#404040").batches(1)).x[0, 0, :, 0].tolist() == [64, 64, 0, 0]


YCBCR = pytest.param(
    "YCbCr",
    marks=pytest.mark.skipif(
        tuple(map(int, PIL.__version__.split(".")[:2])) < (12, 1),
        reason="Pillow before 12.1 cannot read what it writes",
    ),
)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", YCBCR, "I;16", "I", "F"])
def test_images_of_every_mode_are_read(mode, tmp_path):
    ramp = Image.fromarray(np.linspace(0, 255, 64).reshape(8, 8).round().astype(np.uint8))
    image = ramp.convert("RGB").convert(mode) if mode in ("CMYK", "YCbCr") else ramp.convert(mode)
    image.save(tmp_path / "a.tif")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        x = next(ImageFolder(tmp_path, 8, mode="L").batches(1)).x[0, 0].float()
    assert np.corrcoef(x.flatten(), np.arange(64))[0, 1] > (0.6 if mode == "1" else 0.99)


def test_the_first_of_several_frames_is_used(tmp_path):
    frames = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (200, 100, 0)]
    for name in ("a.gif", "b.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    with pytest.warns(UserWarning, match=r"2 of 2 images have several frames or pages: the first is used \('a.gif'\)"):
        source = ImageFolder(tmp_path)
    assert next(source.batches(2)).x.unique().tolist() == [200]


def test_a_warning_says_that_16_bit_colours_are_read_with_8_bits(tmp_path):
    (tmp_path / "a.png").write_bytes(png_of_16_bits(np.full((3, 4, 3), 40_000)))
    with pytest.warns(UserWarning, match=r"1 of 1 images have colours of 16 bits, which are read with 8 \('a.png'\)"):
        source = ImageFolder(tmp_path)
    assert next(source.batches(1)).x.unique().tolist() == [40_000 // 256]


def png_of_16_bits(pixels):
    """Return a PNG file of colours (height, width, 3), which Pillow cannot write."""
    height, width, _ = pixels.shape
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0),
        b"IDAT": zlib.compress(lines),
        b"IEND": b"",
    }
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_hidden_and_system_files_are_skipped(album):
    for place in (".git", ".thumbnails", "__MACOSX", "@eaDir", "$RECYCLE.BIN", "deeper/.cache", "deeper/@eaDir"):
        (album / place).mkdir()
        (album / place / "copy.png").write_bytes((album / "a.png").read_bytes())
    for name in ("._a.png", ".hidden.png", "Thumbs.db", ".DS_Store", "desktop.ini"):
        (album / name).write_bytes(b"no image")
    assert names(ImageFolder(album, 5)) == ["a.png", "c.jpg", "d.bmp", "e.PNG"]


def test_a_hidden_folder_given_by_name_is_read(album):
    assert len(ImageFolder(album.rename(album.with_name(".album")), 5)) == 4


def test_labels_are_the_subfolders(album):
    (album / "cats" / "black").mkdir(parents=True)
    for name in ("cats/1.png", "cats/black/2.png"):
        (album / name).write_bytes((album / "a.png").read_bytes())
    source = ImageFolder(album, 5)
    assert source.labels.tolist() == ["", "", "cats", "cats", "", "deeper"]
    assert source.take(np.array([5, 2])).labels.tolist() == ["deeper", "cats"]
    model = small(conditional=True).fit(source, source.labels)
    assert model.schema_.condition.categories == ("", "cats", "deeper")
    assert model.sample(2, y="cats").shape == (2, 5, 5, 3)


def test_a_folder_prints_in_one_line(album):
    assert repr(ImageFolder(album, (9, 8))) == f"<ImageFolder {str(album)!r}: 4 coloured images, 9 x 8, uint8>"


def test_a_path_without_folder_or_images_is_refused(tmp_path):
    Image.new("L", (6, 5)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match=r"a.png' is a file: give the folder that it lies in"):
        ImageFolder(tmp_path / "a.png")
    with pytest.warns(
        UserWarning, match=r"left out 1 of 2 images that cannot be decoded: '.*b.png': it is not an image$"
    ):
        folder = ImageFolder(tmp_path)
    assert "1 grey image, 5 x 6" in repr(folder)


def test_without_the_option_size_images_keep_theirs(album, tmp_path):
    with pytest.raises(ValueError, match=r"the images have 4 sizes, from 5 x 5 to 30 x 40: .* size=\(height, width\)"):
        ImageFolder(album)
    shutil.copytree(album, tmp_path / "same")
    for file in sorted((tmp_path / "same").rglob("*.[pjb]*")):
        Image.open(file).resize((8, 9)).save(file)
    (tmp_path / "same" / "deeper" / "e.PNG").unlink()
    assert ImageFolder(tmp_path / "same").schema.shape == (3, 9, 8)


def test_images_are_rotated_by_their_exif_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    picture = np.zeros((4, 6), np.uint8)
    picture[:, :2] = 255
    Image.fromarray(picture).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(next(ImageFolder(tmp_path, (6, 4)).batches(1)).x[0, 0], np.rot90(picture, -1))
    assert ImageFolder(tmp_path).schema.shape == (1, 6, 4)


@pytest.fixture
def spoiled(album):
    """Return the folder with one truncated file and one file that is not an image."""
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


def test_a_folder_of_only_broken_files_is_refused(spoiled):
    for name in ("a.png", "c.jpg", "d.bmp", "deeper/e.PNG"):
        (spoiled / name).unlink()
    with pytest.raises(ValueError, match=r"none of the 2 images can be decoded"):
        ImageFolder(spoiled, 5)


@pytest.mark.parametrize("size", [0, (3,), (3, 4, 5), "big", (3, 2.5)])
def test_a_wrong_size_is_refused(album, size):
    with pytest.raises(ValueError, match=r"size must be a positive integer or two"):
        ImageFolder(album, size)


def test_impossible_options_of_folders_are_refused(album, tmp_path, monkeypatch):
    for colour in ("no colour", (1, 2), (0, 0, 300), 7):
        with pytest.raises(ValueError, match=r"background must be a colour|unknown color"):
            ImageFolder(album, 5, background=colour)
    with pytest.raises(ValueError, match=r"like must be a model that was fitted on images"):
        ImageFolder(album, 5, like=small().fit(np.zeros((20, 4)) + np.arange(4)))
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
    """Images whose backgrounds have different brightness."""
    if request.param == "decoded each time":
        monkeypatch.setattr(image_folder, "CACHE", 0)
    return ImageFolder(many, (7, 6))


def brightness(source, **options):
    return [int(x.min()) - 10 for batch in source.batches(4, **options) for x in batch.x]


def test_rows_are_in_the_order_of_the_files(folder):
    assert brightness(folder) == list(range(30))
    assert sorted(brightness(folder, seed=1)) == list(range(30))
    assert brightness(folder, seed=1) == brightness(folder, seed=1) != list(range(30))
    kept, aside = folder.split(5, seed=0)
    assert sorted(brightness(kept) + brightness(aside)) == list(range(30))
    assert [int(file.stem) for file in aside.files] == brightness(aside)
    assert brightness(folder.take(np.array([7, 3])).take(np.array([1]))) == [3]
    assert folder.take(np.array([7, 3])).load().values.shape == (2, 1, 7, 6)
    assert sorted(brightness(folder, shard=(0, 2)) + brightness(folder, shard=(1, 2))) == list(range(30))


def test_models_can_be_fitted_to_folders(folder, many):
    model = small(max_epochs=2).fit(folder)
    X = np.stack([np.asarray(Image.open(file)) for file in sorted(many.iterdir())])
    np.testing.assert_array_equal(model.transform(folder), model.transform(X))
    np.testing.assert_allclose(model.transform(X), small(max_epochs=2).fit(X).transform(X), rtol=1e-4, atol=1e-5)
    rebuilt = model.reconstruct(folder)
    assert (rebuilt.shape, rebuilt.dtype) == ((30, 7, 6), np.uint8)
    conditional = small(conditional=True).fit(folder.load(), np.arange(30) % 2)
    assert conditional.sample(3, y=1).shape == (3, 7, 6)


def test_the_doctor_examines_folders(many):
    first = (many / "00.png").read_bytes()
    (many / "new").mkdir()
    (many / "new" / "copy.png").write_bytes(first)
    folder = ImageFolder(many, (7, 6))
    findings = examine(folder, small(), test={"new": ImageFolder(many / "new", (7, 6))})
    assert any("new" in str(finding) for finding in findings)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in folders")
def test_pipes_and_broken_links_are_not_read(many):
    os.mkfifo(many / "pipe.png")
    (many / "lost.png").symlink_to(many / "nowhere.png")
    assert len(ImageFolder(many, (7, 6))) == 30


def test_a_file_that_vanishes_is_named(many, monkeypatch):
    monkeypatch.setattr(image_folder, "CACHE", 0)
    folder = ImageFolder(many, (7, 6))
    (many / "03.png").unlink()
    with pytest.raises(ValueError, match=r"03\.png' cannot be decoded"):
        brightness(folder)
