"""Measures of ``benchmarks/generation.py``, on simulated images."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread


@pytest.fixture
def generation(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return import_module("generation")


@pytest.fixture
def bars():
    """Images of bars at the left or at the right, and labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 600)
    images = rng.integers(0, 60, (600, 28, 28)).astype(np.uint8)
    images[labels == 0, :, 5:8] += 190
    images[labels == 1, :, 20:23] += 190
    return images, labels


def test_the_classifier_and_the_mixtures_reproduce_the_given_labels(generation, bars):
    images, labels = bars
    torch.manual_seed(0)
    reader = generation.Reader().learn(images, labels, n_epochs=3)
    assert (reader.read(images) == labels).mean() > 0.99
    assert reader.features(images[:3]).shape == (3, 128)
    asked = np.random.default_rng(1).permutation(labels)[:100]
    samples = generation.draw_from_mixtures(images, labels, asked, size=4)
    assert (samples.shape, samples.dtype) == ((100, 28, 28), np.uint8)
    figures = {
        figure.measure: figure.value for figure in generation.measure_samples("them", reader, images, samples, asked)
    }
    assert figures["them, classified as requested"] > 0.99
    assert len(figures) == 6


def test_the_figure_has_one_row_per_digit(generation, bars, tmp_path):
    images, labels = bars
    generation.draw(images, labels, str(tmp_path / "grid.png"))
    picture = imread(tmp_path / "grid.png")
    assert picture.shape[:2] == (2 * 28, 16 * 28)
    # The last channel is the opacity.
    assert picture[:28, 6, :3].mean() < 0.3 < 0.7 < picture[28:, 6, :3].mean()
