"""The pure functions of ``benchmarks/images.py`` and the nets of the speed benchmark, on simulated images."""

import math
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from isthmus import Autoencoder
from isthmus.backbones import Conv


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")


def test_the_entropy_of_grey_values_is_in_bits():
    entropy = import_module("images").entropy
    assert entropy(np.array([0, 255], np.uint8)) == pytest.approx(0, abs=1e-5)
    half = np.array([127.5])
    assert entropy(half) == pytest.approx(math.log(2))
    assert entropy(half, np.array([25.5])) == pytest.approx(-0.5 * math.log(0.1) - 0.5 * math.log(0.9))


def test_the_peak_signal_to_noise_ratio_is_in_decibels():
    psnr = import_module("images").psnr
    assert psnr(np.full((2, 3), 255, np.uint8), np.zeros((2, 3), np.uint8)) == pytest.approx(0)
    assert psnr(np.full(4, 25.5), np.zeros(4)) == pytest.approx(20)


def test_the_compared_plain_torch_net_has_the_layers_of_the_autoencoder():
    theirs = import_module("peers_images").torch_net((4, 8, 5))
    X = np.random.default_rng(0).random((20, 28, 28, 1), dtype=np.float32)
    ours = Autoencoder(5, backbone=Conv((4, 8), activation="relu"), max_epochs=1, random_state=0).fit(X).module_.cpu()
    weights = [*ours.backbone.encoder.state_dict().values(), *ours.backbone.decoder.state_dict().values()]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), weights, strict=True)))
    x = torch.from_numpy(X).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = ours.backbone.decode(ours.backbone.encode(x)).squeeze(1)
        torch.testing.assert_close(theirs(x), expected, rtol=1e-4, atol=1e-5)
