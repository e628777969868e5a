"""
Generate images, levels and music
=================================

The same estimator draws new images, levels of a game, and melodies. Only two parts differ: the likelihood says what a
value is, and the backbone says how values are arranged.
"""

# %%
# Images of a given kind
# ----------------------
#
# Here are 1,797 handwritten digits with labels. A third is held out, to judge the new ones. ``conditional_vae`` gives
# the label to the decoder, so that one can ask for it. Your own pictures come from a folder: after ``from isthmus.data
# import ImageFolder``, ``ImageFolder("photos/", size=(64, 64))`` reads them. Its ``labels`` are the names of
# subfolders, and its ``files`` the paths of the images.

import numpy as np
from sklearn.datasets import load_digits

from isthmus import zoo

pixels, digits = load_digits(return_X_y=True)
images = pixels.reshape(-1, 8, 8).astype("uint8")
is_held_out = np.arange(len(images)) % 3 == 0
painter = zoo.conditional_vae(8, max_epochs=40, random_state=0).fit(
    images[~is_held_out], digits[~is_held_out]
)

# %%
# ``sample_values=False`` gives the mean of each pixel. Otherwise each pixel is drawn, and the image is grainy.

import matplotlib.pyplot as plt

from isthmus import plots

rows = {
    str(digit): painter.sample(10, y=digit, sample_values=False, random_state=digit)
    for digit in range(10)
}
fig, ax = plt.subplots(figsize=(5, 5), layout="constrained")
plots.images(rows, ax=ax)
plt.show()

# %%
# Is it good?
# -----------
#
# Looking at some pictures is not enough. Ask two questions in numbers: are new images like real ones (precision), and
# does every kind of real image occur (recall)? Real images that were held out show what a perfect generator reaches.

from isthmus.metrics.generation import precision_recall

held_out, known = pixels[is_held_out], pixels[~is_held_out]
wanted = digits[is_held_out]
new = painter.sample(
    len(wanted), y=wanted, random_state=0, sample_values=False
).reshape(-1, 64)
for name, rows in {"new images": new, "held-out images": held_out}.items():
    precision, recall = precision_recall(known, rows)
    print(f"{name:16} precision {precision:.2f}, recall {recall:.2f}")

# %%
# New images are more typical than real ones: their precision is higher than that of held-out images, and their recall
# is lower, because odd handwriting is missing.

# %%
# Levels of a game
# ----------------
#
# A level is a grid of tiles. Here a small program builds two long ones, a plain and mountains; with your own game,
# ``read_levels`` reads text files with one character for each tile.

rng, TILES = np.random.default_rng(0), "-Xo"
SHARES = {"plain": [0.35, 0.1, 0.25, 0.3], "mountains": [0.1, 0.65, 0.1, 0.15]}


def build_level(kind, length):
    """Build ground with steps and gaps, and rows of coins above it."""
    level, height, column = np.zeros((8, length), int), 2, 0
    while column < length:
        part = rng.choice(["flat", "step", "gap", "coins"], p=SHARES[kind])
        width = 2 if part in ("gap", "step") else int(rng.integers(3, 7))
        place, column = slice(column, column + width), column + width
        height = int(np.clip(height + rng.choice([-1, 1]) * (part == "step"), 1, 5))
        level[8 - height :, place] = part != "gap"
        level[6 - height, place] = 2 * (part == "coins")
    return level


# %%
# The model learns from windows of 16 columns. Each tile is a category, and a convolution sees neighbours.

from isthmus.backbones import Conv
from isthmus.contrib.game_levels import cut_segments, to_text
from isthmus.likelihoods import Categorical

windows = {kind: cut_segments(build_level(kind, 400), 16, stride=2) for kind in SHARES}
levels, kinds = (
    np.concatenate(list(windows.values())),
    np.repeat(list(windows), [len(each) for each in windows.values()]),
)
builder = zoo.conditional_vae(
    16,
    beta=0.1,
    backbone=Conv((64, 128)),
    likelihood=Categorical(len(TILES)),
    max_epochs=40,
    random_state=0,
).fit(levels, kinds)
print(
    to_text(builder.sample(1, y="plain", sample_values=False, random_state=0)[0], TILES)
)

# %%
# A level is good if one can play it, and if it is no copy. ``Platformer`` knows how the player jumps and looks for a
# way from the ground of the first four columns to that of the last four. ``novelty`` is the share of tiles that differ
# from the nearest level of the training.

from isthmus.contrib.level_metrics import Platformer, novelty

jump = [(0, -1), (0, -2), (1, -2), (2, -2), (3, -1), (3, 0)]
rules = Platformer(solid=[1], jumps=[jump, jump[:3]])
made = builder.sample(100, y="plain", sample_values=False, random_state=0)
for name, each in {"new": made, "training": windows["plain"]}.items():
    print(f"playable {name} levels: {rules.are_playable(each).mean():.0%}")
print(f"differs from every training level: {np.mean(novelty(levels, made) > 0):.0%}")

# %%
from matplotlib.colors import ListedColormap

colours = ListedColormap(["#8ec7f0", "#8a5a3b", "#f2c230"])
fig, axes = plt.subplots(2, 3, figsize=(9, 3.4), layout="constrained")
for line, kind in zip(axes, windows, strict=True):
    drawn = builder.sample(20, y=kind, sample_values=False, random_state=1)
    for ax, level in zip(line, drawn[rules.are_playable(drawn)], strict=False):
        ax.imshow(level, cmap=colours, vmin=0, vmax=2)
        way = np.array(rules.find_path(level))
        ax.plot(way[:, 1], way[:, 0], ".", color="white", markersize=5)
        ax.set(title=kind, xticks=[], yticks=[], ylim=(7.5, -0.5))
plt.show()

# %%
# Such rejected samples are the honest way to keep rules that the model does not know: draw more, and drop the rest.
# :func:`isthmus.latent.search` goes further, and looks for codes of levels with given properties.

# %%
# Music
# -----
#
# A melody is a sequence of notes. Each letter is a quarter note, lower case is an octave higher, and a dash is a rest.

TUNES = [
    "CCGGAAG-FFEEDDC-GGFFEED-GGFFEED-CCGGAAG-FFEEDDC-",  # Twinkle, twinkle, little star
    "CDECCDECEFG-EFG-GAGFECGAGFECDGC-DGC-CDECCDECEFG-",  # Frere Jacques
    "EEFGGFEDCCDEED--EEFGGFEDCCDEDC--DDECDEFECDEFEDCD",  # Ode to joy
    "CCCDE-D-CEDDC---CCCDE-D-CEDDC---DDDDA-A-DCBAG---",  # Au clair de la lune
    "GAGFEFG-DEF-EFG-GAGFEFG-D-G-E-C-GAGFEFG-D-G-E-C-",  # London bridge
    "EDCDEEE-DDD-EGG-EDCDEEEEDDEDC---EDCDEEE-DDD-EGG-",  # Mary had a little lamb
]
STEPS, LOWEST, HIGHEST = 16, 55, 84
PITCH = dict(
    zip(
        "CDEFGABcdefgab",
        [60, 62, 64, 65, 67, 69, 71, 72, 74, 76, 77, 79, 81, 83],
        strict=True,
    )
)
melodies = np.array(
    [
        [
            PITCH[note] + shift - LOWEST + 1 if note in PITCH else 0
            for note in tune[start : start + STEPS]
        ]
        for tune in TUNES
        for start in range(0, len(tune) - STEPS + 1, 4)
        for shift in range(-4, 8)
    ]
)
print(f"{len(melodies)} phrases of {STEPS} quarter notes, each in twelve keys")

# %%
# ``sequence_vae`` chooses one note after the other, given the notes before and the code.

composer = zoo.sequence_vae(
    8,
    width=96,
    likelihood=Categorical(HIGHEST - LOWEST + 2),
    max_epochs=30,
    batch_size=32,
    random_state=0,
).fit(melodies)
phrases = composer.sample(4, random_state=0)

fig, axes = plt.subplots(
    4, 1, figsize=(7, 4.4), sharex=True, sharey=True, layout="constrained"
)
for ax, phrase in zip(axes, np.asarray(phrases, int), strict=True):
    sounding = np.flatnonzero(phrase)
    ax.barh(
        phrase[sounding] + LOWEST - 1, 0.9, left=sounding, height=1.2, color="#44aa99"
    )
    ax.set(yticks=[60, 72], yticklabels=["C4", "C5"], ylim=(54, 80))
axes[-1].set_xlabel("quarter note")
plt.show()

# %%
# Listen to them: ``write_midi`` writes a file that every player opens (``pip install 'isthmus[music]'``). It reads four
# steps per quarter note, of which the last is silent, so that equal notes stay apart.

from isthmus.contrib.music import piano_roll, write_midi

notes = np.asarray(phrases, int).ravel()
pitches = np.repeat(np.where(notes > 0, notes + LOWEST - 1, -1), 4)
pitches[3::4] = -1
write_midi("melodies.mid", [piano_roll(pitches)], steps_per_beat=4)

# %%
# New melodies may be old ones. Count the phrases that occur in the training rows:

many = np.asarray(composer.sample(200, random_state=1), int)
copies = (many[:, None] == melodies).all(2).any(1)
print(f"{copies.mean():.0%} of 200 new phrases are copies of training phrases")

# %%
# What goes wrong
# ---------------
#
# - **Images are grey mush.** Codes are drawn where no codes of rows lie: ``doctor.examine`` measures it, and
#   ``prior="mixture"`` mends it. Some blur remains: a mean over all images with one code is smooth.
# - **Every sample looks alike.** The decoder ignores the code. ``latent.active_units`` counts the components in use; a
#   smaller ``beta`` or ``free_bits`` helps.
# - **Copies.** Few training rows and many epochs. Measure it as above, and hold rows out.
# - **A rule is broken.** A level has no exit, a bar has five beats. A model learns frequencies, not rules: check, and
#   draw again.
# - **Tiles or notes as numbers.** Without ``Categorical``, tile 2 lies between tiles 1 and 3, and results are in
#   between, too.
#
# See :func:`isthmus.zoo.conditional_vae`, :func:`isthmus.zoo.sequence_vae`, :class:`isthmus.likelihoods.Categorical`,
# :class:`isthmus.backbones.Conv`, :func:`isthmus.latent.search` and :mod:`isthmus.metrics`. Larger programs on real
# levels and chorales are in the gallery: :doc:`../gallery/mario_levels`, :doc:`../gallery/chorales`.
