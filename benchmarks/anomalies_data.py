"""Real data with known anomalies, and their split into training and test rows.

Read from the folder ``$ISTHMUS_TEST_DATA`` (default: ``../shared/data`` beside the repository).
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from tables_data import Values, folder

ROWS_CONTAMINATED, ROWS_ONE_CLASS = 10_000, 20_000
# Share of anomalies in heavily contaminated training rows, and the fewest of these rows that a table must have.
HEAVY_SHARE, FEWEST_ROWS = 0.29, 50
# Columns of NSL-KDD that are no features: name and family of the attack, and how many classifiers recognised it.
NOT_FEATURES = ["label", "difficulty", "family"]
NORMAL_BEAT = 1


class Split(NamedTuple):
    """Rows or time points for training and for testing, and which of the latter are anomalous.

    The first ``context`` points of ``test`` are scored, and do not count in the measures.
    """

    name: str
    train: Any
    test: Any
    labels: Values
    context: int = 0


def contaminated(seed: int, most: int | None = None) -> Iterator[Split]:
    """Train on 70 % of all rows, anomalies included, and score the others."""
    for name, X, y in tables():
        X, y = cut(X, y, most or ROWS_CONTAMINATED, seed)
        train, test, _, labels = train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)
        yield Split(name, *standardize(train, test), labels)


def heavily_contaminated(seed: int, most: int | None = None) -> Iterator[Split]:
    """Leave out normal training rows, or anomalies, so that 29 % of the training rows are anomalies."""
    for name, X, y in tables():
        X, y = cut(X, y, most or ROWS_CONTAMINATED, seed)
        train, test, known, labels = train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)
        kept = thin(known, HEAVY_SHARE, seed)
        if len(kept) >= FEWEST_ROWS:
            yield Split(name, *standardize(train[kept], test), labels)


def thin(y: Values, share: float, seed: int) -> Values:
    """Return indices of as many rows as possible, of which a share has the label 1."""
    n = min(y.sum() / share, (1 - y).sum() / (1 - share))
    order = np.random.default_rng(seed).permutation(len(y))
    kinds = ((1, round(n * share)), (0, round(n * (1 - share))))
    return np.concatenate([order[y[order] == label][:count] for label, count in kinds])


def one_class(seed: int, most: int | None = None) -> Iterator[Split]:
    """Train on one half of the normal rows, and score the other half and all anomalies."""
    for name, X, y in tables():
        yield take_half(name, *cut(X, y, most or ROWS_ONE_CLASS, seed), seed)


def one_class_benchmarks(seed: int, most: int | None = None) -> Iterator[Split]:
    """Read 150 tables of OddBench and OvRBench, small files first; training rows are normal."""
    for path in sorted((folder() / "odd-ovr").glob("*.npz"), key=lambda path: path.stat().st_size):
        with np.load(path) as file:
            train, test = (file[key][:most].astype(np.float64) for key in ("train", "test"))
            yield Split(path.stem, *standardize(train, test), file["labels"][:most].astype(int))


def beats(seed: int, most: int | None = None) -> Iterator[Split]:
    """Split heartbeats of 140 values: train on one half of the normal ones."""
    with np.load(folder() / "ecg5000-train" / "ecg5000_train.npz") as file:
        X, y = file["X"].astype(np.float64), file["y"] != NORMAL_BEAT
    yield take_half("ECG5000", *cut(X, y, most or len(X), seed), seed)


def intrusion(seed: int, most: int | None = None) -> Iterator[Split]:
    """Split the training file of NSL-KDD, with columns of all kinds: train on one half of the normal rows."""
    frame = pd.read_csv(folder() / "nsl-kdd" / "train_20percent.csv.gz", keep_default_na=False)
    frame = frame.sample(min(most or len(frame), len(frame)), random_state=seed)
    attack = (frame["family"] != "normal").to_numpy()
    train, test = halves(attack, seed)
    rows = frame.drop(columns=NOT_FEATURES)
    rows = rows.astype(dict.fromkeys(rows.select_dtypes("number"), np.float64))
    yield Split("NSL-KDD", rows.iloc[train], rows.iloc[test], attack[test])


def ucr(seed: int, most: int | None = None) -> Iterator[Split]:
    """Split series with one channel and one anomaly: train up to the limit of the archive, score all points."""
    with np.load(folder() / "ucr-anomaly" / "ucr_anomaly.npz") as file:
        for row in ucr_index():
            series = file[row["name"]].astype(np.float64)[:most, None]
            end, first, last = (int(row[key]) for key in ("train_end", "anomaly_start", "anomaly_end"))
            labels = np.zeros(len(series), int)
            labels[first : last + 1] = 1
            yield Split(row["name"], series[:end], series, labels, context=end)


def ucr_index() -> list[dict[str, str]]:
    with (folder() / "ucr-anomaly" / "index.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def servers(seed: int, most: int | None = None) -> Iterator[Split]:
    """Split metrics of servers, with many channels: train on the first part, and score the next."""
    for path in sorted([*folder().glob("smd/*.npz"), *folder().glob("asd/*.npz")]):
        with np.load(path) as file:
            train, test = (np.ascontiguousarray(file[key][:most], np.float64) for key in ("train", "test"))
            yield Split(f"{path.parent.name} {path.stem}", train, test, file["test_label"][:most].astype(int))


def tables() -> Iterator[tuple[str, Values, Values]]:
    for path in sorted((folder() / "adbench-classical").glob("*.npz"), key=number):
        with np.load(path) as file:
            yield path.stem, file["X"].astype(np.float64), file["y"].astype(int)


def number(path: Path) -> int:
    return int(path.stem.partition("_")[0])


def cut(X: Values, y: Values, most: int, seed: int) -> tuple[Values, Values]:
    """Draw ``most`` rows; if fewer than five of them are anomalies, add ten."""
    if len(X) <= most:
        return X, y
    kept = np.random.default_rng(seed).choice(len(X), most, replace=False)
    if y[kept].sum() < 5:
        kept = np.append(kept, np.flatnonzero(y)[:10])
    return X[kept], y[kept]


def take_half(name: str, X: Values, y: Values, seed: int) -> Split:
    train, test = halves(y, seed)
    return Split(name, *standardize(X[train], X[test]), y[test])


def halves(y: Values, seed: int) -> tuple[Values, Values]:
    """Return indices of one half of the normal rows, and of all other rows."""
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(y == 0))
    return normal[: len(normal) // 2], np.append(normal[len(normal) // 2 :], np.flatnonzero(y))


def standardize(train: Values, test: Values) -> tuple[Values, Values]:
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


def load_published_ucr(name: str) -> dict[str, float]:
    """Return published figures of TSB-UAD's autoencoder over whole series; none without the tables of its results."""
    (row,) = [row for row in ucr_index() if row["name"] == name]
    wanted = f"_UCR_Anomaly_{name}_{row['train_end']}_{row['anomaly_start']}_"
    found = {}
    for kind in ("PR", "ROC"):
        path = folder().parent / "reference" / f"tsb_uad_per_series_auc_{kind.lower()}.csv"
        if path.exists():
            with path.open(newline="") as file:
                values = [float(line["AE"]) for line in csv.DictReader(file) if wanted in line["filename"]]
            found |= {f"AUC-{kind}, whole series": value for value in values}
    return found
