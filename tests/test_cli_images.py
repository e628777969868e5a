"""Folders of images on the command line."""

import json

import numpy as np
import pyarrow.csv
import pytest
from matplotlib.figure import Figure
from PIL import Image
from typer.testing import CliRunner

from isthmus import load
from isthmus.cli.app import app
from isthmus.data import ImageFolder

# Messages for images whose values are not bytes; test_images.py checks their text.
pytestmark = pytest.mark.filterwarnings("ignore:.*images hold")
QUICK = ["--set", "max_epochs=2", "--set", "n_components=3"]


def picture(rng, odd=False):
    """Draw a blurred spot on a gradient; an anomalous image has a black square."""
    y, x = np.mgrid[:14, :12]
    values = 0.2 + 0.3 * x / 12 + 0.4 * np.exp(-((x - rng.uniform(3, 9)) ** 2 + (y - rng.uniform(3, 11)) ** 2) / 8)
    values += 0.01 * rng.standard_normal(values.shape)
    if odd:
        values[2:7, 6:11] = 0
    return values


def store(path, values, kind):
    """Write one image: bytes as PNG, 12 bits and floats as TIFF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = {
        "png": (255 * values).astype(np.uint8),
        "tif": (4095 * values).astype(np.uint16),
        "tiff": values.astype(np.float32),
    }
    Image.fromarray(pixels[kind]).save(path.with_suffix(f".{kind}"))


@pytest.fixture
def album(tmp_path, rng, monkeypatch):
    """Return a folder of normal images of three dtypes, and a folder of new images of which one is anomalous."""
    monkeypatch.chdir(tmp_path)
    for i in range(60):
        store(tmp_path / "good" / "ab"[i % 2] / f"{i:02}", picture(rng), ("png", "tif", "tiff")[i % 3])
    for i in range(6):
        store(tmp_path / "new" / f"{i}", picture(rng, odd=i == 4), ("png", "tif", "tiff")[i % 3])
    (tmp_path / "good" / "Thumbs.db").write_bytes(b"no image")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def succeed(*arguments):
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return done.output


def fail(*arguments):
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    sentence = done.stderr.strip()
    assert "Traceback" not in done.output
    assert sentence.startswith("isthmus: ")
    return sentence.splitlines()[-1]


@pytest.fixture
def model(album):
    said = succeed("fit", "good", "--out", "m.safetensors", *QUICK)
    assert "good: 60 grey images of 14 x 12" in said
    return "m.safetensors"


def test_a_folder_of_mixed_files_goes_through_all_commands(album, model):
    names = [f"{i}.{('png', 'tif', 'tiff')[i % 3]}" for i in range(6)]
    succeed("transform", model, "new", "--out", "codes.csv")
    codes = pyarrow.csv.read_csv("codes.csv").to_pandas()
    net = load(model)
    assert codes.columns.tolist() == ["file", *net.get_feature_names_out()]
    assert codes["file"].tolist() == names
    images = ImageFolder("new", like=net)
    np.testing.assert_allclose(codes.iloc[:, 1:], net.transform(images), rtol=1e-5)
    succeed("score", model, "new")
    scores = pyarrow.csv.read_csv("new.scores.csv").to_pandas()
    np.testing.assert_allclose(scores["score"], net.score_samples(images), rtol=1e-6)
    assert "wrote rebuilt: 6 images" in succeed("reconstruct", model, "new", "--out", "rebuilt")
    files = sorted((album / "rebuilt").iterdir())
    assert [file.name for file in files] == [f"{i}.png" for i in range(6)]
    np.testing.assert_array_equal(list(map(read, files)), net.reconstruct(images))
    succeed("sample", model, "-n", 12, "--out", "drawn", "--seed", 1)
    drawn = sorted((album / "drawn").iterdir())
    assert [file.name for file in drawn] == [f"{i:02}.png" for i in range(1, 13)]
    expected = net.sample(12, sample_values=False, random_state=1)
    np.testing.assert_array_equal(list(map(read, drawn)), expected)


def test_scores_of_images_of_the_fit_are_not_compared_in_silence(album, model):
    assert "the model has learned from all but 6 of these 60 rows" in succeed("score", model, "good")
    assert "has learned" not in succeed("score", model, "new")


def test_a_folder_that_was_fitted_is_judged_by_the_images_that_fit_held_out(album, rng):
    for i in range(60):
        store(album / "good" / "c" / f"{i:02}", picture(rng), "png")
    said = succeed("fit", "good", "--out", "m.safetensors", *QUICK)
    assert "--model convolutional" in said
    succeed("report", "m.safetensors", "good", "--json", "--out", "r.html")
    report = json.loads((album / "r.json").read_text())
    assert report["subtitle"] == "Judged on 12 images of good. They were held out of the fit."
    worst = report["sections"]["reconstructions"]["largest"]
    assert len({each["row"] for each in worst}) == len(worst)
    assert all((album / "good" / each["row"]).is_file() for each in worst)
    page = (album / "r.html").read_text()
    assert worst[0]["row"] in page
    assert "<code>isthmus detect</code> ranks all images" in page


def test_subfolders_are_kept_and_equal_names_are_told_apart(album, model):
    Image.fromarray(np.zeros((14, 12), np.uint8)).save("good/a/00.bmp")
    succeed("reconstruct", model, "good")
    found = {file.relative_to(album / "good.rebuilt").as_posix() for file in (album / "good.rebuilt").rglob("*.png")}
    assert {"a/00.png.png", "a/00.bmp.png", "b/01.tif.png"} <= found
    assert len(found) == 61


def test_heat_maps_state_the_scores_in_the_list_of_alarms(album, monkeypatch):
    """Images of fit are scored by nets that were not fitted on them, and explained by the last net."""
    titles = []
    monkeypatch.setattr(Figure, "suptitle", lambda _, text: titles.append(text))
    succeed("detect", "good", "--fpr", "0.05", "--out", "alarms.csv", "--heatmaps", "maps", *QUICK)
    alarms = pyarrow.csv.read_csv("alarms.csv").to_pandas()
    assert len(alarms) > 1
    assert alarms["p_value"].is_monotonic_increasing
    assert titles == [f"{name}, score {score:.4g}" for name, score in zip(alarms["file"], alarms["score"], strict=True)]


def test_the_worst_images_are_listed_and_drawn(album):
    said = succeed("detect", "good", "--fpr", "0.05", "--top", 1, "--out", "worst.csv", "--heatmaps", "maps", *QUICK)
    assert "wrote worst.csv: the worst 1 of " in said
    assert len(pyarrow.csv.read_csv("worst.csv")) == len(list((album / "maps").iterdir())) == 1


def test_anomalies_are_listed_and_drawn(album):
    options = ["--out", "alarms.csv", "--heatmaps", "maps", "--save", "d.safetensors", "--set", "max_epochs=15"]
    said = succeed("detect", "new", "--normal", "good", *options)
    assert "wrote maps: 1 heat map" in said
    assert "wrote alarms.csv: 1 alarm (less than 1 false alarm expected if all 6 images are normal)" in said
    alarms = pyarrow.csv.read_csv("alarms.csv").to_pandas()
    assert alarms["file"].tolist() == ["4.tif"]
    assert [file.name for file in (album / "maps").iterdir()] == ["4.png"]
    assert read("maps/4.png").shape[1] > 300
    succeed("detect", "new", "--detector", "d.safetensors")
    assert (album / "new.alarms.csv").read_text() == (album / "alarms.csv").read_text()
    found = run("detect", "new", "--detector", "d.safetensors", "--out", "code.csv", "--exit-code")
    assert found.exit_code == 1
    succeed("score", "d.safetensors", "new")
    scores = pyarrow.csv.read_csv("new.scores.csv").to_pandas()
    assert scores.columns.tolist() == ["file", "score", "p_value", "is_anomaly"]
    assert scores["is_anomaly"].tolist() == [False] * 4 + [True, False]


def test_images_of_16_bits_and_floats_come_back_in_their_range(tmp_path, rng, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for i in range(30):
        store(tmp_path / "deep" / f"{i}", picture(rng), "tif")
        store(tmp_path / "floats" / f"{i}", picture(rng), "tiff")
    for name, suffix, highest in (("deep", "png", 4095), ("floats", "tif", 1)):
        succeed("fit", name, "--set", "max_epochs=40", "--set", "n_components=3")
        succeed("reconstruct", f"{name}.safetensors", name)
        rebuilt = read(f"{name}.rebuilt/0.{suffix}")
        assert 0.5 < rebuilt.max() / highest < 1.05


def test_look_summarizes_a_folder_of_images(album):
    said = succeed("look", "good")
    assert "images          60, grey" in said
    assert "height x width  14 x 12" in said
    assert "subfolders      a 30, b 30" in said
    assert "resizes" not in said


def test_the_doctor_looks_at_images(album):
    assert "good: 60 grey images" in succeed("doctor", "good", "--test", "new")
    Image.fromarray(np.zeros((14, 12), np.uint8)).save("good/a/00.bmp")
    Image.fromarray(np.zeros((14, 12), np.uint8)).save("new/9.bmp")
    assert "new" in succeed("doctor", "good", "--test", "new")


def test_labels_are_the_subfolders(album):
    succeed("fit", "good", "--model", "conditional_vae", "--out", "c.safetensors", *QUICK)
    assert load("c.safetensors").schema_.condition.categories == ("a", "b")
    succeed("sample", "c.safetensors", "-n", 2, "--condition", "a", "--out", "as")
    assert len(list((album / "as").iterdir())) == 2
    assert "subfolders of 'new' are the labels: a conditional model needs at least two" in fail(
        "fit", "new", "--model", "conditional_vae"
    )


def test_images_of_several_sizes_are_resized(tmp_path, rng, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mix").mkdir()
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (20 + i, 30, 3), dtype=np.uint8)).save(tmp_path / "mix" / f"{i}.jpg")
    (tmp_path / "mix" / "broken.jpg").write_bytes((tmp_path / "mix" / "3.jpg").read_bytes()[:200])
    with pytest.warns(UserWarning, match="left out 1 of 13 images"):
        assert "mix: 12 coloured images, resized to 64 x 64" in succeed("fit", "mix", *QUICK)
    assert load("mix.safetensors").schema_.shape == (3, 64, 64)
    with pytest.warns(UserWarning, match="left out 1 of 13 images"):
        succeed("fit", "mix", "--size", "8x9", "--force", *QUICK)
    assert load("mix.safetensors").schema_.shape == (3, 8, 9)


def test_only_force_writes_into_an_existing_folder(album, model):
    (album / "out").mkdir()
    (album / "out" / "0.png").write_bytes(b"mine")
    (album / "out" / "notes.txt").write_text("mine")
    sentence = fail("reconstruct", model, "new", "--out", "out")
    assert sentence == "isthmus: 'out' contains files; choose another folder, or add --force"
    assert (album / "out" / "0.png").read_bytes() == b"mine"
    succeed("reconstruct", model, "new", "--out", "out", "--force")
    assert read("out/0.png").shape == (14, 12)
    assert (album / "out" / "notes.txt").read_text() == "mine"
    assert not [file for file in album.iterdir() if file.name.endswith(".part")]


WRONG = {
    "an empty folder": (("fit", "empty"), "neither an image nor a .parquet file in the folder 'empty'"),
    "a table to prepare": (("prepare", "good", "x.csv"), "'good' is a folder of images, but this command takes tables"),
    "broken files alone": (("fit", "broken"), "none of the 1 images can be decoded"),
    "one image": (("fit", "one"), "2 to train on and 1 to hold out"),
    "no size": (("fit", "good", "--size", "big"), "--size must be height and width such as 64x48"),
    "a size of nothing": (("fit", "good", "--size", "0x9"), "--size must be height and width such as 64x48"),
    "a size of rows": (
        ("fit", "t.csv", "--size", "8", "--force"),
        "--size is for folders of images, but 't.csv' is not one",
    ),
    "columns": (("fit", "good", "--columns", "a"), "'good' has no column names"),
    "a column of labels": (("fit", "good", "--condition", "a"), "labels of images are their subfolders"),
    "processes": (("fit", "good", "--workers", 2), "--workers takes Parquet files, but 'good' is a folder of images"),
    "a file as folder": (("reconstruct", "m.safetensors", "new", "--out", "t.csv"), "it is a file"),
    "the name of a file": (
        ("reconstruct", "m.safetensors", "new", "--out", "rebuilt.csv"),
        "images are written to a folder, but 'rebuilt.csv' is the name of a file",
    ),
    "the folder itself": (
        ("reconstruct", "m.safetensors", "new", "--out", "new/x"),
        "would be read as one of the files",
    ),
    "no such place": (("reconstruct", "m.safetensors", "new", "--out", "a/b"), "there is no folder 'a'"),
    "draws": (("impute", "m.safetensors", "new", "--draws", 2), "--draws and --intervals fill rows of tables"),
    "contributions": (
        ("score", "m.safetensors", "new", "--contributions"),
        "use detect --heatmaps instead of --contributions",
    ),
    "a model of rows": (("transform", "t.safetensors", "new"), "but the model was fitted on rows of 2 columns"),
    "a folder of rows": (
        ("sample", "t.safetensors", "--out", "x"),
        "the model was fitted on a table: give a file such as new.csv",
    ),
    "reasons": (("detect", "new", "--explain", 1), "--heatmaps DIR draws the anomalies in images"),
    "a series": (("detect", "new", "--plot", "x.png"), "--plot is for tables and series"),
    "times": (("detect", "new", "--time", "t"), "--heatmaps DIR draws the anomalies in images"),
    "heat maps of rows": (("detect", "t.csv", "--heatmaps", "x"), "--heatmaps is for folders of images"),
    "a fitted detector of a size": (
        ("detect", "new", "--detector", "m.safetensors", "--size", "8"),
        "--size is not used with --detector",
    ),
}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("wrong"), np.random.default_rng(0)
    for i in range(20):
        store(folder / "good" / f"{i}", picture(rng), "png")
        store(folder / "new" / f"{i}", picture(rng), "png")
    store(folder / "one" / "a", picture(rng), "png")
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "a.png").write_bytes(b"no image")
    (folder / "t.csv").write_text("a,b\n" + "".join(f"{i % 7},{i % 5}\n" for i in range(30)))
    for data, name in (("good", "m"), ("t.csv", "t")):
        done = run("fit", folder / data, "--out", folder / f"{name}.safetensors", *QUICK)
        assert done.exit_code == 0, done.output
    return folder


@pytest.mark.parametrize("case", WRONG)
def test_user_errors_are_one_sentence_and_leave_no_file(case, wrong, monkeypatch):
    monkeypatch.chdir(wrong)
    arguments, message = WRONG[case]
    before = sorted(wrong.rglob("*"))
    assert message in fail(*arguments)
    assert sorted(wrong.rglob("*")) == before
