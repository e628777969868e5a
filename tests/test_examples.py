"""Every example runs, confirms what its docstring says, and writes one figure."""

import os
import re
import runpy
import sys
from pathlib import Path

import matplotlib.image
import matplotlib.pyplot as plt
import pytest

FOLDER = Path(__file__).parents[1] / "examples"


def codes_keep_neighbours(figures):
    for name in ("autoencoder", "variational"):
        assert all(ours > pca for ours, pca in zip(figures[name], figures["PCA"], strict=True))


def codes_carry_more_than_components(figures):
    ours, pca = figures["4 numbers of the autoencoder"], figures["4 numbers of PCA"]
    assert len(ours) == 4
    assert all(a > b for a, b in zip(ours, pca, strict=True))
    pixels = figures["64 pixels"]
    assert ours[0] > pixels[0] - 0.02
    assert ours[-1] < pixels[-1]


def denoising_leaves_the_least_error(figures):
    assert set(figures) >= {"noisy", "median filter", "plain", "denoising"}
    assert min(figures, key=lambda name: figures[name][0]) == "denoising"
    assert figures["denoising"][0] < 0.65 * figures["plain"][0]


def scores_find_more_than_pca(figures):
    assert figures["variational autoencoder"][0] > figures["PCA"][0]
    assert figures["variational autoencoder"][0] > figures["isolation forest"][0] - 0.01
    assert figures["code"][0] < 0


def the_encoder_alone_finds_attacks(figures):
    assert 0.93 <= figures["encoder alone"][0] <= figures["full model"][0]
    assert figures["dos"][0] > 10 * figures["normal"][0]
    assert max(figures["r2l"][0], figures["u2r"][0]) < figures["dos"][0]


def windows_find_more_than_points(figures):
    assert figures["windows"][0] > 2 * figures["PCA of time points"][0]


def beats_that_differ_are_found(figures):
    assert figures["area under the ROC curve"][0] >= 0.97
    assert figures["abnormal beats"][0] > 90
    assert figures["normal beats"][0] < 10


def levels_are_new_and_can_be_played(figures):
    training, new, chain = figures["playable, percent"]
    assert new > max(90, chain)
    assert training > 95
    for size in ("three", "four"):
        _, new, chain = figures[f"divergence, patterns of {size}"]
        assert new < chain
    assert figures["not a training segment, percent"][1] > 95
    assert figures["enemies and gaps, target five and three"] == [5, 3]
    assert figures["difference from the target"] == [0]


def voices_are_known_better_than_by_two_notes(figures):
    ours, markov = figures["bits per note of held-out chorales"]
    assert ours < 0.9 * markov
    assert figures["nats in the code"][0] > 1
    for name in ("steps of a voice", "intervals to the soprano"):
        ours, markov, _ = figures[f"divergence of {name}"]
        assert ours < markov


def simulated_voices_are_known_better_than_by_two_notes(figures):
    ours, markov = figures["bits per note of held-out chorales"]
    assert ours < 0.9 * markov


CLAIMS = {
    "anomaly_detection": scores_find_more_than_pca,
    "chorales": voices_are_known_better_than_by_two_notes,
    "dimensionality_reduction": codes_keep_neighbours,
    "features_for_a_classifier": codes_carry_more_than_components,
    "heartbeats": beats_that_differ_are_found,
    "image_denoising": denoising_leaves_the_least_error,
    "mario_levels": levels_are_new_and_can_be_played,
    "network_intrusion": the_encoder_alone_finds_attacks,
    "server_metrics": windows_find_more_than_points,
}
# Folders of data that are not part of the package.
DATA = {
    "chorales": "jsb-chorales",
    "heartbeats": "ecg5000-train",
    "mario_levels": "vglc-levels",
    "network_intrusion": "nsl-kdd",
    "server_metrics": "asd",
}
# Examples that simulate data if none are given.
SIMULATED = {name: CLAIMS[name] for name in ("heartbeats", "network_intrusion", "server_metrics")} | {
    "chorales": simulated_voices_are_known_better_than_by_two_notes
}
# Epochs and rows per step: smaller batches reach what the example claims in half of the time.
SHORTER = {"chorales": ["5", "64"]}
PUBLIC = Path(os.environ.get("ISTHMUS_TEST_DATA", FOLDER.parents[1] / "shared" / "data"))


def test_every_example_is_run():
    assert {path.stem for path in FOLDER.glob("*.py")} == set(CLAIMS)


@pytest.mark.parametrize("name", CLAIMS)
def test_an_example_shows_what_it_claims_and_draws_a_picture(name, tmp_path, monkeypatch, capsys):
    command = []
    if name in DATA:
        data = PUBLIC / DATA[name]
        if not data.is_dir():
            pytest.skip(f"there is no folder {data}; ISTHMUS_TEST_DATA names the one above it")
        command = [data, *SHORTER.get(name, [])]
    CLAIMS[name](run_example([FOLDER / f"{name}.py", tmp_path, *command], monkeypatch, capsys))


@pytest.mark.parametrize("name", SIMULATED)
def test_an_example_without_data_simulates_some_and_draws_a_picture(name, tmp_path, monkeypatch, capsys):
    SIMULATED[name](run_example([FOLDER / f"{name}.py", tmp_path], monkeypatch, capsys))


def run_example(command, monkeypatch, capsys):
    """Return the printed figures by name, after a check of the picture."""
    # In this process, because a process of its own would spend seconds on imports.
    monkeypatch.setattr(sys, "argv", list(map(str, command)))
    runpy.run_path(sys.argv[0], run_name="__main__")
    plt.close("all")
    rows = re.findall(r"^(\w.*?)((?: +-?[\d,.]+)+)(?: to [\d.]+)?$", capsys.readouterr().out, re.MULTILINE)
    (picture,) = command[1].glob("*.png")
    assert picture.stem == command[0].stem
    assert matplotlib.image.imread(picture).std() > 0
    return {title: [float(number.replace(",", "")) for number in numbers.split()] for title, numbers in rows}
