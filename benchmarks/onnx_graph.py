"""A fitted net as an ONNX graph, built from its weights: matrix products and ReLU."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 18, 9


class Graph:
    """A sequence of nodes, of which the last is the output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.last = "x"

    def constant(self, value: Any) -> str:
        """Store an array and return its name."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operation: str, *beside: str, **attributes: Any) -> None:
        """Append an operation on the last result."""
        name = f"h{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, [self.last, *beside], [name], **attributes))
        self.last = name

    def session(self, rank: int) -> Any:
        """Open a session for a result with a given number of axes, with the number of threads of torch."""
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, None])
        result = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, [None] * rank)
        graph = helper.make_graph(self.nodes, "net", [x], [result], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        onnx.checker.check_model(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def make_encoder(model: Any) -> Any:
    graph = Graph()
    _add_layers(graph, model.module_.backbone.encoder, linear_end=False)
    return graph.session(rank=2)


def make_scorer(model: Any) -> Any:
    """Add the log density of rows under normal noise of one scale, as in ``score_samples``."""
    graph = Graph()
    _add_layers(graph, model.module_.backbone.encoder, linear_end=False)
    _add_layers(graph, model.module_.backbone.decoder, linear_end=True)
    log_scale = float(model.module_.likelihood.noise.log_scale.detach().mean())
    constant = -model.n_features_in_ * (log_scale + 0.5 * np.log(2 * np.pi))
    graph.add("Sub", "x")
    graph.add("ReduceSumSquare", graph.constant(np.array([1], np.int64)), keepdims=0)
    graph.add("Mul", graph.constant(np.float32(-0.5 * np.exp(-2 * log_scale))))
    graph.add("Add", graph.constant(np.float32(constant)))
    return graph.session(rank=1)


def run(session: Any, x: np.ndarray) -> np.ndarray:
    return session.run(None, {"x": x})[0]


def _add_layers(graph: Graph, net: torch.nn.Module, linear_end: bool) -> None:
    layers = [layer for layer in net.modules() if isinstance(layer, torch.nn.Linear)]
    for layer in layers:
        weight, bias = (graph.constant(p.detach().numpy()) for p in (layer.weight, layer.bias))
        graph.add("Gemm", weight, bias, transB=1)
        if not (linear_end and layer is layers[-1]):
            graph.add("Relu")
