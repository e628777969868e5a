"""Programs as files, and files as functions: ONNX and torch's own format."""

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import numpy as np
import torch
from torch._dispatch.python import enable_python_dispatcher

from isthmus.exporting.operations import ReplaceFunctions
from isthmus.exporting.ports import FIRST, MISSING, UNSEEN, Feeds, Port
from isthmus.exporting.programs import Program

Run = Callable[[Feeds], Feeds]

FORMATS = (".onnx", ".pt2")
# Prefix of our names in the metadata of a file, and the domain of operations on texts in ONNX.
NAMESPACE, TEXTS = "isthmus", "ai.onnx.ml"
# Rows of the example that a program is traced with; any other number of rows is right too.
N_TRACED = 3
# Greatest number of rows of an input. The greatest integer is the end of a slice without an end, and torch 2.6 traces
# such slices only if no input has as many rows.
MAX_ROWS = 2**40
# Values of a constant from which others are computed in advance. Integer weights have more, and must stay integers.
MAX_FOLDED = 16


def require_libraries(suffix: str) -> None:
    """Raise an ``ImportError`` that names the extra if the libraries of a format are missing."""
    if suffix == ".onnx":
        try:
            import onnx  # noqa: F401
            import onnxruntime  # noqa: F401
            import onnxscript  # noqa: F401
        except ImportError as error:
            raise ImportError(
                "ONNX files need onnx, onnxruntime and onnxscript: pip install 'isthmus[export]'"
            ) from error


def trace(program: Program, suffix: str) -> torch.export.ExportedProgram:
    """Trace a program for any number of rows, with functions that its format has.

    Raises
    ------
    ValueError
        If a part of the program cannot be traced.
    """
    examples = tuple(_example(port) for port in program.inputs)
    n = torch.export.Dim("n", max=MAX_ROWS)
    try:
        with _quiet(), ReplaceFunctions() if suffix == ".onnx" else nullcontext():
            shapes = {"inputs": tuple({0: n} for _ in examples)}
            traced = torch.export.export(program, examples, dynamic_shapes=shapes, strict=False)
    except Exception as error:
        raise ValueError(f"torch cannot trace this model: {_first_line(error)}") from error
    for node in traced.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    return traced


def _example(port: Port) -> torch.Tensor:
    dtype = torch.int64 if port.dtype == "string" else getattr(torch, port.dtype)
    return torch.zeros(N_TRACED, *port.shape, dtype=dtype)


def write(program: Program, traced: Any, suffix: str) -> bytes:
    """Return the content of a file."""
    if suffix == ".onnx":
        return _add_ports(_to_onnx(program, traced), program)
    return _save(traced, {})


def add_metadata(content: bytes, suffix: str, metadata: Mapping[str, str]) -> bytes:
    """Return the content of a file with metadata."""
    if suffix == ".pt2":
        return _save(torch.export.load(io.BytesIO(content)), metadata)
    import onnx

    model = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, {f"{NAMESPACE}.{key}": value for key, value in metadata.items()})
    return bytes(model.SerializeToString())


def _save(traced: Any, metadata: Mapping[str, str]) -> bytes:
    file = io.BytesIO()
    torch.export.save(traced, file, extra_files={NAMESPACE: json.dumps(metadata)})
    return file.getvalue()


def _to_onnx(program: Program, traced: Any) -> Any:
    names = [[f"{kind}_{i}" for i in range(len(ports))] for kind, ports in _sides(program).items()]
    try:
        # torch 2.6 needs the dispatcher for an unknown number of rows; later versions enable it themselves.
        with _quiet(), enable_python_dispatcher():
            made = torch.onnx.export(
                traced,
                input_names=names[0],
                output_names=names[1],
                external_data=False,
                verbose=False,
                optimize=False,
            )
            return _simplify(cast(Any, made).model)
    except Exception as error:
        raise ValueError(f"this model cannot be written as ONNX: {_first_line(error)}") from error


def _simplify(model: Any) -> Any:
    """Compute small constants in advance, and drop the notes of torch on nodes, most of the file of a small net."""
    import onnx_ir
    from onnxscript import optimizer

    optimizer.optimize(model, input_size_limit=MAX_FOLDED)
    model.graph.sort()
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
    return onnx_ir.to_proto(model)


def _sides(program: Program) -> dict[str, Sequence[Port]]:
    return {"isthmus_input": program.inputs, "isthmus_output": program.outputs}


def _add_ports(model: Any, program: Program) -> bytes:
    """Give inputs and outputs the names of the user, and texts where the program has codes."""
    import onnx

    sides = _sides(program).items()
    before, after = ([_port_node(port, f"{kind}_{i}") for i, port in enumerate(ports)] for kind, ports in sides)
    nodes = [*before, *model.graph.node, *after]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for side, ports in ((model.graph.input, program.inputs), (model.graph.output, program.outputs)):
        del side[:]
        side.extend(_declare(port) for port in ports)
    if all(each.domain != TEXTS for each in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(TEXTS, 2))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _port_node(port: Port, own: str) -> Any:
    """Return the node between a port and the name that the program has for it."""
    from onnx import helper

    is_input = own.startswith("isthmus_input")
    ends = ([port.name], [own]) if is_input else ([own], [port.name])
    if port.dtype != "string":
        return helper.make_node("Identity", *ends)
    texts, codes = [*port.vocabulary, ""], [*range(FIRST, FIRST + len(port.vocabulary)), MISSING]
    if "" in port.vocabulary:
        texts, codes = texts[:-1], codes[:-1]
    kinds: dict[str, Any]
    if is_input:
        kinds = {"keys_strings": texts, "values_int64s": codes, "default_int64": UNSEEN}
    else:
        kinds = {"keys_int64s": codes, "values_strings": texts, "default_string": ""}
    return helper.make_node("LabelEncoder", *ends, domain=TEXTS, **kinds)


def _declare(port: Port) -> Any:
    from onnx import helper

    dtype = np.dtype(object if port.dtype == "string" else port.dtype)
    return helper.make_tensor_value_info(port.name, helper.np_dtype_to_tensor_dtype(dtype), ["n", *port.shape])


def open_program(content: bytes, suffix: str, program: Program) -> Run:
    """Return the content of a file as a function of inputs by name, which returns outputs by name."""
    names = [port.name for port in program.outputs]
    if suffix == ".onnx":
        session = _open_session(content)
        return lambda feeds: dict(zip(names, session.run(names, feeds), strict=True))
    module = torch.export.load(io.BytesIO(content)).module()

    def run(feeds: Feeds) -> Feeds:
        tensors = [torch.from_numpy(_as_codes(port, feeds[port.name])) for port in program.inputs]
        results = zip(program.outputs, module(*tensors), strict=True)
        return {port.name: _as_texts(port, result.numpy()) for port, result in results}

    return run


def _open_session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ValueError(f"ONNX Runtime cannot load the exported program: {_first_line(error)}") from error


def _as_codes(port: Port, values: Any) -> Any:
    return port.encode(values) if port.dtype == "string" else np.array(values, order="C")


def _as_texts(port: Port, values: Any) -> Any:
    return port.decode(values) if port.dtype == "string" else values


def describe(ports: Sequence[Port]) -> list[dict[str, Any]]:
    """Return ports as plain values."""
    return [vars(port) | {"shape": ["n", *port.shape]} for port in ports]


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in f"{error.__cause__ or error}".splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings and messages of torch about its own internals."""
    loggers = [logging.getLogger(name) for name in ("torch", "torch.__trace", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
