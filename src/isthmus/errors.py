"""Errors in the arguments of users, and errors caused by lack of memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from types import UnionType
from typing import Any

# Parts of messages about lack of memory: those of torch's CPU allocator (c10/core/impl/alloc_cpu.cpp), and that of the
# operating system (errno 12, ENOMEM), which libraries repeat in errors of their own.
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "Cannot allocate memory", "os error 12")


# Largest number of characters of a value in a message; a longer one is described by its type. Bounds the message.
MAX_LENGTH = 80


class InputTypeError(TypeError, ValueError):
    """An argument has a type that is not accepted; the message names the argument, its value and what is expected.

    It is a ``ValueError`` as well, so that one ``except`` catches all errors of arguments. Any other ``TypeError`` is
    an error in the program.
    """


def require_type(name: str, value: Any, kinds: type | UnionType | tuple[type, ...], expected: str) -> None:
    """Raise an ``InputTypeError`` that names an argument and its value, unless the value has one of the types.

    Examples
    --------
    >>> from isthmus.errors import require_type
    >>> require_type("path", 5, str, "a str")
    Traceback (most recent call last):
    isthmus.errors.InputTypeError: path must be a str, got 5
    """
    if not isinstance(value, kinds):
        raise InputTypeError(f"{name} must be {expected}, got {describe_value(value)}")


def require_path(name: str, value: Any) -> None:
    """Raise an ``InputTypeError`` unless a value is a path."""
    require_type(name, value, str | PathLike, "a str or a path")


def describe_value(value: Any) -> str:
    """Describe a value of a wrong type in a message; a class is probably a forgotten instance."""
    if isinstance(value, type):
        return f"the class {value.__name__}; create an instance: {value.__name__}()"
    text = repr(value)
    return text if len(text) <= MAX_LENGTH else f"a value of type {type(value).__name__}"


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
