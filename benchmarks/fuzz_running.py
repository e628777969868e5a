"""Cases in separate processes: their output, exit code, time and memory."""

import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from typer.testing import CliRunner

from isthmus import load, storage
from isthmus.cli.app import app

# Seconds after which a case has failed; other programs may run.
LIMIT = 60
# Largest memory of a case in bytes, and limit of additional mapped memory, after which it is stopped.
MEMORY, MAPPED = 2**31, 2**33
# Allowed exit codes: done, failed without a traceback, invalid input, interrupted.
CODES = (0, 1, 2, 130)
# A file that was loaded although its content is not what was saved.
ALTERED = "an altered file was loaded"


class Outcome(NamedTuple):
    """The end of a case: its exit code, or the negative signal; its output, seconds and bytes of memory."""

    code: int
    said: str
    seconds: float
    memory: int

    @property
    def fault(self) -> str:
        """Description of the fault; empty if there is none."""
        if "Traceback (most recent" in self.said:
            return self.said[self.said.index("Traceback (most recent") :]
        if ALTERED in self.said:
            return ALTERED
        if self.code not in CODES:
            return f"exit code {self.code} after {self.seconds:.0f} s: {self.said[-200:].strip()}"
        return f"{self.memory >> 20} MiB" if self.memory > MEMORY else ""


def start(case: Callable[[], int], out: Any) -> int:
    """Run a case in a forked process whose output goes to a file, and return its process id."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for stream in (1, 2):
            os.dup2(out.fileno(), stream)
        sys.stdout = sys.stderr = os.fdopen(os.dup(out.fileno()), "w", errors="backslashreplace")
        signal.alarm(LIMIT)
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + MAPPED, mapped + MAPPED))
        torch.set_num_threads(1)
        with warnings.catch_warnings(action="ignore"):
            code = case()
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def finish(child: int, out: Any, started: float) -> Outcome:
    """Wait for a case."""
    _, status, usage = os.wait4(child, 0)
    out.seek(0)
    said = out.read().decode(errors="replace")
    return Outcome(os.waitstatus_to_exitcode(status), said, time.perf_counter() - started, usage.ru_maxrss * 1024)


def run(case: Callable[[], int]) -> Outcome:
    """Run a case to its end."""
    with tempfile.TemporaryFile() as out:
        started = time.perf_counter()
        return finish(start(case, out), out, started)


def call(*words: Any) -> int:
    """Run a command, and return its exit code; any exception except the end of the program is a traceback."""
    result = CliRunner().invoke(app, [os.fspath(word) if isinstance(word, Path) else str(word) for word in words])
    print(result.output)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        traceback.print_exception(result.exception)
    return result.exit_code


def worst(codes: Sequence[int]) -> int:
    """Return the first exit code that is not allowed, or otherwise the largest one."""
    return next((code for code in codes if code not in CODES), max(codes, default=0))


def use(path: Path, original: Path, rows: Path, resealed: bool) -> int:
    """Load a damaged model file and, if it loads, run commands with it.

    A file whose checksum matches the damaged content may load; any other file may load only if its content is
    unchanged.
    """
    try:
        load(path)
    except ValueError as error:
        print("refused:", error)
        return worst([2, call("info", path)])
    if not resealed and not same(path, original):
        print(ALTERED)
    out = path.with_name("answer.csv")
    commands = [("info", path), ("score", path, rows), ("transform", path, rows), ("sample", path, "-n", 3)]
    return worst([call(*words, *(() if words[0] == "info" else ("--out", out, "--force"))) for words in commands])


def same(path: Path, original: Path) -> bool:
    """Return whether two model files have the same content."""
    (tensors, document), (others, expected) = storage.read(path), storage.read(original)
    equal = tensors.keys() == others.keys() and all(torch.equal(tensors[name], others[name]) for name in tensors)
    return equal and json.dumps(document) == json.dumps(expected)
