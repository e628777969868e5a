"""Rules of the source: imports point to lower layers, files are small, names match, everything is documented."""

import ast
import importlib
import inspect
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import isthmus
from isthmus.configuration import PACKAGES
from isthmus.part import snake_case

ROOT = Path(isthmus.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
TREES = {file.relative_to(ROOT): ast.parse(file.read_text()) for file in FILES}

LAYERS = [
    {"errors", "plain", "formatting"},
    {
        "allocation",
        "ambient",
        "containers",
        "finding",
        "functional",
        "part",
        "schema",
        "statistics",
        "randomness",
        "storage",
    },
    {"backbones", "likelihoods", "corruptions", "priors"},
    {"bottlenecks"},
    {"regularizers"},
    {"model", "data", "metrics", "configuration"},
    {"training", "inference", "preparing", "contrib"},
    {"generation", "assembly", "problem"},
    {"autoencoder"},
    {"decoder", "gap_filling"},
    {"latent", "anomaly", "baselines"},
    {"zoo", "plots", "doctor"},
    {"persistence", "distributed", "suggesting", "tuning", "exporting", "reporting"},
    {"demo", "hub", "tracking"},
    {"cli"},
    {"__main__"},
]
LEVEL = {module: level for level, modules in enumerate(LAYERS) for module in modules}

LONG_FILES = {
    "autoencoder.py": "the one list of parameters, documented once, and every verb of scikit-learn",
}
LONG_FUNCTIONS = {"autoencoder.py:__init__": "the one list of parameters, each named twice"}

PARTS = [(package, getattr(package, name)) for package in PACKAGES for name in package.__all__]
PART_IDS = [f"{package.__name__.split('.')[1]}.{part.__name__}" for package, part in PARTS]


def test_the_design_shows_the_layers():
    design = (ROOT.parents[1] / "docs" / "design.md").read_text()
    for level, modules in enumerate(LAYERS[:-1]):
        shown = re.search(rf"^{level} +(\w.*)$", design, re.MULTILINE)
        assert modules <= set(shown[1].split())


def home(path):
    """Return the module or package of isthmus that a file belongs to."""
    return path.parts[0].removesuffix(".py")


def imports(tree):
    """Yield modules of isthmus that a file imports, also within functions and for type checking."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("isthmus."))
        elif isinstance(node, ast.ImportFrom) and node.module == "isthmus":
            yield from (isthmus._HOME.get(alias.name, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("isthmus."):
            yield node.module.split(".")[1]


def functions():
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}:{node.name}", node


def without_docstring(node):
    """Count the lines of a function without its docstring."""
    docstring = node.body[0] if ast.get_docstring(node) is not None else None
    return node.end_lineno - node.lineno + 1 - (docstring.end_lineno - docstring.lineno + 1 if docstring else 0)


def drop_docstrings(source, kinds=ast.Module | ast.ClassDef | ast.FunctionDef):
    """Return the lines of a source without the docstrings of modules, classes and functions."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, kinds) and ast.get_docstring(node) is not None:
            start, stop = node.body[0].lineno - 1, node.body[0].end_lineno
            lines[start:stop] = [None] * (stop - start)
    return [line for line in lines if line is not None]


# Imports


def test_every_module_has_a_layer():
    found = {home(path) for path in TREES} - {"__init__"}
    assert not found - set(LEVEL), "new modules need a place in LAYERS"


def test_imports_point_down():
    files = [(path, home(path)) for path in TREES if home(path) != "__init__"]
    upward = [
        f"{path} must not import isthmus.{other}"
        for path, here in files
        for other in imports(TREES[path])
        if other != here and LEVEL[other] >= LEVEL[here]
    ]
    assert upward == []


def test_imports_are_absolute():
    relative = [
        str(path)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_importing_isthmus_does_not_import_torch():
    program = "import isthmus, sys; print(sorted({'torch', 'sklearn', 'matplotlib', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_imported_when_used():
    assert isthmus.__all__ == sorted(isthmus.__all__)
    assert set(isthmus.__all__) <= set(dir(isthmus))
    assert all(getattr(isthmus, name) is not None for name in isthmus.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        isthmus.nonsense  # noqa: B018


# Sizes


def test_files_stay_under_300_lines_without_docstrings():
    lengths = {str(path): len(drop_docstrings((ROOT / path).read_text())) for path in TREES}
    assert {path for path, length in lengths.items() if length > 300} == set(LONG_FILES)


@pytest.mark.parametrize(("package", "part"), PARTS, ids=PART_IDS)
def test_parts_stay_under_80_lines_of_code_and_docstring(package, part):
    lines = drop_docstrings(inspect.getsource(part), ast.FunctionDef)
    assert len([line for line in lines if line.strip()]) <= 80


def test_functions_stay_on_one_screen():
    long = {name for name, node in functions() if without_docstring(node) > 50}
    assert long == set(LONG_FUNCTIONS)


def test_most_functions_are_short():
    lengths = [without_docstring(node) for _, node in functions()]
    assert statistics.median(lengths) <= 8
    assert statistics.quantiles(lengths, n=10)[-1] <= 25


# Names


@pytest.mark.parametrize(("package", "part"), PARTS, ids=PART_IDS)
def test_a_part_its_file_and_its_string_have_the_same_name(package, part):
    assert part.__module__ == f"{package.__name__}.{snake_case(part.__name__)}"
    assert part.role == package.__name__.split(".")[-1].removesuffix("s")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_file_of_a_part_is_exported(package):
    """A file contains a part with the same name, or helpers of parts that are not public."""
    files = {file.stem for file in Path(package.__file__).parent.glob("*.py")} - {"__init__", "base"}
    parts = {snake_case(name) for name in package.__all__}
    assert parts <= files
    base = next(
        value for name, value in vars(package).items() if snake_case(name) == package.__name__.split(".")[1][:-1]
    )
    for helper in files - parts:
        module = importlib.import_module(f"{package.__name__}.{helper}")
        own = [
            value for value in vars(module).values() if inspect.isclass(value) and value.__module__ == module.__name__
        ]
        assert not [kind for kind in own if issubclass(kind, base)], f"{helper} holds a part that is not exported"


def lists(tree):
    """Return whether a file lists its public names."""
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return "__all__" in {target.id for target in targets if isinstance(target, ast.Name)}


@pytest.mark.parametrize("path", [path for path, tree in TREES.items() if lists(tree)], ids=str)
def test_lists_of_public_names_are_sorted_and_complete(path):
    module = importlib.import_module(".".join(["isthmus", *path.with_suffix("").parts]).removesuffix(".__init__"))
    assert module.__all__ == sorted(set(module.__all__), key=sort_key)
    assert all(getattr(module, public) is not None for public in module.__all__)


def sort_key(name):
    """Sort constants, classes and functions, each alphabetically, as the linter does."""
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return kind, name


# Words


def public_definitions():
    for path, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield path, node
                yield from (
                    (path, child) for child in node.body if isinstance(child, ast.FunctionDef) and child.name[0] != "_"
                )
            elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield path, node


def test_everything_public_is_documented():
    assert all(ast.get_docstring(tree) for tree in TREES.values())
    bare = [f"{path}:{node.name}" for path, node in public_definitions() if not ast.get_docstring(node)]
    assert bare == []


def section(doc, title):
    """Return the body of a numpydoc section, or an empty string."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", doc, re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize(("package", "part"), PARTS, ids=PART_IDS)
def test_docstrings_of_parts_have_parameters_references_and_an_example(package, part):
    doc = inspect.getdoc(part)
    described = re.findall(r"^(\w+) : ", section(doc, "Parameters"), re.MULTILINE)
    assert described == list(inspect.signature(part).parameters)
    assert re.search(r"(19|20)\d\d", section(doc, "References")), "who, where and when"
    assert f">>> {part.__name__}(" in section(doc, "Examples")
    for name, parameter in inspect.signature(part).parameters.items():
        line = re.search(rf"^{name} : .*default=(.*)$", section(doc, "Parameters"), re.MULTILINE)
        assert line, f"{name} has no default in the docstring"
        assert ast.literal_eval(line[1]) == parameter.default


@pytest.mark.parametrize(
    "estimator", [isthmus.AnomalyDetector, isthmus.Autoencoder, isthmus.BaggedAutoencoders, isthmus.ExemplarDistance]
)
def test_estimators_describe_every_parameter_with_its_default(estimator):
    doc = inspect.getdoc(estimator)
    described = dict(re.findall(r"^(\w+) : .*default=(.*)$", section(doc, "Parameters"), re.MULTILINE))
    defaults = {name: p.default for name, p in inspect.signature(estimator).parameters.items()}
    assert {name: ast.literal_eval(value) for name, value in described.items()} == defaults


def test_types_are_not_recognised_by_attributes():
    guesses = [
        f"{path}:{node.lineno}" for path, tree in TREES.items() for node in ast.walk(tree) if called(node) == "hasattr"
    ]
    assert guesses == []


def called(node):
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None


def test_parts_inherit_only_from_the_base_classes_of_their_kind():
    """Parts inherit only from the base classes of their kind."""
    for package, part in PARTS:
        ours = [kind for kind in part.__mro__[1:] if kind.__module__.startswith("isthmus.")]
        assert {kind.__module__ for kind in ours} == {f"{package.__name__}.base", "isthmus.part"}
