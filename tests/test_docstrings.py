"""Docstrings of public classes, functions and methods follow the rules of numpydoc."""

import inspect
from importlib import import_module

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate
from sklearn.base import BaseEstimator
from test_docs import MODULES

# Rules of numpydoc that do not hold here. SA01: the text names related classes and functions. ES01: one sentence may
# say all.
NOT_USED = {"SA01", "ES01"}
# EX01: the example of a class shows its methods.
NOT_FOR_METHODS = NOT_USED | {"EX01"}
# PR01, RT01, YD01: a method that overrides one of a base class has its parameters and results.
NOT_FOR_OVERRIDES = NOT_FOR_METHODS | {"PR01", "RT01", "YD01"}


def list_public():
    """Return the public classes and functions, and the base classes within the package, whose methods they inherit."""
    found = {getattr(import_module(module), name) for module in MODULES for name in import_module(module).__all__}
    bases = {base for each in found if inspect.isclass(each) for base in each.__mro__ if is_ours(base)}
    return sorted((each for each in found | bases if is_documented(each)), key=path_of)


def is_ours(kind):
    return kind.__module__.startswith("isthmus.") and not kind.__name__.startswith("_")


def is_documented(value):
    return (inspect.isclass(value) or inspect.isfunction(value)) and is_ours(value)


def path_of(value):
    return f"{value.__module__}.{value.__qualname__}"


def list_methods(kind):
    for name, value in vars(kind).items():
        function = getattr(value, "__func__", value)
        if not name.startswith("_") and (inspect.isfunction(function) or isinstance(value, property)):
            yield name


def is_override(kind, name):
    return any(name in vars(base) for base in kind.__mro__[1:] if is_ours(base))


def is_exported(value):
    modules = map(import_module, MODULES)
    return any(vars(module).get(name) is value for module in modules for name in module.__all__)


def find_faults(path, ignored):
    return [f"{path}: {code} {message}" for code, message in validate(path)["errors"] if code not in ignored]


@pytest.mark.parametrize("public", list_public(), ids=path_of)
def test_docstrings_follow_the_rules_of_numpydoc(public):
    faults = find_faults(path_of(public), NOT_USED if is_exported(public) else NOT_FOR_METHODS)
    for name in list_methods(public) if inspect.isclass(public) else ():
        ignored = NOT_FOR_OVERRIDES if is_override(public, name) else NOT_FOR_METHODS
        faults += find_faults(f"{path_of(public)}.{name}", ignored)
    assert faults == []


def list_without_default(function):
    """Return the documented parameters with a default that their type does not name."""
    defaults = {name: each.default for name, each in inspect.signature(function).parameters.items()}
    documented = [
        (name.strip(), each.type)
        for each in NumpyDocString(inspect.getdoc(function) or "")["Parameters"]
        for name in each.name.split(",")
    ]
    return [
        name
        for name, kind in documented
        if defaults.get(name, inspect.Parameter.empty) is not inspect.Parameter.empty
        and not ("default" in kind or kind == "ignored")
    ]


@pytest.mark.parametrize("public", list_public(), ids=path_of)
def test_docstrings_name_the_defaults_of_parameters(public):
    """The defaults of records, which functions return, are those of optional results."""
    own = [vars(public)[name] for name in list_methods(public)] if inspect.isclass(public) else []
    functions = [getattr(each, "__func__", each) for each in own if not isinstance(each, property)]
    functions += [public] if not inspect.isclass(public) or issubclass(public, BaseEstimator) else []
    assert [(function.__qualname__, names) for function in functions if (names := list_without_default(function))] == []


def test_references_are_paragraphs():
    """An indented line makes a term and its definition of a reference with a number."""
    indented = [
        path_of(public)
        for public in list_public()
        for text in NumpyDocString(inspect.getdoc(public) or "")["References"]
        if text.startswith(" ") and not text.lstrip().startswith("[")
    ]
    assert indented == []
