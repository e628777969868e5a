import io
import warnings
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from isthmus import AnomalyDetector, Autoencoder, BaggedAutoencoders, SlidingWindows, load, plots, save, zoo
from isthmus.anomaly import Explanation
from isthmus.backbones import MLP
from isthmus.data import Chunks, ImageFolder, Texts, Windows, as_source
from isthmus.latent import CodeSizes, traverse
from isthmus.tuning import Trial, TuningResult


@pytest.fixture
def ax():
    return Figure(layout="constrained").subplots()


@pytest.fixture(autouse=True)
def leave_no_figure_open():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fitted():
    X = np.random.default_rng(0).normal(size=(100, 4))
    return Autoencoder(2, backbone=MLP((8,)), max_epochs=4, random_state=0).fit(X)


def codes_of(n, n_components=2):
    return np.random.default_rng(0).normal(size=(n, n_components))


def write(axes):
    """Render the figure, so that matplotlib raises its errors."""
    axes.figure.savefig(io.BytesIO(), format="png")


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def n_points(axes):
    return sum(len(points.get_offsets()) for points in axes.collections)


def explanation(values):
    """Message for rows whose values are all expected to be between 0 and 1."""
    n, names = len(values), tuple(f"column {i}" for i in range(values[0].size))
    addends = np.column_stack([-np.abs(values.reshape(n, -1)), np.zeros((n, 2))])
    zero = np.zeros_like(values)
    nearest = np.zeros((n, 1), dtype=int)
    return Explanation(addends.sum(1), addends, values, zero, zero, zero + 1, nearest, [values[:1]] * n, names)


ERRORS = np.array([0.5, 0.08, 0.06])
TRIALS = [Trial(i, {}, "complete" if i < 2 else "pruned", 1.0, ERRORS[: 3 * (i < 2)]) for i in range(3)]
TUNED = TuningResult(None, TRIALS[0], TRIALS, "error", 0.0, (0.0, 0.0), {"learning_rate": 0.8, "batch_size": 0.2})
FOUND = CodeSizes(2, (1, 2), np.array([1, 2, 3]), ERRORS, ERRORS / 2, ERRORS / [0.75, 0.5, 0.25])

PICTURES = {
    "images": lambda model, ax: plots.images({"noise": codes_of(5, 16)}, ax=ax),
    "reconstructions": lambda model, ax: plots.reconstructions(model, codes_of(5, 4), shape=(2, 2), ax=ax),
    "code_map": lambda model, ax: plots.code_map(model, codes_of(20, 4), ax=ax),
    "code_sizes": lambda model, ax: plots.code_sizes(FOUND, ax=ax),
    "histogram": lambda model, ax: plots.histogram(model, codes_of(20, 4), ax=ax),
    "explain": lambda model, ax: plots.explain(model, codes_of(3, 4), ax=ax),
    "history": lambda model, ax: plots.history(model, ax=ax),
    "importance": lambda model, ax: plots.importance(TUNED, ax=ax),
    "interpolation": lambda model, ax: plots.interpolation(model, codes_of(2, 4), codes_of(2, 4), ax=ax),
    "manifold": lambda model, ax: plots.manifold(model, shape=(2, 2), ax=ax),
    "residuals": lambda model, ax: plots.residuals(model, codes_of(5, 4), ax=ax),
    "traversal": lambda model, ax: plots.traversal(model, shape=(2, 2), ax=ax),
    "trials": lambda model, ax: plots.trials(TUNED, ax=ax),
}


def test_every_plot_is_tested():
    # Plots of events need series, and are tested below.
    assert {*PICTURES, "events"} == set(plots.__all__)


@pytest.mark.parametrize("name", PICTURES)
def test_given_axes_are_used_without_pyplot(name, fitted, ax):
    assert PICTURES[name](fitted, ax) is ax
    write(ax)
    assert ax.has_data()
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", PICTURES)
def test_without_axes_one_figure_of_pyplot_is_made(name, fitted):
    axes = PICTURES[name](fitted, None)
    write(axes)
    assert plt.get_fignums() == [axes.figure.number]


# Images


class Fixed(BaseEstimator):
    """A model whose reconstructions are given arrays."""

    def __init__(self, rebuilt):
        self.rebuilt = rebuilt

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X[:, :1]

    def inverse_transform(self, Z):
        return np.asarray(self.rebuilt, dtype=float)[: len(Z)]


def test_each_version_of_images_has_a_row(ax):
    first, second = np.zeros((7, 6)), np.ones((7, 6))
    first[:, 0] = 1
    plots.images({"a": first, "b": second}, shape=(2, 3), n=4, ax=ax)
    (image,) = ax.images
    shown = image.get_array()
    assert shown.shape == (2 * (2 + 1), 4 * (3 + 1))
    np.testing.assert_array_equal(shown[:2, :3], first[0].reshape(2, 3))
    np.testing.assert_array_equal(shown[3:5, 12:15], second[3].reshape(2, 3))
    assert shown.mask[2].all()
    assert shown.mask[:, 3].all()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]


def test_fewer_images_than_asked_for_are_all_shown(ax):
    plots.reconstructions(Fixed(np.ones((3, 4))), np.ones((3, 4)), shape=(2, 2), n=10, ax=ax)
    assert ax.images[0].get_array().shape == (6, 9)


def test_images_share_the_grey_scale_of_the_first_version(ax):
    plots.reconstructions(Fixed([[-5.0, 30.0]]), [[0.0, 16.0]], shape=(1, 2), ax=ax)
    assert ax.images[0].get_clim() == (0, 16)


def test_large_values_of_grey_images_are_white(ax):
    plots.images(np.array([[0, 255], [255, 0]], np.uint8), ax=ax)
    (image,) = ax.images
    assert image.cmap(image.norm(255.0))[:3] == (1, 1, 1)
    assert image.cmap(image.norm(0.0))[:3] == (0, 0, 0)


@pytest.mark.parametrize("largest", [1.0, 255.0])
def test_colours_are_shown_in_their_range(largest, ax):
    picture = np.zeros((2, 4, 5, 3))
    picture[0, 0, 0], picture[0, 0, 1] = [largest, 0, 0], largest
    plots.images(picture.astype(np.uint8) if largest > 1 else picture, ax=ax)
    write(ax)
    shown = ax.images[0].get_array()
    assert shown.shape == (5, 12, 4)
    assert shown[0, :2].tolist() == [[1, 0, 0, 1], [1, 1, 1, 1]]
    assert (shown[:, 5, 3] == 0).all()


def test_images_of_another_shape_are_named():
    with pytest.raises(ValueError, match=r"'X': an image of shape \(2, 2\) has 4 values, got 5"):
        plots.reconstructions(Fixed(np.ones((3, 5))), np.ones((3, 5)), shape=(2, 2))


def test_residuals_are_reconstruction_minus_image_in_one_colour_scale(ax):
    X, rebuilt = np.zeros((2, 6)), np.zeros((2, 6))
    rebuilt[0, 0], rebuilt[1, 5] = 3.0, -1.0
    plots.residuals(Fixed(rebuilt), X, shape=(2, 3), ax=ax)
    write(ax)
    _, gap = ax.images
    assert gap.get_clim() == (-3, 3)
    np.testing.assert_array_equal(gap.get_array()[:2, :3], rebuilt[0].reshape(2, 3))
    np.testing.assert_array_equal(gap.get_array()[:2, 4:7], rebuilt[1].reshape(2, 3))
    assert tuple(gap.get_extent()) == (-0.5, 7.5, 8.5, 5.5)
    assert ax.get_ylim() == (8.5, -0.5)


def test_residuals_of_colours_are_averaged(ax):
    X = np.zeros((1, 12))
    plots.residuals(Fixed(X + np.tile([0.0, 0.3, 0.6], 4)), X, shape=(2, 2, 3), ax=ax)
    np.testing.assert_allclose(ax.images[1].get_array()[:2, :2], 0.3)


SHAPES = {
    "flat squares": ((9, 64), (9, 8, 8)),
    "grey": ((9, 7, 6), (9, 7, 6)),
    "one grey": ((7, 6), (1, 7, 6)),
    "one square": ((64, 64), (1, 64, 64)),
    "one flat square": ((64,), (1, 8, 8)),
    "colours last": ((9, 7, 6, 3), (9, 7, 6, 3)),
    "colours first": ((9, 3, 7, 6), (9, 7, 6, 3)),
    "one channel": ((9, 7, 6, 1), (9, 7, 6)),
    "one in colour": ((7, 6, 3), (1, 7, 6, 3)),
    "one, colours first": ((3, 7, 6), (1, 7, 6, 3)),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_images_are_told_by_their_shape(kind, ax):
    shape, (n, height, width, *colours) = SHAPES[kind]
    X = np.random.default_rng(0).random(shape)
    plots.images(X, ax=ax)
    shown = ax.images[0].get_array()
    assert shown.shape == (height + 1, n * (width + 1), *([4] if colours else []))
    first = shown[:height, :width]
    expected = np.sort(X.ravel() if n == 1 else X[0].ravel())
    scaled = (expected - X.min()) / (X.max() - X.min())
    values = first[..., :3] if colours else first
    np.testing.assert_allclose(np.sort(values.ravel()), scaled if colours else expected)


def test_an_array_without_images_is_refused(ax):
    for X in (np.zeros((5, 7)).T[0], np.zeros(7), np.zeros((2, 3, 4, 5, 6))):
        with pytest.raises(ValueError, match=r"is not an image; give shape=\(height, width\)"):
            plots.images(X, ax=ax)
    with pytest.raises(TypeError, match=r"takes a fitted model .*, got ndarray; plots.images shows"):
        plots.reconstructions(np.zeros((3, 4)), np.zeros((3, 4)))


# Containers


@pytest.fixture(scope="module")
def digits():
    return load_digits()


def small(**options):
    return Autoencoder(**{"backbone": MLP((16,)), "max_epochs": 1, "random_state": 0, "n_components": 3, **options})


def table():
    rng = np.random.default_rng(0)
    size = rng.normal(size=60)
    return pd.DataFrame({"size": size, "weight": 3 * size + 7, "kind": np.where(size > 0, "big", "small")})


def series():
    return np.sin(np.arange(20) / 3 + np.random.default_rng(0).uniform(0, 6, (50, 2, 1)))


def fitted_models(digits):
    X, y = digits.data[:300], digits.target[:300]
    faces, colours = (
        np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8) for shape in ((40, 9, 7), (40, 6, 5, 3))
    )
    scaled = make_pipeline(StandardScaler(), small())
    return {
        "flat images": (small().fit(X), X, y),
        "labels in a series": (
            small(n_components=2).fit(X),
            X,
            pd.Series(y, index=range(5, 305)).map("digit {}".format),
        ),
        "bytes": (small().fit(faces), faces, ["a", None] * 20),
        "colours": (small().fit(colours), colours, None),
        "colours first": (small().fit(np.moveaxis(colours, -1, 1).copy()), np.moveaxis(colours, -1, 1).copy(), None),
        "a data frame": (small().fit(table()), table(), "kind"),
        "a table of numbers": (small().fit(codes_of(50, 5)), codes_of(50, 5), None),
        "series": (small().fit(series()), series(), None),
        "one component": (small(n_components=1).fit(X), X, y),
        "a conditional model": (small(conditional=True).fit(X, y), X, y),
        "a detector": (AnomalyDetector(small(), calibration="split", random_state=0).fit(X), X[:50], None),
        "an ensemble": (BaggedAutoencoders(small(), n_estimators=3, random_state=0).fit(X), X, y),
        "scikit-learn's": (PCA(3).fit(X), X, y),
        "a pipeline": (scaled.fit(X), X, y),
        "a stream": (small().fit(X), Chunks(partial(iter, [X[:200], X[200:]])), None),
        "a source": (small().fit(X), as_source(X), None),
    }


CALLS = {
    "reconstructions": lambda model, X, y: plots.reconstructions(model, X, None if isinstance(y, str) else y),
    "residuals": lambda model, X, y: plots.residuals(model, X),
    "code_map": plots.code_map,
    "code_map without labels": lambda model, X, y: plots.code_map(model, X),
    "histogram": plots.histogram,
    "history": lambda model, X, y: plots.history(model),
    "traversal": lambda model, X, y: plots.traversal(model),
    "traversal of a row": lambda model, X, y: plots.traversal(model, X),
    "interpolation": lambda model, X, y: plots.interpolation(model, X),
    "manifold": lambda model, X, y: plots.manifold(model, n=3),
    "manifold of rows": lambda model, X, y: plots.manifold(model, X, n=3),
    "explain": lambda model, X, y: plots.explain(model, X),
}
DECODING = {"traversal", "traversal of a row", "interpolation", "manifold", "manifold of rows"}
WITHOUT = {
    "an ensemble": {"code_map", "code_map without labels", *DECODING},
    "scikit-learn's": {"history", "explain", *DECODING},
    "a pipeline": {"history", "explain", *DECODING},
    "one component": {"manifold", "manifold of rows"},
    "a stream": {"explain"},
}
NOT_POSSIBLE = r"decodes codes|no codes|no training history|2 components|plots\.explain|taken by position"


@pytest.fixture(scope="module")
def models(digits):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fitted_models(digits)


KINDS = [*WITHOUT, "flat images", "labels in a series", "bytes", "colours", "colours first", "a data frame"]
KINDS += ["a table of numbers", "series", "a conditional model", "a detector", "a source"]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_plot_takes_a_model_and_rows(kind, call, models):
    if call in WITHOUT.get(kind, ()):
        with pytest.raises((TypeError, ValueError), match=NOT_POSSIBLE):
            CALLS[call](*models[kind])
        return
    axes = CALLS[call](*models[kind])
    write(axes)
    assert axes.has_data()


def test_every_kind_of_model_is_tested(models):
    assert set(KINDS) == set(models)


@pytest.mark.parametrize("kind", ["flat images", "bytes", "colours", "colours first", "a table of numbers", "series"])
@pytest.mark.parametrize(
    "call", ["reconstructions", "residuals", "code_map without labels", "traversal of a row", "explain"]
)
def test_one_row_is_a_batch_of_one(kind, call, models, ax):
    model, X, _ = models[kind]
    one, batch = (CALLS[call](model, rows, None) for rows in (X[0], X[:1]))
    assert len(one.images) == len(batch.images)
    for a, b in zip(one.images, batch.images, strict=True):
        np.testing.assert_array_equal(a.get_array(), b.get_array())
    for a, b in zip(one.lines, batch.lines, strict=True):
        np.testing.assert_array_equal(a.get_ydata(), b.get_ydata())


def test_flat_images_are_recognised_and_a_given_shape_overrides(models, ax):
    model, X, _ = models["flat images"]
    assert plots.reconstructions(model, X, ax=ax).images[0].get_array().shape == (2 * 9, 10 * 9)
    other = Figure().subplots()
    assert plots.reconstructions(model, X, shape=(4, 16), ax=other).images[0].get_array().shape == (2 * 5, 10 * 17)
    square = Figure().subplots()
    plots.reconstructions(model, X.reshape(-1, 8, 8), ax=square)
    np.testing.assert_array_equal(square.images[0].get_array(), ax.images[0].get_array())


def test_columns_of_different_units_are_no_image(ax):
    X = np.random.default_rng(0).normal(size=(60, 25)) * np.arange(1, 26)
    plots.reconstructions(small().fit(X), X, ax=ax)
    assert not ax.images
    assert len(ax.lines) == 2


def test_curves_are_the_values_in_the_range_of_the_picture(ax):
    X = np.array([[0.0, 10.0], [4.0, 30.0]])
    plots.reconstructions(Fixed([[2.0, 20.0], [4.0, 10.0]]), X, ax=ax)
    before, after = (line.get_ydata() for line in ax.lines)
    np.testing.assert_allclose(before[[0, 1, 3, 4]], [0, 0, 1, 1])
    np.testing.assert_allclose(after[[0, 1, 3, 4]] + 1.2, [0.5, 0.5, 1, 0])


def test_texts_can_be_drawn_only_as_a_map_of_codes(ax):
    texts = ["red fish", "blue boat"] * 10
    model = zoo.sequence_vae(2, width=8, max_epochs=1, random_state=0).fit(Texts(texts, vocabulary="word"))
    assert n_points(plots.code_map(model, texts, ax=ax)) == 20
    with pytest.raises(ValueError, match="texts cannot be plotted"):
        plots.reconstructions(model, texts)


def test_a_folder_of_images_provides_labels(tmp_path, ax):
    for i in range(12):
        (tmp_path / ("ab"[i % 2])).mkdir(exist_ok=True)
        Image.fromarray(np.full((6, 5), 20 * i, np.uint8)).save(tmp_path / "ab"[i % 2] / f"{i}.png")
    folder = ImageFolder(tmp_path)
    model = small().fit(folder)
    plots.code_map(model, folder, ax=ax)
    assert legend(ax) == ["a", "b"]
    below = Figure().subplots()
    plots.reconstructions(model, folder, ax=below)
    assert [label.get_text() for label in below.get_xticklabels()] == ["a"] * 6 + ["b"] * 4
    shown = plots.images(folder, ax=Figure().subplots()).images[0].get_array()
    assert shown.shape == (7, 60)


def test_a_detector_shows_its_decisions_and_its_threshold(models, ax):
    detector, X, _ = models["a detector"]
    X = np.concatenate([X, 16 - X[:1]])
    plots.code_map(detector, X, ax=ax)
    assert set(legend(ax)) == {"alarm", "normal"}
    scores = Figure().subplots()
    plots.histogram(detector, X, ax=scores)
    assert legend(scores) == ["threshold"]
    assert scores.lines[0].get_xdata()[0] == detector.offset_


def test_a_loaded_model_draws_the_same(models, tmp_path, ax):
    model, X, y = models["flat images"]
    save(model, tmp_path / "m.safetensors")
    plots.reconstructions(load(tmp_path / "m.safetensors"), X, ax=ax)
    again = plots.reconstructions(model, X, ax=Figure().subplots())
    np.testing.assert_array_equal(ax.images[0].get_array(), again.images[0].get_array())


def test_the_default_label_of_a_conditional_model_is_the_most_frequent(models, ax):
    model = models["a conditional model"][0]
    condition = model.schema_.condition
    most = condition.categories[int(np.argmax(condition.frequencies))]
    plots.manifold(model, n=2, ax=ax)
    assert ax.get_title() == f"label {most}"
    given = plots.manifold(model, y=most, n=2, ax=Figure().subplots())
    np.testing.assert_array_equal(ax.images[0].get_array(), given.images[0].get_array())


def test_labels_in_a_column_are_named(models, ax):
    model, X, _ = models["a data frame"]
    plots.code_map(model, X.assign(group=["x", "y", "z"] * 20), "group", ax=ax)
    assert legend(ax) == ["x", "y", "z"]
    with pytest.raises(ValueError, match="X has no column 'grop' of labels; it has"):
        plots.code_map(model, X, "grop")


def test_one_row_of_a_data_frame_is_a_batch_of_one(models, ax):
    model, X, _ = models["a data frame"]
    plots.reconstructions(model, X.iloc[2], ax=ax)
    alone = plots.reconstructions(model, X.iloc[[2]], ax=Figure().subplots())
    for one, other in zip(ax.lines, alone.lines, strict=True):
        np.testing.assert_array_equal(one.get_xydata(), other.get_xydata())
    assert len(plots.interpolation(model, X.iloc[0], X.iloc[1], ax=Figure().subplots()).lines) > 0


def test_a_table_is_images_only_where_rows_can_be(digits, ax):
    pd = pytest.importorskip("pandas")
    rows = digits.data
    plots.images(pd.DataFrame(rows), ax=ax)
    expected = plots.images(rows, ax=Figure().subplots()).images[0].get_array()
    np.testing.assert_array_equal(ax.images[0].get_array(), expected)
    for frame in (pd.DataFrame(rows[:, :30]), pd.DataFrame({str(i): ["a"] for i in range(16)})):
        with pytest.raises(ValueError, match=r"columns is not images; give shape=\(height, width\)"):
            plots.images(frame)


def test_labels_that_are_dates_have_a_colour_bar_of_dates(ax):
    days = np.datetime64("2024-01-01") + np.arange(60)
    plots.code_map(codes_of(60, 2), days, ax=ax)
    ax.figure.canvas.draw()
    bar = ax.figure.axes[1]
    assert bar.get_ylim() == (19723.0, 19782.0)  # days since 1970
    assert "Feb" in [label.get_text() for label in bar.get_yticklabels()]


def test_the_legend_does_not_cover_the_map():
    names = np.array([f"{i:02} of a name that goes on and on and on" for i in range(40)])
    ax = plots.code_map(codes_of(80, 2), np.tile(names, 2))
    ax.figure.canvas.draw()
    assert all(len(text) == 24 and text.endswith("…") for text in legend(ax))
    assert ax.get_position().width * ax.figure.get_figwidth() > 2.5
    assert ax.get_legend().get_window_extent().x1 <= ax.figure.bbox.x1


def test_missing_labels_are_a_class(models, ax):
    model, X, y = models["bytes"]
    plots.code_map(model, X, y, ax=ax)
    assert legend(ax) == ["a", "missing"]


# Paths


def test_a_traversal_has_one_row_per_component(fitted, ax):
    plots.traversal(fitted, codes_of(1, 4), shape=(2, 2), components=[1], values=[-1.0, 2.0], ax=ax)
    shown = ax.images[0].get_array()
    path = traverse(fitted, codes_of(1, 4), 1, [-1.0, 2.0])
    np.testing.assert_allclose(shown[:2, 3:5], path[1].reshape(2, 2))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["-1", "2"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["code 2"]


def test_an_interpolation_has_one_row_per_pair(fitted, ax):
    rows = codes_of(4, 4)
    plots.interpolation(fitted, rows[:2], rows[2:], shape=(2, 2), n=5, ax=ax)
    shown = ax.images[0].get_array()
    assert shown.shape == (2 * 3, 5 * 3)
    np.testing.assert_allclose(shown[3:5, 12:14], fitted.reconstruct(rows)[3].reshape(2, 2), atol=1e-5)
    with pytest.raises(ValueError, match="a and b must have the same number of rows, got 2 and 1"):
        plots.interpolation(fitted, rows[:2], rows[2:3])


def test_a_manifold_grows_to_the_right_and_upwards(fitted, ax):
    plots.manifold(fitted, shape=(2, 2), n=3, ax=ax)
    shown = ax.images[0].get_array()
    right = [float(label.get_text()) for label in ax.get_xticklabels()]
    up = [float(label.get_text()) for label in ax.get_yticklabels()]
    assert right == sorted(right)
    assert up == sorted(up, reverse=True)
    corner = fitted.inverse_transform([[right[0], up[0]]])
    np.testing.assert_allclose(shown[:2, :2], corner.reshape(2, 2), atol=0.2)


def test_a_manifold_of_more_components_lies_in_their_principal_plane(digits, ax):
    model = small(n_components=5).fit(digits.data)
    plots.manifold(model, digits.data, n=3, ax=ax)
    codes = model.transform(digits.data).astype(float)
    middle = model.inverse_transform(codes.mean(0, keepdims=True)).reshape(8, 8)
    np.testing.assert_allclose(ax.images[0].get_array()[9:17, 9:17], middle, rtol=1e-4, atol=1e-4)
    pca = PCA(2).fit(codes)
    deviation = np.sqrt(pca.explained_variance_[0])
    right = [float(label.get_text()) for label in ax.get_xticklabels()]
    np.testing.assert_allclose(right, np.array([-2.05, 0, 2.05]) * deviation, atol=0.06)


def test_a_manifold_of_one_component_is_refused():
    model = Autoencoder(1, backbone=MLP((8,)), max_epochs=1, random_state=0).fit(codes_of(20, 4))
    with pytest.raises(ValueError, match="at least 2 components, got 1"):
        plots.manifold(model)


# Maps


def test_two_components_are_shown_as_they_are(ax):
    codes = codes_of(30)
    plots.code_map(codes, ax=ax)
    (points,) = ax.collections
    np.testing.assert_array_equal(np.sort(points.get_offsets(), 0), np.sort(codes, 0))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("code 1", "code 2")


def test_more_components_are_shown_by_their_first_two_principal_ones(ax):
    codes = codes_of(50, 5) * [1, 5, 1, 3, 1]
    plots.code_map(codes, ax=ax)
    pca = PCA(2).fit(codes)
    np.testing.assert_allclose(ax.collections[0].get_offsets().var(0, ddof=1), pca.explained_variance_)
    assert ax.get_xlabel() == f"principal component 1 of the codes ({100 * pca.explained_variance_ratio_[0]:.0f} %)"


@pytest.mark.parametrize("labels", [np.arange(60) % 3, np.array(["a", "b", "c"] * 20), np.arange(60) % 2 == 0])
def test_classes_get_a_legend(labels, ax):
    plots.code_map(codes_of(60), labels, ax=ax)
    assert legend(ax) == [str(level) for level in np.unique(labels)]
    assert n_points(ax) == 60
    assert len(ax.figure.axes) == 1


def test_points_have_the_colour_of_their_class(ax):
    codes, labels = codes_of(40), np.arange(40) % 4
    plots.code_map(codes, labels, ax=ax)
    (points,) = ax.collections
    for where, colour in zip(points.get_offsets(), points.get_facecolors(), strict=True):
        row = np.flatnonzero((codes == where).all(1))[0]
        assert tuple(colour[:3]) == to_rgb(plots.PALETTE[labels[row]])


def test_more_classes_than_colours_differ_by_shape(ax):
    plots.code_map(codes_of(250), [f"class {i % 25:02}" for i in range(250)], ax=ax)
    write(ax)
    assert len(ax.collections) == 3
    assert n_points(ax) == 250
    handles = ax.get_legend().get_lines()
    assert len({(line.get_marker(), line.get_color()) for line in handles}) == 25


def test_too_many_classes_are_refused(ax):
    with pytest.raises(ValueError, match="labels have 41 classes; at most 40"):
        plots.code_map(codes_of(41), [str(i) for i in range(41)], ax=ax)


@pytest.mark.parametrize("values", [np.linspace(0, 1, 60), np.arange(60), np.r_[np.nan, np.linspace(0, 1, 59)]])
def test_values_get_an_opaque_colour_bar_of_their_range(values, ax):
    plots.code_map(codes_of(60), values, ax=ax)
    write(ax)
    _, bar = ax.figure.axes
    assert bar.get_ylim() == (np.nanmin(values), np.nanmax(values))
    assert ax.get_legend() is None


def test_many_points_are_small_faint_and_rasterised(ax):
    few, many = Figure().subplots(), ax
    plots.code_map(codes_of(100), np.arange(100) % 10, ax=few)
    plots.code_map(codes_of(60_000), np.arange(60_000) % 10, ax=many)
    write(many)
    (big,), (small,) = few.collections, many.collections
    assert small.get_sizes() < big.get_sizes() / 10
    assert small.get_alpha() < big.get_alpha()
    assert small.get_rasterized()


def test_codes_of_one_component_are_a_histogram(ax):
    plots.code_map(codes_of(10, 1), ["a", "b"] * 5, ax=ax)
    assert (legend(ax), ax.get_xlabel()) == (["a", "b"], "code 1")


def test_labels_must_match_the_codes():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        plots.code_map(codes_of(10), [0, 1])


# Histograms and curves


def test_bars_of_each_class_add_up_to_one(ax):
    values, labels = np.r_[np.zeros(30), codes_of(10)[:, 0]], np.r_[np.zeros(30), np.ones(10)]
    plots.histogram(values, labels, name="score", ax=ax)
    assert [sum(bar.get_height() for bar in bars) for bars in ax.containers] == pytest.approx([1, 1])
    assert legend(ax) == ["0.0", "1.0"]
    assert ax.get_xlabel() == "score"


def test_a_histogram_of_one_class_needs_no_legend(ax):
    plots.histogram([1.0, 2.0, 2.5], ax=ax)
    assert ax.get_legend() is None


def test_the_history_shows_both_bounds_and_the_best_epoch(fitted, ax):
    plots.history(fitted, ax=ax)
    training, validation, kept = ax.lines
    bounds = [row["valid_negative_bound"] for row in fitted.history_]
    np.testing.assert_array_equal(training.get_ydata(), [row["negative_bound"] for row in fitted.history_])
    np.testing.assert_array_equal(validation.get_ydata(), bounds)
    assert list(kept.get_ydata()) == [min(bounds)]
    assert list(kept.get_xdata()) == [1 + bounds.index(min(bounds))]


def test_without_validation_the_history_shows_training_alone(ax):
    model = Autoencoder(1, backbone=MLP((8,)), max_epochs=2, random_state=0).fit(codes_of(20, 3))
    plots.history(model, ax=ax)
    assert legend(ax) == ["training"]


def test_the_suggested_size_is_marked_with_its_interval(ax):
    plots.code_sizes(FOUND, ax=ax)
    suggested = next(line for line in ax.lines if line.get_label() == "suggested")
    assert (list(suggested.get_xdata()), list(suggested.get_ydata())) == ([2], [0.08 / 0.5])
    (band,) = ax.patches
    assert (band.get_x(), band.get_width()) == (0.5, 2.0)


def test_the_plot_of_code_sizes_needs_rows_or_a_result(ax):
    X = codes_of(60, 2) @ np.random.default_rng(0).normal(size=(2, 5))
    plots.code_sizes(X, ax=ax)
    assert legend(ax) == ["error by free direction", "suggested", "error"]


def test_the_history_of_an_unfitted_estimator_is_refused():
    with pytest.raises(NotFittedError):
        plots.history(Autoencoder())


def test_bars_show_the_worst_features_with_what_was_expected(ax):
    values = np.array([[0.5, -40.0, 3.0, 0.0]])
    plots.explain(explanation(values), ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["column 1", "column 2", "column 0"]
    assert ax.texts[0].get_text() == "-40, expected 0 to 1"
    assert ax.patches[0].get_width() == pytest.approx(100 * 40 / 43.5)


def test_models_without_detector_are_explained_by_contributions(models, ax):
    model, X, _ = models["a table of numbers"]
    plots.explain(model, X, row=3, ax=ax)
    addends = model.contributions(X[3:4])[0, :5]
    worst = [f"column {i}" for i in np.argsort(addends) if addends[i] < 0]
    assert [label.get_text() for label in ax.get_yticklabels()] == worst
    lowest = plots.explain(model, X, ax=Figure().subplots())
    given = plots.explain(model, X, row=int(np.argmin(model.score_samples(X))), ax=Figure().subplots())
    assert [text.get_text() for text in lowest.texts] == [text.get_text() for text in given.texts]


def test_flat_images_are_explained_as_images(models, ax):
    for kind in ("flat images", "a detector"):
        model, X, _ = models[kind]
        axes = plots.explain(model, X[:20], row=2, ax=Figure().subplots())
        assert axes.images[0].get_array().shape == (8, 8)


@pytest.mark.parametrize(("shape", "picture"), [((2, 30), (2, 30)), ((3, 5, 6), (5, 6))])
def test_windows_and_images_become_heat_maps(shape, picture, ax):
    values = np.zeros((2, *shape))
    values[1, ..., 1, 4] = 7.0
    plots.explain(explanation(values), row=1, ax=ax)
    heat = ax.images[0].get_array()
    assert heat.shape == picture
    assert np.argwhere(heat == heat.max()).tolist() == [[1, 4]]


def test_rows_without_a_plot_are_refused(ax):
    with pytest.raises(ValueError, match="row must be from 0 to 2, got 3"):
        plots.explain(explanation(codes_of(3, 4)), row=3, ax=ax)
    with pytest.raises(ValueError, match="cannot be plotted"):
        plots.explain(explanation(np.zeros((1, 2, 2, 2, 2))), ax=ax)


# Events of series


WAVE = np.sin(np.arange(700) * 2 * np.pi / 25)
NOISY = np.column_stack([WAVE, 5 + np.cos(np.arange(700) * 2 * np.pi / 25)])
NOISY = NOISY + 0.05 * np.random.default_rng(0).standard_normal((700, 2))


def dated(values):
    times = pd.date_range("2024-01-01", periods=len(values), freq="h")
    return pd.DataFrame({"when": times, "left": values[:, 0], "right": values[:, 1]})


@pytest.fixture(scope="module")
def of_series():
    model = SlidingWindows(lengths=(16,), views=("values",), time="when", random_state=0)
    return AnomalyDetector(model, fpr=0.1, random_state=0).fit(dated(NOISY[:500]))


def with_event():
    series = NOISY[500:].copy()
    series[100:120, 1] = 9.0
    return dated(series)


def spans_of(panel):
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in panel.patches]


def test_events_shade_the_series_and_its_score(of_series, ax):
    series = with_event()
    events = of_series.events(series)
    assert plots.events(of_series, series, ax=ax) is ax
    assert [panel.get_ylabel() for panel in ax.child_axes] == ["right", "left", "score"]
    upper, _, lowest = ax.child_axes
    np.testing.assert_array_equal(upper.lines[0].get_ydata(), series["right"])
    np.testing.assert_allclose(lowest.lines[0].get_ydata(), of_series.score_samples(series))
    assert lowest.lines[1].get_ydata()[0] == of_series.offset_
    # Half an hour before and after, in matplotlib's unit (days).
    expected = [
        tuple(value.astype("M8[m]").astype(float) / 1440 + side / 48 for value, side in ((e.start, -1), (e.end, 1)))
        for e in events
    ]
    np.testing.assert_allclose(spans_of(upper), expected)
    assert spans_of(lowest) == spans_of(upper)
    ax.figure.savefig(io.BytesIO(), format="png")


def test_the_most_severe_events_are_shown_with_their_numbers(of_series, ax):
    series = with_event()
    series.iloc[40, 1], series.iloc[150, 1] = 9.0, -12.0
    events = of_series.events(series)
    assert len(events) > 2
    worst = sorted(events, key=lambda event: -event.severity)[:2]
    upper = plots.events(of_series, series, n_events=2, ax=ax).child_axes[0]
    starts = sorted(event.start.astype("M8[m]").astype(float) / 1440 - 1 / 48 for event in worst)
    np.testing.assert_allclose([low for low, _ in spans_of(upper)], starts)
    by_place = sorted(upper.texts, key=lambda text: text.xy[0])
    assert [text.get_text() for text in by_place] == ["1", "2"]


def test_events_of_windows_show_the_given_number_of_channels(ax):
    windows = Windows(NOISY[:500], 16)
    detector = AnomalyDetector(Autoencoder(4, max_epochs=3, random_state=0), fpr=0.1, calibration="split")
    detector.fit(windows)
    later = windows.like(with_event()[["left", "right"]].to_numpy())
    panels = plots.events(detector, later, n_channels=1, ax=ax).child_axes
    assert [panel.get_ylabel() for panel in panels] == ["channel 1", "score"]
    assert panels[0].get_title(loc="left") == "1 of 2 channels, those of the most severe events"
    np.testing.assert_array_equal(panels[0].lines[0].get_xdata(), np.arange(200))


def test_only_detectors_can_draw_events(fitted):
    with pytest.raises(TypeError, match="events needs an AnomalyDetector that is fitted to a series, got Autoencoder"):
        plots.events(fitted, NOISY)
