"""An emulation of CUDA graphs on the processor: the operations of a step are recorded, and replayed without Python."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

# Operations whose results the processor must read, and which therefore cannot be recorded.
WAITING = {
    "aten::_local_scalar_dense",
    "aten::equal",
    "aten::is_nonzero",
    "aten::lift_fresh",
    "aten::masked_select",
    "aten::nonzero",
    "aten::_unique2",
    "aten::unique_dim",
}


def tensors_of(values):
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor)]


class Tape(TorchDispatchMode):
    """Records operations with their tensors, as a CUDA graph does."""

    def __init__(self):
        super().__init__()
        self.operations, self.waits, self.made, self.before = [], [], set(), {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        self._note_waits(function, args)
        for argument, value in zip(function._schema.arguments, args, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write:
                self._keep(value)
        if "native_batch_norm" in function._schema.name and "backward" not in function._schema.name:
            self._keep(args[3:5])  # running statistics, which the schema does not list as written
        # Other names of the same memory: an operation such as ``t_`` changes the shape of a tensor afterwards.
        known = tree_map_only(torch.Tensor, torch.Tensor.detach, (args, kwargs))
        result = function(*args, **kwargs)
        outputs = (
            [] if self._is_alias(function) else tensors_of(tree_map_only(torch.Tensor, torch.Tensor.detach, result))
        )
        self.made |= {value.untyped_storage().data_ptr() for value in outputs}
        self.operations.append((function, *known, outputs))
        return result

    @staticmethod
    def _is_alias(function):
        return any(returned.alias_info is not None for returned in function._schema.returns)

    def _note_waits(self, function, args):
        masks = [x for x in tensors_of(args[1:2]) if x.dtype == torch.bool]
        by_mask = masks and function._schema.name in ("aten::index", "aten::index_put", "aten::index_put_")
        if function._schema.name in WAITING or by_mask:
            self.waits.append(function._schema.name)

    def _keep(self, value):
        for tensor in tensors_of(value):
            if tensor.untyped_storage().data_ptr() not in self.made:
                self.before.setdefault(id(tensor), (tensor, tensor.detach().clone()))

    @torch.no_grad()
    def replay(self):
        for function, args, kwargs, outputs in self.operations:
            result = function(*args, **kwargs)
            for old, new in zip(outputs, tensors_of(result), strict=False):
                old.copy_(new)


def record(step):
    """Record a step; see ``isthmus.training.recording.record``."""
    tape, generator = Tape(), torch.get_rng_state()
    with tape:
        step()
    assert tape.waits == [], tape.waits
    with torch.no_grad():
        for tensor, value in tape.before.values():
            tensor.copy_(value)
    torch.set_rng_state(generator)
    return tape.replay
