"""NSL-KDD on the command line: detectors of normal rows, with unseen values as evidence or as missing values.

    python benchmarks/novelty.py

Writes half of the normal rows, or fewer, to CSV files, and calls ``isthmus detect --normal ... --save`` and ``isthmus
score``. Compares the scores of the other rows with those of the same detector without this evidence. Data are read from
the folder ``$ISTHMUS_TEST_DATA`` (default: ``../shared/data`` beside the repository). Writes
``benchmarks/results/novelty.md``.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from anomalies_data import NOT_FEATURES, folder, halves
from mnist import RESULTS
from sklearn.metrics import average_precision_score, roc_auc_score

# Numbers of normal rows in fit.
SIZES = (6_724, 1_000)
FPR = 0.01


class Row(NamedTuple):
    """A row of the table."""

    n_normal: int
    evidence: str
    auroc: float
    ap: float
    found: float
    false_alarms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="normal rows to fit to")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    rows = [row for size in options.sizes for row in measured(size)]
    (options.out / "novelty.md").write_text(report(rows), encoding="utf-8")


def measured(n_normal: int) -> Iterator[Row]:
    frame = pd.read_csv(folder() / "nsl-kdd" / "train_20percent.csv.gz", keep_default_na=False)
    attack = (frame["family"] != "normal").to_numpy()
    train, test = halves(attack, seed=0)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        frame.iloc[train[:n_normal]].to_csv(home / "normal.csv", index=False)
        frame.iloc[test].to_csv(home / "new.csv", index=False)
        without = [word for column in NOT_FEATURES for word in ("--without", column)]
        words = ["new.csv", "--normal", "normal.csv", "--fpr", str(FPR), "--save", "d.safetensors", *without]
        isthmus(home, "detect", *words)
        isthmus(home, "score", "d.safetensors", "new.csv", "--out", "scores.csv")
        found = pd.read_csv(home / "scores.csv")
        yield figures(n_normal, "evidence", attack[test], found["score"], found["is_anomaly"])
        scores, alarms = detect_without_novelty(home / "d.safetensors", frame.iloc[test].drop(columns=NOT_FEATURES))
        yield figures(n_normal, "missing", attack[test], scores, alarms)


def isthmus(home: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-m", "isthmus", *words], cwd=home, check=True)


def detect_without_novelty(path: Path, rows: pd.DataFrame) -> tuple[Any, Any]:
    """Score rows by the estimator of a detector alone, for which unseen values are missing."""
    from isthmus import load

    detector = load(path)
    scores = detector._scorer.detect_without_novelty()(rows)
    held_out = np.sort(detector.estimator_.held_out_scores_)
    return scores, scores < held_out[int(FPR * (len(held_out) + 1)) - 1]


def figures(n_normal: int, evidence: str, attack: Any, scores: Any, alarms: Any) -> Row:
    row = Row(
        n_normal,
        evidence,
        float(roc_auc_score(attack, -np.asarray(scores))),
        float(average_precision_score(attack, -np.asarray(scores))),
        float(np.asarray(alarms)[attack].mean()),
        float(np.asarray(alarms)[~attack].mean()),
    )
    print(*row, flush=True)
    return row


def report(rows: list[Row]) -> str:
    lines = [
        "# Unseen values as evidence",
        "",
        "The training file of NSL-KDD: detectors of normal rows score the other normal rows and all attacks.",
        f"`python benchmarks/novelty.py` prints these figures; alarms have a requested rate of {FPR:.0%} false alarms.",
        '"missing" is the estimator of the same detector alone, for which unseen categories are missing values.',
        "",
        "| normal rows | unseen values are | AUROC | average precision | attacks found | false alarms |",
        "| ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.n_normal:,} | {row.evidence} | {row.auroc:.4f} | {row.ap:.4f} | {row.found:.1%} | "
        f"{row.false_alarms:.2%} |"
        for row in rows
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
