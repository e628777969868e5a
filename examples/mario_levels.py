"""Levels of a game
================

Generate levels of Super Mario Bros. of a given kind, and search for one with given properties.

The Video Game Level Corpus (Summerville et al., 2016) has 15 levels as text, one character per tile. A conditional
variational autoencoder is fitted on segments of 28 columns of 11 levels: overground, underground, and sky. The rows of
a level are channels and its columns are time steps, because the meaning of a tile depends on its height. Codes of new
levels are sampled from a kernel density of the codes of training segments.

New levels are compared with held-out levels and with a Markov chain of tiles (Snodgrass and Ontanon, 2014): by the
frequencies of patterns of 2 by 2 to 4 by 4 tiles, by the share of levels that can be completed with the jumps of the
game, and by novelty. The first column has the figures of training segments. Divergences are the Jensen-Shannon
divergence, in nats, and the two of Lucas and Volz (2019), of missing and of invented patterns. The chain samples by
patterns of two tiles, so which method is better for these depends on the held-out levels. For larger patterns, the
chain misses fewer and invents more. The figure shows levels of each kind with the shortest path, and the result of the
search. It was drawn with the corpus, which is not part of isthmus, so this page shows no output.

.. image:: /images/levels.png
   :alt: New levels above ground, underground and in the sky, each with its shortest path, and a level found by search

Run: python examples/mario_levels.py folder data
where data holds smb/levels and smb/paths of the corpus
"""
# sphinx_gallery_thumbnail_path = 'images/levels.png'

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from isthmus import Autoencoder
from isthmus.backbones import Conv
from isthmus.bottlenecks import Gaussian
from isthmus.contrib.game_levels import cut_segments, read_levels
from isthmus.contrib.level_metrics import Platformer, novelty, pattern_divergence
from isthmus.contrib.tile_chain import TileChain
from isthmus.latent import search
from isthmus.likelihoods import Categorical

if len(sys.argv) < 3:
    sys.exit("give the folder for the figure and the folder of the corpus")
folder, data = Path(sys.argv[1]), Path(sys.argv[2]) / "smb"

WIDTH, BANDWIDTH = 28, 0.3
HELD_OUT = ("mario-4-1", "mario-4-2", "mario-6-1", "mario-6-3")
KINDS = ("overground", "underground", "sky")
KIND = {
    "1-2": "underground",
    "4-2": "underground",
    "1-3": "sky",
    "3-3": "sky",
    "5-3": "sky",
    "6-3": "sky",
}

# Data

grids, legend = read_levels(data / "levels")
tiles = json.loads((data / "paths" / "SMB_tile_specs.json").read_text())
jumps = json.loads((data / "paths" / "SMB_estimated_jumps.json").read_text())["jumps"]
rules = Platformer(
    map(legend.index, set(tiles["solid"]) - set(tiles["passable"])), jumps
)
cut = {name: cut_segments(grid, WIDTH) for name, grid in grids.items()}
kind = {name: KIND.get(name.removeprefix("mario-"), "overground") for name in grids}
train = {
    k: np.concatenate(
        [cut[name] for name in cut if kind[name] == k and name not in HELD_OUT]
    )
    for k in KINDS
}
held_out = np.concatenate([cut[name] for name in HELD_OUT])
n_of = {k: sum(len(cut[name]) for name in HELD_OUT if kind[name] == k) for k in KINDS}
X = np.concatenate(list(train.values())).astype(int)
y = np.repeat(KINDS, [len(train[k]) for k in KINDS])

# Models

model = Autoencoder(
    32,
    backbone=Conv((128, 256)),
    bottleneck=Gaussian(beta=0.1),
    likelihood=Categorical(len(legend)),
    conditional=True,
    max_epochs=60,
    batch_size=64,
    learning_rate=4e-3,
    random_state=0,
    validation_fraction=0.0,
).fit(X, y)
rng = np.random.default_rng(0)


def new_levels(kind, n):
    """Decode codes drawn near those of training segments."""
    codes = model.transform(train[kind].astype(int))
    drawn = rng.choice(codes, n) + BANDWIDTH * codes.std() * rng.normal(
        size=(n, codes.shape[1])
    )
    return model.inverse_transform(drawn, [kind] * n).astype(np.uint8)


made = {
    "training": np.concatenate([rng.choice(train[k], n_of[k]) for k in KINDS]),
    "new": np.concatenate([new_levels(k, n_of[k]) for k in KINDS]),
    "chain": np.concatenate(
        [TileChain().fit(train[k]).sample(n_of[k], WIDTH, rng) for k in KINDS]
    ),
}


def report(name, figures):
    """Print a line of figures."""
    print(f"{name:44}" + "".join(f"{figure:10.4g}" for figure in figures))


print(f"{'':44}" + "".join(f"{name:>10}" for name in made))
report(
    "playable, percent",
    [100 * rules.are_playable(levels).mean() for levels in made.values()],
)
for size, word in enumerate(("two", "three", "four"), start=2):
    divergences = [
        pattern_divergence(held_out, levels, size) for levels in made.values()
    ]
    report(
        f"divergence, patterns of {word}",
        [divergence.jensen_shannon for divergence in divergences],
    )
    report(
        f"missing patterns of {word}",
        [divergence.missing for divergence in divergences],
    )
    report(
        f"invented patterns of {word}",
        [divergence.invented for divergence in divergences],
    )
differences = [novelty(X, levels) for levels in made.values()]
report(
    "not a training segment, percent",
    [100 * (difference > 0).mean() for difference in differences],
)
report(
    "differing tiles of the nearest segment, percent",
    [100 * difference.mean() for difference in differences],
)

# Search: numbers of enemies and gaps, and the smallest share of tiles that differ from every
# training segment.

TARGET, MIN_NOVELTY = (5, 3), 0.03


def properties(level):
    """Count the enemies and the gaps in the ground."""
    open_ground = np.concatenate([[False], level[-1] == legend.index("-"), [False]])
    return np.sum(level == legend.index("E")), np.sum(
        np.diff(open_ground.astype(int)) == 1
    )


def closeness(levels):
    """Rate levels by properties, whether they can be completed, and novelty; 0 is best."""
    found = np.array([properties(level) for level in levels])
    known = novelty(train["overground"], levels) < MIN_NOVELTY
    return -np.abs(found - TARGET).sum(1) - 2 * ~rules.are_playable(levels) - 2 * known


start = rng.choice(train["overground"], 100).astype(int)
found = search(model, closeness, start, y="overground", target_value=0, random_state=0)
best = found.row[0].astype(np.uint8)
print(f"\nsearch: {found.n_evaluations} levels tried")
report("enemies and gaps, target five and three", properties(best))
report("difference from the target", [abs(found.value)])

# Figure: a sprite has eight rows of eight pixels; each letter is a colour.

COLOURS = {
    "k": "#2b1d1a", "b": "#b5652f", "l": "#e8a868", "r": "#a8432a", "o": "#d97a4a",
    "y": "#f5b82e", "w": "#fff6dc", "c": "#9a6a48", "e": "#8c3f2c", "s": "#f0c79a",
    "g": "#3fa34d", "h": "#a5e07d", "d": "#256b37", "m": "#3d4457", "n": "#8d99b3",
}  # fmt: skip
SPRITES = {
    "-": " ".join(["........"] * 8),
    "X": "llllllbk lbbbbbbk lbbkbbbk lbbbbbbk lbkbbbbk lbbbbkbk bbbbbbbk kkkkkkkk",
    "S": "ooookooo rrrrkrrr kkkkkkkk ookooooo rrkrrrrr kkkkkkkk rrrrkrrr kkkkkkkk",
    "?": "kyyyyyyk yywwwwyy ywwyywwy yyyyywwy yyywwyyy yyyyyyyy yyywwyyy kyyyyyyk",
    "Q": "kllllllk lccccccl lckcckcl lccccccl lccccccl lckcckcl lccccccl kllllllk",
    "E": "..eeee.. .eeeeee. ekweewke ekweewke eeeeeeee .ssssss. .kssssk. kkk..kkk",
    "<": "kkkkkkkk khhggggg khhggggg khhggggg khhggggg kkkkkkkk .khhgggg .khhgggg",
    ">": "kkkkkkkk gggggddk gggggddk gggggddk gggggddk kkkkkkkk ggggddk. ggggddk.",
    "[": " ".join([".khhgggg"] * 8),
    "]": " ".join(["ggggddk."] * 8),
    "o": "........ ..kyyk.. .kywwyk. .kywyyk. .kywyyk. .kyyyyk. ..kyyk.. ........",
    "B": ".kkkkkk. kmmmmmmk kmnnmmmk kmnnmmmk kmmmmmmk .kkkkkk. .kmnmmk. .kmnmmk.",
    "b": ".kmnmmk. .kmnmmk. .kmnmmk. .kmnmmk. .kmnmmk. kmmnmmmk kmmnmmmk kkkkkkkk",
}
SKIES = {
    "overground": ("#6fb7f2", "#d3edfb"),
    "underground": ("#14121f", "#2d2740"),
    "sky": ("#5b6cc9", "#f6b3a2"),
}


def rgb(colour):
    """Convert a hexadecimal colour to red, green and blue from 0 to 1."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def draw_level(level, kind):
    """Draw the tiles of a level in front of its sky."""
    height, width = 8 * level.shape[0], 8 * level.shape[1]
    top, bottom = map(rgb, SKIES[kind])
    fade = np.linspace(0, 1, height)[:, None, None]
    picture = np.broadcast_to(
        (1 - fade) * top + fade * bottom, (height, width, 3)
    ).copy()
    for (row, column), tile in np.ndenumerate(level):
        for i, line in enumerate(SPRITES[legend[tile]].split()):
            for j, letter in enumerate(line):
                if letter in COLOURS:
                    picture[8 * row + i, 8 * column + j] = rgb(COLOURS[letter])
    return picture


def show(axes, level, kind, title):
    """Draw a level and a path through it."""
    axes.imshow(draw_level(level, kind), interpolation="nearest")
    way = np.array(rules.find_path(level) or np.empty((0, 2)))
    axes.plot(
        8 * way[:, 1] + 3.5,
        8 * way[:, 0] + 3.5,
        ".",
        color="white",
        markersize=2.5,
        alpha=0.8,
    )
    axes.set(
        title=title,
        xticks=[],
        yticks=[],
        xlim=(-0.5, 8 * WIDTH - 0.5),
        ylim=(8 * len(level) - 0.5, -0.5),
    )


figure, axes = plt.subplots(4, 2, figsize=(11, 11.6), layout="constrained")
for row, k in zip(axes, KINDS, strict=False):
    levels = new_levels(k, 20)
    for one, level in zip(row, levels[rules.are_playable(levels)], strict=False):
        show(one, level, k, f"new, {k}")
show(axes[-1, 0], best, "overground", "searched: five enemies, three gaps")
nearest = train["overground"][(train["overground"] != best).mean((1, 2)).argmin()]
show(axes[-1, 1], nearest, "overground", "the training segment nearest to it")
figure.savefig(folder / "mario_levels.png", dpi=100)
