"""Write four voices in the manner of Bach, and go from one of his chorales to another.

A chorale is four voices; here one quarter note after the other, soprano to bass, of four bars at a time. A recurrent
variational autoencoder writes note after note, each by the notes before and by the code. How well it knows the style is
told by bits a note of chorales it has not seen, beside a Markov model of the two notes before. Written are MIDI files:
one of new music, one that leads from a chorale to another, and a picture of the way.

Run: python examples/chorales.py [folder] [data]
where data (default ../shared/data/jsb-chorales) holds jsb16th_satb.npz
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
# Levels are silence and the keys from 29 on, as far as transposition goes.
LOWEST, N_LEVELS = 29, 60


def chorales(data, part):
    """Pitches (n_steps, 4) of each chorale, in quarter notes."""
    with np.load(data / "jsb16th_satb.npz") as file:
        return [piece[::SIXTEENTHS] for piece in np.split(file[part], file[f"{part}_offsets"][1:-1])]


def phrases(pieces, stride, shifts=(0,)):
    """Levels (n, 64) of four bars, one voice after the other at each step, also in other keys."""
    starts = [(piece, start) for piece in pieces for start in range(0, len(piece) - N_STEPS + 1, stride)]
    cut = np.stack([piece[start : start + N_STEPS] for piece, start in starts]).reshape(len(starts), -1).astype(int)
    return np.concatenate([np.where(cut < 0, 0, cut + shift - LOWEST) for shift in shifts])


def pitches_of(levels):
    """Levels (64,) to pitches (16, 4)."""
    levels = np.asarray(levels, dtype=int).reshape(-1, N_VOICES)
    return np.where(levels == 0, -1, levels + LOWEST)


def contexts(row, i):
    """What the Markov model goes by: the voice, with no, one and two notes before."""
    return [(i % N_VOICES, *row[max(0, i - n) : i]) for n in range(3)]


class Markov:
    """A model of the two notes before, with shorter contexts where they are new (Witten and Bell, 1991)."""

    def __init__(self, rows):
        self.counts = defaultdict(lambda: np.zeros(N_LEVELS))
        for row in rows.tolist():
            for i, level in enumerate(row):
                for context in contexts(row, i):
                    self.counts[(len(context), *context)][level] += 1

    def probabilities(self, row, i):
        """Share of each level as the next, for note ``i`` of a row."""
        share = np.full(N_LEVELS, 1 / N_LEVELS)
        for context in contexts(row, i):
            if (len(context), *context) in self.counts:
                counts = self.counts[(len(context), *context)]
                n_different = np.count_nonzero(counts)
                share = (counts + n_different * share) / (counts.sum() + n_different)
        return share

    def bits(self, rows):
        """Mean bits a note."""
        return np.mean([-np.log2(self.probabilities(row, i)[row[i]]) for row in rows.tolist() for i in range(len(row))])

    def sample(self, n, rng):
        """Draw rows, note after note."""
        rows = [[] for _ in range(n)]
        for row in rows:
            for i in range(N_STEPS * N_VOICES):
                row.append(int(rng.choice(N_LEVELS, p=self.probabilities(row, i))))
        return np.array(rows)


def habits(rows):
    """Shares of pitch classes, of melodic intervals, and of intervals between voices."""
    pitches = np.stack([pitches_of(row) for row in rows])
    sounding = pitches >= 0
    steps = np.diff(pitches, axis=1)[sounding[:, 1:] & sounding[:, :-1]]
    chords = (pitches[:, :, :1] - pitches[:, :, 1:])[sounding[:, :, :1] & sounding[:, :, 1:]]
    kinds = [(pitches[sounding] % 12, 12), (np.clip(steps, -12, 12) + 12, 25), (chords % 12, 12)]
    return [np.bincount(values, minlength=n) / len(values) for values, n in kinds]


def show(rows, path):
    """Draw phrases as piano rolls, one under the other."""
    figure, axes = plt.subplots(len(rows), 1, figsize=(7, 1.3 * len(rows)), sharex=True, layout="constrained")
    for axis, row in zip(axes, rows, strict=True):
        for voice, color in zip(pitches_of(row).T, ["#cc6677", "#ddcc77", "#44aa99", "#332288"], strict=True):
            axis.step(np.arange(N_STEPS + 1), np.append(voice, voice[-1]), where="post", color=color, linewidth=3)
        axis.set(ylim=(34, 84), yticks=[48, 60, 72], yticklabels=["C3", "C4", "C5"])
    axes[-1].set_xlabel("quarter notes")
    figure.savefig(path, dpi=100)


def main(folder, data, max_epochs=12, n_samples=200):
    """Learn, measure, write."""
    train, held_out = chorales(data, "train"), phrases(chorales(data, "valid"), N_STEPS)
    rows = phrases(train, stride=N_STEPS, shifts=range(-5, 7))
    model = zoo.sequence_vae(
        16,
        width=160,
        word_dropout=0.2,
        free_bits=0.5,
        warmup=0.3,
        likelihood=Categorical(N_LEVELS),
        learning_rate=3e-3,
        batch_size=128,
        max_epochs=max_epochs,
        random_state=0,
    ).fit(rows)
    markov = Markov(rows)

    written, imitated = model.sample(n_samples, random_state=0), markov.sample(n_samples, np.random.default_rng(0))
    bits = -model.score_samples(held_out, n_draws=20, random_state=0).mean() / np.log(2) / held_out.shape[1]
    print(f"{'':36} {'written':>8} {'Markov':>8} {'training':>8}")
    print(f"{'bits a note of chorales held out':36} {bits:8.2f} {markov.bits(held_out):8.2f}")
    print(f"{'nats that the code holds':36} {model.divergence(held_out).mean():8.1f}")
    real, *others = map(habits, (held_out, written, imitated, phrases(train, N_STEPS)))
    for i, name in enumerate(("pitch classes", "steps of a voice", "intervals to the soprano")):
        away = [jensenshannon(real[i], other[i], base=2) ** 2 for other in others]
        print(f"{'divergence of ' + name:36}" + "".join(f" {value:8.4f}" for value in away))

    way = latent.interpolate(model, held_out[0], held_out[7], n=5, noise=True, random_state=0)
    for name, pieces in [("new", written[:8]), ("way", way)]:
        voices = np.concatenate([pitches_of(piece) for piece in pieces])
        write_midi(folder / f"chorales_{name}.mid", [piano_roll(voice) for voice in voices.T], steps_a_beat=1)
    show([held_out[0], *way, held_out[7]], folder / "chorales.png")


if __name__ == "__main__":
    main(
        Path(sys.argv[1] if len(sys.argv) > 1 else "."),
        Path(sys.argv[2] if len(sys.argv) > 2 else "../shared/data/jsb-chorales"),
    )
