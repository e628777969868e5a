"""Damaged files, random commands and killed processes: no file is lost, and no input causes a traceback.

    OMP_NUM_THREADS=1 python benchmarks/fuzz.py
    OMP_NUM_THREADS=1 python benchmarks/fuzz.py --models 20 --data 10 --commands 10 --kills 5 --seed 7 --out /tmp/try

Every case runs in a separate process, forked from one that has imported isthmus. A case fails if it

- ends in a traceback, or with an exit code other than 0, 1, 2 (invalid input) or 130 (interrupted),
- takes more than a minute or more than 2 GiB,
- changes a file that it only reads or must not replace,
- leaves an output together with exit code 2, or
- loads a model file with other content than was saved.

Model files whose checksum was changed to match the damage may load, but commands that use them must not fail in any of
these ways. A line is printed for each fault; the table is written to ``benchmarks/results/fuzz.md``.
"""

import argparse
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from fuzz_damage import CELLS, damage_bytes, damage_model
from fuzz_materials import MODELS, QUICK, make_checkpoint, make_data, make_models, resume
from fuzz_running import Outcome, call, finish, run, start, use, worst

from isthmus import load
from isthmus.data.files import read

RESULTS = Path(__file__).parent / "results"
Case = tuple[str, Outcome, str]


class Figures(NamedTuple):
    """Results of the cases of one kind."""

    cases: int
    codes: Counter[int]
    faults: list[str]
    seconds: float
    memory: int


def models(folder: Path, n: int, rng: random.Random, names: tuple[str, ...] = tuple(MODELS)) -> Iterator[Case]:
    """Load and use damaged model files; every tenth is a checkpoint from which a fit is resumed."""
    run(partial(make_models, folder, names))
    run(partial(make_checkpoint, folder / "fit"))
    kept = sorted(folder.glob("*.safetensors"))
    for i in range(n):
        if i % 10 == 9:
            yield _checkpoint(folder, rng)
            continue
        original, target = rng.choice(kept), folder / "damaged" / "model.safetensors"
        target.parent.mkdir(exist_ok=True)
        how, resealed = damage_model(original, target, rng)
        yield f"{original.stem}, {how}", run(partial(use, target, original, folder / "rows.csv", resealed)), ""


def _checkpoint(folder: Path, rng: random.Random) -> Case:
    target = folder / "resumed" / "checkpoint.safetensors"
    target.parent.mkdir(exist_ok=True)
    how, _ = damage_model(folder / "fit" / target.name, target, rng)
    return f"checkpoint, {how}", run(partial(_resume, target.parent)), ""


def _resume(folder: Path) -> int:
    try:
        resume(folder)
    except ValueError as error:
        print(error)
        return 2
    return 0


def data(folder: Path, n: int, rng: random.Random) -> Iterator[Case]:
    """Run commands on damaged data files."""
    run(partial(make_data, folder))
    kept = sorted(path for path in folder.iterdir() if path.is_file())
    for _ in range(n):
        original = rng.choice(kept)
        target = folder / "damaged" / f"rows{''.join(original.suffixes)}"
        target.parent.mkdir(exist_ok=True)
        how = damage_bytes(original, target, rng)
        command = rng.choice(("fit", "fit", "prepare", "doctor", "detect"))
        yield _checked(f"{command} {original.name}, {how}", target.parent, partial(_read, command, target))


def _read(command: str, path: Path) -> int:
    folder = path.parent
    options = {
        "fit": [*QUICK, "--model", "tabular_vae", "--out", folder / "m.safetensors"],
        "prepare": [folder / "clean.csv"],
        "doctor": [],
        "detect": ["--model", "autoencoder", *QUICK, "--out", folder / "alarms.csv"],
    }
    return call(command, path, *options[command])


def commands(folder: Path, n: int, rng: random.Random) -> Iterator[Case]:
    """Run random commands with random options on undamaged files."""
    run(partial(make_models, folder, ("vae", "array", "table", "detector")))
    run(partial(make_data, folder))
    for _ in range(n):
        words = _random_words(folder, rng)
        yield _checked(" ".join(words), folder, partial(call, *words), forced="--force" in words)


NAMES = (
    "prepare",
    "doctor",
    "look",
    "quality",
    "fit",
    "transform",
    "reconstruct",
    "impute",
    "score",
    "detect",
    "sample",
    "info",
    "zoo",
)
OPTIONS = ("--out", "--out", "--force", "--seed", "--draws", "-n", "--set", "--model", "--columns", "--without",
           "--kind", "--condition", "--given", "--explain", "--fpr", "--fdr", "--contamination", "--normal", "--save",
           "--time", "--config", "--test", "--limits", "--split", "--scaling", "--contributions", "--report",
           "--detector", "--escape-formulas", "--checkpoint", "--wrong")  # fmt: skip
FLAGS = ("--force", "--contributions", "--report", "--escape-formulas")
TEXTS = ("", "0", "1", "2", "-1", "0.5", "1e9", "nan", "vae", "pca", "a", "town", "day", "n_components=3", "a=1", "=",
         "bottleneck.beta=x", "max_epochs=1", "town=Oslo", "a=category", "a=0:1", "0.5,0.25,0.25", "x" * 300, "\udcff",
         "[[[[", "é", "new.csv", "new.parquet", "new.npy", "new.safetensors", "none/new.csv", ".", "/dev/null",
         "n_components=100000", "hidden=[1,2]", "random_state=null")  # fmt: skip


def _random_words(folder: Path, rng: random.Random) -> list[str]:
    files = [path.name for path in folder.iterdir()]
    word = lambda: rng.choice((*TEXTS, *files, *files)) if rng.random() < 0.95 else rng.choice(CELLS).decode("latin-1")  # noqa: E731
    command = rng.choice(NAMES)
    words = [command]
    if command in ("transform", "reconstruct", "impute", "score", "sample", "info"):
        words.append(rng.choice([name for name in files if name.endswith(".safetensors")] or ["no.safetensors"]))
    if command not in ("sample", "info", "zoo"):
        words.append(rng.choice(files))
    if command in ("fit", "detect"):
        words += QUICK
    for option in rng.choices(OPTIONS, k=rng.randrange(5)):
        words += [option] if option in FLAGS else [option, word()]
    return [text.replace("\x00", "") for text in words]


def kill_commands(folder: Path, n: int, rng: random.Random) -> Iterator[Case]:
    """Kill commands that replace files at a random time, then run them to the end."""
    run(partial(make_models, folder, ("vae",)))
    lines = _lines(folder)
    lasts = {name: run(partial(call, *words)).seconds for name, (words, _) in lines.items()}
    for _ in range(n):
        name = rng.choice(list(lines))
        words, outputs = lines[name]
        sent = rng.choice((signal.SIGKILL, signal.SIGINT, signal.SIGTERM))
        before = {path: path.read_bytes() for path in outputs}
        with tempfile.TemporaryFile() as out:
            started = time.perf_counter()
            child = start(partial(call, *words), out)
            time.sleep(rng.uniform(0, 1.1) * lasts[name])
            os.kill(child, sent)  # the process has not been waited for, so it still exists
            outcome = finish(child, out, started)
        if outcome.code == -sent and sent != signal.SIGINT:
            outcome = outcome._replace(code=130)  # ended by the signal, as expected
        wrong = [f"{path.name} is lost" for path in outputs if not path.exists() or not path.stat().st_size]
        whole = run(partial(_whole, [path for path in outputs if path.exists() and path.read_bytes() != before[path]]))
        wrong += [whole.said] if whole.code else []
        again = run(partial(call, *words))
        wrong += [f"the second run ended with {again.code}: {again.said}"] if again.code else []
        wrong += [f"litter: {path.name}" for path in folder.rglob("*.part")]
        yield f"{name}, {sent.name}", outcome, "; ".join(wrong)


def _lines(folder: Path) -> dict[str, tuple[list[str], list[Path]]]:
    rows, model = str(folder / "rows.csv"), str(folder / "vae.safetensors")
    outs = {name: folder / name for name in ("m.safetensors", "c.csv", "s.parquet", "d.safetensors", "al.csv", "p.csv")}
    parts = [folder / f"p.{part}" for part in ("train.csv", "valid.csv", "test.csv", "report.json")]
    progress = ["--checkpoint", str(folder / "progress")]
    lines: dict[str, tuple[list[str], list[Path]]] = {
        "fit": (["fit", rows, *QUICK, *progress, "--out", str(outs["m.safetensors"])], [outs["m.safetensors"]]),
        "transform": (["transform", model, rows, "--out", str(outs["c.csv"])], [outs["c.csv"]]),
        "sample": (["sample", model, "-n", "20000", "--out", str(outs["s.parquet"])], [outs["s.parquet"]]),
        "detect": (
            [
                "detect",
                rows,
                "--model",
                "vae",
                *QUICK,
                "--save",
                str(outs["d.safetensors"]),
                "--out",
                str(outs["al.csv"]),
            ],
            [outs["d.safetensors"], outs["al.csv"]],
        ),
        "prepare": (["prepare", rows, str(outs["p.csv"])], [outs["p.csv"], *parts]),
    }
    return {name: ([*words, "--force"], outputs) for name, (words, outputs) in lines.items()}


def _whole(paths: list[Path]) -> int:
    """Read files; incomplete files raise an error."""
    for path in paths:
        {".safetensors": load, ".json": Path.read_bytes}.get(path.suffix, read)(path)
    return 0


def _checked(name: str, folder: Path, case: Callable[[], int], forced: bool = False) -> Case:
    """Run a case in a folder, check the files of the folder, and remove new ones."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    outcome = run(partial(_within, folder, case))
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    wrong = [f"{path.name} changed" for path in before if after.get(path) != before[path] and not forced]
    new = [path for path in after if path not in before]
    wrong += [f"{path.name} was left" for path in new if outcome.code == 2 and "checkpoint" not in path.name]
    for path in new:
        path.unlink()
    for path, content in before.items():
        path.write_bytes(content)
    return name, outcome, "; ".join(wrong)


def _within(folder: Path, case: Callable[[], int]) -> int:
    os.chdir(folder)
    return worst([case()])


KINDS = {"models": models, "data": data, "commands": commands, "kills": kill_commands}


def run_cases(kind: str, n: int, seed: int) -> Figures:
    """Run all cases of one kind."""
    started, codes, faults, memory = time.perf_counter(), Counter[int](), [], 0
    with tempfile.TemporaryDirectory() as folder:
        for i, (name, outcome, wrong) in enumerate(KINDS[kind](Path(folder), n, random.Random(seed))):
            codes[outcome.code] += 1
            memory = max(memory, outcome.memory)
            if outcome.fault or wrong:
                faults.append(f"{kind} {i} ({name}): {wrong} {outcome.fault}")
    return Figures(sum(codes.values()), codes, faults, time.perf_counter() - started, memory)


def as_table(figures: dict[str, Figures]) -> str:
    """Return a Markdown table with a row for each kind."""
    lines = [
        "| kind | cases | faults | exit codes | peak memory, MiB | seconds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind, (cases, codes, faults, seconds, memory) in figures.items():
        exit_codes = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items()))
        lines.append(f"| {kind} | {cases} | {len(faults)} | {exit_codes} | {memory >> 20} | {seconds:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Run all requested kinds of cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind, n in {"models": 1000, "data": 500, "commands": 400, "kills": 100}.items():
        parser.add_argument(f"--{kind}", type=int, default=n)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    figures = {kind: run_cases(kind, getattr(given, kind), given.seed) for kind in KINDS if getattr(given, kind)}
    for one in figures.values():
        print(*one.faults, sep="\n")
    print(as_table(figures))
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "fuzz.md").write_text(f"Seed {given.seed}, by `benchmarks/fuzz.py`.\n\n{as_table(figures)}\n")


if __name__ == "__main__":
    main()
