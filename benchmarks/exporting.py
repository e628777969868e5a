"""Equality of exported programs with isthmus: each variant of the zoo, each kind of data, and detectors.

    OMP_NUM_THREADS=1 python benchmarks/exporting.py
    OMP_NUM_THREADS=1 python benchmarks/exporting.py --models vae texts --out /tmp/try.md

Each part of each model is exported to ONNX, which compares it with isthmus; a row of the list shows the certificate.
The nets have their default sizes, but are hardly trained, so that the benchmark is short. The last comparison is by the
command line: the alarms of ``isthmus detect`` in 10,000 rows of the adult table, and those of ONNX Runtime in a process
without isthmus and torch. It needs the folder ``$ISTHMUS_TEST_DATA``. Writes ``benchmarks/results/exporting.md``.
"""

import argparse
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from isthmus import AnomalyDetector, BaggedAutoencoders, Decoder, ExemplarDistance, zoo
from isthmus.data import Texts
from isthmus.exporting.certificate import TOLERANCE
from isthmus.exporting.certified import make_certified
from isthmus.exporting.programs import PARTS
from isthmus.likelihoods import Categorical

RESULTS = Path(__file__).parent / "results" / "exporting.md"
ADULT = Path(os.environ.get("ISTHMUS_TEST_DATA", ".")) / "tabular-mixed" / "adult_train.csv.gz"
# Rows of drawn data; rows of adult to which a detector is fitted, and rows of adult that are searched for anomalies.
N, N_FITTED, N_SEARCHED = 200, 2_000, 10_000
FAST: dict[str, Any] = {"max_epochs": 2, "random_state": 0}
LABELS = np.arange(N) % 2

ABOUT = f"""# Exported programs beside isthmus

Written by `OMP_NUM_THREADS=1 python benchmarks/exporting.py`. Each part of each variant of the zoo, and of models of
each kind of data, is exported to ONNX. Nets have their default sizes and {FAST["max_epochs"]} epochs on {N} drawn rows.

*Largest difference* is that of a number on all rows of the certificate: the rows, 1, 2 and 17 of them, constant and
extreme rows, rows with missing cells and with unseen categories. It is relative to the distance of the number from the
mean of its output plus the standard deviation; {TOLERANCE:.0e} is allowed. *Decisions equal* are alarms and categories.
*Seconds* are processor seconds of the export and the comparison; the first export includes imports.
"""
HEAD = (
    "| model | part | rows compared | largest difference | decisions equal | seconds |",
    "| --- | --- | --- | --- | --- | --- |",
)
# Run without isthmus: reads the rows as its only input, 1,000 rows at a time.
SEARCH = """
import sys
import numpy as np, onnxruntime, pandas as pd
session, table = onnxruntime.InferenceSession(sys.argv[1]), pd.read_csv(sys.argv[2])
found = []
for start in range(0, len(table), 1000):
    rows, feeds = table.iloc[start : start + 1000], {}
    for port in session.get_inputs():
        cells = rows[[port.name]]
        texts = port.type == "tensor(string)"
        feeds[port.name] = cells.fillna("").to_numpy(object) if texts else cells.to_numpy(np.float64)
    found.append(session.run(["is_anomaly"], feeds)[0])
assert not {"isthmus", "torch"} & set(sys.modules)
np.save(sys.argv[3], np.flatnonzero(np.concatenate(found)))
"""


def draw_plane(n_columns: int = 12) -> Any:
    rng = np.random.default_rng(0)
    plane = (rng.normal(size=(N, 2)) + 0.5 * LABELS[:, None]) @ rng.normal(size=(2, n_columns))
    return plane + 0.1 * rng.normal(size=plane.shape)


def draw_table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    table = pd.DataFrame(draw_plane(4), columns=["age", "income", "visits", "debt"])
    table["city"] = np.where(table["age"] > 0, "Oslo", rng.choice(["Rome", "Bonn", None], N))
    table["owner"] = table["income"] + rng.normal(size=N) > 0
    table["joined"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, N), unit="D")
    return table.assign(debt=table["debt"].mask(rng.random(N) < 0.1))


def draw_gaps() -> Any:
    return np.where(np.random.default_rng(2).random((N, 12)) < 0.2, np.nan, draw_plane())


def draw_images() -> Any:
    return (40 * draw_plane(64) + 100).clip(0, 255).astype(np.uint8).reshape(N, 8, 8)


def draw_colours() -> Any:
    return np.stack([draw_images() / 255, draw_images()[::-1] / 255, draw_images() / 510], -1)


def draw_waves() -> Any:
    return draw_plane(2) @ np.cos(np.arange(24) / 3 + [[0], [1.5]])


def draw_channels() -> Any:
    return np.stack([draw_waves(), draw_waves()[::-1]], 1)


def draw_counts() -> Any:
    return np.random.default_rng(3).poisson(np.exp(draw_plane().clip(-3, 3)) + 0.2)


def draw_tokens() -> Any:
    return np.random.default_rng(4).integers(5, size=(N, 6))


def draw_texts() -> Any:
    words = np.random.default_rng(5).choice(["red", "green", "blue"], (N, 2))
    return Texts([f"{one} and {other}" for one, other in words], vocabulary="word")


# Rows of the variants that are not made for plain numbers.
ROWS: dict[str, Callable[[], Any]] = {
    "convolutional": draw_images,
    "imputer": draw_gaps,
    "mult_vae": draw_counts,
    "recurrent": draw_waves,
    "sequence_vae": draw_tokens,
    "tabular_vae": draw_table,
    "tcn": draw_waves,
    "topic_model": draw_counts,
}
# Further kinds of data and of models: the estimator and its rows.
KINDS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "numbers, float32": (lambda: zoo.vae(**FAST), lambda: draw_plane().astype(np.float32)),
    "numbers, float64": (lambda: zoo.linear(precision="float64", **FAST), draw_plane),
    "table with labels": (lambda: zoo.conditional_vae(**FAST), draw_table),
    "colour images": (lambda: zoo.convolutional(**FAST), draw_colours),
    "series of two channels": (lambda: zoo.recurrent(**FAST), draw_channels),
    "counts": (lambda: zoo.vae(likelihood="negative_binomial", **FAST), draw_counts),
    "texts": (lambda: zoo.sequence_vae(**FAST), draw_texts),
    "bagged, table": (lambda: BaggedAutoencoders(zoo.autoencoder(**FAST), 5, random_state=0), draw_table),
    "exemplars, table": (ExemplarDistance, draw_table),
    "detector, table": (lambda: AnomalyDetector(random_state=0), draw_table),
    "detector, images": (lambda: AnomalyDetector(zoo.convolutional(**FAST), n_folds=2, random_state=0), draw_images),
}
# Parts of these that are compared: the others are halves of reconstructions, and scores are within decisions.
WHOLE = {"reconstruct", "score", "detect"}


class Row(NamedTuple):
    """What the certificate of a part says, or the message with which it is refused."""

    model: str
    part: str
    n_rows: int = 0
    difference: float = np.nan
    n_different: int = 0
    n_decisions: int = 0
    seconds: float = np.nan
    refused: str = ""

    def __str__(self) -> str:
        if self.refused:
            return f"| {self.model} | {self.part} | - | refused: {self.refused} | - | - |"
        equal = f"{self.n_decisions - self.n_different:,} of {self.n_decisions:,}" if self.n_decisions else "-"
        return (
            f"| {self.model} | {self.part} | {self.n_rows:,} | {self.difference:.0e} | {equal} | {self.seconds:.1f} |"
        )


def fit(name: str) -> tuple[Any, Any]:
    """Return a fitted model and its rows."""
    if name in KINDS:
        make, draw = KINDS[name]
        X = draw()
        return make().fit(X, LABELS if name == "table with labels" else None), X
    X, likelihood = ROWS.get(name, draw_plane)(), {"likelihood": Categorical(5)} if name == "sequence_vae" else {}
    return getattr(zoo, name)(**FAST, **likelihood).fit(X, LABELS), X


def certify(name: str, model: Any, X: Any) -> Iterator[Row]:
    """Yield the result of each part of a model, and of its decoder alone."""
    parts = [(part, model) for part in PARTS[type(model).__name__] if name not in KINDS or part in WHOLE]
    parts = parts[:1] if isinstance(model, AnomalyDetector) else parts
    parts += [("decoder alone", Decoder(model))] if name == "tabular_vae" else []
    for part, owner in parts:
        started = time.process_time()
        try:
            certificate = make_certified(owner, part.removesuffix(" alone"), X, ".onnx")[1]
        except ValueError as error:
            yield Row(name, part, refused=str(error))
            continue
        checks = [check for check in certificate.checks if not check.note]
        yield Row(
            name,
            part,
            sum(check.n_rows for check in checks),
            max(check.difference for check in checks),
            sum(check.n_different for check in checks),
            sum(check.n_decisions for check in checks),
            time.process_time() - started,
        )


def compare_alarms(folder: Path) -> str:
    """Compare the alarms of ``isthmus detect`` in rows of adult with those of ONNX Runtime alone."""
    table = pd.read_csv(ADULT).sample(N_FITTED + N_SEARCHED, random_state=0)
    files = {name: str(folder / name) for name in ("fit.csv", "new.csv", "d.safetensors", "d.onnx", "a.csv", "a.npy")}
    table[:N_FITTED].to_csv(files["fit.csv"], index=False)
    table[N_FITTED:].to_csv(files["new.csv"], index=False)
    run("detect", files["fit.csv"], "--save", files["d.safetensors"], "--fpr", "0.05", "--seed", "0")
    run("export", files["d.safetensors"], "--to", files["d.onnx"], "--data", files["fit.csv"])
    run("detect", files["new.csv"], "--detector", files["d.safetensors"], "--out", files["a.csv"])
    subprocess.run([sys.executable, "-c", SEARCH, files["d.onnx"], files["new.csv"], files["a.npy"]], check=True)
    expected, found = np.sort(pd.read_csv(files["a.csv"])["row"].unique()), np.load(files["a.npy"])
    n_different = len(np.setxor1d(expected, found))
    return (
        f"Adult, {N_SEARCHED:,} rows: `isthmus detect` finds {len(expected):,} alarms, ONNX Runtime in a process "
        f"without isthmus and torch {len(found):,}; {n_different} rows differ."
    )


def run(*arguments: str) -> None:
    """Run the command line of isthmus."""
    subprocess.run([sys.executable, "-m", "isthmus", *arguments], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    everything = [*zoo.__all__, *KINDS]
    parser.add_argument("--models", nargs="+", choices=[*everything, "adult"], default=[*everything, "adult"])
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    started, rows, alarms = time.process_time(), list[Row](), ""
    for name in options.models:
        if name != "adult":
            for row in certify(name, *fit(name)):
                print(row, flush=True)
                rows.append(row)
    if "adult" in options.models:
        with TemporaryDirectory() as folder:
            alarms = compare_alarms(Path(folder))
        print(alarms)
    children = os.times().children_user + os.times().children_system
    minutes = f"Processor time: {(time.process_time() - started + children) / 60:.1f} minutes."
    n_refused = sum(bool(row.refused) for row in rows)
    total = f"{len(rows) - n_refused} programs are equal to isthmus; {n_refused} are refused."
    options.out.write_text("\n".join([ABOUT, total, "", *HEAD, *map(str, rows), "", alarms, "", minutes, ""]))


if __name__ == "__main__":
    main()
