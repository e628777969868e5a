"""``isthmus zoo`` and ``isthmus info``: the variants and the header of a model file, read without torch."""

import ast
from collections.abc import Iterator
from pathlib import Path
from textwrap import shorten
from typing import Any

import isthmus
from isthmus.formatting import format_percent, format_shape, pluralize

# Largest number of characters of the list of columns.
WIDTH = 300


def list_variants() -> dict[str, str]:
    """Return the variants and the first lines of their docstrings, read from the source without importing torch."""
    module = ast.parse(Path(isthmus.__file__).with_name("zoo.py").read_text(encoding="utf-8"))
    assigned = {ast.unparse(node.targets[0]): node.value for node in module.body if isinstance(node, ast.Assign)}
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    return {
        name: (ast.get_docstring(functions[name]) or "").partition("\n")[0]
        for name in ast.literal_eval(assigned["__all__"])
    }


def describe(path: Path) -> str:
    """Return a description of the header of a model file, one line for each fact.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or not a model file.
    """
    from isthmus.storage import read_document

    document = read_document(path)
    if "fingerprint" in document:
        raise ValueError(f"{str(path)!r} is the checkpoint of an unfinished fit, not a model file")
    try:
        facts = _facts(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{str(path)!r} is damaged: its header lacks {error}") from error
    facts = {"file": f"{path}, {path.stat().st_size:,} bytes", **facts}
    width = max(map(len, facts))
    return "\n".join(f"{name:{width}}  {fact}".rstrip() for name, fact in facts.items())


def _facts(document: dict[str, Any]) -> dict[str, str]:
    nested = list(_nested(document))
    model = " of ".join(part["estimator"]["class"] for part in nested)
    inmost, fitted = nested[-1], document.get("fitted", {})
    facts = {
        "written by": f"isthmus {document['isthmus']}, torch {document['torch']}",
        "model": model,
        "threshold": f"{fitted['offset_']:.6g}" if "offset_" in fitted else "",
        **_of_calibration(fitted),
        **(_of_rows(inmost) if "schema" in inmost else _of_series(inmost)),
        **_of_training(inmost["fitted"].get("history_")),
    }
    facts = {name: fact for name, fact in facts.items() if fact}
    for part in nested:
        facts |= _parameters(part["estimator"], of_many=len(nested) > 1)
    return facts


def _of_calibration(fitted: dict[str, Any]) -> dict[str, str]:
    if "fpr_" not in fitted:
        return {}
    return {
        "false alarms": f"{format_percent(fitted['fpr_'])} of normal rows or time points on average",
        "calibration": f"{pluralize(fitted['n_calibration'], 'row')} scored by models that had not seen them",
    }


def _of_rows(document: dict[str, Any]) -> dict[str, str]:
    schema = document["schema"]
    return {
        "fitted on": _describe_rows(document["fitted"]["n_rows"], schema),
        "columns": shorten(", ".join(map(_column, schema["fields"])), WIDTH),
        "labels": _labels(schema["condition"]),
    }


def _describe_rows(n_rows: int, schema: dict[str, Any]) -> str:
    """Return number and size of the training rows, such as ``891 rows of 11 columns``."""
    shape = schema["shape"]
    if schema["vocabulary"]:
        return f"{pluralize(n_rows, 'text')} of at most {pluralize(shape[0], 'token')}"
    if schema["layout"]:
        return f"{pluralize(n_rows, 'image')} of {' x '.join(map(str, shape[1:]))}"
    if len(shape) == 2:
        return (
            f"{pluralize(n_rows, 'series')} of {pluralize(shape[0], 'channel')} x {pluralize(shape[1], 'time point')}"
        )
    return f"{pluralize(n_rows, 'row')} of {format_shape(shape)}"


def _of_series(document: dict[str, Any]) -> dict[str, str]:
    fitted = document["fitted"]
    channels = fitted["series"]["channels"] or [f"{fitted['series']['n_channels']} without names"]
    return {
        "fitted on": f"windows of {', '.join(map(str, fitted['lengths_']))} time points",
        "channels": shorten(", ".join(map(str, channels)), WIDTH),
    }


def _of_training(history: list[dict[str, float]] | None) -> dict[str, str]:
    if not history:
        return {}
    last = ", ".join(f"{name} {value:.5g}" for name, value in history[-1].items())
    return {"epochs": str(len(history)), "last epoch": last}


def _nested(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the documents of the estimator, of the estimator within it, and so on."""
    yield document
    if "inner" in document:
        yield from _nested(document["inner"])


def _parameters(estimator: dict[str, Any], of_many: bool) -> dict[str, str]:
    """Return the parameters, with the name of the estimator if there are several; a decoder has none."""
    if "params" not in estimator:
        return {}
    prefix = f"{estimator['class']}." if of_many else ""
    title = f"parameters of {estimator['class']}" if of_many else "parameters"
    return {title: ""} | {f"  {prefix}{name}": _plain(value) for name, value in estimator["params"].items()}


def _column(field: dict[str, Any]) -> str:
    """Return the name of a column, and its kind unless it is real."""
    return field["name"] if field["kind"] == "real" else f"{field['name']} ({field['kind']})"


def _labels(condition: dict[str, Any] | None) -> str:
    if condition is None:
        return ""
    return "numbers" if condition["continuous"] else ", ".join(map(str, condition["categories"]))


def _plain(value: Any) -> str:
    """Format a plain value, part or tuple as Python does: ``bottlenecks.Gaussian(beta=4.0)``."""
    if isinstance(value, dict) and "class" in value:
        return f"{value['class']}({', '.join(f'{name}={_plain(item)}' for name, item in value['params'].items())})"
    if isinstance(value, dict) and "schema" in value:
        return f"Schema of {len(value['schema']['fields'])} columns"
    if isinstance(value, dict) and "dict" in value:
        return f"{{{', '.join(f'{name!r}: {_plain(item)}' for name, item in value['dict'].items())}}}"
    if isinstance(value, dict):
        items = [_plain(item) for item in value["tuple"]]
        return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
    return repr(value)
