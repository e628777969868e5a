import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from isthmus import Autoencoder, plots
from isthmus.backbones import MLP
from isthmus.detector import Explanation
from isthmus.latent import Sizes, traverse


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
    """Draw in earnest, where matplotlib finds what is wrong."""
    axes.figure.savefig(io.BytesIO(), format="png")


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def n_points(axes):
    return sum(len(points.get_offsets()) for points in axes.collections)


def explanation(values):
    """What is said of rows whose values all are expected to be between 0 and 1."""
    n, names = len(values), tuple(f"column {i}" for i in range(values[0].size))
    addends = np.column_stack([-np.abs(values.reshape(n, -1)), np.zeros((n, 2))])
    zero = np.zeros_like(values)
    nearest = np.zeros((n, 1), dtype=int)
    return Explanation(addends.sum(1), addends, values, zero, zero, zero + 1, nearest, [values[:1]] * n, names)


ERRORS = np.array([0.5, 0.08, 0.06])
FOUND = Sizes(2, (1, 2), np.array([1, 2, 3]), ERRORS, ERRORS / 2, ERRORS / [0.75, 0.5, 0.25])

PICTURES = {
    "images": lambda model, ax: plots.images({"noise": codes_of(5, 16)}, (4, 4), ax=ax),
    "reconstructions": lambda model, ax: plots.reconstructions(codes_of(5, 16), codes_of(5, 16), (4, 4), ax=ax),
    "code_map": lambda model, ax: plots.code_map(codes_of(20), ax=ax),
    "code_sizes": lambda model, ax: plots.code_sizes(FOUND, ax),
    "histogram": lambda model, ax: plots.histogram(codes_of(20)[:, 0], ax=ax),
    "explain": lambda model, ax: plots.explain(explanation(codes_of(3, 4)), ax=ax),
    "history": lambda model, ax: plots.history(model, ax=ax),
    "interpolation": lambda model, ax: plots.interpolation(model, codes_of(2, 4), codes_of(2, 4), (2, 2), ax=ax),
    "manifold": lambda model, ax: plots.manifold(model, (2, 2), ax=ax),
    "residuals": lambda model, ax: plots.residuals(codes_of(5, 16), codes_of(5, 16), (4, 4), ax=ax),
    "traversal": lambda model, ax: plots.traversal(model, (2, 2), ax=ax),
}


def test_every_picture_is_tested():
    assert set(PICTURES) == set(plots.__all__)


@pytest.mark.parametrize("name", PICTURES)
def test_given_axes_are_drawn_on_and_pyplot_is_left_alone(name, fitted, ax):
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


def test_images_stand_in_rows_by_version(ax):
    first, second = np.zeros((7, 6)), np.ones((7, 6))
    first[:, 0] = 1
    plots.images({"a": first, "b": second}, (2, 3), n=4, ax=ax)
    (image,) = ax.images
    shown = image.get_array()
    assert shown.shape == (2 * (2 + 1), 4 * (3 + 1))
    np.testing.assert_array_equal(shown[:2, :3], first[0].reshape(2, 3))
    np.testing.assert_array_equal(shown[3:5, 12:15], second[3].reshape(2, 3))
    assert shown.mask[2].all()
    assert shown.mask[:, 3].all()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]


def test_fewer_images_than_asked_for_are_all_shown(ax):
    plots.reconstructions(np.ones((3, 4)), np.ones((3, 4)), (2, 2), n=10, ax=ax)
    assert ax.images[0].get_array().shape == (6, 9)


def test_images_share_the_grey_scale_of_the_first_version(ax):
    plots.reconstructions([[0.0, 16.0]], [[-5.0, 30.0]], (1, 2), ax=ax)
    assert ax.images[0].get_clim() == (0, 16)


def test_images_may_be_in_colour(ax):
    plots.reconstructions(np.ones((2, 4, 5, 3)), np.ones((2, 4, 5, 3)), (4, 5, 3), ax=ax)
    write(ax)
    assert ax.images[0].get_array().shape == (10, 12, 3)


def test_images_of_another_shape_are_named():
    with pytest.raises(ValueError, match=r"'rebuilt': an image of shape \(2, 2\) has 4 values, got 5"):
        plots.reconstructions(np.ones((3, 4)), np.ones((3, 5)), (2, 2))


def test_residuals_are_what_is_too_much_in_one_colour_scale(ax):
    X, rebuilt = np.zeros((2, 6)), np.zeros((2, 6))
    rebuilt[0, 0], rebuilt[1, 5] = 3.0, -1.0
    plots.residuals(X, rebuilt, (2, 3), ax=ax)
    write(ax)
    _, gap = ax.images
    assert gap.get_clim() == (-3, 3)
    np.testing.assert_array_equal(gap.get_array()[:2, :3], rebuilt[0].reshape(2, 3))
    np.testing.assert_array_equal(gap.get_array()[:2, 4:7], rebuilt[1].reshape(2, 3))
    assert tuple(gap.get_extent()) == (-0.5, 7.5, 8.5, 5.5)
    assert ax.get_ylim() == (8.5, -0.5)


def test_residuals_of_colours_are_averaged(ax):
    X = np.zeros((1, 2, 2, 3))
    plots.residuals(X, X + [0.0, 0.3, 0.6], (2, 2, 3), ax=ax)
    np.testing.assert_allclose(ax.images[1].get_array()[:2, :2], 0.3)


# Walks


def test_a_traversal_shows_a_component_a_row(fitted, ax):
    plots.traversal(fitted, (2, 2), codes_of(1, 4), components=[1], values=[-1.0, 2.0], ax=ax)
    shown = ax.images[0].get_array()
    path = traverse(fitted, codes_of(1, 4), 1, [-1.0, 2.0])
    np.testing.assert_allclose(shown[:2, 3:5], path[1].reshape(2, 2))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["-1", "2"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["code 2"]


def test_an_interpolation_shows_a_pair_a_row(fitted, ax):
    rows = codes_of(4, 4)
    plots.interpolation(fitted, rows[:2], rows[2:], (2, 2), n=5, ax=ax)
    shown = ax.images[0].get_array()
    assert shown.shape == (2 * 3, 5 * 3)
    np.testing.assert_allclose(shown[3:5, 12:14], fitted.reconstruct(rows)[3].reshape(2, 2), atol=1e-5)
    with pytest.raises(ValueError, match="a and b must have equally many rows, got 2 and 1"):
        plots.interpolation(fitted, rows[:2], rows[2:3], (2, 2))


def test_a_manifold_grows_to_the_right_and_upwards(fitted, ax):
    plots.manifold(fitted, (2, 2), n=3, ax=ax)
    shown = ax.images[0].get_array()
    right = [float(label.get_text()) for label in ax.get_xticklabels()]
    up = [float(label.get_text()) for label in ax.get_yticklabels()]
    assert right == sorted(right)
    assert up == sorted(up, reverse=True)
    corner = fitted.inverse_transform([[right[0], up[0]]])
    np.testing.assert_allclose(shown[:2, :2], corner.reshape(2, 2), atol=0.2)


def test_a_manifold_has_two_components():
    model = Autoencoder(1, backbone=MLP((8,)), max_epochs=1, random_state=0).fit(codes_of(20, 4))
    with pytest.raises(ValueError, match="codes of 2 components, got 1"):
        plots.manifold(model, (2, 2))


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
    assert ax.get_xlabel() == f"principal component 1 of the codes ({pca.explained_variance_ratio_[0]:.0%})"


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


def test_too_many_classes_are_an_error(ax):
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


def test_a_single_component_is_no_map():
    with pytest.raises(ValueError, match="codes have 1 component; a map needs at least 2"):
        plots.code_map(codes_of(10, 1))


def test_labels_must_match_the_codes():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        plots.code_map(codes_of(10), [0, 1])


# Histograms and curves


def test_bars_of_each_class_add_up_to_one(ax):
    values, labels = np.r_[np.zeros(30), codes_of(10)[:, 0]], np.r_[np.zeros(30), np.ones(10)]
    plots.histogram(values, labels, "score", ax)
    assert [sum(bar.get_height() for bar in bars) for bars in ax.containers] == pytest.approx([1, 1])
    assert legend(ax) == ["0.0", "1.0"]
    assert ax.get_xlabel() == "score"


def test_a_histogram_of_one_class_needs_no_legend(ax):
    plots.histogram([1.0, 2.0, 2.5], ax=ax)
    assert ax.get_legend() is None


def test_the_history_shows_both_bounds_and_the_best_epoch(fitted, ax):
    plots.history(fitted, ax)
    training, validation, kept = ax.lines
    bounds = [row["valid_bound"] for row in fitted.history_]
    np.testing.assert_array_equal(training.get_ydata(), [row["bound"] for row in fitted.history_])
    np.testing.assert_array_equal(validation.get_ydata(), bounds)
    assert list(kept.get_ydata()) == [min(bounds)]
    assert list(kept.get_xdata()) == [1 + bounds.index(min(bounds))]


def test_without_validation_the_history_shows_training_alone(ax):
    model = Autoencoder(1, backbone=MLP((8,)), max_epochs=2, random_state=0).fit(codes_of(20, 3))
    plots.history(model, ax)
    assert legend(ax) == ["training"]


def test_the_suggested_size_is_marked_with_its_interval(ax):
    plots.code_sizes(FOUND, ax)
    suggested = next(line for line in ax.lines if line.get_label() == "suggested")
    assert (list(suggested.get_xdata()), list(suggested.get_ydata())) == ([2], [0.08 / 0.5])
    (band,) = ax.patches
    assert (band.get_x(), band.get_width()) == (0.5, 2.0)


def test_the_history_of_an_unfitted_estimator_is_an_error():
    with pytest.raises(NotFittedError):
        plots.history(Autoencoder())


def test_bars_show_the_worst_features_with_what_was_expected(ax):
    values = np.array([[0.5, -40.0, 3.0, 0.0]])
    plots.explain(explanation(values), ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["column 1", "column 2", "column 0"]
    assert ax.texts[0].get_text() == "-40, expected 0 .. 1"
    assert ax.patches[0].get_width() == pytest.approx(100 * 40 / 43.5)


@pytest.mark.parametrize(("shape", "picture"), [((2, 30), (2, 30)), ((3, 5, 6), (5, 6))])
def test_windows_and_images_become_heat_maps(shape, picture, ax):
    values = np.zeros((2, *shape))
    values[1, ..., 1, 4] = 7.0
    plots.explain(explanation(values), row=1, ax=ax)
    heat = ax.images[0].get_array()
    assert heat.shape == picture
    assert np.argwhere(heat == heat.max()).tolist() == [[1, 4]]


def test_rows_without_a_picture_are_an_error(ax):
    with pytest.raises(ValueError, match="row must be from 0 to 2, got 3"):
        plots.explain(explanation(codes_of(3, 4)), row=3, ax=ax)
    with pytest.raises(ValueError, match="no picture"):
        plots.explain(explanation(np.zeros((1, 2, 2, 2, 2))), ax=ax)
