"""How to repeat a report: command, versions and checksums."""

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path

import isthmus
from isthmus.reporting.blocks import Code, Facts, Section
from isthmus.reporting.subject import Subject

LIBRARIES = ("torch", "numpy", "scikit-learn", "matplotlib")
# Bytes that are hashed at once.
CHUNK = 2**20


def explain_repetition(subject: Subject) -> Section:
    """Return the command, the versions and the checksums of the files."""
    versions = {"isthmus": isthmus.__version__, "Python": platform.python_version()}
    versions |= {name: version(name) for name in LIBRARIES}
    checksums = {name: compute_checksum(path) for name, path in subject.files.items()}
    facts = {"seed": str(subject.seed)} | versions
    facts |= {f"SHA-256 of {subject.files[name].name}": checksum for name, checksum in checksums.items()}
    code = Code(subject.command or write_program(subject), "Command" if subject.command else "Program")
    values = {"seed": subject.seed, "command": code.code, "versions": versions, "sha256": checksums}
    lead = "The same files, versions and seed give the same numbers."
    return Section("repetition", "How to repeat it", lead, [code, Facts(facts)], values)


def write_program(subject: Subject) -> str:
    """Return the program that repeats a report: it has the names of the parameters of ``report``."""
    training = "held_out=held_out" if subject.are_held_out else "train=train"
    given = {"y": subject.y, training: subject.train, "columns=columns": subject.columns}
    arguments = ["model", "X", *(name for name, rows in given.items() if rows is not None)]
    arguments.append(f"random_state={subject.seed}")
    names = {name: str(path) for name, path in subject.files.items()}
    arguments += [f"files={names}"] if names else []
    return f'import isthmus\n\nisthmus.report({", ".join(arguments)}).save("report.html")'


def compute_checksum(path: Path) -> str:
    """Return the SHA-256 of a file; that of a folder is the SHA-256 of the names and checksums of its files."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(each for each in path.rglob("*") if each.is_file()):
            digest.update(f"{file.relative_to(path)} {compute_checksum(file)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as content:
        while block := content.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()
