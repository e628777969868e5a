"""Music for four voices
=====================

Generate music for four voices in the style of Bach, and interpolate between two of his chorales.

A chorale has four voices. A row is four bars of it in quarter notes, each from soprano to bass. A recurrent variational
autoencoder generates one note after the other, given the previous notes and the code. It is evaluated by bits per note
on held-out chorales, compared with a Markov model of the two previous notes. The example writes two MIDI files, one of
new music and one of the interpolation, and a figure of the interpolation. Without the data, as on this page, pieces
follow simple rules of harmony.

Run: python examples/chorales.py [folder] [data] [epochs] [batch size]
where data holds jsb16th_satb.npz
"""

import sys
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial.distance import jensenshannon

from isthmus import latent, zoo
from isthmus.contrib.music import piano_roll, write_midi
from isthmus.likelihoods import Categorical

N_STEPS, N_VOICES, SIXTEENTHS = 16, 4, 4
# Category 0 is a rest; the others are the MIDI pitches above LOWEST, the range of the
# transposed chorales.
LOWEST, N_CATEGORIES = 29, 60


# Simulated pieces: pitch classes of chords in C major, the chords that may follow, and the
# middle of each voice.
CHORDS = {
    "I": (0, 4, 7),
    "ii": (2, 5, 9),
    "IV": (5, 9, 0),
    "V": (7, 11, 2),
    "vi": (9, 0, 4),
}
NEXT = {"I": "ii IV V vi", "ii": "V V vi", "IV": "V ii I", "V": "I I vi", "vi": "IV ii"}
MIDDLE = np.array([74, 66, 60, 50])


def simulate_piece(rng):
    """Simulate four bars; every second quarter, each voice moves to a near tone of a chord."""
    chord, voices, piece = "I", MIDDLE + rng.integers(-2, 3, N_VOICES), []
    while len(piece) < N_STEPS:
        tones = np.array(
            [pitch for pitch in range(40, 80) if pitch % 12 in CHORDS[chord]]
        )
        wanted = 0.7 * voices + 0.3 * MIDDLE + rng.normal(0, 1, N_VOICES)
        voices = tones[np.abs(tones[:, None] - wanted).argmin(0)]
        piece += [voices, voices]
        chord = rng.choice(NEXT[chord].split())
    return np.array(piece)


def simulate_pieces():
    """Simulate pieces to fit and pieces that are held out."""
    rng = np.random.default_rng(0)
    return [simulate_piece(rng) for _ in range(160)], [
        simulate_piece(rng) for _ in range(40)
    ]


def chorales(data, part):
    """Pitches (n_steps, 4) of each chorale, in quarter notes."""
    with np.load(data / "jsb16th_satb.npz") as file:
        return [
            piece[::SIXTEENTHS]
            for piece in np.split(file[part], file[f"{part}_offsets"][1:-1])
        ]


def phrases(pieces, stride, shifts=(0,)):
    """Cut four bars into categories (n, 64), voice by voice at each step; transpose."""
    starts = [
        (piece, start)
        for piece in pieces
        for start in range(0, len(piece) - N_STEPS + 1, stride)
    ]
    cut = (
        np.stack([piece[start : start + N_STEPS] for piece, start in starts])
        .reshape(len(starts), -1)
        .astype(int)
    )
    return np.concatenate(
        [np.where(cut < 0, 0, cut + shift - LOWEST) for shift in shifts]
    )


def pitches_of(categories):
    """Convert categories (64,) to pitches (16, 4)."""
    categories = np.asarray(categories, dtype=int).reshape(-1, N_VOICES)
    return np.where(categories == 0, -1, categories + LOWEST)


def contexts(row, i):
    """Return the contexts of a note: its voice with none, one and two previous notes."""
    return [(i % N_VOICES, *row[max(0, i - n) : i]) for n in range(3)]


class Markov:
    """A Markov model of the two previous notes, smoothed as by Witten and Bell (1991)."""

    def __init__(self, rows):
        self.counts = defaultdict(lambda: np.zeros(N_CATEGORIES))
        for row in rows.tolist():
            for i, category in enumerate(row):
                for context in contexts(row, i):
                    self.counts[(len(context), *context)][category] += 1

    def probabilities(self, row, i):
        """Compute the probability of each category for note ``i`` of a row."""
        share = np.full(N_CATEGORIES, 1 / N_CATEGORIES)
        for context in contexts(row, i):
            if (len(context), *context) in self.counts:
                counts = self.counts[(len(context), *context)]
                n_different = np.count_nonzero(counts)
                share = (counts + n_different * share) / (counts.sum() + n_different)
        return share

    def bits(self, rows):
        """Compute the mean number of bits per note."""
        return np.mean(
            [
                -np.log2(self.probabilities(row, i)[row[i]])
                for row in rows.tolist()
                for i in range(len(row))
            ]
        )

    def sample(self, n, rng):
        """Sample rows, one note after the other."""
        rows = [[] for _ in range(n)]
        for row in rows:
            for i in range(N_STEPS * N_VOICES):
                row.append(int(rng.choice(N_CATEGORIES, p=self.probabilities(row, i))))
        return np.array(rows)


def interval_frequencies(rows):
    """Count pitch classes, melodic intervals, and intervals between voices, as shares."""
    pitches = np.stack([pitches_of(row) for row in rows])
    sounding = pitches >= 0
    steps = np.diff(pitches, axis=1)[sounding[:, 1:] & sounding[:, :-1]]
    chords = (pitches[:, :, :1] - pitches[:, :, 1:])[
        sounding[:, :, :1] & sounding[:, :, 1:]
    ]
    kinds = [
        (pitches[sounding] % 12, 12),
        (np.clip(steps, -12, 12) + 12, 25),
        (chords % 12, 12),
    ]
    return [np.bincount(values, minlength=n) / len(values) for values, n in kinds]


def show(rows, path):
    """Plot phrases as piano rolls, one below the other."""
    figure, axes = plt.subplots(
        len(rows), 1, figsize=(7, 1.3 * len(rows)), sharex=True, layout="constrained"
    )
    for axis, row in zip(axes, rows, strict=True):
        for voice, color in zip(
            pitches_of(row).T, ["#cc6677", "#ddcc77", "#44aa99", "#332288"], strict=True
        ):
            axis.step(
                np.arange(N_STEPS + 1),
                np.append(voice, voice[-1]),
                where="post",
                color=color,
                linewidth=3,
            )
        axis.set(ylim=(34, 84), yticks=[48, 60, 72], yticklabels=["C3", "C4", "C5"])
    axes[-1].set_xlabel("quarter notes")
    figure.savefig(path, dpi=100)


def main(folder, data=None, max_epochs=12, batch_size=128, n_samples=200):
    """Fit the model, evaluate it and write the files."""
    train, held_out = (
        [chorales(data, part) for part in ("train", "valid")]
        if data
        else simulate_pieces()
    )
    held_out = phrases(held_out, N_STEPS)
    rows = phrases(train, stride=N_STEPS, shifts=range(-5, 7))
    model = zoo.sequence_vae(
        16,
        width=160 if data else 64,
        word_dropout=0.2,
        free_bits=0.5,
        warmup=0.3,
        likelihood=Categorical(N_CATEGORIES),
        learning_rate=3e-3,
        batch_size=batch_size if data else 32,
        max_epochs=max_epochs,
        random_state=0,
    ).fit(rows)
    markov = Markov(rows)

    new, imitated = (
        model.sample(n_samples, random_state=0),
        markov.sample(n_samples, np.random.default_rng(0)),
    )
    bits = (
        -model.score_samples(held_out, n_draws=20, random_state=0).mean()
        / np.log(2)
        / held_out.shape[1]
    )
    print(f"{'':36} {'new':>8} {'Markov':>8} {'training':>8}")
    print(
        f"{'bits per note of held-out chorales':36} {bits:8.2f} {markov.bits(held_out):8.2f}"
    )
    print(f"{'nats in the code':36} {model.divergence(held_out).mean():8.1f}")
    real, *others = map(
        interval_frequencies, (held_out, new, imitated, phrases(train, N_STEPS))
    )
    for i, name in enumerate(
        ("pitch classes", "steps of a voice", "intervals to the soprano")
    ):
        divergences = [
            jensenshannon(real[i], other[i], base=2) ** 2 for other in others
        ]
        print(
            f"{'divergence of ' + name:36}"
            + "".join(f" {value:8.4f}" for value in divergences)
        )

    path = latent.interpolate(
        model, held_out[0], held_out[7], n=5, sample_values=True, random_state=0
    )
    for name, pieces in [("new", new[:8]), ("interpolation", path)]:
        voices = np.concatenate([pitches_of(piece) for piece in pieces])
        write_midi(
            folder / f"chorales_{name}.mid",
            [piano_roll(voice) for voice in voices.T],
            steps_per_beat=1,
        )
    show([held_out[0], *path, held_out[7]], folder / "chorales.png")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3] or ["."]), *map(int, sys.argv[3:]))
