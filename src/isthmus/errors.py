"""Errors in the arguments of users, and errors caused by lack of memory."""

from collections.abc import Iterator
from contextlib import contextmanager

# Parts of messages about lack of memory: those of torch's CPU allocator (c10/core/impl/alloc_cpu.cpp), and that of the
# operating system (errno 12, ENOMEM), which libraries repeat in errors of their own.
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "Cannot allocate memory", "os error 12")


class InputTypeError(TypeError, ValueError):
    """An argument has a type that is not accepted; the message names the argument, its value and what is expected.

    It is a ``ValueError`` as well, so that one ``except`` catches all errors of arguments. Any other ``TypeError`` is
    an error in the program.
    """


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means lack of memory, in Python, torch or the operating system.

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
def memory_errors(action: str) -> Iterator[None]:
    """Convert errors in the block that mean lack of memory to ``MemoryError``.

    Parameters
    ----------
    action : str
        What the block does, for the message, such as "load 'model.safetensors'".

    Raises
    ------
    MemoryError
        If the block raises an error that means lack of memory.
    """
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            detail = f" ({error})" if str(error) else ""
            raise MemoryError(f"there is not enough memory to {action}{detail}") from error
        raise
