"""Speed and memory, compared with other libraries in one run on the same arrays.

    make bench                                                # everything, about 25 minutes on two cores
    python benchmarks/speed.py small score-deep --rounds 1    # a part
    python benchmarks/speed.py --rows 2000 --out /tmp/try     # a quick test
    python benchmarks/speed.py --device cuda                  # tasks for accelerators

Every library runs every task in a separate process, and the libraries take turns, so that a slow machine slows all.
MNIST and the table "adult" are found as in ``mnist.py``; the table of 200,000 x 30 is random with a fixed seed. Appends
a line of JSON for each figure to ``benchmarks/results/speed.jsonl`` and writes the medians, ratios and goals of the
newest run of every task to ``benchmarks/results/speed.md``; on an accelerator, to ``accelerator.jsonl`` and
``accelerator.md``. A library that fails is left out, with the reason.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mnist import RESULTS
from peers_common import torch_device
from speed_report import report
from speed_tasks import ACCELERATOR_TASKS, ON_ACCELERATORS, ON_PROCESSORS, TASKS, write_arrays

PACKAGES = (
    *("isthmus", "torch", "numpy", "scikit-learn"),
    *("keras", "jax", "jaxlib", "skorch", "pyod", "pythae", "onnx", "onnxruntime"),
)
PATIENCE_SECONDS = 900
Record = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tasks", nargs="*", metavar="task", help=f"of {', '.join(TASKS)}; none is all")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds")
    parser.add_argument("--rows", type=int, help="number of rows, to test the benchmark itself")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--device", choices=("cpu", "cuda", "auto"), default="cpu", help="where all peers run")
    parser.add_argument("--peers", nargs="+", metavar="peer", help="only these")
    parser.add_argument("--worker", nargs=2, metavar=("PEER", "TASK"), help="measure once and print a line of JSON")
    options = parser.parse_args()
    if options.worker:
        work(*options.worker)
        return
    unknown = sorted(set(options.tasks) - set(TASKS))
    if unknown:
        parser.error(f"unknown tasks {unknown}, expected some of {list(TASKS)}")
    os.environ.update(make_environment(options.device))
    run(options.tasks, options.rounds, options.rows, options.out, options.peers)


def make_environment(device: str) -> dict[str, str]:
    """Environment of the processes that measure. Libraries that choose a device themselves see none for "cpu"."""
    chosen = {"ISTHMUS_SPEED_DEVICE": device}
    # JAX would take most of the memory when it starts, which hides what it needs.
    accelerated = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    return {**chosen, **({"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"} if device == "cpu" else accelerated)}


def run(tasks: list[str], rounds: int, n_rows: int | None, out: Path, peers: list[str] | None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    name = card_name()
    page, every_task = ("accelerator", ACCELERATOR_TASKS) if name else ("speed", TASKS)
    common = {"run": datetime.now(UTC).isoformat(timespec="seconds"), **({"card": name} if name else {}), **machine()}
    allowed = {peer for task in TASKS.values() for peer in task.peers} - {*(ON_PROCESSORS if name else ON_ACCELERATORS)}
    with TemporaryDirectory() as folder, (out / f"{page}.jsonl").open("a") as file:
        write_arrays(Path(folder), n_rows)
        for record in measure(tasks or list(every_task), rounds, Path(folder), allowed & set(peers or allowed)):
            print(format_record(record), flush=True)
            file.write(json.dumps({**record, **common}) + "\n")
            file.flush()
    report(out, page)


def card_name() -> str:
    """Name of the accelerator that is used; empty if there is none."""
    import torch

    return torch.cuda.get_device_name() if torch_device() == "cuda" else ""


def measure(tasks: list[str], rounds: int, folder: Path, peers: set[str]) -> Iterator[Record]:
    for name in tasks:
        failed: set[str] = set()
        for turn in range(min(rounds, TASKS[name].most_rounds)):
            for peer in TASKS[name].peers:
                if peer in failed or peer not in peers:
                    continue
                for figure in run_in_process(peer, name, folder):
                    failed |= {peer} if "failed" in figure else set()
                    yield {"task": name, "round": turn + 1, "peer": peer, **figure}


def run_in_process(peer: str, task: str, folder: Path) -> list[Record]:
    command = [sys.executable, __file__, "--worker", peer, task]
    environment = {**os.environ, "ISTHMUS_SPEED_ARRAYS": str(folder)}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        if done.returncode == 0:
            return json.loads(done.stdout.splitlines()[-1])
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:200]
    except subprocess.TimeoutExpired:
        reason = f"not done after {PATIENCE_SECONDS} s"
    return [{"failed": reason}]


def work(peer: str, task: str) -> None:
    """Measure in this process; write the arrays first if no parent process has done it."""
    if "ISTHMUS_SPEED_ARRAYS" not in os.environ:
        with TemporaryDirectory() as folder:
            write_arrays(Path(folder), None)
            print(json.dumps(run_in_process(peer, task, Path(folder))))
        return
    figures = TASKS[task].measure(peer, TASKS[task].net)
    print("\n" + json.dumps([{"figure": name, **figure._asdict()} for name, figure in figures.items()]))


def machine(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    return {
        "cpu": cpu_name(),
        "cores": str(os.cpu_count()),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **versions(packages),
    }


def cpu_name() -> str:
    """Return the name of the processor; ``platform.processor`` is empty on Linux."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def format_record(record: Record) -> str:
    what = f"round {record['round']}, {record['task']}, {record['peer']}: "
    if "failed" in record:
        return what + f"failed: {record['failed']}"
    return what + f"{record['figure']} {record['value']:.4g}" + (f" ({record['note']})" if record["note"] else "")


if __name__ == "__main__":
    main()
