"""Base classes: objects with the parameters of scikit-learn, and parts, which are torch modules with parameters."""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from types import ModuleType
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from torch import Tensor, nn

from isthmus.errors import InputTypeError, describe_value

Shape = tuple[int, ...]


class Shapes(NamedTuple):
    """Shapes of one sample, which ``build`` of every part receives.

    Parameters
    ----------
    input : tuple of int
        Encoded input with the flags of missing values.
    condition : int
        Number of values of an encoded label; 0 without labels.
    n_labels : int
        Number of distinct labels; 0 without labels or for continuous labels.
    n_nets : int
        Number of nets trained in parallel: net i % n_nets processes row i of a batch.
    h : tuple of int
        Output of the encoder; () when a bottleneck is built.
    z : tuple of int
        Input of the decoder; () when a bottleneck is built.
    """

    input: Shape
    condition: int = 0
    n_labels: int = 0
    n_nets: int = 1
    h: Shape = ()
    z: Shape = ()


class Configurable(BaseEstimator):
    """An object with scikit-learn's parameters.

    A nested parameter, such as ``bottleneck__beta``, of a value without parameters, such as ``"gaussian"``, raises an
    error that says so.
    """

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also nested ones such as ``bottleneck__beta``.

        Parameters
        ----------
        **params : object
            Values of parameters by name.

        Returns
        -------
        estimator
            The object itself.

        Raises
        ------
        ValueError
            If there is no such parameter, or a nested parameter belongs to a value without parameters.
        """
        for name in params:
            owner, _, nested = name.partition("__")
            value = params.get(owner, getattr(self, owner, None))
            if nested and owner in self._get_param_names() and not callable(getattr(value, "set_params", None)):
                message = f"{name} cannot be set: {owner}={describe_value(value)} has no parameters; set {owner} to an"
                raise InputTypeError(f"{message} instance with the parameter {nested.partition('__')[0]!r} first")
        return super().set_params(**params)


class Part(Configurable, nn.Module):
    """A torch module with scikit-learn's ``get_params``, ``set_params``, ``clone`` and ``repr``.

    The life of a part has three steps. ``__init__`` only stores its arguments. ``build`` checks them and creates the
    tensors when the shape of the data is known. ``forward`` computes. An object that a user passes to an estimator
    is never built: ``fit`` builds a clone.
    """

    role: ClassVar[str] = "part"
    # Factor of the learning rate of the parameters of this part, without those of parts inside it.
    learning_rate_factor: ClassVar[float] = 1.0
    # Names of buffers to which ``forward`` writes sums over rows. Together with the gradients, they are summed over all
    # processes before ``after_step``.
    sums: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()

    def after_step(self, progress: Tensor) -> None:
        """Change state that is not learned by gradients, once after each step of the optimizer, without gradients.

        This is the only place where a part changes its state in training, apart from ``sums``, and the change must be
        the same in all processes. So validation and a second encoding change no state, and resuming is exact.

        Parameters
        ----------
        progress : Tensor of shape ()
            Share of the training that is done, in [0, 1], on the device.
        """

    def require(self, name: str, test: Callable[[Any], bool], expected: str) -> None:
        """Check a parameter.

        Parameters
        ----------
        name : str
            Name of the parameter.
        test : callable
            Whether a value is valid; a value that it cannot test is not.
        expected : str
            What is valid, for the message.

        Raises
        ------
        ValueError
            If the value fails the test; the message names part, parameter and value.
        """
        value = getattr(self, name)
        if not passes(test, value):
            raise ValueError(f"{self.role}.{name} of {type(self).__name__} must be {expected}, got {value!r}")


def built_parts(module: nn.Module) -> list[Part]:
    """Return the parts of a module, without parts that are parameters of others: only clones of these are built."""
    parts = [part for part in module.modules() if isinstance(part, Part)]
    templates = {id(value) for part in parts for value in BaseEstimator.get_params(part, deep=False).values()}
    return [part for part in parts if id(part) not in templates]


def is_count(value: Any) -> bool:
    """Return whether a value is a positive integer of Python or NumPy."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 1)


def passes(test: Callable[[Any], bool], value: Any) -> bool:
    """Return whether a value passes a test. A test that raises ``TypeError`` or ``ValueError`` has failed."""
    try:
        return bool(test(value))
    except (TypeError, ValueError):
        return False


def snake_case(name: str) -> str:
    """Return the name of a class as an option: ``"StudentT"`` becomes ``"student_t"``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def did_you_mean(name: Any, known: Any) -> str:
    """Return the end of an error message with the most similar known name, or an empty string."""
    near = get_close_matches(str(name), [str(other) for other in known], n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def resolve(choice: Any, package: ModuleType, kind: Any = Part, also: Iterable[str] = ()) -> Any:
    """Turn ``"gaussian"`` into ``package.Gaussian()``; return a clone of a part.

    Error messages also list the names in ``also``, which the caller handles itself.

    Raises
    ------
    ValueError
        If ``choice`` is a string and not the name of a class in ``package.__all__``.
    TypeError
        If ``choice`` is neither a string nor an instance of ``kind``.
    """
    role = package.__name__.rsplit(".", 1)[-1].removesuffix("s")
    if isinstance(choice, kind) and not isinstance(choice, type):
        return clone(choice, safe=False)
    if not isinstance(choice, str):
        raise InputTypeError(f"{role} must be a {kind.__name__} or the name of one, got {describe_value(choice)}")
    names = {snake_case(name): name for name in package.__all__}
    if choice not in names:
        known = sorted({*names, *also})
        raise ValueError(f"{role} must be one of {known}, got {choice!r}{did_you_mean(choice, known)}")
    return getattr(package, names[choice])()
