import io
import re
import runpy
import sys
from contextlib import redirect_stdout

import matplotlib.image
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from isthmus import demo, load
from isthmus.data.files import read
from isthmus.demo import FILES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("demo") / "new" / "folder"


@pytest.fixture(scope="module")
def output(folder):
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as printed:
        patch.setattr(sys, "argv", ["demo", str(folder)])
        runpy.run_path(demo.__file__, run_name="__main__")
    return printed.getvalue()


def figure(output, name):
    """Return the number next to the first occurrence of a name in a table."""
    return float(re.search(rf"│ {name} +│ +([\d.]+)", output)[1])


def test_the_demo_writes_all_it_names_and_nothing_else(output, folder):
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert all(name in output for name in FILES)


def test_the_demo_beats_pca_and_the_mean_on_digits(output):
    assert figure(output, "model") < 0.7 * figure(output, "PCA") < 0.7 * figure(output, "mean")


def test_the_digits_model_gives_the_codes_and_reconstructions_that_were_written(output, folder):
    digits, model = load_digits_file(folder), load(folder / "digits.safetensors")
    codes = np.column_stack(read(folder / "digits-codes.csv").columns)
    np.testing.assert_allclose(model.transform(digits), codes, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.reconstruct(digits), np.load(folder / "digits-rebuilt.npy"), rtol=1e-4, atol=1e-4)


def load_digits_file(folder):
    return np.column_stack(read(folder / "digits.csv").columns).astype(float)


def test_the_tumour_scores_are_those_of_the_model_in_ascending_order(output, folder):
    written, tumours = read(folder / "tumour-scores.csv"), read(folder / "tumours.csv")
    scores = written["score"].to_numpy()
    model = load(folder / "tumours.safetensors")
    rows = tumours.drop_columns("diagnosis").take(written["row"])
    np.testing.assert_allclose(model.score_samples(rows), scores, rtol=1e-4, atol=1e-3)
    assert (np.diff(scores) >= 0).all()
    assert tumours["diagnosis"].take(written["row"]).to_pylist() == written["diagnosis"].to_pylist()


def test_the_area_shown_is_that_of_the_scores_written(output, folder):
    written = read(folder / "tumour-scores.csv")
    area = roc_auc_score(np.array(written["diagnosis"]) == "benign", written["score"].to_numpy())
    assert figure(output.partition("benign or malignant?")[2], "model") == pytest.approx(area, abs=1e-3)
    assert area > 0.9


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".png")])
def test_figures_are_not_empty(name, output, folder):
    assert matplotlib.image.imread(folder / name).std() > 0
