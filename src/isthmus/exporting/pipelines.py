"""Pipelines of scikit-learn as ONNX programs: converters of skl2onnx."""

from collections.abc import Sequence
from typing import Any

from isthmus.anomaly import AnomalyDetector
from isthmus.autoencoder import Autoencoder
from isthmus.exporting.certified import make_certified


def register_converters() -> None:
    """Let ``skl2onnx.to_onnx`` convert pipelines that contain estimators of isthmus.

    An ``Autoencoder`` becomes its encoder, as a step before other estimators or at the end. An ``AnomalyDetector`` has
    the outputs "label" (n,), which is that of ``predict``, and "scores" (n,), those of ``decision_function``. Codes and
    scores have the type of the inputs, as with other estimators in skl2onnx.

    Each estimator of isthmus is compared with its program on its own rows, as in ``export``, and not converted if they
    differ. Compare the whole pipeline on your rows: other converters may compute in float32. It needs isthmus[export].

    skl2onnx replaces characters of the names of columns that are no letters, digits or underscores: the input of the
    column "a b" is "a_b". Take the names of inputs from ``program.graph.input``, whose order is that of the columns.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> import isthmus
    >>> isthmus.exporting.register_converters()
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> pipeline = make_pipeline(StandardScaler(), isthmus.zoo.vae(2, max_epochs=1, random_state=0)).fit(X)
    >>> import skl2onnx
    >>> program = skl2onnx.to_onnx(pipeline, X[:1])
    >>> [output.name for output in program.graph.output]
    ['variable']
    """
    try:
        from skl2onnx import update_registered_converter
    except ImportError as error:
        raise ImportError("converters need skl2onnx: pip install 'isthmus[export]'") from error
    update_registered_converter(Autoencoder, "IsthmusAutoencoder", _set_code_shape, _convert_autoencoder)
    update_registered_converter(AnomalyDetector, "IsthmusAnomalyDetector", _set_decision_shapes, _convert_detector)


def _set_code_shape(operator: Any) -> None:
    _set_shape(operator.outputs[0], operator.raw_operator.module_.bottleneck.code_size)


def _set_decision_shapes(operator: Any) -> None:
    for output in operator.outputs:
        _set_shape(output)


def _set_shape(output: Any, *shape: int) -> None:
    """Set the shape of an output; skl2onnx has given it the type of the inputs, and later steps expect this type."""
    output.type = type(output.type)([None, *shape])


def _convert_autoencoder(scope: Any, operator: Any, container: Any) -> None:
    (codes,) = _add_program(scope, operator, container, "encoder")
    _cast(scope, container, codes, operator.outputs[0])


def _convert_detector(scope: Any, operator: Any, container: Any) -> None:
    from onnx import TensorProto

    score, is_anomaly = _add_program(scope, operator, container, "detect")
    constants = {"outlier": -1, "inlier": 1, "offset": float(operator.raw_operator.offset_)}
    names = {name: scope.get_unique_variable_name(name) for name in constants}
    for name, value in constants.items():
        kind = TensorProto.DOUBLE if name == "offset" else TensorProto.INT64
        container.add_initializer(names[name], kind, [], [value])
    decision, (label, scores) = scope.get_unique_variable_name("decision"), operator.outputs
    choices = [is_anomaly, names["outlier"], names["inlier"]]
    container.add_node("Where", choices, [label.full_name], name=scope.get_unique_operator_name("label"))
    container.add_node("Sub", [score, names["offset"]], [decision], name=scope.get_unique_operator_name("decision"))
    _cast(scope, container, decision, scores)


def _cast(scope: Any, container: Any, source: str, output: Any) -> None:
    from skl2onnx.common.data_types import guess_proto_type

    kind, name = guess_proto_type(output.type), scope.get_unique_operator_name("cast")
    container.add_node("Cast", [source], [output.full_name], to=kind, name=name)


def _add_program(scope: Any, operator: Any, container: Any, part: str) -> Sequence[str]:
    """Add the nodes of a program, and return the names of its outputs."""
    import onnx

    model = onnx.load_from_string(make_certified(operator.raw_operator, part, None, ".onnx")[0])
    opsets = {each.domain: each.version for each in model.opset_import}
    if container.target_opset_onnx < opsets[""]:
        raise ValueError(f"estimators of isthmus need target_opset >= {opsets['']}, got {container.target_opset_onnx}")
    prefix = scope.get_unique_operator_name("isthmus") + "."
    graph = onnx.compose.add_prefix(model, prefix).graph
    for port in graph.input:
        source = _find_input(scope, operator, container, port.name.removeprefix(prefix))
        kind = port.type.tensor_type.elem_type
        cast = {} if kind == onnx.TensorProto.STRING else {"op_type": "Cast", "to": kind}
        container.add_node(
            **{"op_type": "Identity"} | cast, inputs=[source], outputs=[port.name], name=f"read {port.name}"
        )
    container.nodes.extend(graph.node)
    container.initializers.extend(graph.initializer)
    container.node_domain_version_pair_sets.update(opsets.items())
    return [output.name for output in graph.output]


def _find_input(scope: Any, operator: Any, container: Any, name: str) -> str:
    """Return the name of the array for an input of a program: an input of the operator, or a column of its only one."""
    from onnx import TensorProto

    inputs = {each.raw_name: each.full_name for each in operator.inputs}
    if name in inputs:
        return inputs[name]
    if len(inputs) > 1:
        raise ValueError(
            f"the inputs {list(inputs)} lack the column {name!r} of {type(operator.raw_operator).__name__}"
        )
    (whole,) = inputs.values()
    names = [str(each) for each in getattr(operator.raw_operator, "feature_names_in_", ())]
    if name not in names:
        return whole
    place, column = scope.get_unique_variable_name(f"place of {name}"), scope.get_unique_variable_name(name)
    container.add_initializer(place, TensorProto.INT64, [1], [names.index(name)])
    container.add_node("Gather", [whole, place], [column], axis=1, name=scope.get_unique_operator_name(f"take {name}"))
    return column
