"""Errors whose message is for the user, and errors that say that memory did not suffice."""

from collections.abc import Iterator
from contextlib import contextmanager

# What torch writes when the allocator of the processor fails (c10/core/impl/alloc_cpu.cpp), and what the operating
# system says (errno 12, ENOMEM) where libraries pass its message on as an error of their own.
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "Cannot allocate memory", "os error 12")


class InputTypeError(TypeError, ValueError):
    """An argument has a type that is not accepted; the message names the argument, its value and what is expected.

    It is a ``ValueError`` as well, so that one ``except`` catches all errors of arguments. Any other ``TypeError`` is
    an error in the program.
    """


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice: Python's, or those of torch and of the operating system.

    Examples
    --------
    >>> from isthmus.errors import is_out_of_memory
    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"))
    True
    >>> is_out_of_memory(RuntimeError("shapes do not match"))
    False
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(words in str(error) for words in OUT_OF_MEMORY)


@contextmanager
def memory_errors(doing: str) -> Iterator[None]:
    """Raise every error in the block that says that memory did not suffice as a ``MemoryError``.

    Parameters
    ----------
    doing : str
        What the block does, for the message, such as "load 'model.safetensors'".

    Raises
    ------
    MemoryError
        Instead of such an error.
    """
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            detail = f" ({error})" if str(error) else ""
            raise MemoryError(f"there is not enough memory to {doing}{detail}") from error
        raise
