"""An emulated accelerator: tensors that claim to be on another device, whose operations run on the processor.

Operations on tensors of both devices raise, as on a CUDA device.
"""

from contextlib import nullcontext

import torch
from torch._decomp import decompositions
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_iter, tree_map

NAME = "emulated"
DEVICE = torch.device("privateuseone", 0)  # "emulated" once it is registered


class Emulated(torch.Tensor):
    """A tensor of the emulated device; ``held`` is its value."""

    @staticmethod
    def __new__(cls, held):
        wrapped = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype, layout=held.layout, device=DEVICE
        )
        wrapped.held = held
        return wrapped

    def tolist(self):
        return self.held.tolist()

    def numpy(self, *, force=False):
        if not force:
            raise TypeError("can't convert a tensor of the emulated device to numpy: copy it to the processor first")
        return self.held.numpy(force=True)

    def __reduce_ex__(self, protocol):
        return Emulated, (self.held,)

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return dispatch(function, args, kwargs or {})


def is_own(device):
    return device is not None and torch.device(device).type == DEVICE.type


def hold(value):
    return Emulated(value) if isinstance(value, torch.Tensor) and not isinstance(value, Emulated) else value


def release(value):
    return value.held if isinstance(value, Emulated) else value


# Operations that take tensors of both devices.
MIXED = {"aten::_to_copy", "aten::copy_"}
INDEXED = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}


def dispatch(function, args, kwargs):
    name = function._schema.name
    device = kwargs.get("device")
    tensors = [value for value in tree_iter((args, kwargs)) if isinstance(value, torch.Tensor)]
    own = [value for value in tensors if isinstance(value, Emulated)]
    if not own and not is_own(device):
        return function(*args, **kwargs)
    if own and name not in MIXED:
        foreign = [value for value in tensors if not isinstance(value, Emulated) and value.ndim]
        if name in INDEXED:
            foreign = [] if isinstance(args[0], Emulated) else [args[0]]
        if foreign:
            raise RuntimeError(f"Expected all tensors to be on the same device: {name}")
    inner = {key: torch.device("cpu") if key == "device" and is_own(value) else value for key, value in kwargs.items()}
    result = function(*tree_map(release, args), **tree_map(release, inner))
    if name == "aten::_local_scalar_dense" or (device is not None and not is_own(device)):
        return result
    if name == "aten::_to_copy" and device is not None and not own:
        result = result.clone() if result is args[0] else result
    if name == "aten::copy_":
        return args[0]
    return (
        return_and_correct_aliasing(function, args, kwargs, tree_map(hold, result)) if own else tree_map(hold, result)
    )


class Backend:
    """What torch asks of the module of a device."""

    @staticmethod
    def is_available():
        return True

    is_initialized = is_available

    @staticmethod
    def _is_in_bad_fork():
        return False

    @staticmethod
    def device_count():
        return 1

    @staticmethod
    def current_device():
        return 0

    @staticmethod
    def get_rng_state(device=None):
        return torch.get_rng_state()

    @staticmethod
    def set_rng_state(state, device=None):
        torch.set_rng_state(state.clone())

    @staticmethod
    def manual_seed_all(seed):
        pass

    @staticmethod
    def mem_get_info(device=None):
        return 2**40, 2**40

    @staticmethod
    def get_amp_supported_dtype():
        return [torch.bfloat16, torch.float16]


LIBRARY = torch.library.Library("aten", "IMPL")


def on_processor(function):
    def make(*args, device=None, **kwargs):
        return Emulated(function(*args, **kwargs))

    return make


def copy_from(source, target, non_blocking=False):
    release(target).copy_(release(source))
    return target


def register():
    """Let torch claim the emulated accelerator from now on."""
    # Imported here because older versions of torch lack it, and pytest imports this module for every run.
    from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

    global DEVICE
    _setup_privateuseone_for_python_backend(NAME, Backend())
    DEVICE = torch.device(NAME, 0)
    LIBRARY.impl("empty.memory_format", on_processor(torch.ops.aten.empty.memory_format), "PrivateUse1")
    LIBRARY.impl("empty_strided", on_processor(torch.ops.aten.empty_strided), "PrivateUse1")
    LIBRARY.impl("_copy_from", copy_from, "PrivateUse1")
    # Torch would look for kernels of CUDA's kind.
    LIBRARY.impl("gru.input", decompositions.gru_impl, "AutogradPrivateUse1")
    LIBRARY.impl("lstm.input", decompositions.lstm_impl, "AutogradPrivateUse1")
    # Subclasses of tensors lack some operations in this mode.
    torch.inference_mode = lambda mode=True: torch.no_grad() if mode else nullcontext()
