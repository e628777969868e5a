"""Files to damage: small models of every class that can be saved, data files of every kind, and a checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from isthmus import AnomalyDetector, Autoencoder, Checkpoint, save, zoo
from isthmus.anomaly import BaggedAutoencoders, ExemplarDistance, SlidingWindows
from isthmus.backbones import MLP, Conv
from isthmus.data import Texts
from isthmus.data.files import KINDS, write
from isthmus.decoder import Decoder
from isthmus.priors import Flow

NAMES = ["a", "b", "c", "d"]
X = np.random.default_rng(0).normal(size=(60, 4)).round(3)
Y = np.arange(60) % 3
WAVE = np.sin(np.arange(300) / 4) + 0.05 * np.random.default_rng(0).normal(size=300)
TINY = {"max_epochs": 1, "random_state": 0}
# Options for a fast fit on the command line.
QUICK = ("--set", "max_epochs=1", "--set", "backbone.hidden=[4]", "--set", "n_components=2")


def table() -> pd.DataFrame:
    """Return rows with a column of each kind and missing values."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(X, columns=NAMES)
    frame["town"] = rng.choice(["Oslo", "Rome", None], len(X))
    frame["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, len(X)), "D")
    frame["n"] = rng.poisson(3, len(X))
    frame.loc[::7, "b"] = np.nan
    return frame


def _net(name: str = "vae", **options: Any) -> Autoencoder:
    model: Autoencoder = getattr(zoo, name)(2, **{"backbone": MLP((4,)), **TINY, **options})
    return model


MODELS: dict[str, Callable[[], Any]] = {
    "vae": lambda: _net().fit(pd.DataFrame(X, columns=NAMES)),
    "array": lambda: _net("denoising").fit(X),
    "table": lambda: _net("tabular_vae").fit(table()),
    "conditional": lambda: _net("conditional_vae", prior="mixture").fit(X, Y),
    "kde": lambda: _net(prior="kde").fit(X),
    "flow": lambda: _net(prior=Flow(n_layers=1, width=4)).fit(X),
    "images": lambda: zoo.convolutional(2, backbone=Conv((2,)), **TINY).fit(X.reshape(-1, 1, 2, 2)),
    "text": lambda: zoo.sequence_vae(2, width=4, **TINY).fit(Texts(["a b c", "b c", "c a"] * 9, vocabulary="word")),
    "decoder": lambda: Decoder(_net().fit(X)),
    "ensemble": lambda: BaggedAutoencoders(_net("autoencoder"), 2, random_state=0).fit(X),
    "proximity": lambda: ExemplarDistance(_net("autoencoder"), n_estimators=2, random_state=0).fit(X),
    "sliding": lambda: SlidingWindows(lengths=(8,), views=("values",), random_state=0).fit(WAVE),
    "detector": lambda: AnomalyDetector(_net(), calibration="split", random_state=0).fit(
        pd.DataFrame(X, columns=NAMES)
    ),
}


def make_models(folder: Path, names: tuple[str, ...]) -> int:
    """Fit and save models, and write rows for them."""
    write(folder / "rows.csv", X, NAMES)
    for name in names:
        save(MODELS[name](), folder / f"{name}.safetensors")
    return 0


def make_checkpoint(folder: Path) -> int:
    """Write the checkpoint of a fit; ``resume`` continues from it."""
    resume(folder)
    return 0


def resume(folder: Path) -> None:
    """Fit, from a checkpoint if there is one."""
    _net(callbacks=[Checkpoint(folder, every=0)], max_epochs=3).fit(X)


def make_data(folder: Path) -> int:
    """Write the table, or its numbers, to files of every kind."""
    frame = table()
    frame.to_csv(folder / "table.csv", index=False)
    frame.to_csv(folder / "table.tsv", index=False, sep="\t")
    frame.to_parquet(folder / "table.parquet", index=False)
    for suffix in KINDS:
        write(folder / f"numbers{suffix}", X, NAMES)
    make_read_only_kinds(folder, frame)
    return 0


def make_read_only_kinds(folder: Path, frame: pd.DataFrame) -> None:
    """Write the table to files of formats that isthmus reads and does not write."""
    frame.to_feather(folder / "table.feather")
    frame.to_json(folder / "table.jsonl", orient="records", lines=True, date_format="iso")
    frame.to_excel(folder / "table.xlsx", index=False)
    frame.to_csv(folder / "table.csv.gz", index=False)
    frame.to_csv(folder / "table.csv.zip", index=False)
